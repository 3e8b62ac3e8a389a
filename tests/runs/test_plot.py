"""``lascaux plot``: drawings of every file, machines by name and from files, one line for what is wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from agents.bodies import MACHINES, Machine, machine_names, replay, shipped
from raster import CanvasConfig, InputError, Strokes, in_sight, to_quickdraw, to_svg
from runs.cli import app
from runs.config import Config
from runs.draw import Sheet, save_strokes
from runs.drawings import written
from runs.loading import dump, load
from runs.plot import machine_of, plot, read_drawing

Said = Callable[..., str]


@pytest.fixture
def strokes() -> Strokes:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(5, 4, 2, generator=generator) * 1.6 - 0.8
    return Strokes(points, "cubic", width=torch.full((5,), 0.02), colour=torch.rand(5, 3, generator=generator))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def lascaux(*words: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["plot", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr.strip()


@pytest.fixture
def refused(here: Path) -> Said:
    """The one line that is said of a wrong input, which leaves everything as it was."""

    def call(*words: str | Path) -> str:
        before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
        code, said, told = lascaux(*words)
        assert (code, said) == (2, ""), told
        assert "\n" not in told and "Traceback" not in told
        assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
        assert not (here / "out").exists()
        return told

    return call


# Drawings


def test_a_drawing_is_the_same_from_every_file(here: Path, strokes: Strokes) -> None:
    (here / "a.svg").write_text(to_svg(in_sight(strokes), (64, 64)))
    save_strokes(Sheet(strokes, CanvasConfig(size=64)), here / "a.safetensors")
    several = Strokes(strokes.points.expand(3, -1, -1, -1), "cubic", width=strokes.width, colour=strokes.colour)
    lines = [json.dumps({"step": step, **written(several)}) + "\n" for step in (10, 20)]
    (here / "a.jsonl").write_text("".join(lines))
    for name, number in (("a.svg", 0), ("a.safetensors", 0), ("a.jsonl", 0), ("a.jsonl", 4)):
        found = read_drawing(here / name, number)
        assert torch.allclose(found.strokes.points, strokes.points, atol=1e-4)
        assert found.strokes.colour is not None and strokes.colour is not None
        ink = 1 - found.strokes.colour if found.as_seen else found.strokes.colour
        assert torch.allclose(ink, strokes.colour, atol=1 / 255)
    (here / "a.ndjson").write_text(to_quickdraw(Strokes(strokes.points[:, :1].expand(-1, 2, -1)), "dots") * 2)
    assert read_drawing(here / "a.ndjson", 1).notes == ("drawing 1: dots",)


def test_a_lying_picture_stays_lying(here: Path) -> None:
    (here / "wide.svg").write_text('<svg viewBox="0 0 20 10"><path stroke="#000" fill="none" d="M0 5h20"/></svg>')
    found = plot(here / "wide.svg", machine_of("gcode"))
    assert found.path == Path("out/wide.gcode")
    ((_, line),) = replay(found.path.read_text(), found.plan.machine).lines
    assert line.tolist() == [[10, 148.5], [200, 148.5]]  # over the whole page within its margins


# The command


def test_a_plot_says_what_became_of_the_drawing(here: Path, strokes: Strokes) -> None:
    rest = '<text>no stroke</text><path stroke="#000" fill="none" stroke-width="1" d="M900 0h9"/></svg>'
    (here / "a.svg").write_text(to_svg(in_sight(strokes), (64, 64)).replace("</svg>", rest))
    code, said, told = lascaux("a.svg", "--machine", "hpgl", "--preview", "sheet.png", "--check", "--out", "plots/")
    assert code == 0, told
    assert "left out: <text> (1)" in said
    assert "1 stroke left out: out of reach or off the canvas" in said
    rows = re.findall(r"│ as (drawn|planned) +│ +(\d+) │ +(\d) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │", said)
    assert [row[0] for row in rows] == ["drawn", "planned"]
    assert rows[0][1] == "5" and float(rows[1][4]) <= float(rows[0][4])
    assert re.search(r"replayed: at most 0\.0\d\d mm off the plan, 0\.\d\d of the pen's width", said)
    assert said.splitlines()[-2:] == ["plots/a.hpgl", "sheet.png"]
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (297 * 4, 210 * 4)
        assert sheet.getextrema()[0][0] < 60 and sheet.getpixel((3, 3)) == (255, 255, 255)


def test_set_changes_a_machine_and_its_file_may_begin_from_another(here: Path, strokes: Strokes) -> None:
    (here / "a.svg").write_text(to_svg(in_sight(strokes), (64, 64)))
    (here / "mine.yaml").write_text("base: gcode\nbody: {page: {width: 100, height: 100}, home: null}\n")
    code, _, told = lascaux("a.svg", "--machine", "mine.yaml", "--set", "body.pens.0.width=1.5", "--out", "x.nc")
    assert code == 0, told
    machine = machine_of("mine.yaml", ["body.pens.0.width=1.5"])
    assert (machine.body.page.width, machine.body.pens[0].width, machine.body.pens[0].name) == (100, 1.5, "black")
    assert len(replay((here / "x.nc").read_text(), machine).lines) == 5


@pytest.mark.parametrize("name", machine_names())
def test_a_machine_that_ships_is_the_same_by_either_loader_and_written_back(name: str, here: Path) -> None:
    machine = machine_of(name)
    assert machine == shipped(name)
    (here / "again.yaml").write_text(dump(machine))
    assert machine_of(here / "again.yaml") == machine
    assert (MACHINES / f"{name}.yaml").read_text().startswith("# ")
    assert "base" not in yaml.safe_load((MACHINES / f"{name}.yaml").read_text())


def test_a_run_may_name_the_body_of_a_machine(here: Path) -> None:
    (here / "run.yaml").write_text("base: tiny\nbiases: [{kind: body, body: a4-axidraw}]\n")
    config = load(Config, here / "run.yaml").config
    assert config.biases[0].body == shipped("a4-axidraw").body  # type: ignore[attr-defined]
    (here / "again.yaml").write_text(dump(config))
    assert load(Config, here / "again.yaml").config == config
    with pytest.raises(InputError, match=r"biases\.0\.body: no machine 'plotter': there are a4-axidraw, gcode, hpgl"):
        load(Config, "tiny", ["biases=[{kind: body, body: plotter}]"])


# What is wrong


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.svg", '<svg viewBox="0 0 9 9"/>', "a drawing without strokes (none.svg): there is nothing to draw"),
        ("far.svg", '<svg viewBox="0 0 9 9"><path stroke="red" d="M99 0h9"/></svg>', "nothing of this drawing can be"),
        ("bad.svg", "<svg", "not an SVG picture"),
        ("x.safetensors", "not one", "damaged strokes"),
        ("x.ndjson", "{}\n", "a line without a drawing (x.ndjson, line 1)"),
        ("x.ndjson", "", "no drawing number 0 (x.ndjson): it has 0"),
        ("x.jsonl", '{"strokes": 3}\n', "a line without strokes (x.jsonl)"),
        ("x.jsonl", '{"strokes": [[[1, 2]]]}\n', "strokes that cannot be drawn (x.jsonl)"),
        ("x.jsonl", '{"strokes": [[[[NaN, 0], [1, 1]]]]}\n', "a coordinate of nan (x.jsonl, stroke 0, point 0, x)"),
        ("x.txt", "hello", "no kind of drawing that is known (x.txt): give one of .svg"),
    ],
)
def test_what_is_no_drawing_is_refused(name: str, content: str, told: str, here: Path, refused: Said) -> None:
    (here / name).write_text(content)
    assert told in refused(name)


def test_a_picture_a_folder_and_nothing_are_no_drawings(here: Path, refused: Said) -> None:
    Image.new("RGB", (4, 4)).save("photo.jpg")
    assert "this is a picture (JPEG), not a drawing (photo.jpg)" in refused("photo.jpg")
    (here / "folder").mkdir()
    assert "this is a folder, not a drawing" in refused("folder")
    assert "no such file (nothing.svg)" in refused("nothing.svg")
    save_file({"weights": torch.zeros(3)}, here / "agent.safetensors")
    assert "it holds no strokes of lascaux" in refused("agent.safetensors")
    save_strokes(Sheet(Strokes(torch.zeros(2, 3, 4, 2), "cubic"), CanvasConfig(size=64)), here / "batch.safetensors")
    assert "points of shape [2, 3, 4, 2]" in refused("batch.safetensors")


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ("body: {page: {width: -1}}", "body.page.width: expected a number above 0, got -1 (m.yaml:1)"),
        ("body:\n  page: {margins: 200}", "body.page: margins of 200 and 200 mm leave nothing of a page 210 mm wide"),
        ("body: {reach: {kind: arm, x: 0, y: 0, inner: 9, outer: 3}}", "body: reach: an arm that reaches from 9 to 3"),
        ("body: {pens: [{width: 500}]}", "body: pens.0: a pen 500 mm wide on a page of 210 x 297 mm"),
        ("bodyy: {}", "bodyy: no such key (m.yaml:1): did you mean 'body'?"),
        ("body: {pens: [{colour: red}]}", "body.pens.0.colour: expected a word that matches"),
        ("output: {kind: dxf}", "output.kind: expected one of svg, gcode, hpgl; got 'dxf'"),
        ("base: hppgl", "base: no such machine 'hppgl' (m.yaml:1): did you mean 'hpgl'?"),
    ],
)
def test_an_impossible_machine_is_told_with_its_place(machine: str, told: str, here: Path, refused: Said) -> None:
    (here / "a.svg").write_text('<svg viewBox="0 0 9 9"><path stroke="red" fill="none" d="M1 1h5"/></svg>')
    (here / "m.yaml").write_text(machine)
    assert told in refused("a.svg", "--machine", "m.yaml")


def test_a_plot_writes_over_nothing_that_it_reads(here: Path, refused: Said) -> None:
    (here / "a.svg").write_text('<svg viewBox="0 0 9 9"><path stroke="red" fill="none" d="M1 1h5"/></svg>')
    assert "write over the drawing itself" in refused("a.svg", "--out", "a.svg")
    assert "write over the drawing itself" in refused("a.svg", "--out", "./")
    assert "write over the drawing itself" in refused("a.svg", "--preview", "a.svg")
    assert "are one file" in refused("a.svg", "--out", "b.svg", "--preview", "b.svg")
    assert "no drawing number 3" in refused("a.svg", "--number", "3")
    assert "no such machine 'plotter'" in refused("a.svg", "--machine", "plotter")


def test_a_preview_that_cannot_be_written_leaves_the_plot_unwritten(here: Path) -> None:
    (here / "a.svg").write_text('<svg viewBox="0 0 9 9"><path stroke="red" fill="none" d="M1 1h5"/></svg>')
    (here / "file").write_text("")
    code, _, told = lascaux("a.svg", "--machine", "gcode", "--preview", "file/below.png")
    assert code == 2 and "\n" not in told
    assert not (here / "out").exists()


def test_every_machine_is_a_machine() -> None:
    assert {"a4-axidraw", "gcode", "hpgl"} <= set(machine_names())
    assert all(isinstance(shipped(name), Machine) for name in machine_names())
