"""Biases while agents learn: what is logged of each, what they keep is trained and goes on exactly, no step waits."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import AnyBias
from agents.bias import biases, labels
from agents.biases import Likeness
from agents.biases._memory import Memory
from agents.biases.likeness import LevelWeights
from games import Round
from games.play import Play
from perception import TimmTrunk
from runs import checkpoint
from runs.config import Config
from runs.folder import lines
from runs.run import Run, assemble
from runs.start import launch
from runs.train import Learner

Make = Callable[..., Config]
TRUNK = TimmTrunk(name="test_resnet", weights="random").model_dump()
LEARNED = {"kind": "likeness", "trunk": TRUNK, "levels": [0, 1], "learn": True}
KEEPING = [{"kind": "ink"}, LEARNED, {"kind": "novelty", "memory": 32}, {"kind": "same-for-all", "memory": 16}]


def test_the_gradient_of_each_weighted_cost_stands_in_every_line_of_metrics(small: Make, tmp_path: Path) -> None:
    weights = [2.0, {"from": 0.0, "to": 1.0, "over": 4}]
    several = [{"kind": "ink", "weight": weight} for weight in weights] + [{"kind": "tremor"}]
    config = small(biases=several, train={"log_every": 4})
    run = launch(config, tmp_path / "run", progress=False, device="cpu")
    found = [line for line in lines(run.folder.metrics) if line["split"] == "train"]
    assert [line["step"] for line in found] == [4, 6]
    for line in found:
        assert {"ink", "ink-2", "gradient/loss", "gradient/ink", "gradient/ink-2"} <= set(line)
        assert "tremor" not in line and "gradient/tremor" not in line
        assert line["ink"] == line["ink-2"]  # before their weights
        assert line["gradient/loss"] > 0
        share = min((line["step"] - 1) / 4, 1.0) / 2.0  # of the schedule at that step, by the other's weight
        assert line["gradient/ink-2"] == pytest.approx(share * line["gradient/ink"], rel=1e-5)


def test_a_gradient_s_norm_is_that_of_the_mean_weighted_cost_in_the_points(small: Make, tmp_path: Path) -> None:
    config = small(biases=[{"kind": "brevity", "weight": 3.0}], train={"log_every": 1})
    learner = Learner(assemble(config, tmp_path, torch.device("cpu")))
    (record,) = learner.step()
    points = record.play.strokes.points.detach()  # [B, N, 2, 2]: a line's length pulls at both ends by 1 / (B N)
    games, strokes = points.shape[:2]
    expected = 3.0 * math.sqrt(2 * games * strokes) / (games * strokes)
    assert learner.flush()["gradient/brevity"] == pytest.approx(expected, rel=1e-3)


def test_gradients_are_asked_for_in_logged_steps_alone_and_change_nothing(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **keys: asked.append(1) or grad(*args, **keys))
    after = []
    for every in (3, 1):
        run = assemble(small(train={"log_every": every}), tmp_path, torch.device("cpu"))
        learner = Learner(run)
        for _ in range(5):
            learner.step()
        after.append(checkpoint.weights_of(run.community))
        assert len(asked) == 2 * (1 if every == 3 else 5)
        asked.clear()
    assert all(torch.equal(value, after[1][key]) for key, value in after[0].items())


def test_biases_of_one_kind_are_told_apart() -> None:
    assert labels([Likeness(), Likeness(image="dog.png"), Likeness()]) == ["likeness", "likeness-2", "likeness-3"]


# What biases keep


def test_what_biases_keep_is_trained_and_saved_with_the_agents(small: Make, tmp_path: Path) -> None:
    run = assemble(small(biases=KEEPING), tmp_path, torch.device("cpu"))
    learner = Learner(run)
    assert [name for name in learner.members if name.startswith("biases")] == ["biases.1", "biases.2", "biases.3"]
    assert "biases.1" in learner.optimisers and "biases.2" not in learner.optimisers
    before = {key: value.clone() for key, value in checkpoint.weights_of(run.community).items()}
    learner.step()
    after = checkpoint.weights_of(run.community)
    moved = {key for key in after if key.startswith("biases") and not torch.equal(after[key], before[key])}
    assert moved == {"biases.1.raw"} | {f"biases.{n}.{key}" for n in (2, 3) for key in ("drawings", "label", "slot")}
    weights, memory = run.community.kept_by(1), run.community.kept_by(2)
    assert isinstance(weights, LevelWeights) and isinstance(memory, Memory)
    assert int((memory.label >= 0).sum()) == 10  # the games of a step
    assert run.community.kept_by(0) is None


def test_a_bias_that_keeps_something_leaves_the_agents_first_weights_as_they_were(small: Make, tmp_path: Path) -> None:
    plain, keeping = (
        checkpoint.weights_of(assemble(small(biases=several), tmp_path, torch.device("cpu")).community)
        for several in ([], KEEPING)
    )
    assert all(torch.equal(value, keeping[key]) for key, value in plain.items())


def test_a_killed_run_goes_on_exactly_with_what_its_biases_kept(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    config = small(biases=KEEPING)
    whole, resumed = whole_and_resumed(config, 5)
    one, two = (checkpoint.weights_of(run.community) for run in (whole, resumed))
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[key]) for key, value in one.items())
    costs = [[line.get("novelty") for line in lines(run.folder.metrics)] for run in (whole, resumed)]
    assert costs[0] == costs[1]


# All of them


def every(**keys: dict[str, Any]) -> list[dict[str, Any]]:
    """Every shipped bias, with some keys of some."""
    looking = {"trunk": TimmTrunk(weights="random").model_dump()}
    given = {"likeness": looking, "clip": {**looking, "copies": 1}, "same-for-all": {"memory": 16}, **keys}
    return [{"kind": kind, **given.get(kind, {})} for kind in sorted(biases())]


RICH = {"kind": "cubic", "count": 4, "colour": True, "presence": "soft", "opacity": True}


@pytest.mark.parametrize("strokes", [{"count": 4}, RICH])
def test_a_step_with_every_bias_runs_on_the_meta_device(small: Make, tmp_path: Path, strokes: dict[str, Any]) -> None:
    config = small(biases=every(), sender={"strokes": strokes}, train={"log_every": 1})
    run = assemble(config, tmp_path, torch.device("meta"))
    learner = Learner(run)
    (record,) = learner.step()
    assert run.step == 1 and record.play.canvas.is_meta
    assert all(total.is_meta for total, _ in learner.window.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_agents_learn_under_every_bias_at_once(small: Make, tmp_path: Path, dtype: str) -> None:
    config = small(biases=every(), sender={"strokes": RICH}, train={"log_every": 1, "dtype": dtype})
    learner = Learner(assemble(config, tmp_path, torch.device("cpu")))
    for _ in range(3):
        (record,) = learner.step()
        assert str(record.play.canvas.dtype) == f"torch.{dtype}"
    means = learner.flush()
    cost = {name for name, each in zip(learner.labels, learner.run.biases, strict=True) if each.costs()}
    assert len(cost) > 9
    assert {key for key in means if key.startswith("gradient/")} == {"gradient/loss", *(f"gradient/{n}" for n in cost)}
    assert all(math.isfinite(value) for value in means.values())


def test_no_photo_passes_a_trunk_in_a_step_with_clip_likeness_and_shape(small: Make, tmp_path: Path) -> None:
    looking = [{"kind": "likeness", "trunk": TRUNK}, {"kind": "clip", "trunk": TRUNK, "copies": 3}, {"kind": "shape"}]
    eye = {"trunk": TRUNK, "levels": [2]}
    run = assemble(small(biases=looking, sender=eye, receiver=eye), tmp_path, torch.device("cpu"))
    learner = Learner(run)
    learner.step()  # the pictures' edges are looked at once, all of them
    before = run.trunks.passes
    learner.step()
    assert run.trunks.passes - before == 10 * (1 + 3)  # sketches


# What a cost is given


def a_play(run: Run, seed: int) -> Play:
    index = torch.arange(4)
    dealt = Round(index[None], index, torch.zeros(4, dtype=torch.long), index, "train", seed)
    return run.game.parts[0].play(run.pair(0, 0), dealt, run.gallery, run.config.canvas, 0)


def test_a_play_tells_classes_and_has_noise_of_its_own_for_each_bias(finished: Run) -> None:
    play, again, other = (a_play(finished, seed) for seed in (1, 1, 2))
    assert torch.equal(play.label, finished.gallery.label[:4])
    assert play.kept is None
    first = torch.rand(3, generator=play.generator("clip"))
    assert torch.equal(first, torch.rand(3, generator=again.generator("clip")))
    assert not torch.equal(first, torch.rand(3, generator=play.generator("mine")))
    assert not torch.equal(first, torch.rand(3, generator=other.generator("clip")))


def test_the_schema_knows_every_shipped_bias() -> None:
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(AnyBias)
    for kind in biases():
        assert adapter.validate_python({"kind": kind}).kind == kind
