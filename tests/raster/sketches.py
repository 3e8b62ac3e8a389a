"""Sketches of every kind, for tests of what is written to files and read back."""

import torch
from hypothesis import strategies as st

from raster import Strokes

#: How many control points a stroke of each kind may have here.
POINTS = {
    "point": [1],
    "line": [2],
    "polyline": [2, 3, 6],
    "quadratic": [3],
    "cubic": [4, 7, 13],
    "catmull-rom": [4, 5, 8],
}
#: Many coordinates fall together: points of no extent, doubled knots, closed curves.
coordinates = st.one_of(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), st.floats(-1.5, 1.5, width=32))


@st.composite
def sketches(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(POINTS), least: int = 0, most: int = 4) -> Strokes:
    """One sketch of a kind and number of strokes, with control points anywhere and nothing else."""
    kind = draw(st.sampled_from(kinds))
    shape = draw(st.integers(least, most)), draw(st.sampled_from(POINTS[kind])), 2
    size = shape[0] * shape[1] * 2
    values = draw(st.lists(coordinates, min_size=size, max_size=size))
    knots = draw(st.sampled_from(["uniform", "centripetal", "chordal"])) if kind == "catmull-rom" else "centripetal"
    return Strokes(torch.tensor(values, dtype=torch.float32).reshape(shape), kind, knots=knots)


def numbers(n: int, low: float, high: float) -> st.SearchStrategy[torch.Tensor]:
    """One number a stroke."""
    return st.lists(st.floats(low, high), min_size=n, max_size=n).map(lambda each: torch.tensor(each).float())


def some(kind: str, seed: int, n: int = 3, pixels: float = 3.0, size: tuple[int, int] = (24, 32)) -> Strokes:
    """Strokes ``pixels`` wide all over a canvas."""
    generator = torch.Generator().manual_seed(seed)
    half = torch.tensor([size[1], size[0]], dtype=torch.float64) / min(size)
    points = torch.rand(n, POINTS[kind][-1], 2, generator=generator, dtype=torch.float64) * 1.8 - 0.9
    return Strokes(points * half, kind, width=torch.full((n,), pixels * 2 / min(size), dtype=torch.float64))
