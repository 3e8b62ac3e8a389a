"""Two grown communities meet: who comes has its own weights, the others keep theirs, and a kill changes nothing."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from raster import InputError
from runs import checkpoint
from runs.loading import dump
from runs.train import Learner
from tests.runs.test_executors import SENDER, Make, far, village, weights


def grown(small: Make, where: Path, seed: int = 7, **changes: Any) -> Learner:
    """Another community, which has played and is saved."""
    where.mkdir(parents=True)
    learner = village(small, where, "loop", seed=seed, **changes)
    learner.run.folder.config.write_text(dump(learner.run.config))
    learner.step(), learner.step()
    learner.save()
    return learner


def meeting(small: Make, where: Path, run: Path, executor: str = "loop", **event: Any) -> Learner:
    """A community with two empty slots a side, into which others come before step 2."""
    contact = {"kind": "contact", "at": 2, "run": str(run), **event}
    return village(small, where, executor, community={"vacant": 2, "events": [contact]}, train={"steps": 20})


@pytest.mark.parametrize("executor", ["loop", "batched"])
def test_strangers_come_as_they_are_and_move_nobody_else(small: Make, tmp_path: Path, executor: str) -> None:
    other = grown(
        small, tmp_path / "other", community={"events": [{"kind": "death", "at": 1, "who": [0], "side": "senders"}]}
    )
    learner = meeting(small, tmp_path, tmp_path / "other", executor)
    assert all(each.sender < 2 and each.receiver < 1 for _ in range(2) for each in learner.step())
    before, theirs = weights(learner.run), weights(other.run)
    (told,) = learner.life.before(2, 1e-3)
    # The dead do not come: the first stranger is the other run's second sender.
    assert told == {"step": 2, "kind": "contact", "run": str(tmp_path / "other")} | {
        "senders": [[2, 1], [3, 2]],
        "receivers": [[1, 0], [2, 1]],
    }
    came = {f"{side}.{mine}.": f"{side}.{its}." for side in ("senders", "receivers") for mine, its in told[side]}
    for key, value in weights(learner.run).items():
        side, slot, name = key.split(".", 2)
        home = came.get(f"{side}.{slot}.")
        assert torch.equal(value, before[key] if home is None else theirs[home + name])
    met = {each.sender for _ in range(6) for each in learner.step()}
    assert met == {0, 1, 2, 3}


def test_slots_may_be_named(small: Make, tmp_path: Path) -> None:
    grown(small, tmp_path / "other")
    learner = meeting(small, tmp_path, tmp_path / "other", who=[1], side="senders")
    assert learner.life.before(2, 1e-3)[0]["senders"] == [[1, 0]]


def test_a_contact_is_exact_on_resume_and_its_run_needed_only_before(small: Make, tmp_path: Path) -> None:
    other = tmp_path / "other"
    grown(small, other)
    whole = meeting(small, tmp_path / "whole", other)
    for _ in range(5):
        whole.step()
    resumed = {}
    for stop in (1, 3):
        killed = meeting(small, tmp_path / str(stop), other)
        for _ in range(stop):
            killed.step()
        killed.save()
        resumed[stop] = meeting(small, tmp_path / str(stop), other)
        checkpoint.go_on(killed.run.folder.checkpoints, resumed[stop].run.community, resumed[stop].restore)
    for _ in range(1, 5):
        resumed[1].step()
    assert far(whole, resumed[1]) == 0.0
    again = meeting(small, tmp_path / "1", other)
    shutil.rmtree(other)
    for _ in range(3, 5):
        resumed[3].step()
    assert far(whole, resumed[3]) == 0.0
    grown(small, other, seed=8)
    checkpoint.go_on(tmp_path / "1/checkpoints", again.run.community, again.restore)
    with pytest.raises(InputError, match="the run has other agents than when this one began"):
        again.step()


def test_runs_that_cannot_meet_are_told_before_anybody_plays(small: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        meeting(small, tmp_path, tmp_path / "nowhere").step()
    grown(small, tmp_path / "wide", sender={**SENDER, "hidden": 9})
    told = r"community\.events\.0: its senders\.0 is of another architecture: hidden: 8 -> 9"
    with pytest.raises(InputError, match=told):
        meeting(small, tmp_path, tmp_path / "wide").step()
    grown(small, tmp_path / "garbage")
    for file in (tmp_path / "garbage/checkpoints").glob("*.safetensors"):
        file.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="damaged checkpoint"):
        meeting(small, tmp_path, tmp_path / "garbage").step()
