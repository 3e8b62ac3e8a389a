"""What happens in a community's life happens to whom it should, leaves the others alone, and survives a kill."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raster import InputError
from runs import checkpoint
from runs.config import Config
from runs.folder import lines
from runs.run import Run
from runs.train import Learner
from tests.runs.test_executors import COMMUNITY, RECEIVER, SENDER, Make, far, village, weights

ALL: list[dict[str, Any]] = [
    {"kind": "imitate", "every": 2, "drawings": 5, "steps": 2, "teacher": "best"},
    {"kind": "replace", "every": 3, "who": "oldest"},
    {"kind": "freeze", "at": 1, "who": "random", "side": "receivers"},
    {"kind": "thaw", "at": 4, "who": "oldest"},
    {"kind": "death", "at": 2, "side": "senders", "who": [1]},
    {"kind": "birth", "at": 5},
    {"kind": "migrate", "every": 4},
    {"kind": "generation", "at": 6, "drawings": 4, "steps": 1},
]
ISLANDS = {"topology": {"kind": "islands", "count": 2, "leak": 0.2}}


def changed(before: dict[str, torch.Tensor], learner: Learner) -> set[str]:
    after = weights(learner.run)
    return {".".join(key.split(".")[:2]) for key in after if not torch.equal(after[key], before[key])}


def lived(small: Make, where: Path, events: list[dict[str, Any]], executor: str = "loop", **community: Any) -> Learner:
    return village(small, where, executor, community={"events": events, **community}, train={"steps": 200})


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_replacement_gives_new_weights_to_one_and_leaves_the_others(small: Make, tmp_path: Path, executor: str) -> None:
    learner = lived(small, tmp_path, [{"kind": "replace", "at": 2, "who": [1], "side": "senders"}], executor)
    learner.step(), learner.step()
    before, state = weights(learner.run), learner.optimisers["senders.1"].state
    assert learner.life.before(2, 1e-3) == [{"step": 2, "kind": "replace", "senders": [1]}]
    assert changed(before, learner) == {"senders.1"}
    assert not state and learner.life.born["senders"].tolist() == [0, 2, 0, 0]
    again = lived(small, tmp_path, [{"kind": "replace", "at": 2, "who": [1], "side": "senders"}], executor)
    again.life.before(2, 1e-3)  # a newcomer's weights are its own seed's, whatever went before
    one, two = (each.run.community.senders[1].state_dict() for each in (learner, again))
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_the_oldest_leave_in_turn_and_nobody_twice_before_all_have(small: Make, tmp_path: Path) -> None:
    learner = lived(small, tmp_path, [{"kind": "replace", "every": 1, "side": "senders"}])
    assert [learner.life.before(step, 1e-3)[0]["senders"] for step in range(1, 9)] == [[n % 4] for n in range(8)]
    assert learner.life.generation["senders"].tolist() == [2, 2, 2, 2]


def test_the_dead_meet_nobody_and_slots_are_filled_again(small: Make, tmp_path: Path) -> None:
    events = [
        {"kind": "death", "at": 1, "who": [0, 2], "side": "senders"},
        {"kind": "birth", "at": 3, "side": "senders"},
    ]
    learner = lived(small, tmp_path, events)
    met = [{record.sender for record in learner.step()} for _ in range(8)]
    assert not (met[1] | met[2]) & {0, 2}
    assert all(2 not in each for each in met[3:]) and any(0 in each for each in met[3:])


def test_vacant_slots_wait_for_births(small: Make, tmp_path: Path) -> None:
    learner = lived(small, tmp_path, [{"kind": "birth", "at": 2, "count": 9}], vacant=2)
    met = [learner.step() for _ in range(8)]
    assert all(record.sender < 2 and record.receiver < 1 for step in met[:2] for record in step)
    assert {record.sender for step in met[2:] for record in step} == {0, 1, 2, 3}


def test_a_community_that_dies_out_says_so(small: Make, tmp_path: Path) -> None:
    learner = lived(small, tmp_path, [{"kind": "death", "at": 1, "count": 9}])
    learner.step()
    with pytest.raises(InputError, match=r"nobody meets anybody.*step 1"):
        learner.step()


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_the_frozen_play_but_do_not_learn_until_they_thaw(small: Make, tmp_path: Path, executor: str) -> None:
    events = [{"kind": "freeze", "at": 0, "count": 9}, {"kind": "thaw", "at": 2, "who": [0], "side": "senders"}]
    learner = lived(small, tmp_path, events, executor)
    first = weights(learner.run)
    assert learner.step() and learner.step()
    assert not changed(first, learner)
    for _ in range(4):
        learner.step()
    assert changed(first, learner) == {"senders.0"}


def test_a_pupil_comes_to_draw_like_its_teacher(small: Make, tmp_path: Path) -> None:
    lesson = {"kind": "imitate", "at": 1, "who": [2], "teacher": "oldest", "drawings": 40, "steps": 150}
    learner = lived(small, tmp_path, [lesson])
    run = learner.run
    view = run.gallery.view(torch.arange(20))

    def apart() -> float:
        drawn = [run.pair(sender, 0).draw(view, torch.Generator()).points.detach() for sender in (0, 2)]
        return float((drawn[0] - drawn[1]).square().mean())

    before, started = weights(run), apart()
    assert learner.life.before(1, 1e-2) == [{"step": 1, "kind": "imitate", "who": [[2, 0]]}]
    assert changed(before, learner) == {"senders.2"}
    assert apart() < 0.2 * started


def test_a_generation_is_new_but_for_the_frozen(small: Make, tmp_path: Path) -> None:
    events = [
        {"kind": "freeze", "at": 1, "who": [0], "side": "senders"},
        {"kind": "generation", "at": 1, "drawings": 3, "steps": 1},
    ]
    learner = lived(small, tmp_path, events)
    before = weights(learner.run)
    learner.life.before(1, 1e-3)
    assert changed(before, learner) == {"senders.1", "senders.2", "senders.3", *(f"receivers.{n}" for n in range(3))}


def test_migrants_change_places_with_all_that_they_know(small: Make, tmp_path: Path) -> None:
    learner = lived(small, tmp_path, [{"kind": "migrate", "at": 3, "side": "senders"}], **ISLANDS)
    for _ in range(3):
        learner.step()
    before = weights(learner.run)
    moments = {n: learner.optimisers[f"senders.{n}"].state_dict()["state"] for n in range(4)}
    ((one, other),) = learner.life.before(3, 1e-3)[0]["senders"]
    island = learner.run.community.topology.islands(4, 3)
    assert island[one] != island[other]
    after = weights(learner.run)
    for key in (key for key in before if key.startswith(f"senders.{one}.")):
        twin = key.replace(f"senders.{one}.", f"senders.{other}.")
        assert torch.equal(after[key], before[twin]) and torch.equal(after[twin], before[key])
    assert changed(before, learner) == {f"senders.{one}", f"senders.{other}"}
    now = learner.optimisers[f"senders.{one}"].state_dict()["state"]
    assert now.keys() == moments[other].keys()
    assert all(torch.equal(now[k]["exp_avg"], moments[other][k]["exp_avg"]) for k in now)


def test_batched_is_the_loop_through_a_whole_life(small: Make, tmp_path: Path) -> None:
    loop, batched = (lived(small, tmp_path, ALL, name, **ISLANDS) for name in ("loop", "batched"))
    for _ in range(9):
        loop.step(), batched.step()
        assert loop.happened == batched.happened
    assert far(loop, batched) < 1e-8


@pytest.mark.slow
def test_batched_is_the_loop_over_fifty_steps_with_turnover_and_imitation(small: Make, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"kind": "replace", "every": 5, "who": "oldest"},
        {"kind": "imitate", "every": 5, "who": "youngest", "teacher": "best", "drawings": 6, "steps": 3},
        {"kind": "imitate", "every": 8, "who": "random", "teacher": "random", "drawings": 6, "steps": 2},
        {"kind": "replace", "every": 12, "who": "random", "side": "receivers"},
    ]
    loop, batched = (lived(small, tmp_path, events, name) for name in ("loop", "batched"))
    happened = 0
    for _ in range(50):
        loop.step(), batched.step()
        assert loop.happened == batched.happened
        happened += len(loop.happened)
    assert happened == 9 + 9 + 6 + 4
    assert far(loop, batched) < 1e-8


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_a_life_cut_short_at_any_moment_goes_on_bit_for_bit(small: Make, tmp_path: Path, executor: str) -> None:
    whole = lived(small, tmp_path / "whole", ALL, executor, **ISLANDS)
    happened = []
    for _ in range(8):
        whole.step()
        happened.append(whole.happened)
    moments = torch.randperm(8, generator=torch.Generator().manual_seed(0))[:3].tolist()
    for moment in moments:
        killed = lived(small, tmp_path / str(moment), ALL, executor, **ISLANDS)
        for _ in range(moment):
            killed.step()
        killed.save()
        resumed = lived(small, tmp_path / str(moment), ALL, executor, **ISLANDS)
        checkpoint.go_on(resumed.run.folder.checkpoints, resumed.run.community, resumed.restore)
        for step in range(moment, 8):
            resumed.step()
            assert resumed.happened == happened[step]
        assert far(whole, resumed) == 0.0


@pytest.mark.slow
def test_a_killed_run_writes_each_event_once(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    train = {"steps": 7, "games": 4, "checkpoint_every": 2, "validate_every": 100}
    community = {**COMMUNITY, **ISLANDS, "events": ALL, "executor": "batched"}
    config = small(community=community, sender=SENDER, receiver=RECEIVER, train=train)
    whole, resumed = whole_and_resumed(config, 5)
    for name in ("metrics.jsonl", "events.jsonl", "plays/train.jsonl"):
        one, two = ([*lines(run.folder.path / name)] for run in (whole, resumed))
        for line in (*one, *two):
            line.pop("seconds", None), line.pop("games_per_second", None)
        assert one == two and one, name
    mine, theirs = (checkpoint.weights_of(run.community) for run in (whole, resumed))
    assert all(torch.equal(value, theirs[key]) for key, value in mine.items())


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"kind": "death", "at": 6}, r"events\.0: death before step 6, but the last is 5"),
        ({"kind": "replace", "every": 9}, r"events\.0: replace before step 9, but the last is 5"),
        ({"kind": "replace"}, "say when: at, or every, and not both"),
        ({"kind": "replace", "at": 1, "every": 2}, "say when: at, or every, and not both"),
        ({"kind": "freeze", "at": 1, "who": [3]}, "no slot 3 among 2 both"),
    ],
)
def test_events_that_cannot_happen_are_told(small: Make, event: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        small(community={"senders": 2, "receivers": 2, "events": [event]})


@pytest.mark.parametrize(("file", "name"), [("runs.checkpoint.save_file", "weights"), ("torch.save", "state")])
@pytest.mark.parametrize("writes", [0, 1])
def test_a_full_disk_in_mid_checkpoint_costs_a_community_nothing_that_was_saved(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, name: str, writes: int
) -> None:
    whole = lived(small, tmp_path / "whole", ALL, "batched")
    learner = lived(small, tmp_path / "full", ALL, "batched")
    for _ in range(3):
        whole.step(), learner.step()
    learner.save()
    for _ in range(3):
        whole.step(), learner.step()
    left, write = [writes], checkpoint.save_file if name == "weights" else torch.save

    def full(*given: Any) -> None:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(*given)

    with monkeypatch.context() as patch:
        patch.setattr(file, full)
        with pytest.raises(OSError, match="No space left"):
            learner.save()
    again = lived(small, tmp_path / "full", ALL, "batched")
    found = checkpoint.go_on(again.run.folder.checkpoints, again.run.community, again.restore)
    assert found in {3, 6}  # the old one, or the new one where it is whole
    for _ in range(found, 6):
        again.step()
    assert far(whole, again) == 0.0 and whole.life.born["senders"].equal(again.life.born["senders"])
