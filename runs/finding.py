"""What a probe found, as plain data: numbers for tables, and what the report draws figures of."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Curve", "Drawn", "Finding", "plain"]


@dataclass(frozen=True)
class Curve:
    """A line of a probe's figure.

    Attributes:
        x: where, rising.
        y: the measure there.
        low: lower ends of its 95 % interval, if it has one.
        high: upper ends.
    """

    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None


@dataclass(frozen=True)
class Drawn:
    """A drawing that the report shows with a probe: strokes and numbers, never pixels.

    Attributes:
        drawing: the strokes of one game, as the journal writes them (``drawings.written``, then ``drawings.one_of``).
        caption: what there is to see.
        weights: a number a stroke, [N]: the report colours strokes by it (blue below 0, red above).
        heat: a map over the canvas, rows from the top, which the report lays under the strokes (any scale, 0 is none).
        photo: position in the gallery of the picture that is shown beside it.
    """

    drawing: dict[str, Any]
    caption: str = ""
    weights: list[float] | None = None
    heat: list[list[float]] | None = None
    photo: int | None = None


@dataclass(frozen=True)
class Finding:
    """What a probe found: never a number alone.

    Attributes:
        value: the estimate.
        low: lower end of its 95 % interval.
        high: upper end.
        n: games (or drawings) it rests on.
        chance: what blind guessing would give; None where guessing means nothing.
        baselines: the same measure of controls, by name.
        parts: the same measure of parts (classes, numbers of strokes), or further measures, by name.
        table: more than one number a part: rows by name, each columns by name.
        curves: lines of the figure by their name; ``over`` says of what.
        over: what the curves' x is ("strokes", "step").
        pictures: drawings to show.
        measure: what ``value`` is, in words for an axis ("rate", "rank correlation").
        height: what the curves' y is, where it is another thing.
    """

    value: float
    low: float
    high: float
    n: int
    chance: float | None
    baselines: dict[str, float]
    parts: dict[str, float] | None = None
    table: dict[str, dict[str, float]] | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    over: str = ""
    pictures: list[Drawn] = field(default_factory=list)
    measure: str = "rate"
    height: str = ""


def plain(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it; None for a number that is not finite, and nothing of what it does not have.

    >>> found = plain(Finding(0.5, 0.4, float("nan"), 10, None, {"blank": 0.1}))
    >>> found["high"], found["chance"], "curves" in found
    (None, None, False)
    """
    found: dict[str, Any] = _finite(asdict(finding))
    return {key: value for key, value in found.items() if key in _ALWAYS or value}


_ALWAYS = ("value", "low", "high", "n", "chance", "baselines", "parts", "measure")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
