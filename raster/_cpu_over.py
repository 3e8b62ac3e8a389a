"""The CPU kernel for the gradient of ``over``, where each stroke covers those before it; see ``raster._cpu_kernels``.

What a stroke's ink brings about depends on all that lies behind it and on all that covers it. So this goes tile by
tile: through the strokes in their order, keeping what lies behind each, and then back, keeping how much of it is still
seen. Nothing is divided by 1 - cover I, which opaque ink makes 0. What is kept is bounded: of every ``_CHUNK`` strokes
only what lies behind the first, until their turn comes.
"""

import numpy as np

from raster._cpu_kernels import ONE, SMALLEST, STRIP, ZERO, normal, respond, steepen
from raster._cpu_lanes import CONTRACT, LANES, SUMS, compiled, copy8
from raster._cpu_tiles import TILE, choose, in_canvas, length_of, measure_whose, pull

_CHUNK = 64
_PIXELS = np.uint64(TILE)
_BEFORE, _AFTER = (LANES - 1) / 2, LANES - 1


@compiled(inline="always")
def _touches(box, strip):
    """Whether a stroke with this box has a row in the parts of this strip: one that fits between two rows has none."""
    return box[0] < box[1] and box[0] < (strip + 1) * STRIP and box[1] > strip * STRIP


@compiled()
def count(box, touched):
    """How many strokes touch each strip, [b strips]."""
    for b in range(box.shape[0]):
        for strip in range(touched.shape[1]):
            touched[b, strip] = 0
            for n in range(box.shape[1]):
                if _touches(box[b, n], strip):
                    touched[b, strip] += 1


@compiled(fastmath=CONTRACT)
def _cover(weight, cover, ink, behind):
    """Draws ink [pixels] over what lies behind, [c pixels]."""
    for channel in range(weight.shape[0]):
        w, plane = weight[channel], np.uint64(channel) * _PIXELS
        for i in range(_PIXELS):
            value = w * ink[i] + (ONE - cover * ink[i]) * behind[plane + i]
            behind[plane + i] = value if abs(value) >= SMALLEST else ZERO


@compiled(fastmath=SUMS)
def _share(weight, cover, got, ink, kept, at, front, to_ink, to_weight):
    """Fills ``to_ink`` [pixels] with dL/dI, adds to ``to_weight`` [c] and gives dL/dcover.

    ``got`` [c pixels] is the upstream gradient, ``kept`` from ``at`` on what lies behind, ``front`` how much of this
    stroke is seen, which becomes how much is of the one before.
    """
    to_cover = ZERO
    for i in range(_PIXELS):
        to_ink[i] = ZERO
    for channel in range(weight.shape[0]):
        w, plane = weight[channel], np.uint64(channel) * _PIXELS
        place = np.uint64(at) + plane
        total = ZERO
        for i in range(_PIXELS):
            seen = got[plane + i] * front[i]
            to_ink[i] += seen * (w - cover * kept[place + i])
            inked = seen * ink[i]
            total += inked
            to_cover -= inked * kept[place + i]
        to_weight[channel] += total
    for i in range(_PIXELS):
        value = front[i] * (ONE - cover * ink[i])
        front[i] = value if abs(value) >= SMALLEST else ZERO
    return to_cover


@compiled()
def _copy(to, i, source, j, pixels):
    for m in range(0, pixels, LANES):
        copy8(to, i + m, source, j + m)


@compiled()
def _seen(front):
    for i in range(TILE):
        if front[i] != ZERO:
            return True
    return False


@compiled(makes_arrays=True)
def backward(
    response,
    cut,
    segments,
    lines,
    reach,
    box,
    inverse_sigma2,
    weight,
    cover,
    stride,
    planes,
    begins,
    to_corners,
    to_rest,
    first,
    last,
):
    """Adds to the parts of the gradients that each strip has, task i being strip i % strips of sketch i // strips.

    The strokes that touch strip i have rows ``begins[i]``... in their order: ``to_corners`` [rows k 2] (without a
    factor 2 / sigma^2), ``to_rest`` [rows 2 + c], which are -1 times that of 1 / sigma^2, cover and weight.
    """
    many, channels, corners = box.shape[1], weight.shape[2], to_corners.shape[1]
    height = planes.shape[2] // stride
    strips = (begins.shape[0] - 1) // max(1, box.shape[0])
    mine, near, here = np.empty(many, np.int32), np.empty(many, np.int32), np.empty(many, np.int32)
    size = channels * TILE
    got, behind, kept = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(_CHUNK * size, np.float32)
    marks = np.empty((many + _CHUNK - 1) // _CHUNK * size, np.float32)
    d2, ink, whose = np.empty(TILE, np.float32), np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    every_d2, every_ink = np.empty(_CHUNK * TILE, np.float32), np.empty(_CHUNK * TILE, np.float32)
    every_whose = np.empty(_CHUNK * TILE, np.float32)
    front, to_ink = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    looked, starts = np.empty(lines.shape[3], np.float32), np.empty(_CHUNK + 1, np.int64)
    chosen = np.empty((_CHUNK + 1) * segments + LANES, np.int32)
    stays, sums = np.empty(lines.shape[3] // LANES, np.int64), np.zeros((segments, 4), np.float64)
    for task in range(first, last):
        b, strip, begin = task // strips, task % strips, begins[task]
        found = 0
        for n in range(many):
            if _touches(box[b, n], strip):
                mine[found] = n
                found += 1
        for row in range(strip * STRIP, min(height, (strip + 1) * STRIP), LANES):
            level = 0
            for p in range(found):
                if box[b, mine[p], 0] < row + LANES and box[b, mine[p], 1] > row:
                    near[level] = p
                    level += 1
            for column in range(0, stride - LANES, LANES):
                listed = 0
                for i in range(level):
                    p = near[i]
                    if box[b, mine[p], 2] < column + LANES and box[b, mine[p], 3] > column:
                        here[listed] = p
                        listed += 1
                if listed == 0:
                    continue
                for channel in range(channels):
                    plane = planes[b, channel]
                    for i in range(LANES):
                        copy8(got, channel * TILE + i * LANES, plane, (row + i) * stride + column)
                for i in range(size):
                    behind[i] = ZERO
                for i in range(TILE):
                    front[i] = ONE
                chunks = (listed + _CHUNK - 1) // _CHUNK
                # Once through without keeping, if they are more than can be kept; then chunk by chunk from the last.
                for turn in range(2 * chunks - 1):
                    keeps = turn >= chunks - 1
                    chunk = 2 * chunks - 2 - turn if keeps else turn
                    if not keeps:
                        _copy(marks, chunk * size, behind, 0, size)
                    elif chunk < chunks - 1:
                        if not _seen(front):
                            break
                        _copy(behind, 0, marks, chunk * size, size)
                    members = min(_CHUNK, listed - chunk * _CHUNK)
                    starts[0] = 0
                    for s in range(members):
                        n = int(mine[here[chunk * _CHUNK + s]])
                        start = starts[s] if keeps else 0
                        stop = choose(
                            lines[b, n], length_of(lines[b, n], segments), column + _BEFORE, row + _BEFORE, _BEFORE,
                            reach[b, n], looked, stays, chosen, start,
                        )  # fmt: skip
                        if keeps:
                            starts[s + 1] = stop
                        if stop == start:
                            continue
                        measure_whose(lines[b, n], chosen, start, stop, column, row, d2, whose, 0)
                        respond(response, d2, inverse_sigma2[b, n], cut, ink, TILE)
                        if keeps:
                            _copy(every_d2, s * TILE, d2, 0, TILE)
                            _copy(every_ink, s * TILE, ink, 0, TILE)
                            _copy(every_whose, s * TILE, whose, 0, TILE)
                            _copy(kept, s * size, behind, 0, size)
                        _cover(weight[b, n], cover[b, n], ink, behind)
                    if not keeps:
                        continue
                    for s in range(members - 1, -1, -1):
                        if starts[s] == starts[s + 1]:
                            continue
                        p = here[chunk * _CHUNK + s]
                        n, line = mine[p], lines[b, mine[p]]
                        _copy(d2, 0, every_d2, s * TILE, TILE)
                        _copy(ink, 0, every_ink, s * TILE, TILE)
                        _copy(whose, 0, every_whose, s * TILE, TILE)
                        rest, ends = to_rest[begin + p], to_corners[begin + p]
                        rest[1] += _share(weight[b, n], cover[b, n], got, ink, kept, s * size, front, to_ink, rest[2:])
                        rest[0] += steepen(response, d2, inverse_sigma2[b, n], ink, to_ink, TILE)
                        for c in range(starts[s], starts[s + 1]):
                            k = chosen[c]
                            pull(line, k, column, row, to_ink, whose, 0, sums)
                            x, y, xt, yt = in_canvas(line, k, sums[k])
                            after = min(k + 1, corners - 1)
                            ends[k, 0] += np.float32(x - xt)
                            ends[k, 1] += np.float32(y - yt)
                            ends[after, 0] += np.float32(xt)
                            ends[after, 1] += np.float32(yt)
                            for i in range(4):
                                sums[k, i] = 0.0


@compiled(makes_arrays=True)
def gather(box, inverse_sigma2, begins, to_corners, to_rest, to_vertices, to_inverse, to_cover, to_weight, first, last):
    """Sums over strips, in their order, for sketches first..last; NaN for a stroke that has a NaN."""
    strips = (begins.shape[0] - 1) // max(1, box.shape[0])
    many, corners, channels = box.shape[1], to_corners.shape[1], to_weight.shape[2]
    parts = 2 * corners + 2 + channels
    sums = np.empty((many, parts), np.float64)
    for b in range(first, last):
        for n in range(many):
            for i in range(parts):
                sums[n, i] = 0.0 if box[b, n, 0] >= 0 else np.nan
        for strip in range(strips):
            at = begins[b * strips + strip]
            for n in range(many):
                if _touches(box[b, n], strip):
                    for k in range(corners):
                        sums[n, 2 * k] += to_corners[at, k, 0]
                        sums[n, 2 * k + 1] += to_corners[at, k, 1]
                    for i in range(2 + channels):
                        sums[n, 2 * corners + i] += to_rest[at, i]
                    at += 1
        for n in range(many):
            factor = 2.0 * float(inverse_sigma2[b, n])
            for k in range(corners):
                to_vertices[b, n, k, 0] = normal(factor * sums[n, 2 * k])
                to_vertices[b, n, k, 1] = normal(factor * sums[n, 2 * k + 1])
            to_inverse[b, n] = normal(-sums[n, 2 * corners])
            to_cover[b, n] = normal(sums[n, 2 * corners + 1])
            for channel in range(channels):
                to_weight[b, n, channel] = normal(sums[n, 2 * corners + 2 + channel])
