"""Whatever a sender draws with, a run learns with it, and journal, report, study, probes and resume keep all of it."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from perception import TimmTrunk
from raster import CanvasConfig, InputError, Strokes, on_paper
from raster.strokes import KINDS
from runs import checkpoint, sketches
from runs.config import Config
from runs.drawings import one_of, strokes_of, written
from runs.evidence import gather
from runs.folder import lines, read_json
from runs.journal import grid, play_lines
from runs.probes.iconicity import iconicity
from runs.report.figures import sketch_svg
from runs.run import Run, assemble
from runs.start import launch
from runs.study.plays import read_plays
from runs.study.stimuli import drawer
from runs.train import Learner

Make = Callable[..., Config]
HEADS: dict[str, dict[str, Any]] = {
    "onepass": {"kind": "onepass"},
    "recurrent": {"kind": "recurrent", "per_step": 2, "width": 16, "channels": [4]},
    "set": {"kind": "set", "width": 16, "layers": 1},
}
ALL = {"width": {"low": 0.05, "high": 0.4}, "opacity": True, "colour": True, "presence": "hard"}
CARRIED = ("sigma2", "width", "opacity", "colour", "presence")


def same(one: Strokes, other: Strokes, within: float) -> bool:
    """Alike in kind and in what they carry, each number to within so much of what it was."""
    if (one.kind, one.knots) != (other.kind, other.knots) or one._tensors().keys() != other._tensors().keys():
        return False
    pairs = [(value, other._tensors()[name]) for name, value in one._tensors().items()]
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=within, atol=within) for a, b in pairs)


# A step, with every head and every primitive


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("head", HEADS)
def test_every_head_learns_with_every_primitive(small: Make, tmp_path: Path, head: str, kind: str) -> None:
    sender = {"head": HEADS[head], "strokes": {"kind": kind, "count": 3, **ALL}}
    run = assemble(small(sender=sender), tmp_path, torch.device("cpu"))
    before = {name: each.detach().clone() for name, each in run.sender.named_parameters()}
    learner = Learner(run)
    for _ in range(2):
        (record,) = learner.step()
    play = record.play
    assert play.canvas.shape == (10, 3, 16, 16) and play.strokes.kind == kind and play.loss.isfinite().all()
    # A key's bias changes no softmax, so it has no gradient beyond rounding.
    names = [name for name in before if not name.endswith("key.bias")]
    assert all(not torch.equal(run.sender.get_parameter(name), before[name]) for name in names)


@pytest.mark.parametrize("carried", [{}, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("head", HEADS)
def test_every_head_takes_a_whole_step_on_meta(small: Make, tmp_path: Path, head: str, carried: dict[str, Any]) -> None:
    sender = {"head": HEADS[head], "strokes": {"kind": "catmull-rom", "count": 3, **carried}}
    run = assemble(small(sender=sender), tmp_path, torch.device("meta"))
    (record,) = Learner(run).step()
    assert record.play.canvas.is_meta and record.play.canvas.ndim == (4 if carried else 3)
    assert all(each.is_meta and each.grad is not None for each in run.sender.parameters())


@pytest.mark.parametrize("reader", ["convnet", "trunk"])
def test_a_coloured_step_with_likeness_and_either_reader_runs_on_meta(small: Make, tmp_path: Path, reader: str) -> None:
    trunk = {"kind": "timm", "weights": "random"}
    readers = {"convnet": {"kind": "convnet", "channels": [8]}, "trunk": {"kind": "trunk", "trunk": trunk}}
    config = small(
        sender={"head": HEADS["set"], "strokes": {"kind": "cubic", **ALL}, "trunk": trunk, "levels": [2, 3]},
        receiver={"reader": readers[reader]},
        pictures={"size": 32},
        canvas={"size": 32},
        biases=[{"kind": "likeness", "trunk": trunk}, {"kind": "ink"}, {"kind": "tremor"}],
    )
    run = assemble(config, tmp_path, torch.device("meta"))
    (record,) = Learner(run).step()
    assert record.play.canvas.shape == (10, 3, 32, 32) and record.play.canvas.is_meta


def test_heads_run_in_float64(small: Make, tmp_path: Path) -> None:
    for head in HEADS:
        sender = {"head": HEADS[head], "strokes": {"kind": "catmull-rom", "count": 3, **ALL}}
        run = assemble(small(sender=sender, train={"dtype": "float64"}), tmp_path, torch.device("cpu"))
        (record,) = Learner(run).step()
        assert record.play.canvas.dtype == torch.float64
        assert {value.dtype for value in record.play.strokes._tensors().values()} == {torch.float64}


# The journal


@st.composite
def drawings(draw: st.DrawFn) -> Strokes:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    kind = draw(st.sampled_from(list(KINDS)))
    shape = (2, 3, {"point": 1, "line": 2, "polyline": 5, "quadratic": 3, "cubic": 7, "catmull-rom": 6}[kind], 2)
    carried: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(CARRIED))):
        size = (2, 3, draw(st.sampled_from([3, 4]))) if name == "colour" else (2, 3)
        scale = draw(st.sampled_from([1e-5, 1e-2, 1.0])) if name in ("sigma2", "width") else 1.0
        carried[name] = torch.rand(size, generator=generator).clamp(min=0.01) * scale
    if "width" in carried:
        carried.pop("sigma2", None)
    knots = draw(st.sampled_from(["uniform", "centripetal", "chordal"]))
    return Strokes(torch.rand(shape, generator=generator) * 2 - 1, kind, **carried, knots=knots)


@given(drawings())
def test_every_carried_thing_survives_the_journal(strokes: Strokes) -> None:
    line = json.loads(json.dumps(written(strokes)))
    again = strokes_of(line)
    assert same(again, strokes, 1e-4)
    for name in ("sigma2", "width"):  # small numbers keep what counts of them
        value = getattr(strokes, name)
        assert value is None or torch.allclose(getattr(again, name), value, rtol=1e-4, atol=0)
    for game in range(2):
        assert same(strokes_of(one_of(line, game)), again[game], 0)


def test_lines_of_ink_are_written_as_ever() -> None:
    points = torch.rand(2, 3, 2, 2)
    assert written(Strokes(points)) == {"strokes": points.double().numpy().round(4).tolist()}


def test_a_line_of_an_older_journal_is_still_read() -> None:
    old = {"step": 3, "game": "same", "strokes": [[[[0.1, 0.2], [0.3, -0.4]]]], "sender": 0}
    assert same(strokes_of(old), Strokes(torch.tensor([[[[0.1, 0.2], [0.3, -0.4]]]])), 0)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"strokes": [[[0.0, 0.0], [1.0]]]},
        {"strokes": "none"},
        {"strokes": [[[0.0, 0.0], [1.0, 1.0]]], "kind": "cubic"},
        {"strokes": [[[0.0, 0.0], [1.0, 1.0]]], "width": [0.1, 0.2, 0.3]},
        {"strokes": [[[0.0, 0.0], [1.0, 1.0]]], "colour": ["red"]},
    ],
)
def test_a_damaged_drawing_is_refused_in_a_line(damaged: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="strokes that cannot be drawn") as caught:
        strokes_of(damaged)
    assert "\n" not in str(caught.value)


# A finished run of coloured curves


@pytest.fixture(scope="module")
def coloured(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Cubics with everything, drawn stroke after stroke; finished. Look, do not write."""
    sender = {"head": HEADS["recurrent"], "strokes": {"kind": "cubic", "count": 4, **ALL}}
    config = small(sender=sender, probes=["rate", "prefix"])
    return launch(config, tmp_path_factory.mktemp("coloured") / "run", progress=False, device="cpu")


def test_a_coloured_play_drawn_again_from_the_journal_is_the_same_canvas(coloured: Run) -> None:
    told = [line for line in lines(coloured.folder.path / "plays/test.jsonl") if line["game"] == "same"]
    records = gather(coloured, coloured.game.parts[0], "test", 2).records()
    for record, line in zip(records, told, strict=True):
        assert line["kind"] == "cubic" and {"width", "opacity", "colour", "presence"} <= line.keys()
        again = coloured.config.canvas.draw(strokes_of(line), line["step"])
        assert again.shape == (5, 3, 16, 16)
        assert (again - record.play.canvas).abs().max() < 1 / 255


def test_the_summary_counts_the_strokes_that_are_there(coloured: Run, finished: Run) -> None:
    summary = read_json(coloured.folder.summary)
    told = [line for line in lines(coloured.folder.path / "plays/test.jsonl") if line["game"] == summary["game"]]
    present = [sum(each) for line in told for each in line["presence"]]
    assert set(present) <= {0, 1, 2, 3, 4}
    assert summary["strokes"] == pytest.approx(sum(present) / len(present))
    assert "strokes" not in read_json(finished.folder.summary)  # there it is no choice


def test_probes_and_controls_measure_coloured_drawings(coloured: Run) -> None:
    summary = read_json(coloured.folder.summary)
    assert {"blank", "shuffled", "untrained", "ceiling"} <= summary.keys()
    assert summary["curve"]["4"] == pytest.approx(summary["rate"])


def test_the_judge_sees_coloured_drawings(coloured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "JUDGE", TimmTrunk(name="test_resnet", weights="random"))
    finding = iconicity(gather(coloured, coloured.game.parts[0], "test", 2))
    assert finding.n == 10 and 0 <= finding.value <= 1


def test_the_grid_shows_coloured_ink_on_white_paper(coloured: Run) -> None:
    (record,) = gather(coloured, coloured.game.parts[0], "test", 1).records()
    picture = grid(coloured, record.play)
    assert picture.shape == (3, 3 * 16, 5 * 16) and picture.min() >= 0 and picture.max() <= 1
    assert torch.allclose(picture[:, 16:32, 16:32], on_paper(record.play.canvas[1:2])[0])


def painted() -> Strokes:
    """Two games of two wide quadratics, one red, one blue of half opacity; and of one that is not there."""
    red, blue = [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]
    points = torch.tensor([[[-0.8, -0.5], [0.0, -0.5], [0.8, -0.5]], [[-0.8, 0.5], [0.0, 0.5], [0.8, 0.5]]])
    return Strokes(
        torch.cat([points, points[:1]]).expand(2, -1, -1, -1),
        "quadratic",
        width=torch.tensor([0.4, 0.2, 0.3]),
        opacity=torch.tensor([1.0, 0.5, 1.0]),
        colour=torch.tensor([red, blue, red]),
        presence=torch.tensor([1.0, 1.0, 0.0]),
    )


def test_report_and_study_draw_coloured_strokes_with_their_widths(coloured: Run, tmp_path: Path) -> None:
    (record,) = gather(coloured, coloured.game.parts[0], "test", 1).records()
    play = record.play
    two = replace(play.round, target=play.round.target[:2], pool_of=play.round.pool_of[:2], shown=play.round.shown[:2])
    scores, canvas, loss = play.scores[:2], play.canvas[:2], play.loss[:2]
    changed = replace(play, round=two, strokes=painted(), scores=scores, canvas=canvas, loss=loss)
    (line,) = play_lines(replace(record, play=changed), 0)
    # The report
    svg = sketch_svg(one_of(line, 1), 5e-3)
    assert svg.count("<path") == 2 and svg.count("Q") == 2
    assert '"#ff0000"' in svg and '"#0000ff"' in svg
    assert {"0.4", "0.2"} <= set(re.findall(r'stroke-width="([0-9.]+)"', svg)) and 'stroke-opacity="0.5"' in svg
    # The study, both ways, from a play file
    (tmp_path / "test.jsonl").write_text(json.dumps(line) + "\n")
    game = read_plays(tmp_path / "test.jsonl", len(coloured.gallery))[1]
    canvas = CanvasConfig(size=32)
    assert drawer(canvas, "vector")(game).decode().count("<path") == 2
    with Image.open(io.BytesIO(drawer(canvas, "raster")(game))) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (32, 32, 3)
    assert shown[8, 16].tolist() == pytest.approx([255, 0, 0], abs=8)  # row 8 is y = -0.5, but for half a pixel
    assert shown[24, 16].tolist() == pytest.approx([127, 127, 255], abs=12)  # half of the paper is left
    assert shown[16, 16].tolist() == pytest.approx([255, 255, 255], abs=8)
    reds = (shown[:, 16, 1] < 128).nonzero()[0]  # as wide as it says: 0.4 of 2, of 32 pixels
    assert len(reds[reds < 16]) == pytest.approx(0.4 / 2 * 32, abs=1)


def test_a_study_is_exported_from_a_coloured_run(coloured: Run, tmp_path: Path) -> None:
    from runs.study import export

    for shown in ("raster", "vector"):
        study = export(coloured.folder.path, tmp_path / shown, trials=4, shown=shown, offline=False)
        drawn = list((study.path / "stimuli").iterdir())
        assert any(path.suffix == ".svg" for path in drawn) == (shown == "vector")


# Resume


@pytest.mark.parametrize("head", ["recurrent", "set"])
def test_a_killed_run_of_another_head_goes_on_bit_for_bit(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]], head: str
) -> None:
    config = small(sender={"head": HEADS[head], "strokes": {"kind": "quadratic", "count": 3, **ALL}})
    whole, resumed = whole_and_resumed(config, 3)
    weights, others = (checkpoint.weights_of(run.community) for run in (whole, resumed))
    assert all(torch.equal(value, others[key]) for key, value in weights.items())
    for name in ("plays/train.jsonl", "plays/validation.jsonl", "plays/test.jsonl"):
        assert list(lines(whole.folder.path / name)) == list(lines(resumed.folder.path / name))


def test_a_checkpoint_of_a_sender_of_before_still_loads(small: Make, tmp_path: Path) -> None:
    """The names and shapes of the tensors of a one-pass sender, as they were saved before it could draw otherwise."""
    run = assemble(small(sender={"pixels": True}), tmp_path, torch.device("cpu"))
    found = {key: tuple(value.shape) for key, value in checkpoint.weights_of(run.community).items()}
    mine = {key: shape for key, shape in found.items() if key.startswith("senders.0.") and ".net." not in key}
    assert mine == {
        "senders.0.eye.project.weight": (16, 32),
        "senders.0.eye.project.bias": (16,),
        "senders.0.glance.project.weight": (16, 96),
        "senders.0.glance.project.bias": (16,),
        "senders.0.hidden.weight": (16, 32),
        "senders.0.hidden.bias": (16,),
        "senders.0.head.weight": (16, 16),
        "senders.0.head.bias": (16,),
    }
