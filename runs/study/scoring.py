"""Participants' answers to numbers beside the agents'."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from raster import InputError
from runs.study.drawings import drawings_ndjson
from runs.study.files import plain, table, write_whole
from runs.study.key import KeyRow, key_beside, read_key
from runs.study.names import Namer, coding_table, read_coded, read_synonyms
from runs.study.printing import print_score
from runs.study.questions import Part, part
from runs.study.relations import SKETCH_COLUMNS, StandIns, read_stand_ins, sketches_of, stand_ins_beside
from runs.study.results import Participant, Refusal, read_results, read_study
from runs.study.rows import RESPONSE_COLUMNS, Row, response, rows_of

__all__ = ["Score", "score"]

_SECOND = 1000


@dataclass(frozen=True)
class Score:
    """What people and agents made of the same drawings.

    Attributes:
        study: the study's id.
        shown: what people saw, "raster" or "vector".
        rule: the exclusion rule of the export, in words.
        everyone: all participants.
        kept: those whom the rule leaves; ``None`` if it leaves nobody.
        excluded: hashed ids of the others, with the reason.
        refused: files that were not counted, and why.
        lists: participants on each list; lists that nobody answered stand there with 0.
        seconds: quartiles of the participants' median times of an answer; ``None`` if none were logged.
        to_code: names that no rule knows and no person has judged yet (names.csv).
        drawings: how many drawings people made.
        simulated: whether these are simulated runs, not people.
        formulas: mixed models that responses.csv is ready for, by kind of question.
        folder: where everything was written.
        written: the files in it.
    """

    study: str
    shown: str
    rule: str
    everyone: Part
    kept: Part | None
    excluded: dict[str, str]
    refused: tuple[Refusal, ...]
    lists: dict[int, int]
    seconds: tuple[float, float, float] | None
    to_code: int
    drawings: int
    simulated: bool
    formulas: dict[str, str]
    folder: Path
    written: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """All numbers as plain data, as in ``summary.json``."""
        data = asdict(self)
        data["refused"] = [{"file": each.source.name, "why": each.why} for each in self.refused]
        del data["folder"], data["written"]
        return data


def score(
    study_dir: Path | str,
    files: Sequence[Path | str],
    key: Path | str | None = None,
    *,
    out: Path | str | None = None,
    simulated: bool = False,
    synonyms: Path | str | None = None,
    coded: Path | str | None = None,
    stand_ins: Sequence[Path | str] = (),
    console: Console | None = None,
) -> Score:
    """Score participants' results of an exported study, and write tables, summary.json and report.html.

    Args:
        study_dir: the folder that ``export`` wrote.
        files: results as the page saved them: JSON, JATOS's text or zip, or folders of them.
        key: the answer key; ``DIR-key.csv`` beside the folder when left out.
        out: where to write; ``DIR-scores`` beside the folder when left out (not in it: it may be on a server).
        simulated: score simulated runs, and only those; else they are refused.
        synonyms: a YAML file of other names for classes, ``cat: [kitty, pussycat]``.
        coded: names.csv of an earlier scoring, filled in by a person; the one in ``out`` is read in any case.
        stand_ins: CSV files of scores of drawings by stand-ins for people (``relations.read_stand_ins``);
            ``DIR-stand-ins.csv`` beside the folder is read in any case.
        console: where the table is printed; standard output when left out.

    Returns:
        The numbers. Files that do not fit the study are in ``refused`` with the reason, and are printed.

    Raises:
        InputError: no study, no key, the key of another study, no file, no file that could be counted, or a table of
            synonyms, coded names or stand-ins that cannot be read. Nothing is written then.
    """
    folder = Path(study_dir)
    study = read_study(folder)
    rows_by_trial = read_key(Path(key) if key is not None else key_beside(folder), study)
    target = Path(out) if out is not None else key_beside(folder).with_name(folder.absolute().name + "-scores")
    classes = sorted({name for row in rows_by_trial.values() for name in (row.target_class, *row.classes) if name})
    namer = _namer(classes, synonyms, [target / "names.csv"], [coded] if coded is not None else [])
    scores: StandIns = {}
    beside = stand_ins_beside(folder)
    for each in [*([beside] if beside.exists() else []), *stand_ins]:
        scores |= read_stand_ins(Path(each), rows_by_trial, study["id"])
    if not files:
        raise InputError("no results to score", folder, "name the files that participants saved")
    people, refused = read_results([Path(file) for file in files], study)
    people = _of_one_sort(people, simulated, refused)
    excluded = _excluded(people, rows_by_trial, study["exclusion"])
    rows = rows_of(people, rows_by_trial, set(excluded), namer)
    everyone = part(rows, scores)
    if everyone is None:
        first = refused[0] if refused else Refusal(folder, "nothing but attention checks was asked")
        raise InputError(
            f"none of {max(1, len(refused))} result(s) can be counted; the first: {first.why}",
            plain(first.source),
            "give the files that the pages of this very study saved",
        )
    kept = part([row for row in rows if not row.excluded], scores) if excluded else everyone
    tables, to_code = _tables(rows, scores, namer)
    on_lists = Counter(person.list for person in people)
    result = Score(
        study=study["id"],
        shown=study["shown"],
        rule=study["exclusion"]["rule"],
        everyone=everyone,
        kept=kept,
        excluded=dict(sorted(excluded.items())),
        refused=tuple(refused),
        lists={number: on_lists[number] for number in range(1, len(study["lists"]) + 1)},
        seconds=_quartiles(people),
        to_code=to_code,
        drawings=sum(row.answer.kind == "draw" and row.told for row in rows),
        simulated=simulated,
        formulas=_formulas(rows),
        folder=target,
        written=(*tables, "summary.json", "report.html"),
    )
    from runs.study.report import report_html

    tables["summary.json"] = (json.dumps(result.summary(), indent=1) + "\n").encode()
    tables["report.html"] = report_html(result, rows, study, folder).encode()
    for name, content in tables.items():
        write_whole(target / name, content)
    print_score(result, console or Console())
    return result


def _namer(classes: list[str], synonyms: Path | str | None, kept: Sequence[Path], given: Sequence[Path | str]) -> Namer:
    verdicts: dict[tuple[str, str], bool] = {}
    for path in [*(each for each in kept if each.exists()), *map(Path, given)]:
        verdicts |= read_coded(path)
    return Namer(classes, read_synonyms(Path(synonyms), classes) if synonyms is not None else None, verdicts)


def _of_one_sort(people: Sequence[Participant], simulated: bool, refused: list[Refusal]) -> list[Participant]:
    """People, or simulated runs: never both."""
    for person in people:
        if person.simulated != simulated:
            why = "a simulated run, not data" if person.simulated else "a person's answers, not a simulated run"
            refused.append(Refusal(person.source, why))
    return [person for person in people if person.simulated == simulated]


def _excluded(people: Sequence[Participant], key: Mapping[str, KeyRow], rule: Mapping[str, Any]) -> dict[str, str]:
    """Whom the rule of the export leaves out, and why."""
    most, fastest = rule.get("catch_missed_at_least"), rule.get("median_rt_below_ms")
    found = {}
    for person in people:
        missed = sum(
            answer.kind == "catch" and answer.response != key[answer.trial].target for answer in person.answers
        )
        median = _median(person)
        if most is not None and missed >= most:
            found[person.id] = f"{missed} attention check(s) missed"
        elif fastest is not None and median is not None and median < fastest:
            found[person.id] = f"median time of an answer {median:.0f} ms"
    return found


def _median(person: Participant) -> float | None:
    times = [answer.rt for answer in person.answers if answer.rt is not None and answer.kind != "catch"]
    return float(np.median(times)) if times else None


def _quartiles(people: Sequence[Participant]) -> tuple[float, float, float] | None:
    times = [median / _SECOND for person in people if (median := _median(person)) is not None]
    if not times:
        return None
    low, middle, high = np.quantile(times, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _tables(rows: Sequence[Row], stand_ins: StandIns, namer: Namer) -> tuple[dict[str, bytes], int]:
    """The tables as files, and how many names wait for a person."""
    found = {"responses.csv": table(RESPONSE_COLUMNS, map(response, rows)), "sketches.csv": _sketches(rows, stand_ins)}
    named = [(row.key.target_class, row.answer.response) for row in rows if row.answer.kind == "name" and row.told]
    waiting = 0
    if named:
        found["names.csv"], waiting = coding_table(named, namer)
    drawn = [row for row in rows if row.answer.kind == "draw" and row.told]
    if drawn:
        found["drawings.ndjson"] = drawings_ndjson(drawn)
    return found, waiting


def _sketches(rows: Sequence[Row], stand_ins: StandIns) -> bytes:
    """One row a drawing and kind of question, of the participants that are kept."""
    lines = []
    counted = [row for row in rows if not row.excluded and row.answer.kind not in ("catch", "draw")]
    for each in sketches_of(counted):
        key = each.key
        lines.append(
            {"sketch": each.trial, "kind": key.kind, "condition": key.condition, "run": key.run, "sender": key.sender}
            | {"class": key.target_class, "strokes": key.strokes, "n": each.n, "right": each.right}
            | {"entropy": each.entropy, "agent_p": key.agent_probability}
            | {name: scores.get(each.trial) for name, scores in stand_ins.items()}
        )
    return table((*SKETCH_COLUMNS, *stand_ins), lines)


_OUTCOMES = {"pick": "correct", "class": "correct", "name": "correct", "rate": "rating"}


def _formulas(rows: Sequence[Row]) -> dict[str, str]:
    """A mixed model for each kind of question, in the words of lme4 and bambi, on the rows of responses.csv."""
    found = {}
    for kind, outcome in _OUTCOMES.items():
        asked = [row.key for row in rows if row.answer.kind == kind]
        if asked:
            fixed = "condition" if len({key.condition for key in asked}) > 1 else "1"
            shared = len({key.item for key in asked}) < len({key.trial for key in asked})
            found[kind] = f"{outcome} ~ {fixed} + (1|participant) + (1|sketch)" + (" + (1|item)" if shared else "")
    return found
