"""Starting, resuming and opening runs: what is refused leaves everything as it was, what goes on is whole."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

import runs
from games.pictures import PicturesUnavailable, emoji
from raster import InputError
from runs import checkpoint
from runs.cli import app
from runs.config import Config
from runs.folder import Folder, append_line, cut_back, lines, read_json, write_json, write_text
from runs.journal import Journal
from runs.loading import dump
from runs.report import write_report
from runs.run import Run
from runs.start import choose_device, launch
from runs.train import Learner

Make = Callable[..., Config]
ROOT = Path(__file__).resolve().parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(*words: Any, **keys: Any) -> str:
    with pytest.raises(InputError) as caught:
        launch(*words, progress=False, device="cpu", **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def copied(finished: Run, tmp_path: Path) -> Path:
    """A copy of the finished run, to be spoiled."""
    return Path(shutil.copytree(finished.folder.path, tmp_path / "run"))


# Refusals


def test_a_used_folder_is_refused_and_left_as_it_is(finished: Run, copied: Path) -> None:
    before = contents(copied)
    assert "the folder is not empty" in refused(finished.config, copied)
    other = finished.config.model_copy(update={"seed": 7, "name": "other"})
    line = refused(other, copied, resume=True)
    assert "name: small -> other" in line and "seed: 0 -> 7" in line
    assert contents(copied) == before


def test_a_folder_without_a_run_cannot_be_resumed(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "no run here" in refused(finished.config, tmp_path, resume=True)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_a_file_is_no_folder(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "this is a file, not a folder" in refused(finished.config, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_run_is_said(tmp_path: Path) -> None:
    for open_it in (runs.load, write_report):
        with pytest.raises(InputError, match=r"no run here \(config.yaml is missing\)"):
            open_it(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", "cpu:x", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="--device"):
        choose_device(name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures": {"split": {"by": ["picture"], "test": 0.0}}}, "nothing is held out for the test"),
        ({"game": {"kind": "referential", "candidates": 11}}, "11 candidates, but only 10 classes"),
        ({"game": {"kind": "referential", "pool": "photos", "candidates": 300}}, "300 candidates, but only 2"),
        ({"game": {"kind": "referential", "view": "artist", "candidates": 5}}, "5 candidates, but only 0 classes"),
        ({"pictures": {"split": {"by": ["class"], "test": 0.2}}, "game": {"kind": "referential", "candidates": 5}},
         "5 candidates, but only 1 classes"),
    ],
)  # fmt: skip
def test_what_could_not_be_measured_is_refused_before_anything_is_learned(
    small: Make, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert message in refused(small(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Going on


def _same_measures(first: Path, second: Path) -> None:
    assert list(lines(first / "plays/test.jsonl")) == list(lines(second / "plays/test.jsonl"))
    one, two = read_json(first / "summary.json"), read_json(second / "summary.json")
    assert {**one, "minutes": 0} == {**two, "minutes": 0}


def test_a_run_stopped_while_it_is_measured_is_measured_anew(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Journal, summary: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "summary", stop)
    with pytest.raises(KeyboardInterrupt):
        launch(finished.config, tmp_path / "run", progress=False, device="cpu")
    assert read_json(tmp_path / "run/status.json")["state"] == "interrupted"
    assert not (tmp_path / "run/summary.json").exists()
    monkeypatch.undo()
    launch(finished.config, tmp_path / "run", resume=True, progress=False, device="cpu")
    _same_measures(finished.folder.path, tmp_path / "run")


class _Killed(BaseException):
    pass


def _killed_at(step: int, monkeypatch: pytest.MonkeyPatch, config: Config, folder: Path) -> None:
    learn = Learner.step

    def dying(self: Learner) -> object:
        if self.run.step == step:
            raise _Killed
        return learn(self)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", dying)
        with pytest.raises(_Killed):
            launch(config, folder, progress=False, device="cpu")


def test_a_run_killed_between_the_two_files_of_a_checkpoint_goes_on(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    _killed_at(5, monkeypatch, finished.config, folder)  # checkpoints of 2 and 4
    old = (folder / "checkpoints/step-00000002.state").read_bytes()
    (folder / "checkpoints/last.state").write_bytes(old)
    launch(finished.config, folder, resume=True, progress=False, device="cpu")
    _same_measures(finished.folder.path, folder)


def test_pictures_that_cannot_be_had_are_replaced_and_it_is_said_everywhere(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "instead.yaml").write_text(dump(small()))

    def unreachable(config: object) -> object:
        raise PicturesUnavailable("no network today", "emoji", "try again")

    monkeypatch.setattr(emoji, "load_emoji", unreachable)
    asked = small(pictures={"kind": "emoji", "otherwise": "instead.yaml"}, name="mine", seed=3)
    _killed_at(3, monkeypatch, asked, tmp_path / "run")
    run = launch(asked, tmp_path / "run", resume=True, progress=False, device="cpu")
    reason = "no network today (emoji): try again; preset 'instead.yaml' instead"
    assert f"note: {reason}\n" in capsys.readouterr().err
    assert run.step == 6 and run.config.pictures.kind == "digits"
    assert (run.config.name, run.config.seed) == ("mine", 3)
    summary = read_json(tmp_path / "run/summary.json")
    assert summary["fallback"] == reason and summary["chance"] == 0.2
    assert read_json(tmp_path / "run/env.json")["fallback"] == reason
    assert "not the pictures first asked for" in (tmp_path / "run/report.html").read_text()
    # Later, with or without the network: the run in the folder is the one with digits.
    assert launch(asked, tmp_path / "run", resume=True, progress=False, device="cpu").fallback == reason
    assert runs.load(tmp_path / "run").fallback == reason
    other = asked.model_copy(update={"seed": 4})
    assert "seed: 3 -> 4" in refused(other, tmp_path / "run", resume=True)


def test_without_another_choice_missing_pictures_end_the_run(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(config: object) -> object:
        raise PicturesUnavailable("no network today", "emoji")

    monkeypatch.setattr(emoji, "load_emoji", unreachable)
    assert refused(small(pictures={"kind": "emoji"}), tmp_path / "run") == "no network today (emoji)"
    assert not (tmp_path / "run").exists()


# Files


@pytest.mark.parametrize("write", [lambda path: write_text(path, "new"), lambda path: write_json(path, ["new"])])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    real = Path.write_text

    def full(self: Path, text: str, **keys: Any) -> int:
        real(self, text[:1], **keys)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    monkeypatch.undo()
    assert contents(tmp_path) == {"file": b"old"}


def test_a_checkpoint_on_a_full_disk_leaves_the_old_one(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, finished.community, 6, {})
    before = contents(tmp_path)

    def full(state: object, file: Any) -> None:
        assert not isinstance(file, (str, Path)), "given a path, torch does not say that the disk is full"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, finished.community, 7, {})
    assert {name: data for name, data in contents(tmp_path).items() if "00007" not in name} == before
    monkeypatch.undo()
    found = checkpoint.load(tmp_path)
    assert found is not None and found[1]["step"] == 6


@pytest.mark.parametrize("at", ["safetensors", "state", "metrics"])
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(dump(finished.config))
    words = ["run", "x.yaml", "--out", "o", "--device", "cpu"]
    calls = 0

    def full(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(errno.ENOSPC, "No space left on device", "some/file")

    module, name = {
        "safetensors": (checkpoint, "save_file"),
        "state": (torch, "save"),
        "metrics": (sys.modules["runs.train"], "append_line"),
    }[at]
    real = getattr(module, name)

    def filling(*words: Any, **keys: Any) -> Any:
        full()
        return real(*words, **keys)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, filling)
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "the disk is full (some/file): make room, then go on with --resume"
    assert "Traceback" not in result.output
    assert CliRunner().invoke(app, [*words, "--resume"]).exit_code == 0
    _same_measures(finished.folder.path, tmp_path / "o")


def test_a_line_that_a_crash_cut_off_is_left_out_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert list(lines(path)) == []
    for step in (1, 2, 3):
        append_line(path, {"step": step})
    with path.open("a") as file:
        file.write('{"step": 4')
    assert [line["step"] for line in lines(path)] == [1, 2, 3]
    cut_back(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(InputError, match=r"line 2 is damaged.*x\.jsonl"):
        list(lines(path))


def test_damaged_files_of_a_run_are_named(copied: Path) -> None:
    (copied / "summary.json").write_text("{")
    with pytest.raises(InputError, match=r"not readable as JSON.*summary\.json"):
        write_report(copied)
    (copied / "summary.json").unlink()
    (copied / "pictures.json").unlink()
    with pytest.raises(InputError, match=r"no such file.*pictures\.json"):
        write_report(copied)


# Ctrl-C


@pytest.mark.slow
def test_ctrl_c_ends_with_130_says_how_to_go_on_and_resume_finishes(small: Make, tmp_path: Path) -> None:
    config = small(train={"steps": 200, "log_every": 5, "checkpoint_every": 100, "validate_every": 1000})
    (tmp_path / "x.yaml").write_text(dump(config))
    words = ["run", "x.yaml", "--out", "o", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "runs.cli", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
        # A shell that starts this in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        until = time.monotonic() + 100
        while not (tmp_path / "o/metrics.jsonl").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=100)[1]
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert re.fullmatch(r"stopped; .*--resume.*", error.strip().splitlines()[-1]) and "Traceback" not in error
    status = read_json(tmp_path / "o/status.json")
    assert status["state"] == "interrupted" and 5 <= status["step"] < 200
    found = checkpoint.load(tmp_path / "o/checkpoints")
    assert found is not None and found[1]["step"] == status["step"]
    done = launch(config, tmp_path / "o", resume=True, progress=False, device="cpu")
    assert done.step == 200
    steps = [line["step"] for line in lines(Folder(tmp_path / "o").metrics) if line["split"] == "train"]
    assert steps == list(range(5, 201, 5))


def test_a_saved_config_is_the_whole_config(finished: Run) -> None:
    saved = yaml.safe_load((finished.folder.path / "config.yaml").read_text())
    assert saved == json.loads(finished.config.model_dump_json())
