"""From a head's raw numbers to ``Strokes``, the same way for every head."""

from collections.abc import Mapping

import torch

from agents.heads.config import StrokesConfig
from agents.moment import Moment
from raster import Strokes
from raster.shapes import Float, Tensor

#: Where opacity, presence and colour start, before the sigmoid: 0.88 of each, with most of its slope left.
PRESENT = 2.0
#: No control point starts nearer to the edge than this: tanh is flat there.
EDGE = 0.95


def parts_of(config: StrokesConfig) -> dict[str, int]:
    """What a stroke is made from, in the order of its raw numbers, and how many numbers each takes."""
    parts = {"points": 2 * config.control_points}
    if config.width is not None:
        parts["width"] = 1
    if config.opacity:
        parts["opacity"] = 1
    if config.colour:
        parts["colour"] = 3
    if config.presence != "always":
        parts["presence"] = 1
    return parts


def numbers(config: StrokesConfig) -> int:
    """Raw numbers a stroke, D: two a control point, and what else it carries."""
    return sum(parts_of(config).values())


def start(config: StrokesConfig) -> Float[Tensor, "n d"]:
    """Raw numbers of short strokes strewn over the canvas, dark, opaque and there: where every head starts.

    Strokes that start on one another get the same gradient and never part. A curve's control points lie on the
    short line that it starts as; a Catmull-Rom spline's outermost points lie beyond its ends, so that what is drawn is
    that line too. Widths start in the middle of their range (the geometric mean). Draws from torch's global
    generator, as every module's first weights do: make it under ``torch.random.fork_rng``.
    """
    n, p = config.count, config.control_points
    centre = (torch.rand(n, 1, 2) * 2 - 1) * config.spread
    ends = (centre + (torch.rand(n, 2, 2) - 0.5) * 0.4).clamp(-EDGE, EDGE)
    points = laid(ends, config.kind, p).clamp(-EDGE, EDGE)  # [N, P, 2]
    rest = [torch.full((n, size), 0.0 if name == "width" else PRESENT) for name, size in parts_of(config).items()]
    return torch.cat([torch.atanh(points).flatten(1), *rest[1:]], dim=1)  # points are the first of the parts


def laid(ends: Float[Tensor, "*batch n 2 d"], kind: str, points: int) -> Float[Tensor, "*batch n p d"]:
    """The straight strokes of a kind between two ends each: their control points, evenly spaced.

    A point lies in the middle. A Catmull-Rom spline's outermost points lie beyond the ends, so that what is drawn
    (it goes from the second point to the last but one) is that line too.
    """
    if kind == "point":
        along = torch.full((1,), 0.5)
    elif kind == "catmull-rom":
        along = (torch.arange(points) - 1) / (points - 3)
    else:
        along = torch.arange(points) / (points - 1)
    along = along[:, None].to(ends)  # [P, 1]
    return (1 - along) * ends[..., :1, :] + along * ends[..., 1:, :]  # written so that both ends are met exactly


def carried(raw: Mapping[str, Float[Tensor, "*batch n _"]], config: StrokesConfig, moment: Moment) -> dict[str, Tensor]:
    """What strokes carry beside their points, from the raw numbers of each part (``parts_of``), by name.

    Opacity, colour and presence through the sigmoid; the width is ``low (high / low)^s`` with s such a sigmoid, so that
    equal steps are equal ratios. ``to_strokes`` says what ``presence: hard`` means.
    """
    found = {name: torch.sigmoid(value if name == "colour" else value[..., 0]) for name, value in raw.items()}
    if config.width is not None:
        low, high = config.width.low, config.width.high
        found["width"] = low * (high / low) ** found["width"]
    if config.presence == "hard" and not moment.training:
        found["presence"] = (found["presence"] >= 0.5).to(found["presence"].dtype)
    return found


def to_strokes(raw: Float[Tensor, "*batch n d"], config: StrokesConfig, moment: Moment) -> Strokes:
    """Raw numbers, any size and sign, to strokes with points in (-1, 1).

    Points through tanh, the rest as ``carried`` says. With ``presence: hard`` a stroke is there or not, by a
    weight of 0.5, when a run is measured (``moment.training`` is False); while it learns the weight stays soft, so that
    there is a gradient, and the two differ the less the surer the sender is.

    Args:
        raw: D = ``numbers(config)`` a stroke.
        config: what a stroke is made from.
        moment: says whether a run is measured.
    """
    parts = parts_of(config)
    found = dict(zip(parts, raw.split(list(parts.values()), dim=-1), strict=True))
    points = torch.tanh(found.pop("points")).unflatten(-1, (config.control_points, 2))
    return Strokes(points, config.kind, **carried(found, config, moment))  # type: ignore[arg-type]
