"""The numbers of a study on a terminal."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runs.study.agreement import Agreement
from runs.study.files import plain
from runs.study.intervals import Interval, Mean, Rate
from runs.study.questions import Question

if TYPE_CHECKING:
    from runs.study.scoring import Score

__all__ = ["ASKED", "percent", "print_score"]

ASKED = {
    "pick": "pick the picture",
    "class": "pick the class",
    "name": "name it",
    "rate": "rate likeness",
    "compare": "two drawings",
    "draw": "draw it",
}


def percent(value: float | None, interval: Interval = None) -> str:
    """A part of one as per cent, with its interval.

    >>> percent(0.614, (0.578, 0.649)), percent(None)
    ('61.4 % [57.8, 64.9]', '-')
    """
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" + ("" if interval is None else f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]")


def number(value: float | None, interval: Interval = None) -> str:
    """A number with two decimals, with its interval."""
    if value is None:
        return "-"
    return f"{value:.2f}" + ("" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]")


def print_score(result: "Score", console: Console) -> None:
    """Print the table, what was refused and why, and where everything was written."""
    title = f"study {result.study}" + (": SIMULATED, not people" if result.simulated else "")
    found = Table(title=Text(title))
    found.add_column("")
    columns = [("all", result.everyone)]
    if result.excluded and result.kept is not None:
        columns.append(("kept", result.kept))
    for name, some in columns:
        found.add_column(f"{name} ({some.participants})", justify="right")
    for kind in result.everyone.questions:
        found.add_section()
        asked = [some.questions.get(kind) for _, some in columns]
        found.add_row(Text(ASKED[kind], style="bold"))
        for label, cell in _lines(asked):
            cells = ["-" if each is None else cell(each) for each in asked]
            if any(each != "-" for each in cells):
                found.add_row(Text(label), *cells)
    console.print(found)
    if result.kept is None:
        console.print("The exclusion rule leaves nobody.")
    for each in result.refused:  # Text, not markup: a file's name is somebody's
        console.print(Text(f"not counted: {plain(each.source.name)}: {each.why}"))
    if result.to_code:
        console.print(Text(f"{result.to_code} name(s) fit nothing: write 1 or 0 into names.csv, and score again"))
    for kind, formula in result.formulas.items():
        console.print(Text(f"responses.csv, kind {kind}: {formula}"), soft_wrap=True)
    console.print(Text(f"written: {plain(result.folder, 200)}/{', '.join(result.written)}"), soft_wrap=True)


Cell = Callable[[Question], str]


def _lines(asked: list[Question | None]) -> list[tuple[str, Cell]]:
    conditions = sorted({name for each in asked if each for name in (*each.by_condition, *each.ratings) if name})
    lines = list(_FIXED)
    if len(conditions) > 1:
        lines += [(f"  {plain(name, 40)}", _condition(name)) for name in conditions]
    pairs = {(each.one, each.other): None for some in asked if some for each in some.differences}
    lines += [(f"  {plain(a, 20)} - {plain(b, 20)}", _pair(a, b)) for a, b in pairs]
    beside = dict.fromkeys(name for some in asked if some for name in some.correlations)
    lines += [(f"  goes with {plain(name, 40)}", _goes_with(name)) for name in beside]
    sides = dict.fromkeys(each.name for some in asked if some for each in some.sides)
    return lines + [(f"  chosen: {plain(name, 40)}", _side(name)) for name in sides]


def _condition(name: str) -> Cell:
    def cell(question: Question) -> str:
        if name in question.by_condition:
            return _both(question.by_condition[name].people)
        rated = question.ratings.get(name)
        return number(rated.mean.value, rated.mean.both) if rated else "-"

    return cell


def _pair(one: str, other: str) -> Cell:
    def cell(question: Question) -> str:
        for each in question.differences:
            if (each.one, each.other) == (one, other):
                write = number if question.kind == "rate" else percent
                return write(each.people.value, each.people.both)
        return "-"

    return cell


def _goes_with(name: str) -> Cell:
    def cell(question: Question) -> str:
        each = question.correlations.get(name)
        return "-" if each is None else number(each.rho, each.interval)

    return cell


def _side(name: str) -> Cell:
    def cell(question: Question) -> str:
        return next((percent(each.share, each.interval) for each in question.sides if each.name == name), "-")

    return cell


def _wilson(rate: Rate | None) -> str:
    return "-" if rate is None else percent(rate.value, (rate.low, rate.high))


def _both(rate: Mean | None) -> str:
    return "-" if rate is None else percent(rate.value, rate.both)


def _between(interval: Interval) -> str:
    return "-" if interval is None else f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def _of(cell: Callable[..., str], *names: str) -> Cell:
    """A cell of something that lies within a question, "-" where it is not there."""

    def found(question: Question) -> str:
        value: object = question
        for name in names:
            value = getattr(value, name, None)
        return "-" if value is None else cell(value)

    return found


def _agents(question: Question, kinds: tuple[str, ...]) -> str:
    return _wilson(question.all.agents) if question.all and question.kind in kinds else "-"


def _rating(question: Question) -> str:
    rated = question.ratings.get("")
    return number(rated.mean.value, rated.mean.both) if rated else "-"


def _measure(found: Agreement | None) -> str:
    return number(found.value, found.interval) if found else "-"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


_FIXED: tuple[tuple[str, Cell], ...] = (
    ("people, right", _of(_wilson, "all", "people")),
    ("  interval over participants", _of(_between, "all", "people", "participants")),
    ("  interval over drawings", _of(_between, "all", "people", "sketches")),
    ("  over both", _of(_between, "all", "people", "both")),
    ("  cannot tell left out", _of(_wilson, "all", "people_told")),
    ("  right class", lambda each: _wilson(each.all.people_class) if each.all and each.kind == "pick" else "-"),
    ("  strictly named", _of(_wilson, "strict")),
    ("mean rating", _rating),
    ("cannot tell", lambda each: percent(each.cannot_tell)),
    ("agents on the same trials", lambda each: _agents(each, ("pick", "class"))),
    ("agents in their own game", lambda each: _agents(each, ("name", "compare"))),
    ("people - agents", _of(_both, "all", "difference")),
    ("chose the one its receiver was surer of", _of(_both, "surer")),
    ("chance", _of(percent, "all", "chance")),
    ("  p (answers independent)", _of(_p, "all", "above_chance")),
    ("  p (over participants)", _of(_p, "all", "above_chance_participants")),
    ("agreement (alpha)", lambda each: _measure(each.agreement.get(""))),
    ("split-half consistency", lambda each: _measure(each.halves)),
    ("  the ceiling of what can go with rates", _of(number, "ceiling")),
    ("answers", lambda each: str(each.answers)),
)
