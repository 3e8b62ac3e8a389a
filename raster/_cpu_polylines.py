"""The CPU kernels for polylines, over tiles of 8 x 8 pixels; see ``raster._cpu_kernels``.

A curve has tens of segments, and a pixel is nearest to one. So for each square cell of the canvas, of 32 x 32 pixels,
the segments are looked for that can be nearest to one of its pixels (``choose``), these are dealt out in the same
way to its tiles (``deal``), and only those are computed there.
"""

import numpy as np

from raster._cpu_kernels import (
    BATCH,
    MAX,
    STRIP,
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
from raster._cpu_lanes import LANES, compiled
from raster._cpu_tiles import (
    ACROSS,
    CELL,
    EVERY,
    TILE,
    choose,
    deal,
    in_canvas,
    length_of,
    measure,
    measure_whose,
    pull,
)
from raster._cpu_vectors import note8

_TILES = BATCH // TILE


@compiled()
def _tiles(
    state, lines, segments, reach, box, top, end, stride, room, chosen, starts, corners, tells, d2, whose, places
):
    """The next tiles that a stroke is felt in, until the batch is full; gives how many.

    ``state`` is where it goes on: the cell, the tile in it, the tiles that the stroke is felt in, a bit each, and the
    last eight of the segments near the cell. Of tile t, ``corners[t]`` is where it begins, and the segments nearest
    to some pixel of it are ``chosen[starts[t] : starts[t + 1]]``. ``whose`` is filled if ``tells``. ``room`` is that
    of ``choose`` and ``deal``.
    """
    looked, stays, near, words = room
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
            middle = (CELL - 1) / 2
            count = choose(lines, segments, x + middle, y + middle, middle, reach, looked, stays, near, 0)
            state[2] = deal(lines, near, count, x, y, reach, looked, words) if count else 0
            state[3] = near[count - 1] // LANES if count else 0
        while tiles < _TILES and state[2] >> state[1]:
            t = state[1]
            state[1] += 1
            row, column = y + t // ACROSS * LANES, x + t % ACROSS * LANES
            if (
                not state[2] >> t & 1
                or row > last_row
                or row + LANES <= first_row
                or column > last_column
                or column + LANES <= first_column
            ):
                continue
            start = stop = starts[tiles]
            begin = np.int64(near[0]) // LANES
            place = np.uint64(t % LANES * LANES)
            for group in range(begin, state[3] + 1):
                byte = (words[t // LANES, group - begin] >> place) & np.uint64(EVERY)
                stop = note8(chosen, stop, np.int64(byte), group * LANES)
            if tells:
                measure_whose(lines, chosen, start, stop, column, row, d2, whose, tiles * TILE)
            else:
                measure(lines, chosen, start, stop, column, row, d2, tiles * TILE)
            for i in range(LANES):
                places[tiles * LANES + i] = (row - top + i) * stride + column
            corners[tiles, 0], corners[tiles, 1] = column, row
            tiles += 1
            starts[tiles] = stop
        if not state[2] >> state[1]:
            state[0] += 1
            state[1] = 0
    return tiles


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
    room = (
        np.empty(2 * LANES * slots, np.float32),
        np.empty(slots // LANES, np.int64),
        np.empty(slots + LANES, np.int32),
        np.empty((7, slots // LANES), np.uint64),
    )
    chosen, starts = np.empty((_TILES + 1) * segments + LANES, np.int32), np.empty(_TILES + 1, np.int64)
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
                    room, chosen, starts, corners, False, d2, whose, places,
                )  # fmt: skip
                if tiles == 0:
                    break
                filled = tiles * TILE
                respond(response, d2, inverse_sigma2[b, n], cut, ink, filled)
                blocks = tiles * LANES
                paint(compose, n, weight[b, n], cover[b, n], ink, filled, places, blocks, canvas, winners, held, other)
        show(compose, canvas, winners, stride, top, end, picture[b], left[b], winner[b])


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
    """As in ``raster._cpu_lines``."""
    count, channels = to_vertices.shape[1], weight.shape[2]
    rows = planes.shape[2] // stride
    d2, ink, got = np.empty(BATCH, np.float32), np.empty(BATCH, np.float32), np.empty(BATCH, np.float32)
    whose, other, to_ink = np.empty(BATCH, np.float32), np.empty(BATCH, np.int32), np.empty(BATCH, np.float32)
    places = np.empty(BATCH // LANES, np.int64)
    slots = lines.shape[3]
    room = (
        np.empty(2 * LANES * slots, np.float32),
        np.empty(slots // LANES, np.int64),
        np.empty(slots + LANES, np.int32),
        np.empty((7, slots // LANES), np.uint64),
    )
    chosen, starts = np.empty((_TILES + 1) * segments + LANES, np.int32), np.empty(_TILES + 1, np.int64)
    corners, state = np.empty((_TILES, 2), np.int64), np.empty(4, np.int64)
    weights, sums = np.empty(channels, np.float64), np.empty((segments, 4), np.float64)
    for task in range(first, last):
        b, n = task // count, task % count
        if box[b, n, 0] < 0:
            lose(b, n, to_vertices, to_inverse, to_weight)
            continue
        line, inverse = lines[b, n], inverse_sigma2[b, n]
        for channel in range(channels):
            weights[channel] = 0.0
        for k in range(segments):
            for i in range(4):
                sums[k, i] = 0.0
        spread = 0.0
        for i in range(4):
            state[i] = 0
        own = length_of(line, segments)
        while True:
            tiles = _tiles(
                state, line, own, reach[b, n], box[b, n], 0, rows, stride,
                room, chosen, starts, corners, True, d2, whose, places,
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
                    pull(line, k, corners[t, 0], corners[t, 1], to_ink, whose, t * TILE, sums)
        factor = 2.0 * float(inverse)
        before_x = before_y = 0.0  # the pull of the segment before, of which this one's first end is the second
        for k in range(segments):
            x, y, xt, yt = in_canvas(line, k, sums[k])
            to_vertices[b, n, k, 0] = normal(factor * (before_x + x - xt))
            to_vertices[b, n, k, 1] = normal(factor * (before_y + y - yt))
            before_x, before_y = xt, yt
        to_vertices[b, n, segments, 0] = normal(factor * before_x)
        to_vertices[b, n, segments, 1] = normal(factor * before_y)
        to_inverse[b, n] = normal(-spread)
        for channel in range(channels):
            to_weight[b, n, channel] = normal(weights[channel])
