"""Everything that is counted of the questions of one kind."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from runs.study.agreement import Agreement, agreement, split_half
from runs.study.intervals import Interval, Rate, between, rate
from runs.study.preferences import Contest, Strength, strengths
from runs.study.rates import Difference, Group, Line, by, differences, group, table_of
from runs.study.ratings import Rating, rating
from runs.study.relations import Correlation, Sketch, StandIns, ceiling, correlations, sketches_of
from runs.study.rows import Row

__all__ = ["Entropy", "Part", "Question", "part", "question"]

KINDS = ("pick", "class", "name", "rate", "compare", "draw")
_CHOSEN = ("pick", "class")
Pairs = tuple[tuple[str, str, int], ...]
"""(class meant, class taken, how often), the commonest first."""


@dataclass(frozen=True)
class Entropy:
    """Mean entropy of the answers to a drawing, in bits, over ``n`` drawings; the interval resamples them.

    ``agents`` is the mean entropy of the receiver's own choice on the same drawings (softmax of its scores); ``None``
    where it did not choose.
    """

    people: float
    interval: Interval
    agents: float | None
    n: int


@dataclass(frozen=True)
class Question:
    """All that is counted of one kind of question. What does not apply is ``None`` or empty.

    Attributes:
        kind: "pick", "class", "name", "rate", "compare" or "draw".
        answers: how many, "cannot tell" among them.
        cannot_tell: part of them that were "cannot tell".
        all: rates of all of them.
        by_condition: rates for each condition (the runs' labels).
        by_run: rates for each run; of one condition there may be several.
        by_class: rates for each class of target.
        by_sender: rates for each sender, after its run's name where there are several runs.
        by_strokes: rates for each number of strokes.
        differences: every pair of conditions, over the same people: of right answers, or of ratings.
        agreement: Krippendorff's alpha of the answers, "" being all and the others the conditions. "Cannot tell" is
            no label.
        halves: split-half consistency of the drawings' rates.
        ceiling: the correlation that a perfect model of people could reach.
        entropy: of the answers to one drawing.
        correlations: of the drawings' rates with the receiver's confidence and with stand-ins for people.
        confusion: (class meant, class taken, answers), people's.
        agents_confusion: the receivers', each trial once.
        ratings: of likeness, "" being all and the others the conditions.
        sides: of two drawings, how each condition fared.
        surer: of two drawings, how often people chose the one whose own receiver was surer of its target.
        names: how names fit, by level, and "coded".
        strict: names that are the class's own or a synonym, or were coded right.
    """

    kind: str
    answers: int
    cannot_tell: float
    all: Group | None = None
    by_condition: dict[str, Group] = field(default_factory=dict)
    by_run: dict[str, Line] = field(default_factory=dict)
    by_class: dict[str, Line] = field(default_factory=dict)
    by_sender: dict[str, Line] = field(default_factory=dict)
    by_strokes: dict[str, Line] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    agreement: dict[str, Agreement] = field(default_factory=dict)
    halves: Agreement | None = None
    ceiling: float | None = None
    entropy: Entropy | None = None
    correlations: dict[str, Correlation] = field(default_factory=dict)
    confusion: Pairs = ()
    agents_confusion: Pairs = ()
    ratings: dict[str, Rating] = field(default_factory=dict)
    sides: tuple[Strength, ...] = ()
    surer: Rate | None = None
    names: dict[str, int] = field(default_factory=dict)
    strict: Rate | None = None


@dataclass(frozen=True)
class Part:
    """Some participants, and what is counted of each kind of question that they answered."""

    participants: int
    questions: dict[str, Question]


def part(rows: Sequence[Row], stand_ins: StandIns, seed: int = 0) -> Part | None:
    """All that is counted of these answers; ``None`` if there are none. Attention checks are left out."""
    rows = [row for row in rows if row.answer.kind != "catch"]
    if not rows:
        return None
    kinds = [kind for kind in KINDS if any(row.answer.kind == kind for row in rows)]
    return Part(
        participants=len({row.participant for row in rows}),
        questions={kind: question([row for row in rows if row.answer.kind == kind], stand_ins, seed) for kind in kinds},
    )


def question(rows: Sequence[Row], stand_ins: StandIns, seed: int = 0) -> Question:
    """All that is counted of answers of one kind."""
    kind, told = rows[0].answer.kind, sum(row.told for row in rows)
    found = Question(kind, len(rows), 1 - told / len(rows))
    if kind == "draw":
        return found
    sketches = sketches_of(rows)
    halves = _halves(rows, seed)
    most = ceiling(halves) if halves is not None else None
    several = len({row.key.run for row in rows}) > 1
    conditions = sorted({row.key.condition for row in rows if row.key.condition})
    every = {"": rows} | ({name: _of(rows, name) for name in conditions} if len(conditions) > 1 else {})
    rated = {name: rating(some, seed) for name, some in every.items()}
    return Question(
        kind=kind,
        answers=len(rows),
        cannot_tell=1 - told / len(rows),
        all=group(rows, seed),
        by_condition={name: got for name in conditions if (got := group(_of(rows, name), seed))},
        by_run=by(rows, lambda row: row.key.run, seed),
        by_class=by(rows, lambda row: row.key.target_class, seed),
        by_sender=by(rows, lambda row: f"{row.key.run}/{row.key.sender}" if several else row.key.sender, seed),
        by_strokes=by(rows, lambda row: row.key.strokes, seed),
        differences=differences(rows, lambda row: row.rating if kind == "rate" else row.correct, seed),
        agreement={name: agreement(_labels(some), seed) for name, some in every.items()},
        halves=halves,
        ceiling=most,
        entropy=_entropy(sketches, seed),
        correlations=correlations(rows, stand_ins, most, seed),
        confusion=_confusion(
            (row.key.target_class, row.said_class) for row in rows if row.said_class is not None and kind in _CHOSEN
        ),
        agents_confusion=_confusion(
            {
                row.answer.trial: (row.key.target_class, row.key.classes[row.key.agent_choice])
                for row in rows
                if row.key.agent_choice is not None
            }.values()
        ),
        ratings={name: got for name, got in rated.items() if got is not None},
        sides=tuple(strengths([each for row in rows if (each := _contest(row))], seed)),
        surer=_surer(rows, seed),
        names=dict(Counter(row.fits or "cannot tell" for row in rows)) if kind == "name" else {},
        strict=rate(table_of(rows, _strictly), seed) if kind == "name" else None,
    )


def _of(rows: Sequence[Row], condition: str) -> list[Row]:
    return [row for row in rows if row.key.condition == condition]


def _labels(rows: Sequence[Row]) -> list[list[str]]:
    """For each drawing, what it was said to be: pictures, classes, steps, or names in their simple form."""
    units: dict[str, list[str]] = {}
    for row in rows:
        label = row.said_class if row.answer.kind == "name" else row.said
        if row.answer.kind == "compare" and row.told:
            label = str(row.answer.response)
        units.setdefault(row.answer.trial, []).extend([label] if row.told and label is not None else [])
    return list(units.values())


def _halves(rows: Sequence[Row], seed: int) -> Agreement | None:
    """Split halves of whatever a drawing's rate is: right answers, or ratings."""
    if rows[0].answer.kind == "compare":
        return None
    rows = [row for row in rows if row.correct is not None or row.rating is not None]
    if not rows:
        return None
    lists = {row.participant: row.list for row in rows}
    table = table_of(rows, lambda row: row.rating if row.answer.kind == "rate" else row.correct)
    return split_half(table, [lists[name] for name in sorted(lists)], seed)


def _entropy(sketches: Sequence[Sketch], seed: int) -> Entropy | None:
    people = np.array([each.entropy for each in sketches if each.entropy is not None])
    if not len(people):
        return None
    rng = np.random.default_rng(seed)
    spread = people[rng.integers(0, len(people), (2000, len(people)))].mean(1)
    agents = [_softmax_entropy(each.key.agent_scores) for each in sketches if each.key.agent_scores]
    return Entropy(
        people=float(people.mean()),
        interval=between(spread),
        agents=float(np.mean(agents)) if agents else None,
        n=len(people),
    )


def _softmax_entropy(scores: Sequence[float]) -> float:
    level = np.asarray(scores) - max(scores)
    p = np.exp(level) / np.exp(level).sum()
    return float(-(p * np.log2(np.maximum(p, 1e-300))).sum())


def _confusion(pairs: Iterable[tuple[str, str]]) -> Pairs:
    return tuple((meant, taken, count) for (meant, taken), count in Counter(pairs).most_common())


def _contest(row: Row) -> Contest | None:
    """A choice between two conditions' drawings."""
    if len(row.key.sides) != 2:
        return None
    one, other = (side.condition for side in row.key.sides)
    return Contest(row.participant, (one, other), row.answer.response)


def _surer(rows: Sequence[Row], seed: int) -> Rate | None:
    told = [row for row in rows if row.told and len(row.key.sides) == 2 and row.key.target is None]
    told = [row for row in told if row.key.sides[0].agent_probability != row.key.sides[1].agent_probability]
    if not told:
        return None

    def surer(row: Row) -> float:
        first, second = (side.agent_probability for side in row.key.sides)
        return float((second > first) == (row.answer.response == 1))

    return rate(table_of(told, surer), seed)


def _strictly(row: Row) -> bool:
    return bool(row.correct) and row.fits in ("exact", "synonym", "coded")
