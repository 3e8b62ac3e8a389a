"""What a sheet looks like when the pens are done with it."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from agents.bodies.body import Body
from raster import Strokes, rasterise
from raster.shapes import Float, Tensor

#: Pixels are drawn twice as fine and averaged.
_FINER = 2
#: Straight pieces that are drawn at a time.
_AT_ONCE = 20_000


def sheet(lines: Sequence[tuple[int, NDArray[np.float64]]], body: Body, per_mm: float = 4.0) -> Float[Tensor, "3 h w"]:
    """The page as a picture, white where no pen was: red, green and blue in [0, 1].

    A pen's own lines do not darken each other where they cross; a later pen covers an earlier one as its opacity says.

    Args:
        lines: (pen's number, polyline [v, 2] in mm on the page), such as ``Replayed.lines``.
        body: whose page and pens.
        per_mm: pixels a mm; the picture has at most 8192 on a side, so a large page has fewer.
    """
    page = body.page
    per_mm = min(per_mm, 8192 / max(page.width, page.height))
    size = max(1, round(page.height * per_mm)) * _FINER, max(1, round(page.width * per_mm)) * _FINER
    canvas = torch.ones(3, *size)
    for number in dict.fromkeys(pen for pen, _ in lines):
        pen = body.pens[number]
        pieces = _pieces([line for which, line in lines if which == number])  # [s 2 2], mm
        ends = (pieces * (2 * per_mm * _FINER) - torch.tensor([size[1], size[0]])) / min(size)
        width = torch.tensor(pen.width * per_mm * _FINER * 2 / min(size))
        ink = torch.zeros(size)
        for first in range(0, len(ends), _AT_ONCE):
            some = Strokes(ends[first : first + _AT_ONCE].float(), width=width)
            ink = rasterise(some, size, compose="max", response="hard", background=ink)
        ink = ink * pen.opacity
        canvas = canvas * (1 - ink) + torch.tensor(pen.rgb)[:, None, None] * ink
    return F.avg_pool2d(canvas[None], _FINER)[0]


def _pieces(lines: Sequence[NDArray[np.float64]]) -> Float[Tensor, "s 2 2"]:
    """All straight pieces of polylines; a dot is one without length."""
    pairs = [np.stack([line[:-1], line[1:]], 1) if len(line) > 1 else np.stack([line, line], 1) for line in lines]
    return torch.from_numpy(np.concatenate(pairs))
