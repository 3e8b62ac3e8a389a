"""`lascaux draw`: the real command, in this process, on small pictures."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from runs.cli import app
from runs.draw import DrawConfig
from runs.loading import dump, load, preset_names
from tests.cli.telling import refused

SMALL = ["canvas={size: 16, sigma2: 5e-3}", "strokes.count=4", "steps=6", "look_every=2", "coarse=[]", "picture=32"]
SETS = [word for each in [*SMALL, "film={frames: 3, size: 16}"] for word in ("--set", each)]
PRESETS = [name for name in preset_names() if name.split("/")[0] == "draw"]


def called(*words: str) -> Result:
    return CliRunner().invoke(app, ["draw", *words], catch_exceptions=False)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    picture = Image.new("RGB", (30, 24), "white")
    picture.paste("black", (10, 4, 20, 20))
    picture.save("box.png")
    return tmp_path


def test_a_picture_is_drawn_into_a_folder_of_its_name() -> None:
    result = called("box.png", "--preset", "draw/lines", *SETS, "--seeds", "2", "--watch", "watch.png")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "out/draw-lines/box"
    assert Path("out/draw-lines/box/box.svg").is_file()
    assert Path("watch.png").is_file()
    assert load(DrawConfig, Path("out/draw-lines/box/config.yaml")).config.seeds == 2
    assert "the folder is not empty" in refused(called("box.png", "--preset", "draw/lines", *SETS, "--seeds", "2"))
    assert called("box.png", "--preset", "draw/lines", *SETS, "--seeds", "2", "--resume").exit_code == 0


def test_a_config_file_may_be_based_on_a_preset() -> None:
    Path("mine.yaml").write_text("base: draw/lines\nname: mine\n")
    assert called("box.png", "--config", "mine.yaml", *SETS).stdout.strip() == "out/mine/box"


def test_networks_are_laid_side_by_side() -> None:
    eyes = "test_resnet@random:0,test_resnet@random:1"
    sets = ["--set", "canvas.size=32"]
    result = called("box.png", "--preset", "draw/lines", *SETS, *sets, "--as-seen-by", eyes, "--out", "seen")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "seen/seen.png"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gone.png"], "gone.png"),
        (["."], "this is a folder"),
        (["box.png", "--preset", "draw/lnies"], "did you mean 'draw/lines'?"),
        (["box.png", "--set", "stepps=3"], "stepps"),
        (["box.png", "--set", "start={kind: svg, path: gone.svg}"], "gone.svg"),
        (["box.png", "--as-seen-by", "packaged:17"], "no level 17"),
        (["box.png", "--out", "box.png"], "this is a file, not a folder"),
        (["box.png", "--watch", "there/w.png"], "no picture can be written there"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(words: list[str], told: str) -> None:
    assert told in refused(called(*words))
    assert not Path("out").exists()


def test_what_an_svg_holds_that_is_not_read_is_told() -> None:
    Path("start.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><text x="1" y="1">a</text>'
        '<path stroke="black" fill="none" d="M1 1L9 9"/></svg>'
    )
    result = called("box.png", "--preset", "draw/lines", *SETS, "--set", "start={kind: svg, path: start.svg}")
    assert result.exit_code == 0, result.output
    assert "left out: <text> (1)" in result.stderr


def test_a_bias_that_has_nobody_to_work_on_is_told() -> None:
    result = called("box.png", "--preset", "draw/lines", *SETS, "--set", "biases=[{kind: copy}, {kind: augment}]")
    assert result.exit_code == 0, result.output
    assert "augment changes what a sender sees" in result.stderr


def test_run_says_where_a_preset_for_pictures_belongs() -> None:
    result = CliRunner().invoke(app, ["run", "draw/lines"], catch_exceptions=False)
    assert "lascaux draw PICTURE --preset draw/lines" in refused(result)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_is_written_back_and_is_shown(name: str, tmp_path: Path) -> None:
    config = load(DrawConfig, name).config
    assert config.name == name.replace("/", "-")
    (tmp_path / "again.yaml").write_text(dump(config))
    assert load(DrawConfig, tmp_path / "again.yaml").config == config
    shown = CliRunner().invoke(app, ["config", "show", name], catch_exceptions=False)
    assert shown.stdout == dump(config)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_made_small_draws(name: str) -> None:
    small = ["steps=2", "look_every=2", "strokes.count=3", "coarse=[]", "canvas.size=32", "film.format=none"]
    assert called("box.png", "--preset", name, *(word for each in small for word in ("--set", each))).exit_code == 0


@pytest.mark.slow
def test_ctrl_c_ends_with_130_says_how_to_go_on_and_leaves_a_drawing(here: Path) -> None:
    sets = [word for each in ["steps=100000", "film.format=none", "patience=100000"] for word in ("--set", each)]
    command = [sys.executable, "-m", "runs.cli", "draw", "box.png", "--preset", "draw/lines", *SETS[:4], *sets]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        metrics = here / "out" / "draw-lines" / "box" / "metrics.jsonl"
        for _ in range(600):
            if metrics.is_file() or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "go on with: lascaux draw box.png" in told
    assert "--resume" in told
    assert (metrics.parent / "box.svg").is_file()
