"""The CPU kernels for polylines, over tiles of 8 x 8 pixels; see ``raster._cpu_kernels``.

A curve has tens of segments, and a pixel is nearest to one. So for each square cell of the canvas, first of 32 x 32
pixels and then of 8 x 8, the segments are looked for that can be nearest to one of its pixels (``choose``), and only
those are computed there.
"""

import math

import numpy as np

from raster._cpu_kernels import (
    BATCH,
    FAR,
    MAX,
    STRIP,
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
from raster._cpu_lanes import CONTRACT, LANES, SUMS, compiled, copy8

TILE = LANES * LANES  # pixels
CELL = 32  # pixels on a side
_ACROSS = CELL // LANES
_TILES = BATCH // TILE
_X = np.array([i % LANES for i in range(TILE)], np.float32)
_Y = np.array([i // LANES for i in range(TILE)], np.float32)
_NEVER = np.float32(-math.inf)
_NEXT = np.uint64(1)
_INFINITE = np.float32(math.inf).view(np.int32)


@compiled(fastmath=CONTRACT)
def _look(lines, first, last, x, y, half, looked):
    """Of segments first..last, seen from (x, y): squared distance, and how far the square of half side ``half`` around
    it lies wholly past the segment's second end, or before its first (then above 0). Gives the least distance.

    That of segment k is column k + 1.
    """
    least = _INFINITE
    # To whole vectors; an index that cannot be below 0 needs no look at its sign.
    for k in range(np.uint64(first // LANES * LANES), np.uint64((last + LANES - 1) // LANES * LANES)):
        rx, ry, ux, uy, length = x - lines[0, k], y - lines[1, k], lines[2, k], lines[3, k], lines[4, k]
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        held = along if along > ZERO else ZERO
        held = held if held < length else length
        beyond = along - held
        square = beyond * beyond + across * across
        square = square if square < FAR else FAR
        slack = half * (abs(ux) + abs(uy)) + np.float32(1e-3) + np.float32(1e-5) * (abs(rx) + abs(ry))
        looked[0, k + _NEXT] = square
        looked[1, k + _NEXT] = along - slack - length
        looked[2, k + _NEXT] = -along - slack
        bits = np.float32(square).view(np.int32)  # of numbers >= 0 these have the same order, and a minimum in lanes
        least = bits if bits < least else least
    looked[2, first + 1] = looked[1, last] = _NEVER  # these have no neighbour to stand in for them
    return math.sqrt(np.int32(least).view(np.float32))


@compiled()
def _judge(first, last, limit, looked, needed):
    """Which of the segments first..last are needed, a byte each, to whole vectors."""
    for k in range(np.uint64(first // LANES * LANES), np.uint64((last + LANES - 1) // LANES * LANES)):
        goes = (looked[1, k + _NEXT] > ZERO) | ((looked[2, k + _NEXT] > ZERO) & (looked[1, k] <= ZERO))
        needed[k] = np.uint8(1) if (looked[0, k + _NEXT] <= limit) & (not goes) else np.uint8(0)


@compiled()
def choose(lines, first, last, x, y, half, reach, looked, needed, chosen, start):
    """Puts into ``chosen`` from ``start`` on which of a stroke's segments first..last can be nearest to a point of a
    square, if they are those that can be in a larger one; gives where it ends. ``lines`` are [6 s].

    The square has its middle at (x, y) and half the side ``half``. A segment is not needed that is further from the
    middle than the nearest one by more than the diagonal. Nor is it where the square lies wholly past its second end,
    for the next is at least as near everywhere, or before its first end, for the one before is. (Not both of two
    neighbours go: the first rule goes first.)
    """
    least = _look(lines, first, last, np.float32(x), np.float32(y), np.float32(half), looked)
    diagonal = np.float32(half * 2.8284273)
    if least > reach + np.float32(0.5) * diagonal:
        return start
    limit = least * np.float32(1.00001) + diagonal + np.float32(1e-3)
    _judge(first, last, limit * limit, looked, needed)
    for k in range(first, last):
        if needed[k]:
            chosen[start] = k
            start += 1
    return start


@compiled()
def length_of(lines, segments):
    """How many segments a stroke has without those at its end that are points: a curve that needs fewer pieces than
    others repeats its last vertex, and no pixel is nearer to it there.
    """
    while segments > 1 and lines[4, segments - 1] == ZERO:
        segments -= 1
    return segments


@compiled(fastmath=CONTRACT)
def measure(lines, chosen, start, stop, x, y, tile, d2, whose, place):
    """Squared distance to the nearest of the chosen segments, and its number, for the tile that begins at (x, y).

    ``tile``, of twice its pixels, holds both while they change: two arrays might overlap, for all that LLVM knows.
    """
    first = np.float32(chosen[start])
    for i in range(TILE):
        tile[i] = FAR
        tile[i + TILE] = first
    for c in range(start, stop):
        k = chosen[c]
        ux, uy, length, number = lines[2, k], lines[3, k], lines[4, k], np.float32(k)
        ax, ay = np.float32(x) - lines[0, k], np.float32(y) - lines[1, k]
        for i in range(TILE):
            rx, ry = _X[i] + ax, _Y[i] + ay
            along, across = rx * ux + ry * uy, ry * ux - rx * uy
            held = along if along > ZERO else ZERO
            held = held if held < length else length
            beyond = along - held
            square = beyond * beyond + across * across
            nearer = square < tile[i]
            tile[i] = square if nearer else tile[i]
            tile[i + TILE] = number if nearer else tile[i + TILE]
    for m in range(LANES):
        copy8(d2, place + m * LANES, tile, m * LANES)
        copy8(whose, place + m * LANES, tile, TILE + m * LANES)


@compiled(fastmath=SUMS)
def pull(lines, k, x, y, weight, whose, place):
    """Sums of weight * e over segment k's pixels of a tile, e = pixel - nearest point: plain, and times t.

    As in ``raster._cpu_lines``.
    """
    ux, uy, length, inverse_length = lines[2, k], lines[3, k], lines[4, k], lines[5, k]
    ax, ay = np.float32(x) - lines[0, k], np.float32(y) - lines[1, k]
    number = np.float32(k)
    at = np.uint64(place)  # an index that cannot be below 0 needs no look at its sign
    u = v = ut = vt = ZERO
    for i in range(np.uint64(TILE)):
        rx, ry = _X[i] + ax, _Y[i] + ay
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        held = along if along > ZERO else ZERO
        held = held if held < length else length
        w = weight[at + i] if whose[at + i] == number else ZERO
        beyond, beside = w * (along - held), w * across
        t = held * inverse_length
        u += beyond
        v += beside
        ut += beyond * t
        vt += beside * t
    return u * ux - v * uy, u * uy + v * ux, ut * ux - vt * uy, ut * uy + vt * ux


@compiled()
def _tiles(state, lines, segments, reach, box, top, end, stride, room, chosen, starts, corners, d2, whose, places):
    """The next tiles that a stroke is felt in, until the batch is full; gives how many.

    ``state`` is where it goes on: the cell, the tile in it, and the first and last of the segments near the cell. Of
    tile t, ``corners[t]`` is where it begins, and the segments nearest to some pixel of it are
    ``chosen[starts[t] : starts[t + 1]]``. ``room`` is that of ``choose`` and ``measure``.
    """
    looked, needed, tile = room
    first_row, last_row = max(top, np.int64(box[0])), min(end, np.int64(box[1])) - 1
    first_column, last_column = np.int64(box[2]), np.int64(box[3]) - 1
    if first_row > last_row or first_column > last_column:
        return 0
    columns = last_column // CELL - first_column // CELL + 1
    cells = (last_row // CELL - first_row // CELL + 1) * columns
    tiles = 0
    starts[0] = 0
    while tiles < _TILES and state[0] < cells:
        y = (first_row // CELL + state[0] // columns) * CELL
        x = (first_column // CELL + state[0] % columns) * CELL
        if state[1] == 0:
            middle, start = (CELL - 1) / 2, starts[tiles]
            stop = choose(lines, 0, segments, x + middle, y + middle, middle, reach, looked, needed, chosen, start)
            if stop == start:
                state[1] = _ACROSS * _ACROSS
            else:
                state[2], state[3] = chosen[start], chosen[stop - 1] + 1
        while tiles < _TILES and state[1] < _ACROSS * _ACROSS:
            row, column = y + state[1] // _ACROSS * LANES, x + state[1] % _ACROSS * LANES
            state[1] += 1
            if row > last_row or row + LANES <= first_row or column > last_column or column + LANES <= first_column:
                continue
            half = (LANES - 1) / 2
            start = starts[tiles]
            stop = choose(
                lines, state[2], state[3], column + half, row + half, half, reach, looked, needed, chosen, start
            )
            if stop == start:
                continue
            measure(lines, chosen, start, stop, column, row, tile, d2, whose, tiles * TILE)
            for i in range(LANES):
                places[tiles * LANES + i] = (row - top + i) * stride + column
            corners[tiles, 0], corners[tiles, 1] = column, row
            tiles += 1
            starts[tiles] = stop
        if state[1] == _ACROSS * _ACROSS:
            state[0] += 1
            state[1] = 0
    return tiles


@compiled()
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
    """As in ``raster._cpu_lines``."""
    count, channels, height, width = box.shape[1], picture.shape[1], picture.shape[2], picture.shape[3]
    strips = (height + STRIP - 1) // STRIP
    stride = (width + LANES - 1) // LANES * LANES
    pixels = min((height + LANES - 1) // LANES * LANES, STRIP) * stride
    canvas = np.empty((channels, pixels), np.float32)
    winners = np.empty((channels, pixels if compose == MAX else 0), np.int32)
    d2, ink, held = np.empty(BATCH, np.float32), np.empty(BATCH, np.float32), np.empty(BATCH, np.float32)
    whose, other, places = np.empty(BATCH, np.float32), np.empty(BATCH, np.int32), np.empty(BATCH // LANES, np.int64)
    slots = lines.shape[3]
    room = np.empty((3, slots + 1), np.float32), np.empty(slots, np.uint8), np.empty(2 * TILE, np.float32)
    chosen, starts = np.empty((_TILES + 1) * segments, np.int32), np.empty(_TILES + 1, np.int64)
    corners, state = np.empty((_TILES, 2), np.int64), np.empty(4, np.int64)
    for task in range(first, last):
        b, strip = task // strips, task % strips
        top, end = strip * STRIP, min(height, (strip + 1) * STRIP)
        if poisoned(box[b]):
            spoil(compose, top, end, picture[b], left[b], winner[b])
            continue
        clear(compose, canvas, winners)
        for n in range(count):
            if box[b, n, 0] >= end or box[b, n, 1] <= top:
                continue
            for i in range(4):
                state[i] = 0
            own = length_of(lines[b, n], segments)
            while True:
                tiles = _tiles(
                    state, lines[b, n], own, reach[b, n], box[b, n], top, end, stride,
                    room, chosen, starts, corners, d2, whose, places,
                )  # fmt: skip
                if tiles == 0:
                    break
                filled = tiles * TILE
                respond(response, d2, inverse_sigma2[b, n], cut, ink, filled)
                blocks = tiles * LANES
                paint(compose, n, weight[b, n], cover[b, n], ink, filled, places, blocks, canvas, winners, held, other)
        show(compose, canvas, winners, stride, top, end, picture[b], left[b], winner[b])


@compiled()
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
    """As in ``raster._cpu_lines``."""
    count, channels = to_vertices.shape[1], weight.shape[2]
    rows = planes.shape[2] // stride
    d2, ink, got = np.empty(BATCH, np.float32), np.empty(BATCH, np.float32), np.empty(BATCH, np.float32)
    whose, other, to_ink = np.empty(BATCH, np.float32), np.empty(BATCH, np.int32), np.empty(BATCH, np.float32)
    places = np.empty(BATCH // LANES, np.int64)
    slots = lines.shape[3]
    room = np.empty((3, slots + 1), np.float32), np.empty(slots, np.uint8), np.empty(2 * TILE, np.float32)
    chosen, starts = np.empty((_TILES + 1) * segments, np.int32), np.empty(_TILES + 1, np.int64)
    corners, state = np.empty((_TILES, 2), np.int64), np.empty(4, np.int64)
    weights, sums = np.empty(channels, np.float64), np.empty((segments + 1, 2), np.float64)
    for task in range(first, last):
        b, n = task // count, task % count
        if box[b, n, 0] < 0:
            lose(b, n, to_vertices, to_inverse, to_weight)
            continue
        line, inverse = lines[b, n], inverse_sigma2[b, n]
        for channel in range(channels):
            weights[channel] = 0.0
        for k in range(segments + 1):
            sums[k, 0] = sums[k, 1] = 0.0
        spread = 0.0
        for i in range(4):
            state[i] = 0
        own = length_of(line, segments)
        while True:
            tiles = _tiles(
                state, line, own, reach[b, n], box[b, n], 0, rows, stride,
                room, chosen, starts, corners, d2, whose, places,
            )  # fmt: skip
            if tiles == 0:
                break
            filled, blocks = tiles * TILE, tiles * LANES
            respond(response, d2, inverse, cut, ink, filled)
            share(
                compose, n, weight[b, n], ink, filled, places, blocks, planes[b], owners[b], got, other, to_ink, weights
            )
            spread += steepen(response, d2, inverse, ink, to_ink, filled)
            for t in range(tiles):
                for c in range(starts[t], starts[t + 1]):
                    k = chosen[c]
                    x, y, xt, yt = pull(line, k, corners[t, 0], corners[t, 1], to_ink, whose, t * TILE)
                    sums[k, 0] += x - xt
                    sums[k, 1] += y - yt
                    sums[k + 1, 0] += xt
                    sums[k + 1, 1] += yt
        factor = 2.0 * float(inverse)
        for k in range(segments + 1):
            to_vertices[b, n, k, 0] = normal(factor * sums[k, 0])
            to_vertices[b, n, k, 1] = normal(factor * sums[k, 1])
        to_inverse[b, n] = normal(-spread)
        for channel in range(channels):
            to_weight[b, n, channel] = normal(weights[channel])
