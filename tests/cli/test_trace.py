"""`lascaux trace`: any picture to SVG and ndjson, sheets of several runs, and one line for what cannot be traced."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

import runs
from raster import from_quickdraw, from_svg
from runs.cli import app
from runs.tracing.files import draw, pen_lines
from runs.tracing.sheet import SIDE, between, large

SETS = ["pictures.size=16", "pictures.views=1", "canvas.size=16", "train.steps=4", "train.games=10", "probes=[]"]
SETS += ["measure.pictures=40", "train.validate_every=4", "sender.trunk={kind: mlp, hidden: [16]}"]
HEADS = ("lines", "catmull-rom", "connected")


def called(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def refused(*words: object) -> list[str]:
    result = called(*words)
    assert result.exit_code == 2, result.output
    return result.stderr.strip().split("\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run of a few heads, by the presets and the real command."""
    folder, found = tmp_path_factory.mktemp("trained"), {}
    for head in HEADS:
        sets = list(itertools.chain.from_iterable(("--set", each) for each in SETS))
        done = called("run", f"tracing/{head}", *sets, "--out", folder / head, "--device", "cpu")
        assert done.exit_code == 0, done.output
        found[head] = folder / head
    return found


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures of every mode and size."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    grey = np.full((40, 30), 255, dtype=np.uint8)
    grey[8:30, 12:18] = 0
    one = Image.fromarray(grey)
    one.save(folder / "grey.png")
    one.convert("P").save(folder / "palette.gif")
    one.convert("CMYK").save(folder / "cmyk.jpg")
    one.convert("1").save(folder / "bits.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    clear = Image.new("RGBA", (300, 20), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (100, 5, 200, 15))
    clear.save(folder / "clear.png")
    return folder


def test_every_picture_becomes_an_svg_and_a_line_of_drawing(trained: dict[str, Path], pictures: Path) -> None:
    done = called("trace", trained["lines"], pictures, "--out", pictures.parent / "out")
    assert done.exit_code == 0, done.output
    names = sorted(path.stem for path in pictures.iterdir())
    out = pictures.parent / "out"
    assert done.stdout.split() == [str(out / f"{name}.svg") for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{n}.{end}" for n in names for end in ("ndjson", "svg")
    )
    for name in names:
        strokes, _ = from_svg((out / f"{name}.svg").read_text())
        (drawing,) = from_quickdraw(out / f"{name}.ndjson")
        assert drawing.word == name and drawing.strokes.count == strokes.count == 5
        torch.testing.assert_close(drawing.strokes.points, strokes.points.float(), rtol=0, atol=1 / 127)
    assert (out / "grey.svg").read_text() == (out / "deep.svg").read_text()  # the same picture, in 16 bits


def test_without_out_traces_lie_in_the_runs_folder_and_names_are_kept_apart(
    trained: dict[str, Path], pictures: Path
) -> None:
    (pictures / "more").mkdir()
    Image.open(pictures / "grey.png").rotate(90).save(pictures / "more" / "grey.png")
    done = called("trace", trained["catmull-rom"], pictures / "grey.png", pictures / "more")
    assert done.exit_code == 0
    out = trained["catmull-rom"] / "traces"
    assert sorted(path.name for path in out.iterdir()) == ["grey-2.ndjson", "grey-2.svg", "grey.ndjson", "grey.svg"]
    assert (out / "grey.svg").read_text() != (out / "grey-2.svg").read_text()


def test_a_bad_picture_is_one_line_and_stops_no_other(trained: dict[str, Path], pictures: Path) -> None:
    (pictures / "empty.png").write_bytes(b"")
    (pictures / "half.png").write_bytes((pictures / "grey.png").read_bytes()[:60])
    Image.new("L", (3, 3)).save(pictures / "tiny.png")
    out = pictures.parent / "out"
    lines = refused("trace", trained["lines"], pictures, pictures / "none.png", "--out", out)
    assert len(lines) == 4
    for line, (name, what) in zip(
        lines,
        {"empty": "not a picture", "half": "damaged", "tiny": "3x3 pixels", "none": "not a file"}.items(),
        strict=True,
    ):
        assert f"{pictures / name}.png" in line and what in line and line.endswith("give another picture")
    assert len(list(out.glob("*.svg"))) == 6 and not list(out.glob("*half*"))


def test_what_cannot_be_asked_is_told_before_anything_is_written(
    trained: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    run = trained["lines"]
    (line,) = refused("trace", run)
    assert "no pictures to trace" in line and "--sheet" in line
    (line,) = refused("trace", run, pictures, "--beside", run)
    assert "--sheet" in line
    (line,) = refused("trace", run, pictures, "--sheet", tmp_path / "a.jpg")
    assert "ends in .png" in line
    (line,) = refused("trace", tmp_path, pictures)
    assert "no run here" in line
    (tmp_path / "nothing").mkdir()
    (line,) = refused("trace", run, tmp_path / "nothing")
    assert "no pictures in this folder" in line
    (line,) = refused("trace", run, pictures / "grey.png", "--out", pictures / "grey.png")
    assert "a file, not a folder" in line
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.yaml").write_text("pictures: {kind: digits}\ngame: {kind: referential}\n")
    (line,) = refused("trace", other, pictures)
    assert "referential" in line and "lascaux run tracing/lines" in line
    assert not (run / "traces").exists()


def test_a_sheet_shows_pictures_beside_the_traces_of_several_runs(trained: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    beside = [word for head in HEADS[1:] for word in ("--beside", trained[head])]
    done = called("trace", trained["lines"], *beside, "--sheet", path)
    assert done.exit_code == 0 and done.stdout.strip() == str(path)
    page = np.asarray(Image.open(path))
    assert page.shape[1] // SIDE == 4 and page.shape[0] // SIDE == 8
    run = runs.load(trained["lines"])
    from runs.tracing import trace_split

    index = trace_split(run, "test").index[:1]
    cell = large(run, draw(run, [run.gallery.pixels[index][0].permute(1, 2, 0).numpy()]))[0]
    left, top = 8 + (SIDE + 8), 8 + 22
    assert np.array_equal(page[top : top + SIDE, left : left + SIDE], cell.permute(1, 2, 0).numpy())
    assert list(tmp_path.iterdir()) == [path]


def test_probes_of_traces_are_asked_and_those_of_choices_refused(trained: dict[str, Path]) -> None:
    done = called("probe", trained["lines"], "--names", "one_shot", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["one_shot"]["tracing"]
    assert found["chance"] >= 0.1 and found["low"] <= found["value"] <= found["high"] and found["n"] >= 20
    (line,) = refused("probe", trained["lines"], "--names", "one_shot,rate")
    assert "rate cannot be asked of a run of the game tracing" in line and "one_shot, readable" in line
    (line,) = refused("probe", trained["lines"])
    assert "names no probe" in line


def test_a_picture_of_the_run_is_traced_as_the_run_traced_it(trained: dict[str, Path]) -> None:
    """What is read from a file is what the gallery holds, and so is its trace."""
    for head in HEADS:
        run = runs.load(trained[head])
        index = torch.arange(3)
        pixels = list(run.gallery.pixels[index].permute(0, 2, 3, 1).numpy())
        with torch.no_grad():
            own = run.pair(0, 0).draw(run.gallery.view(index), torch.Generator())
        torch.testing.assert_close(draw(run, pixels).points, own.points, rtol=0, atol=1e-5)


def test_pen_lines_stay_on_the_canvas_and_leave_out_what_is_hardly_there(trained: dict[str, Path]) -> None:
    run = runs.load(trained["connected"])
    one, two = (run.gallery.view(torch.tensor([n])) for n in (0, 1))
    way = between(run, one, two, 3)
    assert way.presence is not None
    lines = pen_lines(way[0])
    assert lines.count == int((way.presence[0] >= 0.5).sum()) and lines.points.abs().max() <= 1
    spline = runs.load(trained["catmull-rom"])
    drawn = pen_lines(between(spline, one, two, 2)[0])
    assert drawn.kind == "polyline" and drawn.points.abs().max() <= 1


def test_an_interrupted_write_leaves_no_half_file(
    trained: dict[str, Path], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = pictures.parent / "out"
    replace: Callable[..., Path] = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if target.name == "cmyk.ndjson":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    assert called("trace", trained["lines"], pictures, "--out", out).exit_code == 130
    left = sorted(path.name for path in out.iterdir())
    assert left == ["bits.ndjson", "bits.svg", "clear.ndjson", "clear.svg", "cmyk.svg"]
    json.loads((out / "bits.ndjson").read_text())
