"""How sure a rate is: Wilson's interval, bootstraps over participants and drawings, tests against chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from runs.spread import wilson

__all__ = [
    "Crossed",
    "Interval",
    "Mean",
    "Rate",
    "above_chance",
    "between",
    "contrast",
    "crossed",
    "mean",
    "rate",
    "resampled",
]

RESAMPLES = 2000
_AT_ONCE = 2**22
"""Numbers of the largest array of a bootstrap: 32 MB."""

Interval = tuple[float, float] | None
"""Both ends of a 95 % interval; None where resampling shows no spread, or there are fewer than two to resample."""


@dataclass(frozen=True)
class Mean:
    """A mean of ``n`` answers with three 95 % percentile bootstraps (2,000 resamples).

    Attributes:
        value: the mean.
        n: answers.
        participants: whole participants are resampled: how far would other people move it?
        sketches: whole drawings are resampled: how far would other drawings?
        both: both at once, each drawn by itself (the pigeonhole bootstrap, Owen 2007): other people and other drawings.
            The one to believe, and a little too wide rather than too narrow.
    """

    value: float
    n: int
    participants: Interval = None
    sketches: Interval = None
    both: Interval = None


@dataclass(frozen=True)
class Rate(Mean):
    """A rate of ``n`` answers; ``low`` and ``high`` are Wilson's, as if answers were independent. They are not."""

    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Crossed:
    """Answers by participant (rows) and drawing (columns): the sum of a value, and how many; both [P, S]."""

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(self.sums.sum() / self.counts.sum())


def crossed(
    participants: Sequence[str], sketches: Sequence[str], values: Sequence[float], people: Sequence[str] = ()
) -> Crossed:
    """Answers [n] as sums and counts by participant and drawing.

    Rows are the participants that occur, and ``people`` too, in alphabetical order: two tables of the same people are
    resampled alike, so that their difference is one of the same people.

    >>> crossed(["a", "a", "b"], ["x", "y", "x"], [1, 0, 1]).counts
    array([[1., 1.],
           [1., 0.]])
    """
    names, row = np.unique(np.asarray([*participants, *people], dtype=str), return_inverse=True)
    drawn, column = np.unique(np.asarray(sketches, dtype=str), return_inverse=True)
    at = row[: len(participants)], column
    sums, counts = np.zeros((2, len(names), len(drawn)))
    np.add.at(sums, at, np.asarray(values, dtype=np.float64))
    np.add.at(counts, at, 1.0)
    return Crossed(sums, counts)


def rate(table: Crossed, seed: int = 0) -> Rate:
    """A rate of answers that are 0 or 1, with all its intervals."""
    right, n = round(table.sums.sum()), round(table.counts.sum())
    low, high = wilson(right, n)
    return Rate(right / n, n, *_three(table, seed), low=low, high=high)


def mean(table: Crossed, seed: int = 0) -> Mean:
    """A mean of answers of any size (differences, ratings), with the three bootstraps."""
    return Mean(table.value, round(table.counts.sum()), *_three(table, seed))


def contrast(one: Crossed, other: Crossed, seed: int = 0) -> Mean:
    """The mean of ``one`` minus that of ``other``, two tables of the same people (``crossed``) about other drawings.

    Participants are resampled together, each table's drawings by themselves; ``n`` counts both tables' answers.
    """
    people = one.sums.shape[0]
    if people != other.sums.shape[0]:
        raise ValueError("tables of different people")
    drawn = min(one.sums.shape[1], other.sums.shape[1])

    def spread(over: str) -> Interval:
        # The second table's drawings are drawn with another seed; its people with the same.
        return between(resampled(one, over, seed) - resampled(other, over, seed, apart=True))

    return Mean(
        one.value - other.value,
        round(one.counts.sum() + other.counts.sum()),
        spread("participants") if people > 1 else None,
        spread("sketches") if drawn > 1 else None,
        spread("both") if people > 1 and drawn > 1 else None,
    )


def resampled(
    table: Crossed, over: str, seed: int = 0, resamples: int = RESAMPLES, *, apart: bool = False
) -> NDArray[np.float64]:
    """Means of bootstrap resamples [resamples]; NaN for those that hold no answer.

    Args:
        table: the answers.
        over: "participants", "sketches" or "both".
        seed: of the draws.
        resamples: how many.
        apart: draw the drawings from another stream, the people from the same.
    """
    people, sketches = table.sums.shape
    # A stream each, so that the drawings' draws do not hang on how many people there are.
    rows = _weights(seed, 0, people, resamples) if over != "sketches" else None
    columns = _weights(seed, 2 if apart else 1, sketches, resamples) if over != "participants" else None
    if columns is None:
        assert rows is not None
        top, bottom = rows @ table.sums.sum(1), rows @ table.counts.sum(1)
    elif rows is None:
        top, bottom = columns @ table.sums.sum(0), columns @ table.counts.sum(0)
    else:
        chunk = max(1, _AT_ONCE // sketches)
        parts = [
            [((rows[at : at + chunk] @ part) * columns[at : at + chunk]).sum(1) for at in range(0, resamples, chunk)]
            for part in (table.sums, table.counts)
        ]
        top, bottom = (np.concatenate(part) for part in parts)
    return np.where(bottom > 0, top, np.nan) / np.where(bottom > 0, bottom, 1)


def between(values: NDArray[np.float64]) -> Interval:
    """The middle 95 % of resampled values, NaN aside; None where there are none, or they do not differ."""
    values = values[~np.isnan(values)]
    if len(values) < 2 or np.ptp(values) < 1e-12:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _three(table: Crossed, seed: int) -> tuple[Interval, Interval, Interval]:
    people, sketches = table.sums.shape
    return (
        between(resampled(table, "participants", seed)) if people > 1 else None,
        between(resampled(table, "sketches", seed)) if sketches > 1 else None,
        between(resampled(table, "both", seed)) if people > 1 and sketches > 1 else None,
    )


@lru_cache(maxsize=16)  # one study's tables share their people, and many share how many drawings they have
def _weights(seed: int, stream: int, count: int, resamples: int) -> NDArray[np.float64]:
    """How often each of ``count`` comes in a resample, [resamples, count]."""
    rng = np.random.default_rng([seed, stream])
    found = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
    found.flags.writeable = False
    return found


def above_chance(right: int, chances: Sequence[float]) -> float:
    """One-sided p of at least ``right`` answers right by blind guessing, each with its own chance (exact).

    Answers of one chance are a binomial; several are a sum of binomials.

    >>> round(above_chance(3, [0.5, 0.5, 0.5]), 3), round(above_chance(2, [1.0, 0.25, 0.25]), 4)
    (0.125, 0.4375)
    """
    values, counts = np.unique(np.asarray(chances, dtype=np.float64), return_counts=True)
    density = np.ones(1)
    for chance, count in zip(values, counts, strict=True):
        density = np.convolve(density, stats.binom.pmf(np.arange(count + 1), count, chance))
    return float(min(1.0, density[right:].sum()))
