"""Drawings in a journal: how strokes are written into a line, and the one way they are read again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raster.errors import InputError

if TYPE_CHECKING:
    from raster import Strokes

CARRIED = ("sigma2", "width", "opacity", "colour", "presence")
"""What each stroke may carry beside its points; a key of the line for each that is there."""
WORDS = {"kind": "line", "knots": "centripetal"}
"""What is said once for a whole line, and only where it is not this."""
DECIMALS = 4
"""Of points, opacity, colour and presence. Widths are small: they keep five digits that count."""


def written(strokes: "Strokes") -> dict[str, Any]:
    """Strokes [B, N] as keys of a JSON line: ``strokes`` (the points) and what else they carry (docs/files.md)."""
    line: dict[str, Any] = {"strokes": _rounded(strokes.points)}
    line |= {key: getattr(strokes, key) for key, usual in WORDS.items() if getattr(strokes, key) != usual}
    for key in CARRIED:
        value = getattr(strokes, key)
        if value is not None:
            line[key] = _short(value) if key in ("sigma2", "width") else _rounded(value)
    return line


def one_of(line: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The drawing of one game of a line: the same keys, for that game alone."""
    found = {key: line[key][number] for key in ("strokes", *CARRIED) if key in line}
    return found | {key: line[key] for key in WORDS if key in line}


def strokes_of(drawing: Mapping[str, Any]) -> "Strokes":
    """The strokes of a journal line, [games, N], or of one game of it (``one_of``), [N].

    A line of before strokes carried anything has points alone: lines of ink.

    Raises:
        InputError: what stands there is no drawing.
    """
    import torch

    from raster import Strokes

    try:
        found = {
            key: torch.tensor(drawing[key], dtype=torch.float32) for key in ("strokes", *CARRIED) if key in drawing
        }
        return Strokes(
            points=found["strokes"],
            kind=str(drawing.get("kind", WORDS["kind"])),
            knots=str(drawing.get("knots", WORDS["knots"])),
            **{key: found.get(key) for key in CARRIED},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("strokes that cannot be drawn", None, "run again") from error


def _rounded(values: Any) -> Any:
    return values.detach().double().cpu().numpy().round(DECIMALS).tolist()


def _short(values: Any) -> Any:
    return [[float(f"{value:.5g}") for value in row] for row in values.detach().double().cpu().tolist()]
