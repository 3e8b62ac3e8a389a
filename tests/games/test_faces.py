"""The three faces of the original game, as docs/games.md sets them: what each deals."""

import torch

from games import Referential
from games.pictures import Gallery

ORIGINAL = {"view": "same", "pool": "photos"}
SAME = {"view": "same", "pool": "classes", "candidates": 10}
DIFFERENT = {"view": "class", "pool": "classes", "candidates": 10}


def test_in_the_original_all_games_share_one_pool_of_photos_and_each_photo_is_a_target(digits: Gallery) -> None:
    game = Referential.model_validate(ORIGINAL | {"candidates": 100})
    for seed in range(5):
        round = game.deal(digits, "train", 100, torch.Generator().manual_seed(seed))
        assert round.pool.shape == (1, 100) and not round.pool_of.any()
        assert len(set(round.pool[0].tolist())) == 100  # 99 distractors a game
        assert sorted(round.target.tolist()) == list(range(100))
        assert torch.equal(round.pool[0, round.target], round.shown)
        # Any photos: classes come more than once, as often as chance has it.
        counts = digits.label[round.pool[0]].bincount(minlength=10)
        assert counts.max() > 1 and len(set(counts.tolist())) > 1


def test_in_same_there_is_a_candidate_of_each_class_and_the_target_is_the_senders_own(digits: Gallery) -> None:
    game = Referential.model_validate(SAME)
    for seed in range(5):
        round = game.deal(digits, "train", 100, torch.Generator().manual_seed(seed))
        assert round.pool.shape == (10, 10)
        assert all(sorted(digits.label[pool].tolist()) == list(range(10)) for pool in round.pool)
        assert torch.equal(round.pool[round.pool_of, round.target], round.shown)
        for pool in range(10):  # as in the original's sampler every photo of a pool is a target
            assert sorted(round.target[round.pool_of == pool].tolist()) == list(range(10))


def test_in_different_the_target_is_another_picture_of_the_class(digits: Gallery) -> None:
    game = Referential.model_validate(DIFFERENT)
    for seed in range(5):
        round = game.deal(digits, "train", 100, torch.Generator().manual_seed(seed))
        assert all(sorted(digits.label[pool].tolist()) == list(range(10)) for pool in round.pool)
        target = round.pool[round.pool_of, round.target]
        assert torch.equal(digits.label[target], digits.label[round.shown])
        assert (target != round.shown).all()


def test_fewer_candidates_than_classes_take_other_classes_each_time(digits: Gallery) -> None:
    game = Referential.model_validate(SAME | {"candidates": 4})
    generator = torch.Generator().manual_seed(0)
    seen = {tuple(sorted(digits.label[game.deal(digits, "train", 1, generator).pool[0]].tolist())) for _ in range(30)}
    assert len(seen) > 10 and all(len(set(classes)) == 4 for classes in seen)
