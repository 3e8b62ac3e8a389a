"""Probes that are asked again and again while agents learn: of the validation split, never of the test."""

import math
from collections.abc import Sequence

from games import Game
from raster.errors import InputError
from runs.evidence import gather
from runs.finding import Finding
from runs.looks import Kept
from runs.probes import Probe, probes
from runs.run import Run

HARDEST = ("artist", "class", "same")
"""The views of a mixture, the hardest first: ``same`` is nearly solved by any private scribble."""
SPLIT = "validation"


def hardest(parts: Sequence[Game]) -> Game:
    """The game of a mixture that is the headline."""
    return min(parts, key=lambda part: rank(part.label))


def rank(label: str) -> int:
    """Where a game stands among those that could be the headline."""
    view = label.split("-")[0]
    return HARDEST.index(view) if view in HARDEST else len(HARDEST)


class Watch:
    """Asks a run's cheap probes every ``measure.probes_every`` steps.

    What it says at a step is a function of the run at that step alone: nothing is drawn from a generator that learning
    uses, and what is kept from one time to the next is only what the judge saw of pixels that come again. So a run
    that is resumed says what the whole one says.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.every = run.config.measure.probes_every
        self.part = hardest(run.game.parts)
        self.memo: Kept = {}
        self.left_out: list[str] = []
        self.probes = self._chosen()

    def _chosen(self) -> list[Probe]:
        if self.every is None or not self.run.game.chooses or SPLIT not in self.run.gallery.splits:
            return []
        known, found = probes(), []
        for name in self.run.config.probes:
            if not known[name].cheap or name == "rate":  # validation measures the rate anyway
                continue
            try:
                known[name].check(self.run, self.part, SPLIT)
            except InputError as error:
                self.left_out.append(_at_the_end(error))
            else:
                found.append(known[name])
        return found

    def falls(self, step: int, last: bool) -> bool:
        """Whether probes are asked after ``step`` steps, if there are any."""
        return self.every is not None and (step % self.every == 0 or last)

    def due(self, step: int, last: bool) -> bool:
        """Whether the probes are asked after ``step`` steps."""
        return bool(self.probes) and self.falls(step, last)

    def ask(self) -> dict[str, float]:
        """What the probes find now: a flat line of numbers for metrics.jsonl."""
        evidence = gather(self.run, self.part, SPLIT, self.run.config.measure.probes_pools)
        sketches = evidence.sketches.remember(self.memo)
        found: dict[str, float] = {}
        for each in list(self.probes):
            try:
                found |= flat(each.name, each(evidence))
            except InputError as error:  # the few pools do not hold what it needs: that is no reason to stop learning
                self.probes.remove(each)
                self.left_out.append(_at_the_end(error))
        self.memo = sketches.seen  # of drawings that have changed nothing is kept
        return found

    def headlines(self, found: dict[str, float]) -> dict[str, float]:
        """The one number of each probe, for a person who watches."""
        return {each.name: found[each.name] for each in self.probes if each.name in found}


def _at_the_end(error: InputError) -> str:
    return f"{error.what} ({error.where}): it is asked at the end, not while agents learn"


def flat(name: str, finding: Finding) -> dict[str, float]:
    """A finding as numbers of a metrics line: ``iconicity``, ``iconicity.low``, ``iconicity.parts.margin``, ..."""
    numbers = {name: finding.value, f"{name}.low": finding.low, f"{name}.high": finding.high}
    numbers |= {f"{name}.baselines.{key}": value for key, value in finding.baselines.items()}
    numbers |= {f"{name}.parts.{key}": value for key, value in (finding.parts or {}).items()}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}
