"""Where the runs of a sweep run: submitit's processes on this machine, or its jobs of a Slurm cluster."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from submitit import AutoExecutor, Job, LocalExecutor, SlurmJob
from submitit.core.utils import DelayedSubmission

from raster.errors import InputError
from runs.folder import kept_apart, read_json, write_json
from runs.sweep.plan import Point, SlurmConfig

PAUSE = 0.5
"""Seconds between two looks at whether a run has ended."""
WEEK = 7 * 24 * 60
"""Minutes that a run on this machine may take before it is stopped, saved and begun again where it was."""

Say = Callable[[str], None]


def _stopped(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@dataclass(frozen=True)
class RunJob:
    """One run, as a process of its own carries it out: begun, or gone on with where it was last saved.

    Attributes:
        source: a preset or a file.
        sets: words ``key=value``.
        out: the run's folder.
        device: as of ``lascaux run``.
        threads: of this process.
        plugins: modules that are imported first.
        data_root: as of ``lascaux run``.
    """

    source: str
    sets: tuple[str, ...]
    out: Path
    device: str
    threads: int
    plugins: tuple[str, ...] = ()
    data_root: Path | None = None

    def __call__(self) -> str:
        """``finished``, or ``interrupted`` where it was asked to stop and can go on."""
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[name] = str(self.threads)  # before torch and numba are imported
        from runs.process import settle

        settle()
        signal.signal(signal.SIGTERM, _stopped)  # submitit passes it over; while a run learns, it finishes its step
        from runs.plugins import import_plugins

        import_plugins(self.plugins)  # first: the config knows the biases that are registered when it is imported
        try:
            # A run goes on when the command that began it is killed: the next one must not begin it once more.
            with kept_apart(self.out.with_name(f".{self.out.name}.lock"), f"the run {self.out.name}"):
                self._launch()
        except KeyboardInterrupt:
            return "interrupted"
        return "finished"

    def _launch(self) -> None:
        import runs
        from runs.loading import load, says

        used = self.out.exists() and any(self.out.iterdir())
        if says(self.source, "task"):
            from runs import sets as predicting

            wanted = load(predicting.SetsConfig, self.source, self.sets).config
            predicting.launch(wanted, out=self.out, resume=used, device=self.device, data_root=self.data_root)
            return
        from runs.config import Config

        config = load(Config, self.source, self.sets).config
        device, root = self.device, self.data_root
        runs.launch(config, out=self.out, resume=used, device=device, data_root=root, plugins=self.plugins)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit puts into the queue when the run is preempted: the same, which goes on by its checkpoint."""
        return DelayedSubmission(self)


Made = Callable[[Point, int], RunJob]
"""The job of a run, on so many threads."""


def sweep(
    points: Sequence[Point], folder: Path, *, at_once: int = 1, slurm: SlurmConfig | None = None,
    device: str = "auto", plugins: Sequence[str] = (), data_root: Path | None = None, say: Say = print,
) -> dict[Path, str]:  # fmt: skip
    """Run what is not finished; one that fails does not stop the others.

    Args:
        points: all runs of the sweep.
        folder: the sweep's; submitit's own files go to ``jobs`` in it.
        at_once: runs at one time on this machine, which share its cores.
        slurm: hand them to a cluster instead.
        device: as of ``lascaux run``.
        plugins: modules that each run imports first.
        data_root: as of ``lascaux run``.
        say: takes a line when a run begins or ends.

    Returns:
        By its folder, why a run failed: one line.

    Raises:
        InputError: there is no Slurm here.
        KeyboardInterrupt: Ctrl-C; runs on this machine are stopped first. Jobs of a cluster go on.
    """

    def job(point: Point, threads: int) -> RunJob:
        root = None if data_root is None else data_root.absolute()
        return RunJob(point.source, point.sets, point.path, device, threads, tuple(plugins), root)

    todo = [each for each in points if each.state != "finished"]
    if len(todo) < len(points):
        say(f"{len(points) - len(todo)} of {len(points)} runs are finished already")
    if slurm is not None:
        return _on_cluster(todo, folder, slurm, job, say)
    return _here(todo, folder, at_once, device != "cpu", job, say)


def _here(todo: list[Point], folder: Path, at_once: int, gpu: bool, made: Made, say: Say) -> dict[Path, str]:
    executor = LocalExecutor(folder / "jobs")
    threads = max(1, (os.cpu_count() or 1) // at_once)
    gpus = _gpus() if gpu else ()
    waiting, running, failed = list(todo), dict[int, tuple[Point, Job[Any]]](), dict[Path, str]()
    try:
        while waiting or running:
            for place in range(at_once):
                if place not in running and waiting:
                    each = waiting.pop(0)
                    seen = gpus[place % len(gpus) : place % len(gpus) + 1] if gpus else ()
                    executor.update_parameters(timeout_min=WEEK, gpus_per_node=len(seen), visible_gpus=seen)
                    with _deaf():
                        job = executor.submit(made(each, threads))
                    running[place] = each, job
                    say(f"begins: {each.path}")
            for place, (each, job) in list(running.items()):
                if job.done():
                    del running[place]
                    _ended(each, job, failed, say)
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        _stop([job for _, job in running.values()])
        raise
    return failed


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started here does not hear the terminal's Ctrl-C.

    submitit's processes would answer it by killing the run within a second: it would be told twice, and could not save.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(jobs: Sequence[Job[Any]]) -> None:
    """Ask runs on this machine to save and end, and wait; another Ctrl-C asks again, which ends them at once."""
    while running := [job for job in jobs if job.state == "RUNNING"]:
        for job in running:
            os.kill(int(job.job_id), signal.SIGTERM)  # the number of its process, which hands the signal on
        try:
            while any(job.state == "RUNNING" for job in running):
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            continue


def _gpus() -> tuple[int, ...]:
    import torch

    return tuple(range(torch.cuda.device_count()))


def _on_cluster(todo: list[Point], folder: Path, slurm: SlurmConfig, made: Made, say: Say) -> dict[Path, str]:
    try:
        executor = AutoExecutor(folder / "jobs", cluster="slurm")
    except RuntimeError:
        raise InputError("there is no Slurm here", "--slurm", "leave it out: --local N runs on this machine") from None
    executor.update_parameters(
        timeout_min=slurm.minutes,
        cpus_per_task=slurm.cpus,
        gpus_per_node=slurm.gpus,
        mem_gb=slurm.memory_gb,
        slurm_partition=slurm.partition,
        slurm_array_parallelism=slurm.at_once,
    )
    record = folder / "jobs.json"
    known: dict[str, str] = read_json(record) if record.exists() else {}
    jobs: dict[Path, Job[Any]] = {}
    for each in todo:
        if str(each.path) in known:
            job: Job[Any] = SlurmJob(folder / "jobs", known[str(each.path)])
            if not job.done():
                jobs[each.path] = job  # still in the queue, from an earlier call
    new = [each for each in todo if each.path not in jobs]
    if new:
        with executor.batch():  # one array; each is submitted as itself, so that submitit finds its checkpoint
            for each in new:
                jobs[each.path] = executor.submit(made(each, slurm.cpus))
        write_json(record, known | {str(path): job.job_id for path, job in jobs.items()})
    say(f"{len(new)} runs submitted, {len(todo) - len(new)} in the queue already; Ctrl-C leaves them there")
    failed: dict[Path, str] = {}
    waiting = {each: jobs[each.path] for each in todo}
    while waiting:
        for each, job in list(waiting.items()):
            if job.done():
                del waiting[each]
                _ended(each, job, failed, say)
        time.sleep(PAUSE)
    return failed


def _ended(point: Point, job: Job[Any], failed: dict[Path, str], say: Say) -> None:
    """Note how a run ended."""
    error = job.exception()
    if error is None:
        say(f"{job.result()}: {point.path}")
        return
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "Error: " in line] or lines or [type(error).__name__]
    failed[point.path] = told[-1].removeprefix("raster.errors.InputError: ")
    say(f"failed: {point.path}: {failed[point.path]} (log: {job.paths.stderr})")
