"""The referential game: what is dealt obeys the view, what is played is scored and priced as the papers say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from games import Mixture, Referential, Round
from games.pictures import Album, Gallery, SplitConfig
from perception import Trunks
from raster import CanvasConfig, InputError, Strokes


@given(
    view=st.sampled_from(["same", "class", "artist"]),
    pool=st.sampled_from(["classes", "photos"]),
    candidates=st.integers(2, 9),
    hands=st.sampled_from(["any", "one"]),
    games=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_every_deal_obeys_its_view(
    gallery: Gallery, view: str, pool: str, candidates: int, hands: str, games: int, seed: int
) -> None:
    game = Referential.model_validate({"view": view, "pool": pool, "candidates": candidates, "hands": hands})
    round = game.deal(gallery, "train", games, torch.Generator().manual_seed(seed))
    split = gallery.splits["train"]
    assert round.pool.shape[1] == candidates
    assert round.target.shape == round.pool_of.shape == round.shown.shape == (games,)
    target = round.pool[round.pool_of, round.target]
    assert split.pool[round.pool].all() and split.shown[round.shown].all()
    assert torch.equal(gallery.label[target], gallery.label[round.shown])
    for row in round.pool:
        assert len(set(row.tolist())) == candidates
        if pool == "classes":
            assert len(set(gallery.label[row].tolist())) == candidates
        if hands == "one":
            assert len(set(gallery.hand[row].tolist())) == 1
    if view == "same":
        assert torch.equal(target, round.shown)
    elif view == "class":
        assert (target != round.shown).all()
    else:
        assert (gallery.hand[target] != gallery.hand[round.shown]).all()


def test_games_on_one_pool_have_different_targets(gallery: Gallery) -> None:
    round = Referential(candidates=5).deal(gallery, "train", 10, torch.Generator().manual_seed(0))
    assert round.pool.shape == (2, 5)
    for pool in range(2):
        assert sorted(round.target[round.pool_of == pool].tolist()) == [0, 1, 2, 3, 4]


def test_pools_of_one_hand_take_hands_in_turn_and_only_such_as_have_enough(gallery: Gallery) -> None:
    generator = torch.Generator().manual_seed(0)
    game = Referential(candidates=9, pool="photos", hands="one")
    seen = torch.cat([gallery.hand[game.deal(gallery, "train", 1, generator).pool[0]] for _ in range(60)])
    assert sorted(seen.unique().tolist()) == [0, 2, 3, 4]
    # Two artists are of hand 0, so it alone has more than 9 things x 2 views.
    large = Referential(candidates=20, pool="photos", hands="one")
    seen = torch.cat([gallery.hand[large.deal(gallery, "train", 1, generator).pool[0]] for _ in range(20)])
    assert seen.unique().tolist() == [0]


def test_too_many_candidates_by_one_hand_say_how_many_there_are(gallery: Gallery) -> None:
    with pytest.raises(InputError, match=r"64 candidates, but only 36 photos by one hand can be played.*at most 36"):
        Referential(candidates=64, pool="photos", hands="one").deal(gallery, "train", 4, torch.Generator())


def test_targets_stand_anywhere(gallery: Gallery) -> None:
    generator = torch.Generator().manual_seed(0)
    seen = torch.cat([Referential(candidates=4).deal(gallery, "train", 1, generator).target for _ in range(400)])
    counts = seen.bincount(minlength=4).double()
    assert (counts > 60).all()  # 100 each; 60 is 4.6 deviations below


def test_the_same_generator_deals_the_same_round(gallery: Gallery) -> None:
    first, second = (
        Referential(candidates=4).deal(gallery, "train", 8, torch.Generator().manual_seed(3)) for _ in "ab"
    )
    assert torch.equal(first.pool, second.pool) and torch.equal(first.target, second.target)
    assert torch.equal(first.shown, second.shown) and first.seed == second.seed


def test_too_many_candidates_is_one_clear_line(gallery: Gallery) -> None:
    with pytest.raises(InputError, match=r"64 candidates, but only 9 classes can be played.*take at most 9") as caught:
        Referential(candidates=64).deal(gallery, "train", 4, torch.Generator())
    assert "\n" not in str(caught.value)


def test_an_unknown_split_names_those_there_are(gallery: Gallery) -> None:
    with pytest.raises(InputError, match=r"no split 'validation'.*train"):
        Referential(candidates=4).deal(gallery, "validation", 4, torch.Generator())


def test_one_artist_cannot_play_the_artist_game() -> None:
    album = Album(
        pixels=np.zeros((6, 3, 8, 8), dtype=np.uint8),
        label=np.repeat(np.arange(3), 2),
        artist=np.zeros(6, dtype=np.int64),
        classes=["a", "b", "c"],
        groups=[""] * 3,
        source="one hand",
    )
    alone = Gallery(album, SplitConfig(by=("picture",), validation=0.0, test=0.0), Trunks("cpu"))
    with pytest.raises(InputError, match="only 0 classes can be played with view 'artist'"):
        Referential(view="artist", candidates=2).deal(alone, "train", 2, torch.Generator())


def test_a_mixture_plays_its_parts_in_turn(gallery: Gallery) -> None:
    mixture = Mixture(of=(Referential(candidates=4), Referential(view="artist", candidates=4)))
    generator = torch.Generator().manual_seed(0)
    rounds = [mixture.deal(gallery, "train", 4, generator, turn) for turn in range(4)]
    assert [round.part for round in rounds] == [0, 1, 0, 1]
    assert all(torch.equal(r.pool[r.pool_of, r.target], r.shown) for r in rounds[::2])
    assert mixture.label == "same+artist"


def test_a_mixture_plays_each_part_as_many_turns_as_it_says(gallery: Gallery) -> None:
    parts = (Referential(candidates=4), Referential(view="artist", candidates=4))
    mixture = Mixture(of=parts, turns=(2, 1))
    generator = torch.Generator().manual_seed(0)
    rounds = [mixture.deal(gallery, "train", 4, generator, turn) for turn in range(6)]
    assert [round.part for round in rounds] == [0, 0, 1, 0, 0, 1]
    with pytest.raises(ValidationError, match="3 turns for 2 games"):
        Mixture(of=parts, turns=(1, 1, 1))


class _Telepaths:
    """Draw a fixed line and know the answer: scores are the overlap of the candidate's index with the photo's."""

    def draw(self, view: object, generator: torch.Generator) -> Strokes:
        return Strokes(points=torch.zeros(len(view.index), 1, 2, 2))  # type: ignore[attr-defined]

    def score(
        self, canvas: torch.Tensor, pool: object, pools: int, pool_of: torch.Tensor, generator: object
    ) -> torch.Tensor:
        candidates = pool.index.unflatten(0, (pools, -1))[pool_of]  # type: ignore[attr-defined]
        return -(candidates - self.shown[:, None]).abs().float()

    def __init__(self, round: Round) -> None:
        self.shown = round.shown


def test_a_play_reports_choice_and_correctness(gallery: Gallery) -> None:
    game = Referential(candidates=5)
    round = game.deal(gallery, "train", 10, torch.Generator().manual_seed(1))
    play = game.play(_Telepaths(round), round, gallery, CanvasConfig(size=16), 0)
    assert play.correct.all()
    assert torch.equal(play.choice, round.target)
    assert play.canvas.shape == (10, 16, 16) and play.scores.shape == (10, 5) and play.loss.shape == (10,)
    assert ((play.probability > 0.2) & (play.probability <= 1)).all()
