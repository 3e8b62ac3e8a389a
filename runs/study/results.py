"""Participants' answers, held against the study: what does not fit is refused, and says why."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raster import InputError
from runs.study.drawn import strokes_drawn
from runs.study.files import plain
from runs.study.layout import FORMAT, study_id
from runs.study.readers import DoesNotFit, Refusal, sittings

__all__ = ["Answer", "Participant", "Refusal", "read_results", "read_study"]

_ASKED = ("pick", "catch", "class", "name", "rate", "compare", "draw")
_BY_FILE = ("pick", "catch", "compare")
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Answer:
    """One answered question.

    Attributes:
        trial: its id.
        kind: what was asked ("pick", "class", "name", "rate", "compare", "draw", "catch").
        position: as the how-manieth it was answered, from 1.
        response: the position of what was chosen, the text of a name, or the strokes of a drawing as the page saves
            them (``strokes_drawn`` reads them); ``None`` for "cannot tell".
        rt: milliseconds; ``None`` if none were logged.
    """

    trial: str
    kind: str
    position: int
    response: Any
    rt: int | None


@dataclass(frozen=True)
class Participant:
    """One person's finished sitting. ``id`` is a hash: the id that a recruiting service gave is not kept."""

    id: str
    list: int
    simulated: bool
    answers: tuple[Answer, ...]
    source: Path


def read_study(folder: Path) -> dict[str, Any]:
    """Read ``study.json`` of an exported folder.

    Raises:
        InputError: missing, damaged, or changed since the export (its id is the hash of its content).
    """
    path = folder / "study.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("no study here", folder, "give the folder that `lascaux study export` wrote") from error
    except (ValueError, RecursionError) as error:
        raise InputError("study.json is damaged", path, "take the copy that was put in front of people") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"not a study of the format {FORMAT}", path, "score it with the version that exported it")
    if study_id(data) != data.get("id"):
        raise InputError("study.json was changed after the export", path, "take the copy that was exported")
    return data


def read_results(files: Sequence[Path], study: dict[str, Any]) -> tuple[list[Participant], list[Refusal]]:
    """Read the results of one study from files, folders and zips (``readers.sittings``).

    A participant who comes twice is counted once, as first given. Nothing raises: what cannot be counted is
    a ``Refusal``, so that one bad file does not cost the others.
    """
    people: dict[str, Participant] = {}
    found, refused = sittings(files)
    for each in found:
        try:
            person = _participant(list(each.rows), study, each.source)
            if person.id in people:
                raise DoesNotFit(f"the same participant as in {plain(people[person.id].source)}")
            people[person.id] = person
        except DoesNotFit as error:
            refused.append(Refusal(each.source, str(error)))
    return list(people.values()), refused


def _participant(rows: list[dict[str, Any]], study: dict[str, Any], source: Path) -> Participant:
    end = rows[-1]
    named = {str(row["study"]) for row in rows if isinstance(row.get("study"), str)}
    if strange := named - {study["id"]}:
        raise DoesNotFit(f"answers to another study, or to another export of it ({plain(min(strange), 20)})")
    if not named:
        raise DoesNotFit("not the answers of a study: no study is named in it")
    asked = [row for row in rows if row.get("kind") in _ASKED]
    if end.get("kind") != "end":
        what = f"the closing row is missing after {len(asked)} answers"
        raise DoesNotFit(f"cut off: {what}, the participant did not finish or it was edited")
    name, number = end.get("participant"), end.get("list")
    if not isinstance(name, str) or type(number) is not int or not 1 <= number <= len(study["lists"]):
        raise DoesNotFit("edited: its closing row names no participant, or no list of this study")
    if any((row.get("study"), row.get("participant"), row.get("list")) != (study["id"], name, number) for row in rows):
        raise DoesNotFit("edited: rows of several participants are mixed")
    if _checksum(study["id"], name, number, asked) != end.get("checksum"):
        raise DoesNotFit("edited or damaged: the answers are not those that the page saved (checksum)")
    expected = sorted([*study["lists"][number - 1], *study["catch"]])
    if sorted(str(row.get("trial")) for row in asked) != expected:
        raise DoesNotFit(f"its answers are not those of list {number}: {len(asked)} for {len(expected)} questions")
    return Participant(
        id=hashlib.sha256(f"{study['id']}|{name}".encode("utf-8", "replace")).hexdigest()[:12],
        list=number,
        simulated=any(row.get("simulated") is not False for row in rows),
        answers=tuple(_answer(row, study) for row in asked),
        source=source,
    )


def _answer(row: dict[str, Any], study: dict[str, Any]) -> Answer:
    trial = study["trials"][row["trial"]]
    position, rt = row.get("position"), row.get("rt")
    if type(position) is not int or row.get("kind") != trial["kind"]:
        raise DoesNotFit(f"edited: the answer to {row['trial']} is none that the page could give")
    response, choice = _given(row, trial)
    if row.get("choice") != choice:
        raise DoesNotFit(f"edited: the answer to {row['trial']} names something else than its number")
    return Answer(row["trial"], trial["kind"], position, response, rt if type(rt) is int else None)


def _given(row: dict[str, Any], trial: dict[str, Any]) -> tuple[Any, str]:
    """The answer (None for "cannot tell"), and what the page then writes as ``choice``."""
    response, kind = row.get("response"), trial["kind"]
    choice = ""
    if kind == "name":
        possible = response is None or (isinstance(response, str) and 0 < len(response) <= _LONGEST_NAME)
        choice = "named"
    elif kind == "draw":
        possible, choice = response is None or _drawable(response), "drawn"
    else:
        choices = trial["choices"]
        possible = type(response) is int and 0 <= response <= len(choices)
        if possible:
            response = None if response == len(choices) else response
            choice = str(choices[response]) if response is not None else ""
            choice = choice.rpartition("/")[2] if kind in _BY_FILE else choice
    if not possible:
        raise DoesNotFit(f"edited: the answer to {row['trial']} is none that the page could give")
    return response, "cannot-tell" if response is None else choice


def _drawable(response: Any) -> bool:
    try:
        strokes_drawn(response)
    except InputError:
        return False
    return True


def _checksum(study: str, participant: str, number: int, asked: Sequence[dict[str, Any]]) -> str:
    """What the page computes: CRC-32 of the answers as text. It tells damage and careless edits, not forgery."""
    lines = [f"{study}|{participant}|{number}"]
    for row in asked:
        cells = (row.get(key) for key in ("kind", "trial", "position", "response", "choice", "rt"))
        lines.append("|".join(_cell(cell) for cell in cells))
    return f"{zlib.crc32(chr(10).join(lines).encode('utf-8', 'replace')):08x}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else str(value)
