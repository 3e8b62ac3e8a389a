"""What each stroke is worth to a value of sets of strokes: left out, and by Shapley; pure functions of that value."""

from collections.abc import Callable
from itertools import product
from math import comb

import torch

from raster.shapes import Bool, Float, Tensor

Value = Callable[[Bool[Tensor, "g m n"]], Float[Tensor, "g m"]]
"""M sets of the N strokes of each of G drawings to what each set is worth."""


def ends(value: Value, games: int, strokes: int) -> Float[Tensor, "g 2"]:
    """What no stroke and all strokes are worth."""
    both = torch.tensor([False, True])[:, None].expand(-1, strokes)
    return value(both.expand(games, -1, -1))


def leave_one_out(value: Value, games: int, strokes: int) -> Float[Tensor, "g n"]:
    """What is lost when one stroke is taken away: v(all) - v(all but it)."""
    without = ~torch.eye(strokes, dtype=torch.bool)
    return ends(value, games, strokes)[:, 1:] - value(without.expand(games, -1, -1))


def shapley(
    value: Value, games: int, strokes: int, pairs: int, generator: torch.Generator
) -> Float[Tensor, "pairs g n"]:
    """Shapley values of strokes by sampled permutations: independent unbiased estimates, the mean of which is the best.

    The Shapley value is what a stroke adds, averaged over all orders in which strokes may be drawn (Shapley 1953;
    sampled as Castro et al. 2009). Each estimate takes one random order and the same order backwards, whose errors
    partly cancel (Mitchell et al. 2022). In every estimate the values of a drawing add up to v(all) - v(none).
    """
    whole = ends(value, games, strokes)
    found = torch.zeros(pairs, games, strokes, dtype=whole.dtype, device=whole.device)
    for number in range(pairs):
        order = torch.rand(games, strokes, generator=generator).argsort(dim=1)  # [G, N]
        for each in (order, order.flip(1)):
            place = each.argsort(dim=1)  # where each stroke stands
            begun = place[:, None, :] < torch.arange(1, strokes)[:, None]  # [G, N - 1, N]
            middle = value(begun) if strokes > 1 else whole[:, :0]
            steps = torch.cat([whole[:, :1], middle, whole[:, 1:]], dim=1).diff(dim=1)  # [G, N]
            found[number] += steps.gather(1, place.to(steps.device)) / 2
    return found


def exact_shapley(value: Value, games: int, strokes: int) -> Float[Tensor, "g n"]:
    """Shapley values from all 2^N sets, for few strokes."""
    sets = torch.tensor(list(product((False, True), repeat=strokes)))  # [2^N, N]
    worth = value(sets.expand(games, -1, -1))  # [G, 2^N]
    index = 2 ** torch.arange(strokes - 1, -1, -1)
    found = []
    for stroke in range(strokes):
        without = sets[~sets[:, stroke]]
        weight = torch.tensor(
            [1 / (strokes * comb(strokes - 1, int(each))) for each in without.sum(1)], dtype=torch.float64
        )
        before = (without * index).sum(1)
        added = worth[:, before + index[stroke]] - worth[:, before]
        found.append((added * weight.to(added)).sum(1))
    return torch.stack(found, dim=1)


def squares(estimates: Float[Tensor, "pairs g n"]) -> Float[Tensor, " g"]:
    """The sum of the squares of a drawing's values, without what the noise of estimates would add: products of
    independent estimates only. Of one estimate its own square (it is then exact).
    """
    pairs = len(estimates)
    if pairs == 1:
        return estimates[0].square().sum(dim=1)
    total = estimates.sum(dim=0).square() - estimates.square().sum(dim=0)
    return total.sum(dim=1) / (pairs * (pairs - 1))
