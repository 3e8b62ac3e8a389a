"""What a body holds: every stroke becomes one that it can draw, and its gradient stays alive."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from agents.bodies import Arm, Body, Frame, Machine, Page, Pen, Rectangle, held, plan
from agents.bodies.hand import length
from raster import InputError, Strokes, rasterise
from raster.curves import flatten

Wild = Callable[..., Strokes]
KINDS = ["point", "line", "polyline", "quadratic", "cubic", "catmull-rom"]


def on_page(strokes: Strokes, body: Body) -> Strokes:
    return replace(strokes, points=body.frame().to_mm(strokes.points))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_thousand_drawings_is_out_of_reach_or_too_short(kind: str, body: Body, wild: Wild) -> None:
    # Of each of six kinds so many that a body sees a thousand and more.
    strokes = held(wild(kind, 176, dtype=torch.float64), body)
    drawn = flatten(on_page(strokes, body), 40)  # [B, N, V, 2]
    assert float(body.room().beyond(drawn).max()) < 1e-6
    if kind != "point":
        assert float(length(on_page(strokes, body)).min()) >= body.shortest


@pytest.mark.parametrize("kind", ["line", "cubic", "catmull-rom"])
def test_single_precision_leaves_the_reach_by_less_than_any_machines_step(kind: str, body: Body, wild: Wild) -> None:
    strokes = held(wild(kind, 64, seed=1), body)
    assert float(body.room().beyond(flatten(on_page(strokes, body), 40)).max()) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite_and_reach_every_stroke_wherever_it_lies(kind: str, body: Body, wild: Wild) -> None:
    strokes = wild(kind, 32)
    strokes.points.requires_grad_()
    moved = held(strokes, body).points
    weights = torch.rand(moved.shape, generator=torch.Generator().manual_seed(3))
    (slope,) = torch.autograd.grad((moved * weights).sum(), strokes.points)
    assert slope.isfinite().all()
    assert (slope.abs().amax((-1, -2)) > 0).all()


def test_a_place_far_outside_is_called_back_by_a_gradient() -> None:
    points = torch.tensor([[[[6.0, 3.0], [5.0, -4.0]]]], requires_grad=True)
    optimiser = torch.optim.Adam([points], lr=0.4)
    for _ in range(25):
        loss = held(Strokes(points), Body()).points.square().sum()  # the middle is wanted
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(points.detach().abs().max()) < 0.9


def test_gradients_are_those_of_what_happens() -> None:
    points = torch.rand(1, 2, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 - 1.5
    arm = Body(page=Page(width=200, height=150), reach=Arm(x=100, y=170, inner=60, outer=150), shortest=0)
    for body in (Body(shortest=0), arm):
        for kind in ("cubic", "catmull-rom"):
            start = points.clone().requires_grad_()
            assert torch.autograd.gradcheck(lambda p, k=kind, b=body: held(Strokes(p, k), b).points, start)


def test_what_the_body_can_draw_stays_where_it_is() -> None:
    strokes = Strokes(torch.rand(3, 5, 4, 2, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9, "cubic")
    assert torch.allclose(held(strokes, Body()).points, strokes.points, atol=1e-6)


def test_a_line_is_half_inked_as_wide_as_its_pen() -> None:
    body = Body(page=Page(width=100, height=100, margins=10), pens=(Pen(width=4),))
    line = held(Strokes(torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]])), body)
    ink = rasterise(line, (801, 801))[:, 400]  # down through the line
    millimetres = float((ink >= 0.5).sum()) * 80 / 801
    assert millimetres == pytest.approx(4, abs=0.11)
    frame = body.frame()
    assert frame == Frame(40.0, 50.0, 50.0)
    by_sigma2 = rasterise(replace(line, width=None), (64, 64), sigma2=frame.sigma2(4))
    assert torch.allclose(by_sigma2, rasterise(line, (64, 64)), atol=1e-6)


@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.5])
def test_a_canvas_lies_in_the_middle_of_the_room_as_large_as_fits(aspect: float) -> None:
    body = Body(page=Page(width=210, height=297, margins={"left": 30, "right": 10, "top": 20, "bottom": 7}))
    frame, room = body.frame(aspect), body.room()
    half = torch.tensor([max(aspect, 1.0), max(1 / aspect, 1.0)], dtype=torch.float64)
    low, high = frame.to_mm(-half), frame.to_mm(half)
    assert torch.allclose((low + high) / 2, torch.tensor([(30 + 200) / 2, (20 + 290) / 2], dtype=torch.float64))
    gaps = [float(low[0] - room.left), float(low[1] - room.top)]
    assert min(gaps) == pytest.approx(0, abs=1e-9) and min(room.right - high[0], room.bottom - high[1]) > -1e-9
    assert torch.allclose(frame.to_canvas(frame.to_mm(half)), half)


@pytest.mark.parametrize("aspect", [0.4, 1.0, 2.0])
def test_what_lies_off_the_canvas_is_not_drawn_though_the_page_goes_on(aspect: float, wild: Wild) -> None:
    half = torch.tensor([max(aspect, 1.0), max(1 / aspect, 1.0)])
    drawn = flatten(held(wild("cubic", 16), Body(), aspect), 20)
    assert (drawn.abs() <= half + 1e-5).all()
    across = Strokes(torch.tensor([[[-9.0, 0.1], [9.0, 0.1]]]))
    planned = plan(across, Machine(body=Body()), aspect)
    ends = Body().frame(aspect).to_canvas(torch.from_numpy(planned.layers[0].lines[0]))
    assert ends[:, 0].sort().values.tolist() == pytest.approx([-max(aspect, 1), max(aspect, 1)], abs=1e-4)


def test_a_canvas_that_lies_in_an_arms_hole_is_told() -> None:
    hole = Body(page=Page(width=200, height=100), reach=Arm(x=100, y=50, inner=60, outer=120))
    with pytest.raises(InputError, match=r"a canvas 1 times as wide as high has no place within reach"):
        held(Strokes(torch.zeros(1, 2, 2)), hole)


# Pens


PENS = (Pen(name="black"), Pen(name="red", width=0.3, colour="#ff0000"), Pen(name="red 2", width=2, colour="#ff0000"))


def coloured(**more: Any) -> Strokes:
    ink = torch.tensor([[1.0, 0.9, 1.0], [0.1, 0.9, 0.8], [0.0, 1.0, 1.0]])  # black, and twice red, as ink
    return Strokes(torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0)) - 0.5, colour=ink, **more)


def test_each_stroke_gets_the_nearest_pen_and_only_what_that_can_do() -> None:
    body = Body(pens=PENS)
    scale = body.frame().scale
    mine = coloured(width=torch.tensor([0.5, 0.25, 3.0]) / scale, opacity=torch.full((3,), 0.7))
    drawn = held(mine, body)
    assert drawn.colour is not None and drawn.width is not None and drawn.opacity is not None
    assert drawn.colour.tolist() == [[1, 1, 1], [0, 1, 1], [0, 1, 1]]
    assert torch.allclose(drawn.width * scale, torch.tensor([0.5, 0.3, 2.0]))
    assert drawn.opacity.tolist() == [1, 1, 1]


def test_colours_as_they_are_seen_are_not_turned() -> None:
    drawn = held(replace(coloured(), colour=torch.tensor([[1.0, 0.2, 0.1]] * 3)), Body(pens=PENS), as_seen=True)
    assert drawn.colour is not None and drawn.colour.tolist() == [[1, 0, 0]] * 3


def test_gradients_pass_straight_through_a_choice_of_pen_and_of_presence() -> None:
    colour, width, presence = torch.full((3, 3), 0.4), torch.full((3,), 0.01), torch.tensor([0.2, 0.6, 0.9])
    for each in (colour, width, presence):
        each.requires_grad_()
    strokes = Strokes(coloured().points, colour=colour, width=width, presence=presence)
    drawn = held(strokes, Body(pens=PENS))
    assert drawn.colour is not None and drawn.width is not None and drawn.presence is not None
    assert drawn.presence.tolist() == [0, 1, 1]
    total = drawn.colour.sum() + 2 * drawn.width.sum() + 3 * drawn.presence.sum()
    slopes = torch.autograd.grad(total, [colour, width, presence])
    assert [slope.unique().tolist() for slope in slopes] == [[1], [2], [3]]


def test_a_body_draws_no_more_strokes_than_it_may() -> None:
    presence = torch.tensor([[1.0, 0.1, 0.7, 1.0], [0.0, 0.0, 1.0, 1.0]])
    points = torch.rand(2, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    drawn = held(Strokes(points, presence=presence), Body(strokes=2))
    assert drawn.presence is not None and drawn.presence.tolist() == [[1, 0, 1, 0], [0, 0, 1, 1]]
    drawn = held(Strokes(points), Body(strokes=3))
    assert drawn.presence is not None and drawn.presence.tolist() == [[1, 1, 1, 0]] * 2


# What no body is


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"page": {"width": -3}}, "greater than 0"),
        ({"page": {"margins": 150}}, "margins of 150 and 150 mm leave nothing of a page 210 mm wide"),
        ({"pens": [{"width": 300}]}, r"pens\.0: a pen 300 mm wide on a page of 210 x 297 mm"),
        (
            {"page": {"margins": {"left": 150}}, "pens": [{"width": 130}]},
            "the widest pen and the margins leave no place on the page",
        ),
        ({"pens": [{}, {}]}, "two pens are called 'pen'"),
        ({"pens": [{"colour": "black"}]}, "should match pattern"),
        ({"reach": {"kind": "arm", "x": 0, "y": 0, "inner": 50, "outer": 40}}, "reaches from 50 to 40 mm"),
        ({"reach": {"kind": "arm", "x": -500, "y": 0, "outer": 400}}, "reaches nothing of the page"),
        ({"reach": {"kind": "arm", "x": 105, "y": 150, "inner": 400, "outer": 500}}, "reaches nothing of the page"),
        ({"reach": {"kind": "rectangle", "left": 300, "width": 5, "height": 5}}, "nothing in common with the page"),
        ({"shortest": 80}, "shortest: no stroke under 80 mm"),
        ({"home": [500, 0]}, "home at 500, 0 mm lies off the page"),
        ({"pencil": {}}, "Extra inputs"),
        ({"speed": math.nan}, "finite number"),
    ],
)
def test_an_impossible_body_is_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Body.model_validate(keys)


def test_reach_is_cut_by_margins_and_by_the_pen() -> None:
    room = Body(page=Page(width=100, height=100, margins=0), pens=(Pen(width=4),)).room()
    assert (room.left, room.top, room.right, room.bottom) == (2, 2, 98, 98)
    room = Body(page=Page(width=100, height=100), reach=Rectangle(left=-5, top=40, width=500, height=20)).room()
    assert (room.left, room.top, room.right, room.bottom) == (10, 40, 90, 60)
