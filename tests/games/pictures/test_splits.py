"""What is held out stays out, and every condition is what its name says."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from games.pictures import HeldOutArtists, Split, SplitConfig
from games.pictures.splits import make_splits
from raster.errors import InputError

Pictures = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]


@st.composite
def pictures(draw: st.DrawFn) -> Pictures:
    """Label, artist, hand and artists' names of some pictures; not every artist draws everything."""
    classes, artists = draw(st.integers(8, 20)), draw(st.integers(4, 7))
    twins = draw(st.booleans())
    hand_of = torch.arange(artists)
    if twins:
        hand_of[-1] = hand_of[-2]
    cells = torch.cartesian_prod(torch.arange(classes), torch.arange(artists))
    seed = draw(st.integers(0, 1000))
    kept = torch.rand(len(cells), generator=torch.Generator().manual_seed(seed)) < draw(st.sampled_from([0.7, 1.0]))
    cells = cells[kept]
    assume(len(cells[:, 1].unique()) == artists and len(cells[:, 0].unique()) == classes)
    return cells[:, 0], cells[:, 1], hand_of[cells[:, 1]], [f"artist-{number}" for number in range(artists)]


def split_of(found: Pictures, config: SplitConfig) -> dict[str, Split]:
    try:
        return make_splits(*found, config)
    except InputError as error:  # a held-out artist drew none of the held-out things
        assume("no picture is left" not in str(error))
        raise


def values(column: torch.Tensor, mask: torch.Tensor) -> set[int]:
    return set(column[mask].tolist())


@given(pictures(), st.sampled_from(["picture", "class", "artist"]), st.integers(0, 50))
def test_one_axis_divides_all_pictures_without_overlap(found: Pictures, axis: str, seed: int) -> None:
    splits = split_of(found, SplitConfig(by=(axis,), validation=0.2, test=0.2, seed=seed))
    assert list(splits) == ["train", "validation", "test"]
    shown = torch.stack([split.shown for split in splits.values()])
    assert (shown.sum(0) == 1).all()
    column = {"picture": torch.arange(len(found[0])), "class": found[0], "artist": found[2]}[axis]
    parts = [values(column, split.shown) for split in splits.values()]
    assert all(parts) and not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


@given(pictures(), st.integers(0, 50))
def test_every_condition_obeys_its_definition(found: Pictures, seed: int) -> None:
    label, _, hand, _ = found
    splits = split_of(found, SplitConfig(by=("class", "artist"), validation=0.2, test=0.2, seed=seed))
    train = splits["train"]
    assert torch.equal(train.shown, train.pool)
    things, hands = values(label, train.shown), values(hand, train.shown)
    for name, other in (("validation", "test"), ("test", "validation")):
        unseen_hands, others_hands = values(hand, splits[name].shown), values(hand, splits[other].shown)
        unseen_things = values(label, splits[name].pool)
        assert not unseen_hands & (hands | others_hands)
        assert not unseen_things & things
        assert values(label, splits[name].shown) <= unseen_things
        assert not values(hand, splits[name].pool) & others_hands
        conditions = {f"{name}/unseen-artist", f"{name}/unseen-class"}
        assume(conditions <= set(splits))  # left out where nobody drew such a picture
        old_things = splits[f"{name}/unseen-artist"]
        assert values(hand, old_things.shown) <= unseen_hands
        assert not values(label, old_things.shown | old_things.pool) & unseen_things
        assert not values(hand, old_things.pool) & others_hands
        old_hands = splits[f"{name}/unseen-class"]
        assert torch.equal(old_hands.shown, old_hands.pool)
        assert values(label, old_hands.shown) <= unseen_things
        assert not values(hand, old_hands.shown) & (unseen_hands | others_hands)
    for split in splits.values():
        assert not (split.shown & train.shown).any() or split is train
        assert (split.shown & ~split.pool).sum() == 0


@given(pictures(), st.integers(0, 50))
def test_near_twins_are_never_on_two_sides(found: Pictures, seed: int) -> None:
    label, artist, hand, names = found
    splits = split_of((label, artist, hand, names), SplitConfig(by=("artist",), validation=0.2, test=0.2, seed=seed))
    sides = [values(hand, split.shown) for split in splits.values()]
    assert sum(len(side) for side in sides) == len(hand.unique())


@given(pictures(), st.integers(0, 50))
def test_every_class_of_three_pictures_is_in_every_part_when_pictures_are_split(found: Pictures, seed: int) -> None:
    label = found[0]
    splits = split_of(found, SplitConfig(by=("picture",), seed=seed))
    large = {one for one in label.unique().tolist() if (label == one).sum() >= 3}
    for split in splits.values():
        assert large <= values(label, split.shown)
    assert values(label, splits["train"].shown) == set(label.tolist())


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    label = torch.arange(100).repeat_interleave(3)
    none = torch.zeros_like(label)

    def test_classes(seed: int) -> set[int]:
        splits = make_splits(label, none, none, [], SplitConfig(by=("class",), seed=seed))
        return values(label, splits["test"].shown)

    assert test_classes(3) == test_classes(3)
    assert test_classes(3) != test_classes(4)
    assert len(test_classes(3)) == 15


def test_holding_out_artists_too_does_not_reshuffle_the_classes() -> None:
    label, artist = torch.cartesian_prod(torch.arange(40), torch.arange(5)).unbind(1)
    names = [f"artist-{number}" for number in range(5)]
    alone = make_splits(label, artist, artist, names, SplitConfig(by=("class",)))
    both = make_splits(label, artist, artist, names, SplitConfig(by=("class", "artist")))
    assert values(label, alone["test"].shown) == values(label, both["test"].shown)


def test_artists_who_drew_little_are_held_out_last() -> None:
    label, artist = torch.cartesian_prod(torch.arange(40), torch.arange(6)).unbind(1)
    kept = (artist > 1) | (label < 10)  # the first two drew a quarter
    label, artist = label[kept], artist[kept]
    for seed in range(20):
        splits = make_splits(label, artist, artist, list("abcdef"), SplitConfig(by=("artist",), seed=seed))
        assert not values(artist, splits["test"].shown | splits["validation"].shown) & {0, 1}


def test_parts_of_nothing_are_left_out() -> None:
    label = torch.arange(10)
    none = torch.zeros_like(label)
    splits = make_splits(label, none, none, [], SplitConfig(by=("class",), validation=0, test=0))
    assert list(splits) == ["train"] and splits["train"].shown.all()


def test_without_a_word_artists_are_split_where_there_are_some() -> None:
    label, artist = torch.cartesian_prod(torch.arange(40), torch.arange(6)).unbind(1)
    assert "test/unseen-artist" in make_splits(label, artist, artist, list("abcdef"), SplitConfig())
    none = torch.zeros_like(artist)
    assert "test/unseen-artist" not in make_splits(label, none, none, [], SplitConfig())


def test_named_artists_are_held_out() -> None:
    label, artist = torch.cartesian_prod(torch.arange(40), torch.arange(4)).unbind(1)
    held = HeldOutArtists(validation=("b",), test=("d",))
    splits = make_splits(label, artist, artist, list("abcd"), SplitConfig(by=("class", "artist"), artists=held))
    assert values(artist, splits["train"].shown) == {0, 2}
    assert values(artist, splits["validation"].shown) == {1}
    assert values(artist, splits["test"].shown) == {3}
    assert values(artist, splits["test"].pool) == {0, 2, 3}


def test_an_artist_that_could_not_be_fetched_may_be_named() -> None:
    label, artist = torch.cartesian_prod(torch.arange(40), torch.arange(4)).unbind(1)
    config = SplitConfig(artists=HeldOutArtists(validation=("b",), test=("d", "gone")))
    splits = make_splits(label, artist, artist, list("abcd"), config, absent=["gone"])
    assert values(artist, splits["test"].shown) == {3}


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (("b",), ("e",), r"no artist 'e' \(pictures.split.artists.test\)"),
        (("b",), ("b",), "both validation and test"),
        (("b",), ("d",), "near twin c"),
        (("a", "b"), ("c", "d"), "every artist is held out"),
    ],
)
def test_artists_that_cannot_be_held_out_are_told(
    validation: tuple[str, ...], test: tuple[str, ...], message: str
) -> None:
    label, artist = torch.cartesian_prod(torch.arange(40), torch.arange(4)).unbind(1)
    hand = artist.clamp(max=2)  # c and d are twins
    config = SplitConfig(artists=HeldOutArtists(validation=validation, test=test))
    with pytest.raises(InputError, match=message):
        make_splits(label, artist, hand, list("abcd"), config)


@pytest.mark.parametrize(
    ("by", "classes", "message"),
    [
        (("class",), 2, "2 classes are too few"),
        (("artist",), 9, "no artists to tell apart"),
        (("picture",), 9, "three pictures"),
    ],
)
def test_too_little_to_split_is_told(by: tuple[str, ...], classes: int, message: str) -> None:
    label = torch.arange(classes)
    none = torch.zeros_like(label)
    with pytest.raises(InputError, match=message):
        make_splits(label, none, none, [], SplitConfig(by=by))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"validation": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"by": ["class", "class"]}, "twice"),
        ({"by": ["class", "picture"]}, "not both"),
        ({"by": ["class"], "artists": {"test": ["noto"]}}, "only where by names artist"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SplitConfig.model_validate(wrong)
