"""Participants' files, read with suspicion: what does not fit the study is refused, and says why."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raster import InputError
from runs.study.files import plain
from runs.study.layout import FORMAT, study_id

__all__ = ["Answer", "Participant", "Refusal", "read_results", "read_study"]

_LARGEST = 64 * 2**20
_ASKED = ("pick", "catch")


@dataclass(frozen=True)
class Answer:
    """One answered question. ``response`` is the position of the chosen picture, ``None`` for "cannot tell"."""

    trial: str
    kind: str
    position: int
    response: int | None
    rt: int | None


@dataclass(frozen=True)
class Participant:
    """One person's finished sitting. ``id`` is a hash: the id that a recruiting service gave is not kept."""

    id: str
    list: int
    simulated: bool
    answers: tuple[Answer, ...]
    source: Path


@dataclass(frozen=True)
class Refusal:
    """A file, or a sitting in it, that was not counted."""

    source: Path
    why: str


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
    except ValueError as error:
        raise InputError("study.json is damaged", path, "take the copy that was put in front of people") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"not a study of the format {FORMAT}", path, "score it with the version that exported it")
    if study_id(data) != data.get("id"):
        raise InputError("study.json was changed after the export", path, "take the copy that was exported")
    return data


def read_results(files: Sequence[Path], study: dict[str, Any]) -> tuple[list[Participant], list[Refusal]]:
    """Read jsPsych results of one study: one file a participant, or many in one (arrays, or an array a line).

    A participant who comes twice is counted once, as first given. Nothing raises: what cannot be counted is
    a ``Refusal``, so that one bad file does not cost the others.
    """
    people: dict[str, Participant] = {}
    refused: list[Refusal] = []
    for file in files:
        try:
            sittings = list(_sittings(_parsed(Path(file))))
        except RecursionError:
            refused.append(Refusal(Path(file), "not the answers of a study: lists within lists without end"))
            continue
        except _DoesNotFit as error:
            refused.append(Refusal(Path(file), str(error)))
            continue
        for rows in sittings:
            try:
                person = _participant(rows, study, Path(file))
                if person.id in people:
                    raise _DoesNotFit(f"the same participant as in {plain(people[person.id].source)}")
                people[person.id] = person
            except _DoesNotFit as error:
                refused.append(Refusal(Path(file), str(error)))
    return list(people.values()), refused


class _DoesNotFit(Exception):
    """Why a file or a sitting is refused."""


def _parsed(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise _DoesNotFit(f"larger than {_LARGEST >> 20} MB: no answers of this study")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _DoesNotFit(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _DoesNotFit("not a text file") from error
    try:
        try:
            data = json.loads(text)
        except ValueError:
            data = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise _DoesNotFit("cut off or damaged: it is not whole JSON") from error
    if not isinstance(data, list):
        raise _DoesNotFit("not the answers of a study: a JSON array of trials was expected")
    return data


def _sittings(data: list[Any]) -> Iterator[list[dict[str, Any]]]:
    """The rows of each sitting: nested arrays hold one each, a flat one is cut after each closing row."""
    if data and all(isinstance(part, list) for part in data):
        for part in data:
            yield from _sittings(part)
        return
    if not data:
        raise _DoesNotFit("not the answers of a study: there is nothing in it")
    rows: list[dict[str, Any]] = []
    for row in data:
        if not isinstance(row, dict):
            raise _DoesNotFit("not the answers of a study: a JSON array of trials was expected")
        rows.append(row)
        if row.get("kind") == "end":
            yield rows
            rows = []
    if rows:
        yield rows


def _participant(rows: list[dict[str, Any]], study: dict[str, Any], source: Path) -> Participant:
    end = rows[-1]
    named = {str(row["study"]) for row in rows if isinstance(row.get("study"), str)}
    if strange := named - {study["id"]}:
        raise _DoesNotFit(f"answers to another study ({plain(min(strange), 20)})")
    if not named:
        raise _DoesNotFit("not the answers of a study: no study is named in it")
    if end.get("kind") != "end":
        raise _DoesNotFit("cut off: the closing row is missing, the participant did not finish or it was edited")
    name, number = end.get("participant"), end.get("list")
    if not isinstance(name, str) or type(number) is not int or not 1 <= number <= len(study["lists"]):
        raise _DoesNotFit("edited: its closing row names no participant, or no list of this study")
    if any((row.get("study"), row.get("participant"), row.get("list")) != (study["id"], name, number) for row in rows):
        raise _DoesNotFit("edited: rows of several participants are mixed")
    asked = [row for row in rows if row.get("kind") in _ASKED]
    if _checksum(study["id"], name, number, asked) != end.get("checksum"):
        raise _DoesNotFit("edited or damaged: the answers are not those that the page saved (checksum)")
    expected = sorted([*study["lists"][number - 1], *study["catch"]])
    if sorted(str(row.get("trial")) for row in asked) != expected:
        raise _DoesNotFit(f"its answers are not those of list {number}: {len(asked)} for {len(expected)} questions")
    return Participant(
        id=hashlib.sha256(f"{study['id']}|{name}".encode("utf-8", "replace")).hexdigest()[:12],
        list=number,
        simulated=any(row.get("simulated") is not False for row in rows),
        answers=tuple(_answer(row, study) for row in asked),
        source=source,
    )


def _answer(row: dict[str, Any], study: dict[str, Any]) -> Answer:
    trial = study["trials"][row["trial"]]
    response, position, rt = row.get("response"), row.get("position"), row.get("rt")
    choices = trial["choices"]
    if type(response) is not int or not 0 <= response <= len(choices) or type(position) is not int:
        raise _DoesNotFit(f"edited: the answer to {row['trial']} is none that the page could give")
    told = response < len(choices)
    if row.get("choice") != (choices[response].rpartition("/")[2] if told else "cannot-tell"):
        raise _DoesNotFit(f"edited: the answer to {row['trial']} names another picture than its number")
    return Answer(
        trial=row["trial"],
        kind=trial["kind"],
        position=position,
        response=response if told else None,
        rt=rt if type(rt) is int else None,
    )


def _checksum(study: str, participant: str, number: int, asked: Sequence[dict[str, Any]]) -> str:
    """What run.js computes: CRC-32 of the answers as text. It tells damage and careless edits, not forgery."""
    lines = [f"{study}|{participant}|{number}"]
    for row in asked:
        cells = (row.get(key) for key in ("kind", "trial", "position", "response", "choice", "rt"))
        lines.append("|".join("" if cell is None else str(cell) for cell in cells))
    return f"{zlib.crc32(chr(10).join(lines).encode('utf-8', 'replace')):08x}"
