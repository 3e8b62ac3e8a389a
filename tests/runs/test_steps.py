"""A step of many agents at once is the step of each alone."""

import copy

import pytest
import torch
from torch import nn

from agents.stack import Stack
from runs.stacked import StackedAdamW
from runs.steps import clip_each, step_each


def agents(seed: int) -> list[nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        return [nn.Sequential(nn.Linear(3, width), nn.Linear(width, 2)) for width in (2, 5, 4)]


@pytest.mark.parametrize("clip", [0.3, 1e6])
def test_a_step_of_all_is_the_step_of_each(clip: float) -> None:
    together = agents(0)
    alone = copy.deepcopy(together)
    both = [
        [torch.optim.AdamW(agent.parameters(), lr=0.1, weight_decay=0.2, fused=True) for agent in some]
        for some in (together, alone)
    ]
    generator = torch.Generator().manual_seed(0)
    for step in range(4):
        playing = [number for number in range(3) if (number + step) % 3]  # another one sits out each time
        for one, two in zip(together, alone, strict=True):
            one.zero_grad(), two.zero_grad()
        for number in playing:
            for one, two in zip(together[number].parameters(), alone[number].parameters(), strict=True):
                one.grad = torch.randn(one.shape, generator=generator) * 10**step
                two.grad = one.grad.clone()
        for number in playing:
            nn.utils.clip_grad_norm_(alone[number].parameters(), clip)
            for group in both[1][number].param_groups:
                group["lr"] = 0.05
            both[1][number].step()
        clip_each([[p.grad for p in together[n].parameters() if p.grad is not None] for n in playing], clip)
        for n in playing:
            both[0][n].param_groups[0]["lr"] = 0.05
        step_each([both[0][n] for n in playing])
        for one, two in zip(together, alone, strict=True):
            for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)
    for one, two in zip(*both, strict=True):
        mine, theirs = one.state_dict()["state"], two.state_dict()["state"]
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            assert value.keys() == theirs[key].keys() and torch.equal(value["step"], theirs[key]["step"])
            torch.testing.assert_close(value["exp_avg"], theirs[key]["exp_avg"], rtol=1e-5, atol=1e-6)


def test_a_stack_takes_the_gradients_that_its_agents_were_given_where_all_have_them() -> None:
    agents = [nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)) for _ in range(3)]
    stack, generator = Stack(agents), torch.Generator().manual_seed(0)
    stack.gather()
    assert stack.gradients is None  # nobody has one
    given = [torch.randn(agent[1].weight.shape, generator=generator) for agent in agents]
    for agent, gradient in zip(agents[:2], given[:2], strict=True):
        agent[1].weight.grad = gradient.clone()
    stack.gather()
    assert stack.gradients is None  # one has none
    agents[2][1].weight.grad = given[2].clone()
    stack.gather()
    assert stack.gradients is not None and list(stack.gradients) == ["1.weight"]
    assert torch.equal(stack.gradients["1.weight"], torch.stack(given))
    stack.gradients["1.weight"].zero_()
    assert all(not agent[1].weight.grad.any() and agent[0].weight.grad is None for agent in agents)


@pytest.mark.parametrize("clip", [0.3, 1e6])
def test_a_step_of_a_stack_is_the_step_of_each_whoever_stepped_alone_or_was_born_before(clip: float) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        together = [nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)) for _ in range(3)]
    alone, stack = copy.deepcopy(together), Stack(together)
    both = [
        [torch.optim.AdamW(agent.parameters(), lr=0.1, weight_decay=0.2, fused=True) for agent in some]
        for some in (together, alone)
    ]
    whole, generator = StackedAdamW(["0", "1", "2"], stack, both[0]), torch.Generator().manual_seed(0)
    at_once = []
    for step in range(8):
        if step == 4:  # one is as new: it is behind the others from here on, until all are
            for optimisers in both:
                optimisers[1].state.clear()
            whole.forget()
        if step == 6:
            for optimisers in both:
                for each in optimisers:
                    each.state.clear()
            whole.forget()
        stack.gradients = {n: torch.randn(t.shape, generator=generator) for n, t in stack.tensors.items()}
        for row, agents_ in enumerate(zip(together, alone, strict=True)):
            for one, two in zip(*(each.named_parameters() for each in agents_), strict=True):
                one[1].grad, two[1].grad = stack.gradients[one[0]][row], stack.gradients[one[0]][row].clone()
        for agent, optimiser in zip(alone, both[1], strict=True):
            nn.utils.clip_grad_norm_(agent.parameters(), clip)
            optimiser.step()
        at_once.append(whole.ready())
        if at_once[-1]:
            whole.step(0.1, clip)
        else:
            clip_each([[p.grad for p in agent.parameters() if p.grad is not None] for agent in together], clip)
            step_each(both[0])
            whole.forget(["0", "1", "2"])
        for one, two in zip(together, alone, strict=True):
            for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    assert at_once == [True] * 4 + [False] * 2 + [True] * 2
    for one, two in zip(*both, strict=True):
        mine, theirs = one.state_dict()["state"], two.state_dict()["state"]
        assert [float(each["step"]) for each in mine.values()] == [float(each["step"]) for each in theirs.values()]
