"""One-shot classes from strokes: points along drawings, their distance, and a stand-in for Omniglot."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raster import InputError, Strokes
from runs.config import Config
from runs.folder import read_json
from runs.run import Run, assemble
from runs.start import launch
from runs.tracing import Traces, one_shot, trace_split
from runs.tracing.features import along, modified_hausdorff
from runs.tracing.measures import _trials

Make = Callable[..., Config]
TRACING: dict[str, Any] = {
    "game": {"kind": "tracing"},
    "sender": {
        "trunk": {"kind": "mlp", "hidden": [32], "size": 8},
        "hidden": 16,
        "dropout": 0,
        "strokes": {"count": 4},
    },
    "probes": ["one_shot"],
    "biases": [],
}


# Features


def test_points_lie_evenly_along_the_strokes_in_their_order() -> None:
    lines = torch.tensor([[[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, -2.0]]])  # lengths 1 and 3
    found = along(Strokes(lines[None]), 8)[0]
    torch.testing.assert_close(found[:2], torch.tensor([[0.25, 0.0], [0.75, 0.0]]), rtol=0, atol=1e-5)
    torch.testing.assert_close(found[2:, 1], torch.tensor([0.75, 0.25, -0.25, -0.75, -1.25, -1.75]), rtol=0, atol=1e-5)
    assert (found[2:, 0] == 0).all()


def test_a_stroke_that_is_not_there_is_not_felt() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 4, 3, 2, generator=generator) * 2 - 1
    presence = torch.tensor([[1.0, 0.2, 0.8, 0.0]]).expand(3, 4)
    some = along(Strokes(points, "quadratic", presence=presence))
    torch.testing.assert_close(some, along(Strokes(points[:, [0, 2]], "quadratic")), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["point", "line", "cubic", "catmull-rom"])
def test_drawings_without_length_have_points_too(kind: str) -> None:
    count = {"point": 1, "line": 2, "cubic": 4, "catmull-rom": 5}[kind]
    points = torch.full((2, 3, count, 2), 0.25)
    for presence in (None, torch.zeros(2, 3)):
        found = along(Strokes(points, kind, presence=presence))
        assert found.isfinite().all() and (found - 0.25).abs().max() < 1e-3


@given(seed=st.integers(0, 500), p=st.integers(1, 6), q=st.integers(1, 6))
def test_the_distance_is_the_slow_one(seed: int, p: int, q: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, p, 2, generator=generator), torch.randn(3, q, 2, generator=generator)
    found = modified_hausdorff(a, b)

    def towards(x: torch.Tensor, y: torch.Tensor) -> float:
        return sum(min(float((one - two).norm()) for two in y) for one in x) / len(x)

    for i in range(2):
        for j in range(3):
            assert float(found[i, j]) == pytest.approx(max(towards(a[i], b[j]), towards(b[j], a[i])), abs=1e-4)
    torch.testing.assert_close(modified_hausdorff(b, a), found.T)
    assert modified_hausdorff(a, a).diagonal().abs().max() < 1e-3


# The probe


@pytest.fixture(scope="module")
def untaught(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = small(**TRACING, measure={"pictures": 150})
    return assemble(config, tmp_path_factory.mktemp("one-shot"), torch.device("cpu"))


def drawn_as(traces: Traces, points: torch.Tensor) -> Traces:
    """The same traces with other strokes, [n, N, 2, 2]."""
    plays, at = [], 0
    for play in traces.plays:
        plays.append(replace(play, strokes=Strokes(points[at : at + len(play.loss)])))
        at += len(play.loss)
    return Traces(traces.run, traces.game, traces.split, plays, traces.pairs)


def test_strokes_that_tell_the_class_find_it_and_others_do_not(untaught: Run) -> None:
    traces = trace_split(untaught, "test")
    generator = torch.Generator().manual_seed(0)
    of_class = torch.rand(10, 4, 2, 2, generator=generator) * 2 - 1
    jitter = 0.02 * torch.randn(traces.n, 4, 2, 2, generator=generator)
    found = one_shot(drawn_as(traces, of_class[traces.label] + jitter))
    assert found.value == 1 and found.n == 20 * 10 and found.chance == 0.1
    assert 0.2 < found.baselines["pixels"] <= 1 and found.low <= found.value <= found.high
    blind = one_shot(drawn_as(traces, torch.rand(traces.n, 4, 2, 2, generator=generator) * 2 - 1))
    assert blind.value < 0.2


def test_who_shows_a_class_and_who_asks_are_two_writers(untaught: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = trace_split(untaught, "test")
    monkeypatch.setattr(untaught.gallery, "artists", ["a", "b", "c"])
    monkeypatch.setattr(untaught.gallery, "artist", torch.arange(len(untaught.gallery)) % 3)
    trials = list(_trials(traces))
    assert len(trials) == 20
    for shown, asked in trials:
        assert torch.equal(traces.label[shown], traces.label[asked]) and len(set(traces.label[shown].tolist())) == 10
        writers = untaught.gallery.artist[traces.index]
        assert (writers[shown] != writers[asked]).all()


def test_too_few_traces_are_told_in_a_line(small: Make, tmp_path: Path) -> None:
    run = assemble(small(**TRACING, measure={"pictures": 2}), tmp_path, torch.device("cpu"))
    with pytest.raises(InputError, match=r"classes have two traces.*raise measure\.pictures"):
        one_shot(trace_split(run, "test"))


def test_a_small_stand_in_for_omniglot_from_drawings_to_the_summary(small: Make, tmp_path: Path) -> None:
    """Thirty characters by six writers; those of the test were in no training picture."""
    generator = torch.Generator().manual_seed(0)
    folder = tmp_path / "characters"
    folder.mkdir()
    for number in range(30):
        character = torch.randint(0, 256, (2, 2, 4), generator=generator)  # two strokes of four points
        lines = []
        for _ in range(6):
            written = (character + torch.randn(2, 2, 4, generator=generator) * 8).round().clamp(0, 255).long()
            lines.append(json.dumps({"word": str(number), "drawing": written.tolist()}) + "\n")
        (folder / f"character-{number:02d}.ndjson").write_text("".join(lines))
    pictures = {"kind": "quickdraw", "path": str(folder), "size": 16, "width": 0.2}
    split = {"by": ["class"], "validation": 0.1, "test": 0.4}
    train = {"steps": 60, "lr": 5e-3, "games": 32, "validate_every": 60, "checkpoint_every": 60}
    config = small(**{**TRACING, "pictures": {**pictures, "split": split}, "train": train, "canvas": {"sigma2": 2e-2}})
    run = launch(config, tmp_path / "run", progress=False, device="cpu")
    found = read_json(run.folder.summary)["one_shot"]
    assert found["n"] == 20 * 12 and found["chance"] == pytest.approx(1 / 12)
    assert found["rate"] > 3 * found["chance"] and found["low"] <= found["rate"] <= found["high"]
    assert found["pixels"] > 0.8  # the characters can be told apart
