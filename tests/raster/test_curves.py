"""Curves as polylines: how far from the curve, how many pieces, and gradients where points coincide."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import Strokes, rasterise
from raster.curves import FIXED, flatten, pieces_for, steps_for, to_bezier
from raster.drawing import to_pixels
from tests.raster import oracle

CURVES = {"quadratic": 3, "cubic": 4, "catmull-rom": 5}
SEEDS = st.integers(0, 10**6)


def curve(kind: str, seed: int, *batch: int, points: int | None = None) -> Strokes:
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch, points or CURVES[kind], 2)
    return Strokes(torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1, kind)


@settings(max_examples=8)
@given(SEEDS, st.sampled_from(sorted(CURVES)), st.sampled_from([24, 48]), st.sampled_from([5e-4, 4e-3]))
def test_ink_is_off_by_at_most_three_hundredths_anywhere(seed: int, kind: str, size: int, sigma2: float) -> None:
    strokes = curve(kind, seed, 1)
    exact = oracle.ink(to_bezier(strokes), (size, size), sigma2)
    drawn = rasterise(strokes, (size, size), sigma2=sigma2, engine="reference")
    assert (drawn - exact).abs().max() <= 0.03


@settings(max_examples=10)
@given(SEEDS, st.sampled_from(sorted(CURVES)), st.sampled_from([0.5, 0.1, 0.02]))
def test_no_chord_strays_further_than_the_tolerance(seed: int, kind: str, tolerance: float) -> None:
    strokes, short = curve(kind, seed, 1), 100
    vertices = to_pixels(flatten(strokes, *steps_for(strokes, 1.0, short, tolerance)), (short, short))[0]
    for control in to_pixels(to_bezier(strokes), (short, short))[0]:
        samples = torch.from_numpy(oracle.bezier(control.numpy(), np.linspace(0, 1, 200)))  # [200 2]
        a, b = vertices[:-1], vertices[1:]
        along = b - a
        t = ((samples[:, None] - a) * along).sum(-1) / along.square().sum(-1)
        nearest = a + t.clamp(0, 1)[..., None] * along
        assert (samples[:, None] - nearest).norm(dim=-1).amin(1).max() <= tolerance


def test_a_wider_line_and_a_gentler_curve_need_fewer_pieces() -> None:
    wild = curve("cubic", 0, 3)
    gentle = Strokes(torch.tensor([[[-0.9, 0.0], [-0.3, 0.02], [0.3, -0.02], [0.9, 0.0]]]), "cubic")
    most, each = pieces_for(wild, 1.0, 128, None)
    assert each is not None
    assert most > pieces_for(wild, 10.0, 128, None)[0]
    assert most > pieces_for(gentle, 1.0, 128, None)[0]
    assert most == each.max()
    assert (each % 4 == 0).all()


@given(SEEDS, st.sampled_from(["quadratic", "cubic"]))
def test_a_curve_has_no_more_pieces_than_equal_steps_would_need_and_repeats_its_end(seed: int, kind: str) -> None:
    strokes = curve(kind, seed, 3)
    _, equal = pieces_for(strokes, 1.0, 100, 0.1)
    most, steps = steps_for(strokes, 1.0, 100, 0.1)
    assert equal is not None
    assert steps is not None
    counts = (steps < 1).sum(-1)
    assert counts.max() == most
    assert (counts <= equal).all()
    assert (steps.diff() >= 0).all()
    assert (steps[..., 0] == 0).all()
    assert (steps[..., -1] == 1).all()
    vertices = flatten(strokes, most, steps)
    for n, pieces in enumerate(counts.tolist()):
        assert torch.allclose(vertices[n, pieces:], strokes.points[n, -1].expand(most + 1 - pieces, 2))


def test_pieces_are_where_a_curve_turns_and_some_forty_per_cent_fewer() -> None:
    strokes = curve("cubic", 1, 400)
    _, equal = pieces_for(strokes, 1.4, 128, None)
    _, steps = steps_for(strokes, 1.4, 128, None)
    assert equal is not None
    assert steps is not None
    assert (steps < 1).sum() < 0.65 * equal.sum()
    hook = Strokes(torch.tensor([[[-0.9, 0.0], [-0.3, 0.0], [0.3, 0.0], [0.9, 0.6]]]), "cubic")  # it turns at its end
    _, steps = steps_for(hook, 1.4, 128, None)
    assert steps is not None
    assert steps[0].diff()[-1] < 0.7 * steps[0].diff()[0]  # where it turns they are shorter


def test_a_cusp_and_curves_without_length_have_steps() -> None:
    cusp = [[-0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [0.5, -0.5]]
    there_and_back = [[-0.5, 0.0], [0.5, 0.0], [0.5, 0.0], [-0.5, 0.0]]
    strokes = Strokes(torch.tensor([cusp, there_and_back, [[0.2, 0.2]] * 4], dtype=torch.float64), "cubic")
    most, steps = steps_for(strokes, 1.0, 100, 0.02)
    assert steps is not None
    vertices = flatten(strokes, most, steps)
    assert torch.isfinite(vertices).all()
    for n in range(3):
        exact = flatten(strokes.select([n]), 1024)[0]
        # Each vertex of the fine polyline is near the coarse one.
        a, b = vertices[n, :-1], vertices[n, 1:]
        along = b - a
        t = ((exact[:, None] - a) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-20)
        nearest = a + t.clamp(0, 1)[..., None] * along
        assert (exact[:, None] - nearest).norm(dim=-1).amin(1).max() * 50 <= 0.02


def test_without_numba_a_curve_has_equal_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    strokes = curve("cubic", 0, 3)
    monkeypatch.setattr("raster.engines.NUMBA", False)
    assert steps_for(strokes, 1.0, 64, None) == (pieces_for(strokes, 1.0, 64, None)[0], None)


@pytest.mark.parametrize("kind", ["point", "line", "polyline"])
def test_what_is_straight_is_left_as_it_is(kind: str) -> None:
    strokes = Strokes(torch.rand(2, 3, {"point": 1, "line": 2, "polyline": 5}[kind], 2), kind)
    assert flatten(strokes, *pieces_for(strokes, 1.0, 64, None)) is strokes.points


def test_counts_that_cannot_be_read_are_fixed() -> None:
    meta = Strokes(torch.empty(2, 3, 4, 2, device="meta"), "cubic")
    assert pieces_for(meta, 1.0, 64, None)[0] == FIXED
    mapped: list[int] = []

    def count(points: torch.Tensor) -> torch.Tensor:
        mapped.append(pieces_for(Strokes(points, "cubic"), 1.0, 64, None)[0])
        return points

    torch.vmap(count)(torch.rand(2, 3, 4, 2))
    assert mapped == [FIXED]


@given(SEEDS, st.integers(1, 3))
def test_a_chain_of_cubics_is_its_cubics(seed: int, links: int) -> None:
    strokes = curve("cubic", seed, 2, points=3 * links + 1)
    vertices = flatten(strokes, 8)
    assert vertices.shape == (2, 8 * links + 1, 2)
    for link in range(links):
        alone = flatten(Strokes(strokes.points[:, 3 * link : 3 * link + 4], "cubic"), 8)
        assert torch.allclose(vertices[:, 8 * link : 8 * link + 9], alone)


def barry_goldman(p: np.ndarray, power: float, u: float) -> np.ndarray:
    """A Catmull-Rom spline between p[1] and p[2] by its pyramid of linear interpolations, u in [0, 1]."""
    t = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=-1) ** power)])
    at = t[1] + u * (t[2] - t[1])

    def mix(a: np.ndarray, b: np.ndarray, i: int, j: int) -> np.ndarray:
        return (t[j] - at) / (t[j] - t[i]) * a + (at - t[i]) / (t[j] - t[i]) * b

    first = [mix(p[i], p[i + 1], i, i + 1) for i in range(3)]
    second = [mix(first[i], first[i + 1], i, i + 2) for i in range(2)]
    return mix(second[0], second[1], 1, 2)


@given(SEEDS, st.sampled_from([("uniform", 0.0), ("centripetal", 0.5), ("chordal", 1.0)]))
def test_a_catmull_rom_spline_is_barry_and_goldmans(seed: int, knots: tuple[str, float]) -> None:
    name, power = knots
    points = curve("catmull-rom", seed, 1).points
    vertices = flatten(Strokes(points, "catmull-rom", knots=name), 4)[0]  # two pieces of 4
    expected = [barry_goldman(points[0, i : i + 4].numpy(), power, u / 4) for i in range(2) for u in range(4)]
    assert np.allclose(vertices[:-1].numpy(), np.stack(expected), atol=1e-4)
    assert torch.allclose(vertices[-1], points[0, 3])


@pytest.mark.parametrize("knots", ["uniform", "centripetal", "chordal"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "which", [[0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2], [0, 0, 0, 0], [0, 1, 0, 1]], ids=lambda w: "".join(map(str, w))
)
def test_coincident_points_have_a_spline_and_a_gradient(which: list[int], dtype: torch.dtype, knots: str) -> None:
    points = torch.tensor([[-0.5, 0.1], [0.4, 0.3], [0.2, -0.6]], dtype=dtype)[which][None].requires_grad_()
    ink = rasterise(Strokes(points, "catmull-rom", knots=knots), (16, 16), sigma2=0.01, engine="reference")
    ink.sum().backward()
    assert torch.isfinite(ink).all()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()
    assert points.grad.abs().max() < 1e4


@pytest.mark.parametrize("kind", sorted(CURVES))
def test_the_gradient_of_a_curve_is_exact(kind: str) -> None:
    strokes = curve(kind, 3, 2)

    def draw(points: torch.Tensor) -> torch.Tensor:
        return rasterise(Strokes(points, kind), (6, 7), sigma2=0.05, tolerance=0.3, engine="reference")

    assert torch.autograd.gradcheck(draw, (strokes.points.requires_grad_(),))


def test_curves_of_any_size_have_a_bounded_number_of_pieces() -> None:
    for scale in (1e3, 1e30, math.inf, math.nan):
        strokes = Strokes(torch.tensor([[[0.0, 0], [1, 1], [0, 1], [1, 0]]]) * scale, "cubic")
        assert 1 <= pieces_for(strokes, 1.0, 64, None)[0] <= 1024
