"""``rasterise``: from strokes in canvas coordinates to ink."""

import math

import torch

from raster import _op, reference
from raster.engines import engine_for
from raster.errors import InputError
from raster.shapes import Float, Tensor
from raster.strokes import Strokes

COMPOSITIONS = ("softor",)


def rasterise(
    strokes: Strokes,
    size: tuple[int, int],
    *,
    sigma2: float | int | Tensor = 5e-4,
    compose: str = "softor",
    engine: str = "auto",
    check: bool = True,
) -> Float[Tensor, "*batch h w"]:
    """Draws strokes on a canvas of ``size`` (height, width): ink in [0, 1], paper 0, differentiable in the points.

    Each stroke gives ``I = exp(-d^2 / sigma2)``, d being a pixel centre's distance to it in canvas units, and
    they meet by soft-or, ``1 - prod(1 - I)`` (Mihai & Hare, arXiv 2103.16194). ``sigma2`` is one number, or a
    tensor that broadcasts to [*batch, n] and gets its gradient. Half precision is drawn in float32; float64
    stays. The same input gives the same bits, for any number of threads.

    ``check`` looks for NaN and infinity and names the first (that waits for a GPU: leave it off inside a
    training step, where a NaN in a stroke still is a NaN in its canvas). Raises ``InputError`` also for a size
    below 1 or a sigma2 that is not above 0 and finite.

    >>> ink = rasterise(Strokes(torch.zeros(1, 2, 2)), (5, 5), sigma2=0.1)
    >>> tuple(ink.shape), round(float(ink[2, 2]), 4)
    ((5, 5), 1.0)
    """
    height, width = size
    if height < 1 or width < 1:
        raise InputError(
            f"a canvas of {height} x {width} pixels", "rasterise", "size is (height, width), both at least 1"
        )
    if compose not in COMPOSITIONS:
        raise InputError(f"no composition {compose!r}", "rasterise", f"one of {', '.join(COMPOSITIONS)}")
    if isinstance(sigma2, float | int) and not (math.isfinite(sigma2) and sigma2 > 0):
        raise InputError(f"sigma2 of {sigma2!r}", "rasterise", "a finite number above 0; 5e-4 suits 64 pixels")
    if check:
        _check(strokes, sigma2)
    points = strokes.points
    if points.dtype in (torch.float16, torch.bfloat16):
        points = points.float()
    chosen = engine_for(points.device, points.dtype, engine)
    batch, count = strokes.batch_shape, strokes.count
    vertices = to_pixels(points, height, width).reshape(math.prod(batch), count, points.shape[-2], 2)
    pixel = 2 / min(height, width)  # canvas units
    if isinstance(sigma2, torch.Tensor):
        try:
            each = sigma2.to(points).expand(*batch, count)
        except RuntimeError:
            shapes = f"{list(sigma2.shape)} against {[*batch, count]}"
            raise InputError("sigma2 does not fit the strokes", shapes, "broadcastable to [*batch, strokes]") from None
        inverse = (pixel * pixel / each).reshape(math.prod(batch), count)
    else:
        inverse = torch.full(vertices.shape[:2], pixel * pixel / sigma2, dtype=points.dtype, device=points.device)
    if chosen.name == "reference":
        ink = 1 - reference.transmission(vertices, inverse, height, width)
    else:
        ink, _ = _op.softor(vertices, inverse, height, width)
    return ink.reshape(*batch, height, width)


def to_pixels(points: Float[Tensor, "*any 2"], height: int, width: int) -> Float[Tensor, "*any 2"]:
    """Canvas coordinates to pixel coordinates, where the pixel of row i and column j has its centre at (j, i)."""
    short = min(height, width)
    # x = (j + 0.5) * 2 / short - width / short, solved for j; filled, not copied, so that no GPU is waited for.
    shift = torch.empty(2, dtype=points.dtype, device=points.device)
    shift[0].fill_((width - 1) / 2)
    shift[1].fill_((height - 1) / 2)
    return points * (short / 2) + shift


def _check(strokes: Strokes, sigma2: float | int | Tensor) -> None:
    if strokes.points.is_meta:
        return
    wrong = ~torch.isfinite(strokes.points.detach())
    if wrong.any():
        *batch, n, p, axis = (int(i) for i in wrong.nonzero()[0])
        value = float(strokes.points.detach()[(*batch, n, p, axis)])
        place = f"stroke {n}, point {p}, {'xy'[axis]}"
        if batch:
            place = f"sketch {batch[0] if len(batch) == 1 else tuple(batch)}, {place}"
        raise InputError(f"a stroke with a coordinate of {value}", place, "coordinates must be finite")
    if isinstance(sigma2, torch.Tensor) and not sigma2.is_meta:
        bad = ~(torch.isfinite(sigma2) & (sigma2 > 0)).detach()
        if bad.any():
            index = bad.nonzero()[0].tolist()
            value = float(sigma2.detach()[tuple(index)])
            raise InputError(f"sigma2 of {value}", f"index {index}", "finite numbers above 0")
