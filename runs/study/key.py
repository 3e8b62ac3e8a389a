"""The answer key: who drew what, and what the agent chose. It lies beside the study's folder, never in it."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raster import InputError
from runs.study.design import Design, Item
from runs.study.files import read_table, table
from runs.study.plays import Pictures

__all__ = ["KEY_COLUMNS", "KeyRow", "key_beside", "key_table", "read_key"]

KEY_COLUMNS = (
    "study",
    "run",
    "trial",
    "kind",
    "game",
    "split",
    "step",
    "sender",
    "receiver",
    "target",
    "target_name",
    "class",
    "shown_to_sender",
    "agent_choice",
    "agent_choice_name",
    "agent_correct",
    "agent_probability",
    "n_choices",
    "names",
    "classes",
)


@dataclass(frozen=True)
class KeyRow:
    """What the answer key says of one trial."""

    trial: str
    kind: str
    run: str
    game: str
    sender: str
    receiver: str
    target: int
    name: str
    names: tuple[str, ...]
    classes: tuple[str, ...]
    agent_choice: int | None
    agent_probability: float | None

    @property
    def target_class(self) -> str:
        return self.classes[self.target]


def key_beside(study: Path) -> Path:
    """Where the key of a study folder lies: ``DIR-key.csv`` next to it."""
    study = Path(study).absolute()
    return study.with_name(study.name + "-key.csv")


def key_table(study: str, run: str, design: Design, pictures: Pictures) -> bytes:
    """The key as a CSV file, one row a trial."""
    items = sorted(design.items, key=lambda item: item.id)
    return table(KEY_COLUMNS, [_written(study, run, item, pictures) for item in items])


def _written(study: str, run: str, item: Item, pictures: Pictures) -> dict[str, Any]:
    picked = item.kind == "pick"
    agent = item.agent_choice
    return {
        "study": study,
        "run": run,
        "trial": item.id,
        "kind": item.kind,
        "game": item.game.kind,
        "split": item.game.split,
        "step": item.game.step,
        "sender": item.game.sender if picked else None,
        "receiver": item.game.receiver if picked else None,
        "target": item.target,
        "target_name": pictures.names[item.target_picture],
        "class": pictures.class_of(item.target_picture),
        "shown_to_sender": pictures.names[item.game.shown] if picked else None,
        "agent_choice": agent,
        "agent_choice_name": None if agent is None else pictures.names[item.choices[agent]],
        "agent_correct": None if agent is None else agent == item.target,
        "agent_probability": None if item.agent_probability is None else round(item.agent_probability, 4),
        "n_choices": len(item.choices),
        "names": json.dumps([pictures.names[picture] for picture in item.choices], ensure_ascii=False),
        "classes": json.dumps([pictures.class_of(picture) for picture in item.choices], ensure_ascii=False),
    }


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
        if row is None or not len(trial["choices"]) == len(row.names) == len(row.classes) > row.target >= 0:
            raise InputError(f"the answer key does not fit trial {id}", path, "take the file that was exported")
    return found


def _read(row: dict[str, str]) -> KeyRow:
    return KeyRow(
        trial=row["trial"],
        kind=row["kind"],
        run=row["run"],
        game=row["game"],
        sender=row["sender"],
        receiver=row["receiver"],
        target=int(row["target"]),
        name=row["target_name"],
        names=tuple(str(name) for name in json.loads(row["names"])),
        classes=tuple(str(name) for name in json.loads(row["classes"])),
        agent_choice=int(row["agent_choice"]) if row["agent_choice"] else None,
        agent_probability=float(row["agent_probability"]) if row["agent_probability"] else None,
    )
