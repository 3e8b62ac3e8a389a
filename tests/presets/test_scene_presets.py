"""Every preset of scenes is a whole experiment: it loads, is written back, and runs when made small."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from runs.cli import app
from runs.config import Config
from runs.folder import read_json
from runs.loading import dump, load, preset_names

PRESETS = [name for name in preset_names() if name.split("/")[0] == "scenes"]
SMALL = [
    "pictures.count=30",
    "pictures.size=16",
    "pictures.samples=1",
    "pictures.world={least: 1, most: 2, visible: 0}",
    "pictures.split={validation: 0.1, test: 0.2}",
    "canvas.size=16",
    "sender.strokes.count=3",
    "train.steps=2",
    "train.games=8",
    "measure={validation_pools: 2, test_pools: 3}",
]


def test_what_was_promised_ships() -> None:
    assert {"scenes/describe", "scenes/describe-colour", "scenes/differ"} <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_and_is_written_back(name: str, tmp_path: Path) -> None:
    config = load(Config, name).config
    assert config.name == name.replace("/", "-")  # the folder that it runs in
    (tmp_path / "again.yaml").write_text(dump(config))
    assert load(Config, tmp_path / "again.yaml").config == config


# It differs from scenes/describe in the colour of its strokes alone.
CASES = [pytest.param(name, marks=[pytest.mark.slow] if "colour" in name else []) for name in PRESETS]


@pytest.mark.parametrize("name", CASES)
def test_a_preset_made_small_runs(name: str, tmp_path: Path) -> None:
    words = [word for each in SMALL for word in ("--set", each)]
    done = CliRunner().invoke(app, ["run", name, *words, "--out", str(tmp_path / "run")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    summary = read_json(tmp_path / "run" / "summary.json")
    assert ("changes" if name == "scenes/differ" else "measures") in summary
    assert (tmp_path / "run" / "report.html").is_file()
