"""From the curves found in a file to one ``Strokes``."""

from dataclasses import dataclass

import torch

from raster.strokes import Strokes
from raster.vector._svg_shapes import Piece, Point
from raster.vector.padding import polylines

_DEGREES = {"quadratic": 2, "cubic": 3}


@dataclass(frozen=True)
class Found:
    """One stroke: its curves end to end, canvas coordinates, how it looks, and what `to_svg` said that it was."""

    pieces: list[Piece]
    width: float
    opacity: float
    colour: tuple[float, float, float]
    kind: str
    ends: tuple[Point, ...]


def assembled(found: list[Found], colours: bool, where: str) -> Strokes:
    """All of them, of one kind: the one they were written as, or else the lowest that holds them."""
    if not found:
        return Strokes(torch.zeros(0, 2, 2))
    kind = _kind(found)
    kind, _, knots = kind.partition(" ")
    lines = [torch.tensor(_points(each, kind), dtype=torch.float64) for each in found]
    points = torch.stack(lines) if kind in ("point", "quadratic") else polylines(lines, where)
    opacity = torch.tensor([each.opacity for each in found])
    inks = torch.tensor([each.colour for each in found])
    return Strokes(
        points.float(),
        kind,
        width=torch.tensor([each.width for each in found]),
        opacity=None if bool((opacity == 1).all()) else opacity,
        colour=inks if colours and bool(inks.any()) else None,
        knots=knots or "centripetal",
    )


def _kind(found: list[Found]) -> str:
    declared = {each.kind for each in found}
    if len(declared) == 1 and (kind := declared.pop()) and all(_holds(kind, each, found[0]) for each in found):
        return kind
    for kind in ("point", "line", "polyline", "quadratic"):
        if all(_holds(kind, each) for each in found):
            return kind
    return "cubic"


def _holds(kind: str, each: Found, like: Found | None = None) -> bool:
    """Whether a stroke can be said in a kind; and, ``like`` another, with as many points."""
    degree = max(len(piece) for piece in each.pieces) - 1
    if like is not None and len(like.pieces) != len(each.pieces):
        return False
    match kind.partition(" ")[0]:
        case "point":
            return len({point for piece in each.pieces for point in piece}) == 1
        case "line":
            return degree == 1 and len(each.pieces) == 1
        case "polyline":
            return degree == 1
        case "quadratic":
            return degree <= 2 and len(each.pieces) == 1
        case "cubic":
            return True
        case "catmull-rom":
            return bool(each.ends)
    return False


def _points(each: Found, kind: str) -> list[Point]:
    """A stroke's control points."""
    first = each.pieces[0][0]
    if kind == "point":
        return [first]
    if kind in _DEGREES:
        raised = [_raised(piece, _DEGREES[kind]) for piece in each.pieces]
        return [first, *(point for piece in raised for point in piece[1:])]
    joints = [first, *(piece[-1] for piece in each.pieces)]
    return [each.ends[0], *joints, each.ends[1]] if kind == "catmull-rom" else joints


def _raised(piece: Piece, degree: int) -> Piece:
    """The same curve with more control points."""
    while len(piece) <= degree:
        n = len(piece)
        inner = [
            tuple(i / n * a + (1 - i / n) * b for a, b in zip(piece[i - 1], piece[i], strict=True)) for i in range(1, n)
        ]
        piece = (piece[0], *((x, y) for x, y in inner), piece[-1])
    return piece
