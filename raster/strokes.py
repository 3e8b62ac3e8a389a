"""Strokes: plain data between the rooms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from raster.errors import InputError
from raster.shapes import Float, Tensor

#: How many control points a stroke of each kind has.
KINDS = {"line": 2}


@dataclass(frozen=True, eq=False)
class Strokes:
    """N strokes a sketch, for any leading batch dimensions, in canvas coordinates.

    ``points`` are (x, y): x right, y down, the edges of a square canvas at +-1 (on a longer side the edge
    lies further out, since pixels are square). Points may lie outside the canvas. ``kind`` says what the
    control points mean: ``"line"`` has two, its ends. The order of strokes is the order of drawing.

    Raises ``InputError`` for an unknown kind, a wrong number of points, or points that are not floating.

    >>> one = Strokes(torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]]))
    >>> one.count, one.batch_shape
    (1, ())
    """

    points: Float[Tensor, "*batch n p 2"]
    kind: str = "line"

    def __post_init__(self) -> None:
        shape = tuple(self.points.shape)
        if self.kind not in KINDS:
            raise InputError(f"no strokes of kind {self.kind!r}", "Strokes", f"one of {', '.join(KINDS)}")
        if len(shape) < 3 or shape[-1] != 2:
            raise InputError(f"points of shape {list(shape)}", "Strokes", "expected [..., strokes, points, 2]")
        if shape[-2] != KINDS[self.kind]:
            expected = f"a {self.kind} has {KINDS[self.kind]}"
            raise InputError(f"{shape[-2]} points a stroke, shape {list(shape)}", "Strokes", expected)
        if not self.points.is_floating_point():
            raise InputError(f"points of {self.points.dtype}", "Strokes", "give floating point numbers")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading dimensions: one sketch for each index."""
        return tuple(self.points.shape[:-3])

    @property
    def count(self) -> int:
        """Strokes a sketch, N."""
        return int(self.points.shape[-3])

    def to(self, *args: Any, **kwargs: Any) -> "Strokes":
        """The same strokes on another device or of another dtype; arguments as ``torch.Tensor.to``."""
        return replace(self, points=self.points.to(*args, **kwargs))

    def detach(self) -> "Strokes":
        """The same strokes, cut from the graph that made them."""
        return replace(self, points=self.points.detach())

    def cpu(self) -> "Strokes":
        """The same strokes in main memory."""
        return replace(self, points=self.points.cpu())

    def __getitem__(self, index: Any) -> "Strokes":
        """Sketches by an index into the leading (batch) dimensions; never into strokes or points."""
        n, p, _ = self.points.shape[-3:]
        flat = self.points.reshape(*self.batch_shape, n * p * 2)
        parts = index if isinstance(index, tuple) else (index,)
        taken = sum(i.ndim if isinstance(i, torch.Tensor) and i.dtype == torch.bool else 1 for i in parts)
        if taken > len(self.batch_shape) or any(i is Ellipsis for i in parts):
            where = f"batch shape {list(self.batch_shape)}"
            raise InputError(f"cannot index strokes with {index!r}", where, "an index reaches batch dimensions only")
        picked = flat[index]
        return replace(self, points=picked.reshape(*picked.shape[:-1], n, p, 2))

    @classmethod
    def cat(cls, several: Sequence["Strokes"], dim: int = 0) -> "Strokes":
        """One ``Strokes`` of several alike, joined along batch dimension ``dim`` (of [*batch, n, p, 2])."""
        kinds = {strokes.kind for strokes in several}
        if len(kinds) != 1:
            raise InputError(f"cannot join strokes of kinds {sorted(kinds)}", "Strokes.cat", "give strokes of one kind")
        return cls(torch.cat([strokes.points for strokes in several], dim), kinds.pop())
