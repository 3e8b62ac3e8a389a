"""``rasterise``: from strokes in canvas coordinates to a picture."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Literal

import torch

from raster import _op, reference
from raster._check import check_values, check_words
from raster.curves import STRAIGHT, flatten, steps_for
from raster.engines import engine_for
from raster.errors import InputError
from raster.shapes import Float, Tensor
from raster.strokes import Strokes

#: d^2 / sigma^2 from where on a Gaussian stroke changes nothing: 1 - I rounds to 1 (ink), I underflows (gradient).
LOSSLESS = {torch.float32: (17.4, 87.0), torch.float64: (37.4, 708.0)}


def rasterise(
    strokes: Strokes,
    size: Sequence[int],
    *,
    sigma2: float | int | Tensor = 5e-4,
    compose: str = "softor",
    response: str = "gaussian",
    reach: float | int | Literal["lossless", "all"] = "lossless",
    tolerance: float | int | None = None,
    background: float | int | Tensor | None = None,
    check: bool = True,
    engine: str = "auto",
) -> Float[Tensor, "*batch_and_canvas"]:
    """Draws strokes on a canvas of ``size`` (height, width), differentiably: [*batch, h, w], or [*batch, 3, h, w]
    where the strokes have a colour.

    With d a pixel centre's distance to a stroke in canvas units, the stroke's ink there is ``I = R(d^2 / sigma2)``,
    and ``a = opacity * presence`` of it is applied (Mihai & Hare, arXiv 2103.16194). Ink is 1 and paper 0.

    Args:
        strokes: what is drawn. A ``sigma2`` or ``width`` of their own wins over the argument. Points of one or three
            coordinates are drawn on a canvas of one or three lengths, by the reference engine.
        size: (height, width) in pixels; (width,) or (depth, height, width) for points of one or three coordinates.
        sigma2: squared half-width of the ink, canvas units; one number, or a tensor that broadcasts to [*batch, n].
        compose: how strokes meet, in each channel with c its colour. ``"softor"``: 1 - prod(1 - a c I), whatever their
            order. ``"over"``: each stroke covers those before it, a I c + (1 - a I) behind. ``"max"``: the largest
            a c I (the gradient goes to that stroke alone). ``"sum"``: the sum of a c I, which may exceed 1.
        response: ``"gaussian"``: exp(-d^2 / sigma2). ``"linear"``: the tent 1 - d / w of the same width w at half its
            height, 2 sqrt(sigma2 ln 2), 0 from d = w on. ``"hard"``: 1 within half that width and at least in the
            nearest pixel, 0 elsewhere; it passes no gradient to points, sigma2 and width, only to
            opacity, presence and colour.
        reach: how many sigmas from it a stroke is felt, in picture and gradient. ``"lossless"`` stops where floating
            point cannot show the stroke any more (float32: 4.2 sigmas in the picture, 9.3 in the gradient),
            ``"all"`` nowhere. A tent ends by itself.
        tolerance: how far, in pixels, the polyline that is drawn in a curve's place may stray from it. Left out, as
            far as changes ink by at most 0.03 anywhere; on a GPU, where counting means waiting, 32 pieces a curve.
        background: what is drawn upon: a number, or anything that broadcasts with the picture; paper (0) if left out.
        check: look for NaN, infinity and values out of range, and name the first (that waits for a GPU: leave it off
            inside a training step, where a NaN in a stroke still is a NaN in its whole canvas).
        engine: ``"auto"``, or one of those that ``engine_for`` tells of.

    Half precision is drawn in float32; float64 stays. The same input gives the same bits, gradients included,
    for any number of threads. Only ``engine="reference"`` can be differentiated twice.

    Raises ``InputError`` for a canvas without pixels, an unknown word, a sigma2, reach or tolerance that is not above
    0 and finite, shapes that do not fit and, with ``check``, bad values in tensors.

    >>> ink = rasterise(Strokes(torch.zeros(1, 2, 2)), (5, 5), sigma2=0.1)
    >>> tuple(ink.shape), round(float(ink[2, 2]), 4)
    ((5, 5), 1.0)
    """
    check_words(strokes, size, sigma2, compose, response, reach, tolerance)
    if check:
        check_values(strokes, sigma2, compose)
    points = strokes.points
    if points.dtype in (torch.float16, torch.bfloat16):
        strokes = strokes.to(torch.float32)
    mixed = points.device.type != "meta" and torch.is_autocast_enabled(points.device.type)
    with torch.autocast(points.device.type, enabled=False) if mixed else nullcontext():
        return _draw(strokes, tuple(size), sigma2, compose, response, reach, tolerance, background, engine)


def _draw(
    strokes: Strokes,
    size: tuple[int, ...],
    sigma2: float | int | Tensor,
    compose: str,
    response: str,
    reach: float | int | str,
    tolerance: float | int | None,
    background: float | int | Tensor | None,
    engine: str,
) -> Tensor:
    points, batch, count = strokes.points, strokes.batch_shape, strokes.count
    sketches, short = math.prod(batch), min(size)
    chosen = engine_for(points.device, points.dtype, engine, len(size))
    inverse = _shaped(_inverse(strokes, sigma2, short, response), sketches, count)
    if response == "hard":
        strokes = replace(strokes, points=points.detach(), sigma2=None, width=None)
        inverse = inverse.detach()
    corners = strokes.points
    if strokes.kind not in STRAIGHT:
        sigma = inverse.detach().rsqrt().reshape(*batch, count)
        corners = flatten(strokes, *steps_for(strokes, sigma, short, tolerance))
    vertices = _shaped(to_pixels(corners, size), sketches, count, *corners.shape[-2:])
    weight, cover = _amounts(strokes, compose, upon=background is not None)
    weight = None if weight is None else weight.to(points).reshape(sketches, count, weight.shape[-1])
    cover = None if cover is None else cover.to(points).reshape(sketches, count)
    cut, gradient_cut = _cuts(reach, response, points.dtype)
    if chosen.name == "reference":
        picture = reference.render(vertices, inverse, weight, cover, size, compose, response, gradient_cut)
    else:
        how = (*size, compose, response, cut, gradient_cut, chosen.name)
        picture = _op.drawn(vertices, inverse, weight, cover, *how)
    channels, mono = picture.shape[1], strokes.colour is None
    covered: Tensor | float = 0.0
    if compose == "over" and background is not None:  # what is covered was drawn as one more channel
        picture, covered = picture.tensor_split([-1], dim=1)
        channels, covered = channels - 1, _shaped(covered, *batch, *([] if mono else [1]), *size)
    picture = _shaped(picture, *batch, *([] if mono else [channels]), *size)
    return picture if background is None else _upon(background, picture, covered, compose)


def _shaped(tensor: Tensor, *shape: int) -> Tensor:
    """A tensor of this shape; itself if it has it, for a view is one more step back for autograd."""
    return tensor if tensor.shape == shape else tensor.reshape(shape)


def _upon(background: float | int | Tensor, picture: Tensor, covered: Tensor | float, compose: str) -> Tensor:
    """A picture drawn on something else than paper."""
    behind = torch.as_tensor(background, dtype=picture.dtype, device=picture.device)
    try:
        behind = behind.expand_as(picture)
    except RuntimeError:
        shapes = f"{list(behind.shape)} against {list(picture.shape)}"
        raise InputError("the background does not fit the picture", shapes, "give what broadcasts with it") from None
    if compose == "softor":
        return picture + behind * (1 - picture)
    if compose == "max":
        return picture.maximum(behind)
    return picture + behind * (1 - covered)


def to_pixels(points: Float[Tensor, "*any d"], size: Sequence[int]) -> Float[Tensor, "*any d"]:
    """Canvas coordinates to pixel coordinates, where the pixel of row i and column j has its centre at (j, i)."""
    short = min(size)
    # x = (j + 0.5) * 2 / short - width / short, solved for j.
    if min(size) == max(size):  # one operation, for autograd takes a step back for each
        return torch.add(torch.tensor((short - 1) / 2, dtype=points.dtype), points, alpha=short / 2)
    # Filled, not copied, so that no GPU is waited for.
    shift = torch.empty(len(size), dtype=points.dtype, device=points.device)
    for axis, length in enumerate(reversed(size)):
        shift[axis].fill_((length - 1) / 2)
    return points * (short / 2) + shift


def _inverse(strokes: Strokes, sigma2: float | int | Tensor, short: int, response: str) -> Float[Tensor, "*batch n"]:
    """1 / sigma^2 of each stroke, in pixels."""
    points, shape = strokes.points, (*strokes.batch_shape, strokes.count)
    pixel2 = (2 / short) ** 2  # a pixel's area, canvas units
    own: float | int | Tensor = sigma2
    if strokes.sigma2 is not None:
        own = strokes.sigma2
    elif strokes.width is not None:
        own = strokes.width.to(points).square() / (4 * math.log(2))
    if isinstance(own, torch.Tensor):
        try:
            inverse = (pixel2 / own.to(points)).expand(shape)
        except RuntimeError:
            shapes = f"{list(own.shape)} against {list(shape)}"
            raise InputError("sigma2 does not fit the strokes", shapes, "broadcastable to [*batch, strokes]") from None
    else:
        inverse = torch.full(shape, pixel2 / own, dtype=points.dtype, device=points.device)
    # Hard ink reaches at least half a pixel's diagonal, so that it reaches the nearest pixel.
    return inverse.clamp(max=2 * math.log(2)) if response == "hard" else inverse


def _amounts(strokes: Strokes, compose: str, upon: bool) -> tuple[Tensor | None, Tensor | None]:
    """A stroke's weight in each channel [*batch n c], and for ``over`` how much it covers [*batch n].

    ``over`` on a background has one channel more: what is covered at all.
    """
    colour = strokes.colour
    alpha = colour[..., 3] if colour is not None and colour.shape[-1] == 4 else None
    amount: Tensor | None = None
    for factor in (strokes.opacity, strokes.presence, alpha):
        if factor is not None:
            amount = factor if amount is None else amount * factor
    if colour is None and amount is None and compose != "over":
        return None, None
    if amount is None:
        amount = strokes.points.new_ones(()).expand(*strokes.batch_shape, strokes.count)
    weight = amount[..., None] if colour is None else amount[..., None] * colour[..., :3]
    if compose != "over":
        return weight, None
    return (torch.cat([weight, amount[..., None]], dim=-1) if upon else weight), amount


def _cuts(reach: float | int | str, response: str, dtype: torch.dtype) -> tuple[float, float]:
    """Where a stroke's ink and its gradient end, in d^2 / sigma^2."""
    ends = {"linear": reference.TENT, "hard": 2 * reference.HALF}  # where they are 0 for certain
    if isinstance(reach, str):
        cuts = (math.inf, math.inf) if reach == "all" else LOSSLESS[dtype]
    else:
        cuts = (float(reach) ** 2, float(reach) ** 2)
    last = ends.get(response, math.inf)
    return min(cuts[0], last), min(cuts[1], last)
