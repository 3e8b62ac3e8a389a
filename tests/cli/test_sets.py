"""`lascaux run sets/...` and its friends: the real command, in this process, on tiny sets."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runs.cli import app
from runs.folder import read_json
from runs.loading import load
from runs.sets import SetsConfig
from tests.cli.telling import refused

SMALL = ["task.slots=3", "latent=8", "train.steps=2", "train.batch=2", "measure={sets: 4, validation: 2, examples: 1}"]
SETS = [word for each in SMALL for word in ("--set", each)]


def called(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_preset_runs_into_a_folder_of_its_name_once() -> None:
    result = called("run", "sets/polygons", *SETS, "--seed", "3", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "out/sets-polygons"
    assert load(SetsConfig, Path("out/sets-polygons/config.yaml")).config.seed == 3
    assert "the folder is not empty" in refused(called("run", "sets/polygons", *SETS, "--seed", "3"))
    assert called("run", "sets/polygons", *SETS, "--seed", "3", "--resume").exit_code == 0
    page = Path("out/sets-polygons/report.html")
    page.unlink()
    assert called("report", "out/sets-polygons").stdout.strip() == str(page)
    assert page.is_file()
    assert "predicts sets: it has no drawings" in refused(called("probe", "out/sets-polygons"))


def test_a_file_of_ones_own_is_known_by_its_task() -> None:
    Path("mine.yaml").write_text("name: mine\ntask: {kind: polygons, slots: 3}\nencoder: {kind: mlp}\nlatent: 8\n")
    words = ["--set", "train.steps=1", "--set", "measure={sets: 4, validation: 2, examples: 0}"]
    assert called("run", "mine.yaml", *words).stdout.strip() == "out/mine"
    Path("based.yaml").write_text("base: mine.yaml\nname: based\n")
    assert called("run", "based.yaml", *words).stdout.strip() == "out/based"
    shown = called("config", "show", "based.yaml")
    assert "kind: polygons" in shown.stdout
    assert "name: based" in shown.stdout


def test_what_is_wrong_is_told_in_a_line() -> None:
    assert "did you mean" in refused(called("run", "sets/polygon"))
    assert "task.slotss" in refused(called("run", "sets/polygons", "--set", "task.slotss=3"))
    told = refused(called("run", "sets/polygons", "--set", "encoder={kind: fspool}"))
    assert "fspool reads no vector" in told
    told = refused(called("run", "sets/clevr-state-dspn"))
    assert "CLEVR_v1.0" in told
    assert "no scenes of the split" in told
    assert not Path("out").exists()


def test_presets_are_listed_and_the_schema_is_known() -> None:
    listed = called("presets").stdout
    assert "sets/clevr-state-idspn" in listed
    schema = json.loads(called("config", "schema", "--sets").stdout)
    assert {"task", "encoder", "decoder", "loss"} <= set(schema["properties"])
    table = called("config", "schema", "--sets", "--markdown").stdout
    assert "### PolygonsTask" in table
    assert "`kind`: `idspn`." in table


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(here: Path) -> None:
    words = ["--set", "train.steps=100000", "--set", "train.log_every=1", *SETS[:4], "--device", "cpu"]
    command = [sys.executable, "-m", "runs.cli", "run", "sets/polygons", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        metrics = here / "out" / "sets-polygons" / "metrics.jsonl"
        for _ in range(600):
            if metrics.is_file() or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "go on with: lascaux run sets/polygons" in told
    assert "--resume" in told
    assert read_json(here / "out" / "sets-polygons" / "status.json")["state"] == "interrupted"
