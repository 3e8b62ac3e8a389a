"""Participants' answers to numbers beside the agents'."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raster import InputError
from runs.study.files import plain, table, write_whole
from runs.study.key import KeyRow, key_beside, read_key
from runs.study.rates import Group, Rate, group
from runs.study.results import Participant, Refusal, read_results, read_study

__all__ = ["RESPONSE_COLUMNS", "Score", "score"]

RESPONSE_COLUMNS = (
    "participant",
    "excluded",
    "run",
    "sender",
    "receiver",
    "game",
    "class",
    "item",
    "list",
    "position",
    "kind",
    "target",
    "answer",
    "correct",
    "correct_class",
    "cannot_tell",
    "agent_correct",
    "agent_p",
    "rt",
    "n_choices",
)


@dataclass(frozen=True)
class Score:
    """What people and agents made of the same drawings.

    Attributes:
        study: the study's id.
        shown: what people saw, "raster" or "vector".
        everyone: all participants.
        kept: those whom the exclusion rule of the export leaves; ``None`` if it leaves nobody.
        excluded: hashed ids of the others.
        refused: files that were not counted, and why.
        lists: participants on each list.
        simulated: whether these are simulated runs, not people.
        folder: where ``responses.csv`` and ``summary.json`` were written.
    """

    study: str
    shown: str
    everyone: Group
    kept: Group | None
    excluded: tuple[str, ...]
    refused: tuple[Refusal, ...]
    lists: dict[int, int]
    simulated: bool
    folder: Path

    def summary(self) -> dict[str, Any]:
        """All numbers as plain data, as in ``summary.json``."""
        data = asdict(self)
        data["refused"] = [{"file": each.source.name, "why": each.why} for each in self.refused]
        del data["folder"]
        return data

    def table(self) -> Table:
        """The numbers as a table for the terminal."""
        found = Table(title=Text(f"study {self.study}" + (": SIMULATED, not people" if self.simulated else "")))
        found.add_column("")
        columns = [("all", self.everyone)] + ([("kept", self.kept)] if self.excluded and self.kept else [])
        for name, part in columns:
            found.add_column(f"{name} ({part.participants})", justify="right")
        for label, cell in _LINES:
            found.add_row(label, *(cell(part) for _, part in columns))
        return found


def score(
    study_dir: Path | str,
    files: Sequence[Path | str],
    key: Path | str | None = None,
    *,
    out: Path | str | None = None,
    simulated: bool = False,
    console: Console | None = None,
) -> Score:
    """Score participants' results of an exported study, and write ``responses.csv`` and ``summary.json``.

    Args:
        study_dir: the folder that ``export`` wrote.
        files: results as the page saved them, one participant each or many together.
        key: the answer key; ``DIR-key.csv`` beside the folder when left out.
        out: where to write; ``DIR-scores`` beside the folder when left out (not in it: it may be on a server).
        simulated: score simulated runs, and only those; else they are refused.
        console: where the table is printed; standard output when left out.

    Returns:
        The numbers. Files that do not fit the study are in ``refused`` with the reason, and are printed.

    Raises:
        InputError: no study, no key, the key of another study, no file, or no file that could be counted.
    """
    folder = Path(study_dir)
    study = read_study(folder)
    rows = read_key(Path(key) if key is not None else key_beside(folder), study)
    if not files:
        raise InputError("no results to score", folder, "name the files that participants saved")
    people, refused = read_results([Path(file) for file in files], study)
    for person in people:
        if person.simulated != simulated:
            why = "a simulated run, not data" if person.simulated else "a person's answers, not a simulated run"
            refused.append(Refusal(person.source, why))
    people = [person for person in people if person.simulated == simulated]
    everyone = group(people, rows)
    if everyone is None:
        first = refused[0]
        raise InputError(
            f"none of {len(refused)} result(s) can be counted; the first: {first.why}",
            plain(first.source),
            "give the files that the pages of this very study saved",
        )
    limit = int(study["exclusion"]["catch_missed_at_least"])
    excluded = {person.id for person in people if _missed(person, rows) >= limit}
    result = Score(
        study=study["id"],
        shown=study["shown"],
        everyone=everyone,
        kept=group([person for person in people if person.id not in excluded], rows),
        excluded=tuple(sorted(excluded)),
        refused=tuple(refused),
        lists=dict(sorted(Counter(person.list for person in people).items())),
        simulated=simulated,
        folder=Path(out) if out is not None else key_beside(folder).with_name(folder.absolute().name + "-scores"),
    )
    responses = [row for person in people for row in _responses(person, rows, person.id in excluded)]
    write_whole(result.folder / "responses.csv", table(RESPONSE_COLUMNS, responses))
    write_whole(result.folder / "summary.json", (json.dumps(result.summary(), indent=1) + "\n").encode())
    _print(result, console or Console())
    return result


def _missed(person: Participant, key: dict[str, KeyRow]) -> int:
    return sum(answer.kind == "catch" and answer.response != key[answer.trial].target for answer in person.answers)


def _responses(person: Participant, key: dict[str, KeyRow], excluded: bool) -> list[dict[str, Any]]:
    """One row an answer, attention checks too, ready for a mixed model."""
    found = []
    for answer in sorted(person.answers, key=lambda answer: answer.position):
        row = key[answer.trial]
        told = answer.response is not None
        found.append(
            {
                "participant": person.id,
                "excluded": excluded,
                "run": row.run,
                "sender": row.sender,
                "receiver": row.receiver,
                "game": row.game,
                "class": row.target_class,
                "item": answer.trial,
                "list": person.list,
                "position": answer.position,
                "kind": answer.kind,
                "target": row.name,
                "answer": row.names[answer.response] if answer.response is not None else None,
                "correct": answer.response == row.target,
                "correct_class": answer.response is not None and row.classes[answer.response] == row.target_class,
                "cannot_tell": not told,
                "agent_correct": None if row.agent_choice is None else row.agent_choice == row.target,
                "agent_p": row.agent_probability,
                "rt": answer.rt,
                "n_choices": len(row.names),
            }
        )
    return found


def _percent(value: float | None, low: float | None = None, high: float | None = None) -> str:
    if value is None:
        return "-"
    between = "" if low is None or high is None else f"  [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.1f} %{between}"


def _wilson(rate: Rate | None) -> str:
    return "-" if rate is None else _percent(rate.value, rate.low, rate.high)


_LINES = (
    ("people, right", lambda part: _wilson(part.people)),
    ("  interval over participants", lambda part: _cluster(part.people)),
    ("  cannot tell left out", lambda part: _wilson(part.people_told)),
    ("  right class", lambda part: _wilson(part.people_class)),
    ("cannot tell", lambda part: _percent(part.cannot_tell)),
    ("agents on the same trials", lambda part: _wilson(part.agents)),
    ("people - agents", lambda part: _percent(*part.difference)),
    ("chance", lambda part: _percent(part.chance)),
    ("answers", lambda part: str(part.people.n)),
)


def _cluster(rate: Rate) -> str:
    if rate.cluster_low is None or rate.cluster_high is None:
        return "-"
    return f"[{100 * rate.cluster_low:.1f}, {100 * rate.cluster_high:.1f}]"


def _print(result: Score, console: Console) -> None:
    console.print(result.table())
    if result.kept is None:
        console.print("The exclusion rule leaves nobody.")
    for each in result.refused:  # Text, not markup: a file's name is somebody's
        console.print(Text(f"not counted: {plain(each.source.name)}: {each.why}"))
    console.print(Text(f"written: {plain(result.folder, 200)}/responses.csv, summary.json"))
