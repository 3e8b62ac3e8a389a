"""From strokes to the movements of a pen: flattened, cut to reach, joined, and sorted for little travel.

What a body has ``held`` while it was optimised passes through whole. Of any other drawing, what lies out of reach or
off its canvas is cut off, and what is too short or too much is left out; the report says how much, and why. Nothing is
moved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from agents.bodies import _tour, ways
from agents.bodies._clip import Line, clipped
from agents.bodies.body import Body
from agents.bodies.hand import kept, length, pen_of
from agents.bodies.machine import Machine
from raster import InputError, Strokes
from raster.curves import flatten, pieces_for, steps_for
from raster.shapes import Float, Tensor

#: Vertices of curves that are made at a time.
_AT_ONCE = 1_000_000
#: Ends near each end that are tried as its neighbours on a tour, and rounds of trying.
_NEIGHBOURS = 12
_ROUNDS = 100
#: A part that is left of a cut line is dust below this length, mm.
_DUST = 1e-6


@dataclass(frozen=True, eq=False)
class Layer:
    """Lines of one pen, in the order and the direction in which they are drawn.

    Attributes:
        pen: its number in ``body.pens``.
        lines: polylines [v, 2] on the page, mm, float64; one vertex is a dot.
    """

    pen: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Report:
    """What became of a drawing.

    Attributes:
        strokes: how many it had.
        lines: how many times the pen is lowered.
        pens: how many pens are used.
        ink: mm of line.
        travel_drawn: mm through the air in the order of the drawing, from home and back.
        travel: mm through the air as planned.
        seconds: that drawing it takes, at steady speeds.
        seconds_drawn: that it would take in the drawing's own order, each stroke by itself.
        cut: mm of line that lay out of reach or off the canvas.
        left_out: strokes that are not drawn, by reason.
    """

    strokes: int
    lines: int
    pens: int
    ink: float
    travel_drawn: float
    travel: float
    seconds: float
    seconds_drawn: float
    cut: float
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plan:
    """Movements of a machine's pens.

    Attributes:
        machine: whose.
        layers: a layer a pen, in the order in which pens are taken up; none of them empty.
        report: what became of the drawing.
    """

    machine: Machine
    layers: tuple[Layer, ...]
    report: Report


def plan(strokes: Strokes, machine: Machine, aspect: float = 1.0, as_seen: bool = True) -> Plan:
    """One drawing as movements.

    Args:
        strokes: [n] strokes of any kind, canvas coordinates.
        machine: whose body, planning and page.
        aspect: the canvas's width by its height.
        as_seen: colours are as seen on white paper (an SVG's), not ink (a game's).

    Raises ``InputError`` for a batch of drawings, coordinates that are no finite numbers, a drawing without strokes,
    or one of which nothing can be drawn.
    """
    if strokes.batch_shape:
        raise InputError(f"a batch of {list(strokes.batch_shape)} drawings", "plan", "give one drawing, strokes[i]")
    _refuse_no_numbers(strokes)
    body = machine.body
    frame = body.frame(aspect)
    strokes = strokes.detach().cpu()
    there = kept(strokes, body.model_copy(update={"strokes": None}))
    if not bool(there.any()):
        raise InputError("a drawing without strokes", "plan", "there is nothing to draw")
    strokes = strokes.select(there.nonzero()[:, 0])
    pens = pen_of(strokes, body, frame, as_seen).tolist()
    on_page = replace(strokes, points=frame.to_mm(strokes.points.double()))
    lines = _lines(on_page, machine.planning.tolerance)
    # By the rule by which a body holds strokes, so that what it held is long enough.
    too_short = (length(on_page) < body.shortest).tolist() if strokes.kind != "point" else [False] * len(lines)
    found, cut, left_out = _drawable(lines, pens, too_short, machine, strokes.kind, aspect)
    if not found:
        reasons = "; ".join(f"{count} {why}" for why, count in left_out.items())
        raise InputError(f"nothing of this drawing can be drawn: {reasons}", "plan", "give the machine more room")
    layers = tuple(_layers(found, machine))
    return Plan(machine, layers, _report(strokes.count, found, layers, machine, cut, left_out))


def _refuse_no_numbers(strokes: Strokes) -> None:
    bad = (~torch.isfinite(strokes.points.detach())).nonzero()
    if len(bad):
        number, point, axis = bad[0].tolist()
        value = float(strokes.points[number, point, axis])
        where = f"stroke {number}, point {point}, {'xyz'[axis]}"
        raise InputError(f"a stroke with a coordinate of {value}", where, "coordinates must be finite")


def _lines(strokes: Strokes, tolerance: float) -> list[Line]:
    """Each stroke as a polyline that strays from it by at most ``tolerance``, no vertex twice; all in mm."""
    on_page = Strokes(strokes.points, strokes.kind, knots=strokes.knots)
    found: list[Line] = []
    first = 0
    while first < strokes.count:
        # A canvas whose short side is 2 "pixels" has pixels of one unit, here mm.
        pieces, _ = pieces_for(on_page.select(slice(first, first + 1)), 1.0, 2, tolerance)
        many = max(1, _AT_ONCE // (pieces * strokes.points.shape[-2]))
        some = on_page.select(slice(first, first + many))
        drawn: Float[Tensor, "some v 2"] = flatten(some, *steps_for(some, 1.0, 2, tolerance))
        found += [_without_repeats(line) for line in drawn.numpy()]
        first += many
    return found


def _without_repeats(line: Line) -> Line:
    moved = np.ones(len(line), dtype=bool)
    moved[1:] = (np.diff(line, axis=0) != 0).any(-1)
    return line[moved]


def _drawable(
    lines: Sequence[Line], pens: Sequence[int], too_short: Sequence[bool], machine: Machine, kind: str, aspect: float
) -> tuple[list[tuple[int, Line]], float, dict[str, int]]:
    """What the body can draw of each stroke, with its pen, in the drawing's order; mm cut off; strokes left out."""
    body = machine.body
    room = body.room(aspect)
    found: list[tuple[int, Line]] = []
    left_out = {
        "out of reach or off the canvas": 0,
        f"shorter than {body.shortest:g} mm": 0,
        f"beyond the first {body.strokes}": 0,
    }
    outside, short, beyond = left_out
    cut = 0.0
    drawn = 0
    for pen, line, small in zip(pens, lines, too_short, strict=True):
        whole = _long(line)
        parts = [part for part in clipped(line, room) if len(line) == 1 or _long(part) > _DUST]
        uncut = len(parts) == 1 and parts[0] is line
        good = [part for part in parts if kind == "point" or not (small if uncut else _long(part) < body.shortest)]
        if not good:
            left_out[short if parts else outside] += 1
        elif body.strokes is not None and drawn >= body.strokes:
            left_out[beyond] += 1
            continue
        else:
            drawn += 1
        cut += whole - sum(map(_long, parts))
        found += [(pen, part) for part in good]
    return found, cut, {why: count for why, count in left_out.items() if count}


def _long(line: Line) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum()) if len(line) > 1 else 0.0


def _layers(found: Sequence[tuple[int, Line]], machine: Machine) -> list[Layer]:
    """A layer for each pen that is used: joined and sorted, each layer beginning where the last one ended."""
    layers: list[Layer] = []
    home = machine.body.home
    at = home
    numbers = sorted({pen for pen, _ in found})
    for number in numbers:
        lines = joined([line for pen, line in found if pen == number], machine.planning.join)
        if machine.planning.order == "travel":
            last = home if number == numbers[-1] else None
            lines = shortest_way(lines, at, last)
        layers.append(Layer(number, tuple(lines)))
        at = (float(lines[-1][-1, 0]), float(lines[-1][-1, 1]))
    return layers


def joined(lines: Sequence[Line], tolerance: float) -> list[Line]:
    """Lines whose ends are no further apart than ``tolerance`` mm as one: the nearest first, each end once.

    The order is that of each chain's first line. Dots stay by themselves.
    """
    long = [n for n, line in enumerate(lines) if len(line) > 1]
    if len(long) < 2 or tolerance <= 0:
        return list(lines)
    ends = np.stack([lines[n][side] for n in long for side in (0, -1)])  # [2 m, 2]
    pairs = cKDTree(ends).query_pairs(tolerance, output_type="ndarray")
    far = np.hypot(*(ends[pairs[:, 0]] - ends[pairs[:, 1]]).T)
    partner: dict[int, int] = {}
    chain = list(range(len(long)))  # a forest: the line by which each line's chain is known
    for one, other in pairs[np.lexsort((pairs[:, 1], pairs[:, 0], far))].tolist():
        heads = _root(chain, one // 2), _root(chain, other // 2)
        if one in partner or other in partner or heads[0] == heads[1]:
            continue
        partner[one], partner[other] = other, one
        chain[max(heads)] = min(heads)
    done: set[int] = set()
    found: list[Line] = []
    numbers = {n: m for m, n in enumerate(long)}
    for n, line in enumerate(lines):
        if n not in numbers:
            found.append(line)
        elif numbers[n] not in done:
            found.append(_chained(numbers[n], lines, long, partner, done))
    return found


def _root(chain: list[int], line: int) -> int:
    while chain[line] != line:
        chain[line] = chain[chain[line]]
        line = chain[line]
    return line


def _chained(line: int, lines: Sequence[Line], long: Sequence[int], partner: dict[int, int], done: set[int]) -> Line:
    """All of the chain that a line is part of, from the end of it that lies behind the line's first end."""
    end = 2 * line
    while end in partner:
        end = partner[end] ^ 1
    parts: list[Line] = []
    while True:
        done.add(end // 2)
        own = lines[long[end // 2]]
        parts.append(own if end % 2 == 0 else own[::-1])
        if (end ^ 1) not in partner:
            return _without_repeats(np.concatenate(parts))
        end = partner[end ^ 1]


def shortest_way(
    lines: Sequence[Line], home: tuple[float, float] | None = None, back: tuple[float, float] | None = None
) -> list[Line]:
    """Lines in an order of little travel, turned: nearest neighbour, then 2-opt and or-opt (Croes 1958; Or 1976).

    Args:
        lines: polylines [v, 2], mm.
        home: where the pen comes from; None: anywhere.
        back: where it goes afterwards; None: it stays.
    """
    ends = np.stack([line[side] for line in lines for side in (0, -1)])  # [2 n, 2]
    nowhere = (math.nan, math.nan)
    homes = np.array([home or nowhere, back or nowhere])
    order, flip = _tour.nearest(ends, homes)
    if len(lines) > 1:
        # More than are asked for, since a line's own other end is none.
        count = min(_NEIGHBOURS + 1, len(ends))
        near = cKDTree(ends).query(ends, k=count)[1].astype(np.int64)
        _tour.improved(ends, homes, order, flip, _others(near), _ROUNDS)
    return [lines[n][::-1].copy() if turned else lines[n] for n, turned in zip(order, flip, strict=True)]


def _others(near: NDArray[np.int64]) -> NDArray[np.int64]:
    """Neighbours of each end without itself and its line's other end; an end of too few repeats its last."""
    rows = np.arange(len(near))[:, None]
    mine = near // 2 == rows // 2
    order = np.argsort(mine, axis=1, kind="stable")
    moved = np.take_along_axis(near, order, 1)
    count = (~mine).sum(1, keepdims=True)
    if int(count.max()) == 0:  # a stack of equal places: no neighbour but oneself is known
        return np.empty((len(near), 0), dtype=np.int64)
    last = np.take_along_axis(moved, np.maximum(count - 1, 0), 1)
    columns = np.arange(near.shape[1])[None]
    return np.where(columns < count, moved, last)[:, : int(count.max())]


def travelled(lines: Sequence[Line], home: tuple[float, float] | None, body: Body | None = None) -> float:
    """mm through the air from home along these lines and back; of a ``body``, around what it does not reach."""
    ends = [end for line in lines for end in (line[0], line[-1])]
    if home is not None:
        ends = [np.array(home), *ends, np.array(home)]
    else:
        ends = ends[1:-1]
    gaps = [
        ((float(a[0]), float(a[1])), (float(b[0]), float(b[1]))) for a, b in zip(ends[::2], ends[1::2], strict=True)
    ]
    return sum(math.dist(a, b) if body is None else ways.long(a, b, body) for a, b in gaps)


def _report(
    strokes: int,
    found: Sequence[tuple[int, Line]],
    layers: Sequence[Layer],
    machine: Machine,
    cut: float,
    left_out: dict[str, int],
) -> Report:
    body = machine.body
    lines = [line for layer in layers for line in layer.lines]
    drawn = [line for _, line in found]
    ink, travel = sum(map(_long, lines)), travelled(lines, body.home, body)
    before = travelled(drawn, body.home, body)
    changes = sum(one != other for (one, _), (other, _) in pairwise(found))
    return Report(
        strokes=strokes,
        lines=len(lines),
        pens=len(layers),
        ink=ink,
        travel_drawn=before,
        travel=travel,
        seconds=body.seconds(ink, travel, len(lines), len(layers) - 1),
        seconds_drawn=body.seconds(sum(map(_long, drawn)), before, len(drawn), changes),
        cut=cut,
        left_out=left_out,
    )
