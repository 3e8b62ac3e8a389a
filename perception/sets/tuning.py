"""The first question of everyone who trains a DSPN: is the inner step right, and do the elements move at all?"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from perception.sets.dspn import DSPN
from perception.sets.implicit import ImplicitDSPN
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor

_log = logging.getLogger("lascaux.perception")

#: A factor of two between neighbours, from where nothing moves to where everything jumps.
RATES = tuple(2.0**power for power in range(-4, 15))


@dataclass(frozen=True)
class Trial:
    """One inner step size: the mean representation loss before and after the inner loop, and how elements moved.

    Attributes:
        rate: the step size.
        before: the gap at the start set.
        after: the gap at the last set; NaN or infinity where the loop flew apart.
        first: how far an element moves in the first step (Euclidean, mean).
        last: how far in the last: small against `first` once the loop has settled.
        total: how far an element is from where it started.
    """

    rate: float
    before: float
    after: float
    first: float
    last: float
    total: float


@dataclass(frozen=True)
class Tuning:
    """What `tune_rate` tried, and the rate that it chose and set."""

    trials: tuple[Trial, ...]
    rate: float

    def __str__(self) -> str:
        """A table, a row a rate, the chosen one marked."""
        lines = ["      rate   gap before    gap after   first step    last step     in total"]
        for trial in self.trials:
            numbers = (trial.before, trial.after, trial.first, trial.last, trial.total)
            mark = "*" if trial.rate == self.rate else " "
            lines.append(f"{mark}{trial.rate:9.4g} " + " ".join(f"{number:12.4g}" for number in numbers))
        return "\n".join(lines)


def tune_rate(
    decoder: DSPN | ImplicitDSPN,
    z: Float[Tensor, "b l"],
    mask: Bool[Tensor, "b n"] | None = None,
    generator: torch.Generator | None = None,
    *,
    rates: Sequence[float] = RATES,
    steps: int | None = None,
) -> Tuning:
    """Try each rate on the vectors `z`, set ``decoder.rate`` to the best, and log the table.

    The best is the smallest rate whose inner loop closes at least 95 % of the gap that the best of them closes: large
    enough that elements visibly move, with room before it flies apart. If none closes any, the rate stays. Call it with
    the encoder's vectors of a batch before training, and again when the table says that elements stand still.

    Random starts are the same for every rate. Costs one inner loop a rate; not part of a training step.
    Raises InputError without a rate, or for one of 0 or less.
    """
    if not rates or min(rates) <= 0:
        raise InputError(f"rates {tuple(rates)}", None, "give some, each above 0")
    state = None if generator is None else generator.get_state()
    was = decoder.rate.clone()
    trials = []
    for rate in sorted(rates):
        if generator is not None and state is not None:
            generator.set_state(state)
        decoder.rate.fill_(rate)
        with torch.no_grad():
            walk = decoder(z, mask, generator, steps=steps)
            after = decoder.gap(walk.sets, z, mask).mean().item()
            total = (walk.trace[-1] - walk.trace[0]).norm(dim=-1).mean().item()
            moved = walk.moved.mean(1)
        trials.append(Trial(rate, walk.gaps[0].mean().item(), after, moved[0].item(), moved[-1].item(), total))
    closed = [trial.before - trial.after if trial.after < float("inf") else -float("inf") for trial in trials]
    if max(closed) > 0:
        chosen = next(trial.rate for trial, much in zip(trials, closed, strict=True) if much >= 0.95 * max(closed))
    else:
        chosen = float(was)
    decoder.rate.fill_(chosen)
    tuning = Tuning(tuple(trials), chosen)
    _log.info("inner step %g chosen\n%s", chosen, tuning)
    return tuning
