"""Which strokes are felt in which tiles: the lists that the ``tile`` engine works through.

A tile is ``SIDE`` x ``SIDE`` pixels, numbered through all sketches, row by row. What is left out is out of reach for
certain: every test has slack for rounding, so that nothing that is felt is lost, whatever the coordinates.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from raster.reference import FAR, POINT

SIDE = 8
#: From a tile's centre to the centres of its outermost pixels, along an axis and to a corner.
HALF_SIDE = (SIDE - 1) / 2
CORNER = HALF_SIDE * math.sqrt(2)


@dataclass(frozen=True)
class Segments:
    """The segments of all strokes, flat [b n s], in pixels; a point is a segment of length 0.

    Attributes:
        ax, ay: first end.
        dx, dy: from the first end to the second.
        ux, uy: the same of length 1; (1, 0) for a point.
        length: their length.
        scale: square root of what makes z of a squared distance.
        reach: distance beyond which nothing is felt, slack included; negative where nothing is drawn.
        each: segments a stroke.
        strokes: strokes a sketch.
        rows, columns: of tiles, a sketch.
    """

    ax: Tensor
    ay: Tensor
    dx: Tensor
    dy: Tensor
    ux: Tensor
    uy: Tensor
    length: Tensor
    scale: Tensor
    reach: Tensor
    each: int
    strokes: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Pairs:
    """Strokes and tiles that meet [p], each with the segments that may be nearest to a pixel of the tile [r].

    Attributes:
        stroke: number in [b n].
        tile: number of the tile.
        first: a pair's first row; its others follow, in the order of the segments.
        deep: pairs with more than j rows, for j = 0, 1, ...; those with most rows come first.
        segment: number in [b n s].
        along, across: from the segment's first end to the tile's centre, in the segment's own axes, pixels.
    """

    stroke: Tensor
    tile: Tensor
    first: Tensor
    deep: list[int]
    segment: Tensor
    along: Tensor
    across: Tensor


def segments(
    vertices: Tensor, inverse_sigma2: Tensor, bad: Tensor | None, cut: float, unit: float, height: int, width: int
) -> Segments:
    """The segments of polylines [b n k 2] that are felt as far as z = ``cut``; those of strokes ``bad`` nowhere.

    ``unit`` is the z that counts as 1.
    """
    if bad is not None:
        vertices = vertices.masked_fill(bad[..., None, None], 0)
        inverse_sigma2 = inverse_sigma2.masked_fill(bad, 1)
    last = vertices.shape[2] - 1
    a = vertices[:, :, : max(1, last)]
    d = vertices[:, :, 1:] - a if last else torch.zeros_like(a)
    (ax, ay), (dx, dy) = (each.flatten(0, 2).t().contiguous() for each in (a, d))
    largest = torch.maximum(dx.abs(), dy.abs())
    line = largest > POINT
    largest = torch.where(line, largest, 1)  # a scale, lest a square overflows
    ux, uy = torch.where(line, dx / largest, 1), torch.where(line, dy / largest, 0)
    norm = (ux * ux + uy * uy).sqrt_()
    length = torch.where(line, largest * norm, 0)
    each = a.shape[2]
    reach = (cut / inverse_sigma2).sqrt_().clamp_(max=FAR)
    size = torch.maximum(ax.abs() + dx.abs(), ay.abs() + dy.abs()).add_(height + width)
    reach = reach.flatten().repeat_interleave(each)
    reach = reach + 32 * torch.finfo(vertices.dtype).eps * (size + reach)
    if bad is not None:
        reach = reach.masked_fill(bad.flatten().repeat_interleave(each), -FAR)
    scale = (inverse_sigma2 / unit).sqrt_().flatten().repeat_interleave(each)
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    return Segments(ax, ay, dx, dy, ux / norm, uy / norm, length, scale, reach, each, vertices.shape[1], rows, columns)


def chunks(found: Segments, whole: bool, most: int) -> Iterator[Pairs]:
    """The pairs, in chunks of about ``most`` candidates and segments, stroke after stroke.

    ``whole``: all pairs of a tile are in one chunk; a sketch with too many is then cut into bands of tile rows.
    """
    group = found.each * (found.strokes if whole else 1)
    total = found.ax.shape[0]
    if not total:
        return
    ends = _candidates(found).view(-1, group).sum(1).cumsum(0).cpu()
    start, done = 0, 0
    while start < len(ends):
        stop = max(start + 1, int(torch.searchsorted(ends, done + most, right=True)))
        count = int(ends[stop - 1]) - done
        bands = min(found.rows, -(-count // most)) if whole else 1
        for band in range(bands):
            top, bottom = band * found.rows // bands, (band + 1) * found.rows // bands
            pairs = _pairs(found, start * group, stop * group, top, bottom)
            if pairs.stroke.shape[0]:
                yield pairs
        done += count
        start = stop


def _candidates(found: Segments) -> Tensor:
    """About how many tiles each segment has to be tested in, and one more [b n s]: work to share out, no promise."""
    width = (2 * found.reach + 3 * SIDE).clamp_(min=0)
    band = (found.length + width) * width / SIDE**2
    (x0, x1), (y0, y1) = _ranges(found)
    box = (x1 - x0 + 1).clamp_(min=0) * (y1 - y0 + 1).clamp_(min=0)
    if found.each > 1:  # its share of the table that finds the nearest
        sides = [(high.view(-1, found.each).amax(1) - low.view(-1, found.each).amin(1) + 1).clamp_(min=0)
                 for low, high in ((x0, x1), (y0, y1))]  # fmt: skip
        table = (sides[0] * sides[1]).repeat_interleave(found.each) // found.each
    else:
        table = torch.zeros_like(box)
    return torch.minimum(band.clamp_(max=2.0**30).long(), box) + table + 1


def _ranges(found: Segments, part: slice = slice(None)) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """First and last column, and first and last row, of the tiles in each segment's bounding box."""
    reach = found.reach[part]
    ranges = []
    for a, d, tiles in ((found.ax, found.dx, found.columns), (found.ay, found.dy, found.rows)):
        low, high = a[part] + d[part].clamp(max=0) - reach, a[part] + d[part].clamp(min=0) + reach
        ranges.append(_tiles(low, high, tiles))
    return ranges[0], ranges[1]


def _tiles(low: Tensor, high: Tensor, tiles: int) -> tuple[Tensor, Tensor]:
    """First and last of ``tiles`` tiles with a pixel between two coordinates; the last before the first for none."""
    first = ((low - (SIDE - 1)) / SIDE).ceil_().clamp_(0, tiles)
    last = (high / SIDE).floor_().clamp_(-1, tiles - 1)
    return first.long(), last.long()


def _spread(count: Tensor) -> tuple[Tensor, Tensor]:
    """``count`` [m] places for each of m: whose each place is, and its number there."""
    owner = torch.repeat_interleave(count)
    before = count.cumsum(0) - count
    return owner, torch.arange(owner.shape[0], device=count.device) - before.take(owner)


def _pairs(found: Segments, start: int, stop: int, top: int, bottom: int) -> Pairs:
    """The pairs of segments start..stop in tile rows top..bottom of each sketch."""
    part = slice(start, stop)
    (x0, x1), (y0, y1) = _ranges(found, part)
    y0, y1 = y0.clamp_(min=top), y1.clamp_(max=bottom - 1)
    # Segments by rows of tiles: the columns that the part of a segment near the row reaches.
    owner, row = _spread((y1 - y0 + 1).clamp_(min=0))
    row += y0.take(owner)
    segment = owner + start
    ax, ay, dx, dy, ux, uy, length, reach = (
        each.take(segment)
        for each in (found.ax, found.ay, found.dx, found.dy, found.ux, found.uy, found.length, found.reach)
    )
    above = (row * SIDE).to(ax) - ay
    steep = dy.abs() > POINT
    slope = torch.where(steep, dy, 1)
    t0, t1 = (above - reach) / slope, (above + ((SIDE - 1) + reach)) / slope
    t0, t1 = (
        torch.where(steep, torch.minimum(t0, t1), 0).clamp_(0, 1),
        torch.where(steep, torch.maximum(t0, t1), 1).clamp_(0, 1),
    )
    t0, t1 = ax + t0 * dx, ax + t1 * dx
    first, last = _tiles(torch.minimum(t0, t1) - reach, torch.maximum(t0, t1) + reach, found.columns)
    # Then tile by tile: against the segment's own axes a tile's half extent is the same both ways.
    place, column = _spread((last - first + 1).clamp_(min=0))
    column += first.take(place)
    near = reach + HALF_SIDE * (ux.abs() + uy.abs())
    rx = (column * SIDE).to(ax).add_(HALF_SIDE).sub_(ax.take(place))
    ry = (above + HALF_SIDE).take(place)
    ux, uy, half, near = ux.take(place), uy.take(place), (length / 2).take(place), near.take(place)
    along, across = rx * ux + ry * uy, ry * ux - rx * uy
    beyond = (along - half).abs_().sub_(half)
    keep = (across.abs() <= near) & (beyond <= near)
    if found.each == 1:
        kept = keep.nonzero()[:, 0]
        place, column = place.take(kept), column.take(kept)
        segment = segment.take(place)
        count = kept.shape[0]
        tile = ((segment // found.strokes) * found.rows + row.take(place)) * found.columns + column
        rows = torch.arange(count, device=kept.device)
        return Pairs(segment, tile, rows, [count], segment, along.take(kept), across.take(kept))
    # Of a polyline only what may be nearest: within a tile, distances differ by less than 2 CORNER from the centre's.
    distance = torch.hypot(beyond.clamp_(min=0), across)
    stroke = owner // found.each  # of this chunk
    low_x, low_y = (low.view(-1, found.each).amin(1) for low in (x0, y0))
    wide, high = (
        (last.view(-1, found.each).amax(1) - low + 1).clamp_(min=0) for low, last in ((low_x, x1), (low_y, y1))
    )
    area = wide * high
    cell = (area.cumsum(0) - area)[stroke] + (row - low_y[stroke]) * wide[stroke] - low_x[stroke]
    cell = cell.take(place) + column
    nearest = torch.full((int(area.sum()),), math.inf, dtype=ax.dtype, device=ax.device)
    nearest.scatter_reduce_(0, cell, distance, "amin")
    slack = 32 * torch.finfo(ax.dtype).eps
    keep &= distance * (1 - slack) <= nearest.take(cell) * (1 + slack) + (
        reach.take(place) * slack + (2 * CORNER + 1e-3)
    )
    kept = keep.nonzero()[:, 0]
    cell, order = cell.take(kept).sort(stable=True)  # by stroke and tile, then by segment
    kept = kept.take(order)
    _, count = torch.unique_consecutive(cell, return_counts=True)
    place, column = place.take(kept), column.take(kept)
    segment = segment.take(place)
    count, order = count.sort(descending=True, stable=True)
    begin = torch.empty_like(count)
    begin[order] = count  # back in the order of the rows
    first = (begin.cumsum(0) - begin)[order]
    stroke = segment[first] // found.each
    tile = ((stroke // found.strokes) * found.rows + row[place[first]]) * found.columns + column[first]
    deep = torch.bincount(count).flip(0).cumsum(0).flip(0)[1:].tolist()
    return Pairs(stroke, tile, first, deep, segment, along.take(kept), across.take(kept))
