"""The CPU kernels for points and lines, over the rows of each stroke's own band; see ``raster._cpu_kernels``."""

import math

import numpy as np

from raster._cpu_kernels import (
    BATCH,
    FAR,
    MAX,
    STRIP,
    WHOLE,
    ZERO,
    clear,
    lose,
    normal,
    paint,
    poisoned,
    respond,
    share,
    show,
    spoil,
    steepen,
)
from raster._cpu_lanes import CONTRACT, LANES, SUMS, compiled, ramp8

_ROOM = BATCH + WHOLE


@compiled()
def _gather(line, reach, box, row, column, end, top, stride, px, py, places):
    """Pixels of a line's band from ``row`` and ``column`` (-1: the band's first) on, until the batch is full.

    Gives where to go on, and how many blocks there are.
    """
    ax, ay, ux, uy = float(line[0, 0]), float(line[1, 0]), float(line[2, 0]), float(line[3, 0])
    slanted = abs(uy) > 1e-6 * abs(ux)
    slope = ux / uy if slanted else 0.0
    half = float(reach) / abs(uy) if slanted else math.inf  # half the width of a row of the band
    low, high = float(box[2]), float(box[3]) - 1.0
    blocks = 0
    while row < end:
        middle = ax + (row - ay) * slope
        left, right = max(middle - half, low), min(middle + half, high)
        if left <= right:
            if column < 0:
                column = int(math.ceil(left))
            last = int(math.floor(right))
            while column <= last and blocks < BATCH // LANES:
                ramp8(px, blocks * LANES, np.float32(column), np.float32(1))
                ramp8(py, blocks * LANES, np.float32(row), np.float32(0))
                places[blocks] = (row - top) * stride + column
                blocks += 1
                column += LANES
            if column <= last:
                break
        column = -1
        row += 1
    return row, column, blocks


@compiled(fastmath=CONTRACT)
def _distances(line, px, py, d2, count):
    """Squared distance of each pixel to the line."""
    ax, ay, ux, uy, length = line[0, 0], line[1, 0], line[2, 0], line[3, 0], line[4, 0]
    for i in range(count):
        rx, ry = px[i] - ax, py[i] - ay
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        held = along if along > ZERO else ZERO
        held = held if held < length else length
        beyond = along - held
        square = beyond * beyond + across * across
        d2[i] = min(FAR, square)


@compiled(makes_arrays=True)
def forward(
    compose,
    response,
    cut,
    segments,
    lines,
    reach,
    box,
    inverse_sigma2,
    weight,
    cover,
    picture,
    left,
    winner,
    first,
    last,
):
    """Fills the picture [b c h w], and for softor ``left``, for max ``winner``.

    Task i is strip i % strips of sketch i // strips.
    """
    count, channels, height, width = box.shape[1], picture.shape[1], picture.shape[2], picture.shape[3]
    strips = (height + STRIP - 1) // STRIP
    stride = width + LANES - 1
    pixels = min(height, STRIP) * stride
    canvas = np.empty((channels, pixels), np.float32)
    winners = np.empty((channels, pixels if compose == MAX else 0), np.int32)
    px, py, d2, ink = (
        np.zeros(_ROOM, np.float32),
        np.zeros(_ROOM, np.float32),
        np.empty(_ROOM, np.float32),
        np.empty(_ROOM, np.float32),
    )
    held, whose = np.zeros(_ROOM, np.float32), np.zeros(_ROOM, np.int32)
    places = np.empty(BATCH // LANES, np.int64)
    for task in range(first, last):
        b, strip = task // strips, task % strips
        top, end = strip * STRIP, min(height, (strip + 1) * STRIP)
        if poisoned(box[b]):
            spoil(compose, top, end, picture[b], left[b], winner[b])
            continue
        clear(compose, canvas, winners)
        for n in range(count):
            row, stop, column = max(top, np.int64(box[b, n, 0])), min(end, np.int64(box[b, n, 1])), -1
            while row < stop:
                row, column, blocks = _gather(
                    lines[b, n], reach[b, n], box[b, n], row, column, stop, top, stride, px, py, places
                )
                padded = (blocks * LANES + WHOLE - 1) // WHOLE * WHOLE
                _distances(lines[b, n], px, py, d2, padded)
                respond(response, d2, inverse_sigma2[b, n], cut, ink, padded)
                paint(compose, n, weight[b, n], cover[b, n], ink, padded, places, blocks, canvas, winners, held, whose)
        show(compose, canvas, winners, stride, top, end, picture[b], left[b], winner[b])


@compiled(fastmath=SUMS)
def _pull(line, px, py, weight, count):
    """Sums of weight * e, e = pixel - nearest point: plain, and times t.

    e is summed as (beyond an end, across the line): the part along the line is then 0 and not the rounding
    error of a difference, which is the same for all pixels of a line and would add up.
    """
    ax, ay, ux, uy = line[0, 0], line[1, 0], line[2, 0], line[3, 0]
    length, inverse_length = line[4, 0], line[5, 0]
    u = v = ut = vt = ZERO
    for i in range(count):
        rx, ry = px[i] - ax, py[i] - ay
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        held = along if along > ZERO else ZERO
        held = held if held < length else length
        beyond, beside = weight[i] * (along - held), weight[i] * across
        t = held * inverse_length
        u += beyond
        v += beside
        ut += beyond * t
        vt += beside * t
    return u * ux - v * uy, u * uy + v * ux, ut * ux - vt * uy, ut * uy + vt * ux


@compiled(makes_arrays=True)
def backward(
    compose,
    response,
    cut,
    segments,
    lines,
    reach,
    box,
    inverse_sigma2,
    weight,
    stride,
    planes,
    owners,
    to_vertices,
    to_inverse,
    to_weight,
    first,
    last,
):
    """Fills ``to_vertices`` [b n k 2], ``to_inverse`` [b n] and ``to_weight`` [b n c], strokes first..last of b * n.

    ``planes`` and ``owners`` [b c pixels] are what ``widen`` made, with rows of ``stride``.
    """
    count, corners, channels = to_vertices.shape[1], to_vertices.shape[2], weight.shape[2]
    px, py, d2, ink = (
        np.zeros(_ROOM, np.float32),
        np.zeros(_ROOM, np.float32),
        np.empty(_ROOM, np.float32),
        np.empty(_ROOM, np.float32),
    )
    got, whose, to_ink = np.zeros(_ROOM, np.float32), np.zeros(_ROOM, np.int32), np.empty(_ROOM, np.float32)
    places = np.empty(BATCH // LANES, np.int64)
    weights = np.empty(channels, np.float64)
    for task in range(first, last):
        b, n = task // count, task % count
        if box[b, n, 0] < 0:
            lose(b, n, to_vertices, to_inverse, to_weight)
            continue
        x = y = xt = yt = spread = 0.0
        for channel in range(channels):
            weights[channel] = 0.0
        row, column, stop = np.int64(box[b, n, 0]), -1, np.int64(box[b, n, 1])
        line, inverse = lines[b, n], inverse_sigma2[b, n]
        while row < stop:
            row, column, blocks = _gather(line, reach[b, n], box[b, n], row, column, stop, 0, stride, px, py, places)
            padded = (blocks * LANES + WHOLE - 1) // WHOLE * WHOLE
            _distances(line, px, py, d2, padded)
            respond(response, d2, inverse, cut, ink, padded)
            share(
                compose, n, weight[b, n], ink, padded, places, blocks, planes[b], owners[b], got, whose, to_ink, weights
            )
            spread += steepen(response, d2, inverse, ink, to_ink, padded)
            pulled = _pull(line, px, py, to_ink, padded)
            x, y, xt, yt = x + pulled[0], y + pulled[1], xt + pulled[2], yt + pulled[3]
        factor = 2.0 * float(inverse)
        to_vertices[b, n, 0, 0], to_vertices[b, n, 0, 1] = normal(factor * (x - xt)), normal(factor * (y - yt))
        if corners > 1:
            to_vertices[b, n, 1, 0], to_vertices[b, n, 1, 1] = normal(factor * xt), normal(factor * yt)
        to_inverse[b, n] = normal(-spread)
        for channel in range(channels):
            to_weight[b, n, channel] = normal(weights[channel])
