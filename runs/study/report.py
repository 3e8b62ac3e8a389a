"""report.html of a scored study: one page, nothing outside it, and no participant's id in it."""

import base64
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from runs.report._pages import page
from runs.report.figures import confusion
from runs.study.drawings import person_svg
from runs.study.files import plain
from runs.study.printing import ASKED
from runs.study.questions import Pairs, Part, Question
from runs.study.relations import Sketch, sketches_of
from runs.study.rows import Row

if TYPE_CHECKING:
    from runs.study.scoring import Score

__all__ = ["report_html"]

_ENDS = 8
"""Drawings shown at either end: those that most people read, and fewest."""
_DRAWN = 48
_NAMES = 40
_CLASSES = 20
_FILE = re.compile(r"stimuli/[A-Za-z0-9._-]+\.(png|svg)")
_LARGEST_PICTURE = 2**20


@dataclass(frozen=True)
class Shown:
    """A drawing in the gallery with what became of it; pictures are data addresses, "" where the file is gone."""

    drawing: str
    target: str
    name: str
    condition: str
    right: float
    n: int
    agent: bool | None
    probability: float | None


def report_html(result: "Score", rows: Sequence[Row], study: Mapping[str, Any], folder: Path) -> str:
    """The page.

    Args:
        result: the numbers.
        rows: every answer.
        study: study.json, for the files' names.
        folder: the study's folder; drawings are shown from it.
    """
    kept = [row for row in rows if not row.excluded]
    main = result.kept or result.everyone
    counted = kept if result.kept is not None else list(rows)
    of_kind = {kind: [row for row in counted if row.answer.kind == kind] for kind in main.questions}
    return page("runs.study", "scores.html").render(
        result=result,
        main=main,
        asked=ASKED,
        columns=_columns(result),
        kinds=list(main.questions),
        galleries={kind: _gallery(part, study, folder) for kind, part in of_kind.items()},
        confusions={kind: _confusions(each) for kind, each in main.questions.items()},
        names=_names(of_kind.get("name", [])),
        drawn=_drawn(of_kind.get("draw", [])),
    )


def _columns(result: "Score") -> list[tuple[str, Part]]:
    if result.excluded and result.kept is not None:
        return [("kept", result.kept), ("all", result.everyone)]
    return [("all", result.everyone)]


def _gallery(rows: Sequence[Row], study: Mapping[str, Any], folder: Path) -> dict[str, list[Shown]]:
    """The drawings that were read best and least (of ratings: most and least alike)."""
    if not rows or rows[0].answer.kind in ("draw", "compare"):
        return {}
    found = sorted((each for each in sketches_of(rows) if each.right is not None), key=_place)
    best = found[::-1][:_ENDS]
    least = [each for each in found[:_ENDS] if each not in best]
    return {name: [_shown(each, study, folder) for each in some] for name, some in (("best", best), ("least", least))}


def _place(sketch: Sketch) -> tuple[float, int, str]:
    return (sketch.right or 0.0, sketch.n, sketch.trial)


def _shown(sketch: Sketch, study: Mapping[str, Any], folder: Path) -> Shown:
    trial, key = study["trials"][sketch.trial], sketch.key
    meant = trial["choices"][key.target] if key.kind == "pick" and key.target is not None else trial.get("photo")
    return Shown(
        drawing=_data_uri(folder, trial.get("stimulus")),
        target=_data_uri(folder, meant),
        name=plain(key.target_class, 60),
        condition=plain(key.condition, 40),
        right=sketch.right or 0.0,
        n=sketch.n,
        agent=key.agent_correct,
        probability=key.agent_probability,
    )


def _data_uri(folder: Path, name: object) -> str:
    """A stimulus of the study as a data address, in which even an SVG runs nothing."""
    if not isinstance(name, str) or not _FILE.fullmatch(name):
        return ""
    try:
        content = (folder / name).read_bytes()
    except OSError:
        return ""
    if len(content) > _LARGEST_PICTURE:
        return ""
    kind = "svg+xml" if name.endswith("svg") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _confusions(question: Question) -> dict[str, Any]:
    """People's confusion of classes beside the agents'; a picture of each for few classes, else the commonest pairs."""
    if not question.confusion:
        return {}
    named = [name for pairs in (question.confusion, question.agents_confusion) for a, b, _ in pairs for name in (a, b)]
    classes = sorted(set(named))
    found: dict[str, Any] = {"people": _wrong(question.confusion), "agents": _wrong(question.agents_confusion)}
    if 2 <= len(classes) <= _CLASSES:
        found["people_matrix"] = _matrix(question.confusion, classes)
        found["agents_matrix"] = _matrix(question.agents_confusion, classes)
    return found


def _wrong(pairs: Pairs) -> list[tuple[str, str, int]]:
    return [(plain(a, 40), plain(b, 40), count) for a, b, count in pairs if a != b][:10]


def _matrix(pairs: Pairs, classes: list[str]) -> str:
    if not pairs:
        return ""
    at = {name: number for number, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for meant, taken, count in pairs:
        counts[at[meant], at[taken]] += count
    return confusion(counts, [plain(name, 24) for name in classes])


def _names(rows: Sequence[Row]) -> list[tuple[str, str, str, int]]:
    """Names as written, the commonest first: (class, name, how it fits, times)."""
    times: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.told:
            at = plain(row.key.target_class, 40), plain(row.answer.response, 60), str(row.fits)
            times[at] = times.get(at, 0) + 1
    order = sorted(times.items(), key=lambda item: (-item[1], item[0]))
    return [(*at, count) for at, count in order[:_NAMES]]


def _drawn(rows: Sequence[Row]) -> list[tuple[Markup, str]]:
    """A random sample of people's drawings, with what they were to show."""
    drawn = [row for row in rows if row.told]
    chosen = random.Random(0).sample(drawn, min(_DRAWN, len(drawn)))
    return [(Markup(person_svg(row)), plain(row.key.target_class, 60)) for row in chosen]  # noqa: S704 (numbers only)
