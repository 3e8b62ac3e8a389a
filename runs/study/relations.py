"""What the drawings' rates go with: the receiver's confidence, stand-ins for people, and what people share at all."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from raster import InputError
from runs.study.agreement import Agreement, entropy
from runs.study.files import plain, read_table
from runs.study.intervals import RESAMPLES, Crossed, between
from runs.study.key import KeyRow, key_beside
from runs.study.rates import table_of
from runs.study.rows import Row

__all__ = [
    "SKETCH_COLUMNS",
    "Correlation",
    "Sketch",
    "StandIns",
    "ceiling",
    "correlate",
    "correlations",
    "read_stand_ins",
    "sketches_of",
    "stand_ins_beside",
]

SKETCH_COLUMNS = (
    "sketch",
    "kind",
    "condition",
    "run",
    "sender",
    "class",
    "strokes",
    "n",
    "right",
    "entropy",
    "agent_p",
)
_NAMES = 200
_FEWEST = 5
_STROKES = "number of strokes"

StandIns = dict[str, dict[str, float]]
"""By name of a stand-in: its score of each trial."""


@dataclass(frozen=True)
class Sketch:
    """What people made of one drawing in one question.

    Attributes:
        trial: its id.
        key: the key's row.
        n: answers, "cannot tell" among them.
        right: part of them that was right; of ratings the mean, of two drawings the part that took the first;
            ``None`` where there is no such thing.
        entropy: of the answers that told, in bits (``agreement.entropy``); ``None`` where nobody did.
    """

    trial: str
    key: KeyRow
    n: int
    right: float | None
    entropy: float | None


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over drawings.

    Attributes:
        rho: the correlation; ``None`` with fewer than five drawings, or where one side does not differ.
        interval: 95 %, people and drawings resampled, each by itself (``intervals.Mean.both``).
        p: two-sided, from 2,000 permutations.
        n: drawings.
        of_ceiling: rho as a part of what a perfect model of people could reach; ``None`` where that is not known.
    """

    rho: float | None
    interval: tuple[float, float] | None
    p: float | None
    n: int
    of_ceiling: float | None = None


def sketches_of(rows: Sequence[Row]) -> list[Sketch]:
    """One line a drawing of the rows of one kind, by trial."""
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.answer.trial].append(row)
    found = []
    for trial, part in sorted(parts.items()):
        values = [value for row in part if (value := _value(row)) is not None]
        told = [row.said_class if row.answer.kind == "name" else row.said for row in part if row.told]
        right = float(np.mean(values)) if values else None
        found.append(Sketch(trial, part[0].key, len(part), right, entropy(told) if told and any(told) else None))
    return found


def _value(row: Row) -> float | None:
    if row.correct is not None:
        return float(row.correct)
    if row.answer.kind == "rate":
        return row.rating
    return float(row.answer.response == 0) if row.answer.kind == "compare" and row.told else None


def correlate(table: Crossed, other: Sequence[float], seed: int = 0) -> Correlation:
    """Spearman's correlation of the rates of drawings with a score of each.

    Args:
        table: right or not (or a rating), by participant and drawing.
        other: the score of each of its drawings, in its order.
        seed: of resamples and permutations.
    """
    y = np.asarray(other, dtype=np.float64)
    x = table.sums.sum(0) / table.counts.sum(0)
    people, n = table.sums.shape
    if n < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(None, None, None, n)
    rng = np.random.default_rng(seed)
    a, b = stats.rankdata(x), stats.rankdata(y)
    rho = _pearson(a[None], b[None])[0]
    picked = rng.integers(0, n, (RESAMPLES, n))
    asked = rng.multinomial(people, np.full(people, 1 / people), RESAMPLES).astype(np.float64)
    answers = asked @ table.counts
    # A drawing that none of the people drawn has answered keeps the rate that all gave it.
    rates = np.where(answers > 0, asked @ table.sums / np.maximum(answers, 1), x)
    drawn = np.take_along_axis(rates, picked, axis=1)
    spread = _pearson(stats.rankdata(drawn, axis=1), stats.rankdata(y[picked], axis=1))
    shuffled = rng.permuted(np.tile(b, (RESAMPLES, 1)), axis=1)
    beyond = np.abs(_pearson(np.broadcast_to(a, shuffled.shape), shuffled)) >= abs(rho) - 1e-12
    return Correlation(float(rho), between(spread), float((1 + beyond.sum()) / (1 + RESAMPLES)), n)


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row of [R, n]; NaN where one does not differ."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    below = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    found: np.ndarray = np.where(below > 0, (a * b).sum(1), np.nan) / np.where(below > 0, below, 1)
    return found


def correlations(
    rows: Sequence[Row], stand_ins: StandIns, most: float | None = None, seed: int = 0
) -> dict[str, Correlation]:
    """The drawings' rates with the receiver's probability, with every stand-in, and with how many strokes there are.

    Args:
        rows: answers of one kind.
        stand_ins: scores of the drawings.
        most: the ceiling.
        seed: of the resampling.
    """
    keys = {row.answer.trial: row.key for row in rows}
    scores: dict[str, Mapping[str, float | None]] = {
        "receiver's confidence": {trial: key.agent_probability for trial, key in keys.items()},
        **stand_ins,
        _STROKES: {trial: key.strokes for trial, key in keys.items()},
    }
    found = {}
    for name, of in scores.items():
        some = [row for row in rows if of.get(row.answer.trial) is not None and _value(row) is not None]
        drawings = sorted({row.answer.trial for row in some})
        other = [float(of[trial] or 0.0) for trial in drawings]
        # A number of strokes that is one and the same has nothing to go with.
        if drawings and (name != _STROKES or len(set(other)) > 1):
            each = correlate(table_of(some, _value), other, seed)
            found[name] = replace(each, of_ceiling=each.rho / most if most and each.rho is not None else None)
    return found


def ceiling(halves: Agreement) -> float | None:
    """The correlation that a perfect model could reach: the root of people's split-half consistency."""
    return math.sqrt(halves.value) if halves.value is not None and halves.value > 0 else None


def stand_ins_beside(study: Path) -> Path:
    """Where scores of stand-ins are put, and looked for: ``DIR-stand-ins.csv`` beside the study's folder."""
    return key_beside(study).with_name(Path(study).absolute().name + "-stand-ins.csv")


def read_stand_ins(path: Path, key: Mapping[str, KeyRow], study: str) -> StandIns:
    """Read scores of stand-ins for people: a CSV of drawings, with a column of numbers for each stand-in.

    A row is told by the column ``sketch`` (a trial's id) or ``drawing`` (the drawing's file, with or without its
    folder); columns that sketches.csv has as well (``class``, ``run`` ...) are passed over. Empty cells are no score.
    Where there is a column ``study``, it is this one's id.

    Raises:
        InputError: it is of another study, cannot be read, has no such column, a cell that is no number, or no score
            of a drawing of the study.
    """
    try:
        rows = read_table(path)
    except OSError as error:
        raise InputError("the stand-ins' scores cannot be read", path, "give a CSV file") from error
    except (ValueError, csv.Error) as error:
        raise InputError("the stand-ins' scores are damaged", path, "give a CSV file in UTF-8") from error
    by = next((name for name in ("sketch", "drawing") if rows and name in rows[0]), None)
    if by is None:
        raise InputError("no column sketch or drawing", path, "say which drawing each row is about, as in sketches.csv")
    if any(row.get("study", study) != study for row in rows):
        do = "look again: lascaux study stand-ins"
        raise InputError("the stand-ins saw another study, or another export of it", path, do)
    files: dict[str, list[str]] = defaultdict(list)
    for each in key.values():
        files[each.drawing.rpartition("/")[2]].append(each.trial)
    found: StandIns = defaultdict(dict)
    for number, row in enumerate(rows, 2):
        of = [row[by]] if by == "sketch" and row[by] in key else files.get(row[by].rpartition("/")[2], [])
        for name, cell in row.items():
            if name in (*SKETCH_COLUMNS, "study", "drawing", "item", "receiver") or not cell.strip():
                continue
            try:
                score = float(cell)
            except ValueError:
                score = math.nan
            if not math.isfinite(score):
                what = f"{plain(name, 30)!r} is {plain(cell, 30)!r}, no number"
                raise InputError(what, f"{path}, line {number}", "a column of numbers for each stand-in")
            found[plain(name, _NAMES)].update(dict.fromkeys(of, score))
    if not any(found.values()):
        raise InputError("no score of a drawing of this study", path, "name the drawings as sketches.csv does")
    return dict(found)
