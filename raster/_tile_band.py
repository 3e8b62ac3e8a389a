"""The pixels of pairs of a stroke and a tile [p 64]: their depth in the stroke, its ink, and what pulls at it.

Depth is -z, so that the nearest segment is the largest. Everything is measured in a segment's own axes, scaled so
that z is a plain square: along the segment beyond its ends, and across it. Passes are few and in place: on a CPU they
are the whole cost.
"""

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from raster._tile_pairs import HALF_SIDE, SIDE, Pairs, Segments
from raster.reference import FAR, HALF, TENT

#: Stands for a depth of -infinity where it is multiplied by 0, which must be no NaN.
DEEP = -1e4
#: Below this the root of z counts as this: at a tent's tip, whose gradient is 0.
TIP = 1e-15


@dataclass(frozen=True)
class Response:
    """How ink follows depth: ``cut`` is where it ends, in z; ``unit`` the z that is measured as 1."""

    name: str
    cut: float
    unit: float

    @property
    def reach(self) -> float:
        """The z up to which there can be ink at all."""
        return min(self.cut, HALF * 1.001) if self.name == "hard" else self.cut


def response_of(name: str, cut: float, dtype: torch.dtype) -> Response:
    """The response that ends at ``cut``, or earlier where there is no ink that this dtype can hold."""
    if name == "linear":
        return Response(name, min(cut, TENT), TENT)
    if name == "hard":
        return Response(name, min(cut, 2 * HALF), 1.0)
    # exp of what underflows is 10 times slower.
    return Response(name, min(cut, 87.0 if dtype == torch.float32 else 708.0), 1.0)


class Bands:
    """Depths and pulls of the pairs of one chunk, ``most`` of them at a time."""

    def __init__(self, found: Segments, pairs: Pairs, response: Response) -> None:
        self._pairs, self._response = pairs, response
        like = found.ax
        side = torch.arange(SIDE, dtype=like.dtype, device=like.device) - HALF_SIDE
        self._x, self._y = side.repeat(SIDE), side.repeat_interleave(SIDE)
        # Of each row, in z's units: its segment's direction and length, and the way to it [r 5].
        scale = found.scale.index_select(0, pairs.segment)
        axes = torch.stack((found.ux * found.scale, found.uy * found.scale, found.length * found.scale), 1)
        way = torch.stack((pairs.along * scale, pairs.across * scale), 1).clamp_(-FAR, FAR)
        self._rows = torch.cat((axes.clamp_(max=FAR).index_select(0, pairs.segment), way), 1)

    def only(self, pairs: Pairs) -> "Bands":
        """The same for some of the pairs."""
        some = copy(self)
        some._pairs = pairs
        return some

    def slices(self, most: int) -> Iterator[slice]:
        """The pairs in order, ``most`` at a time."""
        count = self._pairs.stroke.shape[0]
        return (slice(start, min(start + most, count)) for start in range(0, count, most))

    def depth(self, part: slice) -> "Band":
        """The depth of the pixels of these pairs in their strokes."""
        nearest, beyond, held, across = self._measure(part, 0)
        if len(self._deep(part)) == 1:
            return Band(nearest, (beyond, held, across))
        for j, count in self._deep(part)[1:]:
            other = self._measure(slice(part.start, part.start + count), j)[0]
            torch.maximum(nearest[:count], other, out=nearest[:count])
        return Band(nearest, None)

    def ink(self, depth: Tensor) -> Tensor:
        """Ink [p 64] of depths, which change where a stroke is not felt: there it is 0, elsewhere it is more."""
        name, level = self._response.name, -self._response.cut / self._response.unit
        if name == "gaussian":
            ink = torch.threshold_(depth, level, level).exp()
            return torch.threshold_(ink, math.exp(level) * (1 + 4 * torch.finfo(ink.dtype).eps), 0.0)
        torch.threshold_(depth, level, -math.inf)
        if name == "linear":
            return depth.neg().sqrt_().neg_().add_(1).clamp_(min=0)
        return (depth >= -HALF).to(depth)

    def pull(self, part: slice, band: "Band", ink: Tensor, to_ink: Tensor, sums: "Sums") -> None:
        """Adds what ``to_ink`` [p 64], dL/dI (lost), does to the pairs' vertices and sigmas; hard ink has no slope."""
        if self._response.name == "hard":
            return
        weight = to_ink.mul_(self._slope(band.depth, ink))
        add_rows(sums.depth, self._pairs.stroke[part], (weight * band.depth).sum(1, keepdim=True))
        if band.maps is not None:
            add_rows(sums.way, self._pairs.segment.index_select(0, self._pairs.first[part]), _ways(weight, *band.maps))
            return
        for j, count in self._deep(part):
            some = slice(part.start, part.start + count)
            depth, *maps = self._measure(some, j)
            # Whoever comes first takes a pixel's whole weight, so that equals have one winner.
            won = depth.eq_(band.depth[:count]).mul_(weight[:count])
            weight[:count].sub_(won)
            add_rows(sums.way, self._pairs.segment.index_select(0, self._pairs.first[some] + j), _ways(won, *maps))

    def _slope(self, depth: Tensor, ink: Tensor) -> Tensor:
        """-dI/dz [p 64], 0 where a stroke is not felt; for depths that ``ink`` has seen, which become finite."""
        if self._response.name == "gaussian":
            return ink
        slope = depth.neg().sqrt_().clamp_(min=TIP).reciprocal_().mul_(0.5)
        depth.clamp_(min=DEEP)
        return slope

    def _deep(self, part: slice) -> list[tuple[int, int]]:
        """For j = 0, 1, ..., how many of these pairs have more than j segments; the first so many do."""
        counts = (min(deep, part.stop) - part.start for deep in self._pairs.deep)
        return [(j, count) for j, count in enumerate(counts) if count > 0]

    def _measure(self, part: slice, j: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Depth in the pairs' segments number ``j``; beyond them, along them and across them [p 64]."""
        rows = self._rows.index_select(0, self._pairs.first[part] + j)
        ux, uy, end, along_centre, across_centre = rows.split(1, 1)
        beyond = torch.mul(ux, self._x).addcmul_(uy, self._y).add_(along_centre)
        across = torch.mul(ux, self._y).addcmul_(uy, self._x, value=-1).add_(across_centre)
        held = beyond.clamp(min=0)
        torch.minimum(held, end, out=held)
        beyond.sub_(held)
        depth = torch.mul(beyond, beyond).addcmul_(across, across).neg_()
        return depth, beyond, held, across


@dataclass(frozen=True)
class Band:
    """Depths [p 64], and the maps that they came from where each pair has one segment."""

    depth: Tensor
    maps: tuple[Tensor, Tensor, Tensor] | None


@dataclass(frozen=True)
class Sums:
    """What the pixels pull at, added up.

    Attributes:
        way: for each segment [b n s, 4], -dL/dz times the way to the nearest point, in the segment's own scaled axes:
            beyond its ends and across it; and both times what lies along it.
        depth: for each stroke [b n, 1], dL/dz times z.
        weight: dL/dw [b n, c].
        cover: dL/dcover [b n, 1].
    """

    way: Tensor
    depth: Tensor
    weight: Tensor
    cover: Tensor


def _ways(weight: Tensor, beyond: Tensor, held: Tensor, across: Tensor) -> Tensor:
    """[p, 4]; ``beyond`` and ``across`` are lost."""
    beyond.mul_(weight)
    across.mul_(weight)
    plain = beyond.sum(1), across.sum(1)
    return torch.stack((*plain, beyond.mul_(held).sum(1), across.mul_(held).sum(1)), 1)


def each_channel(ink: Tensor, weight: Tensor | None) -> Tensor:
    """Ink [p 64] times weights [p c], [p c 64]; a view of the ink where there are none."""
    return ink[:, None] if weight is None else ink[:, None] * weight[:, :, None]


def all_channels(to_each: Tensor, weight: Tensor | None) -> Tensor:
    """The gradient of ink from that of ``each_channel``, which is lost."""
    return to_each[:, 0] if weight is None else to_each.mul_(weight[:, :, None]).sum(1)


def add_rows(into: Tensor, index: Tensor, rows: Tensor) -> None:
    """``into[index] += rows``, where an index may come twice: the same bits each time, whatever the threads.

    In main memory ``index_add_`` adds row after row; elsewhere it is left to chance, and ``index_put_`` sorts first.
    """
    if into.device.type == "cpu":
        into.index_add_(0, index, rows)
    else:
        into.index_put_((index,), rows, accumulate=True)
