import io
import re

import numpy as np
import pytest
import resvg_py
import torch
from PIL import Image

from raster import InputError, Strokes, rasterise, to_svg


def some(seed: int = 0, n: int = 4) -> Strokes:
    return Strokes(torch.rand(n, 2, 2, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8)


def rendered(svg: str) -> torch.Tensor:
    """Ink by another renderer: black on white becomes 1 on 0."""
    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("L")
    return 1 - torch.from_numpy(np.asarray(picture, dtype=np.float32)) / 255


@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
@pytest.mark.parametrize("seed", range(3))
def test_the_picture_matches_the_raster(size: tuple[int, int], seed: int) -> None:
    # Soft edges against hard ones: the total within 12 %, a pixel 0.03 off on average, everything in its place.
    strokes, sigma2 = some(seed), 3e-3
    ink, other = rasterise(strokes, size, sigma2=sigma2), rendered(to_svg(strokes, size, sigma2))
    assert other.shape == ink.shape
    assert abs(float(other.sum() / ink.sum()) - 1) < 0.12
    assert float((ink - other).abs().mean()) < 0.03
    correlation = torch.corrcoef(torch.stack([ink.flatten(), other.flatten()]))[0, 1]
    assert float(correlation) > 0.95
    for mirrored in (other.flip(0), other.flip(1), other.flip(0, 1)):
        assert float((ink - mirrored).abs().mean()) > 2 * float((ink - other).abs().mean())


def test_a_zero_length_stroke_is_a_dot() -> None:
    assert rendered(to_svg(Strokes(torch.zeros(1, 2, 2)), (32, 32), 0.05)).sum() > 10


def test_one_path_a_stroke_in_the_order_of_drawing() -> None:
    strokes = some(n=5)
    starts = [float(x) for x in re.findall(r'd="M(\S+) ', to_svg(strokes, (64, 64)))]
    assert starts == pytest.approx(strokes.points[:, 0, 0].tolist(), abs=1e-6)


def test_what_is_no_sketch_is_refused() -> None:
    with pytest.raises(InputError, match="batch"):
        to_svg(Strokes(torch.zeros(2, 3, 2, 2)), (8, 8))
    with pytest.raises(InputError, match="stroke 1"):
        to_svg(Strokes(torch.tensor([[[0.0, 0], [0, 0]], [[0, torch.nan], [0, 0]]])), (8, 8))
    with pytest.raises(InputError, match="sigma2"):
        to_svg(some(), (8, 8), 0.0)
