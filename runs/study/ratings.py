"""Likeness as people rate it: the mean step of the scale, and how often each was taken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runs.study.intervals import Mean, mean
from runs.study.rates import table_of
from runs.study.rows import Row

__all__ = ["Rating", "rating"]


@dataclass(frozen=True)
class Rating:
    """Ratings of some drawings.

    Attributes:
        mean: mean step, from 1 (not at all alike).
        counts: how often each step was taken, from the first.
        cannot_tell: part of the answers that were "cannot tell"; they are in neither of the above.
        participants: how many rated.
        sketches: how many drawings.
    """

    mean: Mean
    counts: tuple[int, ...]
    cannot_tell: float
    participants: int
    sketches: int


def rating(rows: Sequence[Row], seed: int = 0) -> Rating | None:
    """The ratings among these rows; ``None`` if nobody told."""
    rows = [row for row in rows if row.answer.kind == "rate"]
    told = [row for row in rows if row.told]
    if not told:
        return None
    counts = Counter(row.rating for row in told)
    return Rating(
        mean=mean(table_of(told, lambda row: row.rating), seed),
        counts=tuple(counts[step] for step in range(1, max(len(row.key.names) for row in told) + 1)),
        cannot_tell=1 - len(told) / len(rows),
        participants=len({row.participant for row in told}),
        sketches=len({row.answer.trial for row in told}),
    )
