"""The toys of set prediction are what they say."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games.scenes import multisets, numbered_rightly, numbering, points_of, polygons, sprites
from games.scenes.sprites import SPRITE
from games.scenes.vocabulary import COLOURS, RGB
from perception.sets import hungarian
from raster import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(2, 9), st.integers(0, 99))
def test_corners_are_on_the_circle_and_as_far_apart_as_can_be(sides: int, seed: int) -> None:
    told, corners = polygons(7, sides, seeded(seed))
    assert corners.shape == (7, sides, 3)
    assert torch.allclose(corners[..., :2].norm(dim=-1), torch.ones(7, sides), atol=1e-5)
    beside = (corners[..., :2] - corners[..., :2].roll(1, dims=1)).norm(dim=-1)
    assert torch.allclose(beside, torch.full((7, sides), 2 * math.sin(math.pi / sides)), atol=1e-5)
    assert torch.allclose(told.norm(dim=-1), torch.ones(7), atol=1e-5)


def test_the_set_of_corners_moves_smoothly_with_what_is_told() -> None:
    told, corners = polygons(2000, 4, seeded())
    order = torch.atan2(told[:, 1], told[:, 0]).argsort()
    told, corners = told[order], corners[order]
    step = hungarian(corners, corners.roll(1, dims=0))
    assert float((told - told.roll(1, dims=0)).norm(dim=-1).max()) < 0.05
    assert float(step.max()) < 1e-3  # across the seam as well, where a list of corners jumps


def test_multisets_hold_copies() -> None:
    sets = multisets(5, 8, 3, seeded(), copies=2)
    assert sets.shape == (5, 8, 4)
    assert all(len(each.unique(dim=0)) == 4 for each in sets)
    assert len(multisets(1, 8, 3, seeded())[0].unique(dim=0)) == 8
    with pytest.raises(InputError, match="multiple"):
        multisets(1, 7, 3, seeded(), copies=2)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
def test_numbers_are_right_in_any_order_and_wrong_where_two_agree(elements: int, classes: int, seed: int) -> None:
    task = numbering(6, elements, classes, seeded(seed))
    assert numbered_rightly(task.wanted, task.given).all()
    shuffled = task.wanted[:, torch.randperm(elements, generator=seeded(seed))]
    assert numbered_rightly(shuffled, task.given).all()
    # Whoever answers equal elements equally (all get number 0) is right only where no class has two.
    same = task.wanted.clone()
    same[..., classes:-1] = 0
    same[..., classes] = 1
    single = (task.given[..., :classes].sum(dim=1) <= 1).all(dim=1)
    assert torch.equal(numbered_rightly(same, task.given).bool(), single)


def test_numbers_of_another_class_are_wrong() -> None:
    task = numbering(1, 4, 2, seeded(1))
    swapped = torch.cat([task.wanted[..., [1, 0]], task.wanted[..., 2:]], dim=-1)
    assert bool(numbered_rightly(swapped, task.given)) == (float(task.given[0, :, 0].sum()) == 2)


def test_pixels_become_points() -> None:
    picture = torch.zeros(2, 5, 9, dtype=torch.uint8)
    picture[0, 0, 0] = picture[0, 4, 8] = 200
    picture[0, 2, 4] = 10
    sets = points_of(picture, 4, threshold=50)
    assert sets[0].tolist() == [[0, 0, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert sets[1].abs().sum() == 0
    assert points_of(picture, 4)[0, 1].tolist() == [0.5, 0.5, 1]
    full = points_of(torch.full((1, 10, 10), 255, dtype=torch.uint8), 7)
    assert full[0, :, 2].sum() == 7


def test_sprites_are_where_the_set_says() -> None:
    pictures, sets = sprites(20, 32, seed=4)
    again, _ = sprites(20, 32, seed=4)
    assert torch.equal(pictures, again)
    assert (pictures.shape, sets.shape) == ((20, 3, 32, 32), (20, 6, SPRITE.channels))
    colour = SPRITE.attributes[0]
    for picture, elements in zip(pictures, sets, strict=True):
        there = elements[elements[:, -1] > 0.5]
        assert 1 <= len(there) <= 6
        x, y = (((each + 1) * 16).long().tolist() for each in there[-1, :2])  # the last one lies on top
        assert picture[:, y, x].tolist() == list(RGB[COLOURS[int(there[-1, colour].argmax())]])
        gaps = torch.cdist(there[:, :2], there[:, :2]) + 9 * torch.eye(len(there))
        assert float(gaps.min()) >= 0.22 - 1e-5


def test_sprites_that_find_no_place_are_refused() -> None:
    with pytest.raises(InputError, match="find no place"):
        sprites(1, 16, most=40)
    with pytest.raises(InputError, match="3 to 2 sprites"):
        sprites(1, 16, least=3, most=2)
    assert sprites(1, 16, least=0, most=0)[1].shape == (1, 0, SPRITE.channels)
