"""What a game costs, against torch's own and against slow sums."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from games import Referential, Round, losses
from raster.shapes import Tensor

seeds = st.integers(0, 2**31)


def some(seed: int, games: int = 6, candidates: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(games, candidates, generator=generator, dtype=torch.float64)
    return scores, torch.randint(candidates, (games,), generator=generator)


@given(seed=seeds)
def test_multi_margin_is_torchs_and_hinge_is_its_sum(seed: int) -> None:
    scores, target = some(seed)
    torchs = F.multi_margin_loss(scores, target, margin=1.0, p=1, reduction="none")
    assert torch.allclose(losses.multi_margin(scores, target), torchs)
    assert torch.allclose(losses.hinge(scores, target), 7 * torchs)


@given(seed=seeds)
def test_hinge_is_summed_over_the_distractors(seed: int) -> None:
    scores, target = some(seed)
    slow = [
        sum(max(0.0, 1 - float(row[y]) + float(row[j])) for j in range(7) if j != int(y))
        for row, y in zip(scores, target, strict=True)
    ]
    assert torch.allclose(losses.hinge(scores, target), torch.tensor(slow, dtype=torch.float64))


@given(seed=seeds, games=st.integers(1, 9))
def test_info_nce_goes_both_ways_and_stays_on_its_pool(seed: int, games: int) -> None:
    scores, _ = some(seed, games)
    generator = torch.Generator().manual_seed(seed)
    pool_of = torch.arange(games) % 2
    target = torch.stack([torch.randperm(7, generator=generator) for _ in range(2)])[pool_of, torch.arange(games) // 2]
    slow = []
    for b in range(games):
        y = int(target[b])
        there = scores[b].exp()
        back = [math.exp(float(scores[g, y])) for g in range(games) if pool_of[g] == pool_of[b]]
        forth = float(there[y] / there.sum())
        slow.append(-(math.log(forth) + math.log(math.exp(float(scores[b, y])) / sum(back))) / 2)
    found = losses.info_nce(scores, target, pool_of)
    assert torch.allclose(found, torch.tensor(slow, dtype=torch.float64))


def test_a_whole_pool_has_the_symmetric_loss_of_clip() -> None:
    # Every candidate is a target once: with sketches in the order of their photos it is the mean of the cross-entropies
    # of the rows and of the columns of one square matrix.
    scores, _ = some(0, 7)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    square, own = scores[:, order], torch.arange(7)
    clip = (F.cross_entropy(square, own) + F.cross_entropy(square.T, own)) / 2
    assert torch.allclose(losses.info_nce(scores, order, torch.zeros(7, dtype=torch.long)).mean(), clip)


def test_alone_on_its_pool_a_game_is_told_from_nothing_and_gradients_are_finite() -> None:
    scores, target = some(3)
    scores.requires_grad_()
    found = losses.info_nce(scores, target, torch.arange(6))
    assert torch.allclose(found, losses.cross_entropy(scores, target) / 2)
    (gradient,) = torch.autograd.grad(found.sum(), scores)
    assert gradient.isfinite().all()


@given(seed=seeds)
def test_several_targets_cost_the_mean_binary_cross_entropy_of_their_candidates(seed: int) -> None:
    scores, _ = some(seed)
    targets = torch.rand(6, 7, generator=torch.Generator().manual_seed(seed)) < 0.3
    p = scores.sigmoid()
    slow = -torch.where(targets, p, 1 - p).log().mean(dim=1)
    assert torch.allclose(losses.binary(scores, targets), slow)


@pytest.mark.parametrize("name", ["cross_entropy", "hinge", "multi_margin", "info_nce", "binary"])
def test_gradients_of_losses_are_those_of_differences(name: str) -> None:
    scores, target = some(5, 4)
    scores.requires_grad_()
    more: tuple[Tensor, ...] = (target,)
    if name == "info_nce":
        more = (torch.arange(4), torch.zeros(4, dtype=torch.long))
    elif name == "binary":
        more = (scores.detach() > 0,)
    assert torch.autograd.gradcheck(lambda x: getattr(losses, name)(x, *more), (scores,))


@pytest.mark.parametrize("name", ["cross_entropy", "hinge", "multi_margin", "info_nce"])
def test_a_game_costs_what_its_config_names(name: str) -> None:
    scores, _ = some(1, 4)
    target = torch.arange(4)
    round = Round(torch.zeros(1, 7, dtype=torch.long), target, torch.zeros_like(target), target, "train", 0)
    more = (round.pool_of,) if name == "info_nce" else ()
    expected = getattr(losses, name)(scores, target, *more)
    game = Referential.model_validate({"loss": name, "candidates": 7})
    assert torch.equal(game.price(scores, round), expected)
