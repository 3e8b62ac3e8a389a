"""Sketches as vector pictures."""

import math

from raster.errors import InputError
from raster.strokes import Strokes


def to_svg(strokes: Strokes, size: tuple[int, int], sigma2: float = 5e-4) -> str:
    """One sketch as an SVG picture of ``size`` (height, width) pixels, black on white.

    One path a stroke in the order of drawing, with round caps, in canvas coordinates. The width is that at
    which the raster's ink falls to one half, 2 sqrt(sigma2 ln 2). Raises ``InputError`` for a batch of sketches
    (index it first), coordinates that are not finite, or a sigma2 not above 0.

    >>> import torch
    >>> to_svg(Strokes(torch.zeros(1, 2, 2)), (8, 8)).count("<path")
    1
    """
    if strokes.batch_shape:
        raise InputError(f"a batch of {list(strokes.batch_shape)} sketches", "to_svg", "give one sketch, strokes[i]")
    if not (math.isfinite(sigma2) and sigma2 > 0):
        raise InputError(f"sigma2 of {sigma2!r}", "to_svg", "a finite number above 0")
    height, width = size
    short = min(height, width)
    right, down = width / short, height / short  # half the canvas, in canvas units
    paths = []
    for n, points in enumerate(strokes.points.detach().double().cpu().tolist()):
        if not all(math.isfinite(value) for point in points for value in point):
            raise InputError(
                "a stroke with a coordinate that is not finite", f"stroke {n}", "coordinates must be finite"
            )
        paths.append('<path d="M' + "L".join(f"{_number(x)} {_number(y)}" for x, y in points) + '"/>')
    box = " ".join(_number(value) for value in (-right, -down, 2 * right, 2 * down))
    thickness = _number(2 * math.sqrt(sigma2 * math.log(2)))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="{box}">',
            f'<rect x="{_number(-right)}" y="{_number(-down)}" width="100%" height="100%" fill="white"/>',
            f'<g fill="none" stroke="black" stroke-width="{thickness}" stroke-linecap="round" stroke-linejoin="round">',
            *paths,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _number(value: float) -> str:
    """Six decimals (a millionth of the canvas), no trailing zeros, no exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".") or "0"
