"""The batched executor is the loop: the same plays, gradients and agents, whoever meets whom; and idle agents stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from perception import TimmTrunk
from raster import InputError
from runs import checkpoint
from runs.config import Config
from runs.executors import Batched, Loop
from runs.run import Run, assemble
from runs.train import Learner

Make = Callable[..., Config]

TRUNK = TimmTrunk(name="test_resnet", weights="random").model_dump()
MLP = {"kind": "mlp", "hidden": [8], "size": 16}
SENDER = {"trunk": MLP, "hidden": 8, "dropout": 0.2, "strokes": {"count": 3}}
RECEIVER = {"trunk": MLP, "hidden": 8, "dims": 6, "dropout": 0.2, "reader": {"kind": "patches", "size": 5}}
COMMUNITY = {"senders": 4, "receivers": 3, "meetings": 4}


def village(small: Make, where: Path, executor: str, device: str = "cpu", **changes: Any) -> Learner:
    """A community of tiny stackable agents before its first step."""
    community = {**COMMUNITY, **changes.pop("community", {}), "executor": executor}
    keys: dict[str, Any] = {"sender": SENDER, "receiver": RECEIVER, **changes}
    train = {"dtype": "float64", "games": 7, "warmup": 2, "log_every": 3, "weight_decay": 0.1}
    keys["train"] = train | changes.get("train", {})
    return Learner(assemble(small(community=community, **keys), where, torch.device(device)))


def both(small: Make, where: Path, **changes: Any) -> tuple[Learner, Learner]:
    loop, batched = (village(small, where, name, **changes) for name in ("loop", "batched"))
    assert isinstance(loop.executor, Loop) and isinstance(batched.executor, Batched)
    return loop, batched


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in checkpoint.weights_of(run.community).items()}


def far(one: Learner, other: Learner) -> float:
    """The largest difference between two communities."""
    mine, theirs = weights(one.run), weights(other.run)
    assert mine.keys() == theirs.keys()
    return max(float((value - theirs[key]).abs().max()) for key, value in mine.items())


@pytest.mark.parametrize("executor", ["loop", "batched"])
@pytest.mark.parametrize("draw", ["independent", "matching"])
def test_idle_agents_do_not_move(small: Make, tmp_path: Path, executor: str, draw: str) -> None:
    learner = village(small, tmp_path, executor, community={"meetings": 2, "draw": draw}, train={"weight_decay": 0.5})
    idle = 0
    for _ in range(12):
        before, states = weights(learner.run), {n: o.state_dict() for n, o in learner.optimisers.items()}
        steps = {name: [float(each["step"]) for each in state["state"].values()] for name, state in states.items()}
        met = learner.step()
        after = weights(learner.run)
        moved = {".".join(key.split(".")[:2]) for key in after if not torch.equal(after[key], before[key])}
        played = {f"senders.{each.sender}" for each in met} | {f"receivers.{each.receiver}" for each in met}
        assert moved == played
        for name, optimiser in learner.optimisers.items():
            now = [float(each["step"]) for each in optimiser.state_dict()["state"].values()]
            if name in played:
                assert now == [each + 1 for each in steps[name] or [0] * len(now)]
            else:
                assert now == steps[name]
                idle += 1
    assert idle > 8


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "a matching": {"community": {"draw": "matching", "senders": 3}},
    "everybody several times": {"community": {"senders": 1, "receivers": 1, "meetings": 3}},
    "info_nce": {"game": {"kind": "referential", "candidates": 3, "loss": "info_nce"}},
    "nearest": {
        "game": {
            "kind": "referential",
            "candidates": 4,
            "distractors": {"kind": "nearest", "trunk": TRUNK, "level": 2, "about": "target"},
        },
        "pictures": {"size": 32},
    },
    "cached features and biases that look and move": {
        "sender": {**SENDER, "trunk": TRUNK, "levels": [1, 2]},
        "receiver": {**RECEIVER, "trunk": TRUNK, "levels": [2]},
        "pictures": {"size": 32},
        "biases": [
            {"kind": "augment", "versions": 2},
            {"kind": "tremor"},
            {"kind": "ink", "weight": 0.5},
        ],
    },
    "a perceptron reads": {"receiver": {**RECEIVER, "reader": {"kind": "trunk", "trunk": {**MLP, "size": 9}}}},
    "one perceptron shared": {
        "sender": {**SENDER, "trunk": {**MLP, "shared": True}},
        "receiver": {**RECEIVER, "trunk": {**MLP, "shared": True}},
    },
    "a set of strokes, and receivers that attend": {
        "sender": {
            **SENDER,
            "trunk": TRUNK,
            "levels": [2],
            "head": {"kind": "set", "width": 8, "heads": 2, "layers": 1},
        },
        "receiver": {**RECEIVER, "trunk": TRUNK, "levels": [2], "score": "attention", "heads": 2},
        "pictures": {"size": 32},
    },
    "widths and colours": {
        "sender": {
            **SENDER,
            "strokes": {"kind": "line", "count": 2, "width": {"low": 0.05, "high": 0.2}, "colour": True},
        },
    },
    "a convolutional sender among stacked receivers": {
        "sender": {**SENDER, "trunk": {"kind": "convnet", "channels": [4]}},
    },
    "convolutional receivers": {"receiver": {**RECEIVER, "reader": {"kind": "convnet", "channels": [4]}}},
}


@pytest.mark.parametrize("name", CASES)
def test_batched_is_the_loop(small: Make, tmp_path: Path, name: str) -> None:
    loop, batched = both(small, tmp_path, **CASES[name])
    for _ in range(3):
        one, two = loop.step(), batched.step()
        for mine, theirs in zip(one, two, strict=True):
            assert (mine.sender, mine.receiver, mine.game) == (theirs.sender, theirs.receiver, theirs.game)
            assert torch.equal(mine.play.round.pool, theirs.play.round.pool)
            assert torch.equal(mine.play.photo.index, theirs.play.photo.index)
            for a, b in ((mine.play.canvas, theirs.play.canvas), (mine.play.scores, theirs.play.scores)):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
    assert far(loop, batched) < 1e-8
    first, second = loop.flush(), batched.flush()
    assert first.keys() == second.keys()
    for key in first:  # where two candidates score alike, rounding takes the one or the other: a game or two
        assert first[key] == pytest.approx(second[key], abs=0.05 if key.startswith("rate") else 1e-9), key
    assert max(first[key] for key in first if key.startswith("gradient/")) > 0


@pytest.mark.slow
def test_fifty_steps_are_the_same_to_the_eighth_digit(small: Make, tmp_path: Path) -> None:
    loop, batched = both(small, tmp_path, train={"steps": 50, "games": 3, "log_every": 100})
    for _ in range(50):
        loop.step(), batched.step()
    assert far(loop, batched) < 1e-8


def test_gradients_of_a_first_step_agree_in_single_precision(small: Make, tmp_path: Path) -> None:
    loop, batched = both(small, tmp_path, train={"dtype": "float32"})
    loop.step(), batched.step()
    for mine, theirs in zip(loop.run.community.parameters(), batched.run.community.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None and theirs.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-5)


def test_a_batched_step_runs_on_the_meta_device(small: Make, tmp_path: Path) -> None:
    learner = village(small, tmp_path, "batched", device="meta", biases=[{"kind": "ink"}])
    for record in learner.step():
        assert record.play.canvas.is_meta and record.play.loss.is_meta
        sender = learner.run.community.senders[record.sender]
        assert all(p.grad is not None and p.grad.is_meta for p in sender.parameters())


@pytest.mark.parametrize("names", [("loop", "batched"), ("batched", "loop")])
def test_a_run_goes_on_under_the_other_executor(small: Make, tmp_path: Path, names: tuple[str, str]) -> None:
    whole = village(small, tmp_path / "whole", "loop")
    first, second = (village(small, tmp_path / "parts", name) for name in names)
    for step in range(8):
        whole.step()
        (first if step < 4 else second).step()
        if step == 3:
            first.save()
            found = checkpoint.go_on(first.run.folder.checkpoints, second.run.community, second.restore)
            assert found == 4
    assert far(whole, second) < 1e-8


def test_what_happens_to_an_agent_happens_to_its_row(small: Make, tmp_path: Path) -> None:
    learner = village(small, tmp_path, "batched")
    assert isinstance(learner.executor, Batched)
    ((members, stack),) = learner.executor.senders
    assert stack is not None
    for row, number in enumerate(members):
        agent = learner.run.community.senders[number]
        with torch.no_grad():
            agent.hidden.bias.fill_(number + 1.0)
        assert (stack.tensors["hidden.bias"][row] == number + 1.0).all()


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({}, "batched", "4 pairs a step"),
        ({"community": {"meetings": 1}}, "loop", "one pair a step"),
        ({"receiver": {**RECEIVER, "reader": {"kind": "convnet"}}}, "loop", "convolutional"),
        (
            {
                "game": {
                    "kind": "referential",
                    "view": "class",
                    "candidates": 5,
                    "targets": {"kind": "several", "most": 2},
                },
                "receiver": {**RECEIVER, "threshold": True},
            },
            "loop",
            "several targets",
        ),
    ],
)
def test_auto_follows_its_rule_and_says_why(
    small: Make, tmp_path: Path, changes: dict[str, Any], name: str, why: str
) -> None:
    learner = village(small, tmp_path, "auto", **changes)
    assert learner.executor.name == name and why in learner.executor.why
    assert learner.state()["executor"] == name
    if "game" in changes:
        with pytest.raises(InputError, match=r"several targets .*community\.executor"):
            village(small, tmp_path, "batched", **changes)
