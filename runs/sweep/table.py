"""All runs of a sweep as one table: a row for what is varied, means over seeds with their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runs.folder import Folder, read_json, write_json, write_text
from runs.spread import over_seeds
from runs.sweep.plan import Point

MEASURES = (
    "rate", "chance", "blank", "shuffled", "untrained", "ceiling", "iconicity", "iconicity_untrained",
    "iconicity_shuffled", "mse", "bce", "minutes",
)  # fmt: skip
"""What of a run's summary.json is told, controls beside the rate, in this order."""

HEADLINE = ("rate", "untrained", "ceiling", "mse")
"""Those that a terminal has room for."""


@dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Attributes:
        value: the mean.
        low, high: its 95 % interval by Student's t with n - 1 degrees of freedom, seeds being the independent draws;
            None of one seed.
        n: seeds.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """The mean of at least one value.

        >>> Mean.of([0.4, 0.6])
        Mean(value=0.5, low=-0.77..., high=1.77..., n=2)
        """
        mean, low, high = over_seeds(values)
        several = len(values) > 1
        return cls(mean, low if several else None, high if several else None, len(values))


@dataclass(frozen=True)
class Cell:
    """What is varied, and what came of it.

    Attributes:
        name: of its folder.
        varied: by key.
        game: the game whose figures these are, or the task where sets are predicted; several where seeds disagree.
        states: of each of its runs, by seed.
        means: by measure.
    """

    name: str
    varied: Mapping[str, Any]
    game: str
    states: Mapping[int, str]
    means: Mapping[str, Mean]


def cells_of(points: Sequence[Point], failed: Mapping[Path, str] | None = None) -> list[Cell]:
    """The table's rows, of the runs that are finished; ``failed`` are those that this sitting saw fail."""
    groups: dict[str, list[Point]] = {}
    for each in points:
        groups.setdefault(each.cell, []).append(each)
    found = []
    for name, own in groups.items():
        states = {each.seed: "failed" if each.path in (failed or {}) else each.state for each in own}
        done = [read_json(Folder(each.path).summary) for each in own if states[each.seed] == "finished"]
        figures = [_figures(summary) for summary in done]
        means = {
            key: Mean.of([each[key] for each in figures if key in each])
            for key in dict.fromkeys(key for each in figures for key in each)
        }
        games = ", ".join(dict.fromkeys(str(summary.get("game", summary.get("task", ""))) for summary in done))
        found.append(Cell(name, own[0].varied, games, states, means))
    return found


def _figures(summary: Mapping[str, Any]) -> dict[str, float]:
    """What is told of a run, by name: of one that predicts sets, what it is judged by, and the controls' beside it."""
    if "headline" in summary:
        name = summary["headline"]["name"]
        controls = {f"{name}, {what}": row[name]["value"] for what, row in summary["controls"].items()}
        return {name: float(summary["headline"]["value"])} | {key: float(value) for key, value in controls.items()}
    found = {key: float(summary[key]) for key in MEASURES if isinstance(summary.get(key), int | float)}
    return found | {key: float(each["value"]) for key, each in summary.get("measures", {}).items()}


def columns_of(cells: Sequence[Cell]) -> list[str]:
    """The measures that any cell has, in order."""
    return list(dict.fromkeys(key for each in cells for key in each.means))


def shown(mean: Mean | None) -> str:
    """A mean and its interval in a cell of a table; of one seed the mean alone.

    >>> shown(Mean(0.5, 0.4, 0.6, 3)), shown(Mean(0.5, None, None, 1)), shown(None)
    ('0.500 (0.400 to 0.600)', '0.500', '-')
    """
    if mean is None:
        return "-"
    interval = "" if mean.low is None or mean.high is None else f" ({mean.low:.3f} to {mean.high:.3f})"
    return f"{mean.value:.3f}{interval}"


def write_table(folder: Path, name: str, points: Sequence[Point], failed: Mapping[Path, str]) -> list[Cell]:
    """Write ``sweep.json`` and ``sweep.html``, and give the rows that stand in them."""
    from runs.report._pages import page  # which imports configs: a job has to import its plugins before

    cells = cells_of(points, failed)
    why = {str(path.relative_to(folder)): line for path, line in failed.items()}
    write_json(folder / "sweep.json", {"name": name, "cells": [asdict(each) for each in cells], "failed": why})
    keys = list(dict.fromkeys(key for each in cells for key in each.varied))
    rows = [
        {
            "varied": [each.varied.get(key, "") for key in keys],
            "game": each.game,
            "done": sum(state == "finished" for state in each.states.values()),
            "runs": [(seed, state, f"{each.name}/seed-{seed}/report.html") for seed, state in each.states.items()],
            "cells": [shown(each.means.get(key)) for key in columns_of(cells)],
        }
        for each in cells
    ]
    template = page("runs.sweep", "sweep.html")
    told = template.render(name=name, keys=keys, columns=columns_of(cells), rows=rows, failed=why)
    write_text(folder / "sweep.html", told)
    return cells
