"""What a canvas shows, whichever engine draws it; and the reference's gradient."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import CanvasConfig, InputError, Strokes, engine_for, rasterise
from raster.drawing import to_pixels

ENGINES = ("reference", "tile", "cpu")
every = pytest.mark.parametrize("engine", ENGINES)


def line(*ends: float, dtype: torch.dtype = torch.float32) -> Strokes:
    return Strokes(torch.tensor(ends, dtype=dtype).reshape(-1, 2, 2))


def by_hand(strokes: Strokes, height: int, width: int, sigma2: float) -> torch.Tensor:
    """The definition, pixel by pixel, in Python numbers and canvas units."""
    short = min(height, width)
    canvas = torch.zeros(height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            x, y = (column + 0.5) * 2 / short - width / short, (row + 0.5) * 2 / short - height / short
            left = 1.0
            for (ax, ay), (bx, by) in strokes.points.tolist():
                dx, dy = bx - ax, by - ay
                square = dx * dx + dy * dy
                t = min(max(((x - ax) * dx + (y - ay) * dy) / square, 0.0), 1.0) if square else 0.0
                left *= 1 - math.exp(-((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2) / sigma2)
            canvas[row, column] = 1 - left
    return canvas


@every
@pytest.mark.parametrize("size", [(7, 7), (5, 9), (9, 4), (1, 1), (1, 6)])
def test_a_canvas_is_what_the_definition_says(engine: str, size: tuple[int, int]) -> None:
    strokes = line(-0.8, -0.3, 0.6, 0.9, 0.1, 0.2, 0.1, 0.2, -1.5, 0.4, 1.5, 0.4, 0.3, -2.0, 0.3, 2.0)
    ink = rasterise(strokes, size, sigma2=0.03, engine=engine)
    assert torch.allclose(ink.double(), by_hand(strokes, *size, 0.03), atol=2e-6)


def test_x_is_right_y_is_down_and_the_edges_are_at_one() -> None:
    ink = rasterise(line(0.75, -0.25, 0.75, -0.25), (4, 4), sigma2=1e-3)
    assert [int(i) for i in ink.nonzero()[0]] == [1, 3]
    corners = to_pixels(torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]), (4, 4))
    assert corners.tolist() == [[-0.5, -0.5], [3.5, 3.5], [1.5, 1.5]]


@every
@pytest.mark.parametrize("batch", [(), (2,), (2, 3), (0,)])
def test_any_leading_dimensions(engine: str, batch: tuple[int, ...]) -> None:
    points = torch.rand(*batch, 3, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ink = rasterise(Strokes(points), (6, 8), sigma2=0.02, engine=engine)
    assert ink.shape == (*batch, 6, 8)
    if batch == (2, 3):
        assert torch.equal(ink[1, 2], rasterise(Strokes(points[1, 2]), (6, 8), sigma2=0.02, engine=engine))


@every
def test_no_strokes_leave_paper(engine: str) -> None:
    points = torch.zeros(2, 0, 2, 2, requires_grad=True)
    ink = rasterise(Strokes(points), (5, 5), engine=engine)
    assert torch.equal(ink, torch.zeros(2, 5, 5))
    ink.sum().backward()


@every
@pytest.mark.parametrize("compose", ["softor", "over", "max", "sum"])
@pytest.mark.parametrize("sigma2", [1e-8, 5e-4, 10.0])
@pytest.mark.parametrize(
    "ends",
    [
        (0.25, 0.25, 0.25, 0.25),
        (-0.75, 0.25, 0.75, 0.25) * 7,
        (3.0, 3.0, 5.0, 4.0),
        (-1e30, 1.0, 1e30, -1.0),
        (1e19, 1e19, 1e19, 1e19),
        (0.25, 0.25, 0.25, 0.25 + 1e-7),
    ],
    ids=["point", "seven in one place", "outside", "endless", "far point", "nearly a point"],
)
def test_strange_strokes_give_finite_ink_and_gradients(
    engine: str, compose: str, sigma2: float, ends: tuple[float, ...]
) -> None:
    points = line(*ends).points.requires_grad_()
    ink = rasterise(Strokes(points), (8, 8), sigma2=sigma2, compose=compose, engine=engine)
    ink.sum().backward()
    assert ((ink >= 0) & (ink <= (7 if compose == "sum" else 1))).all()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_the_gradient_of_the_reference_is_exact() -> None:
    generator = torch.Generator().manual_seed(1)
    points = (torch.rand(2, 4, 2, 2, dtype=torch.float64, generator=generator) * 2.4 - 1.2).requires_grad_()
    sigma2 = torch.full((2, 4), 0.05, dtype=torch.float64, requires_grad=True)

    def draw(p: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return rasterise(Strokes(p), (5, 7), sigma2=s, engine="reference")

    assert torch.autograd.gradcheck(draw, (points, sigma2))


def test_a_zero_length_line_moves_towards_ink_that_is_wanted() -> None:
    points = torch.zeros(1, 2, 2, dtype=torch.float64, requires_grad=True)
    wanted = rasterise(line(0.2, 0.1, 0.2, 0.1, dtype=torch.float64), (9, 9), sigma2=0.1)
    (rasterise(Strokes(points), (9, 9), sigma2=0.1) - wanted).square().sum().backward()
    assert points.grad is not None
    assert (points.grad.sum((0, 1)) < 0).all()


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_coordinate_that_is_no_number_shows_in_its_canvas_only(engine: str, bad: float) -> None:
    points = torch.zeros(3, 2, 2, 2)
    points[1, 0, 1, 0] = bad
    with pytest.raises(InputError, match="sketch 1, stroke 0, point 1, x"):
        rasterise(Strokes(points), (6, 6), engine=engine)
    ink = rasterise(Strokes(points), (6, 6), engine=engine, check=False)
    assert ink[1].isnan().all()
    assert not ink[[0, 2]].isnan().any()


@pytest.mark.parametrize("sigma2", [0, 0.0, -1.0, math.nan, math.inf])
def test_ink_without_width_is_refused(sigma2: float) -> None:
    with pytest.raises(InputError, match="sigma2"):
        rasterise(line(0, 0, 1, 1), (8, 8), sigma2=sigma2)


def test_a_wrong_request_is_named() -> None:
    strokes = line(0, 0, 1, 1)
    with pytest.raises(InputError, match="0 x 8 pixels"):
        rasterise(strokes, (0, 8))
    with pytest.raises(InputError, match=r"composition 'under'.*softor"):
        rasterise(strokes, (8, 8), compose="under")
    with pytest.raises(InputError, match=r"response 'soft'.*gaussian"):
        rasterise(strokes, (8, 8), response="soft")
    with pytest.raises(InputError, match=r"tolerance of 0"):
        rasterise(strokes, (8, 8), tolerance=0)
    with pytest.raises(InputError, match=r"'cuda'.*auto"):
        rasterise(strokes, (8, 8), engine="cuda")
    with pytest.raises(InputError, match="float64"):
        rasterise(strokes.to(torch.float64), (8, 8), engine="cpu")
    with pytest.raises(InputError, match=r"\[3\] against \[1\]"):
        rasterise(strokes, (8, 8), sigma2=torch.ones(3))
    with pytest.raises(InputError, match=r"sigma2 of 0\.0 \(index \[0\]\)"):
        rasterise(strokes, (8, 8), sigma2=torch.zeros(1))


@settings(deadline=None, max_examples=20)
@given(st.floats(1e-3, 1.0), st.floats(1.01, 5.0))
def test_a_larger_sigma2_never_gives_less_ink(sigma2: float, factor: float) -> None:
    strokes = line(-0.5, 0.2, 0.7, -0.4)
    thin, thick = (rasterise(strokes, (8, 8), sigma2=value) for value in (sigma2, sigma2 * factor))
    assert (thick >= thin - 1e-5).all()
    assert thick.sum() > thin.sum()


def test_a_canvas_draws_with_the_sigma2_of_the_step() -> None:
    canvas = CanvasConfig.model_validate({"size": 8, "sigma2": {"from": 0.1, "to": 0.01, "over": 10}})
    strokes = line(-0.5, 0.2, 0.7, -0.4)
    assert torch.equal(canvas.draw(strokes, 0), rasterise(strokes, (8, 8), sigma2=0.1))
    assert torch.equal(canvas.draw(strokes, 99), rasterise(strokes, (8, 8), sigma2=0.01))
    assert canvas.draw(strokes, 0).sum() > canvas.draw(strokes, 5).sum() > canvas.draw(strokes, 10).sum()


def test_half_precision_is_drawn_in_float32() -> None:
    strokes = line(-0.5, 0.25, 0.75, -0.5)
    for dtype in (torch.float16, torch.bfloat16):
        ink = rasterise(strokes.to(dtype), (8, 8))
        assert ink.dtype == torch.float32
        assert torch.equal(ink, rasterise(strokes, (8, 8)))


def test_the_choice_of_engine_is_told() -> None:
    assert engine_for("cpu", torch.float32).name == "cpu"
    assert "float64" in engine_for("cpu", torch.float64).why
    assert engine_for("cpu", torch.float64).name == "tile"
    assert engine_for("cuda", torch.float32).name == "gpu"
    assert "float64" in engine_for("cuda", torch.float64).why
    assert engine_for("mps", torch.float32).name == "tile"
    assert "no kernels for mps" in engine_for("mps", torch.float32).why
    assert engine_for("cpu", torch.float32, dimensions=3).name == "reference"
    assert engine_for("cpu", torch.float32, "reference").why == "asked for"


def test_without_its_compiler_an_engine_leaves_the_drawing_to_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raster.engines.NUMBA", False)
    monkeypatch.setattr("raster.engines._TRITON", False)
    for device, compiler in (("cpu", "numba"), ("cuda", "Triton")):
        assert engine_for(device, torch.float32).name == "tile"
        assert compiler in engine_for(device, torch.float32).why


def test_importing_the_room_does_not_import_numba() -> None:
    code = "import sys, raster; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
