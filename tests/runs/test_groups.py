"""Agents that differ play together, under either executor; what is wrong with a group is told by its key."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from agents import CommunityConfig
from agents.groups import group_of
from tests.runs.test_executors import Make, both, far, village, weights

DIFFERENT: list[dict[str, Any]] = [
    {"senders": 2, "receivers": 1, "lr": 0.5, "learns": 0.5},
    {
        "senders": 2,
        "receivers": 2,
        "sender": {"hidden": 6, "strokes": {"count": 4}},
        "receiver": {"trunk": {"hidden": [5]}, "reader": {"kind": "convnet", "channels": [4]}},
    },
]


def test_batched_is_the_loop_among_agents_that_differ(small: Make, tmp_path: Path) -> None:
    events = [{"kind": "imitate", "at": 2, "steps": 1, "drawings": 3, "count": 2}, {"kind": "migrate", "at": 3}]
    topology = {"kind": "islands", "count": 2, "leak": 0.5}
    community = {"groups": DIFFERENT, "events": events, "topology": topology, "reach": 0.5}
    loop, batched = both(small, tmp_path, community=community, train={"steps": 20})
    for _ in range(6):
        met = loop.step()
        batched.step()
        assert loop.happened == batched.happened
        for record in met:
            assert record.play.strokes.count == (3 if record.sender < 2 else 4)
    assert far(loop, batched) < 1e-8
    assert loop.run.community.receivers[0].config.reader.kind == "patches"
    assert loop.run.community.receivers[2].config.trunk.hidden == (5,)


def test_a_factor_of_the_step_size_is_one(small: Make, tmp_path: Path) -> None:
    groups = [{"senders": 4, "receivers": 3, "lr": 0.25}]
    slow, quick = (
        village(small, tmp_path, "loop", community={"groups": some}, train={"weight_decay": 0.0})
        for some in (groups, [])
    )
    before = weights(slow.run)
    slow.step(), quick.step()
    mine, theirs = weights(slow.run), weights(quick.run)
    for key, value in before.items():
        torch.testing.assert_close(mine[key] - value, 0.25 * (theirs[key] - value), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_slow_agents_learn_as_often_as_they_should(small: Make, tmp_path: Path, executor: str) -> None:
    groups = [{"senders": 4, "receivers": 3, "learns": 0.0}]
    still = village(small, tmp_path, executor, community={"groups": groups})
    before = weights(still.run)
    still.step()
    assert all(torch.equal(value, before[key]) for key, value in weights(still.run).items())
    groups = [{"senders": 4, "receivers": 3, "learns": 0.3}]
    half = village(small, tmp_path, executor, community={"groups": groups})
    learned = 0
    for _ in range(300):
        half.life.before(0, 1e-3)
        learned += 7 - len(half.life.still)
    assert abs(learned / 2100 - 0.3) < 0.05  # five standard deviations


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_without_reach_senders_learn_from_their_own_partner_alone(small: Make, tmp_path: Path, executor: str) -> None:
    community = {"senders": 3, "receivers": 3, "meetings": 2, "reach": 0.0}
    learner = village(small, tmp_path, executor, community=community, biases=[])
    seen = set()
    for _ in range(12):
        before = weights(learner.run)
        met = learner.step()
        after = weights(learner.run)
        moved = {".".join(key.split(".")[:2]) for key in after if not torch.equal(after[key], before[key])}
        own = {f"senders.{each.sender}" for each in met if each.sender == each.receiver}
        assert moved == own | {f"receivers.{each.receiver}" for each in met}
        seen |= {each.sender == each.receiver for each in met}
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("community", "told"),
    [
        ({"groups": [{"senders": 1, "receivers": 2}]}, "groups: they have 1 senders, the community 2: make them agree"),
        (
            {"groups": [{"senders": 2, "receivers": 2, "sender": {"hiden": 3}}]},
            r"community\.groups\.0\.sender\.hiden: Extra inputs",
        ),
        (
            {"groups": [{"senders": 2, "receivers": 2, "receiver": {"hidden": 0}}]},
            r"community\.groups\.0\.receiver\.hidden: Input should be greater",
        ),
        (
            {"groups": [{"senders": 2, "receivers": 2, "sender": {"trunk": {"kind": "timm", "name": "judge"}}}]},
            "is the judge",
        ),
    ],
)
def test_a_wrong_group_is_told_by_its_key(small: Make, community: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        small(community={"senders": 2, "receivers": 2, **community})


PUSHED: list[dict[str, Any]] = [
    {"kind": "augment", "versions": 2},
    {"kind": "tremor"},
    {"kind": "ink", "weight": 0.5},
]


def parted(biases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A group that follows the run, and one with biases of its own: equal agents."""
    return [{"senders": 2, "receivers": 1}, {"senders": 2, "receivers": 2, "biases": biases}]


def test_batched_is_the_loop_among_groups_with_biases_of_their_own(small: Make, tmp_path: Path) -> None:
    events = [{"kind": "imitate", "at": 2, "steps": 2, "drawings": 3, "count": 4}]
    community = {"groups": parted(PUSHED), "events": events, "reach": 0.3}
    run = [{"kind": "grip", "length": 0.2}]
    loop, batched = both(small, tmp_path, community=community, biases=run, train={"steps": 20})
    for _ in range(5):
        loop.step(), batched.step()
        assert loop.happened == batched.happened
    assert far(loop, batched) < 1e-8
    assert loop.flush() == pytest.approx(batched.flush(), abs=1e-9)


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_a_groups_biases_push_that_group_and_nobody_else(small: Make, tmp_path: Path, executor: str) -> None:
    def first(biases: list[dict[str, Any]], **community: Any) -> tuple[Any, Any]:
        keys = {"senders": 4, "receivers": 3, "meetings": 9, **community}
        learner = village(small, tmp_path, executor, community=keys, biases=biases)
        return learner, learner.step()

    (mixed, one), (free, two), (pushed, three) = (
        first([], groups=parted(PUSHED)),
        first([]),
        first(PUSHED),
    )
    kinds = set()
    for mine, without, within in zip(one, two, three, strict=True):
        draws, looks = mine.sender >= 2, mine.receiver >= 1
        kinds.add((draws, looks))
        other = within if draws else without
        torch.testing.assert_close(mine.play.canvas, other.play.canvas)
        assert not torch.allclose(mine.play.canvas, (without if draws else within).play.canvas)
        if draws == looks:
            torch.testing.assert_close(mine.play.scores, other.play.scores)
    assert len(kinds) == 4
    noted = mixed.flush()
    assert noted["ink"] > 0 and "ink" not in free.flush() and pushed.flush()["ink"] > 0


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_a_groups_costs_are_of_its_own_plays(small: Make, tmp_path: Path, executor: str) -> None:
    ink = [{"kind": "ink", "weight": 0.5}]
    mixed, free, pushed = (
        village(small, tmp_path, executor, community={"groups": groups, "draw": "matching"}, biases=biases)
        for groups, biases in ((parted(ink), []), ([], []), ([], ink))
    )
    for learner in (mixed, free, pushed):
        met = learner.step()
    mine, without, within = (weights(learner.run) for learner in (mixed, free, pushed))
    played = {each.sender for each in met}
    assert {slot >= 2 for slot in played} == {True, False}
    for key, value in mine.items():
        side, slot = key.split(".")[:2]
        if side == "senders":
            torch.testing.assert_close(value, (within if int(slot) >= 2 else without)[key], rtol=0, atol=1e-12)
    assert any(not torch.equal(value, within[key]) for key, value in without.items() if key.startswith("senders"))


def test_a_lesson_has_its_groups_step_size_and_hands(small: Make, tmp_path: Path) -> None:
    lesson = {"kind": "imitate", "at": 0, "who": [3], "teacher": "oldest", "drawings": 4, "steps": 1}
    moved = {}
    for lr in (1.0, 0.25):
        groups = [{"senders": 3, "receivers": 1, "biases": [{"kind": "grip", "length": 0.1}]}]
        groups.append({"senders": 1, "receivers": 2, "lr": lr})
        community = {"groups": groups, "events": [lesson]}
        learner = village(small, tmp_path, "loop", community=community, train={"weight_decay": 0.0})
        before = weights(learner.run)
        assert learner.life.before(0, 1e-3) == [{"step": 0, "kind": "imitate", "who": [[3, 0]]}]
        moved[lr] = {key: value - before[key] for key, value in weights(learner.run).items() if "senders.3" in key}
        shown = learner.life._drawn(0, learner.run.gallery.view(torch.arange(5)))
        assert float((shown[..., 1, :] - shown[..., 0, :]).norm(dim=-1).max()) < 0.1 + 1e-9
    for key, value in moved[1.0].items():
        torch.testing.assert_close(moved[0.25][key], 0.25 * value, rtol=1e-6, atol=1e-12)
    assert any(bool(value.any()) for value in moved[1.0].values())


def test_the_judge_may_not_push_a_group(small: Make) -> None:
    groups = [
        {"senders": 1, "receivers": 1, "biases": [{"kind": "likeness", "trunk": {"kind": "timm", "name": "judge"}}]}
    ]
    with pytest.raises(ValidationError, match=r"community\.groups\.0\.biases\.0\.trunk is the judge"):
        small(community={"senders": 1, "receivers": 1, "groups": groups})


def test_slots_belong_to_groups_in_order() -> None:
    groups = CommunityConfig.model_validate({"senders": 4, "receivers": 3, "groups": DIFFERENT}).groups
    assert [groups.index(group_of(groups, True, slot)) for slot in range(4)] == [0, 0, 1, 1]
    assert [groups.index(group_of(groups, False, slot)) for slot in range(3)] == [0, 1, 1]
