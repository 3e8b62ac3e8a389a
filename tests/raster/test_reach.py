"""How far a stroke is felt: the cut-off loses nothing, can be chosen, and a wide stroke can travel."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import Schedule, Strokes, rasterise

ENGINES = ("reference", "tile", "cpu")
every = pytest.mark.parametrize("engine", ENGINES)


@pytest.mark.parametrize("engine", ["tile", "cpu"])
@pytest.mark.parametrize("compose", ["softor", "over", "max", "sum"])
@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_the_default_reach_loses_less_than_a_millionth_of_a_pixel(engine: str, compose: str, seed: int) -> None:
    points = torch.rand(6, 2, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    drawn, grads = [], []
    for reach in ("lossless", "all"):
        leaf = points.clone().requires_grad_()
        ink = rasterise(Strokes(leaf), (48, 40), sigma2=1e-3, compose=compose, reach=reach, engine=engine)
        weight = torch.randn(48, 40, generator=torch.Generator().manual_seed(seed))
        (ink * weight).sum().backward()
        assert leaf.grad is not None
        drawn.append(ink.detach())
        grads.append(leaf.grad)
    assert (drawn[0] - drawn[1]).abs().max() < 1e-6
    assert torch.allclose(grads[0], grads[1], atol=1e-6 * float(grads[1].abs().max()), rtol=0)


@every
@pytest.mark.parametrize("response", ["gaussian", "linear"])
def test_a_reach_of_some_sigmas_ends_there_in_picture_and_gradient(engine: str, response: str) -> None:
    sigma, reach = 0.2, 1.3
    d = ((torch.arange(41) + 0.5) * 2 / 41 - 1).abs()
    points = torch.tensor([[[-9.0, 0.0], [9.0, 0.0]]])
    for row in range(41):
        leaf = points.clone().requires_grad_()
        strokes = Strokes(leaf)
        ink = rasterise(strokes, (41, 41), sigma2=sigma**2, reach=reach, response=response, engine=engine)[row, 20]
        (gradient,) = torch.autograd.grad(ink, leaf)
        felt = float(d[row]) < reach * sigma
        assert (float(ink.detach()) > 0) == felt
        assert bool((gradient != 0).any()) == (felt and row != 20)  # on the line itself ink is at its top


@every
def test_every_pixel_pulls_a_stroke_that_is_far_away_when_reach_is_all(engine: str) -> None:
    # 12 sigmas from the corner: beyond the default's reach, but not beyond float32's numbers at this distance.
    points = torch.tensor([[[0.9, 0.9], [0.9, 0.9]]], requires_grad=True)
    sigma2 = (1.8 * math.sqrt(2) / 9.0) ** 2
    pull = {}
    for reach in (3.0, "lossless", "all"):
        ink = rasterise(Strokes(points), (16, 16), sigma2=sigma2, reach=reach, engine=engine)
        (gradient,) = torch.autograd.grad(ink[0, 0], points)
        pull[reach] = float(gradient.abs().sum())
    assert pull[3.0] == 0
    assert pull["lossless"] > 0
    assert pull["all"] == pytest.approx(pull["lossless"], rel=1e-4)


@pytest.mark.parametrize("reach", [0, -1.0, "far", math.nan])
def test_a_reach_that_is_none_is_refused(reach: float | str) -> None:
    with pytest.raises(Exception, match=r"reach|far"):
        rasterise(Strokes(torch.zeros(1, 2, 2)), (8, 8), reach=reach)  # type: ignore[arg-type]


def fit(sigma2: Schedule, steps: int = 200) -> float:
    """Draws a target of one line at the other side of the canvas, from a start that does not touch it."""
    target = rasterise(Strokes(torch.tensor([[[0.5, -0.6], [0.6, 0.6]]])), (32, 32), sigma2=2e-3)
    points = torch.tensor([[[-0.6, -0.5], [-0.5, 0.5]]], requires_grad=True)
    optimiser = torch.optim.Adam([points], lr=0.03)
    for step in range(steps):
        optimiser.zero_grad()
        now = sigma2.at(step)
        wide = rasterise(Strokes(torch.tensor([[[0.5, -0.6], [0.6, 0.6]]])), (32, 32), sigma2=now)
        loss = (rasterise(Strokes(points), (32, 32), sigma2=now) - wide).square().mean()
        loss.backward()
        optimiser.step()
    ink = rasterise(Strokes(points.detach()), (32, 32), sigma2=2e-3)
    return float((ink - target).square().mean())


def test_an_annealed_sigma2_brings_a_stroke_where_a_narrow_one_does_not() -> None:
    narrow = fit(Schedule.of(2e-3))
    annealed = fit(Schedule.model_validate({"from": 0.5, "to": 2e-3, "over": 150}))
    assert annealed < 1e-3
    assert narrow > 10 * annealed
