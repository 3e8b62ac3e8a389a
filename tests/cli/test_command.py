"""The real command: what it prints, where, and with which exit code."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

import runs
from raster.errors import InputError
from runs.cli import app
from runs.cli._errors import line_for

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lascaux(warm: Path, tmp_path: Path) -> Command:
    """The command as its own process, in a folder of its own."""

    def start(*words: str, path: Sequence[Path] = (ROOT,), **env: str) -> subprocess.CompletedProcess[str]:
        given = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "COLUMNS": "200", "NO_COLOR": "1", **env}
        return subprocess.run(
            [str(warm / "lascaux"), *words],
            cwd=tmp_path,
            env=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return start


def called(*words: str) -> Result:
    """The command inside this process."""
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def refused(result: Result) -> list[str]:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.stderr.strip().split("\n")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LASCAUX_DEBUG", raising=False)
    return tmp_path


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `lascaux run` hands to `runs.launch`, which is not carried out."""
    calls: list[Any] = []

    class Done:
        folder = Path("out/done")

    def launch(config: Any, **options: Any) -> Done:
        calls.append((config, options))
        return Done()

    monkeypatch.setattr(runs, "launch", launch, raising=False)
    return calls


def launch_raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def launch(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(runs, "launch", launch, raising=False)


# Quick answers


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom runs.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'numpy', 'runs.config', 'yaml', 'timm', 'tensorboard', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words in ["--help"], ["run", "--help"], ["config", "show", "--help"], ["study", "--help"], ["--version"]:
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_every_command_has_help() -> None:
    group = typer.main.get_command(app)
    names = [["run"], ["report"], ["probe"], ["meet"], ["presets"], ["config", "show"], ["config", "schema"],
             ["pictures"], ["sweep"],
             ["study", "export"], ["study", "simulate"], ["study", "stand-ins"], ["study", "score"], ["study", "serve"],
             ["check-bias"],
             ["draw"], ["plot"], ["trace"], ["corpus"], ["scenes", "make"], ["scenes", "show"]]  # fmt: skip
    assert {each[0] for each in names} == set(group.commands)  # type: ignore[attr-defined]
    for each in names:
        result = called(*each, "--help")
        assert result.exit_code == 0
        assert "Usage: " in result.output


def test_version_is_printed() -> None:
    assert called("--version").output.startswith("lascaux")


# Presets and configs


def test_presets_are_listed_with_what_they_are(here: Path) -> None:
    lines = called("presets").stdout.splitlines()
    assert any(re.match(r"tiny +Digits, offline", line) for line in lines)


def test_a_shown_config_is_a_config_again(here: Path) -> None:
    text = called("config", "show", "tiny", "--set", "train.lr=1e-4", "--set", "name=on").stdout
    Path("again.yaml").write_text(text)
    again = called("config", "show", "again.yaml").stdout
    assert again == text
    assert "name: 'on'\n" in text
    assert "  lr: 0.0001\n" in text


def test_where_tells_preset_file_set_and_default(here: Path) -> None:
    Path("mine.yaml").write_text("base: tiny\ntrain:\n  steps: 5\n")
    text = called("config", "show", "mine.yaml", "--where", "--set", "seed=4").stdout
    assert re.search(r"^name: tiny  # preset tiny:\d+$", text, re.MULTILINE)
    assert "  steps: 5  # mine.yaml:3\n" in text
    assert "seed: 4  # --set seed=4\n" in text
    assert re.search(r"^  clip: [\d.]+  # default$", text, re.MULTILINE)
    Path("again.yaml").write_text(text)
    assert called("config", "show", "again.yaml").exit_code == 0


def test_the_schema_is_json_schema(here: Path) -> None:
    schema = json.loads(called("config", "schema").stdout)
    assert {"pictures", "game", "canvas", "sender", "receiver", "biases", "train"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_a_page_without_marks_is_left_alone(here: Path) -> None:
    Path("page.md").write_text("nothing here\n")
    (line,) = refused(called("config", "schema", "--update", "page.md"))
    assert line.startswith("the page has no marks for the table (page.md)")
    assert Path("page.md").read_text() == "nothing here\n"
    (line,) = refused(called("config", "schema", "--update", "gone.md"))
    assert line.startswith("no such file (gone.md)")


# lascaux run


def test_run_hands_everything_to_launch(here: Path, launched: list[Any]) -> None:
    words = ["--set", "train.steps=7", "--out", "o", "--resume", "--device", "cpu", "--seed", "5", "--data-root", "d"]
    assert called("run", "tiny", *words).exit_code == 0
    ((config, options),) = launched
    assert (config.train.steps, config.seed) == (7, 5)
    assert options["out"] == Path("o")
    assert options["data_root"] == Path("d")
    assert (options["resume"], options["device"]) == (True, "cpu")


def test_every_wrong_value_is_a_line_and_nothing_starts(here: Path, launched: list[Any]) -> None:
    Path("x.yaml").write_text("base: tiny\ntrian: {steps: 3}\ncanvas: {sigma2: .nan}\n")
    lines = refused(called("run", "x.yaml", "--set", "biases.0.kind=inc", "--set", "train.games=0"))
    assert len(lines) == 4
    assert "trian: no such key (x.yaml:2): did you mean 'train'?" in lines
    assert any(line.startswith("canvas.sigma2: ") and "(x.yaml:3)" in line for line in lines)
    assert any(line.startswith("biases.0.kind: ") and "did you mean 'ink'?" in line for line in lines)
    assert "train.games: expected a number of 1 or more, got 0 (--set train.games=0)" in lines
    assert not launched


def test_a_wrong_input_is_one_line_and_exit_2_from_the_real_command(lascaux: Command, tmp_path: Path) -> None:
    done = lascaux("run", "tinny")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "no such preset 'tinny': did you mean 'tiny'?\n"
    done = lascaux("--debug", "run", "gone.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("no such file (gone.yaml)\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["cdua", "cuda:99", "gpu", "meta", "cuda:x", ""])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(here: Path, device: str) -> None:
    (line,) = refused(called("run", "tiny", "--device", device, "--out", "o"))
    assert "--device" in line
    assert not Path("o").exists()


@pytest.mark.parametrize(
    "words", [["run"], ["run", "tiny", "--sett", "a=1"], ["runn"], ["run", "tiny", "--seed", "x"], ["--x"]]
)
def test_a_wrong_command_line_exits_2(here: Path, words: list[str]) -> None:
    result = called(*words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


# Debug, defects, disks


@pytest.mark.parametrize("place", [0, 1, 3])
def test_debug_may_stand_anywhere(here: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    launch_raises(monkeypatch, RuntimeError("boom"))
    words = ["run", "tiny", "--resume"]
    words.insert(place, "--debug")
    result = called(*words)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_the_debug_variable_does_the_same(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASCAUX_DEBUG", "1")
    assert "Traceback" in called("run", "nothing").stderr


def test_a_defect_is_one_line_and_exit_1(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch_raises(monkeypatch, RuntimeError("boom\nand more"))
    result = called("run", "tiny")
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        "internal error: RuntimeError: boom and more (a defect of lascaux; --debug shows the traceback)"
    )


def _chained() -> RuntimeError:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "out/x/weights")
        except OSError as error:
            raise RuntimeError("cannot write") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "out/x/metrics.jsonl"),
         "the disk is full (out/x/metrics.jsonl): make room, then go on with --resume"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
         "the disk is full: make room, then go on with --resume"),
        (_chained(), "the disk is full (out/x/weights): make room, then go on with --resume"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"),
         "not permitted (/x): change its permissions or take another folder"),
        (OSError(errno.EROFS, "Read-only file system", "/x"),
         "cannot be written, the disk is read-only (/x): take another folder"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), "no such file (/x): check the path"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x"),
         "a file stands where a folder is needed (/x): check the path"),
        (OSError(errno.EIO, "Input/output error", "/x"), "Input/output error (/x)"),
        (OSError("no route to the host"), "no route to the host"),
        (InputError("a", "b", "c"), "a (b): c"),
    ],
)  # fmt: skip
def test_troubles_of_files_and_disks_are_one_line_and_exit_2(
    here: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    launch_raises(monkeypatch, error)
    assert refused(called("run", "tiny")) == [line]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_is_really_full_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(*_: Any, **__: Any) -> None:
        Path("/dev/full").write_text("weights")

    monkeypatch.setattr(runs, "launch", launch, raising=False)
    (line,) = refused(called("run", "tiny"))
    assert line.startswith("the disk is full")


def test_out_in_a_place_that_is_a_file_is_told(here: Path) -> None:
    Path("file").write_text("mine")
    (line,) = refused(called("run", "tiny", "--out", "file/run"))
    assert "file" in line
    assert Path("file").read_text() == "mine"


def test_memory_that_ran_out_is_told_in_a_line() -> None:
    line, code = line_for(MemoryError())
    assert code == 2
    assert "train.games" in line


# Ctrl-C


def test_ctrl_c_says_how_to_go_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch_raises(monkeypatch, KeyboardInterrupt())
    result = called("run", "tiny", "--out", "my out")
    assert result.exit_code == 130
    assert result.stderr.strip() == "stopped; go on with: lascaux run tiny --out 'my out' --resume"
    assert called("run", "tiny", "--resume").stderr.strip() == "stopped; go on with: lascaux run tiny --resume"


def test_ctrl_c_stops_the_real_command_with_130(tmp_path: Path) -> None:
    (tmp_path / "sleepy.py").write_text("import time\nprint('asleep', flush=True)\ntime.sleep(60)\n")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "runs.cli", "run", "tiny", "--plugin", "sleepy"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell that starts this in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "asleep\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        try:
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert stderr.strip() == "stopped; go on with: lascaux run tiny --plugin sleepy --resume"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "runs.cli", "config", "schema"],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in stderr
    assert "internal error" not in stderr


# Other commands


@pytest.mark.parametrize("words", [["report"], ["probe"], ["study", "export", "--out", "s"]])
def test_a_folder_without_a_run_is_refused(here: Path, words: list[str]) -> None:
    (line,) = refused(called(*words, "nowhere"))
    assert "nowhere" in line
    assert list(here.iterdir()) == []


def test_a_probe_that_does_not_exist_is_refused_first(here: Path) -> None:
    assert refused(called("probe", "nowhere", "--names", "rate,iconcity")) == [
        "no probe 'iconcity' (--names): did you mean 'iconicity'?"
    ]
    (line,) = refused(called("probe", "nowhere", "--names", ","))
    assert line.startswith("no probe ''")


def test_a_study_that_does_not_exist_is_refused(here: Path) -> None:
    Path("r.json").write_text("[]")
    (line,) = refused(called("study", "score", "nowhere", "r.json"))
    assert "nowhere" in line


def test_pictures_lists_the_kinds_and_describes_one(here: Path) -> None:
    kinds = called("pictures").stdout
    assert all(re.search(rf"^{kind} ", kinds, re.MULTILINE) for kind in ["emoji", "digits", "folder", "mnist"])
    digits = called("pictures", "digits", "--set", "pictures.size=16").stdout
    assert "1,797 pictures of 16x16 pixels, 10 classes" in digits
    assert "CC-BY" in digits
    assert "10 classes" in called("pictures", "tiny").stdout
    assert refused(called("pictures", "digist")) == [
        "'digist' is neither a preset nor a kind of pictures: did you mean 'digits'?"
    ]
    (line,) = refused(called("pictures", "folder", "--set", "pictures.path=nowhere"))
    assert "nowhere" in line
    assert refused(called("pictures", "digits", "--set", "pictures.siez=3")) == [
        "pictures.siez: no such key (--set pictures.siez=3): did you mean 'size'?"
    ]
