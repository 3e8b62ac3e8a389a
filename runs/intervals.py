"""How sure a number is: intervals over pools of games, and over seeds of one config."""

from collections.abc import Callable, Sequence

import numpy as np

from raster.shapes import Bool, Float, Tensor
from runs.spread import wilson

__all__ = ["bootstrap_by_pool", "bootstrap_of", "bootstrap_of_mean"]


def bootstrap_by_pool(pools: list[Bool[Tensor, " b"]], seed: int = 0) -> tuple[float, float]:
    """95 % interval of a rate over pools of games (percentile bootstrap that resamples whole pools).

    Games on one pool share their candidates, so they are not independent; pools are the unit. Where every
    pool has the same rate (all right, say) resampling shows no spread, and Wilson's interval with one trial a
    pool is given: wider, and honest about how few pools there were.

    Args:
        pools: for each pool, which of its games were right.
        seed: of the resampling.
    """
    rates = np.array([float(pool.double().mean()) for pool in pools])
    sizes = np.array([len(pool) for pool in pools], dtype=float)
    if len(rates) < 2 or np.ptp(rates) == 0:
        right = round(float(rates.mean()) * len(rates))
        return wilson(right, len(rates))
    return _resampled(rates, sizes, seed)


def bootstrap_of_mean(pools: list[Float[Tensor, " b"]], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of any number a game has, over pools of games, as ``bootstrap_by_pool``'s of a rate.

    Where every pool has the same mean, so has every sample of them: the interval is that point.
    """
    means = np.array([float(pool.double().mean()) for pool in pools])
    return _resampled(means, np.array([len(pool) for pool in pools], dtype=float), seed)


def _resampled(means: np.ndarray, sizes: np.ndarray, seed: int) -> tuple[float, float]:
    chosen = np.random.default_rng(seed).integers(0, len(means), (10_000, len(means)))
    found = (means * sizes)[chosen].sum(1) / sizes[chosen].sum(1)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_of(
    statistic: Callable[[np.ndarray], float], pools: Sequence[int], times: int = 400, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of any statistic of games, by a percentile bootstrap that resamples whole pools.

    Args:
        statistic: positions of games, [m], some of them several times, to the number; NaN where a sample has none.
        pools: how many games each pool has; games stand pool after pool.
        times: how many samples.
        seed: of the resampling.
    """
    ends = np.cumsum(pools)
    games = [np.arange(end - size, end) for end, size in zip(ends, pools, strict=True)]
    rng = np.random.default_rng(seed)
    found = [
        statistic(np.concatenate([games[each] for each in rng.integers(0, len(games), len(games))]))
        for _ in range(times)
    ]
    if np.isnan(found).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)
