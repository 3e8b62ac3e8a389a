"""Pools of one class: all candidates are pictures of it, each the target once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from games import Referential
from games.pictures import Gallery
from raster import InputError


@given(
    candidates=st.integers(2, 9),
    games=st.integers(1, 30),
    hands=st.sampled_from(["any", "one"]),
    seed=st.integers(0, 2**31),
)
def test_all_candidates_are_of_one_class_and_the_target_is_what_was_shown(
    gallery: Gallery, candidates: int, games: int, hands: str, seed: int
) -> None:
    if hands == "one":
        candidates = min(candidates, 4)  # two artists of one hand, two pictures each
    game = Referential.model_validate({"pool": "class", "candidates": candidates, "hands": hands})
    round = game.deal(gallery, "train", games, torch.Generator().manual_seed(seed))
    for row in round.pool:
        assert len(set(row.tolist())) == candidates
        assert len(set(gallery.label[row].tolist())) == 1
        assert hands == "any" or len(set(gallery.hand[row].tolist())) == 1
    assert gallery.splits["train"].pool[round.pool].all()
    assert torch.equal(round.pool[round.pool_of, round.target], round.shown)


def test_classes_and_pictures_come_in_turn_and_each_candidate_is_meant_once(gallery: Gallery) -> None:
    generator = torch.Generator().manual_seed(0)
    game = Referential(pool="class", candidates=5)
    assert game.label == "same-within"
    rounds = [game.deal_pool(gallery, "train", generator) for _ in range(60)]
    assert all(sorted(round.target.tolist()) == [0, 1, 2, 3, 4] for round in rounds)
    classes = {int(gallery.label[round.pool[0, 0]]) for round in rounds}
    assert classes == set(gallery.label[gallery.splits["train"].pool].tolist())
    assert len(torch.cat([round.pool[0] for round in rounds]).unique()) > 60  # of 90


def test_what_cannot_be_played_is_told_in_a_line(gallery: Gallery) -> None:
    with pytest.raises(InputError, match=r"11 candidates, but only 10 pictures of one class .*at most 10 .*variants"):
        Referential(pool="class", candidates=11).deal(gallery, "train", 4, torch.Generator())
    with pytest.raises(InputError, match=r"5 candidates, but only 4 pictures of one class by one hand"):
        Referential(pool="class", hands="one", candidates=5).deal(gallery, "train", 4, torch.Generator())
    for wrong in ({"view": "class"}, {"view": "artist"}, {"distractors": {"kind": "nearest"}}):
        with pytest.raises(ValidationError, match="take view: same, and leave out distractors"):
            Referential.model_validate({"pool": "class", "candidates": 4, **wrong})
