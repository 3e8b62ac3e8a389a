"""A sweep: what it runs, that one failure or Ctrl-C loses nothing, and the table of what came of it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_1samp
from submitit import Job
from submitit.core.utils import DelayedSubmission, FailedJobError, JobPaths
from typer.testing import CliRunner

import runs
from raster import InputError
from runs.cli import app
from runs.config import Config
from runs.folder import write_json
from runs.loading import dump, load
from runs.sweep import RunJob, SlurmConfig, cells_of, plan_of, sweep, write_table
from runs.sweep import jobs as where_they_run
from runs.sweep.plan import LONGEST
from runs.sweep.table import Mean

ROOT = Path(__file__).resolve().parents[2]
TINY = "name: mine\nrun: tiny\nset: {train.steps: 2, train.games: 4, measure.test_pools: 2}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(text)
    return path


def finish(path: Path, **summary: Any) -> None:
    write_json(path / "status.json", {"state": "finished"})
    write_json(path / "summary.json", {"game": "class", **summary})


class Done(Job[str]):
    """A job that has ended."""

    def __init__(self, job: RunJob) -> None:
        self.found, self.error = "", None
        self._paths = JobPaths("jobs", "1")
        try:
            self.found = job()
        except InputError as error:
            self.error = FailedJobError(
                f"Job failed with trace:\n----\nraster.errors.InputError: {error}\n----\nSee logs"
            )

    def __del__(self) -> None:
        """There is no process to look for."""

    def done(self, force_check: bool = False) -> bool:
        return True

    def exception(self) -> FailedJobError | None:
        return self.error

    def result(self) -> str:
        return self.found


class Here:
    """An executor that carries a job out where it is submitted (submitit's own for this leaves its logs open)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def update_parameters(self, **_: Any) -> None:
        """Time and GPUs of processes."""

    def submit(self, job: RunJob) -> Done:
        return Done(job)


@pytest.fixture
def handed() -> list[tuple[Path | None, tuple[str, ...]]]:
    """Where data lie and which modules are imported first, as jobs hand it to ``runs.launch``."""
    return []


@pytest.fixture
def launched(
    monkeypatch: pytest.MonkeyPatch, handed: list[tuple[Path | None, tuple[str, ...]]]
) -> list[tuple[Config, Path, bool]]:
    """What jobs hand to ``runs.launch``; runs of seed 1 fail, all others are finished at once."""
    calls: list[tuple[Config, Path, bool]] = []

    def launch(
        config: Config, out: Path, resume: bool, device: str, data_root: Path | None, plugins: tuple[str, ...]
    ) -> None:
        calls.append((config, out, resume))
        handed.append((data_root, plugins))
        if config.seed == 1:
            raise InputError("no luck", "here", "try another seed")
        finish(out, rate=0.5)

    monkeypatch.setattr(runs, "launch", launch, raising=False)
    monkeypatch.setattr(where_they_run, "LocalExecutor", Here)
    monkeypatch.setattr(where_they_run, "PAUSE", 0)
    monkeypatch.setattr("runs.process.settle", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # put back as it was, after jobs have set it
    return calls


# What is run


def test_every_combination_of_list_and_grid_is_run_with_every_seed(tmp_path: Path) -> None:
    text = TINY + (
        "list: [{game: {kind: referential, candidates: 5}, train.lr: 1e-4}, {train.lr: 0.003}]\n"
        "grid: {sender.hidden: [16, 32], receiver.hidden: [8, 16]}\nseeds: [3, 5]\n"
    )
    _, folder, points = plan_of(written(tmp_path, text))
    assert folder == Path("out/mine")
    assert len(points) == len({each.path for each in points}) == 2 * 4 * 2
    configs = [load(Config, each.source, each.sets).config for each in points]
    found = {(c.train.lr, c.sender.hidden, c.receiver.hidden, c.seed) for c in configs}
    assert found == {(lr, s, r, seed) for lr in (1e-4, 3e-3) for s in (16, 32) for r in (8, 16) for seed in (3, 5)}
    assert {c.train.steps for c in configs} == {2}
    assert {len(c.game.parts) for c in configs if c.train.lr == 1e-4} == {1}
    for each in points:
        assert each.path == folder / each.cell / f"seed-{each.seed}"
        assert re.fullmatch(r"[A-Za-z0-9._=,+-]+", each.cell) and len(each.cell) <= LONGEST + 7
    assert points[-1].cell == "lr=0.003,sender.hidden=32,receiver.hidden=16"  # two keys end in the same word


def test_a_config_beside_the_sweep_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("base: tiny\ntrain: {games: 7}\n")
    _, _, points = plan_of(written(tmp_path, "run: own.yaml\n"))
    assert [(each.cell, each.seed) for each in points] == [("all", 0)]
    assert load(Config, points[0].source, points[0].sets).config.train.games == 7


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run: tiny\ngird: {train.lr: [1]}\n", r"gird: no such key \(.*s\.yaml:2\): did you mean 'grid'\?"),
        ("run: tyni\n", r"no such preset 'tyni'.*did you mean 'tiny'"),
        ("run: tiny\ngrid: {train.stesp: [1, 2]}\n", r"train\.stesp: no such key .*did you mean 'steps'\?"),
        ("run: tiny\ngrid: {train.lr: []}\n", r"train\.lr has no value.*s\.yaml:2"),
        ("run: tiny\nseeds: 0\n", r"expected a number from 1, or different seeds.*s\.yaml:2"),
        ("run: tiny\nseeds: [1, 1]\n", r"different seeds"),
        ("run: tiny\ngrid: {seed: [1]}\n", r"seed is not varied by hand.*seeds"),
        ("run: tiny\ngrid: {train.lr: [1e-3, 0.001]}\n", r"lr=0\.001 stands there twice"),
        ("run: tiny\ngrid: {train.lr: [1]}\nlist: [{train.lr: 2}]\n", r"train\.lr stands in both list and grid"),
        ("run: sets/squares-tiny\n", r"."),
        ("run: tiny\nslurm: {gpu: 1}\n", r"slurm\.gpu: no such key.*did you mean 'gpus'"),
    ],
)
def test_a_wrong_sweep_is_told_in_a_line_and_writes_nothing(tmp_path: Path, text: str, line: str) -> None:
    source = written(tmp_path, text)
    result = CliRunner().invoke(app, ["sweep", str(source), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert re.search(line, result.stderr), result.stderr
    assert not (tmp_path / "out").exists()


def test_a_dry_run_lists_what_would_run_and_writes_nothing(tmp_path: Path) -> None:
    source, out = written(tmp_path, TINY + "seeds: 2\n"), tmp_path / "out"
    finish(out / "all/seed-1")
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, ["sweep", str(source), "--out", str(out), "--dry-run"])
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["missing", str(out / "all/seed-0")],
        ["finished", str(out / "all/seed-1")],
    ]
    assert sorted(tmp_path.rglob("*")) == before


# How it runs


def test_a_run_that_fails_stops_no_other_and_only_it_runs_again(
    tmp_path: Path, launched: list[tuple[Config, Path, bool]]
) -> None:
    _, folder, points = plan_of(written(tmp_path, TINY + "seeds: 3\n"), tmp_path / "out")
    said: list[str] = []
    failed = sweep(points, folder, say=said.append)
    assert [each.state for each in points] == ["finished", "missing", "finished"]
    assert failed == {points[1].path: "no luck (here): try another seed"}
    assert sum("no luck" in line for line in said) == 1
    (cell,) = write_table(folder, "mine", points, failed)
    assert cell.states == {0: "finished", 1: "failed", 2: "finished"} and cell.means["rate"].n == 2
    assert "no luck" in (folder / "sweep.html").read_text()
    launched.clear()
    points[1].path.mkdir(parents=True)
    (points[1].path / "half").touch()
    sweep(points, folder, say=said.append)
    assert [(out, resume) for _, out, resume in launched] == [(points[1].path, True)]


def test_plugins_and_the_place_of_data_are_handed_to_every_run(
    tmp_path: Path,
    launched: list[tuple[Config, Path, bool]],
    handed: list[tuple[Path | None, tuple[str, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "a_module_of_mine.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    where = ["--out", "out", "--plugin", "a_module_of_mine", "--data-root", "here"]
    result = CliRunner().invoke(app, ["sweep", str(written(tmp_path, TINY + "seeds: [0, 2]\n")), *where])
    assert result.exit_code == 0, result.stderr
    assert len(launched) == 2 and handed == [(tmp_path / "here", ("a_module_of_mine",))] * 2


@pytest.mark.slow
def test_a_bias_of_ones_own_is_swept_by_the_real_command(tmp_path: Path) -> None:
    (tmp_path / "upright_of_mine.py").write_text(
        "from agents import Bias, bias\n\n\n@bias('upright-of-mine')\nclass Upright(Bias):\n    pass\n"
    )
    written(tmp_path, TINY + "grid: {biases: [[{kind: upright-of-mine}]]}\n")
    command = [sys.executable, "-m", "runs.cli", "sweep", "s.yaml", "--plugin", "upright_of_mine", "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "upright-of-mine" in next((tmp_path / "out/mine").glob("*/seed-0/config.yaml")).read_text()


def test_two_commands_on_one_folder_are_kept_apart_and_a_killed_one_is_in_nobodys_way(
    tmp_path: Path, launched: list[tuple[Config, Path, bool]]
) -> None:
    source, out = written(tmp_path, TINY), tmp_path / "out"
    code = (
        "import sys, time; from pathlib import Path; from runs.folder import kept_apart\n"
        "with kept_apart(Path(sys.argv[1]), 'it'): print('held', flush=True); time.sleep(600)"
    )
    for lock, told in (
        (out / ".lock", rf"another process works on this sweep \({out}\): wait until it ends"),
        (out / "all/.seed-0.lock", r"another process works on the run seed-0"),
    ):
        command = [sys.executable, "-c", code, str(lock)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            result = CliRunner().invoke(app, ["sweep", str(source), "--out", str(out)])
            other.send_signal(signal.SIGKILL)
        assert result.exit_code == 2 and not launched
        assert re.search(told, result.stderr + result.stdout), result.stderr
    result = CliRunner().invoke(app, ["sweep", str(source), "--out", str(out)])
    assert result.exit_code == 0 and [path for _, path, _ in launched] == [out / "all/seed-0"]


@pytest.mark.slow
def test_runs_that_predict_sets_are_swept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where_they_run, "LocalExecutor", Here)
    monkeypatch.setattr("runs.process.settle", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    text = (
        "run: sets/multisets\nseeds: 2\ngrid: {train.steps: [1, 2]}\n"
        "set: {train.batch: 2, measure.sets: 8, measure.validation: 4}\n"
    )
    source = written(tmp_path, text)
    result = CliRunner().invoke(app, ["sweep", str(source), "--out", str(tmp_path / "out"), "--device", "cpu"])
    assert result.exit_code == 0, result.stderr
    cells = json.loads((tmp_path / "out/sweep.json").read_text())["cells"]
    assert [each["states"] for each in cells] == [{"0": "finished", "1": "finished"}] * 2
    for each in cells:
        assert each["game"] == "multisets"
        assert set(each["means"]) == {"distance", *(f"distance, {c}" for c in ("mean set", "shuffled", "untrained"))}
        assert all(mean["n"] == 2 for mean in each["means"].values())
    bad = CliRunner().invoke(app, ["sweep", str(written(tmp_path, "run: sets/multisets\nset: {canvas.size: 9}\n"))])
    assert bad.exit_code == 2 and "canvas: no such key" in bad.stderr


def test_a_preempted_run_is_put_into_the_queue_as_itself(tmp_path: Path) -> None:
    job = RunJob("tiny", ("seed=1",), tmp_path, "cpu", 1)
    delayed = job.checkpoint()
    assert isinstance(delayed, DelayedSubmission) and delayed.function == job


def test_without_slurm_a_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no Slurm here \(--slurm\).*--local"):
        sweep(plan_of(written(tmp_path, TINY))[2], tmp_path / "out", slurm=SlurmConfig())


@pytest.mark.slow
def test_a_process_that_fails_is_told_in_a_line_with_its_log(tmp_path: Path) -> None:
    """submitit's real process: the run's folder has another config."""
    _, folder, points = plan_of(written(tmp_path, TINY), tmp_path / "out")
    other = load(Config, "tiny", ["train.steps=9"]).config
    points[0].path.mkdir(parents=True)
    (points[0].path / "config.yaml").write_text(dump(other))
    said: list[str] = []
    failed = sweep(points, folder, device="cpu", say=said.append)
    assert failed[points[0].path].startswith("the run in it has another config: ")
    log = re.search(r"\(log: (.*)\)", said[-1])
    assert log is not None and "another config" in Path(log[1]).read_text()


@pytest.mark.slow
def test_ctrl_c_stops_the_runs_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """The real command, with submitit's real processes."""
    small = TINY.replace(
        "train.steps: 2", "train.steps: 100000, train.checkpoint_every: 1, train.validate_every: 100000"
    )
    source = written(tmp_path, small)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "runs.cli", "sweep", str(source), "--out", str(tmp_path / "out")]
    run = tmp_path / "out/all/seed-0"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        try:
            ends = time.monotonic() + 120
            while not (run / "checkpoints/last.state").exists() and time.monotonic() < ends:
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, stderr = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, stderr
    assert f"stopped; what is missing goes on with: lascaux sweep {source}" in stderr
    assert json.loads((tmp_path / "out/sweep.json").read_text())["cells"][0]["states"]["0"] != "finished"
    status = json.loads((run / "status.json").read_text())
    found, step = runs.load(run).step, status["step"]
    assert status["state"] == "interrupted"
    assert found == step >= 1  # the step in hand was finished and saved


# What came of it


def test_intervals_are_students_over_seeds() -> None:
    values = [0.31, 0.42, 0.38, 0.55]
    mean = Mean.of(values)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean.low, mean.high) == pytest.approx((expected.low, expected.high))
    assert mean.n == 4 and mean.value == pytest.approx(sum(values) / 4)
    assert Mean.of([0.3]) == Mean(0.3, None, None, 1)


def test_the_table_has_controls_beside_the_rate_and_counts_finished_runs_only(tmp_path: Path) -> None:
    _, folder, points = plan_of(written(tmp_path, TINY + "grid: {train.lr: [1e-3, 2e-3]}\nseeds: 2\n"), tmp_path / "o")
    for each, rate in zip(points[:3], (0.4, 0.6, 0.9), strict=True):
        finish(each.path, rate=rate, chance=0.1, ceiling=None)
    first, second = cells_of(points)
    assert (first.means["rate"].value, first.means["chance"].value) == pytest.approx((0.5, 0.1))
    assert (first.means["rate"].n, second.means["rate"].n) == (2, 1)
    assert second.means["rate"].low is None and "ceiling" not in first.means
    assert second.states == {0: "finished", 1: "missing"}
    write_table(folder, "<b>mine", points, {})
    text = (folder / "sweep.html").read_text()
    assert "&lt;b&gt;mine" in text and "http" not in text
    assert "lr=0.001/seed-0/report.html" in text
