"""Biases on how strokes lie and bend: brevity, smooth, spread, inside, grip; each against its formula by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import Moment
from agents.biases import Brevity, Grip, Inside, Smooth, Spread
from agents.biases._drawing import along, lengths, vertices
from raster import InputError, Strokes

Play = Callable[..., Any]
MOMENT = Moment(0, "sender", torch.Generator())
SEEDS = st.integers(0, 2**31)


def random(kind: str, points: int, seed: int = 0, strokes: int = 4, spread: float = 1.0, **more: Any) -> Strokes:
    noise = torch.rand(3, strokes, points, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Strokes((noise * 2 - 1) * spread, kind, **more)


def half_circle(radius: float, pieces: int = 64) -> Strokes:
    angle = torch.linspace(0, math.pi, pieces + 1, dtype=torch.float64)
    return Strokes(radius * torch.stack([angle.cos(), angle.sin()], -1)[None, None], "polyline")


# brevity


def test_brevity_pays_for_presence_where_strokes_have_one(play: Play) -> None:
    presence = torch.tensor([[1.0, 0.5, 0.0, 0.0]] * 3)
    strokes = random("line", 2, presence=presence)
    assert Brevity().cost(play(strokes)).tolist() == [0.375] * 3
    assert Brevity(free=0.25).cost(play(strokes)).tolist() == [0.125] * 3
    assert Brevity(free=0.5).cost(play(strokes)).tolist() == [0.0] * 3


def test_brevity_pays_for_length_where_strokes_have_no_presence(play: Play) -> None:
    points = torch.tensor([[[[-1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.3, 0.4]]]])
    assert float(Brevity().cost(play(Strokes(points)))) == pytest.approx((2 + 0.5) / 2)
    absent = Strokes(points, presence=torch.tensor([[0.0, 1.0]]))
    assert float(Brevity(by="length").cost(play(absent))) == pytest.approx(0.5 / 2)


def test_brevity_by_presence_says_where_to_switch_it_on(play: Play) -> None:
    with pytest.raises(InputError, match=r"strokes have none.*sender\.strokes\.presence: soft or hard"):
        Brevity(by="presence").cost(play(random("line", 2)))


def test_the_length_of_a_curve_is_that_of_the_curve() -> None:
    k = 4 / 3 * math.tan(math.pi / 8)  # a quarter circle, nearly
    quarter = torch.tensor([[[1.0, 0.0], [1.0, k], [k, 1.0], [0.0, 1.0]]], dtype=torch.float64)
    assert float(lengths(vertices(Strokes(quarter, "cubic")))) == pytest.approx(math.pi / 2, rel=3e-3)


# smooth


@given(radius=st.floats(0.2, 1))
def test_smooth_charges_a_half_circle_the_same_at_any_size(radius: float) -> None:
    cost = _cost(Smooth(), half_circle(radius))
    assert float(cost) == pytest.approx(math.pi**2 / 2, rel=0.05)


def test_smooth_hardly_asks_how_finely_a_curve_is_cut() -> None:
    one, two = (float(_cost(Smooth(), half_circle(0.7, pieces))) for pieces in (16, 64))
    assert one == pytest.approx(two, rel=0.1)


def test_what_has_no_bend_costs_nothing(play: Play) -> None:
    straight = torch.linspace(-0.9, 0.9, 5)[:, None].expand(2, 3, -1, 2).contiguous()
    assert Smooth().cost(play(Strokes(straight, "polyline"))).abs().max() < 1e-6
    for kind, points in {"line": 2, "point": 1}.items():
        assert Smooth().cost(play(random(kind, points))).tolist() == [0.0] * 3


def test_a_stroke_that_is_not_there_does_not_bend(play: Play) -> None:
    gone = random("cubic", 4, presence=torch.zeros(3, 4))
    assert Smooth().cost(play(gone)).tolist() == Spread().cost(play(gone)).tolist() == [0.0] * 3


# spread


@given(seed=SEEDS)
def test_spread_is_the_mean_nearness_of_points_on_different_strokes(seed: int) -> None:
    strokes = random("line", 2, seed, strokes=3)
    points = along(strokes, 3)
    assert torch.allclose(points[..., 1, :], strokes.points.mean(-2))  # ends and the middle
    expected = []
    for game in points:
        near = [
            math.exp(-float((x - y).square().sum()) / (2 * 0.2**2))
            for m in range(3)
            for n in range(3)
            if m != n
            for x in game[m]
            for y in game[n]
        ]
        expected.append(sum(near) / len(near))
    assert _cost(Spread(radius=0.2), strokes).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_strokes_on_one_spot_cost_one_and_strokes_far_apart_nothing(play: Play) -> None:
    spot = Strokes(torch.zeros(1, 4, 1, 2), "point")
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    apart = Strokes(corners[None, :, None].expand(1, 4, 1, 2).contiguous(), "point")
    assert float(Spread().cost(play(spot))) == pytest.approx(1, abs=1e-5)
    assert float(Spread().cost(play(apart))) < 1e-6
    alone = Strokes(torch.zeros(1, 1, 2, 2))
    assert float(Spread().cost(play(alone))) == 0


def test_going_downhill_in_spread_moves_strokes_apart(play: Play) -> None:
    strokes = random("line", 2, spread=0.2)
    strokes.points.requires_grad_()
    game = play(strokes)
    (slope,) = torch.autograd.grad(Spread().cost(game).sum(), strokes.points)
    moved = Strokes(strokes.points.detach() - slope)
    assert (_cost(Spread(), moved) < Spread().cost(game)).all()


# inside


def test_inside_counts_how_far_the_drawn_points_stick_out(play: Play) -> None:
    points = torch.tensor([[[[0.0, 0.0], [1.2, -1.1]], [[0.5, 0.5], [-0.5, 0.9]]]])
    assert float(Inside(margin=0).cost(play(Strokes(points)))) == pytest.approx((0.2 + 0.1) / 2 / 2)
    assert float(Inside(margin=0.2).cost(play(Strokes(points)))) == pytest.approx(((0.4 + 0.3) / 2 + 0.1 / 2) / 2)


def test_inside_asks_for_the_curve_and_not_for_its_control_points(play: Play) -> None:
    arch = torch.tensor([[[[-0.5, 0.0], [0.0, 1.5], [0.5, 0.0]]]])  # rises to 0.75
    assert float(Inside(margin=0).cost(play(Strokes(arch, "quadratic")))) == 0


# grip


@given(seed=SEEDS, kind=st.sampled_from([("line", 2), ("polyline", 5), ("cubic", 4), ("catmull-rom", 5)]))
def test_no_stroke_is_longer_than_the_grip(seed: int, kind: tuple[str, int]) -> None:
    strokes = random(*kind, seed)
    before, after = (lengths(vertices(each)) for each in (strokes, Grip(length=0.6).move(strokes, MOMENT)))
    assert torch.allclose(after, before.clamp(max=0.6), atol=1e-3)


@given(seed=SEEDS)
def test_no_side_turns_sharper_than_the_grip_and_none_changes_its_length(seed: int) -> None:
    strokes = random("polyline", 6, seed)
    moved = Grip(length=None, turn=0.5).move(strokes, MOMENT).points
    sides, old = moved.diff(dim=-2), strokes.points.diff(dim=-2)
    cosine = torch.cosine_similarity(sides[..., 1:, :], sides[..., :-1, :], dim=-1)
    assert (cosine >= math.cos(0.5) - 1e-6).all()
    assert torch.allclose(sides.norm(dim=-1), old.norm(dim=-1))
    assert torch.allclose(moved[..., :2, :], strokes.points[..., :2, :])


@given(seed=SEEDS, lifts=st.integers(0, 5))
def test_the_pen_leaves_the_paper_no_more_often_than_the_grip_allows(seed: int, lifts: int) -> None:
    strokes = random("cubic", 4, seed, strokes=5)
    moved = Grip(length=None, lifts=lifts).move(strokes, MOMENT)
    drawn = vertices(moved)
    gaps = (drawn[:, 1:, 0] - drawn[:, :-1, -1]).norm(dim=-1)
    assert ((gaps > 1e-9).sum(1) == min(lifts, 4)).all()
    assert torch.allclose(moved.points.diff(dim=-2), strokes.points.diff(dim=-2))  # shifted as wholes
    kept = (moved.points - strokes.points).abs().amax((2, 3))[:, 1:] < 1e-9
    assert torch.equal(kept, gaps > 1e-9)  # where the pen is lifted the stroke stands where it was meant


@given(seed=SEEDS)
def test_the_pen_travels_no_further_than_the_grip_allows(seed: int) -> None:
    strokes = random("line", 2, seed, strokes=6)
    drawn = Grip(length=None, travel=0.3).move(strokes, MOMENT).points
    assert ((drawn[:, 1:, 0] - drawn[:, :-1, 1]).norm(dim=-1) <= 0.3 + 1e-6).all()


def test_what_the_hand_can_do_is_not_touched() -> None:
    short = random("polyline", 3, spread=0.05)
    moved = Grip(length=1.0, turn=math.pi, travel=1.0, lifts=10).move(short, MOMENT)
    assert torch.allclose(moved.points, short.points, atol=1e-12)


@pytest.mark.parametrize("limits", [{"length": 0.1}, {"turn": 0.2}, {"travel": 0.1}, {"lifts": 1}])
def test_gradients_pass_through_a_grip(limits: dict[str, Any]) -> None:
    strokes = random("cubic", 4)
    strokes.points.requires_grad_()
    moved = Grip(**{"length": None, **limits}).move(strokes, MOMENT)
    (slope,) = torch.autograd.grad(moved.points.sin().sum(), strokes.points)
    assert slope.isfinite().all() and slope.norm() > 0


def test_a_grip_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="a grip without a limit holds nothing: give length, turn, travel or lifts"):
        Grip(length=None)


# all


@pytest.mark.parametrize("kind", ["line", "polyline", "cubic", "catmull-rom"])
@pytest.mark.parametrize("one", [Brevity(), Smooth(), Spread(), Inside(), Grip(turn=0.3, travel=0.2, lifts=1)])
def test_strokes_that_are_dots_have_finite_gradients(one: Any, kind: str, play: Play) -> None:
    points = torch.full((1, 3, {"line": 2, "polyline": 3, "cubic": 4, "catmull-rom": 4}[kind], 2), 0.99)
    strokes = Strokes(points.requires_grad_(), kind)
    game = play(strokes)
    total = one.cost(game).sum() + one.move(strokes, MOMENT).points.sum()
    (slope,) = torch.autograd.grad(total, points)
    assert slope.isfinite().all()


def _cost(one: Any, strokes: Strokes) -> torch.Tensor:
    """The cost where only the strokes are asked for."""

    class Only:
        canvas = torch.zeros(strokes.batch_shape[0], 8, 8, dtype=strokes.points.dtype)
        photo = label = kept = trunks = None
        generator = torch.Generator

    Only.strokes = strokes  # type: ignore[attr-defined]
    found: torch.Tensor = one.cost(Only())
    return found
