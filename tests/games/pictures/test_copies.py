"""Changed copies: more to learn from, and nothing that a test could be learned from."""

from collections.abc import Callable

import pytest
import torch

from games import Referential
from games.pictures import Album, Gallery, SplitConfig
from games.pictures.copies import change
from perception import Trunks

Make = Callable[..., Album]
VIEWS = 4


def grown(make_album: Make, views: int = VIEWS, seed: int = 0, size: int = 8) -> Gallery:
    album = make_album(classes=12, artists=4, views=2, size=size)
    return Gallery(album, SplitConfig(seed=seed), Trunks("cpu"), views=views)


def test_copies_are_of_training_pictures_and_keep_label_and_artist(make_album: Make) -> None:
    plain, gallery = grown(make_album, 1), grown(make_album)
    n, train = len(plain), plain.splits["train"]
    chosen = train.shown.nonzero()[:, 0]
    assert len(gallery) == n + (VIEWS - 1) * len(chosen)
    assert torch.equal(gallery.pixels[:n], plain.pixels)
    for number in range(1, VIEWS):
        copies = gallery.splits[f"train/copy-{number}"]
        index = copies.shown.nonzero()[:, 0]
        assert torch.equal(copies.shown, copies.pool)
        assert torch.equal(gallery.label[index], plain.label[chosen])
        assert torch.equal(gallery.artist[index], plain.artist[chosen])
        assert torch.equal(gallery.hand[index], plain.hand[chosen])
        assert (index >= n).all()


def test_what_nobody_learns_from_stays_as_it_is(make_album: Make) -> None:
    plain, gallery = grown(make_album, 1), grown(make_album)
    assert {"validation", "test", "test/unseen-artist", "test/unseen-class"} <= set(plain.splits)
    for name, split in plain.splits.items():
        other = gallery.splits[name]
        assert torch.equal(other.shown.nonzero(), split.shown.nonzero()), name
        assert torch.equal(other.pool.nonzero(), split.pool.nonzero()), name


def test_the_first_copy_is_the_mirror_image(make_album: Make) -> None:
    gallery = grown(make_album)
    copies, train = (gallery.pixels[gallery.splits[name].shown] for name in ("train/copy-1", "train"))
    assert torch.equal(copies.flip(-1), train)


def test_further_copies_are_turned_a_little_and_every_second_one_mirrored() -> None:
    # A dot right of the middle stays right of it, or goes to the left where the copy is mirrored.
    pixels = torch.zeros(20, 3, 41, 41, dtype=torch.uint8)
    pixels[:, :, 18:23, 28:33] = 255
    columns = torch.arange(41.0) - 20
    for number, side in ((2, 1), (3, -1), (4, 1), (5, -1)):
        changed = change(pixels, number, torch.Generator().manual_seed(number)).float()
        centre = (changed.mean((1, 2)) * columns).sum(-1) / changed.mean((1, 2)).sum(-1)
        assert (side * centre > 5).all() and (side * centre < 16).all()
        assert centre.unique().numel() == 20  # each in its own way


def test_what_comes_in_from_outside_repeats_the_border() -> None:
    white = torch.full((8, 3, 16, 16), 255, dtype=torch.uint8)
    assert torch.equal(change(white, 2, torch.Generator().manual_seed(0)), white)


def test_a_seed_makes_the_same_copies(make_album: Make) -> None:
    one, same, other = grown(make_album), grown(make_album), grown(make_album, seed=1)
    assert one.content == same.content and torch.equal(one.pixels, same.pixels)
    assert one.content != grown(make_album, 1).content
    assert other.content != one.content


@pytest.mark.parametrize("view", ["same", "class", "artist"])
def test_a_round_is_dealt_from_one_set_of_copies(make_album: Make, view: str) -> None:
    gallery = grown(make_album)
    assert gallery.training_splits == ["train", "train/copy-1", "train/copy-2", "train/copy-3"]
    game = Referential.model_validate({"view": view, "candidates": 4})
    for name in gallery.training_splits:
        round = game.deal(gallery, name, 8, torch.Generator().manual_seed(0))
        assert gallery.splits[name].pool[round.pool].all()
        assert gallery.splits[name].shown[round.shown].all()
