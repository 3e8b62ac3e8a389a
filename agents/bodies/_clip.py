"""Lines cut at the walls of a room, exactly: what is left of each inside."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from agents.bodies.reach import Room

Line = NDArray[np.float64]
#: A place so far outside is inside: rounding of float32 coordinates, and less than any machine's step, mm.
SLACK = 1e-3


def clipped(line: Line, room: Room) -> list[Line]:
    """The parts of a polyline [v, 2] that lie in a room, in its order and direction; the line itself if all does."""
    out = room.beyond(torch.from_numpy(line)).numpy()
    start, way = line[:-1], np.diff(line, axis=0)  # [s 2]
    hole = room.ring is not None and room.ring[2] > 0
    if out.max() <= SLACK and not hole:
        return [line]
    if len(line) == 1:
        return [line] if out[0] <= SLACK else []
    low, high, inner_low, inner_high = _within(start, way, room, SLACK)
    if (low <= 0).all() and (high >= 1).all() and not (_both(inner_low, inner_high, low, high)).any():
        return [line]
    low, high, inner_low, inner_high = _within(start, way, room, 0.0)  # what is cut is cut at the wall itself
    parts: list[list[NDArray[np.float64]]] = []
    open_ = False
    for s in range(len(way)):
        for first, last in _spans(low[s], high[s], inner_low[s], inner_high[s]):
            if not (open_ and first == 0):
                parts.append([start[s] + first * way[s]])
            parts[-1].append(start[s] + last * way[s])
            open_ = last == 1
        if high[s] < 1:
            open_ = False
    return [np.stack(part) for part in parts]


def _within(
    start: NDArray[np.float64], way: NDArray[np.float64], room: Room, slack: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """From where to where each segment lies in the room but for its hole; and in the hole, from 1 to 0 if nowhere."""
    low, high = _between(start, way, room, slack)
    if room.ring is None or room.ring[2] == 0:
        return low, high, np.ones_like(low), np.zeros_like(low)
    return low, high, *_crossing(start, way, room, 2, -slack)


def _spans(low: float, high: float, inner_low: float, inner_high: float) -> list[tuple[float, float]]:
    """Parts of a segment, from 0 to 1, that are inside: within low..high and outside the hole."""
    low, high = max(low, 0.0), min(high, 1.0)
    if low > high:
        return []
    if inner_low >= inner_high or inner_high <= low or inner_low >= high:
        return [(low, high)]
    return [(a, b) for a, b in ((low, inner_low), (inner_high, high)) if a < b]


def _both(
    inner_low: NDArray[np.float64],
    inner_high: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Where the hole takes something of what is inside the rest."""
    return (inner_low < inner_high) & (inner_high > np.maximum(low, 0)) & (inner_low < np.minimum(high, 1))


def _between(
    start: NDArray[np.float64], way: NDArray[np.float64], room: Room, slack: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From where to where each segment lies within the rectangle and the outer circle (Liang & Barsky 1984)."""
    low, high = np.full(len(way), -math.inf), np.full(len(way), math.inf)
    for axis, (least, most) in enumerate(((room.left, room.right), (room.top, room.bottom))):
        at, by = start[:, axis], way[:, axis]
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = (least - slack - at) / by, (most + slack - at) / by
        inside = (at >= least - slack) & (at <= most + slack)
        still = by == 0
        low = np.maximum(low, np.where(still, np.where(inside, -math.inf, math.inf), np.minimum(one, other)))
        high = np.minimum(high, np.where(still, np.where(inside, math.inf, -math.inf), np.maximum(one, other)))
    if room.ring is not None:
        near, far = _crossing(start, way, room, 3, slack)
        low, high = np.maximum(low, near), np.minimum(high, far)
    return low, high


def _crossing(
    start: NDArray[np.float64], way: NDArray[np.float64], room: Room, which: int, slack: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From where to where each segment's straight line lies within a circle of the ring; from 1 to 0 if nowhere."""
    assert room.ring is not None
    radius = room.ring[which] + slack
    if radius <= 0:
        return np.ones(len(way)), np.zeros(len(way))
    away = start - np.array(room.ring[:2])
    a, b = (way**2).sum(-1), (away * way).sum(-1)
    c = (away**2).sum(-1) - radius**2
    under = b**2 - a * c
    still = a == 0
    root = np.sqrt(np.maximum(under, 0))
    safe = np.where(still, 1, a)
    low = np.where(still, np.where(c <= 0, -math.inf, 1.0), np.where(under > 0, (-b - root) / safe, 1.0))
    high = np.where(still, np.where(c <= 0, math.inf, 0.0), np.where(under > 0, (-b + root) / safe, 0.0))
    return low, high
