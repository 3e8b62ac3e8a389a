"""Intervals: of any statistic over pools, and over seeds."""

import numpy as np
import pytest
import torch
from scipy import stats

from runs.intervals import bootstrap_of, bootstrap_of_mean
from runs.spread import over_seeds


def test_the_bootstrap_of_a_mean_is_that_of_any_statistic_that_is_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=60) + np.repeat(np.random.default_rng(1).normal(size=12), 5)
    low, high = bootstrap_of(lambda rows: float(values[rows].mean()), [5] * 12, times=2000)
    expected = bootstrap_of_mean(list(torch.from_numpy(values).split(5)))
    assert (low, high) == pytest.approx(expected, abs=0.05)
    assert bootstrap_of(lambda rows: float(values[rows].mean()), [5] * 12, times=20) == bootstrap_of(
        lambda rows: float(values[rows].mean()), [5] * 12, times=20
    )


def test_whole_pools_are_sampled_whatever_their_sizes() -> None:
    seen: set[tuple[int, ...]] = set()

    def statistic(rows: np.ndarray) -> float:
        seen.add(tuple(sorted(rows.tolist())))
        return float(len(rows))

    low, high = bootstrap_of(statistic, [1, 3], times=200)
    assert (low, high) == (2.0, 6.0)
    assert seen == {(0, 0), (0, 1, 2, 3), (1, 1, 2, 2, 3, 3)}


def test_samples_without_a_value_are_left_out_and_none_at_all_is_no_interval() -> None:
    low, high = bootstrap_of(lambda rows: float("nan") if 0 in rows else 1.0, [1, 1], times=50)
    assert (low, high) == (1.0, 1.0)
    assert all(np.isnan(bootstrap_of(lambda _: float("nan"), [1, 1], times=5)))


def test_intervals_over_seeds_are_student_s() -> None:
    values = [0.31, 0.35, 0.42, 0.39]
    mean, low, high = over_seeds(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((np.mean(values), expected.low, expected.high))
    assert np.isnan(over_seeds([0.3])[1:]).all()
