"""The CPU engine's kernels (numba): written as C would be, so that LLVM makes vectors of the inner loops.

A stroke is computed only in its own band, the pixels nearer than sigma * sqrt(cut). The band is gathered row by
row into flat buffers, since rows of a band are short (6 to 15 pixels) and vectors want long loops; then distance
and exp run over the buffer, and the result is scattered back. Beyond the forward cut 1 - I rounds to 1 in
float32, and beyond the backward cut I underflows: nothing is lost.

The buffers are filled up to a multiple of ``LANES``, so that the same machine code runs over every pixel,
wherever the buffer begins: bits do not depend on how the picture was cut into pieces.
"""

import math

import numpy as np
from numba import njit

FORWARD_CUT = 17.4
BACKWARD_CUT = 87.0
LEAST = np.float32(2.0**-24)  # as in raster.reference
POINT = 1e-6  # as in raster.reference
SMALLEST = np.float32(1.1754944e-38)  # below it numbers are denormal, slow for whoever computes with them
BLOCK = 4096  # pixels worked on at a time: five buffers of them stay in the second-level cache
LANES = 64
FAR = np.float32(1e30)

_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(i)) for i in range(2, 7))
_ZERO, _ONE, _HALF, _LAST = np.float32(0), np.float32(1), np.float32(0.5), np.float32(BACKWARD_CUT)


def _compiled(**options):
    """Compiles, with a cache on disk, or without one where there is no place for it."""

    def decorate(function):
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # numba found no folder that can be written
            return njit(nogil=True, **options)(function)

    return decorate


_CONTRACT = {"contract", "nsz"}
_SUMS = {"contract", "nsz", "reassoc", "arcp"}  # reassoc: a sum in lanes


@_compiled(fastmath=_CONTRACT, inline="always")
def _exp_minus(z):
    """Gives exp(-z) for z >= 0 to 2e-7; 0 from BACKWARD_CUT on."""
    held = z if z < _LAST else _LAST
    n = np.floor(_HALF - held * _LOG2E)
    r = -held - n * _LN2_HIGH - n * _LN2_LOW
    series = _ONE + r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    value = series * power
    return value if z < _LAST else _ZERO


@_compiled()
def _prepare(vertices, radius, lines, bands):
    """Fills in the segments of one stroke and counts them. ``lines`` [k 6] float32: a, direction, length, 1/length.

    ``bands`` [k 7] float64: x of the middle at row 0, its slope, half the width of a row's band, and the box
    around the band: left, right, top, bottom.
    """
    corners = vertices.shape[0]
    segments = max(1, corners - 1)
    for k in range(segments):
        ax, ay = float(vertices[k, 0]), float(vertices[k, 1])
        last = min(k + 1, corners - 1)
        bx, by = float(vertices[last, 0]), float(vertices[last, 1])
        dx, dy = bx - ax, by - ay
        length = math.sqrt(dx * dx + dy * dy)
        if length <= POINT:
            dx, dy, length, inverse = 1.0, 0.0, 0.0, 0.0
        else:
            inverse = 1.0 / length
        lines[k, 0], lines[k, 1] = ax, ay
        unit = inverse if length > 0.0 else 1.0
        lines[k, 2], lines[k, 3] = dx * unit, dy * unit
        lines[k, 4], lines[k, 5] = length, inverse
        slanted = abs(dy) > 1e-6 * abs(dx) and length > 0.0
        slope = dx / dy if slanted else 0.0
        bands[k, 0] = ax - ay * slope
        bands[k, 1] = slope
        bands[k, 2] = radius * length / abs(dy) if slanted else math.inf
        bands[k, 3], bands[k, 4] = min(ax, bx) - radius, max(ax, bx) + radius
        bands[k, 5], bands[k, 6] = min(ay, by) - radius, max(ay, by) + radius
    return segments


@_compiled()
def _rows(bands, segments, first, last):
    """The rows that a stroke's band meets, within first..last (last excluded)."""
    top, bottom = math.inf, -math.inf
    for k in range(segments):
        top, bottom = min(top, bands[k, 5]), max(bottom, bands[k, 6])
    if not (bottom >= first and top <= last - 1):
        return last, last
    return max(first, math.ceil(max(top, -1.0))), min(last, math.floor(min(bottom, float(last))) + 1)


@_compiled()
def _gather(bands, segments, row, stop, width, px, py, lows, starts):
    """Pixels of a stroke's band from ``row`` on, until the buffer is full: the row after, and how many pixels.

    Row r's pixels are columns lows[r].. at buffer places starts[r]..starts[r + 1].
    """
    room = px.shape[0] - LANES
    count = 0
    starts[row] = 0
    edge = float(width)
    while row < stop and count + width <= room:
        low, high = width, -1
        for k in range(segments):
            if row < bands[k, 5] or row > bands[k, 6]:
                continue
            middle = bands[k, 0] + bands[k, 1] * row
            left = min(max(middle - bands[k, 2], bands[k, 3], 0.0), edge)
            right = max(min(middle + bands[k, 2], bands[k, 4], edge - 1.0), -1.0)
            low, high = min(low, math.ceil(left)), max(high, math.floor(right))
        lows[row] = low
        y = np.float32(row)
        for column in range(low, high + 1):
            px[count] = np.float32(column)
            py[count] = y
            count += 1
        row += 1
        starts[row] = count
    padded = (count + LANES - 1) // LANES * LANES
    for i in range(count, padded):
        px[i] = _ZERO
        py[i] = _ZERO
    return row, count, padded


@_compiled(fastmath=_CONTRACT)
def _distances(lines, k, px, py, padded, d2):
    """Squared distance of every pixel of the buffer to segment k."""
    ax, ay, ux, uy, length = lines[k, 0], lines[k, 1], lines[k, 2], lines[k, 3], lines[k, 4]
    for i in range(padded):
        rx, ry = px[i] - ax, py[i] - ay
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        held = along if along > _ZERO else _ZERO
        held = held if held < length else length
        beyond = along - held
        square = beyond * beyond + across * across
        d2[i] = square if square < FAR else FAR


@_compiled(fastmath=_CONTRACT)
def _nearest(lines, segments, px, py, padded, d2, other, winner):
    """Squared distance to the nearest segment, and which it is (the first of a tie)."""
    _distances(lines, 0, px, py, padded, d2)
    for i in range(padded):
        winner[i] = 0
    for k in range(1, segments):
        _distances(lines, k, px, py, padded, other)
        for i in range(padded):
            nearer = other[i] < d2[i]
            d2[i] = other[i] if nearer else d2[i]
            winner[i] = k if nearer else winner[i]


@_compiled()
def _finite(vertices, inverse):
    total = inverse * np.float32(0)
    for k in range(vertices.shape[0]):
        total += (vertices[k, 0] + vertices[k, 1]) * np.float32(0)
    return total == 0


@_compiled(fastmath=_CONTRACT)
def _let_through(d2, inverse, padded):
    """1 - I in place, at least LEAST."""
    for i in range(padded):
        left = _ONE - _exp_minus(d2[i] * inverse)
        d2[i] = left if left > LEAST else LEAST


@_compiled()
def forward(vertices, inverse_sigma2, ink, left, strips, first, last):
    """Fills ``left`` [b h w], and ``ink`` with 1 - left, for tasks first..last.

    Task i is strip i % strips of sketch i // strips.
    """
    count, corners = vertices.shape[1], vertices.shape[2]
    height, width = left.shape[1], left.shape[2]
    size = max(BLOCK, width) + LANES
    px, py = np.empty(size, np.float32), np.empty(size, np.float32)
    d2, other = np.empty(size, np.float32), np.empty(size, np.float32)
    winner = np.empty(size, np.int32)
    lows, starts = np.empty(height, np.int64), np.empty(height + 1, np.int64)
    lines, bands = np.empty((max(1, corners - 1), 6), np.float32), np.empty((max(1, corners - 1), 7), np.float64)
    for task in range(first, last):
        b, strip = task // strips, task % strips
        top, end = height * strip // strips, height * (strip + 1) // strips
        paper = left[b, top:end].reshape((end - top) * width)
        paper[:] = _ONE
        for n in range(count):
            inverse = inverse_sigma2[b, n]
            if not _finite(vertices[b, n], inverse):
                paper[:] = np.float32(np.nan)
                break
            segments = _prepare(vertices[b, n], math.sqrt(FORWARD_CUT / inverse), lines, bands)
            row, stop = _rows(bands, segments, top, end)
            while row < stop:
                begin = row
                row, _, padded = _gather(bands, segments, row, stop, width, px, py, lows, starts)
                if segments == 1:
                    _distances(lines, 0, px, py, padded, d2)
                else:
                    _nearest(lines, segments, px, py, padded, d2, other, winner)
                _let_through(d2, inverse, padded)
                for r in range(begin, row):
                    offset = (r - top) * width + lows[r] - starts[r]
                    for i in range(starts[r], starts[r + 1]):
                        product = paper[offset + i] * d2[i]
                        paper[offset + i] = product if product >= SMALLEST else _ZERO
        drawn = ink[b, top:end].reshape((end - top) * width)
        for i in range(drawn.shape[0]):
            drawn[i] = _ONE - paper[i]


@_compiled(fastmath=_SUMS)
def _weights(d2, inverse, weight, padded):
    """Puts upstream * T * I / (1 - I) in place of upstream * T; and gives the sum of d^2 times it."""
    total = _ZERO
    for i in range(padded):
        ink = _exp_minus(d2[i] * inverse)
        passed = _ONE - ink
        passed = passed if passed > LEAST else LEAST
        w = weight[i] * ink / passed
        weight[i] = w
        total += w * d2[i]
    return total


@_compiled(fastmath=_SUMS)
def _pull(lines, k, px, py, weight, winner, padded):
    """Sums of weight * e over segment k's pixels, e = pixel - nearest point: plain, and times t.

    e is summed as (beyond an end, across the line): the part along the line is then 0 and not the rounding
    error of a difference, which is the same for all pixels of a line and would add up.
    """
    ax, ay, ux, uy = lines[k, 0], lines[k, 1], lines[k, 2], lines[k, 3]
    length, inverse_length = lines[k, 4], lines[k, 5]
    u = v = ut = vt = _ZERO
    for i in range(padded):
        rx, ry = px[i] - ax, py[i] - ay
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        held = along if along > _ZERO else _ZERO
        held = held if held < length else length
        w = weight[i] if winner[i] == k else _ZERO
        w_beyond, w_across = w * (along - held), w * across
        t = held * inverse_length
        u += w_beyond
        v += w_across
        ut += w_beyond * t
        vt += w_across * t
    return u * ux - v * uy, u * uy + v * ux, ut * ux - vt * uy, ut * uy + vt * ux


@_compiled()
def backward(upstream, vertices, inverse_sigma2, left, to_vertices, to_inverse, first, last):
    """Fills ``to_vertices`` [b n k 2] and ``to_inverse`` [b n] for strokes first..last of all b * n.

    ``upstream`` is the gradient of the ink, ``left`` what ``forward`` gave.
    """
    count, corners = vertices.shape[1], vertices.shape[2]
    height, width = left.shape[1], left.shape[2]
    size = max(BLOCK, width) + LANES
    px, py, weight = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    d2, other = np.empty(size, np.float32), np.empty(size, np.float32)
    winner = np.zeros(size, np.int32)
    lows, starts = np.empty(height, np.int64), np.empty(height + 1, np.int64)
    segments = max(1, corners - 1)
    lines, bands = np.empty((segments, 6), np.float32), np.empty((segments, 7), np.float64)
    sums = np.empty((corners, 2), np.float64)
    for task in range(first, last):
        b, n = task // count, task % count
        inverse = inverse_sigma2[b, n]
        if not _finite(vertices[b, n], inverse):
            to_vertices[b, n] = np.nan
            to_inverse[b, n] = np.nan
            continue
        _prepare(vertices[b, n], math.sqrt(BACKWARD_CUT / inverse), lines, bands)
        sums[:] = 0.0
        spread = 0.0
        row, stop = _rows(bands, segments, 0, height)
        while row < stop:
            begin = row
            row, filled, padded = _gather(bands, segments, row, stop, width, px, py, lows, starts)
            for r in range(begin, row):
                offset = lows[r] - starts[r]
                for i in range(starts[r], starts[r + 1]):
                    weight[i] = upstream[b, r, offset + i] * left[b, r, offset + i]
            for i in range(filled, padded):
                weight[i] = _ZERO
            if segments == 1:
                _distances(lines, 0, px, py, padded, d2)
            else:
                _nearest(lines, segments, px, py, padded, d2, other, winner)
            spread += _weights(d2, inverse, weight, padded)
            for k in range(segments):
                x, y, xt, yt = _pull(lines, k, px, py, weight, winner, padded)
                after = min(k + 1, corners - 1)
                sums[k, 0] += x - xt
                sums[k, 1] += y - yt
                sums[after, 0] += xt
                sums[after, 1] += yt
        factor = 2.0 * float(inverse)
        for k in range(corners):
            to_vertices[b, n, k, 0] = _normal(factor * sums[k, 0])
            to_vertices[b, n, k, 1] = _normal(factor * sums[k, 1])
        to_inverse[b, n] = _normal(-spread)


@_compiled()
def _normal(value):
    """Float32, with 0 for what would be denormal."""
    return np.float32(0.0) if abs(value) < SMALLEST else np.float32(value)
