"""Biases that compare drawings with one another: same-for-all and novelty, within a batch and with what came before."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from agents.biases import Novelty, SameForAll
from agents.biases._drawing import glance
from agents.biases._memory import Memory

Play = Callable[..., Any]
KEPT = [SameForAll(memory=8, places=4), Novelty(memory=8, places=4)]


def canvases(games: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(games, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def apart(a: torch.Tensor, b: torch.Tensor, places: int = 4) -> float:
    one, two = (glance(each[None], places) for each in (a, b))
    return float((one - two).square().mean())


def test_same_for_all_is_the_mean_distance_to_drawings_of_one_s_class(play: Play) -> None:
    c = canvases(5)
    cost = SameForAll(memory=0, places=4).cost(play(canvas=c, label=torch.tensor([0, 1, 0, 2, 0])))
    expected = [
        (apart(c[0], c[2]) + apart(c[0], c[4])) / 2,
        0,
        (apart(c[2], c[0]) + apart(c[2], c[4])) / 2,
        0,
        (apart(c[4], c[0]) + apart(c[4], c[2])) / 2,
    ]
    assert cost.tolist() == pytest.approx(expected)


def test_same_for_all_remembers_drawings_of_earlier_steps(play: Play) -> None:
    c = canvases(4)
    one = SameForAll(memory=8, places=4)
    kept = one.keeps()
    assert kept is not None
    kept = kept.double()
    one.remember(play(canvas=c[:2], label=torch.tensor([5, 6]), kept=kept))
    cost = one.cost(play(canvas=c[2:], label=torch.tensor([6, 7]), kept=kept))
    assert cost.tolist() == pytest.approx([apart(c[2], c[1]), 0])


def test_novelty_is_the_nearness_of_the_k_most_alike(play: Play) -> None:
    c = canvases(4)
    cost = Novelty(k=2, near=0.3, places=4).cost(play(canvas=c))
    for game in range(4):
        near = sorted((math.exp(-apart(c[game], c[j]) / 0.09) for j in range(4) if j != game), reverse=True)
        assert float(cost[game]) == pytest.approx(sum(near[:2]) / 2)


def test_a_drawing_that_others_repeat_costs_one_and_going_downhill_parts_them(play: Play) -> None:
    repeated = canvases(1).expand(3, -1, -1)
    assert Novelty(k=2).cost(play(canvas=repeated)).tolist() == pytest.approx([1, 1, 1])
    near = (repeated + 0.01 * canvases(3, seed=1)).requires_grad_()
    one = Novelty(k=2, places=4)
    (slope,) = torch.autograd.grad(one.cost(play(canvas=near)).sum(), near)
    before, after = (one.cost(play(canvas=each.detach())).sum() for each in (near, near - slope))
    assert after < before


def test_novelty_may_leave_out_drawings_of_the_same_class(play: Play) -> None:
    twins = play(canvas=canvases(1).expand(2, -1, -1), label=torch.tensor([3, 3]))
    assert Novelty(k=1).cost(twins).tolist() == pytest.approx([1, 1])
    assert Novelty(k=1, own_class=False).cost(twins).tolist() == [0, 0]


@pytest.mark.parametrize("one", KEPT)
def test_a_drawing_alone_costs_nothing_and_remembers_nothing_by_being_judged(one: Any, play: Play) -> None:
    kept = one.keeps()
    before = {key: value.clone() for key, value in kept.state_dict().items()}
    assert one.cost(play(canvas=canvases(1).float(), kept=kept)).tolist() == [0]
    assert all(torch.equal(value, before[key]) for key, value in kept.state_dict().items())


@pytest.mark.parametrize("one", KEPT)
def test_gradients_reach_this_step_s_drawings_and_not_the_remembered(one: Any, play: Play) -> None:
    kept = one.keeps()
    earlier = canvases(3).float().requires_grad_()
    label = torch.zeros(3, dtype=torch.long)
    one.remember(play(canvas=earlier, label=label, kept=kept))
    now = (earlier.detach()[:1] + 0.05 * canvases(1, seed=2).float()).requires_grad_()
    one.cost(play(canvas=now, label=label[:1], kept=kept)).sum().backward()
    assert now.grad is not None and now.grad.norm() > 0
    assert earlier.grad is None


def test_a_memory_keeps_the_last_in_a_ring() -> None:
    memory = Memory(4, 1)
    for start, count in ((0, 3), (3, 3), (6, 7)):
        values = torch.arange(start, start + count)
        memory.write(values[:, None].float(), values)
        held = set(memory.label.tolist()) - {-1}
        assert held == set(range(max(0, start + count - 4), start + count))
        assert torch.equal(memory.drawings[memory.label >= 0, 0], memory.label[memory.label >= 0].float())
    assert set(memory.state_dict()) == {"drawings", "label", "slot"}
    assert not list(memory.parameters())


def test_colour_is_compared_by_its_shade(play: Play) -> None:
    grey = canvases(3)
    colour = grey[:, None].expand(-1, 3, -1, -1)
    label = torch.zeros(3, dtype=torch.long)
    for one in (SameForAll(memory=0), Novelty()):
        assert torch.allclose(one.cost(play(canvas=grey, label=label)), one.cost(play(canvas=colour, label=label)))
