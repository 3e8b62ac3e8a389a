"""Drawings of findings as SVG: strokes in the colour of what they carry, maps laid under them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from markupsafe import Markup

from raster import in_sight, to_svg
from raster.shapes import Float, Tensor
from runs.drawings import strokes_of

SIDE = 120
"""Pixels of a drawing."""
PALE = 0.82
"""Grey of a stroke that carries nothing."""


def drawn_svg(drawn: Mapping[str, Any], sigma2: float) -> Markup:
    """A ``Drawn`` as plain data, as an SVG element.

    With ``weights`` strokes are red where theirs is above 0 and blue below, as strong as it is beside the drawing's
    largest, and pale grey at 0; the strongest are drawn last. With ``heat`` the map lies under the strokes.
    """
    strokes = strokes_of(drawn["drawing"])
    if drawn.get("weights"):
        weights = torch.tensor([0.0 if each is None else each for each in drawn["weights"]])
        strokes = replace(strokes, colour=shades(weights)).select(weights.abs().argsort())
    else:
        strokes = in_sight(strokes)
    svg = to_svg(strokes, (SIDE, SIDE), sigma2=sigma2)
    if drawn.get("heat"):
        sheet = svg.index("/>", svg.index("<rect")) + 2  # after the paper
        svg = svg[:sheet] + _map(drawn["heat"]) + svg[sheet:]
    return Markup(svg)  # noqa: S704 (numbers only)


def shades(weights: Float[Tensor, " n"]) -> Float[Tensor, "n 3"]:
    """Red above 0, blue below, grey at 0, [N, 3] as a viewer sees them.

    >>> [round(each, 2) for each in shades(torch.tensor([1.0, 0.0, -2.0]))[1].tolist()]
    [0.82, 0.82, 0.82]
    """
    grey = torch.full((3,), PALE)
    red, blue = torch.tensor([0.78, 0.11, 0.11]), torch.tensor([0.10, 0.28, 0.78])
    largest = weights.abs().max().clamp(min=1e-12)
    share = (weights.abs() / largest)[:, None]
    end = torch.where(weights[:, None] > 0, red, blue)
    return (grey + share * (end - grey)).round(decimals=2)


def _map(heat: Sequence[Sequence[float | None]]) -> str:
    """A map over the canvas as squares of orange, the more opaque the higher."""
    rows = [[0.0 if each is None else max(0.0, float(each)) for each in row] for row in heat]
    highest = max((each for row in rows for each in row), default=0.0) or 1.0
    down, right = 2 / len(rows), 2 / len(rows[0])
    squares = [
        f'<rect x="{-1 + x * right:.4f}" y="{-1 + y * down:.4f}" width="{right:.4f}" height="{down:.4f}" '
        f'fill="#e8821e" fill-opacity="{each / highest:.2f}"/>'
        for y, row in enumerate(rows)
        for x, each in enumerate(row)
        if each / highest >= 0.01
    ]
    return "".join(squares)
