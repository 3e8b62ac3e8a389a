"""Views of several pictures: seen as one, or each in a way of its own."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games.pictures import Album, ConceptView, Gallery, SplitConfig
from perception import TimmTrunk, Trunks
from raster.shapes import Tensor

TRUNK = TimmTrunk(name="test_resnet", weights="random")


@pytest.fixture(scope="module")
def pictures(make_album: Callable[..., Album]) -> Gallery:
    split = SplitConfig(by=("picture",), validation=0.0, test=0.2)
    return Gallery(make_album(classes=6, artists=1, views=8, size=32), split, Trunks("cpu"))


SEVERAL = torch.tensor([[3, 9, 20], [7, -1, -1], [11, 5, -1], [0, 1, 2]])


def slowly(gallery: Gallery, look: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean over each concept's pictures, one after the other."""
    return torch.stack([look(row[row >= 0]).mean(dim=0) for row in SEVERAL])


def dark(rgb: Tensor) -> Tensor:
    return rgb / 2


def test_features_of_a_concept_are_the_mean_of_its_pictures(pictures: Gallery) -> None:
    view = ConceptView(pictures, SEVERAL)
    expected = slowly(pictures, lambda index: pictures.view(index).features(TRUNK, 2))
    assert len(view) == 4 and torch.allclose(view.features(TRUNK, 2), expected, atol=1e-5)
    assert torch.equal(view.label, pictures.label[SEVERAL[:, 0]])


def test_what_a_learned_eye_makes_of_a_concept_is_the_mean_too_and_learns_from_all(pictures: Gallery) -> None:
    weight = torch.ones(3, requires_grad=True)
    look = lambda rgb: (rgb * weight[:, None, None]).square()  # noqa: E731
    found = ConceptView(pictures, SEVERAL).averaged(look)
    assert torch.allclose(found, slowly(pictures, lambda index: look(pictures.view(index).pixels())), atol=1e-6)
    found.sum().backward()
    assert weight.grad is not None and (weight.grad > 0).all()
    plain = pictures.view(SEVERAL[:, 0])
    assert torch.equal(plain.averaged(look), look(plain.pixels()))


def test_pixels_of_a_concept_are_its_first_picture(pictures: Gallery) -> None:
    first = pictures.view(SEVERAL[:, 0]).pixels()
    view = ConceptView(pictures, SEVERAL)
    assert torch.equal(view.pixels(), first)
    assert torch.equal(view.through(dark, "dark").pixels(), (first / 2 * 255).round() / 255)
    assert torch.equal(view.through(dark).pixels(), first / 2)


def test_a_concept_is_seen_through_a_change_as_its_pictures_are(pictures: Gallery) -> None:
    view = ConceptView(pictures, SEVERAL)
    named = slowly(pictures, lambda index: pictures.view(index).through(dark, "dark").features(TRUNK, 1))
    assert torch.allclose(view.through(dark, "dark").features(TRUNK, 1), named, atol=1e-5)
    live = slowly(pictures, lambda index: pictures.view(index).through(dark).features(TRUNK, 1))
    assert torch.allclose(view.through(dark).features(TRUNK, 1), live, atol=1e-5)


def test_some_concepts_of_a_view_are_those_concepts(pictures: Gallery) -> None:
    view = ConceptView(pictures, SEVERAL)
    whole = view.features(TRUNK, 2)
    for item in (slice(1, 3), torch.tensor([3, 0]), -1):
        rows = [3] if isinstance(item, int) else item
        assert torch.allclose(view[item].features(TRUNK, 2), whole[rows], atol=1e-6)
    with pytest.raises(IndexError, match="concept 4"):
        view[4]


def test_one_picture_alone_is_a_concept_of_one(pictures: Gallery) -> None:
    alone = ConceptView(pictures, SEVERAL[:, :1])
    assert torch.equal(alone.features(TRUNK, 2), pictures.view(SEVERAL[:, 0]).features(TRUNK, 2))


@given(choice=st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_each_picture_of_a_mixture_is_seen_the_way_that_was_chosen(pictures: Gallery, choice: list[int]) -> None:
    index = torch.tensor([4, 8, 15, 16, 23])
    view = pictures.view(index)
    ways = [view, view.through(dark, "dark"), view.through(lambda rgb: rgb.flip(-1), "mirror")]
    mixed = view.mixed(ways, torch.tensor(choice))
    for number, way in enumerate(choice):
        assert torch.equal(mixed.pixels()[number], ways[way].pixels()[number])
        assert torch.equal(mixed.features(TRUNK, 2)[number], ways[way].features(TRUNK, 2)[number])
    some = torch.tensor([3, 1])
    assert torch.equal(mixed[some].pixels(), mixed.pixels()[some])
    assert torch.equal(mixed[-1].pixels(), mixed.pixels()[-1:])
    assert torch.equal(mixed.label, view.label)
    assert torch.equal(mixed.through(dark).pixels(), mixed.pixels() / 2)
    twice = mixed.through(dark, "dark").pixels()
    assert torch.equal(twice, ((mixed.pixels() / 2 * 255).round()) / 255)


def test_a_mixture_of_named_changes_costs_no_pass_of_a_trunk(pictures: Gallery) -> None:
    view = pictures.view(torch.arange(6))
    ways = [view, view.through(dark, "dark")]
    view.mixed(ways, torch.arange(6) % 2).features(TRUNK, 2)
    before = pictures.trunks.passes
    view.mixed(ways, torch.arange(6) // 3).features(TRUNK, 2)
    assert pictures.trunks.passes == before


def test_all_pictures_of_a_concept_are_seen_the_same_way(pictures: Gallery) -> None:
    view = ConceptView(pictures, SEVERAL)
    ways = [view, view.through(dark, "dark")]
    found = view.mixed(ways, torch.tensor([0, 1, 1, 0])).features(TRUNK, 2)
    expected = torch.stack([ways[way].features(TRUNK, 2)[row] for row, way in enumerate([0, 1, 1, 0])])
    assert torch.allclose(found, expected, atol=1e-6)


def test_embeddings_are_standardised_means_over_places_of_length_one(pictures: Gallery) -> None:
    found = pictures.embeddings(TRUNK, 2)
    mean, std = pictures.standardisation(TRUNK, 2)
    for row in (0, 17, 40):
        (features,) = pictures.view(torch.tensor([row])).features(TRUNK, 2)
        vector = torch.stack([((channel - mean[c]) / std[c]).mean() for c, channel in enumerate(features)])
        assert torch.allclose(found[row], vector / vector.norm(), atol=1e-4)
    assert torch.allclose(found.norm(dim=1), torch.ones(len(pictures)), atol=1e-5)
