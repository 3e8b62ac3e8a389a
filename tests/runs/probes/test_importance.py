"""What strokes are worth: Shapley's axioms, sampled values against exact ones, and what does without noise."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runs.probes import _importance as importance


def additive(weights: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """A value that is the sum of a weight a stroke, [g, n]."""
    return lambda sets: (sets * weights[:, None]).sum(-1)


def arbitrary(games: int, strokes: int, seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """A value of no shape at all: a random number for each set of strokes."""
    table = torch.randn(games, 2**strokes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    power = 2 ** torch.arange(strokes)
    return lambda sets: table.gather(1, (sets * power).sum(-1))


@given(st.integers(1, 5), st.integers(0, 99))
def test_values_add_up_to_what_the_whole_is_worth_exactly_and_in_every_sample(strokes: int, seed: int) -> None:
    value = arbitrary(3, strokes, seed)
    whole = importance.ends(value, 3, strokes)
    gain = whole[:, 1] - whole[:, 0]
    torch.testing.assert_close(importance.exact_shapley(value, 3, strokes).sum(1), gain)
    sampled = importance.shapley(value, 3, strokes, 4, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(sampled.sum(2), gain.expand(4, 3))


@given(st.integers(2, 6), st.integers(0, 99))
def test_of_a_sum_each_stroke_is_worth_its_weight_however_it_is_asked(strokes: int, seed: int) -> None:
    weights = torch.randn(2, strokes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value = additive(weights)
    torch.testing.assert_close(importance.exact_shapley(value, 2, strokes), weights)
    torch.testing.assert_close(importance.leave_one_out(value, 2, strokes), weights)
    sampled = importance.shapley(value, 2, strokes, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(sampled, weights.expand(3, -1, -1))


def test_sampled_values_come_to_the_exact_ones() -> None:
    value = arbitrary(4, 5, 7)
    exact = importance.exact_shapley(value, 4, 5)
    sampled = importance.shapley(value, 4, 5, 2000, torch.Generator().manual_seed(1))
    error = sampled.std(dim=0) / 2000**0.5
    assert ((sampled.mean(0) - exact).abs() < 4.5 * error).all()


def test_a_hand_worked_game_of_gloves() -> None:
    # One left glove and two right ones; a pair is worth 1 (Shapley & Shubik 1969): 4/6, 1/6, 1/6.
    def value(sets: torch.Tensor) -> torch.Tensor:
        return (sets[..., 0] & (sets[..., 1] | sets[..., 2])).double()

    found = importance.exact_shapley(value, 1, 3)[0]
    assert found.tolist() == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    # What is left out is missed only if nothing stands in for it.
    assert importance.leave_one_out(value, 1, 3)[0].tolist() == [1, 0, 0]


def test_strokes_that_do_the_same_are_worth_the_same_and_one_that_does_nothing_nothing() -> None:
    def value(sets: torch.Tensor) -> torch.Tensor:
        return (sets[..., 0].double() + sets[..., 2]) ** 2  # the second stroke is not asked

    found = importance.exact_shapley(value, 1, 3)[0]
    assert found[0] == pytest.approx(float(found[2])) and found[1] == 0


def test_squares_are_those_of_the_values_without_the_noise_of_estimates() -> None:
    truth = torch.tensor([[2.0, -1.0, 0.0]], dtype=torch.float64)
    noise = torch.randn(4000, 1, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    few = (truth + 3 * noise).unflatten(0, (1000, 4))  # a thousand times four noisy estimates
    found = torch.stack([importance.squares(each) for each in few])
    assert float(found.mean()) == pytest.approx(5.0, abs=4 * float(found.std()) / 1000**0.5)
    assert float(few.mean(1).square().sum(-1).mean()) > 10  # what the mean's own square would have said
    assert importance.squares(truth[None]).tolist() == [5.0]
