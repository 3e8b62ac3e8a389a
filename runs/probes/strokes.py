"""``strokes``: on how many of its strokes does a drawing's message rest, and which are they?"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from raster.shapes import Bool, Float, Tensor
from runs.drawings import one_of, written
from runs.evidence import Evidence
from runs.finding import Curve, Drawn, Finding
from runs.intervals import bootstrap_of
from runs.probes import _importance as importance
from runs.probes._asking import Some, has_several, some_games
from runs.probes._registry import probe
from runs.probes._symbols import present
from runs.sketches import Control

CANVASES = 24_000
"""Canvases, about, that Shapley values of the drawings are sampled with; of each control a third of that."""
PAIRS = 4
"""Pairs of an order and the same backwards that each drawing's values are sampled from."""
GAMES = (12, 128)
"""Games at least and at most, as many as the canvases suffice for."""
POINTS = 9
"""Points of the curves, both ends included."""
SHOWN = 8
"""Drawings that are shown."""
SHARES = ("least", "middling", "most")


@dataclass(frozen=True)
class Carried:
    """What strokes carry in some games.

    Attributes:
        some: which games.
        estimates: independent estimates of the strokes' Shapley values, [pairs, g, n]; one alone is exact.
        whole: what no stroke and all strokes are worth, [g, 2].
    """

    some: Some
    estimates: Float[Tensor, "pairs g n"]
    whole: Float[Tensor, "g 2"]

    @property
    def values(self) -> Float[Tensor, "g n"]:
        """The best estimate of each stroke's value."""
        return self.estimates.mean(dim=0)

    @property
    def gain(self) -> Float[Tensor, " g"]:
        """What the drawing is worth more than a blank canvas: the sum of its strokes' values."""
        return self.whole[:, 1] - self.whole[:, 0]

    def number(self, games: NDArray[np.int64] | None = None) -> float:
        """Effective number of strokes of some games (all when left out); NaN where strokes are worth nothing."""
        squares, gains = importance.squares(self.estimates), self.gain.square()
        if games is not None:
            squares, gains = squares[games], gains[games]
        return float(gains.mean() / squares.mean()) if squares.mean() > 0 else math.nan


def carried(evidence: Evidence, control: Control = "drawings", share: float = 1.0) -> Carried:
    """Shapley values of the strokes of some games' drawings, or of a control in their place: sampled, or exact where
    that is cheaper.
    """
    strokes = evidence.plays[0].strokes.count
    exact = 2**strokes <= 2 * PAIRS * strokes
    each = 2**strokes if exact else 2 * PAIRS * strokes
    least, most = GAMES
    some = some_games(evidence, max(least, min(most, int(CANVASES * share / each))))

    def value(sets: Tensor) -> Tensor:
        return some.worth(sets, control)

    if exact:
        estimates = importance.exact_shapley(value, len(some), strokes)[None]
    else:
        estimates = importance.shapley(value, len(some), strokes, PAIRS, torch.Generator().manual_seed(0))
    return Carried(some, estimates, importance.ends(value, len(some), strokes))


@probe("strokes", needs=["strokes"])
def strokes(evidence: Evidence) -> Finding:
    """On how many strokes a drawing's message rests: the effective number of strokes by their Shapley values.

    A stroke's value is what it adds to the log-probability that the receiver gives to what is meant, averaged over
    orders of drawing. With phi the values of a drawing's strokes, ``value`` is the mean over drawings of
    (sum phi)^2 over that of sum phi^2: N where all strokes carry alike, 1 where one carries all, and 1 too where values
    are noise that goes either way (``chance``).

    ``baselines``: strangers' drawings (``untrained``), drawings for another pool (``shuffled``), ``random`` strokes;
    ``ceiling`` is N. A blank canvas has no stroke. Curves: the probability of what is meant when strokes are put there
    or taken away in the order of their values, or in random order. ``table``: the rate by how much ink (and where that
    differs how many strokes) a drawing has.
    """
    found = carried(evidence)
    low, high = bootstrap_of(found.number, found.some.sizes)
    controls: tuple[Control, ...] = ("untrained", "shuffled", "random")
    baselines = {control: carried(evidence, control, 1 / 3).number() for control in controls}
    curves = _curves(found)
    return Finding(
        value=found.number(),
        low=low,
        high=high,
        n=len(found.some),
        chance=1.0,
        baselines=baselines | {"ceiling": float(evidence.plays[0].strokes.count)},
        parts=_parts(found) | _areas(curves) | _effort(evidence),
        table=_by_amount(evidence),
        curves=curves,
        over="strokes",
        height="probability of what is meant",
        pictures=_pictures(found),
        measure="strokes that carry the message",
    )


def _parts(found: Carried) -> dict[str, float]:
    """How sure the values are, how they agree with leaving out, with the order and with the length of strokes."""
    some, values = found.some, found.values
    drawn = some.strokes()
    there = present(drawn).cpu()

    def value(sets: Tensor) -> Tensor:
        return some.worth(sets)

    alone = importance.leave_one_out(value, len(some), drawn.count)
    length = drawn.points.diff(dim=-2).norm(dim=-1).sum(dim=-1).cpu()
    place = torch.arange(drawn.count).double().expand_as(values)
    parts = {
        "gain (nats)": float(found.gain.mean()),
        "strokes against": float((values < 0)[there].double().mean()),
        "leave-one-out (rho)": _agreement(values, alone, there),
        "order (rho)": _agreement(values, place, there),
        "length (rho)": _agreement(values, length, there),
    }
    if len(found.estimates) > 1:
        first, rest = found.estimates[0], found.estimates[1:].mean(dim=0)
        parts["two samplings (rho)"] = _agreement(first, rest, there)
    return {name: each for name, each in parts.items() if not math.isnan(each)}


def _agreement(a: Tensor, b: Tensor, there: Tensor) -> float:
    """Mean over drawings of the rank correlation of two numbers of the strokes that are there; NaN where none has."""
    found = []
    for one, other, mine in zip(a, b, there, strict=True):
        if int(mine.sum()) > 2 and one[mine].std() > 0 and other[mine].std() > 0:
            found.append(stats.spearmanr(one[mine].numpy(), other[mine].numpy()).statistic)
    return float(sum(found) / len(found)) if found else math.nan


def _curves(found: Carried) -> dict[str, Curve]:
    """Mean probability of what is meant by how many strokes are there, in three orders and backwards in one."""
    some, values = found.some, found.values
    games, count = values.shape
    best = values.argsort(dim=1, descending=True).argsort(dim=1)  # the place of each in the order
    luck = torch.rand(games, count, generator=torch.Generator().manual_seed(1)).argsort(dim=1)
    steps = torch.linspace(0, count, min(POINTS, count + 1)).round().long()
    kept = {
        "most telling first": best[:, None] < steps[:, None],
        "in random order": luck[:, None] < steps[:, None],
        "least telling first": best[:, None] >= count - steps[:, None],  # what is left when the best are taken away
    }
    curves = {}
    for name, sets in kept.items():
        chance = some.worth(sets).exp()  # [g, steps]
        ends = [bootstrap_of(_mean_of(each), some.sizes) for each in chance.T]
        low, high = ([each[side] for each in ends] for side in (0, 1))
        curves[name] = Curve(steps.tolist(), chance.mean(0).tolist(), low, high)
    return curves


def _areas(curves: dict[str, Curve]) -> dict[str, float]:
    """Each curve's mean height: 1 where the first stroke says all."""
    found = {}
    for name, curve in curves.items():
        x, y = torch.tensor(curve.x, dtype=torch.float64), torch.tensor(curve.y, dtype=torch.float64)
        found[f"{name} (area)"] = float(torch.trapezoid(y, x) / x[-1])
    return found


def _amounts(evidence: Evidence) -> dict[str, Float[Tensor, " n"]]:
    """Ink of each drawing (mean of the canvas) and how many strokes it has; what does not differ is left out."""
    ink = evidence.sketches.canvas("drawings").flatten(1).mean(dim=1).double().cpu()
    count = present(evidence.sketches.strokes).sum(dim=1).double().cpu()
    return {name: each for name, each in (("ink", ink), ("count", count)) if each.max() - each.min() > 1e-6}


def _effort(evidence: Evidence) -> dict[str, float]:
    """Rank correlation of a drawing's ink and number of strokes with whether it was understood."""
    right = torch.cat([play.correct for play in evidence.plays]).cpu()
    if right.all() or not right.any():
        return {}
    return {
        f"{name} and success (rho)": float(stats.spearmanr(each.numpy(), right.numpy()).statistic)
        for name, each in _amounts(evidence).items()
    }


def _by_amount(evidence: Evidence) -> dict[str, dict[str, float]]:
    """The rate of thirds of the games, by ink and by number of strokes."""
    right = torch.cat([play.correct for play in evidence.plays]).cpu()
    table = {}
    for name, amount in _amounts(evidence).items():
        cuts = torch.quantile(amount, torch.tensor([1 / 3, 2 / 3], dtype=amount.dtype))
        third = torch.bucketize(amount, cuts)
        for number, word in enumerate(SHARES):
            mine = third == number
            if mine.any():
                low, high = bootstrap_of(_mean_of(right, mine), evidence.sketches.sizes)
                rate = float(right[mine].double().mean())
                mean = float(amount[mine].mean())
                table[f"{word} {name}"] = {name: mean, "rate": rate, "low": low, "high": high, "n": float(mine.sum())}
    return table


def _mean_of(values: Tensor, mine: Bool[Tensor, " n"] | None = None) -> Callable[[NDArray[np.int64]], float]:
    """The mean of what games have over a sample of them, or over those of the sample that are among ``mine``."""
    numbers = values.double().numpy()
    counted = None if mine is None else mine.numpy()

    def mean(index: NDArray[np.int64]) -> float:
        some = index if counted is None else index[counted[index]]
        return float(numbers[some].mean()) if len(some) else math.nan

    return mean


def _pictures(found: Carried) -> list[Drawn]:
    """Drawings with what each stroke carries, in nats."""
    some = found.some
    every = torch.linspace(0, len(some) - 1, min(SHOWN, len(some))).round().long()
    drawn = written(some.strokes())
    gain = found.gain
    word = "what was meant" if has_several(some.evidence) else "the target"
    return [
        Drawn(
            one_of(drawn, number),
            f"{gain[number]:+.1f} nats for {word}, beside a blank canvas",
            weights=found.values[number].tolist(),
            photo=int(some.shown[number]),
        )
        for number in every.tolist()
    ]
