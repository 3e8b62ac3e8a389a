"""Several targets or none: what is dealt obeys the range, what is seen is a mean, what is judged is every candidate."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from games import Mixture, Referential, Round, balanced_accuracy, losses
from games.pictures import ConceptView, Gallery, PictureView
from raster import CanvasConfig, InputError, Strokes
from raster.shapes import Tensor


def game_of(least: int = 0, most: int = 3, **keys: object) -> Referential:
    return Referential.model_validate({"targets": {"kind": "several", "least": least, "most": most}, **keys})


def shown(round: Round) -> list[list[int]]:
    assert round.also is not None
    both = torch.cat([round.shown[:, None], round.also], dim=1)
    return [[picture for picture in row if picture >= 0] for row in both.tolist()]


@given(
    view=st.sampled_from(["same", "class", "artist"]),
    least=st.integers(0, 3),
    more=st.integers(0, 2),
    candidates=st.integers(4, 6),
    games=st.integers(1, 30),
    seed=st.integers(0, 2**31),
)
def test_every_deal_of_several_targets_obeys_its_range_and_view(
    gallery: Gallery, view: str, least: int, more: int, candidates: int, games: int, seed: int
) -> None:
    most = min(max(1, least + more), candidates - 1)
    if (least, most) == (0, 1):
        candidates = 4  # half of the games mean what is not there, and there are 9 classes
    game = game_of(least, most, view=view, candidates=candidates)
    round = game.deal(gallery, "train", games, torch.Generator().manual_seed(seed))
    split = gallery.splits["train"]
    assert round.targets is not None and round.targets.shape == (games, candidates)
    assert len(round.target) == len(round.shown) == len(round.pool_of) == games
    assert all(len(set(pool)) == candidates for pool in round.pool.tolist())
    for number, pictures in enumerate(shown(round)):
        pool, meant = round.pool[round.pool_of[number]], round.targets[number]
        (concept,) = set(gallery.label[pictures].tolist())
        targets = pool[meant]
        # All of the concept that stands there is meant, and nothing else.
        assert torch.equal(gallery.label[pool] == concept, meant)
        assert least <= len(targets) <= most
        assert split.pool[pool].all() and split.shown[pictures].all()
        assert len(set(pictures)) == len(pictures) and 1 <= len(pictures) <= max(1, len(targets))
        assert round.target[number] == (meant.nonzero()[0, 0] if len(targets) else -1)
        if view == "same" and len(targets):
            assert set(pictures) == set(targets.tolist())
        elif view == "class":
            assert (
                not set(pictures) & set(pool.tolist()) or not len(targets) or not set(pictures) & set(targets.tolist())
            )
        elif view == "artist" and len(targets):
            assert not set(gallery.hand[pictures].tolist()) & set(gallery.hand[targets].tolist())


@pytest.mark.parametrize("view", ["same", "class", "artist"])
def test_nothing_but_the_drawing_tells_which_concept_of_a_pool_is_meant(gallery: Gallery, view: str) -> None:
    game = game_of(view=view, candidates=6)
    for seed in range(20):
        round = game.deal_pool(gallery, "train", torch.Generator().manual_seed(seed))
        assert len(round.pool) == 1 and round.targets is not None
        present = round.targets[round.targets.any(dim=1)]
        # Each candidate is meant in exactly one game: a group that is there twice is no sign of being asked for.
        assert torch.equal(present.sum(dim=0), torch.ones(6, dtype=torch.long))
        assert len(round.targets) - len(present) == max(1, int(len(present) / 3 + 0.5))


def test_numbers_of_targets_come_about_equally_often(digits: Gallery) -> None:
    game = game_of(0, 3, candidates=7)
    generator = torch.Generator().manual_seed(0)
    counts: Counter[int] = Counter()
    for _ in range(150):
        meant = game.deal(digits, "train", 30, generator).meant
        counts.update(meant.sum(dim=1).tolist())
    parts = [counts[number] / counts.total() for number in range(4)]
    # The last group of a pool takes what room is left, so that ones are a little more frequent.
    assert all(0.15 < part < 0.4 for part in parts)


def test_a_group_too_small_for_the_range_is_never_meant(digits: Gallery) -> None:
    game = game_of(2, 2, candidates=5)
    round = game.deal_pool(digits, "train", torch.Generator().manual_seed(0))
    assert round.targets is not None
    assert round.targets.sum(dim=1).tolist() == [2, 2]
    assert not (round.targets.sum(dim=0) > 1).any()


def test_the_same_generator_deals_the_same_concepts(digits: Gallery) -> None:
    one, two = (game_of(candidates=7).deal(digits, "train", 20, torch.Generator().manual_seed(1)) for _ in "ab")
    assert one.seed == two.seed
    for key in ("pool", "target", "targets", "pool_of", "shown", "also"):
        assert torch.equal(getattr(one, key), getattr(two, key))


def test_too_few_classes_for_the_concepts_are_told_in_a_line(digits: Gallery) -> None:
    with pytest.raises(
        InputError, match=r"20 candidates may take 27 classes .* but there are 10 .*at most 7 candidates"
    ) as caught:
        game_of(candidates=20).deal(digits, "train", 4, torch.Generator())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"pool": "photos"}, "leave out pool, hands and distractors"),
        ({"hands": "one"}, "leave out pool, hands and distractors"),
        ({"distractors": {"kind": "nearest"}}, "leave out pool, hands and distractors"),
        ({"loss": "hinge"}, "leave loss at cross_entropy"),
        ({"candidates": 3}, "3 targets leave no distractor among 3"),
        ({"targets": {"kind": "several", "least": 4, "most": 3}}, "least 4 is above most 3"),
    ],
)
def test_what_several_targets_cannot_go_with_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Referential.model_validate({"targets": {"kind": "several"}, **keys})


def test_one_target_is_meant_where_one_is(digits: Gallery) -> None:
    round = Referential(candidates=5).deal(digits, "train", 10, torch.Generator().manual_seed(0))
    assert torch.equal(round.meant.nonzero()[:, 1], round.target)
    assert type(round.photo(digits)) is PictureView


class _Concepts:
    """Draw nothing and know classes: a candidate's score is above 0 where its class is that of the photos."""

    def __init__(self, gallery: Gallery, slip: float = 1.0) -> None:
        self.gallery, self.slip = gallery, slip

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes:
        assert isinstance(view, ConceptView)
        self.concept = view.label
        return Strokes(points=torch.zeros(len(view), 1, 2, 2))

    def score(self, canvas: Tensor, pool: PictureView, pools: int, pool_of: Tensor, generator: object) -> Tensor:
        label = pool.label.unflatten(0, (pools, -1))[pool_of]
        scores = torch.where(label == self.concept[:, None], 2.0, -1.0)
        scores[0] *= self.slip
        return scores


def test_a_game_of_several_is_won_when_every_candidate_is_judged_rightly(digits: Gallery) -> None:
    game = game_of(candidates=7)
    round = game.deal(digits, "train", 24, torch.Generator().manual_seed(0))
    play = game.play(_Concepts(digits), round, digits, CanvasConfig(size=16), 0)
    assert play.correct.all() and torch.equal(play.taken, round.meant) and play.balanced == 1
    assert torch.allclose(play.loss, losses.binary(play.scores, round.meant))
    sure = torch.where(play.taken, play.scores.sigmoid(), 1 - play.scores.sigmoid()).prod(dim=1)
    assert torch.allclose(play.probability, sure)
    wrong = game.play(_Concepts(digits, slip=-1.0), round, digits, CanvasConfig(size=16), 0)
    assert not wrong.correct[0] and wrong.correct[1:].all() and wrong.balanced < 1
    one_off = replace(play, scores=torch.where(torch.arange(7) == 3, -play.scores, play.scores))
    assert not one_off.correct.any()


@given(seed=st.integers(0, 2**31), share=st.floats(0.05, 0.95))
def test_balanced_accuracy_is_the_mean_of_two_rates_and_half_for_any_constant(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    meant = torch.rand(40, 6, generator=generator) < share
    meant[0, :2] = torch.tensor([True, False])
    took = torch.rand(40, 6, generator=generator) < 0.5
    hits = [bool(t) for t, m in zip(took.flatten(), meant.flatten(), strict=True) if m]
    left = [not bool(t) for t, m in zip(took.flatten(), meant.flatten(), strict=True) if not m]
    assert float(balanced_accuracy(took, meant)) == pytest.approx((sum(hits) / len(hits) + sum(left) / len(left)) / 2)
    for constant in (True, False):
        assert balanced_accuracy(torch.full_like(meant, constant), meant) == 0.5


def test_a_mixture_may_hold_a_game_of_several(digits: Gallery) -> None:
    mixture = Mixture(of=(Referential(candidates=5), game_of(candidates=7, view="class")))
    assert mixture.label == "same+class-several"
    generator = torch.Generator().manual_seed(0)
    one, several = (mixture.deal(digits, "train", 6, generator, turn) for turn in (0, 1))
    assert one.targets is None and several.targets is not None and (one.part, several.part) == (0, 1)
    assert mixture.play(_Concepts(digits), several, digits, CanvasConfig(size=16), 0).correct.all()
