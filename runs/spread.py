"""How sure a number is by formula: Wilson's interval of a rate, Student's over seeds. Imports no torch."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of ``right`` out of ``n`` independent trials, at least one.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    interval = stats.binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean over runs that differ in their seed alone, and its 95 % interval (Student's t with n - 1 degrees).

    One run tells nothing of the spread over seeds: its interval is NaN.

    >>> mean, low, high = over_seeds([0.5, 0.6, 0.7])
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (0.6, 0.352, 0.848)
    """
    each = np.asarray(values, dtype=float)
    if len(each) < 2:
        return float(each.mean()), float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))
    return float(each.mean()), float(each.mean()) - half, float(each.mean()) + half
