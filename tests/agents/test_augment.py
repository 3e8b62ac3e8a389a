"""``augment``: changes that are dealt with the round, cached where they are fixed, and gone when a run is measured."""

from collections.abc import Callable

import pytest
import torch
from torchvision.transforms.v2.functional import rgb_to_grayscale

from agents import Moment
from agents.biases import Augment
from agents.biases.augment import change
from agents.biases.check import check_bias
from games.pictures import Gallery
from perception import TimmTrunk

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")
NOTHING = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]


def one(**keys: float) -> torch.Tensor:
    names = ["crop", "x", "y", "flip", "red", "green", "blue", "grey"]
    return torch.tensor([[keys.get(name, usual) for name, usual in zip(names, NOTHING, strict=True)]])


def pixels(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_each_number_of_a_change_does_what_it_says() -> None:
    rgb = pixels()
    assert torch.allclose(change(rgb, one()), rgb, atol=1e-6)
    assert torch.allclose(change(rgb, one(flip=1.0)), rgb.flip(-1), atol=1e-6)
    assert torch.allclose(change(rgb, one(grey=1.0)), rgb_to_grayscale(rgb, 3), atol=1e-6)
    tinted = rgb * torch.tensor([0.5, 1.0, 0.25])[:, None, None]
    assert torch.allclose(change(rgb, one(red=0.5, blue=0.25)), tinted, atol=1e-6)
    # A crop to the right and upper half, made as large as the picture: on a ramp it is half the ramp.
    ramp = torch.linspace(-15 / 16, 15 / 16, 16).expand(1, 3, 16, 16) / 4 + 0.5  # x / 4 + 0.5 at pixel centres
    cropped = change(ramp, one(crop=0.5, x=0.5, y=-0.5))
    right_half = torch.linspace(-15 / 16, 15 / 16, 16) * 0.5 + 0.5  # x of each pixel in the whole
    assert torch.allclose(cropped[0, 0, 3, :-1], (right_half / 4 + 0.5)[:-1], atol=1e-6)


def test_changes_of_a_batch_are_those_of_its_pictures() -> None:
    rgb = pixels()
    rows = torch.cat([one(crop=0.3, x=0.1), one(flip=1.0, green=0.8), one(grey=1.0)])
    together = change(rgb, rows)
    for number in range(3):
        alone = change(rgb[number : number + 1], rows[number : number + 1])
        assert torch.allclose(together[number], alone[0], atol=1e-6)


@pytest.mark.parametrize("versions", [4, None])
def test_a_photo_is_changed_in_training_only_and_the_same_in_a_round_replayed(
    gallery: Gallery, moment: Moments, versions: int | None
) -> None:
    bias = Augment(versions=versions, grey=0.5)
    view = gallery.view(torch.arange(20))
    first, again = (bias.see(view, moment(seed=3, training=True)).pixels() for _ in "ab")
    other = bias.see(view, moment(seed=4, training=True)).pixels()
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first, view.pixels())
    assert bias.see(view, moment(training=False)) is view
    assert bias.see(view, moment(role="receiver", training=True)) is view
    assert Augment(eyes="both").see(view, moment(role="receiver", training=True)) is not view


def test_fixed_versions_pass_a_frozen_trunk_once_each(gallery: Gallery, moment: Moments) -> None:
    bias = Augment(versions=3, crop=0.31)
    view = gallery.view(torch.arange(12))
    before = gallery.trunks.passes
    seen = bias.see(view, moment(seed=0, training=True))
    found = seen.features(TRUNK, 1)
    fresh = gallery.trunks.passes - before
    assert fresh <= 3 * len(gallery)
    for seed in range(1, 5):
        bias.see(view, moment(seed=seed, training=True)).features(TRUNK, 1)
    assert gallery.trunks.passes - before == fresh
    # What is cached is what a trunk makes of the pixels that are seen.
    (slow,) = gallery.trunks[TRUNK](seen.pixels(), [1])
    assert torch.allclose(found, slow.half().float(), atol=2e-3)


def test_versions_hold_every_change_in_its_share() -> None:
    bias = Augment(versions=9, crop=0.25, flip=0.5, colour=0.2, grey=0.25)
    rows = bias.changes()
    assert rows.shape == (8, 8)
    assert rows[:, 3].sum() == 4 and rows[:, 7].sum() == 2
    assert ((rows[:, 0] >= 0) & (rows[:, 0] < 0.25)).all() and rows[:, 0].max() > 0.2
    assert (rows[:, 1:3].abs() <= rows[:, :1]).all()  # a crop stays inside the picture
    assert ((rows[:, 4:7] - 1).abs() <= 0.2).all() and (rows[:, 4:7] > 1.1).any() and (rows[:, 4:7] < 0.9).any()


def test_every_version_comes_about_equally_often(gallery: Gallery, moment: Moments) -> None:
    bias = Augment(versions=2, flip=1.0, crop=0.0, colour=0.0, grey=0.0)
    view = gallery.view(torch.zeros(400, dtype=torch.long))
    seen = bias.see(view, moment(seed=1, training=True)).pixels()
    mirrored = (seen == view.pixels().flip(-1)).flatten(1).all(dim=1)
    as_it_is = (seen == view.pixels()).flatten(1).all(dim=1)
    assert (mirrored ^ as_it_is).all() and 150 < int(mirrored.sum()) < 250


def test_live_changes_leave_the_noise_that_follows_to_itself(gallery: Gallery, moment: Moments) -> None:
    # Whether or not anybody looks at pixels first, the generator gives the same next number.
    bias, view = Augment(versions=None), gallery.view(torch.arange(4))
    looked, unlooked = moment(seed=5, training=True), moment(seed=5, training=True)
    bias.see(view, looked).pixels()
    bias.see(view, unlooked)
    assert torch.equal(looked.rand((3,), view.pixels()), unlooked.rand((3,), view.pixels()))


@pytest.mark.parametrize("versions", [3, None])
def test_augment_is_a_good_bias(versions: int | None) -> None:
    results = check_bias(Augment, versions=versions, eyes="both")
    assert all(result.passed for result in results), [result for result in results if not result.passed]
