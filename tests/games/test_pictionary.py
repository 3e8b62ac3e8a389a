"""Pictionary: the probabilities of stopping are right, what is learned is the expected cost, what is played is told."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from games import Pictionary, Play, Referential
from games.course import decided, drawn_from, log_stop, reached
from games.pictionary import TurnPlayers, sampled, told
from games.pictures import Album, Gallery, SplitConfig
from perception import Trunks
from raster import CanvasConfig, Strokes

CANVAS = CanvasConfig(size=8, sigma2=5e-2)  # type: ignore[arg-type]
T, N, B, K = 3, 2, 4, 4


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    """12 things, four pictures each."""
    label = np.repeat(np.arange(12), 4)
    album = Album(
        pixels=np.random.default_rng(0).integers(0, 256, (48, 3, 8, 8), dtype=np.uint8),
        label=label.astype(np.int64),
        artist=np.zeros(48, dtype=np.int64),
        classes=[f"thing-{i}" for i in range(12)],
        groups=[""] * 12,
        source="random pictures",
    )
    return Gallery(album, SplitConfig(by=("picture",), validation=0.0, test=0.25), Trunks("cpu"))


def waits(seed: int, turns: int, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(5, turns - 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# When a game stops


@given(seed=st.integers(0, 2**31), turns=st.integers(2, 9), scale=st.floats(0, 30))
def test_the_probabilities_of_stopping_are_the_product_of_decisions_and_sum_to_one(
    seed: int, turns: int, scale: float
) -> None:
    wait = waits(seed, turns, scale)
    stop, still = log_stop(wait).exp(), reached(wait)
    assert torch.allclose(stop.sum(dim=-1), torch.ones(5, dtype=torch.float64))
    for row, logits in enumerate(wait.tolist()):
        answer = [1 / (1 + math.exp(each)) for each in logits] + [1.0]
        left = 1.0
        for turn in range(turns):
            assert float(still[row, turn]) == pytest.approx(left, abs=1e-12)
            assert float(stop[row, turn]) == pytest.approx(left * answer[turn], abs=1e-12)
            left *= 1 - answer[turn]


def test_a_turn_that_is_hardly_ever_reached_keeps_its_gradient() -> None:
    wait = torch.tensor([[-200.0, 150.0]], requires_grad=True)
    log_stop(wait)[0, 2].backward()
    assert wait.grad is not None and wait.grad[0, 0] == pytest.approx(1.0)


@given(seed=st.integers(0, 2**31), turns=st.integers(2, 7))
def test_who_does_not_gamble_answers_at_the_first_decision_above_one_half(seed: int, turns: int) -> None:
    wait = waits(seed, turns)
    for taken, logits in zip(decided(wait).tolist(), wait.tolist(), strict=True):
        answers = [1 / (1 + math.exp(each)) > 0.5 for each in logits] + [True]
        assert taken == answers.index(True)


@given(seed=st.integers(0, 2**31), turns=st.integers(2, 7), noise=st.floats(0, 1, exclude_max=True))
def test_a_turn_is_drawn_by_its_probability(seed: int, turns: int, noise: float) -> None:
    stop = log_stop(waits(seed, turns)).exp()
    for taken, row in zip(drawn_from(stop, torch.full((5,), noise, dtype=torch.float64)), stop, strict=True):
        below = sum(row[: int(taken)].tolist())
        assert below <= noise + 1e-12 and (noise < below + float(row[int(taken)]) + 1e-12)


# Players that know the way


class _Toys:
    """Draw what they are given, look through a fixed matrix, and wait by a line through the best score."""

    def __init__(self, training: bool = True, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def some(*shape: int, scale: float = 1.0) -> torch.Tensor:
            return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).requires_grad_()

        self.training = training
        self.points, self.eye = some(B, T * N, 2, 2, scale=0.5), some(64, K, scale=0.6)
        self.slope, self.turn = some(1, scale=0.7), some(T - 1, scale=0.7)
        self.mean = torch.tensor(0.3, dtype=torch.float64)
        self.heard: list[torch.Tensor | None] = []

    @property
    def learned(self) -> tuple[torch.Tensor, ...]:
        return self.points, self.eye, self.slope, self.turn

    @property
    def patience(self) -> "_Toys":
        return self

    def __call__(self, scores: torch.Tensor, turn: int) -> torch.Tensor:
        return self.slope * scores.amax(dim=-1) + self.turn[turn]

    def remember(self, cost: torch.Tensor, keep: float) -> None:
        self.mean = keep * self.mean + (1 - keep) * cost

    def draw(self, view: object, generator: torch.Generator) -> Strokes:
        return Strokes(self.points)

    def score(
        self, canvas: torch.Tensor, pool: object, pools: int, pool_of: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        return canvas.flatten(1) @ self.eye

    def begin(self, view: object, generator: torch.Generator) -> int:
        return 0

    def more(
        self, at: int, canvas: torch.Tensor | None, count: int, generator: torch.Generator, heard: torch.Tensor | None
    ) -> tuple[Strokes, int]:
        self.heard.append(heard)
        return Strokes(self.points[:, at : at + count]), at + count

    def look(self, pool: object, pools: int, generator: torch.Generator) -> torch.Tensor:
        return torch.zeros(pools, K, 1)

    def guess(self, canvas: torch.Tensor, photos: torch.Tensor, pool_of: torch.Tensor) -> torch.Tensor:
        return canvas.flatten(1) @ self.eye


def pictionary(**keys: Any) -> Pictionary:
    return Pictionary.model_validate({"candidates": K, "turns": T, "strokes": N, "price": 0.25, **keys})


def played(gallery: Gallery, toys: _Toys, seed: int = 0, **keys: Any) -> Play:
    """A round of four games, the same but for its noise."""
    game = pictionary(**keys)
    round = game.deal(gallery, "train", B, torch.Generator().manual_seed(0))
    return game.play(toys, replace(round, seed=seed), gallery, CANVAS, 0)


def test_pairs_of_agents_and_toys_are_players_of_turns() -> None:
    assert isinstance(_Toys(), TurnPlayers)
    assert not isinstance(object(), TurnPlayers)


@pytest.mark.parametrize("keys", [{"view": "class"}, {"pool": "photos", "candidates": 9}])
def test_a_round_is_dealt_as_in_the_referential_game(gallery: Gallery, keys: dict[str, Any]) -> None:
    ours, theirs = pictionary(**keys), Referential.model_validate({"candidates": K, **keys})
    one, other = (game.deal(gallery, "train", 7, torch.Generator().manual_seed(5)) for game in (ours, theirs))
    assert torch.equal(one.pool, other.pool) and torch.equal(one.target, other.target)
    assert torch.equal(one.shown, other.shown) and one.seed == other.seed
    assert ours.label == theirs.label and list(ours.parts) == [ours]


def test_every_turn_costs_its_guess_and_the_price_of_all_turns_so_far(gallery: Gallery) -> None:
    toys = _Toys()
    play = played(gallery, toys)
    assert play.course is not None
    for turn in range(T):
        canvas = CANVAS.draw(Strokes(toys.points[:, : (turn + 1) * N]))
        scores = canvas.flatten(1) @ toys.eye
        assert torch.allclose(play.course.scores[:, turn], scores)
        cost = torch.nn.functional.cross_entropy(scores, play.round.target, reduction="none") + 0.25 * (turn + 1)
        found = pictionary().costs(play.course.scores, play.round.target, 0)[:, turn]
        assert torch.allclose(found, cost)
    rising = pictionary(price={"from": 0, "to": 1, "over": 10})
    scores, target = play.course.scores, play.round.target
    gained = rising.costs(scores, target, 10) - rising.costs(scores, target, 0)
    assert torch.allclose(gained, torch.arange(1, T + 1).expand(B, -1).double())


@pytest.mark.parametrize("explore", [0.0, 0.3])
def test_the_loss_that_is_learned_is_what_games_cost_on_average(gallery: Gallery, explore: float) -> None:
    play = played(gallery, _Toys(), explore=explore)
    assert play.course is not None
    costs = pictionary().costs(play.course.scores, play.round.target, 0).detach().numpy()
    answer = play.course.answer.detach().numpy()
    rng, games = np.random.default_rng(0), 40_000
    for game in range(B):
        coins = rng.random((games, T)) < answer[game]  # a coin after every turn; the last one always falls on answer
        any_turn = rng.random(games) < explore
        paid = costs[game, np.where(any_turn, rng.integers(T, size=games), coins.argmax(axis=1))]
        error = paid.std() / games**0.5
        assert abs(paid.mean() - float(play.loss[game].detach())) < 4.5 * error + 1e-12


@pytest.mark.parametrize(("baseline", "explore"), [(0.0, 0.0), (1.3, 0.0), (1.3, 0.3)])
def test_reinforce_has_the_gradient_of_the_expected_cost_on_average(
    gallery: Gallery, baseline: float, explore: float
) -> None:
    # In costs and decisions, game by game: all that is drawn and seen gets its gradient through these.
    toys, many = _Toys(), 50_000
    course = played(gallery, toys).course
    assert course is not None
    costs = pictionary().costs(course.scores, torch.zeros(B, dtype=torch.long), 0).detach()
    toys.mean = torch.tensor(baseline, dtype=torch.float64)
    found = []
    for learn, times in (("expected", 1), ("reinforce", many)):
        cost = costs.repeat(times, 1).requires_grad_()  # [times B, T]
        wait = course.wait.detach().repeat(times, 1).requires_grad_()  # [times B, T - 1]
        game = pictionary(learn={"kind": learn})
        loss = game._learned(cost, wait, toys, torch.Generator().manual_seed(0), explore)
        grads = torch.autograd.grad(loss.sum(), (cost, wait))
        found.append(torch.cat(grads, dim=1).unflatten(0, (times, B)))
    exact, samples = found[0][0], found[1]
    error = samples.std(dim=0) / many**0.5
    assert ((samples.mean(dim=0) - exact).abs() < 4.5 * error + 1e-9).all()
    decision = slice(T, None)
    assert (exact[:, decision].abs() > 10 * error[:, decision]).any(dim=0).all()  # enough to tell it from none


def test_what_reinforce_draws_learns_through_the_rasteriser(gallery: Gallery) -> None:
    toys = _Toys()
    play = played(gallery, toys, learn={"kind": "reinforce"})
    found = torch.autograd.grad(play.loss.sum(), toys.learned)
    assert all(each.abs().sum() > 0 for each in found)


@pytest.mark.parametrize("learn", ["expected", "reinforce"])
def test_while_all_games_explore_every_turn_is_learned_alike_and_no_decision(gallery: Gallery, learn: str) -> None:
    toys = _Toys()
    play = played(gallery, toys, explore={"from": 1, "to": 0, "over": 9}, learn={"kind": learn})
    found = torch.autograd.grad(play.loss.sum(), toys.learned, allow_unused=True)
    assert found[0] is not None and found[1] is not None and found[2:] == (None, None)
    if learn == "expected":
        assert play.course is not None
        assert torch.allclose(play.loss, pictionary().costs(play.course.scores, play.round.target, 0).mean(dim=1))


def test_a_sampled_cost_is_worth_itself_and_turns_only_by_what_differs_from_the_baseline() -> None:
    cost = torch.tensor([2.0, 1.0], requires_grad=True)
    chance = torch.tensor([-0.5, -1.5], requires_grad=True)
    loss = sampled(cost, chance, torch.tensor(1.0))
    assert torch.equal(loss, cost)
    loss.sum().backward()
    assert cost.grad is not None and cost.grad.tolist() == [1.0, 1.0]
    assert chance.grad is not None and chance.grad.tolist() == [1.0, 0.0]


def test_reinforce_draws_its_turn_from_the_round_and_moves_its_baseline(gallery: Gallery) -> None:
    learn = {"kind": "reinforce", "baseline": 0.75}
    one, two = _Toys(), _Toys()
    first, again = played(gallery, one, 7, learn=learn), played(gallery, two, 7, learn=learn)
    assert torch.equal(first.loss, again.loss)
    assert float(one.mean) == pytest.approx(0.75 * 0.3 + 0.25 * float(first.loss.detach().mean()))
    costs = pictionary().costs(first.course.scores, first.round.target, 0)  # type: ignore[union-attr]
    assert torch.isclose(costs, first.loss[:, None]).any(dim=1).all()  # each game stopped at one of its turns
    losses = {tuple(played(gallery, _Toys(), seed, learn=learn).loss.tolist()) for seed in range(8)}
    assert len(losses) > 1
    kept = _Toys()
    played(gallery, kept, 7)
    assert float(kept.mean) == 0.3  # what is expected needs no baseline
    measured = _Toys(training=False)
    played(gallery, measured, 7, learn=learn)
    assert float(measured.mean) == 0.3  # and nothing is learned from a measurement


def test_the_expected_cost_passes_gradcheck_through_drawing_guess_and_decision(gallery: Gallery) -> None:
    toys = _Toys()

    def loss(*learned: torch.Tensor) -> torch.Tensor:
        toys.points, toys.eye, toys.slope, toys.turn = learned
        return played(gallery, toys).loss

    assert torch.autograd.gradcheck(loss, toys.learned, eps=1e-6, atol=1e-5, fast_mode=True)  # all 355 along one way


def test_while_agents_learn_a_stroke_is_there_by_the_probability_of_its_turn(gallery: Gallery) -> None:
    toys = _Toys()
    play = played(gallery, toys)
    assert play.course is not None and play.strokes.presence is not None
    assert play.strokes.points.shape == (B, T * N, 2, 2)
    shares = reached(play.course.wait).repeat_interleave(N, dim=1)
    assert torch.allclose(play.strokes.presence, shares)
    assert torch.allclose(play.canvas, CANVAS.draw(play.strokes))
    pull = torch.autograd.grad(play.canvas.sum(), toys.learned, allow_unused=True)
    assert pull[0] is not None and pull[0].abs().sum() > 0
    assert pull[1:] == (None, None, None)  # a bias pushes the drawing, not the decision


def test_a_measured_drawing_is_what_stood_there_when_the_receiver_answered(gallery: Gallery) -> None:
    toys, turns = _Toys(training=False), set()
    for shift in (-3.0, -0.5, 0.0, 0.5, 3.0):
        toys.turn = torch.tensor([shift, 0.2], dtype=torch.float64)
        play = played(gallery, toys)
        assert play.course is not None and play.strokes.presence is not None
        costs = pictionary().costs(play.course.scores, play.round.target, 0)
        for game, taken in enumerate(play.course.taken.tolist()):
            turns.add(taken)
            strokes = Strokes(toys.points[game : game + 1, : (taken + 1) * N])
            assert torch.allclose(play.canvas[game], CANVAS.draw(strokes)[0])
            assert play.strokes.presence[game].tolist() == [float(n < (taken + 1) * N) for n in range(T * N)]
            assert torch.equal(play.scores[game], play.course.scores[game, taken])
            assert play.loss[game] == costs[game, taken]
            assert play.course.right(play.round.target)[game, taken] == play.correct[game]
        assert torch.allclose(CANVAS.draw(play.strokes), play.canvas)
    assert len(turns) > 1


def test_a_gradient_is_asked_of_the_points_that_later_turns_were_drawn_upon(gallery: Gallery) -> None:
    toys = _Toys()
    play = played(gallery, toys)
    found = torch.autograd.grad(play.loss.sum(), play.drawn, retain_graph=True)
    whole = torch.autograd.grad(play.loss.sum(), toys.points)[0]
    assert torch.allclose(torch.cat(found, dim=1), whole)


@given(seed=st.integers(0, 2**31), candidates=st.integers(2, 9))
def test_a_sender_is_told_how_the_guess_stands(seed: int, candidates: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, candidates, generator=generator, dtype=torch.float64) * 3
    target = torch.randint(candidates, (3,), generator=generator)
    for found, row, own in zip(
        told(scores, target).tolist(), scores.softmax(-1).tolist(), target.tolist(), strict=True
    ):
        others = [each for place, each in enumerate(row) if place != own]
        entropy = -sum(each * math.log(each) for each in row)
        slow = [math.log(row[own]), math.log(max(others)), entropy]
        assert found == pytest.approx([each / math.log(candidates) for each in slow])


@pytest.mark.parametrize("sees", [True, False])
def test_scores_are_told_before_every_turn_but_the_first_if_at_all(gallery: Gallery, sees: bool) -> None:
    toys = _Toys()
    play = played(gallery, toys, sees_scores=sees)
    assert toys.heard[0] is None and len(toys.heard) == T and play.course is not None
    for turn, heard in enumerate(toys.heard[1:]):
        if sees:
            assert heard is not None and torch.equal(heard, told(play.course.scores[:, turn], play.round.target))
        else:
            assert heard is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"price": -0.1}, "a turn cannot cost -0.1"),
        ({"price": {"from": 1, "to": -1, "over": 3}}, "a turn cannot cost -1"),
        ({"explore": 1.5}, "from 0 to 1; got 1.5"),
        ({"turns": 1}, "greater than or equal to 2"),
        ({"strokes": 0}, "greater than or equal to 1"),
        ({"learn": {"kind": "reinforce", "baseline": 1.0}}, "less than 1"),
        ({"learn": {"kind": "guess"}}, "expected.*reinforce"),
    ],
)
def test_what_cannot_be_played_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        pictionary(**keys)
