"""The way of a lifted pen: straight, but around the hole of an arm's ring, which it does not reach with any pen."""

import math
from itertools import pairwise

from agents.bodies.body import Body
from agents.bodies.reach import Arm

Place = tuple[float, float]
#: The widest turn around the hole between two places of a way.
_STEP = math.radians(15)


def between(start: Place, end: Place, body: Body) -> list[Place]:
    """Places by which the pen goes from one place of its reach to another, mm; none where it goes straight.

    Around the hole it goes on the side that keeps it over the page, or on the shorter one if both or neither do. A
    start or an end within the hole (a home may lie there) is left and entered straight.
    """
    arm = body.reach
    if not isinstance(arm, Arm) or arm.inner == 0:
        return []
    foot, inner, outer = (arm.x, arm.y), arm.inner, arm.outer
    first, last = math.dist(start, foot), math.dist(end, foot)
    if min(first, last) < inner - 1e-3 or _nearest(start, end, foot) >= inner - 1e-6:
        return []
    step = min(_STEP, math.acos(inner / outer))
    begin = math.atan2(start[1] - foot[1], start[0] - foot[0])
    turn = (math.atan2(end[1] - foot[1], end[0] - foot[0]) - begin) % (2 * math.pi)
    # The tangent from a place on the hole's edge has this radius a step further: no leg of the way enters the hole.
    radius = inner / math.cos(step)
    found = []
    for whole in (turn, turn - 2 * math.pi):
        count = max(2, math.ceil(abs(whole) / step))
        angles = [begin + whole * n / count for n in range(1, count)]
        way = [(foot[0] + radius * math.cos(angle), foot[1] + radius * math.sin(angle)) for angle in angles]
        off = any(not (0 <= x <= body.page.width and 0 <= y <= body.page.height) for x, y in way)
        found.append((off, abs(whole), way))
    return min(found)[2]


def _nearest(start: Place, end: Place, foot: Place) -> float:
    """How near a straight way comes to the foot."""
    x, y = end[0] - start[0], end[1] - start[1]
    square = x * x + y * y
    share = ((foot[0] - start[0]) * x + (foot[1] - start[1]) * y) / square if square else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.dist((start[0] + share * x, start[1] + share * y), foot)


def long(start: Place, end: Place, body: Body) -> float:
    """mm of the way from one place to another."""
    way = [start, *between(start, end, body), end]
    return sum(math.dist(one, other) for one, other in pairwise(way))
