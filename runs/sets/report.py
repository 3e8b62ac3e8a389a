"""report.html of a run that predicts sets: figures beside their controls, curves, examples step by step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from markupsafe import Markup

from raster.shapes import Float, Tensor, UInt8
from runs.folder import lines, read_json, write_text
from runs.report._pages import page
from runs.report.figures import losses
from runs.sets import show
from runs.sets.config import SetsConfig
from runs.sets.measure import figures
from runs.sets.start import SetsRun, load
from runs.sets.tasks import BoxesTask, NumberingTask, ObjectsTask, PointsTask, StateTask

COLUMNS = 7
"""Inner steps at most that are shown of an example."""


@dataclass(frozen=True)
class Step:
    """A set at one inner step."""

    label: str
    picture: Markup


@dataclass(frozen=True)
class Example:
    """One held-out set: what was told, the predicted set step by step, and tables of what it says."""

    told: Markup | None
    steps: list[Step]
    rows: list[show.Row] = field(default_factory=list)


def write_report(folder: Path | str, run: SetsRun | None = None) -> Path:
    """Write ``report.html`` into a run's folder from what it has written so far, and return its path.

    Args:
        folder: a run's folder; an unfinished run that has a checkpoint gives a report of what there is.
        run: the run itself when it is at hand; it is loaded otherwise.

    Raises:
        InputError: no run there, or a file of it is damaged.
    """
    run = load(folder) if run is None else run
    files = run.folder
    metrics = list(lines(files.metrics))
    summary = read_json(files.summary) if files.summary.exists() else None
    html = page("runs.sets", "sets.html").render(
        config=run.config,
        summary=summary,
        rows=figures(summary) if summary else [],
        curves=losses(metrics) if metrics else None,
        examples=examples(run),
        objects=isinstance(run.config.task, StateTask | ObjectsTask),
        text=files.config.read_text(encoding="utf-8"),
        env=read_json(files.env),
    )
    write_text(files.report, html)
    return files.report


@torch.no_grad()
def examples(run: SetsRun) -> list[Example]:
    """The first held-out sets of the test, as the model predicts them: a fixed sample, not a selection."""
    count = run.config.measure.examples
    if not count:
        return []
    pairs = run.data.held("test", count)
    pixels = run.data.pixels("test", count)
    run.model.eval()
    decoded = run.model.decode(run.model.encode(pairs.given), torch.Generator().manual_seed(0), run.config.test_steps)
    trace, wanted = decoded.trace.cpu(), pairs.wanted.cpu()
    found = []
    for number in range(len(wanted)):
        picture = None if pixels is None else pixels[number].cpu()
        draw = _drawer(run.config, wanted[number], picture)
        steps = (
            [Step(label, draw(trace[at, number])) for at, label in _columns(len(trace), len(decoded.gaps))]
            if draw
            else []
        )
        if draw:
            steps.append(Step("true", draw(wanted[number])))
        told = None if picture is None else show.photo(picture)
        found.append(Example(told, steps, _rows(run.config, trace[-1, number], wanted[number])))
    return found


def _columns(length: int, inner: int) -> list[tuple[int, str]]:
    """Which sets of a trace are shown, evenly from the start to the answer, and what they are called."""
    if length == 1:
        return [(0, "answer")]
    last = length - 1
    if inner > last:  # of an inner loop the ends alone were kept
        return [(0, "start"), (last, f"step {inner}")]
    places = sorted({round(last * k / (COLUMNS - 1)) for k in range(COLUMNS)})
    return [(at, "start" if at == 0 else f"step {at}") for at in places]


def _drawer(
    config: SetsConfig, wanted: Float[Tensor, "n c"], picture: UInt8[Tensor, "3 h w"] | None
) -> Callable[[Tensor], Markup] | None:
    """How a set of this task is drawn; None where a table says more."""
    task = config.task
    if isinstance(task, NumberingTask):
        return None
    if isinstance(task, BoxesTask):
        return lambda said: show.boxes(said, wanted, picture)
    if isinstance(task, StateTask | ObjectsTask):
        return show.scene
    if isinstance(task, PointsTask):
        return lambda said: show.points(said, wanted, (0.0, 0.0), (1.0, 1.0), down=True)
    real = wanted[:, :2] if wanted.shape[1] > 2 else wanted[:, :1].expand(-1, 2)
    edge = max(1.2, 1.2 * float(real.abs().max()))
    return lambda said: show.points(said, wanted, (-edge, -edge), (edge, edge), down=False)


def _rows(config: SetsConfig, said: Float[Tensor, "n c"], wanted: Float[Tensor, "n c"]) -> list[show.Row]:
    if isinstance(config.task, StateTask | ObjectsTask):
        return show.objects(said, wanted)
    if isinstance(config.task, NumberingTask):
        return show.numbers(said, wanted, config.task.fields)
    return []
