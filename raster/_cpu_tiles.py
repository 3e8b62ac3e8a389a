"""What the CPU kernels do in one cell of a polyline's canvas and one tile; see ``raster._cpu_polylines``.

A segment is looked at from the middle of a square: from there alone it can be said that another is nearer to all of the
square. Segments and tiles are bits of a word, so that a rule is one operation for 64 of either.
"""

import math

import numpy as np

from raster._cpu_kernels import FAR, ZERO
from raster._cpu_lanes import LANES, compiled
from raster._cpu_vectors import add_totals, all8, any8, bits8, least8, load8, note8, pick8, root8, store8

TILE = LANES * LANES  # pixels
CELL = 32  # pixels on a side
ACROSS = CELL // LANES  # tiles
EVERY = 2**LANES - 1  # the bits of eight
_COLUMN = np.arange(LANES).astype(np.float32)
_TILE_X = np.array([(t % ACROSS) * LANES + (LANES - 1) / 2 for t in range(LANES)], np.float32)
_TILE_Y = np.array([(t // ACROSS) * LANES + (LANES - 1) / 2 for t in range(LANES)], np.float32)
_DIAGONAL = 2.8284273  # of a square of half side 1, rounded up
#: What rounding may take: of a distance in pixels, of one coordinate, of a distance that is a multiple.
_MARGIN, _ROUNDING, _MORE = np.float32(1e-3), np.float32(1e-5), np.float32(1.00001)
_HALF = np.float32(0.5)


@compiled(inline="always")
def _low8(a, b):
    return pick8(a < b, a, b)


@compiled(inline="always")
def _high8(a, b):
    return pick8(b < a, a, b)


@compiled(inline="always")
def _abs8(a):
    zero = all8(ZERO)
    return pick8(a < zero, zero - a, a)


@compiled(inline="always")
def _square8(along, across, zero, length):
    beyond = along - _low8(_high8(along, zero), length)
    return beyond * beyond + across * across


@compiled()
def _look(lines, last, x, y, half, looked, stays):
    """Of a stroke's first ``last`` segments, seen from (x, y): squared distance (``looked``), and which of them no
    neighbour can stand in for (``stays``, eight bits each). Gives the least squared distance.
    """
    slots = lines.shape[1]
    zero, far, least, margin, rounding = all8(ZERO), all8(FAR), all8(FAR), all8(_MARGIN), all8(_ROUNDING)
    x8, y8, half8 = all8(x), all8(y), all8(half)
    carried = 0
    for k in range(0, last, LANES):
        rx, ry = x8 - load8(lines, k), y8 - load8(lines, slots + k)
        ux, uy, length = load8(lines, 2 * slots + k), load8(lines, 3 * slots + k), load8(lines, 4 * slots + k)
        along, across = rx * ux + ry * uy, ry * ux - rx * uy
        square = _low8(_square8(along, across, zero, length), far)
        slack = half8 * (_abs8(ux) + _abs8(uy)) + margin + rounding * (_abs8(rx) + _abs8(ry))
        past, before, mine = bits8(length < along - slack), bits8(along + slack < zero), EVERY
        if k + LANES >= last:  # the last has no neighbour to stand in for it, nor has the first
            past &= (1 << (last - 1 - k)) - 1
            mine = (1 << (last - k)) - 1
        if k == 0:
            before &= ~1
        stays[k // LANES] = mine & ~(past | (before & ~((past << 1) | carried)))
        carried = past >> (LANES - 1)
        store8(looked, k, square)
        least = _low8(square, least)
    return least8(least)


@compiled()
def choose(lines, last, x, y, half, reach, looked, stays, chosen, start):
    """Puts into ``chosen`` from ``start`` on which of a stroke's first ``last`` segments can be nearest to a point of a
    square; gives where it ends. ``lines`` are [6 s]; ``looked`` and ``stays`` are room for s and s / 8.

    The square has its middle at (x, y) and half the side ``half``. A segment is not needed that is further from the
    middle than the nearest one by more than the diagonal. Nor is it where the square lies wholly past its second end,
    for the next is at least as near everywhere, or before its first end, for the one before is. (Not both of two
    neighbours go: the first rule goes first.)
    """
    least = math.sqrt(_look(lines, last, np.float32(x), np.float32(y), np.float32(half), looked, stays))
    diagonal = np.float32(half * _DIAGONAL)
    if least > reach + _HALF * diagonal:
        return start
    limit = least * _MORE + diagonal + _MARGIN
    limit8 = all8(np.float32(limit * limit))
    for k in range(0, last, LANES):
        start = note8(chosen, start, bits8(load8(looked, k) <= limit8) & stays[k // LANES], k)
    return start


@compiled()
def _turned(word):
    """The 8 x 8 bits of a word with bytes for bits: bit i of byte j becomes bit j of byte i."""
    swap = (word ^ (word >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
    word ^= swap ^ (swap << np.uint64(7))
    swap = (word ^ (word >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
    word ^= swap ^ (swap << np.uint64(14))
    swap = (word ^ (word >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
    return word ^ swap ^ (swap << np.uint64(28))


@compiled()
def deal(lines, near, count, x, y, reach, looked, words):
    """Deals the segments near a cell out to its tiles, by the rules of ``choose``; eight tiles at a time.

    The cell begins at (x, y), and its segments are ``near[:count]``, in order. Bit k % 8 of byte t % 8 of
    ``words[t // 8, k // 8 - near[0] // 8]`` says whether tile t needs segment k. Gives in which tiles the stroke is
    felt, a bit each.
    """
    zero, far, down, half = all8(ZERO), all8(FAR), all8(np.float32(CELL // 2)), np.float32((LANES - 1) / 2)
    tile_x, tile_y = load8(_TILE_X, 0) + all8(np.float32(x)), load8(_TILE_Y, 0) + all8(np.float32(y))
    middle_x, middle_y = np.float32(x + CELL // 2), np.float32(y + CELL // 2)
    begin = near[0] // LANES
    groups = near[count - 1] // LANES - begin + 1
    for i in range(7):
        for g in range(groups):
            words[i, g] = np.uint64(0)
    upper = lower = far
    for c in range(count):
        k = np.uint64(near[c])
        ax, ay, ux, uy, length = lines[0, k], lines[1, k], lines[2, k], lines[3, k], lines[4, k]
        rx, ry, ux8, uy8, length8 = tile_x - all8(ax), tile_y - all8(ay), all8(ux), all8(uy), all8(length)
        slack = half * (abs(ux) + abs(uy)) + _MARGIN
        slack += _ROUNDING * (abs(middle_x - ax) + abs(middle_y - ay) + np.float32(CELL))
        past, before = all8(length + slack), all8(-slack)
        group, place = np.int64(k) // LANES - begin, (k % np.uint64(LANES)) * np.uint64(LANES)
        words[0, group] |= np.uint64(EVERY) << place
        along, across = rx * ux8 + ry * uy8, ry * ux8 - rx * uy8
        square = _low8(_square8(along, across, zero, length8), far)
        store8(looked, 2 * LANES * c, square)
        upper = _low8(square, upper)
        words[1, group] |= np.uint64(bits8(past < along)) << place
        words[2, group] |= np.uint64(bits8(along < before)) << place
        along, across = along + down * uy8, across + down * ux8
        square = _low8(_square8(along, across, zero, length8), far)
        store8(looked, 2 * LANES * c + LANES, square)
        lower = _low8(square, lower)
        words[3, group] |= np.uint64(bits8(past < along)) << place
        words[4, group] |= np.uint64(bits8(along < before)) << place
    upper, lower = root8(upper), root8(lower)
    diagonal = np.float32(half * _DIAGONAL)
    within = all8(reach + _HALF * diagonal)
    felt = bits8(upper <= within) | (bits8(lower <= within) << LANES)
    more, most = all8(_MORE), all8(diagonal + _MARGIN)
    upper, lower = upper * more + most, lower * more + most
    upper, lower = upper * upper, lower * lower
    for c in range(count):
        k = np.uint64(near[c])
        group, place = np.int64(k) // LANES - begin, (k % np.uint64(LANES)) * np.uint64(LANES)
        words[5, group] |= np.uint64(bits8(load8(looked, 2 * LANES * c) <= upper)) << place
        words[6, group] |= np.uint64(bits8(load8(looked, 2 * LANES * c + LANES) <= lower)) << place
    one, rest = np.uint64(LANES), np.uint64(LANES * (LANES - 1))
    listed_before = past_above = past_below = np.uint64(0)
    for g in range(groups):
        listed = words[0, g]
        follows = (listed >> one) | (words[0, g + 1] << rest if g + 1 < groups else np.uint64(0))
        led = (listed << one) | listed_before
        past, before = words[1, g] & follows, words[2, g] & led
        words[0, g] = _turned(words[5, g] & ~(past | (before & ~((past << one) | past_above))))
        past_above = past >> rest
        past, before = words[3, g] & follows, words[4, g] & led
        words[1, g] = _turned(words[6, g] & ~(past | (before & ~((past << one) | past_below))))
        past_below = past >> rest
        listed_before = listed >> rest
    return felt


@compiled()
def length_of(lines, segments):
    """How many segments a stroke has without those at its end that are points: a curve that needs fewer pieces than
    others repeats its last vertex, and no pixel is nearer to it there.
    """
    while segments > 1 and lines[4, segments - 1] == ZERO:
        segments -= 1
    return segments


@compiled()
def measure(lines, chosen, start, stop, x, y, d2, place):
    """Squared distance to the nearest of the chosen segments for the tile that begins at (x, y)."""
    columns, zero, two, three = load8(_COLUMN, 0), all8(ZERO), all8(np.float32(2)), all8(np.float32(3))
    for half in range(0, LANES, 4):
        top = np.float32(y + half)
        d0 = d1 = d2_ = d3 = all8(FAR)
        for c in range(start, stop):
            k = np.uint64(chosen[c])
            ax, ay, ux, uy = np.float32(x) - lines[0, k], top - lines[1, k], lines[2, k], lines[3, k]
            length, rx, ux8, uy8 = all8(lines[4, k]), columns + all8(ax), all8(ux), all8(uy)
            along, across = rx * ux8 + all8(ay * uy), all8(ay * ux) - rx * uy8
            d0 = _low8(_square8(along, across, zero, length), d0)
            d1 = _low8(_square8(along + uy8, across + ux8, zero, length), d1)
            d2_ = _low8(_square8(along + two * uy8, across + two * ux8, zero, length), d2_)
            d3 = _low8(_square8(along + three * uy8, across + three * ux8, zero, length), d3)
        at = place + half * LANES
        store8(d2, at, d0)
        store8(d2, at + LANES, d1)
        store8(d2, at + 2 * LANES, d2_)
        store8(d2, at + 3 * LANES, d3)


@compiled()
def measure_whose(lines, chosen, start, stop, x, y, d2, whose, place):
    """As ``measure``, and the nearest segment's number."""
    columns, zero, two, three = load8(_COLUMN, 0), all8(ZERO), all8(np.float32(2)), all8(np.float32(3))
    for half in range(0, LANES, 4):
        top = np.float32(y + half)
        d0 = d1 = d2_ = d3 = all8(FAR)
        w0 = w1 = w2 = w3 = all8(np.float32(chosen[start]))
        for c in range(start, stop):
            k = np.uint64(chosen[c])
            number = all8(np.float32(k))
            ax, ay, ux, uy = np.float32(x) - lines[0, k], top - lines[1, k], lines[2, k], lines[3, k]
            length, rx, ux8, uy8 = all8(lines[4, k]), columns + all8(ax), all8(ux), all8(uy)
            along, across = rx * ux8 + all8(ay * uy), all8(ay * ux) - rx * uy8
            square = _square8(along, across, zero, length)
            w0 = pick8(square < d0, number, w0)
            d0 = _low8(square, d0)
            square = _square8(along + uy8, across + ux8, zero, length)
            w1 = pick8(square < d1, number, w1)
            d1 = _low8(square, d1)
            square = _square8(along + two * uy8, across + two * ux8, zero, length)
            w2 = pick8(square < d2_, number, w2)
            d2_ = _low8(square, d2_)
            square = _square8(along + three * uy8, across + three * ux8, zero, length)
            w3 = pick8(square < d3, number, w3)
            d3 = _low8(square, d3)
        at = place + half * LANES
        store8(d2, at, d0)
        store8(d2, at + LANES, d1)
        store8(d2, at + 2 * LANES, d2_)
        store8(d2, at + 3 * LANES, d3)
        store8(whose, at, w0)
        store8(whose, at + LANES, w1)
        store8(whose, at + 2 * LANES, w2)
        store8(whose, at + 3 * LANES, w3)


@compiled()
def pull(lines, k, x, y, weight, whose, place, sums):
    """Adds to ``sums[k]`` what segment k's pixels of a tile pull at it: of weight * e, e = pixel - nearest point, the
    parts along and across the segment, plain and times t.

    As in ``raster._cpu_lines``.
    """
    number = all8(np.float32(k))
    w0 = load8(whose, place) == number
    w1 = load8(whose, place + LANES) == number
    w2 = load8(whose, place + 2 * LANES) == number
    w3 = load8(whose, place + 3 * LANES) == number
    w4 = load8(whose, place + 4 * LANES) == number
    w5 = load8(whose, place + 5 * LANES) == number
    w6 = load8(whose, place + 6 * LANES) == number
    w7 = load8(whose, place + 7 * LANES) == number
    if not any8(((w0 | w1) | (w2 | w3)) | ((w4 | w5) | (w6 | w7))):
        return
    k = np.uint64(k)
    ux, uy = lines[2, k], lines[3, k]
    ax, ay = np.float32(x) - lines[0, k], np.float32(y) - lines[1, k]
    zero, length, inverse_length = all8(ZERO), all8(lines[4, k]), all8(lines[5, k])
    rx, ux8, uy8 = load8(_COLUMN, 0) + all8(ax), all8(ux), all8(uy)
    first_along, first_across = rx * ux8 + all8(ay * uy), all8(ay * ux) - rx * uy8
    u8 = v8 = ut8 = vt8 = zero
    for i in range(LANES):
        row = all8(np.float32(i))
        along, across = first_along + row * uy8, first_across + row * ux8
        held = _low8(_high8(along, zero), length)
        at = place + i * LANES
        w = pick8(load8(whose, at) == number, load8(weight, at), zero)
        beyond, beside, t = w * (along - held), w * across, held * inverse_length
        u8 = u8 + beyond
        v8 = v8 + beside
        ut8 = ut8 + beyond * t
        vt8 = vt8 + beside * t
    add_totals(sums, 4 * np.int64(k), u8, v8, ut8, vt8)


@compiled()
def in_canvas(lines, k, sums):
    """The four sums of segment k's ``pull`` in x and y: plain, and times t."""
    ux, uy = float(lines[2, k]), float(lines[3, k])
    u, v, ut, vt = sums[0], sums[1], sums[2], sums[3]
    return u * ux - v * uy, u * uy + v * ux, ut * ux - vt * uy, ut * uy + vt * ux
