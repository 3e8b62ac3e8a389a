"""Likeness against a slow, obvious reference, and its properties."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perception import likeness
from raster.errors import InputError


def features(seed: int, batch: int, shapes: list[tuple[int, int, int]]) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, *shape, generator=draw, dtype=torch.float64) for shape in shapes]


def obvious(sketch: list[torch.Tensor], photo: list[torch.Tensor], weights: list[float]) -> list[float]:
    """The formula place by place, in Python numbers."""
    answers = []
    for game in range(len(sketch[0])):
        total = 0.0
        for a, b, weight in zip(sketch, photo, weights, strict=True):
            _, channels, height, width = a.shape
            level = 0.0
            for y in range(height):
                for x in range(width):
                    one, other = a[game, :, y, x].tolist(), b[game, :, y, x].tolist()
                    long_one = math.sqrt(sum(v * v for v in one) + 1e-10)
                    long_other = math.sqrt(sum(v * v for v in other) + 1e-10)
                    level += sum((one[c] / long_one - other[c] / long_other) ** 2 for c in range(channels))
            total += weight * level / (height * width)
        answers.append(total)
    return answers


SHAPES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3)


@settings(max_examples=30, deadline=None)
@given(shapes=SHAPES, batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_likeness_is_the_formula_of_learning_to_draw(shapes: list[tuple[int, int, int]], batch: int, seed: int) -> None:
    sketch, photo = features(seed, batch, shapes), features(seed + 100, batch, shapes)
    weights = [0.5 + i for i in range(len(shapes))]
    assert likeness(sketch, photo, weights).tolist() == pytest.approx(obvious(sketch, photo, weights))


def test_equal_directions_are_wholly_alike_and_opposite_ones_least() -> None:
    seen = features(0, 2, [(3, 2, 2)])
    assert likeness(seen, [7 * f for f in seen], [1.0]).tolist() == pytest.approx([0, 0], abs=1e-8)
    assert likeness(seen, [-f for f in seen], [1.0]).tolist() == pytest.approx([4, 4])


def test_each_game_is_judged_alone() -> None:
    sketch, photo = features(1, 3, [(3, 2, 2)]), features(2, 3, [(3, 2, 2)])
    alone = [likeness([sketch[0][i : i + 1]], [photo[0][i : i + 1]], [2.0]) for i in range(3)]
    torch.testing.assert_close(likeness(sketch, photo, [2.0]), torch.cat(alone))


def test_gradients_are_right_in_float64() -> None:
    sketch, photo = features(3, 2, [(3, 2, 2), (2, 1, 3)]), features(4, 2, [(3, 2, 2), (2, 1, 3)])
    leaves = tuple(f.requires_grad_() for f in (*sketch, *photo))
    assert torch.autograd.gradcheck(lambda a, b, c, d: likeness([a, b], [c, d], [1.0, 0.3]), leaves)


def test_blank_features_give_finite_values_and_gradients() -> None:
    blank = torch.zeros(1, 3, 2, 2, requires_grad=True)
    value = likeness([blank], [torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))], [1.0])
    value.sum().backward()
    assert bool(value.isfinite().all())
    assert blank.grad is not None and bool(blank.grad.isfinite().all())


def test_levels_and_weights_must_match() -> None:
    level = features(0, 1, [(2, 1, 1)])
    with pytest.raises(InputError, match="1 levels of the sketch, 1 of the photo, 2 weights"):
        likeness(level, level, [1.0, 2.0])
    with pytest.raises(InputError, match="one weight for each level"):
        likeness([], [], [])
