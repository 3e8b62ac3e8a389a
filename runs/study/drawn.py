"""What a person drew on the page's canvas, as ``Strokes``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raster.errors import InputError

if TYPE_CHECKING:
    from raster import Strokes

__all__ = ["LONGEST_STROKE", "MOST_STROKES", "strokes_drawn"]

MOST_STROKES = 200
"""Strokes of one drawing that the page lets through."""
LONGEST_STROKE = 500
"""Points of one stroke, likewise."""
_EDGE = 1000
# A pointer that leaves the canvas while it draws is followed a little.
_FURTHEST = 2 * _EDGE


def strokes_drawn(response: Any) -> "Strokes":
    """An answer of kind ``draw`` as polylines [N, P, 2], in canvas coordinates (x right, y down, edges at +-1).

    Shorter strokes repeat their last point, which draws nothing more; a dot is a line of no length. Times are left out.

    Args:
        response: the answer's ``response``: strokes of [x, y, t] in thousandths and milliseconds (docs/study.md).

    Raises:
        InputError: no such answer: not whole numbers, too many of them, or far outside the canvas.

    >>> strokes_drawn([[[-1000, 0, 5], [0, 0, 21], [0, 1000, 40]], [[500, 500, 900]]]).points.tolist()
    [[[-1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]]
    """
    import torch

    from raster import Strokes

    if not isinstance(response, list) or not 1 <= len(response) <= MOST_STROKES:
        raise InputError(
            f"a drawing has 1 to {MOST_STROKES} strokes", "draw", "take the answers as the page saved them"
        )
    for stroke in response:
        if not isinstance(stroke, list) or not 1 <= len(stroke) <= LONGEST_STROKE or not all(map(_point, stroke)):
            what = f"a stroke has 1 to {LONGEST_STROKE} points [x, y, t], whole numbers near the canvas"
            raise InputError(what, "draw", "take the answers as the page saved them")
    longest = max(2, *(len(stroke) for stroke in response))
    points = [_grown(stroke, longest) for stroke in response]
    return Strokes(torch.tensor(points, dtype=torch.float32) / _EDGE, "polyline")


def _point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 3
        and all(type(value) is int for value in point)
        and max(abs(point[0]), abs(point[1])) <= _FURTHEST
        and 0 <= point[2] < 2**53
    )


def _grown(stroke: Sequence[Sequence[int]], length: int) -> list[list[int]]:
    places = [[point[0], point[1]] for point in stroke]
    return places + places[-1:] * (length - len(places))
