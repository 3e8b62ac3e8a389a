"""Start a run that learns to predict sets, go on with one, open one."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from perception import Trunks
from raster import InputError
from runs import checkpoint
from runs.board import Board
from runs.folder import Folder, append_line, cut_back, read_json, write_json, write_text
from runs.loading import dump
from runs.loading import load as load_config
from runs.process import asked_to_stop
from runs.progress import Progress
from runs.sets.config import SetsConfig
from runs.sets.data import Data, Say, load_data
from runs.sets.learner import SetLearner
from runs.sets.measure import answer, figures, headline, measured, summarise
from runs.sets.model import SetPredictor
from runs.start import choose_device, claim, surroundings
from runs.steps import lr_at


@dataclass(frozen=True, eq=False)
class SetsRun:
    """A run: its config, its folder, its sets, and what has learned so far.

    ``data.held("test", n)`` gives pairs, ``model.decode(model.encode(pairs.given)).sets`` what is predicted of them.
    """

    config: SetsConfig
    folder: Folder
    data: Data
    model: SetPredictor


def launch(
    config: SetsConfig,
    out: Path | str | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: bool = True,
    data_root: Path | None = None,
    trunks: Trunks | None = None,
) -> SetsRun:
    """Learn to predict sets, measure, and write a folder.

    Args:
        config: what from what, and how.
        out: the run's own folder; out/NAME when left out.
        resume: go on from the last checkpoint in it. Without one it starts at 0; on a finished run it does nothing.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        progress: show how it goes on the terminal.
        data_root: where torchvision's data sets lie.
        trunks: frozen networks that are built already.

    Raises:
        InputError: a used folder without ``resume``, another config or other sets with it, data that are not to be had,
            numbers that are not finite.
        KeyboardInterrupt: Ctrl-C; the run is saved first and can be resumed.
    """
    folder = Folder(Path(out) if out is not None else Path("out") / config.name)
    claim(folder, config, resume, "run")
    if resume and folder.status.exists() and read_json(folder.status).get("state") == "finished":
        return load(folder.path, device, data_root)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    where = choose_device(device)
    shown = Progress(config.train.steps, enabled=progress, idle="loss   -  ")
    run = _assemble(config, folder, where, data_root, trunks, shown.say)
    _same_sets(run)
    learner = SetLearner(config, run.model, run.data)
    found = checkpoint.go_on(folder.checkpoints, run.model, learner.restore) if resume else None
    if found is None:
        folder.metrics.unlink(missing_ok=True)
    else:
        cut_back(folder.metrics, found)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.config, dump(config))
    write_json(folder.env, surroundings(run.data, torch.float32, config.seed))
    write_json(folder.pictures, {"content": run.data.content, "source": run.data.source})
    _status(folder, "running", learner)
    shown.say(
        f"{config.name}: {run.data.source}; {config.encoder.kind} to {config.latent} numbers to {config.decoder.kind}, "
        f"{config.train.steps} steps, {where}"
    )
    try:
        if learner.step == 0 and (table := learner.prepare()):
            shown.say(table)
        with Board(folder, found) as board:
            if found is None:
                board.text("config", dump(config))
            with shown, asked_to_stop() as stop:
                while learner.step < config.train.steps and not stop():
                    _advance(run, learner, shown, board)
            checkpoint.save(folder.checkpoints, run.model, learner.step, learner.state())
            if learner.step < config.train.steps:
                raise KeyboardInterrupt
            shown.say("measuring: held-out sets and every control")
            summary = {
                **summarise(config, run.model, run.data),
                "steps": learner.step,
                "seconds": round(learner.seconds, 2),
            }
            judged = summary["headline"]
            board.hparams(_asked(config), {judged["name"]: judged["value"]})
        write_json(folder.summary, summary)
        from runs.sets.report import write_report  # it imports this file

        write_report(folder.path, run)
        _status(folder, "finished", learner)
        shown.console.print(results(summary))
    except BaseException:
        _status(folder, "interrupted", learner)
        raise
    return run


def load(path: Path | str, device: str = "cpu", data_root: Path | None = None) -> SetsRun:
    """Open a run: its config, its sets, its model as it was last saved.

    Raises:
        InputError: no run there, or its checkpoint is missing, damaged or of another config.
    """
    folder = Folder.of_run(Path(path))
    config = load_config(SetsConfig, folder.config, []).config
    run = _assemble(config, folder, choose_device(device), data_root, None, lambda line: None)
    last = folder.checkpoints / "last.safetensors"
    weights, _ = checkpoint.load_weights(last)
    checkpoint.put(run.model, weights, last)
    return run


def results(summary: dict[str, Any]) -> Table:
    """The figures of a summary as a table, a row for each number of inner steps and each control.

    The interval stands with the figure that a run is judged by alone; the report has them all.
    """
    rows = figures(summary)
    judged = summary["headline"]["name"]
    names = list(rows[0][1])
    table = Table(title=f"{summary['name']}: {summary['n']} held-out sets", padding=(0, 0))
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for what, row in rows:
        table.add_row(what, *(_shown(row[name], name == judged) for name in names))
    return table


def _shown(value: dict[str, float], interval: bool) -> str:
    text = f"{value['value']:.3g}"
    return f"{text}\n{value['low']:.3g}-{value['high']:.3g}" if interval and "low" in value else text


def _advance(run: SetsRun, learner: SetLearner, shown: Progress, board: Board) -> None:
    """A step, and what is due after it."""
    train, folder = run.config.train, run.folder
    began = time.perf_counter()
    learner.advance()
    learner.seconds += time.perf_counter() - began
    step, last = learner.step, learner.step == train.steps
    if step % train.log_every == 0 or last:
        means = learner.flush()
        if not all(map(_finite, means.values())):
            raise InputError(
                f"the loss is not finite at step {step}", folder.path, "a smaller train.lr or decoder.rate may help"
            )
        line = {"step": step, "split": "train", **means, "lr": lr_at(train, step - 1)}
        append_line(folder.metrics, {**line, "seconds": round(learner.seconds, 3)})
        board.scalars("train", line)
        shown.update(step, {"loss": means["loss"]})
    if step % train.validate_every == 0 or last:
        name = headline(run.config)
        pairs = run.data.held("validation", run.config.measure.validation)
        found = measured(run.config, answer(run.model, pairs, run.config.test_steps).sets, pairs, samples=1)
        line = {"step": step, "split": "validation"}
        line |= {f"held-out {key}": found[key]["value"] for key in dict.fromkeys(["loss", name])}
        append_line(folder.metrics, line)
        board.scalars("validation", line)
        shown.update(step, {f"held-out {name}": found[name]["value"]})
    if step % train.checkpoint_every == 0:
        checkpoint.save(folder.checkpoints, run.model, step, learner.state())


def _asked(config: SetsConfig) -> dict[str, str | int]:
    """A run's words and numbers in TensorBoard's table."""
    kinds = {part: getattr(config, part).kind for part in ("task", "encoder", "decoder")}
    return {"name": config.name, **kinds, "steps": config.train.steps, "seed": config.seed}


def _finite(value: float) -> bool:
    return value - value == 0


def _assemble(
    config: SetsConfig, folder: Folder, device: torch.device, data_root: Path | None, trunks: Trunks | None, say: Say
) -> SetsRun:
    data = load_data(config.task, config.encoder, config.seed, device, data_root, trunks, say)
    shape = data.held("validation", 1).given.shape[1:]
    return SetsRun(config, folder, data, SetPredictor(config, shape).to(device))


def _same_sets(run: SetsRun) -> None:
    """See that a run goes on with the sets that it began with."""
    told = run.folder.pictures
    if told.exists() and read_json(told).get("content") != run.data.content:
        raise InputError("the run in it is of other sets", run.folder.path, "put its own back, or take another --out")


def _status(folder: Folder, state: str, learner: SetLearner) -> None:
    write_json(folder.status, {"state": state, "step": learner.step, "steps": learner.config.train.steps})
