import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import resvg_py
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from raster import InputError, Strokes, rasterise, to_svg
from tests.raster.sketches import POINTS, sketches, some

SIZE = (24, 32)


def rendered(svg: str) -> torch.Tensor:
    """The picture that another renderer makes, on white, [3, h, w] in [0, 1]."""
    png = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff")
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGB")
    return torch.from_numpy(np.array(picture, dtype=np.float64)).permute(2, 0, 1) / 255


def ink_of(svg: str) -> torch.Tensor:
    """Black on white as 1 on 0."""
    return 1 - rendered(svg)[0]


def edges(strokes: Strokes, **how: object) -> torch.Tensor:
    """The raster with hard edges, antialiased as another renderer does it: from 4 x 4 samples a pixel."""
    fine = rasterise(strokes, [4 * side for side in SIZE], response="hard", engine="reference", tolerance=0.3, **how)
    return torch.nn.functional.avg_pool2d(fine[None] if fine.ndim == 3 else fine[None, None], 4)[0]


@pytest.mark.parametrize("pixels", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("kind", POINTS)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=3)
def test_the_picture_has_the_rasters_half_ink_contour(kind: str, pixels: float, seed: int) -> None:
    """More than a pixel from the contour at which ink is 1/2, another renderer and the raster agree on every pixel."""
    strokes = some(kind, seed, pixels=pixels)
    other = ink_of(to_svg(strokes, SIZE))
    # "max" is ink as a viewer has it: where two soft edges meet, a soft "or" is darker than either.
    drawn = {
        response: rasterise(strokes, SIZE, compose="max", response=response, engine="reference", reach="all")
        for response in ("gaussian", "linear")
    }
    distance = (-drawn["gaussian"].log()).sqrt() * pixels / (2 * math.sqrt(math.log(2)))  # pixels
    far = (distance - pixels / 2).abs() > 1
    for ink in drawn.values():
        assert torch.equal((ink > 0.5)[far], (other > 0.5)[far])


@pytest.mark.parametrize("pixels", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("kind", POINTS)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=2)
def test_the_picture_has_the_rasters_ink(kind: str, pixels: float, seed: int) -> None:
    """With hard edges the mean difference of ink is below 0.04 (0.021 was the largest seen)."""
    strokes = some(kind, seed, pixels=pixels)
    assert float((edges(strokes) - ink_of(to_svg(strokes, SIZE))).abs().mean()) < 0.04


@pytest.mark.parametrize("kind", POINTS)
@given(seed=st.integers(0, 10**6), paper=st.sampled_from([0.0, 0.4, 1.0]))
@settings(max_examples=3)
def test_colours_and_opacities_cover_each_other_as_over_does(kind: str, seed: int, paper: float) -> None:
    """On the paper asked for, with hard edges, a channel is off by less than 0.02 on average (0.008 the most seen)."""
    generator = torch.Generator().manual_seed(seed)
    strokes = replace(
        some(kind, seed),
        colour=torch.rand(3, 4, generator=generator).double(),
        opacity=torch.rand(3, generator=generator).double(),
        presence=torch.tensor([0.5, 1.0, 0.0]).double(),
    )
    mine = edges(strokes, compose="over", background=paper)
    assert float((mine - rendered(to_svg(strokes, SIZE, paper=paper))).abs().mean((1, 2)).max()) < 0.02


@given(seed=st.integers(0, 10**6), size=st.sampled_from([(64, 64), (48, 96)]))
@settings(max_examples=6)
def test_the_picture_matches_the_soft_raster(seed: int, size: tuple[int, int]) -> None:
    """Soft edges against hard ones: four lines of 3.6 pixels differ by less than 0.05 a pixel on average."""
    points = torch.rand(4, 2, 2, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8
    strokes, sigma2 = Strokes(points), 3e-3
    ink = rasterise(strokes, size, sigma2=sigma2, engine="reference")
    other = ink_of(to_svg(strokes, size, sigma2))
    assert other.shape == ink.shape
    assert float((ink - other).abs().mean()) < 0.05
    assert abs(float(other.sum() / ink.sum()) - 1) < 0.25


def test_the_picture_is_neither_mirrored_nor_turned() -> None:
    strokes = Strokes(torch.tensor([[[-0.8, -0.6], [0.2, -0.6]], [[0.2, -0.6], [0.2, 0.1]]]))
    ink, other = rasterise(strokes, (48, 48), engine="reference"), ink_of(to_svg(strokes, (48, 48)))
    for turned in (other.flip(0), other.flip(1), other.flip(0, 1), other.T):
        assert float((ink - turned).abs().mean()) > 3 * float((ink - other).abs().mean())


@given(sketches(kinds=("point", "line", "polyline", "quadratic", "cubic"), least=1, most=1))
@settings(max_examples=15)
@example(Strokes(torch.zeros(1, 2, 2)))
@example(Strokes(torch.zeros(1, 7, 2), "cubic"))
def test_a_stroke_of_no_length_is_a_dot(strokes: Strokes) -> None:
    still = replace(strokes, points=strokes.points[:, :1].clamp(-0.5, 0.5).expand_as(strokes.points))
    dot = math.pi * (16 * math.sqrt(0.05 * math.log(2))) ** 2  # pixels, from the width at half the ink
    assert float(ink_of(to_svg(still, (32, 32), 0.05)).sum()) == pytest.approx(dot, rel=0.05)


@given(sketches(), st.data())
@settings(max_examples=25)
def test_one_path_a_stroke_in_the_order_of_drawing(strokes: Strokes, data: st.DataObject) -> None:
    """Those of presence 0 are left out; a path begins where the stroke does."""
    presence = torch.tensor(data.draw(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=4, max_size=4)))
    there = presence[: strokes.count] > 0
    svg = to_svg(replace(strokes, presence=presence[: strokes.count]), (64, 64))
    starts = [[float(x), float(y)] for x, y in re.findall(r' d="M(\S+) ([^LQC"]+)', svg)]
    first = strokes.points[there][:, 1 if strokes.kind == "catmull-rom" else 0]
    assert torch.tensor(starts).reshape(-1, 2).numpy() == pytest.approx(first.numpy(), abs=1e-6)
    assert svg.count("<path") == int(there.sum())
    assert len(re.findall(r'stroke-linecap="round" stroke-linejoin="round"', svg)) == 1


@given(width=st.floats(1e-6, 10), sigma2=st.floats(1e-9, 1))
@settings(max_examples=25)
def test_widths_are_those_at_half_the_ink(width: float, sigma2: float) -> None:
    line = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]] * 2)

    def written(strokes: Strokes, argument: float | torch.Tensor = sigma2) -> list[float]:
        return [float(each) for each in re.findall(r'stroke-width="(\S+)"', to_svg(strokes, (8, 8), argument))]

    half = 2 * math.sqrt(sigma2 * math.log(2))
    each = torch.tensor([sigma2, 1.5])
    assert written(Strokes(line)) == [pytest.approx(half, rel=1e-5)]
    assert written(Strokes(line, sigma2=torch.tensor(sigma2)), 1.0) == [pytest.approx(half, rel=1e-5)]
    assert written(Strokes(line, width=torch.tensor(width))) == [pytest.approx(width, rel=1e-5)]
    assert written(Strokes(line), each) == written(Strokes(line, sigma2=each))


def test_paper_is_what_was_asked_for() -> None:
    empty = Strokes(torch.zeros(0, 2, 2))
    assert bool((rendered(to_svg(empty, (4, 6))) == 1).all())
    assert rendered(to_svg(empty, (4, 6), paper=(1.0, 0.0, 0.2)))[:, 3, 5].tolist() == pytest.approx([1, 0, 0.2])
    assert "<rect" not in to_svg(empty, (4, 6), paper=None)


@pytest.mark.parametrize(
    ("strokes", "how", "match"),
    [
        (Strokes(torch.zeros(2, 3, 2, 2)), {}, "batch"),
        (Strokes(torch.zeros(3, 2, 3)), {}, "3 coordinates"),
        (Strokes(torch.tensor([[[0.0, 0], [0, 0]], [[0, torch.nan], [0, 0]]])), {}, "stroke 1"),
        (Strokes(torch.zeros(1, 2, 2)), {"sigma2": 0.0}, "sigma2"),
        (Strokes(torch.zeros(1, 2, 2)), {"sigma2": torch.tensor([1.0, 2.0, 3.0])}, "sigma2 does not fit"),
        (Strokes(torch.zeros(1, 2, 2)), {"size": (0, 3)}, "0 x 3"),
        (Strokes(torch.zeros(1, 2, 2)), {"paper": 2.0}, "paper"),
        (Strokes(torch.zeros(1, 2, 2)), {"paper": (0.0, 0.0)}, "paper"),
        (Strokes(torch.zeros(1, 2, 2), opacity=torch.tensor(1.5)), {}, "opacity of 1.5"),
    ],
)
def test_what_is_no_sketch_is_refused(strokes: Strokes, how: dict[str, object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        to_svg(strokes, **{"size": (8, 8), **how})
