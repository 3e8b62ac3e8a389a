"""Which pictures are for learning, which for choosing, which for the final figures."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from games.pictures.config import Axis, SplitConfig
from raster.errors import InputError
from raster.shapes import Bool, Int, Tensor

TRAIN, VALIDATION, TEST = 0, 1, 2
_PARTS = {"validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Split:
    """One condition: what a sender may be shown, and what may stand before a receiver.

    Where things (pictures or classes) and artists are both held out, "test" is unseen things by unseen artists;
    "test/unseen-artist" is things of training by unseen artists, and "test/unseen-class" (or "/unseen-picture")
    unseen things by artists of training. In "test" and "test/unseen-artist" the pool may hold pictures of
    training's artists too (so that *the same thing by another hand* can be played), never those of validation's.
    The same with validation and test exchanged. No picture that a test shows is ever in training.

    Attributes:
        name: "train", "validation", "test", "test/unseen-artist", ...
        shown: pictures a sender may be shown, bool [n].
        pool: pictures that may be candidates, bool [n].
    """

    name: str
    shown: Bool[Tensor, " n"]
    pool: Bool[Tensor, " n"]


def make_splits(
    label: Int[Tensor, " n"],
    artist: Int[Tensor, " n"],
    hand: Int[Tensor, " n"],
    artists: Sequence[str],
    config: SplitConfig,
    absent: Sequence[str] = (),
    test: Bool[Tensor, " n"] | None = None,
) -> dict[str, Split]:
    """All splits of a gallery by name; a part of size 0 has none.

    Args:
        label: class of each picture.
        artist: artist of each picture.
        hand: hand of each picture (near-twin artists share one).
        artists: names of the artists, [] for none.
        config: what is held out.
        absent: artists that the source has but could not give this time: they may be named, and count for nothing.
        test: pictures that the source itself calls the test: then they are, where pictures are split by picture.

    Raises:
        InputError: too few classes, pictures or artists to hold any out, or an artist that is not there.
    """
    by = config.by or (("class", "artist") if len(hand.unique()) > 1 else ("picture",))
    if config.artists is not None and "artist" not in by:
        raise InputError("artists are to be held out, but these pictures have no artists", "pictures.split.artists")
    generator = torch.Generator().manual_seed(config.seed)
    # Every axis draws from a seed of its own, so that adding one does not reshuffle the other.
    things_seed, hands_seed = torch.randint(2**31, (2,), generator=generator).tolist()
    things: Tensor | None = None
    hands: Tensor | None = None
    if "class" in by:
        things = _by_class(label, config, torch.Generator().manual_seed(things_seed))
    elif "picture" in by:
        things = _by_picture(label, config, torch.Generator().manual_seed(things_seed), test)
    if "artist" in by:
        hands = _by_artist(label, artist, hand, artists, absent, config, torch.Generator().manual_seed(hands_seed))
    splits = _combine(things, hands, by)
    for split in splits.values():
        if split.name in {"train", *_PARTS} and not bool(split.shown.any()):
            raise InputError(
                f"no picture is left for {split.name}", "pictures.split", "hold out more or less, or take another seed"
            )
    return splits


def _combine(things: Tensor | None, hands: Tensor | None, by: tuple[Axis, ...]) -> dict[str, Split]:
    """The conditions, from the part [n] that each picture has by its thing and by its hand; None: not held out."""
    some = things if things is not None else hands
    assert some is not None
    everything = torch.ones_like(some, dtype=torch.bool)

    def thing(part: int) -> Tensor:
        return everything if things is None else things == part

    def drawn(part: int) -> Tensor:
        return everything if hands is None else hands == part

    learned = thing(TRAIN) & drawn(TRAIN)
    splits = {"train": Split("train", learned, learned)}
    for name, part in _PARTS.items():
        if not bool((thing(part) & drawn(part)).any()) and not _asked(things, hands, part):
            continue
        # The other held-out part's artists stay out of sight: a pool must not give them away.
        known = everything if hands is None else hands != (TEST if part == VALIDATION else VALIDATION)
        splits[name] = Split(name, thing(part) & drawn(part), thing(part) & known)
        if things is not None and hands is not None:
            unseen = f"{name}/unseen-artist"
            splits[unseen] = Split(unseen, thing(TRAIN) & drawn(part), thing(TRAIN) & known)
            unseen = f"{name}/unseen-{'class' if 'class' in by else 'picture'}"
            old_hands = thing(part) & drawn(TRAIN)
            splits[unseen] = Split(unseen, old_hands, old_hands)
    return {name: split for name, split in splits.items() if "/" not in name or bool(split.shown.any())}


def _asked(things: Tensor | None, hands: Tensor | None, part: int) -> bool:
    return any(axis is not None and bool((axis == part).any()) for axis in (things, hands))


def _counts(number: int, config: SplitConfig, what: str) -> tuple[int, int]:
    """How many of ``number`` things go to validation and to test; at least one where a part is asked for."""
    validation, test = (
        max(1, int(number * part + 0.5)) if part > 0 else 0 for part in (config.validation, config.test)
    )
    if number - validation - test < 1:
        raise InputError(
            f"{number} {what} are too few to hold out {validation} for validation and {test} for the test",
            "pictures.split",
            "split by something else, or hold out less",
        )
    return validation, test


def _by_class(label: Tensor, config: SplitConfig, generator: torch.Generator) -> Tensor:
    classes = label.unique()
    validation, test = _counts(len(classes), config, "classes")
    order = classes[torch.randperm(len(classes), generator=generator)]
    part = torch.zeros(int(label.max()) + 1, dtype=torch.long)
    part[order[:test]] = TEST
    part[order[test : test + validation]] = VALIDATION
    return part[label]


def _by_picture(
    label: Tensor, config: SplitConfig, generator: torch.Generator, own_test: Tensor | None = None
) -> Tensor:
    """Class by class, so that every class of three pictures or more is in every part.

    Of a source with a test of its own that is the test, and validation is a part of all others.
    """
    part = torch.zeros_like(label)
    if own_test is not None:
        rest = (~own_test).nonzero()[:, 0]
        others = config.model_copy(update={"test": 0.0})
        if config.validation > 0 and len(rest):
            part[rest] = _by_picture(label[rest], others, generator)
        part[own_test] = TEST
        return part
    for one in label.unique():
        own = (label == one).nonzero()[:, 0]
        own = own[torch.randperm(len(own), generator=generator)]
        if len(own) < 3:
            continue  # too few to hold any out; training keeps them
        validation, test = _counts(len(own), config, "pictures of a class")
        part[own[:test]] = TEST
        part[own[test : test + validation]] = VALIDATION
    if config.validation + config.test > 0 and not bool(part.any()):
        raise InputError(
            "no class has the three pictures that it takes to hold some out",
            "pictures.split",
            "give more pictures a class, or split by class",
        )
    return part


def _by_artist(
    label: Tensor,
    artist: Tensor,
    hand: Tensor,
    artists: Sequence[str],
    absent: Sequence[str],
    config: SplitConfig,
    generator: torch.Generator,
) -> Tensor:
    if len(hand.unique()) < 2:
        raise InputError(
            "these pictures have no artists to tell apart" if not artists else "these pictures have only one artist",
            "pictures.split.by",
            "split by picture or by class",
        )
    part = torch.zeros(int(hand.max()) + 1, dtype=torch.long)
    if config.artists is None:
        order = _hands_to_hold_out(label, hand, generator)
        validation, test = _counts(len(order), config, "artists")
        part[order[:test]] = TEST
        part[order[test : test + validation]] = VALIDATION
        return part[hand]
    named = {"validation": config.artists.validation, "test": config.artists.test}
    for name, chosen in named.items():
        for one in (word for word in chosen if word not in absent):
            number = _artist_number(one, artists, name)
            own = hand[artist == number]
            if not len(own):
                continue
            mine = int(own[0])
            if part[mine] not in (TRAIN, _PARTS[name]):
                raise InputError(f"{one!r} stands in both validation and test", "pictures.split.artists")
            twins = {artists[a] for a in artist[hand == mine].unique().tolist()} - set(chosen)
            if twins:
                raise InputError(
                    f"{one!r} is to be held out, but its near twin {', '.join(sorted(twins))} is not",
                    f"pictures.split.artists.{name}",
                    "name both, for one gives the other away",
                )
            part[mine] = _PARTS[name]
    if not bool((part[hand.unique()] == TRAIN).any()):
        raise InputError("every artist is held out", "pictures.split.artists", "leave some to train on")
    return part[hand]


def _hands_to_hold_out(label: Tensor, hand: Tensor, generator: torch.Generator) -> Tensor:
    """All hands in random order, but those who drew nearly every class first: a test needs many classes."""
    hands = hand.unique()
    coverage = torch.stack([label[hand == one].unique().numel() * torch.ones(()) for one in hands])
    shuffled = torch.randperm(len(hands), generator=generator)
    full = coverage[shuffled] >= 0.9 * coverage.max()
    return hands[shuffled[full.long().argsort(descending=True, stable=True)]]


def _artist_number(name: str, artists: Sequence[str], part: str) -> int:
    if name in artists:
        return artists.index(name)
    near = difflib.get_close_matches(name, artists, 1)
    raise InputError(
        f"no artist {name!r}",
        f"pictures.split.artists.{part}",
        f"did you mean {near[0]!r}?" if near else f"there are {', '.join(artists) or 'none'}",
    )
