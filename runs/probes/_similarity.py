"""Do two things tell the same items apart alike? Rank correlation of distances, with Mantel's permutation test."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata

from raster.shapes import Float, Tensor

PERMUTATIONS = 999
"""Of Mantel's test: the least p is 1 / 1000."""


@dataclass(frozen=True)
class Agreement:
    """How far two tables of distances agree.

    Attributes:
        rho: Spearman's rank correlation of the distances of all pairs; NaN where one of the two has no differences.
        p: Mantel's p, one-sided: how often a permutation of the items agrees as well, itself included.
        low: lower end of the 95 % interval of rho, over items.
        high: upper end.
    """

    rho: float
    p: float
    low: float
    high: float


def cosine_distances(features: Float[Tensor, "n d"]) -> np.ndarray:
    """1 - cosine of each pair of rows, centred on their mean first, [n, n] in float64."""
    rows = features.double() - features.double().mean(dim=0)
    rows = torch.nn.functional.normalize(rows, dim=-1)
    found = (1 - rows @ rows.T).clamp(min=0.0).cpu().numpy()
    np.fill_diagonal(found, 0.0)
    return np.asarray((found + found.T) / 2)  # as it is to the last bit, so that ties are ties


def agreement(one: np.ndarray, other: np.ndarray, samples: int = 400, seed: int = 0) -> Agreement:
    """How far two tables of distances between the same n items agree.

    Kriegeskorte, Mur & Bandettini 2008 (representational similarity); Mantel 1967 (the test). The interval is a
    percentile bootstrap over items, pairs of an item with itself left out; ranks are those of all items.

    Args:
        one: distances, [n, n].
        other: the same of something else.
        samples: of the bootstrap.
        seed: of the permutations and the bootstrap.
    """
    count = len(one)
    upper = np.triu_indices(count, 1)
    tables = []
    for each in (one, other):
        ranks = np.zeros((count, count))
        # Distances that differ by rounding alone are the same.
        ranks[upper] = rankdata(np.round(each[upper], 9))
        tables.append(ranks + ranks.T)
    rho = _correlation(tables[0][upper], tables[1][upper])
    if np.isnan(rho):
        return Agreement(rho, 1.0, rho, rho)
    rng = np.random.default_rng(seed)
    as_well = 1
    for _ in range(PERMUTATIONS):
        order = rng.permutation(count)
        as_well += _correlation(tables[0][np.ix_(order, order)][upper], tables[1][upper]) >= rho - 1e-12
    drawn = []
    for _ in range(samples):
        rows = rng.integers(0, count, count)
        apart = rows[upper[0]] != rows[upper[1]]
        pairs = rows[upper[0]][apart], rows[upper[1]][apart]
        drawn.append(_correlation(tables[0][pairs], tables[1][pairs]))
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if not np.isnan(drawn).all() else (rho, rho)
    return Agreement(rho, as_well / (PERMUTATIONS + 1), float(low), float(high))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of the distances in two tables, [n, n] each; NaN where one has no differences."""
    upper = np.triu_indices(len(one), 1)
    return _correlation(rankdata(np.round(one[upper], 9)), rankdata(np.round(other[upper], 9)))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    a, b = one - one.mean(), other - other.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))
