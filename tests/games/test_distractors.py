"""Hard distractors: the nearest there are, out of the cache, and dealt so that only what must be given away is."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from games import Referential, Round
from games.pictures import Gallery
from tests.games.conftest import TRUNK

HARD = {"kind": "nearest", "trunk": TRUNK, "level": 3}


def game_of(**keys: object) -> Referential:
    distractors = HARD | {key: keys.pop(key) for key in ("share", "about") if key in keys}
    return Referential.model_validate({"distractors": distractors, **keys})


def cosines(gallery: Gallery) -> np.ndarray:
    """Likeness of all pairs of pictures, from pixels on: [n, n]."""
    (features,) = gallery.trunks[TRUNK](gallery.pixels.float() / 255, [3])
    mean, std = gallery.standardisation(TRUNK, 3)
    vectors = ((features.half().float() - mean[:, None, None]) / std[:, None, None]).mean(dim=(2, 3)).double().numpy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


@given(
    pool=st.sampled_from(["classes", "photos"]),
    view=st.sampled_from(["same", "class", "artist"]),
    hands=st.sampled_from(["any", "one"]),
    candidates=st.integers(2, 9),
    share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_hard_distractors_are_the_nearest_by_brute_force(
    gallery: Gallery, pool: str, view: str, hands: str, candidates: int, share: float, seed: int
) -> None:
    game = game_of(pool=pool, view=view, hands=hands, candidates=candidates, share=share)
    dealt = game.deal(gallery, "train", 3, torch.Generator().manual_seed(seed))
    assert dealt.pool.shape == (3, candidates) and torch.equal(dealt.pool_of, torch.arange(3))
    likeness = cosines(gallery)
    label, hand = gallery.label.numpy(), gallery.hand.numpy()
    allowed = gallery.splits["train"].pool.numpy()
    hard = round(share * (candidates - 1))
    for candidate_set, place in zip(dealt.pool.numpy(), dealt.target.tolist(), strict=True):
        target = candidate_set[place]
        rest = np.delete(candidate_set, place)
        free = allowed & (np.arange(len(label)) != target)
        if hands == "one":
            free &= hand == hand[target]
        if pool == "classes":
            free &= label != label[target]
            best = sorted((likeness[target, free & (label == c)].max() for c in set(label[free])), reverse=True)
            assert len(set(label[candidate_set])) == candidates
        else:
            best = sorted(likeness[target, free], reverse=True)
            assert len(set(candidate_set)) == candidates
        found = np.sort(likeness[target, rest])[::-1]
        # The hard ones are among them, whatever the random ones are.
        assert (found[:hard] >= np.array(best[:hard]) - 1e-4).all()


def test_a_share_leaves_room_for_random_ones(digits: Gallery) -> None:
    likeness = cosines(digits)

    def mean_of(share: float) -> float:
        game = game_of(candidates=20, pool="photos", share=share)
        round = game.deal(digits, "train", 60, torch.Generator().manual_seed(0))
        target = round.pool[round.pool_of, round.target]
        return float(
            np.mean([likeness[t, p].mean() for t, p in zip(target.tolist(), round.pool.tolist(), strict=True)])
        )

    easy, half, hard = (mean_of(share) for share in (0.0, 0.5, 1.0))
    assert easy + 0.05 < half < hard - 0.05


def test_games_may_share_a_pool_of_like_pictures_and_each_is_a_target_once(digits: Gallery) -> None:
    game = game_of(candidates=8, pool="photos", about="pool")
    round = game.deal(digits, "train", 24, torch.Generator().manual_seed(0))
    assert round.pool.shape == (3, 8)
    likeness = cosines(digits)
    free = digits.splits["train"].pool.numpy()
    for number, pool in enumerate(round.pool.tolist()):
        assert sorted(round.target[round.pool_of == number].tolist()) == list(range(8))
        # One of them is the middle: the others are its nearest.
        nearest = [set(np.argsort(np.where(free, -likeness[middle], np.inf))[:8].tolist()) for middle in pool]
        assert set(pool) in nearest


@pytest.mark.parametrize("about", ["target", "pool"])
def test_where_the_target_stands_says_nothing(digits: Gallery, about: str) -> None:
    game = game_of(candidates=4, about=about)
    generator = torch.Generator().manual_seed(0)
    seen = torch.cat([game.deal(digits, "train", 4, generator).target for _ in range(100)])
    counts = seen.bincount(minlength=4)
    assert (counts > 60).all()  # 100 each; 60 is 4.6 deviations below


def test_what_distractors_are_compared_by_is_read_and_no_photo_passes_in_a_deal(digits: Gallery) -> None:
    game = game_of(candidates=5)
    assert game.reads() == ((TRUNK, 3),) and Referential().reads() == ()
    game.deal(digits, "train", 5, torch.Generator().manual_seed(0))
    before = digits.trunks.passes
    for seed in range(5):
        game.deal(digits, "train", 5, torch.Generator().manual_seed(seed))
    assert digits.trunks.passes == before


def test_random_distractors_are_dealt_as_ever(digits: Gallery) -> None:
    plain, named = (
        Referential(candidates=5),
        Referential.model_validate({"candidates": 5, "distractors": {"kind": "random"}}),
    )
    rounds: list[Round] = [game.deal(digits, "train", 9, torch.Generator().manual_seed(2)) for game in (plain, named)]
    assert torch.equal(rounds[0].pool, rounds[1].pool) and torch.equal(rounds[0].target, rounds[1].target)


def test_info_nce_needs_games_that_share_a_pool() -> None:
    with pytest.raises(ValidationError, match=r"say distractors\.about: pool"):
        game_of(loss="info_nce")
    assert game_of(loss="info_nce", about="pool").label == "same-nearest"
