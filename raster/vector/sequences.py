"""Sketches as sequences of pen moves: stroke-3 and stroke-5, as in Ha & Eck's sketch-rnn (arXiv 1704.03477).

A row of stroke-3 is (dx, dy, lift): where the pen goes from where it is, and whether it is lifted after that. The
first move starts at (0, 0). A row of stroke-5 is (dx, dy, p1, p2, p3): of the last three one is 1, p1 if the pen stays
on the paper, p2 if it is lifted after the move, p3 if the sketch has ended before it. x goes right and y down, as here.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from raster.curves import flatten
from raster.errors import InputError
from raster.shapes import Bool, Float, Int, Tensor
from raster.strokes import Strokes
from raster.vector.padding import refuse_large


def to_stroke3(strokes: Strokes, pieces: int = 16) -> Float[Tensor, "l 3"]:
    """One sketch as pen moves [l, 3], in canvas units from the canvas's middle; ``.numpy()`` makes an array of it.

    A curve goes in ``pieces`` straight moves (each of its cubics). Moves of no length are left out, but for a
    stroke's first: a dot is one row, lifted. So are strokes of presence 0; widths, colours and other presences have
    no place here. Differentiable in the control points.

    Raises ``InputError`` for a batch of sketches (stroke-5 has one length for all) or points not of two coordinates.

    >>> to_stroke3(Strokes(torch.tensor([[[0.0, 0.0], [0.5, 0.0]], [[0.5, 0.5], [0.0, 0.5]]]))).tolist()
    [[0.0, 0.0, 0.0], [0.5, 0.0, 1.0], [0.0, 0.5, 0.0], [-0.5, 0.0, 1.0]]
    """
    if strokes.batch_shape:
        told = f"a batch of {list(strokes.batch_shape)} sketches"
        raise InputError(told, "to_stroke3", "give one sketch, strokes[i], or take to_stroke5")
    return _moves(_vertices(strokes, pieces, "to_stroke3"), _present(strokes))


def from_stroke3(moves: Tensor | NDArray[Any], fit: float | None = None) -> Strokes:
    """Pen moves [l, 3], a tensor or an array of any numbers, as polylines [n, p, 2], shorter ones repeating their end.

    Args:
        moves: (dx, dy, lift), ``lift`` 0 or 1. A sketch that ends with the pen down ends there.
        fit: left out, moves are in canvas units from the canvas's middle; else the drawing is put at the middle with
            its longer side from -fit to fit, whatever its units (QuickDraw's are of 256 to a side).

    Raises ``InputError`` for another shape, values that are not finite, and a lift that is neither 0 nor 1.

    >>> from_stroke3(np.array([[-10, 0, 0], [20, 0, 1]]), fit=0.9).points.tolist()
    [[[-0.89..., 0.0], [0.89..., 0.0]]]
    """
    rows = _rows(moves, 3, fit, "from_stroke3")
    if rows.ndim != 2:
        raise InputError(f"moves of shape {list(rows.shape)}", "from_stroke3", "expected [moves, 3]")
    lift = rows[:, 2].detach()
    _refuse((lift != 0) & (lift != 1), rows, "lift", "from_stroke3", "expected 0 or 1")
    alive = torch.ones_like(lift, dtype=torch.bool)
    points, _ = _strokes(rows[None, :, :2], lift.bool()[None], alive[None], fit, "from_stroke3")
    return Strokes(points[0], "polyline")


def to_stroke5(
    strokes: Strokes, length: int | None = None, *, start: bool = False, pieces: int = 16
) -> Float[Tensor, "*batch l 5"]:
    """Sketches as pen moves [*batch, length, 5], each padded with rows (0, 0, 0, 0, 1).

    Args:
        strokes: any number of sketches; what is kept of them is what ``to_stroke3`` keeps.
        length: rows a sketch; left out, one more than the longest sketch has moves, so that each is seen to end.
        start: put sketch-rnn's first token (0, 0, 1, 0, 0) before them: one row more.
        pieces: straight moves for a curve.

    Raises ``InputError`` for points not of two coordinates, or a sketch longer than ``length``.

    >>> to_stroke5(Strokes(torch.tensor([[[0.0, 0.0], [0.5, 0.0]]]))).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    vertices, present = _vertices(strokes, pieces, "to_stroke5"), _present(strokes)
    flat = vertices.reshape(-1, *vertices.shape[-3:]) if strokes.batch_shape else vertices[None]
    there = present.reshape(-1, present.shape[-1]) if strokes.batch_shape else present[None]
    sketches = [_moves(each, kept) for each, kept in zip(flat, there, strict=True)]
    longest = max((len(each) for each in sketches), default=0)
    length = longest + 1 if length is None else length
    if longest > length:
        raise InputError(f"a sketch of {longest} moves", f"length {length}", "allow more, or leave length out")
    padded = [_five(each, length) for each in sketches]
    rows = torch.stack(padded) if padded else vertices.new_zeros(0, length, 5)
    if start:
        rows = torch.cat([rows.new_tensor([0, 0, 1, 0, 0]).expand(len(rows), 1, 5), rows], 1)
    return rows.reshape(*strokes.batch_shape, *rows.shape[1:])


def from_stroke5(moves: Tensor | NDArray[Any], fit: float | None = None, *, start: bool = False) -> Strokes:
    """Pen moves [*batch, l, 5], a tensor or an array of any numbers, as polylines [*batch, n, p, 2] with a presence.

    Each sketch ends before its first row with p3, or with its last row. Shorter polylines repeat their last point;
    sketches with fewer strokes have strokes of presence 0.

    Args:
        moves: (dx, dy, p1, p2, p3), one of the last three 1 and the others 0.
        fit: as for ``from_stroke3``, each sketch by itself.
        start: the first row of each sketch is sketch-rnn's first token, and is no move.

    Raises ``InputError`` for another shape, values that are not finite, or pen states that are not one of three.
    """
    rows = _rows(moves, 5, fit, "from_stroke5")
    if start:
        first = rows[..., :1, :].detach()
        if rows.shape[-2] < 1 or bool((first != first.new_tensor([0, 0, 1, 0, 0])).any()):
            raise InputError("no first token (0, 0, 1, 0, 0)", "from_stroke5", "leave start out")
        rows = rows[..., 1:, :]
    pen = rows[..., 2:].detach()
    single = ((pen == 0) | (pen == 1)).all(-1) & (pen.sum(-1) == 1)
    _refuse(~single, rows, "pen state", "from_stroke5", "expected one of p1, p2, p3 to be 1")
    batch, length = rows.shape[:-2], rows.shape[-2]
    flat, state = rows.reshape(-1, length, 5), pen.reshape(-1, length, 3).bool()
    alive = state[..., 2].cumsum(-1) == 0
    points, presence = _strokes(flat[..., :2], state[..., 1] & alive, alive, fit, "from_stroke5")
    return Strokes(
        points.reshape(*batch, *points.shape[1:]), "polyline", presence=presence.reshape(*batch, presence.shape[1])
    )


def _vertices(strokes: Strokes, pieces: int, where: str) -> Float[Tensor, "*batch n v 2"]:
    if strokes.points.shape[-1] != 2:
        raise InputError(f"points of {strokes.points.shape[-1]} coordinates", where, "expected 2")
    return flatten(strokes, pieces)


def _present(strokes: Strokes) -> Bool[Tensor, "*batch n"]:
    if strokes.presence is not None:
        return strokes.presence.detach() > 0
    return torch.ones(*strokes.batch_shape, strokes.count, dtype=torch.bool, device=strokes.points.device)


def _moves(vertices: Float[Tensor, "n v 2"], present: Bool[Tensor, "n"]) -> Float[Tensor, "l 3"]:
    """Pen moves through vertices, without those of no length and the strokes that are not there."""
    keep = torch.ones(vertices.shape[:-1], dtype=torch.bool, device=vertices.device)
    keep[:, 1:] = (vertices.diff(dim=-2) != 0).any(-1)
    keep &= present[:, None]
    stroke = torch.arange(len(vertices), device=vertices.device)[:, None].expand_as(keep)[keep]
    where = vertices[keep]  # [l 2]
    moves = torch.diff(where, dim=0, prepend=where.new_zeros(1, 2))
    lift = torch.ones_like(stroke, dtype=torch.bool)
    lift[:-1] = stroke[1:] != stroke[:-1]
    return torch.cat([moves, lift[:, None].to(moves)], -1)


def _five(moves: Float[Tensor, "m 3"], length: int) -> Float[Tensor, "{length} 5"]:
    lift = moves[:, 2:]
    rows = torch.cat([moves[:, :2], 1 - lift, lift, torch.zeros_like(lift)], -1)
    return torch.cat([rows, rows.new_tensor([0, 0, 0, 0, 1]).expand(length - len(rows), 5)])


def _rows(moves: Tensor | NDArray[Any], columns: int, fit: float | None, where: str) -> Float[Tensor, "*batch l c"]:
    """What was given as a floating tensor with so many columns, every number finite."""
    if fit is not None and not (math.isfinite(fit) and fit > 0):
        raise InputError(f"fit of {fit!r}", where, "a finite number above 0, 1 for the edges; or leave it out")
    if isinstance(moves, np.ndarray):
        if moves.dtype.kind not in "fiu":
            raise InputError(f"moves of {moves.dtype}", where, "expected numbers")
        wide = moves.dtype.kind == "f" and moves.dtype.itemsize >= 8
        moves = torch.from_numpy(np.array(moves, np.float64 if wide else np.float32, order="C"))
    rows = moves
    if rows.ndim < 2 or rows.shape[-1] != columns:
        raise InputError(f"moves of shape {list(rows.shape)}", where, f"expected [..., moves, {columns}]")
    rows = rows if rows.is_floating_point() else rows.to(torch.float32)
    _refuse(~torch.isfinite(rows.detach()).all(-1), rows, "row", where, "expected finite numbers")
    return rows


def _refuse(bad: Bool[Tensor, "*any"], rows: Tensor, what: str, where: str, expected: str) -> None:
    if not bool(bad.any()):
        return
    place = [int(i) for i in bad.nonzero()[0]]
    sketch = "" if len(place) == 1 else f"sketch {place[0] if len(place) == 2 else tuple(place[:-1])}, "
    values = ", ".join(f"{value:g}" for value in rows[tuple(place)].tolist())
    raise InputError(f"a {what} of ({values})", f"{where}, {sketch}row {place[-1]}", expected)


def _strokes(
    moves: Float[Tensor, "b l 2"], lift: Bool[Tensor, "b l"], alive: Bool[Tensor, "b l"], fit: float | None, where: str
) -> tuple[Float[Tensor, "b n p 2"], Float[Tensor, "b n"]]:
    """Polylines of pen moves, and which of them are there. ``alive`` rows come first in each sketch."""
    places = moves.double().cumsum(-2).to(moves.dtype)  # [b l 2]; summed in double, a long sketch drifts less
    if fit is not None:
        places = _fitted(places, alive, fit)
    sketches, length = alive.shape
    ends = lift.clone()  # a stroke's last row: the pen is lifted, or the sketch ends
    if length:
        ends[:, -1] |= alive[:, -1]
        ends[:, :-1] |= alive[:, :-1] & ~alive[:, 1:]
    many = ends.sum(-1)  # [b], strokes
    count = int(many.max()) if sketches else 0
    row = torch.arange(length, device=moves.device)
    # The b-th sketch's k-th end, and 0 where it has no k-th: ends sort to the front, in order.
    last = torch.where(ends, row, length).sort(-1).values[:, :count]  # [b n]
    there = torch.arange(count, device=moves.device) < many[:, None]
    last = torch.where(there, last, 0)
    first = torch.cat([last.new_zeros(sketches, min(count, 1)), last[:, :-1] + 1], 1)
    first = torch.minimum(first, last)
    points = max(2, int((last - first).max()) + 1 if last.numel() else 2)
    refuse_large(sketches * count * points, where)
    index = torch.minimum(first[..., None] + torch.arange(points, device=moves.device), last[..., None])  # [b n p]
    drawn = _gathered(places, index)
    presence = there.to(moves.dtype)
    return drawn * presence[..., None, None], presence


def _gathered(places: Float[Tensor, "b l 2"], index: Int[Tensor, "b n p"]) -> Float[Tensor, "b n p 2"]:
    flat = index.flatten(1)[..., None].expand(-1, -1, 2)
    return places.gather(1, flat).unflatten(1, index.shape[1:])


def _fitted(places: Float[Tensor, "b l 2"], alive: Bool[Tensor, "b l"], fit: float) -> Float[Tensor, "b l 2"]:
    """Each sketch with its middle at 0 and its longer side from -fit to fit; one without extent only moved."""
    if not places.numel():
        return places
    low = torch.where(alive[..., None], places, torch.inf).amin(-2, keepdim=True)
    high = torch.where(alive[..., None], places, -torch.inf).amax(-2, keepdim=True)
    empty = ~alive.any(-1)[:, None, None]
    low, high = low.masked_fill(empty, 0), high.masked_fill(empty, 0)
    extent = (high - low).amax(-1, keepdim=True)
    return (places - (low + high) / 2) * (2 * fit / extent.masked_fill(extent == 0, 2 * fit))
