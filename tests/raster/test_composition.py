"""How strokes meet, what ink looks like, and what a stroke carries itself, whichever engine draws."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import InputError, Strokes, rasterise

ENGINES = ("reference", "tile", "cpu")
every = pytest.mark.parametrize("engine", ENGINES)
compositions = pytest.mark.parametrize("compose", ["softor", "over", "max", "sum"])
SEEDS = st.integers(0, 10**6)


def random(seed: int, n: int = 4, *batch: int) -> Strokes:
    generator = torch.Generator().manual_seed(seed)
    return Strokes(torch.rand(*batch, n, 2, 2, generator=generator) * 2 - 1)


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@every
@settings(max_examples=5)
@given(seed=SEEDS)
def test_compositions_are_what_their_formulas_say(engine: str, seed: int) -> None:
    strokes = random(seed)
    opacity = rand(seed, 4)
    each = torch.stack([rasterise(strokes.select([i]), (12, 10), sigma2=0.02, engine="reference") for i in range(4)])
    each = each * opacity[:, None, None]
    behind = torch.zeros(12, 10)
    for ink, a in zip(each, opacity, strict=True):
        behind = ink + (1 - ink) * behind
        assert a <= 1
    expected = {
        "softor": 1 - (1 - each).prod(0),
        "over": behind,
        "max": each.amax(0),
        "sum": each.sum(0),
    }
    for compose, canvas in expected.items():
        drawn = rasterise(replace(strokes, opacity=opacity), (12, 10), sigma2=0.02, compose=compose, engine=engine)
        assert torch.allclose(drawn, canvas, atol=1e-5), compose


@every
def test_the_order_of_strokes_matters_to_over_alone(engine: str) -> None:
    colour = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    strokes = replace(random(1), colour=colour)
    turned = strokes.select([3, 1, 2, 0])
    for compose in ("softor", "over", "max", "sum"):
        one, other = (rasterise(s, (12, 12), sigma2=0.05, compose=compose, engine=engine) for s in (strokes, turned))
        assert torch.allclose(one, other, atol=1e-6) == (compose != "over"), compose


@every
def test_the_last_opaque_stroke_hides_the_others(engine: str) -> None:
    line = torch.tensor([[[-0.8, 0.0], [0.8, 0.0]]] * 3)
    colour = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    drawn = rasterise(Strokes(line, colour=colour), (9, 9), sigma2=0.01, compose="over", engine=engine)
    assert torch.allclose(drawn[:, 4, 4], torch.tensor([0.0, 0, 1]))


@every
@compositions
def test_colour_is_a_picture_of_three_channels(engine: str, compose: str) -> None:
    strokes = random(2, 3, 2)
    colour = rand(2, 2, 3, 3)
    drawn = rasterise(replace(strokes, colour=colour), (8, 10), sigma2=0.02, compose=compose, engine=engine)
    assert drawn.shape == (2, 3, 8, 10)
    if compose != "over":  # each channel is a drawing of its own
        for c in range(3):
            alone = replace(strokes, opacity=colour[..., c])
            alone = rasterise(alone, (8, 10), sigma2=0.02, compose=compose, engine="reference")
            assert torch.allclose(drawn[:, c], alone, atol=1e-6)


@every
@compositions
def test_opacity_presence_and_a_fourth_colour_multiply(engine: str, compose: str) -> None:
    strokes, a, p, c = random(3), rand(3, 4), rand(4, 4), rand(5, 4, 4)
    one = replace(strokes, opacity=a, presence=p, colour=c)
    other = replace(strokes, opacity=a * p * c[:, 3], colour=c[:, :3])
    draw = [rasterise(s, (8, 8), sigma2=0.02, compose=compose, engine=engine) for s in (one, other)]
    assert torch.allclose(*draw, atol=1e-6)


@every
@compositions
def test_a_stroke_that_is_not_present_is_not_there(engine: str, compose: str) -> None:
    strokes = random(4)
    presence = torch.tensor([1.0, 0, 1, 0])
    drawn = rasterise(replace(strokes, presence=presence), (8, 8), sigma2=0.02, compose=compose, engine=engine)
    without = rasterise(strokes.select([0, 2]), (8, 8), sigma2=0.02, compose=compose, engine=engine)
    assert torch.allclose(drawn, without, atol=1e-6)


@every
@compositions
@pytest.mark.parametrize("coloured", [False, True])
def test_a_background_lies_behind(engine: str, compose: str, coloured: bool) -> None:
    strokes = random(5, 3, 2)
    if coloured:
        strokes = replace(strokes, colour=rand(5, 2, 3, 3), opacity=rand(6, 2, 3))
    size = (8, 8)
    paper = torch.tensor([0.2, 0.5, 0.9])[:, None, None] if coloured else rand(7, 8, 8)
    drawn = rasterise(strokes, size, sigma2=0.02, compose=compose, background=paper, engine=engine)
    gone = replace(strokes, presence=torch.tensor(0.0))
    nothing = rasterise(gone, size, compose=compose, background=paper, engine=engine)
    assert torch.allclose(nothing, paper.expand_as(nothing))
    # Drawn upon a wide stroke of the paper's own colour, first of all, is the same.
    if compose in ("softor", "over", "max") and coloured:
        cover = Strokes(torch.tensor([[-9.0, 0.0], [9.0, 0.0]]).expand(2, 1, 2, 2))
        both = Strokes(
            torch.cat([cover.points, strokes.points], 1),
            sigma2=torch.tensor([1e6, 0.02, 0.02, 0.02]),
            colour=torch.cat([paper[:, 0, 0].expand(2, 1, 3), strokes.colour], 1),  # type: ignore[list-item]
            opacity=torch.cat([torch.ones(2, 1), strokes.opacity], 1),  # type: ignore[list-item]
        )
        assert torch.allclose(drawn, rasterise(both, size, compose=compose, engine="reference"), atol=1e-4)


def test_a_background_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"background.*\[3\] against \[8, 8\]"):
        rasterise(random(0), (8, 8), background=torch.zeros(3))


@every
def test_responses_have_one_width_and_their_own_edge(engine: str) -> None:
    width, size = 0.5, (80, 80)
    strokes = Strokes(torch.tensor([[[-5.0, 0.0], [5.0, 0.0]]]), width=torch.tensor(width))
    d = ((torch.arange(80) + 0.5) / 40 - 1).abs()
    column = {
        response: rasterise(strokes, size, response=response, engine=engine)[:, 40]
        for response in ("gaussian", "linear", "hard")
    }
    assert torch.allclose(column["gaussian"], torch.exp(-4 * math.log(2) * (d / width) ** 2), atol=1e-5)
    assert torch.allclose(column["linear"], (1 - d / width).clamp(min=0), atol=1e-5)
    assert torch.allclose(column["hard"], (d <= width / 2).float())


@every
@settings(max_examples=10)
@given(x=st.floats(-0.99, 0.99), y=st.floats(-0.99, 0.99))
def test_hard_ink_is_in_the_nearest_pixel_however_thin(engine: str, x: float, y: float) -> None:
    dot = Strokes(torch.tensor([[[x, y]]]), "point")
    ink = rasterise(dot, (9, 9), sigma2=1e-8, response="hard", engine=engine)
    row, column = min(8, int((y + 1) / 2 * 9)), min(8, int((x + 1) / 2 * 9))
    assert ink[row, column] > 0.999999
    assert 1 <= round(float(ink.sum())) <= 4


@every
def test_hard_ink_gives_a_gradient_to_opacity_alone(engine: str) -> None:
    points = random(6).points.requires_grad_()
    width = torch.full((4,), 0.2, requires_grad=True)
    opacity = torch.full((4,), 0.5, requires_grad=True)
    ink = rasterise(Strokes(points, width=width, opacity=opacity), (8, 8), response="hard", engine=engine)
    ink.sum().backward()
    assert points.grad is None
    assert width.grad is None
    assert opacity.grad is not None
    assert (opacity.grad > 0).all()


@every
def test_what_a_stroke_carries_wins_over_the_argument(engine: str) -> None:
    strokes = random(7)
    own = rasterise(replace(strokes, sigma2=torch.tensor(0.05)), (8, 8), sigma2=1e-3, engine=engine)
    assert torch.equal(own, rasterise(strokes, (8, 8), sigma2=0.05, engine=engine))
    width = 2 * math.sqrt(0.05 * math.log(2))
    wide = rasterise(replace(strokes, width=torch.tensor(width)), (8, 8), engine=engine)
    assert torch.allclose(own, wide, atol=1e-6)


@every
@compositions
@pytest.mark.parametrize("response", ["gaussian", "linear"])
def test_everything_that_a_stroke_carries_has_a_gradient(engine: str, compose: str, response: str) -> None:
    strokes = random(8, 3, 2)
    leaves = {
        "points": strokes.points.clone(),
        "width": rand(1, 2, 3) * 0.3 + 0.1,
        "opacity": rand(2, 2, 3),
        "presence": rand(3, 2, 3),
        "colour": rand(4, 2, 3, 4),
    }
    found = {}
    weight = rand(9, 2, 3, 9, 9)
    for name in (engine, "reference"):
        dtype = torch.float64 if name == "reference" else torch.float32
        own = {key: value.to(dtype).requires_grad_() for key, value in leaves.items()}
        drawn = rasterise(Strokes(**own), (9, 9), compose=compose, response=response, background=1e-3, engine=name)
        found[name] = torch.autograd.grad((drawn * weight.to(dtype)).sum(), list(own.values()))
    for key, ours, theirs in zip(leaves, found[engine], found["reference"], strict=True):
        assert theirs.abs().sum() > 0, key
        assert torch.allclose(ours.double(), theirs, atol=1e-4 * float(theirs.abs().max())), key


@pytest.mark.parametrize("dimensions", [1, 3])
def test_lines_and_volumes_are_drawn_by_the_same_mathematics(dimensions: int) -> None:
    size = (7, 5, 6)[:dimensions]
    points = (rand(1, 2, 3, 2, dimensions) * 2 - 1).double().requires_grad_()
    drawn = rasterise(Strokes(points), size, sigma2=0.05)
    assert drawn.shape == (2, *size)
    axes = [(torch.arange(n) + 0.5) * 2 / min(size) - n / min(size) for n in size]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).double()
    a, b = points.detach()[..., 0, :], points.detach()[..., 1, :]
    left = torch.ones(2, *size, dtype=torch.float64)
    for n in range(3):
        one, two = (e[:, n].reshape(2, *[1] * dimensions, dimensions) for e in (a, b))
        t = (((grid - one) * (two - one)).sum(-1) / (two - one).square().sum(-1)).clamp(0, 1)
        left = left * (1 - torch.exp(-(grid - one - t[..., None] * (two - one)).square().sum(-1) / 0.05))
    assert torch.allclose(drawn.detach(), 1 - left)
    assert torch.autograd.gradcheck(lambda p: rasterise(Strokes(p), size, sigma2=0.05), (points,))
    with pytest.raises(InputError, match="dimensions"):
        rasterise(Strokes(points), size, engine="tile")
    with pytest.raises(InputError, match="canvas of size"):
        rasterise(Strokes(points), (5, 5))


@every
@compositions
def test_opacity_out_of_range_is_named(engine: str, compose: str) -> None:
    strokes = replace(random(9, 3, 2), opacity=torch.tensor([[1.0, 0.5, 1.0], [1.0, 1.5, 1.0]]))
    if compose == "sum":
        rasterise(strokes, (8, 8), compose=compose, engine=engine)
        strokes = replace(strokes, opacity=torch.full((2, 3), math.nan))
        match = r"opacity of nan \(sketch 0, stroke 0\)"
    else:
        match = r"opacity of 1\.5 \(sketch 1, stroke 1\)"
    with pytest.raises(InputError, match=match):
        rasterise(strokes, (8, 8), compose=compose, engine=engine)


@every
@pytest.mark.parametrize("name", ["opacity", "presence", "colour", "width", "sigma2"])
def test_a_nan_in_what_a_stroke_carries_shows_in_its_canvas_only(engine: str, name: str) -> None:
    value = torch.full((3, 2, 3) if name == "colour" else (3, 2), 0.5)
    value[1, 0] = math.nan
    strokes = replace(random(10, 2, 3), **{name: value})
    with pytest.raises(InputError, match=rf"{name} of nan \(sketch 1, stroke 0"):
        rasterise(strokes, (6, 6), engine=engine)
    ink = rasterise(strokes, (6, 6), engine=engine, check=False)
    assert ink[1].isnan().all()
    assert not ink[[0, 2]].isnan().any()


@every
def test_a_stroke_too_thin_for_any_pixel_leaves_the_gradients_of_the_others_alone(engine: str) -> None:
    # Between two rows of pixels such a stroke has no row of its own, and what it has none of must not be counted.
    generator = torch.Generator().manual_seed(5)
    between = torch.tensor([[-0.9, 0.25], [0.9, 0.25]]).expand(3, 9, 2, 2)
    felt = torch.rand(3, 4, 2, 2, generator=generator) * 1.6 - 0.8
    points = torch.cat([between[:, :5], felt, between[:, 5:]], dim=1)  # [3, 13, 2, 2]
    sigma2 = torch.full((3, 13), 1e-8)
    sigma2[:, 5:9] = 0.02
    wanted = torch.rand(3, 8, 8, generator=generator)
    gradients = []
    for name in (engine, "reference"):
        moved = points.clone().requires_grad_()
        ink = rasterise(Strokes(moved, sigma2=sigma2), (8, 8), compose="over", engine=name)
        gradients.append(torch.autograd.grad((ink * wanted).sum(), moved)[0])
    assert torch.allclose(*gradients, atol=1e-5)
