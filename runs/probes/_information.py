"""Information in tables of counts: entropy and mutual information with a bias correction, gaps, alignments; in bits."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.int64]
"""A symbol an item, [n]."""


def counts(a: Symbols, b: Symbols) -> NDArray[np.int64]:
    """How often each value of ``a`` goes with each of ``b``: [values of a, values of b], values in rising order."""
    rows, row = np.unique(a, return_inverse=True)
    columns, column = np.unique(b, return_inverse=True)
    cells = np.bincount(row * len(columns) + column, minlength=len(rows) * len(columns))
    return cells.reshape(len(rows), len(columns))


def entropy(a: Symbols, corrected: bool = False) -> float:
    """Entropy of the values of ``a``, bits: the plug-in estimate or, ``corrected``, that of Miller and Madow.

    The plug-in estimate is too low by about (m - 1) / 2n nats, with m values seen among n (Miller 1955).

    >>> entropy(np.array([0, 1, 0, 1]))
    1.0
    """
    return _entropy(np.unique(a, return_counts=True)[1], corrected)


def mutual_information(a: Symbols, b: Symbols, corrected: bool = False) -> float:
    """Mutual information of two symbols, bits: H(a) + H(b) - H(a, b).

    The plug-in estimate is too high, the more so the fewer items there are for each cell. ``corrected`` takes off what
    Miller and Madow's correction of the three entropies comes to, (m_ab - m_a - m_b + 1) / 2n nats with m the values
    (cells) that were seen; it may then fall below 0. With as many cells as items it still is too high: see what
    shuffled symbols give.

    >>> mutual_information(np.array([0, 0, 1, 1]), np.array([5, 5, 7, 7]))
    1.0
    """
    table = counts(a, b)
    return (
        _entropy(table.sum(1), corrected) + _entropy(table.sum(0), corrected) - _entropy(table.reshape(-1), corrected)
    )


def _entropy(each: NDArray[np.int64], corrected: bool) -> float:
    seen = each[each > 0]
    part = seen / seen.sum()
    bias = (len(seen) - 1) / (2 * seen.sum()) if corrected else 0.0
    return float(-(part * np.log(part)).sum() + bias) / math.log(2)


def gap(symbols: Sequence[Symbols], attributes: Sequence[Symbols]) -> float:
    """How far each symbol tells of one attribute alone: mean over symbols of (I_1 - I_2) / H(symbol).

    I_1 and I_2 are its largest and second largest mutual information with an attribute; a symbol that never changes is
    left out. With the symbol of each place this is positional disentanglement, with the count of each symbol
    bag-of-symbols disentanglement (Chaabouni et al. 2020, eq. 1 and 2). 1: one attribute each; 0: none, or all alike.
    NaN where no symbol changes or fewer than two attributes are given.
    """
    found = []
    for symbol in symbols:
        spread = entropy(symbol)
        told = sorted((mutual_information(symbol, each) for each in attributes), reverse=True)
        if spread > 0 and len(told) > 1:
            found.append((told[0] - told[1]) / spread)
    return float(np.mean(found)) if found else math.nan


def context_independence(table: NDArray[np.floating]) -> float:
    """Whether each concept has a symbol of its own, whatever else is said: mean over concepts c of p(v|c) p(c|v), with
    v = argmax p(c|v) (Bogin et al. 2018, section 3).

    Args:
        table: how often each symbol goes with each concept, [symbols, concepts]. The concepts are the values of one
            attribute.

    Returns:
        From 0 to 1, which is a symbol for each concept and no other.
    """
    of_symbol = table / np.maximum(table.sum(1, keepdims=True), 1e-12)  # p(c|v)
    of_concept = table / np.maximum(table.sum(0, keepdims=True), 1e-12)  # p(v|c)
    best = of_symbol.argmax(0)
    every = np.arange(table.shape[1])
    return float((of_concept[best, every] * of_symbol[best, every]).mean())
