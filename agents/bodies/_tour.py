"""The order of lines and their directions for little travel: the kernels (numba), written as C would be.

A tour is an array of lines and one of flips. Line p of the tour is entered at its end ``2 * order[p] + flip[p]`` of
``ends`` and left at the other one. Gap g lies before position g; gaps 0 and n are the ways from ``home[0]`` and to
``home[1]``, and cost nothing where that is NaN: nowhere. All moves below keep every line and change only gaps.
"""

import numpy as np

from raster.compiling import kernel

_LEAST = 1e-9  # a gain below it is rounding
_LONGEST = 3  # lines that or-opt moves at a time


@kernel()
def _way(ends, home, one, other):
    """From an exit to an entry; -1 stands for home, at either side, which costs nothing where it is NaN."""
    if one >= 0 and other >= 0:
        return np.sqrt((ends[one, 0] - ends[other, 0]) ** 2 + (ends[one, 1] - ends[other, 1]) ** 2)
    if one < 0 and other < 0:
        return 0.0
    end, side = (other, 0) if one < 0 else (one, 1)
    if np.isnan(home[side, 0]):
        return 0.0
    return np.sqrt((ends[end, 0] - home[side, 0]) ** 2 + (ends[end, 1] - home[side, 1]) ** 2)


@kernel()
def _entry(order, flip, p):
    """The end at which the tour enters its line p; -1 after the last line."""
    return 2 * order[p] + flip[p] if p < order.shape[0] else -1


@kernel()
def _exit(order, flip, p):
    """The end at which it leaves its line p; -1 before the first."""
    return 2 * order[p] + 1 - flip[p] if p >= 0 else -1


@kernel()
def length(ends, home, order, flip):
    """Of all gaps of a tour."""
    total = 0.0
    for gap in range(order.shape[0] + 1):
        total += _way(ends, home, _exit(order, flip, gap - 1), _entry(order, flip, gap))
    return total


@kernel()
def nearest(ends, home):
    """A tour that goes on to the nearest end each time; it begins nearest to home, or with the first line."""
    n = ends.shape[0] // 2
    order, flip = np.empty(n, np.int64), np.zeros(n, np.int64)
    left = np.arange(n)
    x, y = (ends[0, 0], ends[0, 1]) if np.isnan(home[0, 0]) else (home[0, 0], home[0, 1])
    for p in range(n):
        best, at = np.inf, 0
        for i in range(n - p):
            for side in range(2):
                end = 2 * left[i] + side
                far = (ends[end, 0] - x) ** 2 + (ends[end, 1] - y) ** 2
                if far < best:
                    best, at = far, 2 * i + side
        line, side = left[at // 2], at % 2
        order[p], flip[p] = line, side
        x, y = ends[2 * line + 1 - side, 0], ends[2 * line + 1 - side, 1]
        left[at // 2] = left[n - p - 1]
    return order, flip


@kernel()
def _turn(order, flip, place, first, last):
    """Lines first..last the other way round."""
    while first <= last:
        one, other = order[first], order[last]
        turn_one, turn_other = 1 - flip[first], 1 - flip[last]
        order[first], order[last] = other, one
        flip[first], flip[last] = turn_other, turn_one
        place[other], place[one] = first, last
        first += 1
        last -= 1


@kernel()
def _two_opt(ends, home, order, flip, place, near):
    """Turn any part of the tour round where that shortens it; gives what was gained in one round."""
    n, gained = order.shape[0], 0.0
    for p in range(n):
        for side in range(2):
            # side 0: the way from where line p is left, which is gap p + 1; side 1: the way to it, gap p.
            k = 0
            while k < near.shape[1]:
                end = _exit(order, flip, p) if side == 0 else _entry(order, flip, p)
                gap = p + 1 if side == 0 else p
                now = _way(ends, home, _exit(order, flip, gap - 1), _entry(order, flip, gap))
                other = near[end, k]
                k += 1
                q = place[other // 2]
                if _way(ends, home, end, other) >= now and not (gap == 0 or gap == n):
                    break
                same = other == _exit(order, flip, q) if side == 0 else other == _entry(order, flip, q)
                if q == p or not same:
                    continue
                low, high = min(gap, q + 1 - side), max(gap, q + 1 - side)
                a, b = _exit(order, flip, low - 1), _entry(order, flip, low)
                c, d = _exit(order, flip, high - 1), _entry(order, flip, high)
                gain = _way(ends, home, a, b) + _way(ends, home, c, d)
                gain -= _way(ends, home, a, c) + _way(ends, home, b, d)
                if gain > _LEAST:
                    _turn(order, flip, place, low, high - 1)
                    gained += gain
                    break
    return gained


@kernel()
def _moved(order, flip, place, first, last, gap, turned):
    """Lines first..last to before what stands at ``gap``, which lies outside first..last + 1."""
    if turned:
        _turn(order, flip, place, first, last)
    # A rotation is three reversals; _turn flips lines as well, and does so twice to each.
    if gap <= first:
        _turn(order, flip, place, gap, first - 1)
        _turn(order, flip, place, first, last)
        _turn(order, flip, place, gap, last)
    else:
        _turn(order, flip, place, first, last)
        _turn(order, flip, place, last + 1, gap - 1)
        _turn(order, flip, place, first, gap - 1)


@kernel()
def _or_opt(ends, home, order, flip, place, near):
    """Move up to three lines to where they cost less, either way round; gives what was gained in one round."""
    n, gained = order.shape[0], 0.0
    for p in range(n):
        for count in range(1, _LONGEST + 1):
            i, j = p, p + count - 1
            if j >= n:
                break
            before, after = _exit(order, flip, i - 1), _entry(order, flip, j + 1)
            head, tail = _entry(order, flip, i), _exit(order, flip, j)
            freed = _way(ends, home, before, head) + _way(ends, home, tail, after) - _way(ends, home, before, after)
            if freed <= _LEAST:
                continue
            best, best_gap, best_turned = _LEAST, -1, False
            for side in range(2):
                end = head if side == 0 else tail
                for k in range(near.shape[1]):
                    other = near[end, k]
                    if _way(ends, home, end, other) >= freed:
                        break
                    q = place[other // 2]
                    if i <= q <= j:
                        continue
                    enters = other == _entry(order, flip, q)
                    gap = q if enters else q + 1
                    if i <= gap <= j + 1:
                        continue
                    # The head stands after another's exit if it goes on as it was; so does the tail if it is turned.
                    turned = enters if side == 0 else not enters
                    a, d = _exit(order, flip, gap - 1), _entry(order, flip, gap)
                    b, c = (tail, head) if turned else (head, tail)
                    gain = freed + _way(ends, home, a, d) - _way(ends, home, a, b) - _way(ends, home, c, d)
                    if gain > best:
                        best, best_gap, best_turned = gain, gap, turned
            if best_gap >= 0:
                _moved(order, flip, place, i, j, best_gap, best_turned)
                gained += best
    return gained


@kernel()
def improved(ends, home, order, flip, near, rounds):
    """2-opt and or-opt in turns, in place, until neither gains anything, or for so many rounds."""
    place = np.empty(order.shape[0], np.int64)
    for p in range(order.shape[0]):
        place[order[p]] = p
    for _ in range(rounds):
        gained = _two_opt(ends, home, order, flip, place, near)
        gained += _or_opt(ends, home, order, flip, place, near)
        if gained <= _LEAST:
            break
