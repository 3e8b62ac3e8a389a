"""The answer key: who drew what, and what the agent chose. It lies beside the study's folder, never in it."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raster import InputError
from runs.study.design import Design
from runs.study.files import read_table, table
from runs.study.items import Item, softmax
from runs.study.plays import Game
from runs.study.sources import Source

__all__ = ["KEY_COLUMNS", "KeyRow", "Side", "key_beside", "key_table", "read_key", "strokes_in"]

KEY_COLUMNS = (
    "study",
    "trial",
    "kind",
    "part",
    "run",
    "condition",
    "biases",
    "seed",
    "game",
    "split",
    "step",
    "sender",
    "receiver",
    "item",
    "target",
    "target_name",
    "class",
    "shown_to_sender",
    "strokes",
    "shown",
    "drawing",
    "agent_choice",
    "agent_choice_name",
    "agent_correct",
    "agent_probability",
    "agent_scores",
    "n_choices",
    "names",
    "classes",
    "sides",
)


@dataclass(frozen=True)
class Side:
    """One of two drawings that stand side by side.

    ``agent_probability`` is what its own receiver gave its own target among all of its candidates (0 to 1).
    """

    run: str
    condition: str
    sender: str
    name: str
    of_class: str
    strokes: int
    agent_probability: float


@dataclass(frozen=True)
class KeyRow:
    """What the answer key says of one trial (docs/study.md, Formats).

    Attributes:
        trial: its id.
        kind: a ``TrialKind``.
        part: number of the part that it stands in, from 0; ``None`` for an attention check.
        run: name of the run that drew; "" for a check, and where two runs drew (see ``sides``).
        condition: what the run stands for: its label, else its name; several runs (seeds) may share one.
        biases: kinds of the run's biases.
        seed: the run's seed; ``None`` where ``run`` is "".
        game: kind of game that the drawing comes from.
        sender: number of the agent that drew.
        receiver: number of the agent that answered.
        item: opaque name of the target picture, the same whoever drew it: the unit of a Latin square.
        target: right position among the choices; ``None`` where nothing is right (name, rate, draw, compare of runs).
        name: name of the target picture.
        target_class: its class.
        shown_to_sender: name of the picture that the sender saw.
        strokes: strokes of the drawing that are there; ``None`` for a check.
        drawing: file of the drawing, as in study.json.
        names: what each choice is: names of pictures (pick, catch; compare: of the pictures drawn), of classes (class),
            steps of the scale (rate); () otherwise.
        classes: class of each choice; () for rate, name and draw.
        agent_choice: position that the receiver takes among these choices (pick, class), else ``None``.
        agent_correct: whether it is right: among these choices (pick, class), else in its own game.
        agent_probability: softmax of the receiver's scores at the target, among the same choices.
        agent_scores: the receiver's score of each choice (pick; class: log-sum-exp over a class's candidates), else ().
        sides: the two drawings of a compare, in the order of the choices.
    """

    trial: str
    kind: str
    part: int | None
    run: str
    condition: str
    biases: tuple[str, ...]
    seed: int | None
    game: str
    sender: str
    receiver: str
    item: str
    target: int | None
    name: str
    target_class: str
    shown_to_sender: str
    strokes: int | None
    drawing: str
    names: tuple[str, ...]
    classes: tuple[str, ...]
    agent_choice: int | None
    agent_correct: bool | None
    agent_probability: float | None
    agent_scores: tuple[float, ...]
    sides: tuple[Side, ...]


def key_beside(study: Path) -> Path:
    """Where the key of a study folder lies: ``DIR-key.csv`` next to it."""
    study = Path(study).absolute()
    return study.with_name(study.name + "-key.csv")


def key_table(study: str, shown: str, design: Design, sources: Sequence[Source], drawing: Mapping[str, str]) -> bytes:
    """The key as a CSV file, one row a trial.

    Args:
        study: the study's id.
        shown: how drawings are shown.
        design: the trials.
        sources: the runs.
        drawing: by trial, the file of its drawing ("" where there are two or none).
    """
    return table(
        KEY_COLUMNS,
        [
            {"study": study, "shown": shown, "drawing": drawing[id], "trial": id, **_written(item, sources)}
            for id, item in design.items.items()
        ],
    )


def strokes_in(game: Game) -> int:
    """How many strokes of a game's drawing are there."""
    presence = game.drawing.get("presence")
    return len(game.drawing["strokes"]) if presence is None else sum(each >= 0.5 for each in presence)


def _written(item: Item, sources: Sequence[Source]) -> dict[str, Any]:
    source, game, pictures = sources[item.source], item.game, sources[item.source].pictures
    names, classes = _choices(item, sources)
    agent = item.agent_choice
    row: dict[str, Any] = {
        "kind": item.kind,
        "part": item.part,
        "game": game.kind,
        "split": game.split,
        "step": game.step,
        "item": source.item(item.meant),
        "target": item.target,
        "target_name": pictures.names[item.meant],
        "class": pictures.class_of(item.meant),
        "agent_choice": agent,
        "agent_choice_name": None if agent is None else names[agent],
        "agent_correct": item.agent_correct,
        "agent_probability": None if item.agent_probability is None else round(item.agent_probability, 4),
        "agent_scores": _json([round(score, 4) for score in item.agent_scores]) if item.agent_scores else None,
        "n_choices": item.many,
        "names": _json(names),
        "classes": _json(classes),
        "sides": _json([_of_side(sources[run], each) for run, each in item.sides]) if item.sides else None,
    }
    if item.kind != "catch" and not (item.sides and item.target is None):
        row |= {
            "run": source.run,
            "condition": source.label,
            "biases": _json(source.biases),
            "seed": source.seed,
            "sender": game.sender,
            "receiver": game.receiver,
            "shown_to_sender": pictures.names[game.shown],
            "strokes": strokes_in(game),
        }
    return row


def _choices(item: Item, sources: Sequence[Source]) -> tuple[list[str], list[str]]:
    """What each choice is, and of which class."""
    pictures = sources[item.source].pictures
    if item.kind == "class":
        return list(item.words), list(item.words)
    if item.sides:
        shown = [(sources[run].pictures, game.target_picture) for run, game in item.sides]
        return [of.names[picture] for of, picture in shown], [of.class_of(picture) for of, picture in shown]
    if item.pictures:
        return [pictures.names[p] for p in item.pictures], [pictures.class_of(p) for p in item.pictures]
    return list(item.words), []


def _of_side(source: Source, game: Game) -> dict[str, Any]:
    return {
        "run": source.run,
        "condition": source.label,
        "sender": game.sender,
        "name": source.pictures.names[game.target_picture],
        "of_class": source.pictures.class_of(game.target_picture),
        "strokes": strokes_in(game),
        "agent_probability": round(softmax(game.scores)[game.target], 4),
    }


def _json(value: Sequence[Any]) -> str:
    return json.dumps(list(value), ensure_ascii=False)


def read_key(path: Path, study: dict[str, Any]) -> dict[str, KeyRow]:
    """Read the answer key of a study, by trial id.

    Raises:
        InputError: missing, damaged, or the key of another study.
    """
    try:
        table = read_table(path)
        found = {row["trial"]: _read(row) for row in table}
        owners = {row["study"] for row in table}
    except OSError as error:
        raise InputError(
            "no answer key", path, "it was written beside the study's folder; --key FILE names it"
        ) from error
    except (ValueError, KeyError, TypeError, csv.Error, RecursionError) as error:
        raise InputError("the answer key is damaged", path, "take the file that was exported") from error
    if owners != {study["id"]}:
        raise InputError("this is the key of another study", path, f"give that of study {study['id']}")
    for id, trial in study["trials"].items():
        row = found.get(id)
        if row is None or row.kind != trial["kind"] or not _fits(row, len(trial["choices"])):
            raise InputError(f"the answer key does not fit trial {id}", path, "take the file that was exported")
    return found


def _fits(row: KeyRow, choices: int) -> bool:
    inside = all(place is None or 0 <= place < choices for place in (row.target, row.agent_choice))
    named = len(row.names) == choices and (row.kind == "rate" or len(row.classes) == choices)
    sided = len(row.sides) == (2 if row.kind == "compare" else 0)
    aimed = row.target is not None or row.kind not in ("pick", "class", "catch")
    return inside and named and sided and aimed and len(row.agent_scores) in (0, choices)


def _read(row: dict[str, str]) -> KeyRow:
    return KeyRow(
        trial=row["trial"],
        kind=row["kind"],
        part=_int(row["part"]),
        run=row["run"],
        condition=row["condition"],
        biases=_words(row["biases"]),
        seed=_int(row["seed"]),
        game=row["game"],
        sender=row["sender"],
        receiver=row["receiver"],
        item=row["item"],
        target=_int(row["target"]),
        name=row["target_name"],
        target_class=row["class"],
        shown_to_sender=row["shown_to_sender"],
        strokes=_int(row["strokes"]),
        drawing=row["drawing"],
        names=_words(row["names"]),
        classes=_words(row["classes"]),
        agent_choice=_int(row["agent_choice"]),
        agent_correct=bool(int(row["agent_correct"])) if row["agent_correct"] else None,
        agent_probability=float(row["agent_probability"]) if row["agent_probability"] else None,
        agent_scores=tuple(float(score) for score in json.loads(row["agent_scores"] or "[]")),
        sides=tuple(_side(side) for side in json.loads(row["sides"] or "[]")),
    )


def _int(cell: str) -> int | None:
    return int(cell) if cell else None


def _words(cell: str) -> tuple[str, ...]:
    return tuple(str(word) for word in json.loads(cell or "[]"))


def _side(side: dict[str, Any]) -> Side:
    words = {key: str(side[key]) for key in ("run", "condition", "sender", "name", "of_class")}
    return Side(**words, strokes=int(side["strokes"]), agent_probability=float(side["agent_probability"]))
