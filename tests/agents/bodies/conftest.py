"""Bodies of every reach, and drawings of every kind, tame and wild."""

from collections.abc import Callable

import pytest
import torch

from agents.bodies import Arm, Body, Page, Pen, Rectangle
from raster import Strokes

KINDS = {"point": 1, "line": 2, "polyline": 5, "quadratic": 3, "cubic": 7, "catmull-rom": 6}
PENS = (
    Pen(name="black", width=0.5),
    Pen(name="red", width=0.8, colour="#cc0000"),
    Pen(name="broad red", width=1.6, colour="#cc0000"),
    Pen(name="pale blue", width=0.5, colour="#8080ff", opacity=0.5),
)
BODIES = {
    "page": Body(pens=PENS, home=(0, 0)),
    "rectangle": Body(reach=Rectangle(left=30, top=20, width=50, height=60), shortest=4),
    "disc": Body(page=Page(width=200, height=150), reach=Arm(x=60, y=75, outer=60), shortest=2),
    "arm beside": Body(page=Page(width=200, height=150), reach=Arm(x=100, y=170, inner=60, outer=150), shortest=3),
    "arm within": Body(page=Page(width=200, height=200), reach=Arm(x=100, y=100, inner=25, outer=90), pens=PENS),
}


@pytest.fixture(params=BODIES)
def body(request: pytest.FixtureRequest) -> Body:
    """One body after another."""
    return BODIES[request.param]


@pytest.fixture
def wild() -> Callable[..., Strokes]:
    """Random drawings [B, N]: on the canvas, far outside, without length, hair-fine, level, at one place."""

    def make(kind: str, drawings: int, strokes: int = 6, seed: int = 0, dtype: torch.dtype = torch.float32) -> Strokes:
        generator = torch.Generator().manual_seed(seed)
        points = torch.rand(drawings, strokes, KINDS[kind], 2, generator=generator, dtype=dtype) * 2 - 1
        points[0::8] *= 4
        points[1::8] *= 1e3
        points[2::8] = points[2::8, :, :1]
        points[3::8] *= 1e-3
        points[4::8, ..., 1] = 0
        points[5::8, :2] = 0
        return Strokes(points, kind)

    return make
