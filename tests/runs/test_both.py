"""Agents that draw and look: one life, one eye, and faces of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import Receiver, Sender
from perception import TimmTrunk
from runs import checkpoint
from runs.config import Config
from runs.run import Run
from runs.train import Learner
from tests.runs.test_executors import MLP, RECEIVER, SENDER, Make, far, village, weights

BOTH = {"senders": 4, "receivers": 4, "both": True, "meetings": 4}
TRUNK = TimmTrunk(name="test_resnet", weights="random").model_dump()


def both(small: Make, where: Path, executor: str = "auto", **changes: Any) -> Learner:
    community = BOTH | changes.pop("community", {})
    return village(small, where, executor, community=community, **changes)


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Members that changed, as senders.0."""
    return {".".join(key.split(".")[:2]) for key in after if not torch.equal(before[key], after[key])}


@pytest.mark.parametrize("eye", ["shared", "two"])
def test_a_face_that_does_not_play_keeps_its_own_and_nobody_meets_itself(small: Make, tmp_path: Path, eye: str) -> None:
    sender = SENDER if eye == "shared" else {**SENDER, "hidden": 9}
    learner = both(small, tmp_path, sender=sender, community={"meetings": 2}, train={"weight_decay": 0.5})
    apart = 0
    for _ in range(8):
        before = weights(learner.run)
        met = learner.step()
        assert all(each.sender != each.receiver for each in met)
        draws, looks = {each.sender for each in met}, {each.receiver for each in met}
        faces = {f"senders.{n}" for n in draws} | {f"receivers.{n}" for n in looks}
        eyes = {f"eyes.{n}" for n in draws | looks} if eye == "shared" else set()
        assert moved(before, weights(learner.run)) == faces | eyes
        apart += len(draws ^ looks)
    assert apart > 4
    assert learner.executor.name == ("loop" if eye == "shared" else "batched")
    assert ("share an eye" in learner.executor.why) == (eye == "shared")


def test_an_eye_gets_the_gradients_of_both_faces_and_takes_one_step(small: Make, tmp_path: Path) -> None:
    learner = both(small, tmp_path, train={"warmup": 0})
    assert len(learner.run.community.eyes) == 4
    names = [name for name in weights(learner.run) if ".eye." in name]
    assert not names  # neither face has one of its own
    agent = learner.run.community.senders[0], learner.run.community.receivers[0]
    assert isinstance(agent[0], Sender) and isinstance(agent[1], Receiver)
    assert agent[0].eye is agent[1].eye is learner.run.community.eyes["0"]
    plays = {"draws": 0, "looks": 0}
    for _ in range(6):
        met = learner.step()
        plays["draws"] += any(each.sender == 0 for each in met)
        plays["looks"] += any(each.receiver == 0 for each in met)
        took = {float(each["step"]) for each in learner.optimisers["eyes.0"].state.values()}
        assert len(took) <= 1
    together = plays["draws"] + plays["looks"]
    assert took and max(plays.values()) <= took.pop() <= min(6, together)


LIVES: dict[str, list[dict[str, Any]]] = {
    "replace": [{"kind": "replace", "at": 2, "who": "random", "count": 2}],
    "generation": [{"kind": "freeze", "at": 1, "who": [1]}, {"kind": "generation", "at": 2, "drawings": 4, "steps": 2}],
    "death and birth": [{"kind": "death", "at": 1, "who": "best"}, {"kind": "birth", "at": 3}],
    "migrate": [{"kind": "migrate", "at": 2}],
}


@pytest.mark.parametrize("name", LIVES)
def test_faces_live_and_die_together(small: Make, tmp_path: Path, name: str) -> None:
    islands = {"topology": {"kind": "islands", "count": 2, "leak": 0.5}}
    learner = both(small, tmp_path, community={**islands, "events": LIVES[name]}, train={"warmup": 0})
    told = []
    for _ in range(5):
        before = weights(learner.run)
        learner.step()
        told += learner.happened
        life = learner.life
        for part in (life.present, life.frozen, life.born, life.generation):
            assert torch.equal(part["senders"], part["receivers"])
        torch.testing.assert_close(life.merit["senders"], life.merit["receivers"])
        frozen = life.frozen["senders"].nonzero()[:, 0].tolist()
        idle = {f"{part}.{slot}" for part in ("senders", "receivers", "eyes") for slot in frozen}
        assert not idle & moved(before, weights(learner.run))
    assert [each["kind"] for each in told] == [each["kind"] for each in LIVES[name]]
    assert all(each["senders"] == each["receivers"] for each in told)


def test_a_newcomer_has_a_new_eye_and_it_remembers_nothing(small: Make, tmp_path: Path) -> None:
    events = [{"kind": "replace", "at": 2, "who": [1]}]
    learner = both(small, tmp_path, community={"events": events})
    learner.step(), learner.step()
    before = weights(learner.run)
    learner.life.before(2, 0.1)
    assert moved(before, weights(learner.run)) == {"senders.1", "receivers.1", "eyes.1"}
    assert not learner.optimisers["eyes.1"].state


def test_a_reader_of_the_same_trunk_begins_as_the_eye_that_is_shared(small: Make, tmp_path: Path) -> None:
    reads = {**RECEIVER, "trunk": MLP, "reader": {"kind": "trunk", "trunk": {**MLP}}}
    events = [{"kind": "replace", "at": 1, "who": [1]}]
    learner = both(small, tmp_path, receiver=reads, community={"events": events})
    for _ in range(2):
        agent = learner.run.community.receivers[1]
        assert isinstance(agent, Receiver)
        assert torch.equal(agent.sketch[0].weight, agent.eye.project.weight)
        learner.life.before(1, 0.1)


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_both_executors_give_the_same_and_what_is_saved_goes_on_to_the_same_bits(
    small: Make, tmp_path: Path, executor: str
) -> None:
    events = [
        {"kind": "replace", "every": 3, "who": "oldest"},
        {"kind": "imitate", "every": 2, "who": "youngest", "teacher": "best", "drawings": 4, "steps": 2},
    ]
    changes: dict[str, Any] = {"community": {"events": events, "reach": 0.5}}
    loop = both(small, tmp_path / "loop", "loop", **changes)
    whole, first, second = (both(small, tmp_path / n, executor, **changes) for n in ("whole", "parts", "parts"))
    for step in range(8):
        loop.step(), whole.step()
        (first if step < 4 else second).step()
        if step == 3:
            first.save()
            assert checkpoint.go_on(first.run.folder.checkpoints, second.run.community, second.restore) == 4
    assert far(whole, second) == 0
    assert far(loop, whole) < 1e-8


@pytest.mark.parametrize(
    ("community", "line"),
    [
        ({"senders": 3}, r"both: 3 senders, 4 receivers"),
        ({"senders": 1, "receivers": 1}, r"both: 1 senders, 1 receivers.*two at least"),
        ({"groups": [{"senders": 1, "receivers": 2}, {"senders": 3, "receivers": 2}]}, r"groups\.0: with both"),
        ({"events": [{"kind": "death", "at": 1, "side": "senders"}]}, r"events\.0: .*leave side out"),
        ({"events": [{"kind": "contact", "at": 1, "run": "x"}]}, r"events\.0: .*leave the contact out"),
        ({"topology": {"kind": "pair"}}, r"nobody"),
    ],
)
def test_who_cannot_be_both_is_told_in_a_line(
    small: Make, tmp_path: Path, community: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        both(small, tmp_path, community=community)


def test_a_run_of_both_is_killed_and_resumed_to_the_same_bits(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    events = [{"kind": "replace", "every": 2, "who": "oldest"}]
    whole, resumed = whole_and_resumed(small(sender=SENDER, receiver=RECEIVER, community={**BOTH, "events": events}), 3)
    mine, theirs = weights(whole), weights(resumed)
    assert mine.keys() == theirs.keys() and any(key.startswith("eyes.") for key in mine)
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
