"""Every preset of sets is a whole experiment: it loads, is written back, is shown, and runs when made small."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from games.scenes import WorldConfig, write_scenes
from runs.cli import app
from runs.folder import read_json
from runs.loading import dump, load, preset_names
from runs.sets import SetsConfig

PRESETS = [name for name in preset_names() if name.split("/")[0] == "sets"]
SMALL = [
    "latent=8",
    "task.slots=4",
    "decoder.steps=2",
    "decoder.encoder.hidden=[8]",
    "train.steps=1",
    "train.batch=2",
    "measure={sets: 3, validation: 2, inner: [], examples: 1}",
]
PICTURES = {"made": "{kind: made, count: 4, held: 3, width: 16, height: 16, world: {most: 3, visible: 0}}"}
PICTURES["folder"] = "{kind: folder, path: MINI, validation: 2, width: 32, height: 32}"


def test_what_was_promised_ships() -> None:
    two_cores = {"polygons", "multisets", "numbering", "points", "objects", "state", "boxes"}
    full_size = {"clevr-state-dspn", "clevr-state-idspn", "clevr-boxes-dspn"}
    assert {name.split("/")[1] for name in PRESETS} >= two_cores | full_size


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_is_written_back_and_is_shown(name: str, tmp_path: Path) -> None:
    config = load(SetsConfig, name).config
    assert config.name == name.replace("/", "-")  # the folder that it runs in
    (tmp_path / "again.yaml").write_text(dump(config))
    assert load(SetsConfig, tmp_path / "again.yaml").config == config
    shown = CliRunner().invoke(app, ["config", "show", name], catch_exceptions=False)
    assert shown.stdout == dump(config)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "mini"
    world = WorldConfig(most=3, visible=0)
    write_scenes(folder, {"train": 4, "val": 3}, world, width=32, height=32, samples=1, masks=False)
    return folder


# A residual network takes its time, however small its pictures.
CASES = [pytest.param(name, marks=[pytest.mark.slow] if "clevr" in name else []) for name in PRESETS]


@pytest.mark.parametrize("name", CASES)
def test_a_preset_made_small_runs(name: str, mini: Path, tmp_path: Path) -> None:
    config = load(SetsConfig, name).config
    small = list(SMALL)
    if hasattr(config.task, "scenes"):
        small += [f"task.scenes={PICTURES[config.task.scenes.kind].replace('MINI', str(mini))}"]
    if config.task.kind == "objects":
        small += ["task.count=4", "task.held=3", "task.world.most=3"]
    if config.encoder.kind == "resnet":
        small += ["encoder.name=resnet18"]
    small += ["train.late_steps=null"] if config.train.late_steps else []
    words = [word for each in small for word in ("--set", each)]
    done = CliRunner().invoke(app, ["run", name, *words, "--out", str(tmp_path / "run")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    summary = read_json(tmp_path / "run" / "summary.json")
    assert summary["n"] == 3
    assert (tmp_path / "run" / "report.html").is_file()
