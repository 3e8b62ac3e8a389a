"""The bias ``body``: a hand in a game, and the minutes that it takes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from agents import Moment
from agents.biases import Body
from agents.bodies import Body as Hand
from agents.bodies import Machine, Page, held, plan, shipped
from raster import CanvasConfig, Strokes

Play = Callable[..., Any]


def test_the_hand_holds_in_training_and_when_it_is_measured(moment: Callable[..., Moment]) -> None:
    strokes = Strokes(torch.rand(3, 4, 2, 2, generator=torch.Generator().manual_seed(0)) * 6 - 3)
    for training in (True, False):
        moved = Body(body="hpgl").move(strokes, moment(training=training))
        assert torch.equal(moved.points, held(strokes, shipped("hpgl").body).points)
        assert float(moved.points.abs().max()) <= 1


def test_minutes_are_those_of_ink_travel_and_lifts(play: Play) -> None:
    hand = Hand(page=Page(width=120, height=120), speed=10, travel_speed=100, lift=0.2, lower=0.3)  # 50 mm a unit
    points = torch.tensor([[[[-0.5, 0.0], [0.5, 0.0]], [[0.5, 0.4], [-0.5, 0.4]], [[0.0, 0.0], [0.0, 0.2]]]])
    whole = Strokes(points.expand(2, -1, -1, -1), presence=torch.tensor([[1.0, 1, 1], [1.0, 1, 0]]))
    last = (25**2 + 20**2) ** 0.5
    three = (50 + 50 + 10) / 10 + (20 + last) / 100 + 3 * 0.5
    two = (50 + 50) / 10 + 20 / 100 + 2 * 0.5
    assert (60 * Body(body=hand).cost(play(whole))).tolist() == pytest.approx([three, two], rel=1e-4)
    plain = Strokes(points)
    assert (60 * Body(body=hand).cost(play(plain))).tolist() == pytest.approx([three], rel=1e-4)


def test_the_price_is_not_asked_for_unless_it_is_said() -> None:
    assert Body().weight.at(0) == 0
    assert Body(weight=0.5).weight.at(0) == 0.5


@pytest.mark.parametrize("kind", ["line", "cubic", "catmull-rom"])
def test_a_canvas_in_colour_is_drawn_with_pens_and_pulls_at_every_stroke(kind: str) -> None:
    points = (
        torch.rand(2, 5, 6 if kind == "catmull-rom" else 4, 2, generator=torch.Generator().manual_seed(0)) * 3 - 1.5
    )
    points = points[:, :, :2] if kind == "line" else points
    points.requires_grad_()
    colour = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    hand = Hand(page=Page(width=50, height=50, margins=2), pens=({"width": 2, "colour": "#0000ff"},))
    drawn = Body(body=hand).move(Strokes(points, kind, colour=colour), Moment(0, "sender", torch.Generator()))
    canvas = CanvasConfig(size=64).draw(drawn)
    assert float(canvas.detach()[:, 2].max()) == 0  # blue ink takes no blue away
    slopes = torch.autograd.grad(canvas.square().sum(), [points, colour])
    for slope in slopes:
        assert slope.isfinite().all() and (slope.abs().sum((0, 1)) > 0).any()
    assert (slopes[0].abs().sum((-1, -2)) > 0).all()


def test_an_optimised_drawing_is_planned_without_a_loss(moment: Callable[..., Moment]) -> None:
    """The promise of the body: what was drawn through it needs no repair."""
    hand = Hand(page=Page(width=60, height=60, margins=5), pens=({"width": 1.5},), shortest=3)
    target = torch.zeros(1, 48, 48)
    target[:, 8:40, 20:24] = 1
    meant = (torch.randn(1, 12, 2, 2, generator=torch.Generator().manual_seed(0)) * 1.5).requires_grad_()
    optimiser = torch.optim.Adam([meant], lr=0.05)
    bias, canvas = Body(body=hand), CanvasConfig(size=48)
    losses = []
    for _ in range(40):
        loss = (canvas.draw(bias.move(Strokes(meant), moment())) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    report = plan(bias.move(Strokes(meant.detach()), moment())[0], Machine(body=hand)).report
    assert (report.left_out, report.strokes) == ({}, 12)
    assert report.cut < 1e-3
