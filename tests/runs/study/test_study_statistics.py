"""Statistics of a study against worked examples of the literature, slow references, and what must hold of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from runs.spread import wilson
from runs.study.agreement import agreement, entropy, krippendorff_alpha, split_half
from runs.study.intervals import above_chance, contrast, crossed, mean, rate, resampled
from runs.study.preferences import Contest, bradley_terry, strengths

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): data of its sections A, B and C; "." is missing.
BINARY = ["0100000010", "1110010000"]
LETTERS = ["aabbdcccedda", "babbbccceddd"]
FOUR = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]


def units(rows):
    return [[label for label in column if label != "."] for column in zip(*rows, strict=True)]


def test_alpha_is_that_of_the_literature():
    assert krippendorff_alpha(units(BINARY)) == pytest.approx(0.095, abs=5e-4)
    assert krippendorff_alpha(units(LETTERS)) == pytest.approx(0.692, abs=5e-4)
    assert krippendorff_alpha(units(FOUR)) == pytest.approx(0.743, abs=5e-4)


def slow_alpha(judged):
    """Alpha by every ordered pair of labels, as the definition reads."""
    judged = [unit for unit in judged if len(unit) > 1]
    labels = [label for unit in judged for label in unit]
    observed = sum((a != b) / (len(unit) - 1) for unit in judged for a, b in itertools.permutations(unit, 2))
    expected = sum(a != b for a, b in itertools.permutations(labels, 2)) / (len(labels) - 1) if labels else 0
    return 1 - observed / expected if expected else None


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=5), max_size=8))
def test_alpha_is_what_every_pair_of_labels_says(judged):
    fast, slow = krippendorff_alpha(judged), slow_alpha(judged)
    assert (fast is None) == (slow is None)
    assert fast is None or fast == pytest.approx(slow)


def test_alphas_interval_holds_it_and_shrinks_with_more_drawings():
    rng = np.random.default_rng(0)

    def judged(count):
        truth = rng.integers(0, 4, count)
        return [[int(t if rng.random() < 0.7 else rng.integers(0, 4)) for _ in range(6)] for t in truth]

    few, many = agreement(judged(20)), agreement(judged(400))
    for each in (few, many):
        assert each.interval[0] < each.value < each.interval[1]
    assert many.interval[1] - many.interval[0] < 0.5 * (few.interval[1] - few.interval[0])
    assert agreement([["a"], []]).value is None
    assert agreement([["a", "a"]]).value is None


def study(people=40, sketches=30, spread_of_people=0.0, spread_of_sketches=0.0, seed=0):
    """Right or not of everybody at every drawing, some people and some drawings better than others."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, spread_of_people, (people, 1)) + rng.normal(0, spread_of_sketches, (1, sketches))
    right = rng.random((people, sketches)) < 1 / (1 + np.exp(-level))
    who, what = np.divmod(np.arange(people * sketches), sketches)
    return crossed([f"p{i}" for i in who], [f"s{i}" for i in what], right.ravel().astype(float).tolist())


def width(interval):
    return interval[1] - interval[0]


def test_independent_answers_have_the_width_of_wilson_and_clusters_a_larger_one():
    even = rate(study())
    assert width(even.participants) == pytest.approx(even.high - even.low, rel=0.25)
    uneven = rate(study(spread_of_people=2.0))
    assert width(uneven.participants) > 2 * (uneven.high - uneven.low)
    assert width(uneven.sketches) < 1.5 * (uneven.high - uneven.low)
    drawn = rate(study(spread_of_sketches=2.0))
    assert width(drawn.sketches) > 2 * (drawn.high - drawn.low)
    assert width(drawn.both) > width(drawn.sketches)


def test_intervals_over_people_and_drawings_cover_the_truth():
    truth, hits = 0.5, 0
    for seed in range(60):
        table = study(30, 30, 1.0, 1.0, seed)
        low, high = np.quantile(resampled(table, "both", 0, 400), [0.025, 0.975])
        hits += low <= truth <= high
    # 57 of 60 are expected; 51 or fewer happen once in two hundred to an honest interval. Wilson's covers about half.
    assert hits >= 52


def test_a_bootstrap_is_the_slow_one():
    table = crossed(["a", "a", "b", "c", "c"], ["x", "y", "x", "y", "z"], [1, 0, 1, 0, 3])
    rng = np.random.default_rng(1)
    slow = []
    for _ in range(4000):
        rows, columns = rng.integers(0, 3, 3), rng.integers(0, 3, 3)
        top, bottom = (sum(part[i, j] for i in rows for j in columns) for part in (table.sums, table.counts))
        if bottom:
            slow.append(top / bottom)
    fast = resampled(table, "both", 0, 4000)
    empty = np.isnan(fast)
    assert 1 - empty.mean() == pytest.approx(len(slow) / 4000, abs=0.02)
    assert np.quantile(fast[~empty], [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(slow, [0.1, 0.5, 0.9]), abs=0.1)


def test_a_difference_is_one_of_the_same_people():
    people = [f"p{i:02}" for i in range(30)]
    level = np.linspace(0, 10, 30)  # people differ much, and alike in both tables
    who = [name for name in people for _ in range(4)]
    one, other = (
        crossed(who, [f"{side}{j}" for _ in people for j in range(4)], np.repeat(level + shift, 4).tolist())
        for side, shift in (("a", 1.0), ("b", 0.0))
    )
    found = contrast(one, other)
    assert found.value == pytest.approx(1.0)
    assert found.participants is None, "everybody differs by one: no spread is left"
    assert found.n == 240
    few = crossed(["p00"], ["b0"], [0.0], people)
    assert few.sums.shape == (30, 1)
    assert contrast(one, few).sketches is None


def test_nothing_to_resample_has_no_interval():
    one = rate(crossed(["a", "a"], ["x", "y"], [1, 0]))
    assert one.participants is None and one.both is None and one.sketches is not None
    same = mean(crossed(["a", "b"], ["x", "y"], [1, 1]))
    assert (same.participants, same.sketches, same.both) == (None, None, None)
    assert (one.low, one.high) == wilson(1, 2)


@given(st.lists(st.sampled_from([0.1, 0.25, 0.5]), min_size=1, max_size=8), st.data())
def test_the_test_against_chance_counts_every_outcome(chances, data):
    right = data.draw(st.integers(0, len(chances)))
    slow = sum(
        float(np.prod([c if hit else 1 - c for c, hit in zip(chances, hits, strict=True)]))
        for hits in itertools.product([0, 1], repeat=len(chances))
        if sum(hits) >= right
    )
    assert above_chance(right, chances) == pytest.approx(slow)


def test_of_one_chance_it_is_the_binomial_test():
    expected = stats.binomtest(30, 200, 0.1, alternative="greater").pvalue
    assert above_chance(30, [0.1] * 200) == pytest.approx(expected)


def test_split_halves_find_how_much_people_share():
    shared = split_half(study(60, 60, spread_of_sketches=2.0))
    private = split_half(study(60, 60))
    assert shared.value > 0.9
    assert abs(private.value) < 0.35
    assert private.interval[0] < 0 < private.interval[1]
    assert shared.n == 60
    assert split_half(crossed(["a"], ["x"], [1])).value is None


def test_split_halves_step_up_to_the_reliability_of_all_people():
    # With independent errors the reliability of k people's mean is var(truth) / (var(truth) + var(error) / k).
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 400)
    answers = truth + rng.normal(0, 3, (20, 400))
    who, what = np.divmod(np.arange(20 * 400), 400)
    found = split_half(crossed([f"p{i:02}" for i in who], [f"s{i:03}" for i in what], answers.ravel().tolist()))
    assert found.value == pytest.approx(1 / (1 + 9 / 20), abs=0.06)


def test_lists_are_halved_each_by_itself():
    who = [f"p{i}" for i in range(4) for _ in range(5)]
    what = [f"s{j}" if i < 2 else f"t{j}" for i in range(4) for j in range(5)]
    values = [1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0]
    assert split_half(crossed(who, what, values), [1, 1, 2, 2]).n == 10


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_entropy_is_the_textbooks_and_a_little_more_for_few_answers(labels):
    found = entropy(labels)
    counts = [labels.count(label) for label in set(labels)]
    plain = float(stats.entropy(counts, base=2)) if labels else 0.0
    assert found == pytest.approx(plain + (len(counts) - 1) / (2 * len(labels) * np.log(2)) if labels else 0.0)


def test_strengths_of_two_sides_are_their_odds():
    wins = np.array([[0.0, 300.0], [100.0, 0.0]])
    a, b = bradley_terry(wins)
    assert a - b == pytest.approx(np.log(300.5 / 100.5))
    assert bradley_terry(np.zeros((2, 2))) is None, "sides that never met cannot be compared"


def test_strengths_are_the_most_likely_ones():
    rng = np.random.default_rng(0)
    wins = rng.integers(1, 30, (4, 4)).astype(float)
    np.fill_diagonal(wins, 0)
    found = bradley_terry(wins)
    padded = wins + 0.5 * (wins + wins.T > 0)

    def likelihood(level):
        return -sum(padded[i, j] * np.log1p(np.exp(level[j] - level[i])) for i in range(4) for j in range(4))

    for i in range(4):
        for step in (-0.02, 0.02):
            moved = found.copy()
            moved[i] += step
            assert likelihood(moved) < likelihood(found)


def test_a_side_that_always_wins_is_strong_but_not_infinitely():
    contests = [Contest(f"p{i}", ("a", "b"), 0) for i in range(10)]
    contests += [Contest("p0", ("b", "c"), None), Contest("p1", ("a", "a"), 1)]
    first, *rest = strengths(contests)
    assert (first.name, first.share, first.n) == ("a", 1.0, 10)
    assert first.interval is None, "nobody differs"
    assert np.isfinite(first.strength)
    assert {each.name: each.share for each in rest} == {"b": pytest.approx(0.5 / 11), "c": 0.5}
    assert strengths([]) == []
