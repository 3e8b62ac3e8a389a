"""Pictures on the device, looked at only when asked."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games.pictures import Album, DigitPictures, Gallery, SplitConfig, describe, load_gallery
from perception import FeatureCache, TimmTrunk, Trunks

Make = Callable[..., Album]
TRUNK = TimmTrunk(name="test_resnet", weights="random")


@pytest.fixture(scope="module")
def gallery(make_album: Make) -> Gallery:
    return Gallery(make_album(size=32), SplitConfig(), Trunks())


class Untouchable:
    """Pixels that must not be looked at."""

    def __getitem__(self, index: object) -> torch.Tensor:
        raise AssertionError("pixels were touched")


def test_a_view_gives_pixels_between_0_and_1(gallery: Gallery) -> None:
    index = torch.tensor([5, 0, 5])
    view = gallery.view(index)
    assert len(view) == 3 and torch.equal(view.index, index)
    assert view.pixels().shape == (3, 3, 32, 32)
    assert torch.equal((view.pixels() * 255).round().byte(), gallery.pixels[index])


def test_features_are_those_of_the_pictures(gallery: Gallery) -> None:
    index = torch.tensor([7, 1])
    (direct,) = gallery.trunks[TRUNK](gallery.view(index).pixels(), [1])
    cached = gallery.view(index).features(TRUNK, 1)
    assert cached.dtype == torch.float32
    assert torch.allclose(cached, direct, atol=1e-2, rtol=1e-2)


def test_features_touch_no_pixel_once_they_are_cached(make_album: Make) -> None:
    gallery = Gallery(make_album(), SplitConfig(), Trunks())
    gallery.prepare(TRUNK, [0, 1])
    passes = gallery.trunks.passes
    assert passes == len(gallery)  # both levels from one look at each picture
    gallery.pixels = Untouchable()  # type: ignore[assignment]
    view = gallery.view(torch.tensor([3, 4]))
    assert view.features(TRUNK, 1).shape[0] == view[:1].features(TRUNK, 0).shape[0] + 1
    assert gallery.trunks.passes == passes
    with pytest.raises(AssertionError, match="touched"):
        view.pixels()


def test_features_are_kept_from_run_to_run_by_content(make_album: Make, tmp_path: Path) -> None:
    first = Gallery(make_album(), SplitConfig(), Trunks(), FeatureCache(tmp_path))
    features = first.features(TRUNK, 1)
    again = Gallery(make_album(), SplitConfig(seed=1), Trunks(), FeatureCache(tmp_path))
    assert torch.equal(again.features(TRUNK, 1), features)
    assert again.trunks.passes == 0
    album = make_album()
    other = Gallery(replace(album, pixels=255 - album.pixels), SplitConfig(), Trunks(), FeatureCache(tmp_path))
    other.features(TRUNK, 1)
    assert other.trunks.passes == len(other)


def test_what_is_seen_through_something_is_seen_anew_and_alike_by_all(gallery: Gallery) -> None:
    index = torch.tensor([2, 9, 4])
    calls = []

    def noisy(pixels: torch.Tensor) -> torch.Tensor:
        calls.append(len(pixels))
        return pixels * torch.rand(len(pixels), 1, 1, 1)

    view = gallery.view(index).through(noisy)
    assert calls == []
    pixels = view.pixels()
    (direct,) = gallery.trunks[TRUNK](pixels, [1])
    assert torch.equal(view.features(TRUNK, 1), direct)
    assert torch.equal(view[1:].pixels(), pixels[1:])
    assert torch.equal(view[0].pixels(), pixels[:1])
    assert torch.equal(view[torch.tensor([True, False, True])].index, index[[0, 2]])
    assert calls == [3]
    twice = gallery.view(index).through(lambda x: x / 2).through(lambda x: x + 1)
    assert torch.allclose(twice.pixels(), gallery.view(index).pixels() / 2 + 1)


def test_a_named_change_is_made_and_looked_at_once_and_kept_from_run_to_run(make_album: Make, tmp_path: Path) -> None:
    calls = []

    def half(pixels: torch.Tensor) -> torch.Tensor:
        calls.append(len(pixels))
        return pixels / 2

    gallery = Gallery(make_album(size=32), SplitConfig(), Trunks(), FeatureCache(tmp_path))
    first = gallery.view(torch.tensor([2, 9])).through(half, "half")
    second = gallery.view(torch.tensor([9, 4, 1]))[1:].through(half, "half")
    assert torch.allclose(second.pixels(), gallery.view(torch.tensor([4, 1])).pixels() / 2, atol=1 / 255)
    (direct,) = gallery.trunks[TRUNK](first.pixels(), [1])
    assert torch.allclose(first.features(TRUNK, 1), direct, atol=1e-2, rtol=1e-2)
    passes = gallery.trunks.passes
    second.features(TRUNK, 1)
    assert gallery.trunks.passes == passes and calls == [len(gallery)]
    assert torch.equal(first.label, gallery.label[torch.tensor([2, 9])])
    again = Gallery(make_album(size=32), SplitConfig(), Trunks(), FeatureCache(tmp_path))
    found = again.view(torch.tensor([2, 9])).through(half, "half").features(TRUNK, 1)
    assert torch.equal(found, first.features(TRUNK, 1)) and again.trunks.passes == 0
    assert not torch.allclose(again.view(torch.tensor([2, 9])).features(TRUNK, 1), found, atol=1e-3)  # not the photos'


def test_a_named_change_of_a_changed_view_is_not_taken_for_one_of_the_photos(gallery: Gallery) -> None:
    index = torch.tensor([2, 9])
    light = gallery.view(index).pixels()
    twice = gallery.view(index).through(lambda x: x / 2, "half").through(lambda x: 1 - x, "inverse")
    assert torch.allclose(twice.pixels(), 1 - light / 2, atol=1.5 / 255)
    random = gallery.view(index).through(lambda x: x / 4).through(lambda x: 1 - x, "inverse")
    assert torch.allclose(random.pixels(), 1 - light / 4)
    once = gallery.view(index).through(lambda x: 1 - x, "inverse")
    assert torch.allclose(once.pixels(), 1 - light, atol=1 / 255)


def test_one_picture_of_a_view_is_a_view_of_one(gallery: Gallery) -> None:
    view = gallery.view(torch.tensor([2, 9, 4]))
    assert [int(view[position].index) for position in (0, 2, -1, -3)] == [2, 4, 4, 2]
    with pytest.raises(IndexError):
        view[3]


def test_standardised_training_features_have_mean_0_and_deviation_1(gallery: Gallery) -> None:
    mean, std = gallery.standardisation(TRUNK, 1)
    train = gallery.splits["train"].shown
    x = (gallery.features(TRUNK, 1)[train].float() - mean[:, None, None]) / std[:, None, None]
    varies = x.amax(dim=(0, 2, 3)) > x.amin(dim=(0, 2, 3))
    assert varies.any()
    assert torch.allclose(x.mean(dim=(0, 2, 3)), torch.zeros_like(mean), atol=1e-3)
    assert torch.allclose(x.std(dim=(0, 2, 3), correction=0)[varies], torch.ones_like(mean)[varies], atol=1e-2)


def test_standardisation_knows_nothing_of_held_out_pictures(make_album: Make) -> None:
    album = make_album()
    trunks = Trunks()
    before = Gallery(album, SplitConfig(), trunks)
    held_out = ~before.splits["train"].shown.numpy()
    changed = album.pixels.copy()
    changed[held_out] = 0
    after = Gallery(replace(album, pixels=changed), SplitConfig(), trunks)
    for one, other in zip(before.standardisation(TRUNK, 1), after.standardisation(TRUNK, 1), strict=True):
        assert torch.equal(one, other)


def test_a_constant_channel_has_deviation_1(make_album: Make) -> None:
    album = make_album()
    flat = Gallery(replace(album, pixels=np.zeros_like(album.pixels)), SplitConfig(), Trunks())
    _, std = flat.standardisation(TRUNK, 1)
    assert (std > 0).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_by_class_lists_every_chosen_picture_once_under_its_class(cells: list[tuple[int, bool]]) -> None:
    label = torch.tensor([label for label, _ in cells])
    mask = torch.tensor([chosen for _, chosen in cells])
    gallery = Gallery.__new__(Gallery)
    gallery.label = label
    table, classes = gallery.by_class(mask)
    listed = [(int(classes[row]), int(p)) for row in range(len(table)) for p in table[row] if p >= 0]
    wanted = [(int(label[p]), p) for p in range(len(label)) if mask[p]]
    assert sorted(listed) == sorted(wanted)
    assert classes.tolist() == sorted({number for number, _ in wanted})
    assert ((table >= 0).sum(1) > 0).all() if len(table) else not mask.any()


def test_names_say_class_and_artist(make_album: Make) -> None:
    gallery = Gallery(make_album(classes=6, artists=4), SplitConfig(), Trunks())
    assert gallery.names(torch.tensor([0, 5])) == ["thing-0/artist-0", "thing-1/artist-1"]
    alone = Gallery(make_album(classes=6, artists=0, views=4), SplitConfig(), Trunks())
    assert alone.names(torch.tensor([0, 5])) == ["thing-0", "thing-1"]


def test_content_changes_with_pictures_labels_artists_names_and_order(make_album: Make) -> None:
    album = make_album()
    order = np.arange(len(album.label))[::-1].copy()
    pixels = album.pixels.copy()
    pixels[3, 1, 2, 0] ^= 1
    label, artist = album.label.copy(), album.artist.copy()
    label[0], artist[0] = 1, 1
    others = [
        replace(album, pixels=pixels),
        replace(album, label=label),
        replace(album, artist=artist),
        replace(album, classes=["another", *album.classes[1:]]),
        replace(album, pixels=album.pixels[order], label=album.label[order], artist=album.artist[order]),
    ]
    contents = {one.content() for one in (album, *others)}
    assert len(contents) == 6
    strided = replace(album, pixels=np.asfortranarray(album.pixels), label=album.label.astype(np.int64))
    assert strided.content() == album.content()  # how they lie in memory is no matter


def test_content_is_the_same_in_another_process() -> None:
    here = load_gallery(DigitPictures(size=8), Trunks()).content
    code = "from games.pictures import DigitPictures, load_album; print(load_album(DigitPictures(size=8)).content())"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_a_gallery_works_on_meta(make_album: Make) -> None:
    gallery = Gallery(make_album(), SplitConfig(), Trunks("meta"), None, "meta")
    view = gallery.view(torch.tensor([1, 2]))
    assert view.index.is_meta and view.pixels().is_meta and view.pixels().shape == (2, 3, 16, 16)
    real = Gallery(make_album(), SplitConfig(), Trunks())
    features = view.features(TRUNK, 1)
    assert features.is_meta and features.shape == real.view(torch.tensor([1, 2])).features(TRUNK, 1).shape
    mean, std = gallery.standardisation(TRUNK, 1)
    assert mean.is_meta and std.shape == (features.shape[1],)
    assert view.through(lambda x: 1 - x).features(TRUNK, 1).shape == features.shape
    assert gallery.content == real.content and not gallery.label.is_meta


def test_digits_are_black_on_white_and_split_by_picture() -> None:
    gallery = load_gallery(DigitPictures(size=16), Trunks())
    assert len(gallery) == 1797 and len(gallery.classes) == 10 and not gallery.artists
    assert gallery.pixels.shape[1:] == (3, 16, 16)
    edge = gallery.view(torch.arange(len(gallery))).pixels()[..., :, 0]
    assert edge.mean() > 0.9
    assert list(gallery.splits) == ["train", "validation", "test"]
    for split in gallery.splits.values():
        assert len(gallery.label[split.shown].unique()) == 10


def test_describe_tells_counts_splits_and_licences(make_album: Make) -> None:
    album = make_album(classes=20, artists=5, groups=["tools"] * 20, licences=["artist-0: MIT"], place=Path("here"))
    text = "\n".join(describe(Gallery(album, SplitConfig(), Trunks())))
    for part in ("100 pictures of 16x16", "20 classes", "tools 20", "artist-4 20", "test/unseen-artist", "MIT", "here"):
        assert part in text
    assert album.content() in text
