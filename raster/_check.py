"""What ``rasterise`` refuses, each in one line that names the first thing wrong."""

import math
from collections.abc import Sequence

import torch

from raster.errors import InputError
from raster.shapes import Bool, Tensor
from raster.strokes import Strokes

COMPOSITIONS = ("softor", "over", "max", "sum")
RESPONSES = ("gaussian", "linear", "hard")
_SIZES = {1: "(width,)", 2: "(height, width)", 3: "(depth, height, width)"}


def check_words(
    strokes: Strokes,
    size: Sequence[int],
    sigma2: float | int | Tensor,
    compose: str,
    response: str,
    reach: float | int | str,
    tolerance: float | int | None,
) -> None:
    """Refuse what can be seen without reading a tensor."""
    dimensions = strokes.points.shape[-1]
    if len(size) != dimensions:
        raise InputError(f"a canvas of size {tuple(size)}", "rasterise", f"these points take {_SIZES[dimensions]}")
    if min(size) < 1:
        told = " x ".join(str(length) for length in size)
        raise InputError(f"a canvas of {told} pixels", "rasterise", f"size is {_SIZES[dimensions]}, at least 1 each")
    for word, value, known in (("composition", compose, COMPOSITIONS), ("response", response, RESPONSES)):
        if value not in known:
            raise InputError(f"no {word} {value!r}", "rasterise", f"one of {', '.join(known)}")
    if isinstance(sigma2, float | int) and not (math.isfinite(sigma2) and sigma2 > 0):
        raise InputError(f"sigma2 of {sigma2!r}", "rasterise", "a finite number above 0; 5e-4 suits 64 pixels")
    if reach not in ("lossless", "all") and (isinstance(reach, str) or not reach > 0):
        raise InputError(f"a reach of {reach!r}", "rasterise", "'lossless', 'all', or a number of sigmas above 0")
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"a tolerance of {tolerance!r}", "rasterise", "pixels, above 0; or leave it out")


def check_values(strokes: Strokes, sigma2: float | int | Tensor, compose: str) -> None:
    """Refuse bad values in tensors (on ``meta`` there are none)."""
    if strokes.points.is_meta:
        return
    points = strokes.points.detach()
    what = "a stroke with a coordinate of {}"
    _refuse(~torch.isfinite(points), points, what, ("stroke", "point", "xyz"), "coordinates must be finite")
    for name in ("sigma2", "width"):
        _check_width(getattr(strokes, name), name + " of {}", ("stroke",))
    for name in ("opacity", "presence", "colour"):
        value: Tensor | None = getattr(strokes, name)
        if value is None:
            continue
        value = value.detach()
        # More than all of it would take away paper that is not there; a sum may hold any amount.
        bad = ~torch.isfinite(value) if compose == "sum" else ~((value >= 0) & (value <= 1))
        expected = "finite numbers" if compose == "sum" else "numbers in [0, 1]"
        axes = ("stroke", "channel") if name == "colour" else ("stroke",)
        _refuse(bad, value, name + " of {}", axes, f"expected {expected}")
    if strokes.sigma2 is None and strokes.width is None and isinstance(sigma2, torch.Tensor):
        _check_width(sigma2, "sigma2 of {}", ())


def _check_width(value: Tensor | None, what: str, axes: tuple[str, ...]) -> None:
    if value is not None and not value.is_meta:
        value = value.detach()
        _refuse(~(torch.isfinite(value) & (value > 0)), value, what, axes, "expected finite numbers above 0")


def _refuse(bad: Bool[Tensor, "*any"], value: Tensor, what: str, axes: tuple[str, ...], expected: str) -> None:
    """Name the first bad value, and where it stands: its sketch, then ``axes`` ("xyz": the coordinate's letter)."""
    if not bool(bad.any()):
        return
    index = [int(i) for i in bad.nonzero()[0]]
    batch, rest = index[: len(index) - len(axes)], index[len(index) - len(axes) :]
    places = ["xyz"[i] if axis == "xyz" else f"{axis} {i}" for axis, i in zip(axes, rest, strict=True)]
    if not axes:
        places = [f"index {batch}"]
    elif batch:
        places = [f"sketch {batch[0] if len(batch) == 1 else tuple(batch)}", *places]
    raise InputError(what.format(float(value[tuple(index)])), ", ".join(places), expected)
