"""Start a run, go on with one, open one."""

import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from subprocess import run as run_process
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import BaseModel

from agents.bias import GROUP as OF_BIASES
from agents.entry_points import origins
from games import Referential
from games.pictures import Gallery, PicturesUnavailable, load_gallery
from perception import FeatureCache, Trunks
from raster import InputError, engine_for
from runs import checkpoint
from runs.config import Config
from runs.executors import told_of
from runs.folder import Folder, cut_back, read_json, write_json, write_text
from runs.journal import Journal
from runs.loading import diff, dump
from runs.loading import load as load_config
from runs.probes import GROUP as OF_PROBES
from runs.probes import probes
from runs.progress import Progress
from runs.ranks import World, agree, joined, sharing, taking_turns
from runs.report import write_report
from runs.run import Run, assemble
from runs.summary import summarise
from runs.tracing.measures import check_readable
from runs.train import Learner, learn
from runs.watch import Watch

T = TypeVar("T")

_VERSIONS = ("lascaux", "torch", "torchvision", "timm", "numpy", "numba", "scipy", "scikit-learn", "pydantic")


def launch(
    config: Config,
    out: Path | str | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: bool = True,
    data_root: Path | None = None,
    plugins: tuple[str, ...] = (),
) -> Run:
    """Train a community from a config, measure it, and write its folder; started by torchrun, as one of its ranks.

    Args:
        config: the experiment.
        out: the run's own folder; out/NAME when left out.
        resume: go on from the last checkpoint in it. Without one it starts at 0; on a finished run it does nothing.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        progress: show how it goes on the terminal.
        data_root: where torchvision's data sets lie.
        plugins: modules that were imported for their biases, recorded with the run.

    Returns:
        The trained run; on ranks other than the first, with whatever of its agents they hold.

    Raises:
        InputError: a used folder without ``resume``, another config with it, pictures that cannot be had, ...
        KeyboardInterrupt: Ctrl-C; the run is saved first and can be resumed.
    """
    with joined(device) as world:
        folder = Folder(Path(out) if out is not None else Path("out") / config.name)
        began = time.perf_counter()
        first = world is None or world.first
        # Rank 0 looks whether the folder may be written, before another rank sees what it has written there.
        config, finished = _on_first(world, lambda: _begun(folder, config, resume))
        if finished:
            return load(folder.path, device if world is None else str(world.device))
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        where = choose_device(device) if world is None else world.device
        with taking_turns(world):
            run = _assemble(config, folder.path, where, data_root)
        run.fallback = run.fallback or _fallback(folder)
        _playable(run)
        if world is not None:
            agree(run, world, dump(run.config))
        learner = Learner(run, sharing(run))
        found = learner.sharing.made_first(lambda: checkpoint.load(folder.checkpoints)) if resume else None
        checkpoint.take_up(found, folder.checkpoints, run.community, learner.restore)
        learner.life.expect(run.step)
        shown = Progress(config.train.steps, enabled=progress and first, start=run.step)
        try:
            _learn_and_measure(learner, _Sitting(found is not None, began, plugins), shown)
        except KeyboardInterrupt:
            if first:
                _status(folder, "interrupted", run)
            raise
        return learner.sharing.shown()


@dataclass(frozen=True)
class _Sitting:
    """One start of a run: whether it goes on with an earlier one, when it began, and with which plugins."""

    goes_on: bool
    began: float
    plugins: tuple[str, ...]


def _on_first(world: World | None, make: Callable[[], T]) -> T:
    return make() if world is None else world.made_by(0, make)


def _begun(folder: Folder, config: Config, resume: bool) -> tuple[Config, bool]:
    """The config to run, and whether the run in the folder is finished already."""
    config = _claim(folder, config, resume)
    return config, resume and folder.status.exists() and read_json(folder.status).get("state") == "finished"


def _learn_and_measure(learner: Learner, sitting: _Sitting, shown: Progress) -> None:
    """Learn and, in the process that writes, measure and report. Raises KeyboardInterrupt once a Ctrl-C is saved."""
    run, folder, before = learner.run, learner.run.folder, learner.seconds
    watch = Watch(learner.sharing.shown())
    if not learner.sharing.first:
        if not learn(learner, None, shown.update, watch):
            learner.sharing.wait()  # a process that ends has the others ended, and rank 0 may still be writing
            raise KeyboardInterrupt
        return
    _prepare_folder(learner, sitting)
    config, looked_at = run.config, learner.sharing.shown()
    journal = Journal(looked_at, run.step if sitting.goes_on else None)
    try:
        shown.say(
            f"{config.name}: {len(run.gallery.label)} pictures ({run.gallery.source}), {run.game.label}, "
            f"{config.train.steps} steps, {run.gallery.device}"
        )
        for line in [*told_of(run, learner.executor), *learner.sharing.told(), *watch.left_out]:
            shown.say(line)
        if run.step == 0:
            journal.text("config", dump(config))
        with shown:
            done = learn(learner, journal, shown.update, watch)
        if not done:
            _status(folder, "interrupted", run)
            learner.sharing.wait()
            raise KeyboardInterrupt
        shown.say("measuring: every control, on pictures nobody learned from")
        summary = summarise(looked_at, journal)
        # The whole way, pictures and measuring included; of earlier sittings only the steps.
        summary["minutes"] = round((before + time.perf_counter() - sitting.began) / 60, 2)
        journal.summary(summary)
        write_json(folder.summary, summary)
        _status(folder, "finished", run)
        journal.close()
        write_report(folder.path, looked_at)
        shown.summary(summary)
    finally:
        journal.close()


def _prepare_folder(learner: Learner, sitting: _Sitting) -> None:
    """Take away what a run that goes on will write again, and write down what it is."""
    run, folder = learner.run, learner.run.folder
    folder.journal("test").unlink(missing_ok=True)  # half measured, perhaps; it is measured again
    for path in (folder.metrics, folder.journal("train"), folder.journal("validation")):
        cut_back(path, run.step) if sitting.goes_on else path.unlink(missing_ok=True)
    # What happens before a step bears its number: that of the next one is written again.
    cut_back(folder.events, run.step - 1) if sitting.goes_on else folder.events.unlink(missing_ok=True)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.config, dump(run.config))  # another one than was asked for, where its pictures were not to be had
    write_json(folder.env, environment(run, learner, sitting.plugins))
    write_json(folder.pictures, _pictures(run))
    _status(folder, "running", run)


def load(path: Path | str, device: str = "cpu") -> Run:
    """Open a run: its config, its pictures, its agents as they were last saved.

    Raises:
        InputError: no run there, or its checkpoint is missing, damaged or of another config.
    """
    folder = Folder.of_run(Path(path))
    config = load_config(Config, folder.config, []).config
    run = _assemble(config, folder.path, choose_device(device), None)
    run.fallback = _fallback(folder)
    weights, step = checkpoint.load_weights(folder.checkpoints / "last.safetensors")
    checkpoint.put(run.community, weights, folder.checkpoints / "last.safetensors")
    run.step = step
    settle_community(run, folder)
    return run


def settle_community(run: Run, folder: Folder) -> None:
    """Who is there and whom they meet, as it was when the run was last saved, where that can have changed."""
    config = run.config.community
    if not (config.events or config.vacant or config.schedule):
        return
    found = checkpoint.load(folder.checkpoints)
    there = None if found is None else found[1]["life"]["present"]
    sides = ("senders", "receivers")
    run.community.arrange(
        run.step, *(there[side] if there is not None and len(there[side]) else None for side in sides)
    )


def pictures_of(folder: Folder) -> Gallery:
    """The pictures of a run, without its agents."""
    config = load_config(Config, folder.config, []).config
    device = torch.device("cpu")
    return load_gallery(config.pictures, Trunks(device), FeatureCache.of_user(), device)


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` to a device that is there.

    Raises:
        InputError: no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in {"cpu", "cuda", "mps"} or (device.type == "cpu" and device.index):
        raise InputError(f"no device {name!r}", "--device", "take auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"{name} is not there: {torch.cuda.device_count()} GPUs found", "--device", "take cpu or auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("mps is not there", "--device", "take cpu or auto")
    return device


def environment(run: Run, learner: Learner, plugins: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a run ran on: versions, device, engine, executor and why, ranks, git commit, seed, command."""
    dtype = torch.float64 if run.config.train.dtype == "float64" else torch.float32
    return {
        **surroundings(run.gallery, dtype, run.config.seed, plugins),
        "executor": {"name": learner.executor.name, "why": learner.executor.why},
        "ranks": learner.sharing.environment(),
        "fallback": run.fallback,
    }


@runtime_checkable
class Material(Protocol):
    """What a run works on: a `Gallery`, or other data."""

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        ...

    @property
    def content(self) -> str:
        """A hash of it."""
        ...


def surroundings(gallery: Material, dtype: torch.dtype, seed: int, plugins: tuple[str, ...] = ()) -> dict[str, Any]:
    """The part of ``environment`` that everything has that computes on pictures."""
    engine = engine_for(gallery.device, dtype)
    versions = {}
    for name in _VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "device": str(gallery.device),
        "threads": torch.get_num_threads(),
        "raster": {"engine": engine.name, "why": engine.why},
        "git": _git_commit(),
        "seed": seed,
        "command": sys.argv,
        "plugins": list(plugins),
        "biases_of_packages": origins(OF_BIASES),
        "probes_of_packages": origins(OF_PROBES),
        "pictures": gallery.content,
    }


def _git_commit() -> dict[str, Any] | None:
    """The commit of the code itself, where it lies in a git checkout."""
    here = Path(__file__).parent
    commit = run_process(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    if commit.returncode != 0:
        return None
    changed = run_process(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=False)
    return {"commit": commit.stdout.strip(), "changed": bool(changed.stdout.strip())}


def _claim(folder: Folder, config: Config, resume: bool) -> Config:
    """See that the folder may be written: empty, or the same run's when resuming. Returns the config to run."""
    if resume and _fallback(folder) and getattr(config.pictures, "otherwise", None):
        config = _instead(config)  # it began with other pictures than were asked for, and goes on with them
    claim(folder, config, resume, "run")
    return config


def claim(folder: Folder, config: BaseModel, resume: bool, what: str) -> None:
    """See that a folder may be written: empty, or when resuming one whose config is the same.

    Args:
        folder: where to.
        config: of what is to be written.
        resume: go on with what is in it.
        what: what a person calls it.

    Raises:
        InputError: a place that cannot be written, a used folder without ``resume``, another config with it.
    """
    folder.check_place()
    if not folder.used():
        return
    if not resume:
        do = f"--resume goes on with the {what} in it, --out takes another"
        raise InputError("the folder is not empty", folder.path, do)
    Folder.of_run(folder.path)
    changes = diff(load_config(type(config), folder.config, []).config, config)
    if changes:
        told = f"{'; '.join(changes[:4])}{' ...' if len(changes) > 4 else ''}"
        do = "resume it with its own config.yaml, or take another --out"
        raise InputError(f"the {what} in it has another config: {told}", folder.path, do)


def _assemble(config: Config, path: Path, device: torch.device, data_root: Path | None) -> Run:
    """``assemble``, with the pictures' own fallback where the first choice cannot be had."""
    try:
        return assemble(config, path, device, data_root)
    except PicturesUnavailable as error:
        otherwise = getattr(config.pictures, "otherwise", None)
        if otherwise is None:
            raise
        other = _instead(config)
        reason = f"{str(error).splitlines()[0]}; preset {otherwise!r} instead"
        print(f"note: {reason}", file=sys.stderr)
        return assemble(other, path, device, data_root, fallback=reason)


def _instead(config: Config) -> Config:
    """The experiment that is run where the pictures of ``config`` cannot be had."""
    other = load_config(Config, getattr(config.pictures, "otherwise", None), []).config
    return other.model_copy(update={"name": config.name, "seed": config.seed})


def _fallback(folder: Folder) -> str | None:
    """Why the run in a folder has not the pictures first asked for; None where it has them."""
    found: str | None = read_json(folder.env).get("fallback") if folder.env.exists() else None
    return found


def _playable(run: Run) -> None:
    """See now, not after hours of learning, that every game can be dealt from every split it is measured on.

    Raises:
        InputError: nothing is held out for the test, or a split has too few classes or photos for the candidates.
    """
    splits = [name for name in run.gallery.splits if name == "validation" or name.split("/")[0] == "test"]
    if "test" not in splits:
        raise InputError("nothing is held out for the test", "pictures.split.test", "say a part, such as 0.15")
    for split in [*run.gallery.training_splits, *splits]:
        for part in run.game.parts:
            part.deal(run.gallery, split, 1, torch.Generator().manual_seed(0))
            if split.split("/")[0] == "test" and isinstance(part, Referential):
                for candidates in run.config.measure.candidates:
                    _playable_among(run, part.among(candidates), split)
        if split.split("/")[0] == "test" and "readable" in run.config.probes:
            check_readable(run, split)
    for name in run.config.probes:
        for part in run.game.parts:
            probes()[name].check(run, part, "test")


def _playable_among(run: Run, game: Referential, split: str) -> None:
    try:
        game.deal(run.gallery, split, 1, torch.Generator().manual_seed(0))
    except InputError as error:
        raise InputError(error.what, f"measure.candidates, split {split!r}", error.do) from error


def _pictures(run: Run) -> dict[str, Any]:
    """pictures.json: which picture an index of the journal means."""
    gallery = run.gallery
    return {
        "content": gallery.content,
        "source": gallery.source,
        "names": gallery.names(torch.arange(len(gallery.label))),
        "classes": gallery.classes,
        "label": gallery.label.tolist(),
    }


def _status(folder: Folder, state: str, run: Run) -> None:
    write_json(folder.status, {"state": state, "step": run.step, "steps": run.config.train.steps})
