"""Information in counts against scipy, scikit-learn, hand-worked tables and properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mutual_info_score

from runs.probes._information import context_independence, entropy, gap, mutual_information

symbols = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60).map(
    lambda pairs: np.array(pairs, dtype=np.int64).T
)


@given(symbols)
def test_entropy_and_information_are_those_of_scipy_and_scikit_learn(pair: np.ndarray) -> None:
    a, b = pair
    assert entropy(a) == pytest.approx(stats.entropy(np.bincount(a), base=2), abs=1e-9)
    assert mutual_information(a, b) == pytest.approx(mutual_info_score(a, b) / math.log(2), abs=1e-9)


@given(symbols)
def test_information_is_symmetric_and_at_most_either_entropy(pair: np.ndarray) -> None:
    a, b = pair
    assert mutual_information(a, b) == pytest.approx(mutual_information(b, a))
    assert -1e-9 <= mutual_information(a, b) <= min(entropy(a), entropy(b)) + 1e-9


def test_the_correction_is_that_of_miller_and_madow() -> None:
    a = np.array([0, 0, 1, 1, 2, 2])
    assert entropy(a, corrected=True) == pytest.approx(math.log2(3) + 2 / 12 / math.log(2))
    b = np.array([0, 1, 0, 1, 0, 1])  # 6 cells seen, 3 and 2 values: (6 - 3 - 2 + 1) / 12 nats too much
    assert mutual_information(a, b, corrected=True) == pytest.approx(-2 / 12 / math.log(2))


def test_the_correction_takes_the_bias_off_what_knows_nothing_of_each_other() -> None:
    rng = np.random.default_rng(0)
    draws = [(rng.integers(0, 4, 200), rng.integers(0, 5, 200)) for _ in range(200)]
    plain = np.array([mutual_information(a, b) for a, b in draws])
    corrected = np.array([mutual_information(a, b, corrected=True) for a, b in draws])
    assert plain.mean() > 0.03  # 12 / 400 nats
    assert abs(corrected.mean()) < 4 * corrected.std() / len(draws) ** 0.5 + 1e-3


def test_a_symbol_for_each_attribute_has_a_gap_of_one() -> None:
    shape, colour = np.divmod(np.arange(16), 4)
    assert gap([shape, colour], [shape, colour]) == pytest.approx(1)
    both = 4 * shape + colour  # one symbol that says all: two bits of four of each
    assert gap([both], [shape, colour]) == pytest.approx(0)
    # A symbol that never changes says nothing and is not asked; half a symbol's gap halves the mean.
    assert gap([shape, np.zeros(16, dtype=np.int64)], [shape, colour]) == pytest.approx(1)
    assert gap([shape, both], [shape, colour]) == pytest.approx(0.5)


def test_the_gap_means_nothing_without_two_attributes_or_a_changing_symbol() -> None:
    one = np.arange(4)
    assert math.isnan(gap([one], [one])) and math.isnan(gap([np.zeros(4, dtype=np.int64)], [one, one]))


def test_concepts_with_symbols_of_their_own_are_independent_of_context() -> None:
    assert context_independence(np.eye(3)) == 1
    assert context_independence(np.ones((4, 3))) == pytest.approx(1 / 4 * 1 / 3)
    # By hand: concept 0 is said by symbol 0 in 3 of 4 cases, and symbol 0 means it in 3 of 3; concept 1 by symbol 1
    # in all cases, which means it in 4 of 5.
    assert context_independence(np.array([[3.0, 0.0], [1.0, 4.0]])) == pytest.approx((3 / 4 * 1 + 1 * 4 / 5) / 2)
