"""Do people agree with each other? Krippendorff's alpha, split halves, and entropy of the answers to one drawing."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs.study.intervals import RESAMPLES, Crossed, Interval, between

__all__ = ["Agreement", "agreement", "entropy", "krippendorff_alpha", "split_half"]

_MOST = 2**24


@dataclass(frozen=True)
class Agreement:
    """A measure of agreement with its 95 % interval.

    Attributes:
        value: the measure; None where it is not defined (nothing was judged twice, or all gave one label).
        interval: percentile bootstrap; None where there is none.
        n: drawings that it rests on.
    """

    value: float | None
    interval: Interval
    n: int


def krippendorff_alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for nominal labels: 1 is agreement, 0 what labels dealt blindly give, below it discord.

    ``alpha = 1 - D_o / D_e`` from the coincidences of labels within a unit (Krippendorff, "Computing Krippendorff's
    alpha-reliability", 2011, section C). Units with fewer than two labels tell nothing and are left out; who gave no
    label is simply not there. "Nothing given" as a label of its own would be another measure, and a lower one.

    Args:
        units: for each thing that was judged, the labels that it got, however many.

    Returns:
        None where nothing was labelled twice, or only one label occurs: there is no discord to expect then.

    >>> krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "b"]])
    0.4444444444444444
    """
    counts = _counts(units)
    return None if counts is None else _alphas(np.ones((1, len(counts))), counts)[0]


def agreement(units: Sequence[Sequence[Hashable]], seed: int = 0) -> Agreement:
    """Krippendorff's alpha (nominal) with a bootstrap over units."""
    counts = _counts(units)
    if counts is None:
        return Agreement(None, None, 0)
    many = len(counts)
    rng = np.random.default_rng(seed)
    chunk = max(1, min(RESAMPLES, _MOST // max(counts.shape)))
    found: list[float | None] = []
    while len(found) < RESAMPLES:
        weights = rng.multinomial(many, np.full(many, 1 / many), size=min(chunk, RESAMPLES - len(found)))
        found += _alphas(weights.astype(np.float64), counts)
    spread = np.array([value for value in found if value is not None])
    return Agreement(_alphas(np.ones((1, many)), counts)[0], between(spread), many)


def _counts(units: Sequence[Sequence[Hashable]]) -> NDArray[np.float64] | None:
    """[units, labels]: how often each label was given to each unit that has at least two."""
    judged = [Counter(unit) for unit in units if len(unit) >= 2]
    if not judged:
        return None
    at = {label: number for number, label in enumerate(dict.fromkeys(label for unit in judged for label in unit))}
    counts = np.zeros((len(judged), len(at)))
    for row, unit in zip(counts, judged, strict=True):
        for label, count in unit.items():
            row[at[label]] = count
    return counts


def _alphas(weights: NDArray[np.float64], counts: NDArray[np.float64]) -> list[float | None]:
    """Alpha of units that come ``weights`` [R, U] times each, with label counts [U, L]."""
    size = counts.sum(1)
    # Pairs of different labels within each unit, over its size less one: its part of the observed discord.
    discord = (size**2 - (counts**2).sum(1)) / (size - 1)
    labels = weights @ counts  # [R, L]
    total = labels.sum(1)
    expected = total**2 - (labels**2).sum(1)
    observed = weights @ discord
    return [float(1 - o * (n - 1) / e) if e > 0 else None for o, n, e in zip(observed, total, expected, strict=True)]


def split_half(table: Crossed, lists: Sequence[int] | None = None, seed: int = 0, splits: int = 500) -> Agreement:
    """Split-half consistency of the drawings' rates, stepped up to all people by Spearman and Brown: ``2r / (1 + r)``.

    Participants are halved at random, ``r`` is the correlation between both halves' rates of each drawing. What
    the rates of half the people predict of the other half is about what any model can: a ceiling. A model's
    correlation with the rates of all people can reach the square root of it.

    Args:
        table: right or not, by participant and drawing.
        lists: the list of each participant [P]; each is halved by itself, so that both halves see its drawings.
        seed: of the halves.
        splits: how many halvings ``r`` is the mean of.

    Returns:
        The value (below 1, and below 0 where people contradict each other), with an interval over drawings, each
        resampled with a new halving; ``n`` drawings seen by both halves.
    """
    people, sketches = table.sums.shape
    groups = np.asarray(lists if lists is not None else [0] * people)
    rng = np.random.default_rng(seed)
    first = np.stack([_half(groups, rng) for _ in range(splits)])  # [R, P], 0 or 1
    rates, seen = [], np.ones((splits, sketches))
    for half in (first, 1 - first):
        answered = half @ table.counts
        seen *= answered > 0
        rates.append((half @ table.sums) / np.maximum(answered, 1))
    first_rates, second_rates = rates
    r = _correlations(first_rates, second_rates, seen)
    if np.isnan(r).all():
        return Agreement(None, None, 0)
    weights = rng.multinomial(sketches, np.full(sketches, 1 / sketches), size=splits) * seen
    spread = _correlations(first_rates, second_rates, weights)
    return Agreement(
        _stepped_up(float(np.nanmean(r))),
        between(np.array([_stepped_up(float(value)) for value in spread if not np.isnan(value)])),
        round(seen.sum(1).mean()),
    )


def _half(groups: NDArray[np.int_], rng: np.random.Generator) -> NDArray[np.float64]:
    chosen = np.zeros(len(groups))
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        # Of an odd number the one in the middle goes to either half.
        chosen[members[: (len(members) + int(rng.integers(2))) // 2]] = 1
    return chosen


def _correlations(a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's r of each row of ``a`` and ``b`` [R, S] with weights [R, S]; NaN with under three, or no spread."""
    total = np.maximum(weights.sum(1, keepdims=True), 1e-12)
    a = a - (a * weights).sum(1, keepdims=True) / total
    b = b - (b * weights).sum(1, keepdims=True) / total
    top = (weights * a * b).sum(1)
    bottom = np.sqrt((weights * a * a).sum(1) * (weights * b * b).sum(1))
    usable = (bottom > 1e-9) & ((weights > 0).sum(1) >= 3)
    return np.where(usable, top / np.where(usable, bottom, 1), np.nan)


def _stepped_up(r: float) -> float:
    return max(-1.0, 2 * r / (1 + r)) if r > -1 else -1.0


def entropy(labels: Sequence[Hashable]) -> float:
    """Entropy of answers in bits, with Miller and Madow's correction for few of them: ``(K - 1) / 2n`` nats more.

    0 where all give one answer. ``K`` is how many different answers there are, ``n`` how many in all.

    >>> entropy(["cat"] * 5), round(entropy(["cat", "dog"] * 500), 3)
    (0.0, 1.001)
    """
    counts = np.array(list(Counter(labels).values()), dtype=np.float64)
    if not len(counts):
        return 0.0
    part = counts / counts.sum()
    return float((-(part * np.log(part)).sum() + (len(counts) - 1) / (2 * counts.sum())) / np.log(2))
