"""Agents taken to other pictures than the run's own, and games that are alike in all but one thing."""

from collections.abc import Callable
from dataclasses import replace

import torch

from games import Game
from games.pictures import Gallery, PicturesConfig, SplitConfig, load_gallery
from perception import FeatureCache
from raster.errors import InputError
from runs.run import Run

EVERYTHING = "train"
"""The split of other pictures that holds all of them: their new beholders learned from none."""
OF_A_CLASS = 10
"""Other pictures of a class that are looked at, at most, of sources that have many."""


def taken_to(run: Run, pictures: PicturesConfig) -> Run:
    """The same agents before other pictures, all of which may be shown and stand as candidates (``EVERYTHING``).

    Args:
        run: whose agents; they have no part in the pictures but their size.
        pictures: a config of any kind; its split, its copies and its size are not used.

    Raises:
        InputError: the pictures cannot be had.
    """
    changes = {"size": run.gallery.size, "split": SplitConfig(by=("picture",), validation=0, test=0), "views": 1}
    if "per_class" in type(pictures).model_fields:
        changes["per_class"] = min(getattr(pictures, "per_class", None) or OF_A_CLASS, OF_A_CLASS)
    other = load_gallery(pictures.model_copy(update=changes), run.trunks, FeatureCache.of_user(), run.gallery.device)
    return replace(run, gallery=other)


def changed(part: Game, **values: object) -> Game | None:
    """The same game with other values of some keys; None where it has not the key, or they do not go together."""
    kind = type(part)
    if not set(values) <= set(getattr(kind, "model_fields", {})):
        return None
    try:
        made: Game = kind.model_validate({**dict(part), **values})  # type: ignore[attr-defined, call-overload]
    except ValueError:
        return None
    return made


def playable(part: Game, gallery: Gallery, split: str) -> bool:
    """Whether a round of the game can be dealt from a split."""
    try:
        part.deal(gallery, split, 1, torch.Generator().manual_seed(0))
    except InputError:
        return False
    return True


def largest(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """The largest number from ``low`` to ``high`` that fits, where all below one that fits do too; None for none.

    >>> largest(lambda k: k <= 37, 2, 100), largest(lambda k: k <= 37, 2, 30), largest(lambda k: False, 2, 9)
    (37, 30, None)
    """
    if not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def most_candidates(part: Game, gallery: Gallery, split: str, most: int) -> Game | None:
    """The same game with as many candidates, up to ``most``, as the split has room for; None where not even two fit."""

    def fits(k: int) -> bool:
        made = changed(part, candidates=k)
        return made is not None and playable(made, gallery, split)

    found = largest(fits, 2, most)
    return None if found is None else changed(part, candidates=found)
