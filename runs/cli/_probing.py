"""How ``lascaux probe`` shows what it measures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raster.errors import InputError
from runs.loading import nearest
from runs.probes import probes
from runs.report.probes import some_of

if TYPE_CHECKING:
    from runs.probing import Pooled, Probed

MOST_PARTS = 30
WIDE = 100
"""Columns of a terminal below which the cells stand close together."""


def chosen(names: str) -> list[str]:
    """The probes of a list such as ``rate,prefix``.

    Raises:
        InputError: one of them is no probe.
    """
    words = [word.strip() for word in names.split(",") if word.strip()]
    known = probes()
    for word in words or [""]:
        if word not in known:
            hint = nearest(word, known) or f"there are {', '.join(known)}"
            raise InputError(f"no probe {word!r}", "--names", hint)
    return list(dict.fromkeys(words))


def show(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what was found in one run, a table a probe; parts (classes, numbers of strokes) below the whole."""
    console = Console()
    for name, games in found.items():
        _table(console, name, "game", [(game, row, True) for game, row in games.items()])


def show_many(runs: "Sequence[Probed]", together: "Sequence[Pooled]") -> None:
    """Print what was found in several runs: a table a probe, a row a run, seeds of one config together below them."""
    console = Console()
    for name in dict.fromkeys(name for run in runs for name in run.found):
        rows = [(run.name, game, row) for run in runs for game, row in run.found[name].items()]
        rows += [
            (f"{group.name}, {row['runs']} seeds", game, row)
            for group in together
            for game, row in group.found.get(name, {}).items()
        ]
        several = len({game for _, game, _ in rows}) > 1
        _table(console, name, "run", [(f"{run}, {game}" if several else run, row, False) for run, game, row in rows])


def _table(console: Console, name: str, head: str, rows: Sequence[tuple[str, Mapping[str, Any], bool]]) -> None:
    there = [(label, row, parts) for label, row, parts in rows if "refused" not in row]
    controls = list(dict.fromkeys(key for _, row, _ in there for key in row["baselines"] if key != "chance"))
    table = Table(title=Text(name), padding=(0, 0) if console.width < WIDE else (0, 1))
    for column in (head, "value", "95 %", "n", "chance", *controls):
        # A narrow terminal folds the heads of controls and long names, never the numbers.
        side: Literal["left", "right"] = "left" if column == head else "right"
        whole = column in ("value", "95 %", "n")
        table.add_column(column, justify=side, min_width=8 if column == head else 5, no_wrap=whole, overflow="fold")
    for label, row, with_parts in there:
        rest = (_number(row["baselines"].get(each)) for each in controls)
        interval = f"{_number(row['low'])}-{_number(row['high'])}" if row["low"] is not None else ""
        table.add_row(Text(label), _number(row["value"]), interval, str(row["n"]), _number(row["chance"]), *rest)
        for part, value in some_of(row.get("parts") or {}, MOST_PARTS) if with_parts else ():
            table.add_row(Text(f"  {part}"), _number(value))
    if there:
        console.print(table)
    for label, row, _ in rows:
        if "refused" in row:
            console.print(Text(f"{name}, {label}: {row['refused']}"), soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
