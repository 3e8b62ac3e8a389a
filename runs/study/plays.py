"""The games that a run logged: what a study is made from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raster import InputError
from runs.drawings import one_of

__all__ = ["KINDS", "Game", "Pictures", "own_kind", "read_pictures", "read_plays"]

KINDS = ("artist", "class", "same")
"""The games a person can sit, the hardest first (that order decides when a run played several and names none)."""


@dataclass(frozen=True)
class Pictures:
    """What ``pictures.json`` says: name, class and label of every picture that a play may point at."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    label: tuple[int, ...]
    content: str = ""

    def class_of(self, picture: int) -> str:
        return self.classes[self.label[picture]]


@dataclass(frozen=True)
class Game:
    """One logged game: ``pool`` [K] picture indices, ``target`` a position in it, ``scores`` [K] the receiver's.

    ``drawing`` is what the journal holds of its strokes (``runs.drawings``); ``shown`` the picture that the sender saw.
    """

    kind: str
    split: str
    step: int
    sender: str
    receiver: str
    pool: tuple[int, ...]
    target: int
    shown: int
    scores: tuple[float, ...]
    drawing: Mapping[str, Any]

    @property
    def target_picture(self) -> int:
        return self.pool[self.target]


def read_pictures(path: Path) -> Pictures:
    """Read ``pictures.json``; a missing, damaged or self-contradicting one is an ``InputError``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        pictures = Pictures(
            tuple(str(name) for name in data["names"]),
            tuple(str(name) for name in data["classes"]),
            tuple(int(label) for label in data["label"]),
            str(data.get("content", "")),
        )
    except OSError as error:
        raise InputError("no list of pictures", path, "give the folder of a run") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("the list of pictures is damaged", path, "run again") from error
    if len(pictures.names) != len(pictures.label) or any(not 0 <= i < len(pictures.classes) for i in pictures.label):
        raise InputError("the list of pictures contradicts itself", path, "run again")
    return pictures


def read_plays(path: Path, pictures: int) -> list[Game]:
    """Read a play file (one pool a line) into single games, those of the last step that it holds.

    Args:
        path: ``plays/test.jsonl`` of a run.
        pictures: how many pictures the run's ``pictures.json`` names.

    Raises:
        InputError: no file, no game in it, or a line that is cut off or points outside the pictures.
    """
    games: list[Game] = []
    several = False
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    found = _games(line, number, path, pictures)
                    several = several or found is None
                    games += found or []
    except FileNotFoundError as error:
        raise InputError("the run has no logged test games", path, "let it finish: lascaux run ... --resume") from error
    except UnicodeDecodeError as error:
        raise InputError("not a play file", path, "run again") from error
    if not games and several:
        what = "all games of the run have several targets, and people are asked for one"
        raise InputError(what, path, "take a run that played targets: {kind: one}")
    if not games:
        raise InputError("the run logged no game", path, "let it finish: lascaux run ... --resume")
    last = max(game.step for game in games)
    return [game for game in games if game.step == last]


def own_kind(games: Sequence[Game], summary: dict[str, Any]) -> str:
    """The game that a run is about: the one that its summary names, else the hardest that it logged."""
    played = {game.kind for game in games}
    named = summary.get("game")
    return named if named in played else next((kind for kind in KINDS if kind in played), min(played))


def _games(line: str, number: int, path: Path, pictures: int) -> list[Game] | None:
    """The games of a line; None where they have several targets."""
    try:
        data = json.loads(line)
        if "targets" in data:
            return None
        pool = tuple(int(i) for i in data["pool"])
        found = [
            Game(
                kind=str(data["game"]),
                split=str(data["split"]),
                step=int(data["step"]),
                sender=str(data["sender"]),
                receiver=str(data["receiver"]),
                pool=pool,
                target=int(target),
                shown=int(shown),
                scores=tuple(float(score) for score in scores),
                drawing=one_of(data, place),
            )
            for place, (target, shown, scores, _) in enumerate(
                zip(data["target"], data["shown"], data["scores"], data["strokes"], strict=True)
            )
        ]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError("a line of the play file is damaged", f"{path}, line {number}", "run again") from error
    for game in found:
        inside = all(0 <= picture < pictures for picture in (*pool, game.shown))
        if not inside or not 0 <= game.target < len(pool) or len(game.scores) != len(pool):
            raise InputError("a play points outside its pictures", f"{path}, line {number}", "run again")
    return found
