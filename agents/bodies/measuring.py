"""How far what a pen does lies from what was planned, everywhere and not only where it was looked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from agents.bodies.planning import Plan
from agents.bodies.replay import Replayed

#: The pen's way is looked at in steps of this part of its width.
_STEP = 1 / 4
_MOST_STEPS = 20_000_000
#: A place further off than this part of a step is compared with so many places near it.
_SURE, _SEVERAL = 0.25, 8


@dataclass(frozen=True)
class Deviation:
    """How far what the pen does lies from what was planned.

    Attributes:
        mm: the furthest that any place of either lies from the other, pen by pen.
        widths: the same in widths of the pen that is furthest off by that measure.
        outside: how far a line leaves the reach of the pen's tip, mm; 0 if none does.
        off_page: how far the lifted pen leaves the page, mm; 0 if it does not.
        in_hole: how far the lifted pen enters the hole of an arm's ring between two lines, mm; 0 if it does not.
    """

    mm: float
    widths: float
    outside: float
    off_page: float
    in_hole: float


def deviation(plan: Plan, replayed: Replayed) -> Deviation:
    """The file against the plan, everywhere: the Hausdorff distance of the two drawings of each pen.

    Both are walked in steps of a quarter of the pen's width at most, and what is told is a bound that holds between the
    steps as well. A pen that only one of them uses is infinitely far off.
    """
    body = plan.machine.body
    mm = widths = 0.0
    for number in sorted({layer.pen for layer in plan.layers} | {pen for pen, _ in replayed.lines}):
        meant = [line for layer in plan.layers if layer.pen == number for line in layer.lines]
        done = [line for pen, line in replayed.lines if pen == number]
        if not meant or not done or number >= len(body.pens):
            return Deviation(*[math.inf] * 5)
        far = _apart(meant, done, body.pens[number].width)
        mm, widths = max(mm, far), max(widths, far / body.pens[number].width)
    room = body.room()
    outside = max((float(room.beyond(torch.from_numpy(line)).max()) for _, line in replayed.lines), default=0.0)
    page = np.array([body.page.width, body.page.height])
    off = [float(np.maximum(-line, line - page).max()) for line in replayed.travels]
    return Deviation(mm, widths, max(outside, 0.0), max([0.0, *off]), _in_hole(room.ring, replayed.travels))


def _in_hole(ring: tuple[float, float, float, float] | None, travels: Sequence[NDArray[np.float64]]) -> float:
    """mm; ways that begin or end in the hole, as those from a home there, are left out."""
    deepest = 0.0
    for line in travels:
        if ring is None or len(line) < 2 or np.hypot(*(line[[0, -1]] - ring[:2]).T).min() < ring[2] - 0.1:
            continue
        pieces = np.stack([line[:-1], line[1:]], 1)
        way, to = pieces[:, 1] - pieces[:, 0], np.array(ring[:2]) - pieces[:, 0]
        share = ((to * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-300)).clip(0, 1)
        deepest = max(deepest, ring[2] - float(np.hypot(*(to - share[:, None] * way).T).min()))
    return deepest


def _apart(one: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]], width: float) -> float:
    total = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in (*one, *other))
    step = max(width * _STEP, total / _MOST_STEPS)
    both = _walked(one, step), _walked(other, step)
    return max(_beside(*both), _beside(*both[::-1]))


@dataclass(frozen=True, eq=False)
class _Walk:
    """Places along lines, corners included: where each is, and both ends of the straight piece that goes on from it.

    ``follows`` says which places belong to the same line as the one before them.
    """

    places: NDArray[np.float64]
    begins: NDArray[np.float64]
    ends: NDArray[np.float64]
    follows: NDArray[np.bool_]
    step: float


def _walked(lines: Sequence[NDArray[np.float64]], step: float) -> _Walk:
    """At most ``step`` from one place to the next."""
    places, pieces, follows = [], [], []
    for line in lines:
        corners = line if len(line) > 1 else np.concatenate([line, line])
        long = np.hypot(*np.diff(corners, axis=0).T)
        count = np.maximum(np.ceil(long / step).astype(np.int64), 1)
        at = np.concatenate([[0.0], np.cumsum(count)])
        shares = np.arange(int(at[-1]) + 1)
        places.append(np.stack([np.interp(shares, at, corners[:, axis]) for axis in (0, 1)], axis=-1))
        piece = np.append(np.repeat(np.arange(len(count)), count), len(count) - 1)
        pieces.append(np.stack([corners[piece], corners[piece + 1]]))
        follows.append(shares > 0)
    begins, ends = np.concatenate(pieces, axis=1)
    return _Walk(np.concatenate(places), begins, ends, np.concatenate(follows), step)


def _beside(walk: _Walk, other: _Walk) -> float:
    """How far any place of a walk, those between its steps too, lies from another walk at most.

    A place is compared with the straight pieces before and after the nearest place of the other walk. Distance from one
    straight piece is convex, so between two steps it is at most that at the worse of them: of the pieces near either
    step, the one that is best for both is taken.
    """
    tree = cKDTree(other.places)
    near = tree.query(walk.places)[1]
    near, far = _nearer(walk.places, other, near[:, None])
    # Where lines cross or run side by side, the nearest place may be one of another line.
    doubtful = np.flatnonzero(far > _SURE * walk.step)
    if len(doubtful):
        several = tree.query(walk.places[doubtful], k=min(_SEVERAL, len(other.places)))[1].reshape(len(doubtful), -1)
        near[doubtful], far[doubtful] = _nearer(walk.places[doubtful], other, several)
    here = np.flatnonzero(walk.follows)  # a place, and the one before it on its line
    between = np.maximum(far[here], far[here - 1]) + walk.step / 2
    for place in (near[here], near[here - 1]):
        for piece in _pieces(other, place):
            worse = np.maximum(_off(walk.places[here], other, piece), _off(walk.places[here - 1], other, piece))
            between = np.minimum(between, worse)
    return float(max(far.max(), between.max(initial=0.0)))


def _pieces(walk: _Walk, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The straight pieces after and before some places, by the place from which each goes on."""
    return place, np.where(walk.follows[place], place - 1, place)


def _nearer(
    places: NDArray[np.float64], walk: _Walk, near: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of some places of a walk [m, k], the one beside which each of m places lies, and how far off that is."""
    far = np.stack([np.minimum(*(_off(places, walk, piece) for piece in _pieces(walk, each))) for each in near.T], 1)
    best = far.argmin(1)[:, None]
    return np.take_along_axis(near, best, 1)[:, 0], np.take_along_axis(far, best, 1)[:, 0]


def _off(places: NDArray[np.float64], walk: _Walk, piece: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each place from the straight piece of a walk that goes on from a place of it."""
    start = walk.begins[piece]
    way, to = walk.ends[piece] - start, places - start
    share = ((to * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-300)).clip(0, 1)
    return np.hypot(*(to - share[:, None] * way).T)
