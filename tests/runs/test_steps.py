"""A step of many agents at once is the step of each alone."""

import copy

import pytest
import torch
from torch import nn

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
