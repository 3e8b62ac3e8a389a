"""What ``lascaux probe`` measures, and how it is shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raster.errors import InputError
from runs.evidence import gather
from runs.loading import nearest
from runs.probes import ask_all, probes, probes_of
from runs.tracing import trace_split

if TYPE_CHECKING:
    from runs.run import Run

MOST_PARTS = 30
WIDE = 100
"""Columns of a terminal below which the cells stand close together."""


def chosen(names: str) -> list[str]:
    """The probes of a list such as ``rate,prefix``.

    Raises:
        InputError: one of them is no probe.
    """
    words = [word.strip() for word in names.split(",") if word.strip()]
    for word in words or [""]:
        if word not in probes():
            every = list(probes())
            hint = nearest(word, every) or f"there are {', '.join(every)}"
            raise InputError(f"no probe {word!r}", "--names", hint)
    return words


def measure(run: "Run", names: list[str]) -> dict[str, Any]:
    """Every probe on the test plays of every game: {probe: {game: finding as plain data}}.

    Raises:
        InputError: a probe asks for what the run's game has not: a choice, or traces.
    """
    if run.game.describes:
        do = "its figures stand in summary.json and report.html"
        raise InputError(f"no probe can be asked of a run of the game {run.config.game.kind}", run.folder, do)
    fit = probes_of(run.game)
    for name in names:
        if name not in fit:
            what = f"{name} cannot be asked of a run of the game {run.config.game.kind}"
            raise InputError(what, "--names", f"ask {', '.join(fit)}")
    if not run.game.chooses:
        traces = trace_split(run, "test")
        return {name: {run.game.label: asdict(each)} for name, each in ask_all(names, traces).items()}
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for part in run.game.parts:
        evidence = gather(run, part, "test", run.config.measure.test_pools)
        for name, each in ask_all(names, evidence).items():
            found[name][part.label] = asdict(each)
    return found


def show(found: dict[str, Any]) -> None:
    """Print findings as a table, one a probe; parts (classes, numbers of strokes) below the whole."""
    console = Console()
    for name, games in found.items():
        controls = list(dict.fromkeys(key for row in games.values() for key in row["baselines"] if key != "chance"))
        table = Table(title=Text(name), padding=(0, 0) if console.width < WIDE else (0, 1))
        for column in ("game", "value", "95 %", "n", "chance", *controls):
            # A narrow terminal folds the heads of controls, never the numbers or the name of the game.
            table.add_column(
                column, justify="left" if column == "game" else "right", min_width=8 if column == "game" else 5
            )
        for game, row in games.items():
            rest = (_number(row["baselines"].get(each)) for each in controls)
            interval = f"{_number(row['low'])}-{_number(row['high'])}"
            table.add_row(Text(game), _number(row["value"]), interval, str(row["n"]), _number(row["chance"]), *rest)
            for part, value in _few(row.get("parts") or {}):
                table.add_row(Text(f"  {part}"), _number(value))
        console.print(table)


def _few(parts: dict[str, float]) -> list[tuple[str, float | None]]:
    """All parts, or of very many the best and the worst."""
    if len(parts) <= MOST_PARTS:
        return list(parts.items())
    ranked = sorted(parts.items(), key=lambda item: -item[1])
    shown = MOST_PARTS // 2
    return [*ranked[:shown], (f"{len(ranked) - 2 * shown} between (--json has them)", None), *ranked[-shown:]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
