"""What a run says while it goes: a rich progress bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

PLAIN_EVERY = 10.0
"""Seconds between two plain lines."""
NARROW = 110
"""Columns of a terminal below which the cells of the last table stand close together."""


class Progress:
    """Shows the step, the communication rate and the newest losses; ``idle`` is shown before the first."""

    def __init__(self, steps: int, enabled: bool = True, start: int = 0, idle: str = "rate   -  ") -> None:
        self.console = Console(stderr=True, quiet=not enabled)
        if not self.console.is_terminal:
            self.console.width = 130  # a log file has no width; a table that is cut says nothing
        self.steps, self.start = steps, start
        self.newest: dict[str, float] = {}
        self.spoke = 0.0
        self.bar: Bar | None = None
        if self.console.is_terminal and enabled:
            self.bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.task = self.bar.add_task(idle, total=steps, completed=start)

    def __enter__(self) -> "Progress":
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def say(self, line: str) -> None:
        """A line of its own."""
        self.console.print(line, highlight=False, soft_wrap=True)

    def update(self, step: int, numbers: dict[str, float]) -> None:
        """The newest numbers at ``step``."""
        self.newest |= numbers
        rates = {key: value for key, value in self.newest.items() if "rate" in key and "validation rate/" not in key}
        text = "  ".join(f"{key.replace('rate/', '')} {value:.1%}" for key, value in rates.items())
        losses = [key for key in self.newest if "rate" not in key and not key.startswith("gradient/")]
        text += "".join(f"  {key} {self.newest[key]:.3f}" for key in losses)
        if self.bar is not None:
            self.bar.update(self.task, completed=step, description=text)
        elif time.monotonic() - self.spoke > PLAIN_EVERY or step == self.steps:
            self.spoke = time.monotonic()
            self.say(f"step {step}/{self.steps}  {text}")

    def summary(self, summary: dict[str, Any]) -> None:
        """The table of results, controls beside the rate; of traces, beside the error."""
        if "rate" not in summary:
            (self._described if "measures" in summary else self._traced)(summary)
            return
        columns = ["rate", "chance", "blank", "shuffled", "untrained", "ceiling", "iconicity"]
        if all(row.get("iconicity") is None for _, _, row in rows(summary)):
            columns.remove("iconicity")  # not measured: on a narrow terminal every column counts
        turns = any("turns" in row for _, _, row in rows(summary))
        narrow = self.console.width < NARROW
        table = Table(title=f"{summary['name']}: on the test split", padding=(0, 0) if narrow else (0, 1))
        for column in ("game", "pictures", "rate", "95 %", *columns[1:], *(["turns"] if turns else []), "n"):
            side: Literal["left", "right"] = "left" if column in ("game", "pictures") else "right"
            # Names and heads may take two lines; the rate and its interval are never cut.
            table.add_column(column, justify=side, overflow="fold", no_wrap=column in ("rate", "95 %", "n"))
        for game, split, row in rows(summary):
            cells = [_percent(row.get(column)) for column in columns]
            cells.insert(1, f"{_percent(row['low'])}-{_percent(row['high'])}")
            if turns:
                cells.append(f"{row['turns']:.2f}")
            table.add_row(game, split, *cells, str(row["n"]))
        self.console.print(table)

    def _described(self, summary: dict[str, Any]) -> None:
        """A table of a run of description: a row a measure, what was said beside what is said under each control."""
        narrow = self.console.width < NARROW
        for game, split, row in rows(summary):
            title = f"{summary['name']}: on the {split} split, n = {row['n']}"
            table = Table(title=title, padding=(0, 0) if narrow else (0, 1))
            for column in ("", game, "95 %", *row["controls"]):
                table.add_column(column, justify="right" if column else "left", overflow="fold", no_wrap=not column)
            for name, own in row["measures"].items():
                cells = [_short(found[name]["value"]) for found in (row["measures"], *row["controls"].values())]
                cells.insert(1, "" if own["low"] is None else f"{_short(own['low'])}-{_short(own['high'])}")
                table.add_row(name.replace("_", " "), *cells)
            self.console.print(table)

    def _traced(self, summary: dict[str, Any]) -> None:
        """The table of a run in which nobody chooses: errors, and what a reader reads."""
        narrow = self.console.width < NARROW
        table = Table(title=f"{summary['name']}: on the test split", padding=(0, 0) if narrow else (0, 1))
        controls = list(summary["controls"])
        read = "readable" in summary
        more = ["read %", "of pictures %"] if read else []
        for column in ("pictures", "mse", "95 %", *controls, "bce", *more, "n"):
            table.add_column(column, justify="left" if column == "pictures" else "right", overflow="fold")
        for _, split, row in rows(summary):
            cells = [f"{row['mse']:.4f}", f"{row['mse_low']:.4f}-{row['mse_high']:.4f}"]
            cells += [f"{row['controls'][each]['mse']:.4f}" for each in controls]
            cells += [f"{row['bce']:.3f}"]
            cells += [_percent(row["readable"]["rate"]), _percent(row["readable"]["pictures"])] if read else []
            table.add_row(split, *cells, str(row["n"]))
        self.console.print(table)


def rows(summary: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """A summary's results as (game, split, numbers), the headline first."""
    found = [(summary["game"], summary["split"], summary)]
    found += [(game, split, row) for split, games in summary["splits"].items() for game, row in games.items()]
    return [found[0], *(each for each in found[1:] if (each[0], each[1]) != (found[0][0], found[0][1]))]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
