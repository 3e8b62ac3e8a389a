"""Sketches as SVG pictures."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from raster._check import check_values
from raster.curves import to_bezier
from raster.errors import InputError
from raster.shapes import Tensor
from raster.strokes import Strokes

#: Decimals of a coordinate in a file: a millionth of the canvas's half side.
DECIMALS = 6


def to_svg(
    strokes: Strokes,
    size: tuple[int, int],
    sigma2: float | Tensor = 5e-4,
    *,
    paper: float | Sequence[float] | None = 1.0,
) -> str:
    """One sketch as an SVG picture of ``size`` (height, width) pixels.

    One path a stroke in the order of drawing, with round caps and joins, in canvas coordinates, with six decimals.
    A point is a path of no length, whose caps make a dot. Lines, polylines, quadratic and cubic curves are SVG's
    own; a Catmull-Rom spline is written as the cubic curves that it is. The width is that at which the raster's ink
    falls to one half, ``2 sqrt(sigma2 ln 2)``: the stroke's own, or else by ``sigma2``. A stroke's opacity times
    its presence (times its colour's fourth number) is its ``stroke-opacity``; a stroke of presence 0 is left out.

    **Colours.** In the raster ink is 1 and paper 0; a viewer shows ink as black on white. So strokes without a
    colour are written black, on a white paper. A stroke with a colour is written in that colour as it stands (red,
    green, blue, in 256 steps each), and ``paper`` says on what. What a viewer then shows is
    ``rasterise(strokes, size, compose="over", background=paper)`` with hard edges: SVG paints each stroke over those
    before it and has no soft "or". Say ``paper=0`` for colours that were drawn on the raster's own paper.

    Args:
        strokes: one sketch, points of two coordinates.
        size: (height, width) in pixels.
        sigma2: squared half-width of strokes that carry none, canvas units; a number or [n].
        paper: what colour the paper has: a grey or three numbers in [0, 1]; None leaves it out (transparent).

    Raises ``InputError`` for a batch of sketches (index it first), points that are not of two coordinates, a size
    below 1, values that ``rasterise`` would refuse too, or a paper that is no colour.

    >>> to_svg(Strokes(torch.zeros(1, 2, 2)), (8, 8)).count("<path")
    1
    """
    if strokes.batch_shape:
        raise InputError(f"a batch of {list(strokes.batch_shape)} sketches", "to_svg", "give one sketch, strokes[i]")
    if strokes.points.shape[-1] != 2:
        raise InputError(f"points of {strokes.points.shape[-1]} coordinates", "to_svg", "an SVG picture is flat: 2")
    if min(size) < 1:
        raise InputError(f"a picture of {size[0]} x {size[1]} pixels", "to_svg", "at least 1 x 1")
    if not isinstance(sigma2, Tensor) and not (math.isfinite(sigma2) and sigma2 > 0):
        raise InputError(f"sigma2 of {sigma2!r}", "to_svg", "a finite number above 0")
    check_values(strokes, sigma2, "softor")
    present = [True] * strokes.count if strokes.presence is None else (strokes.presence > 0).tolist()
    drawn = [n for n in range(strokes.count) if present[n]]
    widths, opacities, colours = _widths(strokes, sigma2), _opacities(strokes), _colours(strokes)
    common = _short(widths[drawn[0]]) if drawn else _short(1.0)
    shapes, ends = _shapes(strokes)
    paths = []
    for n in drawn:
        own = f' stroke="{colours[n]}"' if colours else ""
        own += f' stroke-width="{_short(widths[n])}"' if _short(widths[n]) != common else ""
        own += f' stroke-opacity="{_short(opacities[n])}"' if opacities[n] != 1 else ""
        own += f' data-ends="{ends[n]}"' if ends else ""
        paths.append(f'<path d="{shapes[n]}"{own}/>')
    height, width = size
    right, down = width / min(size), height / min(size)  # half the canvas, in canvas units
    box = " ".join(_number(value) for value in (-right, -down, 2 * right, 2 * down))
    sheet = f'<rect x="{_number(-right)}" y="{_number(-down)}" width="100%" height="100%" fill="{_paper(paper)}"/>'
    kind = f'data-kind="{strokes.kind}"' + (f' data-knots="{strokes.knots}"' if ends else "")
    look = 'fill="none" stroke="black" stroke-linecap="round" stroke-linejoin="round"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="{box}">',
            *([] if paper is None else [sheet]),
            f'<g {look} stroke-width="{common}" {kind}>',
            *paths,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _shapes(strokes: Strokes) -> tuple[list[str], list[str]]:
    """What stands in each path's ``d``; and for splines their two outermost points, which no path goes through."""
    # A spline is made from its points as they are written, so that a reader can make the same one of them.
    points = strokes.points.detach().double().cpu().mul(10**DECIMALS).round().div(10**DECIMALS)  # [n p 2]
    rows = points.tolist()
    if strokes.kind == "point":
        return [f"M{_pair(row[0])}L{_pair(row[0])}" for row in rows], []
    if strokes.kind in ("line", "polyline"):
        return ["M" + "L".join(map(_pair, row)) for row in rows], []
    ends: list[str] = []
    if strokes.kind == "catmull-rom":
        ends = [f"{_pair(row[0])} {_pair(row[-1])}" for row in rows]
        bezier = to_bezier(Strokes(points, strokes.kind, knots=strokes.knots))  # [n m 4 2]
        rows = torch.cat([bezier[:, 0, :1], bezier[:, :, 1:].flatten(1, 2)], 1).tolist()  # [n 3m+1 2]
    letter = "Q" if strokes.kind == "quadratic" else "C"
    return [f"M{_pair(row[0])}{letter}" + " ".join(map(_pair, row[1:])) for row in rows], ends


def _widths(strokes: Strokes, sigma2: float | Tensor) -> list[float]:
    """Each stroke's width at half its ink, canvas units."""
    if strokes.width is not None:
        return strokes.width.detach().double().tolist()
    own = sigma2 if strokes.sigma2 is None else strokes.sigma2
    given = torch.as_tensor(own, dtype=torch.float64, device="cpu").detach()
    try:
        each = given.expand(strokes.count)
    except RuntimeError:
        shapes = f"{list(given.shape)} against {strokes.count} strokes"
        raise InputError("sigma2 does not fit the strokes", shapes, "a number, or one a stroke") from None
    return (2 * (each * math.log(2)).sqrt()).tolist()


def _opacities(strokes: Strokes) -> list[float]:
    amount = torch.ones(strokes.count, dtype=torch.float64)
    alpha = strokes.colour[:, 3] if strokes.colour is not None and strokes.colour.shape[-1] == 4 else None
    for factor in (strokes.opacity, strokes.presence, alpha):
        if factor is not None:
            amount = amount * factor.detach().double().cpu()
    return amount.tolist()


def _colours(strokes: Strokes) -> list[str]:
    """Each stroke's colour, as #rrggbb; none if the strokes have none."""
    if strokes.colour is None:
        return []
    return [_hex(row[:3]) for row in strokes.colour.detach().double().tolist()]


def _paper(paper: float | Sequence[float] | None) -> str:
    rgb = [1.0] if paper is None else [paper] if isinstance(paper, int | float) else list(paper)
    if len(rgb) not in (1, 3) or not all(0 <= value <= 1 for value in rgb):
        raise InputError(f"a paper of {paper!r}", "to_svg", "one number or three, in [0, 1], or None")
    return _hex(rgb * (3 // len(rgb)))


def _hex(rgb: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)


def _pair(point: Sequence[float]) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    """Six decimals (a millionth of the canvas), no trailing zeros, no exponent."""
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def _short(value: float) -> str:
    """Six digits that count, no exponent: a width or an opacity may be small."""
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")
