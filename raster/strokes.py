"""Strokes: plain data between the rooms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from raster.errors import InputError
from raster.shapes import Float, Tensor

#: The primitives, and in words how many control points a stroke of each has.
KINDS = {
    "point": "1",
    "line": "2",
    "polyline": "2 or more",
    "quadratic": "3",
    "cubic": "4, or 3 more for each further piece",
    "catmull-rom": "4 or more",
}
#: How a Catmull-Rom spline's knots are spaced: by distance to the power 0, 1/2 or 1.
KNOTS = {"uniform": 0.0, "centripetal": 0.5, "chordal": 1.0}
_TENSORS = ("points", "sigma2", "width", "opacity", "colour", "presence")


def _fits(kind: str, points: int) -> bool:
    exact = {"point": 1, "line": 2, "quadratic": 3}
    if kind in exact:
        return points == exact[kind]
    if kind == "cubic":
        return points >= 4 and points % 3 == 1
    return points >= {"polyline": 2, "catmull-rom": 4}[kind]


@dataclass(frozen=True, eq=False)
class Strokes:
    """N strokes a sketch, for any leading batch dimensions, in canvas coordinates.

    ``points`` are (x, y): x right, y down, the edges of a square canvas at +-1 (on a longer side the edge
    lies further out, since pixels are square). Points may lie outside the canvas. The order of strokes is the
    order of drawing. One coordinate a point (a 1-D raster) and three (a volume) are drawn too.

    ``kind`` says what the P control points mean: ``"point"`` (1), ``"line"`` (2, its ends), ``"polyline"`` (joined
    lines), ``"quadratic"`` (3) and ``"cubic"`` (4) Bézier curves, cubics of 3m + 1 points being m curves end to end,
    and ``"catmull-rom"``, a spline from the second point to the last but one.

    The rest is optional, differentiable, and broadcasts to one value a stroke, [*batch, n]; what a stroke carries
    wins over the arguments of ``rasterise``.

    Attributes:
        points: control points, [*batch, n, p, 2].
        kind: what they mean.
        sigma2: squared half-width of the ink, canvas units, above 0.
        width: the same said as the width at which ink is one half, ``2 sqrt(sigma2 ln 2)``, canvas units, above 0.
        opacity: how much of the paper the stroke covers at its middle, in [0, 1].
        colour: [*batch, n, 3] in [0, 1], or 4 numbers, of which the last multiplies ``opacity``.
        presence: weight of the stroke itself, in [0, 1]; 0 takes it away, so a sketch can have any number of strokes.
        knots: spacing of a Catmull-Rom spline: ``"uniform"``, ``"centripetal"`` or ``"chordal"``.

    Raises ``InputError`` for an unknown kind, a wrong number of points, both ``sigma2`` and ``width``, or shapes
    that do not fit.

    >>> one = Strokes(torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]]))
    >>> one.count, one.batch_shape
    (1, ())
    >>> Strokes(torch.zeros(8, 5, 4, 2), "cubic", width=torch.tensor(0.1)).width.shape
    torch.Size([8, 5])
    """

    points: Float[Tensor, "*batch n p d"]
    kind: str = "line"
    sigma2: Float[Tensor, "..."] | None = None
    width: Float[Tensor, "..."] | None = None
    opacity: Float[Tensor, "..."] | None = None
    colour: Float[Tensor, "..."] | None = None
    presence: Float[Tensor, "..."] | None = None
    knots: str = "centripetal"

    def __post_init__(self) -> None:
        shape = tuple(self.points.shape)
        if self.kind not in KINDS:
            raise InputError(f"no strokes of kind {self.kind!r}", "Strokes", f"one of {', '.join(KINDS)}")
        if self.knots not in KNOTS:
            raise InputError(f"no knots {self.knots!r}", "Strokes", f"one of {', '.join(KNOTS)}")
        if len(shape) < 3 or shape[-1] not in (1, 2, 3):
            raise InputError(f"points of shape {list(shape)}", "Strokes", "expected [..., strokes, points, 2]")
        if not _fits(self.kind, shape[-2]):
            expected = f"a {self.kind} has {KINDS[self.kind]}"
            raise InputError(f"{shape[-2]} points a stroke, shape {list(shape)}", "Strokes", expected)
        if self.sigma2 is not None and self.width is not None:
            raise InputError("strokes with both sigma2 and width", "Strokes", "give one: they say the same")
        for name, value in self._tensors().items():
            if not value.is_floating_point():
                raise InputError(f"{name} of {value.dtype}", "Strokes", "give floating point numbers")
            if name == "points":
                continue
            trailing = (value.shape[-1],) if name == "colour" and value.ndim else ()
            if name == "colour" and trailing not in ((3,), (4,)):
                raise InputError(f"colour of shape {list(value.shape)}", "Strokes", "expected [..., strokes, 3 or 4]")
            try:
                fitted = value.expand(*shape[:-2], *trailing)
            except RuntimeError:
                expected = f"broadcastable to {[*shape[:-2], *trailing]}"
                raise InputError(f"{name} of shape {list(value.shape)}", "Strokes", expected) from None
            object.__setattr__(self, name, fitted)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading dimensions: one sketch for each index."""
        return tuple(self.points.shape[:-3])

    @property
    def count(self) -> int:
        """Strokes a sketch, N."""
        return int(self.points.shape[-3])

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors that are there, by name."""
        found = {name: getattr(self, name) for name in _TENSORS}  # by name: dataclasses.fields() takes as long as an op
        return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Strokes":
        """The same strokes with every tensor changed."""
        changed: dict[str, Any] = {name: change(value) for name, value in self._tensors().items()}
        return replace(self, **changed)

    def to(self, *args: Any, **kwargs: Any) -> "Strokes":
        """The same strokes on another device or of another dtype; arguments as ``torch.Tensor.to``."""
        return self._each(lambda value: value.to(*args, **kwargs))

    def detach(self) -> "Strokes":
        """The same strokes, cut from the graph that made them."""
        return self._each(lambda value: value.detach())

    def cpu(self) -> "Strokes":
        """The same strokes in main memory."""
        return self._each(lambda value: value.cpu())

    def __getitem__(self, index: Any) -> "Strokes":
        """Sketches by an index into the leading (batch) dimensions; never into strokes or points."""
        leading = len(self.batch_shape)
        parts = index if isinstance(index, tuple) else (index,)
        taken = sum(i.ndim if isinstance(i, torch.Tensor) and i.dtype == torch.bool else 1 for i in parts)
        if taken > leading or any(i is Ellipsis for i in parts):
            where = f"batch shape {list(self.batch_shape)}"
            raise InputError(f"cannot index strokes with {index!r}", where, "an index reaches batch dimensions only")
        return self._each(lambda value: value[index])

    def select(self, which: Any) -> "Strokes":
        """Strokes of every sketch by an index (a slice or a 1-D tensor) along N, in the order of the index."""
        leading = (slice(None),) * len(self.batch_shape)
        return self._each(lambda value: value[(*leading, which)])

    @classmethod
    def cat(cls, several: Sequence["Strokes"], dim: int = 0) -> "Strokes":
        """One ``Strokes`` of several alike, joined along batch dimension ``dim`` (of [*batch, n, p, 2])."""
        named = [each._tensors() for each in several]
        alike = {(each.kind, each.knots, tuple(names)) for each, names in zip(several, named, strict=True)}
        if len(alike) != 1:
            told = sorted(f"{kind} with {', '.join(names)}" for kind, _, names in alike)
            raise InputError(f"cannot join strokes: {'; '.join(told)}", "Strokes.cat", "give strokes that are alike")
        joined: dict[str, Any] = {name: torch.cat([each[name] for each in named], dim) for name in named[0]}
        return replace(several[0], **joined)
