"""Planning: lines where they were drawn, cut at the walls, joined, and in an order of little travel."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.bodies import Arm, Body, Machine, Page, Pen, Planning, held, plan
from agents.bodies._clip import clipped
from agents.bodies.planning import joined, shortest_way, travelled
from raster import InputError, Strokes
from raster.curves import flatten

Line = NDArray[np.float64]
Wild = Callable[..., Strokes]
SEEDS = st.integers(0, 2**31)


def lines_of(count: int, seed: int, corners: int = 2, side: float = 100.0) -> list[Line]:
    return list(np.random.default_rng(seed).uniform(0, side, (count, corners, 2)))


def same(one: Line, other: Line) -> bool:
    return one.shape == other.shape and (np.array_equal(one, other) or np.array_equal(one, other[::-1]))


def least_travel(lines: Sequence[Line], home: tuple[float, float] | None) -> float:
    """The shortest of all orders and directions, tried one by one."""
    return min(
        travelled([line[::-1] if turn else line for line, turn in zip(order, turns, strict=True)], home)
        for order in itertools.permutations(lines)
        for turns in itertools.product([False, True], repeat=len(lines))
    )


# The way


@pytest.mark.parametrize("home", [None, (0.0, 0.0)])
def test_a_few_lines_are_nearly_in_the_best_of_all_orders(home: tuple[float, float] | None) -> None:
    found, best = 0.0, 0.0
    for seed in range(12):
        lines = lines_of(4, seed)
        found += travelled(shortest_way(lines, home, home), home)
        best += least_travel(lines, home)
    assert best - 1e-9 <= found <= 1.1 * best


@given(seed=SEEDS, count=st.integers(1, 40), home=st.booleans(), alike=st.booleans())
def test_every_line_is_drawn_once_whichever_way_round(seed: int, count: int, home: bool, alike: bool) -> None:
    lines = lines_of(count, seed, corners=1 + seed % 3)
    if alike:  # many ends at one place: nothing tells neighbours apart
        lines = [np.round(line / 50) * 50 for line in lines]
    at = (3.0, 4.0) if home else None
    found = shortest_way(lines, at, at)
    left = list(lines)
    for each in found:
        left.pop(next(n for n, line in enumerate(left) if same(each, line)))
    assert not left
    assert all(line.flags["C_CONTIGUOUS"] and min(line.strides) > 0 for line in found)


@pytest.mark.parametrize("seed", range(2))
def test_no_turn_of_a_part_and_no_move_of_a_line_shortens_the_way(seed: int) -> None:
    """Nearly: what is tried are the nearest ends, so one move in a thousand may be left."""
    lines = shortest_way(lines_of(36, seed), (0.0, 0.0), (0.0, 0.0))
    now, better, tried = travelled(lines, (0, 0)), 0, 0
    for first, last in itertools.combinations(range(len(lines) + 1), 2):
        turned = [line[::-1] for line in lines[first:last]][::-1]
        better += travelled([*lines[:first], *turned, *lines[last:]], (0, 0)) < now - 1e-6
        tried += 1
    for at, to in itertools.permutations(range(len(lines)), 2):
        rest = [*lines[:at], *lines[at + 1 :]]
        for line in (lines[at], lines[at][::-1]):
            better += travelled([*rest[:to], line, *rest[to:]], (0, 0)) < now - 1e-6
            tried += 1
    assert better <= tried / 1000


def test_planning_takes_most_of_the_way_from_a_random_order() -> None:
    lines = [line * 0.1 + corner for line, corner in zip(lines_of(300, 0), lines_of(300, 1), strict=True)]
    assert travelled(shortest_way(lines), None) < 0.2 * travelled(lines, None)


# Joining


def test_lines_that_meet_become_one() -> None:
    square = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)]
    sides = [np.array(pair, dtype=float) for pair in itertools.pairwise(square)]
    sides[1] = sides[1][::-1]
    (one,) = joined([sides[2], sides[0], sides[3], sides[1]], 0.1)
    assert len(one) == 5 and np.hypot(*np.diff(one, axis=0).T).tolist() == [10] * 4
    assert joined(sides, 0.0) == sides


def test_ends_further_apart_than_the_tolerance_stay_apart() -> None:
    one, other = np.array([[0.0, 0], [1, 0]]), np.array([[1.2, 0], [2, 0]])
    assert len(joined([one, other], 0.1)) == 2
    (both,) = joined([one, other], 0.3)
    assert both.tolist() == [[0, 0], [1, 0], [1.2, 0], [2, 0]]


@given(seed=SEEDS)
def test_joining_keeps_every_piece_and_adds_only_gaps(seed: int) -> None:
    lines = [np.round(line) for line in lines_of(25, seed, corners=3, side=6)]
    lines = [line for line in lines if (np.diff(line, axis=0) != 0).any(-1).all()]
    found = joined(lines, 0.1)

    def pieces(several: Sequence[Line]) -> list[list[list[float]]]:
        return sorted(sorted(pair.tolist()) for line in several for pair in np.stack([line[:-1], line[1:]], 1))

    assert pieces(found) == pieces(lines)


# Cutting


@given(seed=SEEDS)
def test_a_line_is_cut_where_it_leaves_the_reach(seed: int) -> None:
    body = Body(page=Page(width=100, height=80, margins=8), reach=Arm(x=50, y=60, inner=15, outer=55))
    room = body.room()
    (line,) = lines_of(1, seed, corners=4, side=110)
    parts = clipped(line, room)
    for part in parts:
        along = np.concatenate([a + (b - a) * np.linspace(0, 1, 50)[:, None] for a, b in itertools.pairwise(part)])
        assert float(room.beyond(torch.from_numpy(along)).max()) < 2e-3
    # By small steps: the length that lies inside.
    fine = np.concatenate([a + (b - a) * np.linspace(0, 1, 4001)[:, None] for a, b in itertools.pairwise(line)])
    middles, long = (fine[1:] + fine[:-1]) / 2, np.hypot(*np.diff(fine, axis=0).T)
    inside = float(long[room.beyond(torch.from_numpy(middles)).numpy() <= 0].sum())
    assert sum(float(np.hypot(*np.diff(part, axis=0).T).sum()) for part in parts) == pytest.approx(inside, abs=0.3)


def test_a_line_within_reach_is_left_as_it_is() -> None:
    (line,) = lines_of(1, 0, corners=5)
    assert clipped(line + 20, Body().room())[0] is not line
    moved = line + 20
    assert clipped(moved, Body().room())[0] is moved


# Plans


@pytest.mark.parametrize("kind", ["line", "polyline", "quadratic", "cubic", "catmull-rom"])
def test_a_plan_strays_from_its_curves_by_no_more_than_it_says(kind: str, wild: Wild) -> None:
    strokes = Strokes(wild(kind, 8, seed=5).points[6] * 0.9, kind)
    planning = Planning(tolerance=0.1, join=0, order="drawn")
    planned = plan(strokes, Machine(planning=planning))
    frame = planned.machine.body.frame()
    fine = frame.to_mm(flatten(Strokes(strokes.points.double(), kind), 400)).numpy()
    for curve, line in zip(fine, planned.layers[0].lines, strict=True):
        a, way = line[:-1], np.diff(line, axis=0)  # [s 2]
        share = (((curve[:, None] - a) * way).sum(-1) / (way**2).sum(-1)).clip(0, 1)
        off = np.hypot(*np.moveaxis(curve[:, None] - a - share[..., None] * way, -1, 0)).min(1)
        assert off.max() <= 0.1 + 1e-6
        assert np.allclose(line[[0, -1]], curve[[0, -1]])


@settings(max_examples=30)
@given(seed=SEEDS, kind=st.sampled_from(["line", "quadratic", "cubic"]))
def test_what_a_body_held_is_planned_whole(seed: int, kind: str) -> None:
    points = torch.rand(
        40, {"line": 2, "quadratic": 3, "cubic": 4}[kind], 2, generator=torch.Generator().manual_seed(seed)
    )
    body = Body(
        page=Page(width=120, height=90), reach=Arm(x=60, y=100, inner=30, outer=95), shortest=2, strokes=30,
        pens=(Pen(name="black"), Pen(name="red", colour="#ff0000")),
    )  # fmt: skip
    strokes = held(Strokes(points * 6 - 3, kind, colour=points[:, 0, :1].expand(-1, 3)), body)
    report = plan(strokes, Machine(body=body), as_seen=False).report
    assert report.left_out == {} and report.cut < 1e-3
    assert report.strokes == 30


def test_pens_are_taken_up_once_each_and_their_lines_grouped() -> None:
    pens = tuple(
        Pen(name=name, colour=colour) for name, colour in (("k", "#000000"), ("r", "#ff0000"), ("b", "#0000ff"))
    )
    colours = torch.tensor([[0.0, 0, 0], [1, 0, 0]]).repeat(20, 1)
    points = torch.rand(40, 2, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    planned = plan(Strokes(points, colour=colours), Machine(body=Body(pens=pens)))
    assert [layer.pen for layer in planned.layers] == [0, 1]
    assert [len(layer.lines) for layer in planned.layers] == [20, 20]
    assert planned.report.pens == 2
    # As drawn the pen is changed at every stroke.
    assert planned.report.seconds_drawn - planned.report.seconds > 38 * 30


def test_a_report_counts_what_is_drawn_and_how_long_it_takes() -> None:
    body = Body(
        page=Page(width=100, height=100, margins=0), pens=(Pen(width=0.1),), speed=10, travel_speed=100, lift=0.2,
        lower=0.3, home=(0, 0), shortest=0,
    )  # fmt: skip
    scale, middle = 50 - 0.05, 50.0
    mm = torch.tensor([[[10.0, 0.05], [40, 0.05]], [[90, 0.05], [60, 0.05]]], dtype=torch.float64)
    report = plan(Strokes((mm - middle) / scale), Machine(body=body)).report
    assert report.ink == pytest.approx(60)
    there = math.hypot(10, 0.05)
    assert report.travel_drawn == pytest.approx(there + 50 + math.hypot(60, 0.05))
    assert report.travel == pytest.approx(there + 20 + math.hypot(90, 0.05))
    assert report.seconds == pytest.approx(60 / 10 + report.travel / 100 + 2 * 0.5)
    assert (report.lines, report.strokes, report.pens) == (2, 2, 1)


def test_what_cannot_be_drawn_is_left_out_with_its_reason() -> None:
    points = torch.tensor(
        [[[-0.5, 0.0], [0.5, 0.0]], [[3.0, 3.0], [4.0, 3.0]], [[0.1, 0.1], [0.1001, 0.1]], [[0, 0.2], [4.0, 0.2]],
         [[0, 0.3], [0.5, 0.3]]]
    )  # fmt: skip
    body = Body(page=Page(width=100, height=100), strokes=2)
    presence = torch.tensor([1.0, 1, 1, 1, 1])
    report = plan(Strokes(points, presence=presence), Machine(body=body)).report
    assert report.left_out == {"out of reach or off the canvas": 1, "shorter than 0.5 mm": 1, "beyond the first 2": 1}
    assert report.cut == pytest.approx(40 + 120, rel=1e-4)
    assert report.strokes == 5


def test_a_dot_is_a_line_of_one_place() -> None:
    planned = plan(Strokes(torch.rand(9, 1, 2, generator=torch.Generator().manual_seed(0)), "point"), Machine())
    assert [line.shape for line in planned.layers[0].lines] == [(1, 2)] * 9


@pytest.mark.parametrize(
    ("strokes", "told"),
    [
        (Strokes(torch.zeros(0, 2, 2)), "a drawing without strokes"),
        (Strokes(torch.zeros(2, 2, 2), presence=torch.zeros(2)), "a drawing without strokes"),
        (Strokes(torch.full((2, 2, 2), math.nan)), "a stroke with a coordinate of nan .stroke 0, point 0, x."),
        (Strokes(torch.full((2, 2, 2), 9.0)), "nothing of this drawing can be drawn: 2 out of reach"),
        (Strokes(torch.zeros(2, 2, 2, 2)), r"a batch of \[2\] drawings"),
    ],
)
def test_a_drawing_of_nothing_is_refused(strokes: Strokes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        plan(strokes, Machine())
