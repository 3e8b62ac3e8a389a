"""Runs whose agents learn a trunk on, and whose receivers compare place by place: exact, paced, on any device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from perception import Trunk
from runs import checkpoint
from runs.config import Config
from runs.run import Run, assemble
from runs.steps import by_pace
from runs.train import Learner

Make = Callable[..., Config]
LEARNED = {"kind": "timm", "name": "test_resnet", "weights": "random", "frozen": False}
SHARED = {**LEARNED, "shared": True, "pace": 0.25}


def config(small: Make, trunk: dict[str, Any], **more: Any) -> Config:
    return small(
        sender={"trunk": trunk, "levels": (1,)},
        receiver={
            "trunk": trunk,
            "levels": (1, 2),
            "reader": {"kind": "trunk", "trunk": trunk, "level": 1},
            "score": "attention",
            "heads": 2,
        },
        **more,
    )


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {key: each.clone() for key, each in checkpoint.weights_of(run.community).items()}


@pytest.mark.parametrize("trunk", [LEARNED, SHARED])
def test_a_killed_run_goes_on_bit_for_bit(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]], trunk: dict[str, Any]
) -> None:
    keys = config(small, trunk, train={"steps": 4})
    whole, again = whole_and_resumed(keys, 3)
    one, two = weights(whole), weights(again)
    assert one.keys() == two.keys() and any(".pyramid." in key for key in one)
    assert [key for key in one if not torch.equal(one[key], two[key])] == []


@pytest.mark.parametrize("trunk", [LEARNED, SHARED])
def test_a_trunk_takes_smaller_steps_than_its_agents(small: Make, tmp_path: Path, trunk: dict[str, Any]) -> None:
    run = assemble(config(small, trunk, train={"warmup": 0, "lr": 1e-2}), tmp_path, torch.device("cpu"))
    pace = trunk.get("pace", 0.1)
    member = run.community.shared[0] if trunk is SHARED else run.sender
    groups = by_pace(member)
    assert set(groups) == ({pace} if trunk is SHARED else {1.0, pace})
    everything = {id(each) for each in member.parameters()}
    assert {id(each) for group in groups.values() for each in group} == everything
    (net,) = [each for each in member.modules() if isinstance(each, Trunk)]
    assert {id(each) for each in groups[pace]} == {id(each) for each in net.parameters()}
    before = weights(run)
    learner = Learner(run)
    learner.step()
    moved = {key: float((each - before[key]).abs().max()) for key, each in weights(run).items()}
    # Adam's first step is the step size itself, wherever there is a gradient.
    slow = max(size for key, size in moved.items() if ".pyramid." in key)
    fast = max(size for key, size in moved.items() if key == "senders.0.head.weight")
    assert slow == pytest.approx(1e-2 * pace, rel=0.02) and fast == pytest.approx(1e-2, rel=0.02)


def test_a_step_of_the_fused_optimiser_is_the_plain_one_s(small: Make, tmp_path: Path) -> None:
    """A trunk's weights lie channels last in memory: the kernel must pair them with their gradients all the same."""
    runs = [assemble(config(small, LEARNED), tmp_path, torch.device("cpu")) for _ in range(2)]
    learners = [Learner(run) for run in runs]
    for optimiser in learners[1].optimisers.values():
        for group in optimiser.param_groups:
            group["fused"] = False
    for _ in range(3):
        for learner in learners:
            learner.step()
    one, two = (weights(run) for run in runs)
    for key, each in one.items():
        torch.testing.assert_close(each, two[key], rtol=1e-3, atol=1e-5, msg=key)


@pytest.mark.parametrize("trunk", [LEARNED, SHARED, {**LEARNED, "frozen": True}])
def test_a_whole_training_step_runs_on_the_meta_device(small: Make, tmp_path: Path, trunk: dict[str, Any]) -> None:
    run = assemble(config(small, trunk), tmp_path, torch.device("meta"))
    (record,) = Learner(run).step()
    assert record.play.scores.is_meta and record.play.scores.shape == (10, 5)


def test_in_double_precision_too(small: Make, tmp_path: Path) -> None:
    run = assemble(config(small, LEARNED, train={"dtype": "float64"}), tmp_path, torch.device("cpu"))
    (record,) = Learner(run).step()
    assert record.play.scores.dtype == torch.float64 and record.play.scores.isfinite().all()


def test_photos_pass_a_trunk_that_is_learned_in_every_step(small: Make, tmp_path: Path) -> None:
    run = assemble(config(small, SHARED), tmp_path, torch.device("cpu"))
    learner, (net,) = Learner(run), run.community.shared
    frozen, before = run.trunks.passes, net.passes
    learner.step()
    # 10 photos of the sender, 2 pools of 5, and 10 canvases.
    assert net.passes - before == 30 and run.trunks.passes == frozen


@pytest.mark.slow
def test_attention_learns(small: Make, tmp_path: Path) -> None:
    keys = small(
        receiver={"score": "attention", "heads": 2, "dims": 16, "hidden": 32},
        sender={"hidden": 32, "dropout": 0},
        game={"kind": "referential", "candidates": 5, "pool": "photos"},
        train={"steps": 150, "games": 20, "lr": 3e-3, "log_every": 50},
        biases=[],
    )
    run = assemble(keys, tmp_path, torch.device("cpu"))
    learner = Learner(run)
    rates = []
    for number in range(150):
        learner.step()
        if number % 50 == 49:
            rates.append(learner.flush()["rate"])
    assert rates[-1] > 0.5 > rates[0]  # chance is 0.2
