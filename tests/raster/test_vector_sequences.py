from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import InputError, Strokes, from_stroke3, from_stroke5, rasterise, to_stroke3, to_stroke5
from raster.curves import flatten
from raster.vector import padding
from tests.raster.sketches import sketches

#: Moves as sketch-rnn's files hold them: whole numbers, one stroke at least ends.
moves = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 1)), min_size=0, max_size=12).map(
    lambda rows: np.array([*rows, (3, 4, 1)], np.int16)
)


def as_lines(rows: np.ndarray) -> list[list[tuple[float, float]]]:
    """The polylines of stroke-3, as a pen draws them."""
    here, lines, line = np.zeros(2), [], []
    for *move, lift in rows.astype(float):
        here = here + move
        line.append(tuple(here))
        if lift:
            lines.append(line)
            line = []
    return [*lines, line] if line else lines


def thinned(strokes: Strokes) -> list[list[tuple[float, float]]]:
    """Polylines without the points that repeat the one before them, and the strokes that are there."""
    there = [True] * strokes.count if strokes.presence is None else (strokes.presence > 0).tolist()
    lines = [[tuple(point) for point in line] for line in strokes.points.tolist()]
    return [
        [line[0], *(b for a, b in pairwise(line) if a != b)] for line, kept in zip(lines, there, strict=True) if kept
    ]


@given(moves)
def test_stroke3_is_the_lines_that_a_pen_draws(rows: np.ndarray) -> None:
    """Magenta's own files: the first move from (0, 0), 1 where the pen is lifted after the move."""
    read = from_stroke3(rows)
    assert read.kind == "polyline"
    lines = as_lines(rows)
    longest = max(2, *map(len, lines))
    assert read.points.tolist() == [[list(p) for p in [*line, *[line[-1]] * (longest - len(line))]] for line in lines]


@given(moves)
@settings(max_examples=40)
def test_moves_come_back(rows: np.ndarray) -> None:
    """But for those of no length inside a stroke; from arrays or tensors, by stroke-3 or stroke-5."""
    kept: list[np.ndarray] = []
    for row in rows:
        if kept and not kept[-1][2] and not row[:2].any():
            kept[-1][2] = row[2]  # no move, but the pen may be lifted there
        else:
            kept.append(row.copy())
    rows = np.array(kept)
    for given_ in (rows, rows.astype(">f8"), rows[::-1][::-1], torch.from_numpy(rows), torch.from_numpy(rows).double()):
        read = from_stroke3(given_)
        assert to_stroke3(read).tolist() == rows.tolist()
        five = to_stroke5(read)
        assert from_stroke5(five).points.tolist() == read.points.tolist()
        assert from_stroke5(five.numpy()).points.tolist() == read.points.tolist()


@given(sketches(kinds=("point", "line", "polyline", "cubic", "catmull-rom")), st.sampled_from([1, 5]))
@settings(max_examples=40)
def test_sketches_come_back_as_polylines(strokes: Strokes, pieces: int) -> None:
    strokes = strokes.to(torch.float64)
    drawn = flatten(strokes, pieces)
    expected = thinned(Strokes(drawn if drawn.shape[1] > 1 else drawn.expand(-1, 2, -1), "polyline"))
    threes = from_stroke3(to_stroke3(strokes, pieces))
    fives = from_stroke5(to_stroke5(strokes, pieces=pieces, start=True), start=True)
    for read in (threes, fives):
        assert [len(line) for line in thinned(read)] == [len(line) for line in expected]
        for mine, line in zip(thinned(read), expected, strict=True):
            assert np.array(mine) == pytest.approx(np.array(line), abs=1e-12)


@given(st.lists(moves, min_size=1, max_size=4), st.integers(0, 3), st.booleans())
@settings(max_examples=40)
def test_stroke5_is_stroke3_padded(several: list[np.ndarray], more: int, start: bool) -> None:
    """As sketch-rnn pads: (dx, dy, 1 - lift, lift, 0), then (0, 0, 0, 0, 1); its first token before, if asked for."""
    length = max(map(len, several)) + more
    padded = np.zeros((len(several), length, 5))
    for each, rows in zip(padded, several, strict=True):
        each[: len(rows), :2] = rows[:, :2]
        each[: len(rows), 3] = rows[:, 2]
        each[: len(rows), 2] = 1 - rows[:, 2]
        each[len(rows) :, 4] = 1
    token = np.broadcast_to([0.0, 0, 1, 0, 0], (len(several), 1, 5))
    read = from_stroke5(np.concatenate([token, padded], 1) if start else padded, start=start)
    assert read.batch_shape == (len(several),)
    for n, rows in enumerate(several):
        assert thinned(read[n]) == thinned(from_stroke3(rows.astype(float)))
    written = to_stroke5(read, length, start=start).double()
    again = from_stroke5(written, start=start)
    assert written.shape == (len(several), length + start, 5)
    assert written[..., 2:].sum(-1).unique().tolist() == [1]
    for n in range(len(several)):
        assert thinned(again[n]) == thinned(read[n])


@given(st.lists(moves, min_size=1, max_size=3), st.floats(0.1, 2))
@settings(max_examples=40)
def test_fit_puts_each_sketch_at_the_middle(several: list[np.ndarray], fit: float) -> None:
    for rows in several:
        read = from_stroke3(rows.astype(np.float64), fit)
        low, high = read.points.flatten(0, 1).amin(0), read.points.flatten(0, 1).amax(0)
        assert (low + high).tolist() == pytest.approx([0, 0], abs=1e-9)
        extent = float((high - low).max())
        assert extent == pytest.approx(2 * fit) or extent == 0
        five = torch.from_numpy(np.column_stack([rows[:, :2], 1 - rows[:, 2], rows[:, 2], 0 * rows[:, 2]])).double()
        assert torch.allclose(from_stroke5(five[None, None], fit).points[0, 0], read.points, atol=1e-9)


def test_strokes_that_are_not_there_are_left_out() -> None:
    points = torch.arange(12.0).reshape(3, 2, 2)
    gone = Strokes(points, presence=torch.tensor([0.0, 1.0, 0.2]))
    assert torch.equal(to_stroke3(gone), to_stroke3(Strokes(points[1:])))
    padded = from_stroke5(to_stroke5(Strokes(points.expand(2, 3, 2, 2), presence=torch.tensor([[1.0] * 3, [0, 0, 0]]))))
    assert padded.presence is not None
    assert padded.presence.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert float(rasterise(padded, (8, 8), engine="reference")[1].max()) == 0


def test_empty_sketches() -> None:
    empty = Strokes(torch.zeros(0, 2, 2))
    assert to_stroke3(empty).shape == (0, 3)
    assert from_stroke3(to_stroke3(empty)).count == 0
    assert to_stroke5(empty).tolist() == [[0, 0, 0, 0, 1]]
    assert from_stroke5(to_stroke5(empty), fit=1.0).count == 0
    assert to_stroke5(Strokes(torch.zeros(0, 3, 2, 2))).shape == (0, 1, 5)
    assert from_stroke5(torch.zeros(0, 4, 5)).batch_shape == (0,)


def test_gradients_go_through_both_ways() -> None:
    points = torch.tensor([[[0.1, 0.2], [0.4, -0.3]], [[-0.5, 0.0], [0.3, 0.3]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda given_: from_stroke5(to_stroke5(Strokes(given_))).points, points.requires_grad_()
    )


@pytest.mark.parametrize(
    ("call", "given_", "told"),
    [
        (from_stroke3, np.zeros((4, 2)), "expected"),
        (from_stroke3, np.zeros((2, 4, 3)), "expected"),
        (from_stroke3, np.zeros(3), "expected"),
        (from_stroke3, np.array([["a", "b", "c"]]), "expected numbers"),
        (from_stroke3, np.array([[0, 0, 0], [0, 0, 2]]), "lift of .0, 0, 2.*row 1.*0 or 1"),
        (from_stroke3, np.array([[0, np.nan, 0]]), "row 0.*finite"),
        (from_stroke5, np.zeros((1, 5)), "pen state.*row 0.*one of p1, p2, p3"),
        (from_stroke5, np.array([[[0, 0, 1, 0, 0], [0, 0, 1, 1, 0]]]), "sketch 0, row 1"),
        (from_stroke5, np.array([[0, 0, 0.5, 0.5, 0]]), "pen state"),
    ],
)
def test_what_is_no_sequence_is_refused(call: Any, given_: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told):
        call(given_)


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Strokes(torch.zeros(2, 1, 2, 2))
    with pytest.raises(InputError, match="batch"):
        to_stroke3(batch)
    with pytest.raises(InputError, match="3 coordinates"):
        to_stroke5(Strokes(torch.zeros(1, 2, 3)))
    with pytest.raises(InputError, match=r"2 moves.*length 1"):
        to_stroke5(Strokes(torch.eye(2)[None]), length=1)
    with pytest.raises(InputError, match="no first token"):
        from_stroke5(to_stroke5(batch), start=True)
    with pytest.raises(InputError, match="fit of 0"):
        from_stroke3(np.zeros((1, 3)), fit=0.0)
    monkeypatch.setattr(padding, "MOST_POINTS", 3)
    with pytest.raises(InputError, match="4 points"):
        from_stroke5(to_stroke5(batch))
