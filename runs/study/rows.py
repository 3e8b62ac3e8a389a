"""Answers beside the key: one row an answer, which every table and every statistic is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.study.key import KeyRow
from runs.study.names import Namer, simple
from runs.study.results import Answer, Participant

__all__ = ["RESPONSE_COLUMNS", "Row", "response", "rows_of"]

RESPONSE_COLUMNS = (
    "participant",
    "excluded",
    "condition",
    "run",
    "seed",
    "sender",
    "receiver",
    "game",
    "class",
    "item",
    "sketch",
    "strokes",
    "list",
    "position",
    "kind",
    "target",
    "answer",
    "answer_class",
    "fits",
    "correct",
    "correct_class",
    "cannot_tell",
    "rating",
    "chosen",
    "other",
    "agent_correct",
    "agent_p",
    "rt",
    "n_choices",
)


@dataclass(frozen=True)
class Row:
    """One answer, with what the key says of its trial.

    Attributes:
        participant: hashed id.
        list: the participant's list, from 1.
        excluded: whether the rule of the export leaves the participant out.
        answer: what was answered.
        key: the key's row of the trial.
        said: the answer in words (a picture, a class, a name as written, a step, a side's condition); ``None`` for
            "cannot tell", and for drawings.
        said_class: class of the answer, where it has one.
        fits: of a name, how it fits the class (``names.LEVELS``, or "coded" where a person said).
        correct: right or not, "cannot tell" being wrong; ``None`` where nothing is right (ratings, drawings, two runs).
        correct_class: likewise of the class.
        chance: of a blind guess; ``None`` where there is none.
    """

    participant: str
    list: int
    excluded: bool
    answer: Answer
    key: KeyRow
    said: str | None
    said_class: str | None
    fits: str | None
    correct: bool | None
    correct_class: bool | None
    chance: float | None

    @property
    def told(self) -> bool:
        """Whether an answer was given, other than "cannot tell"."""
        return self.answer.response is not None

    @property
    def rating(self) -> int | None:
        """Of a rating, its step, from 1."""
        return self.answer.response + 1 if self.answer.kind == "rate" and self.told else None

    @property
    def sides(self) -> tuple[str, str] | None:
        """Of two drawings, the conditions that they stand for, the chosen one first ("cannot tell": as they stood)."""
        if len(self.key.sides) != 2:
            return None
        one, other = (side.condition for side in self.key.sides)
        return (other, one) if self.answer.response == 1 else (one, other)


def rows_of(people: Sequence[Participant], key: Mapping[str, KeyRow], excluded: set[str], namer: Namer) -> list[Row]:
    """All answers, by participant and in the order in which they were given."""
    return [
        _row(person, answer, key[answer.trial], person.id in excluded, namer)
        for person in people
        for answer in sorted(person.answers, key=lambda answer: answer.position)
    ]


def _row(person: Participant, answer: Answer, key: KeyRow, excluded: bool, namer: Namer) -> Row:
    said, said_class, fits, correct, correct_class = _judged(answer, key, namer)
    return Row(
        participant=person.id,
        list=person.list,
        excluded=excluded,
        answer=answer,
        key=key,
        said=said,
        said_class=said_class,
        fits=fits,
        correct=correct,
        correct_class=correct_class,
        chance=1 / len(key.names) if key.target is not None and key.names else None,
    )


def _judged(
    answer: Answer, key: KeyRow, namer: Namer
) -> tuple[str | None, str | None, str | None, bool | None, bool | None]:
    """(said, said_class, fits, correct, correct_class) of an answer."""
    given = answer.response
    if answer.kind == "draw":
        return None, None, None, None, None
    if answer.kind == "name":
        if given is None:
            return None, None, None, False, False
        coded = namer.verdict(given, key.target_class) is not None
        fits = "coded" if coded else namer.level(given, key.target_class)
        right = namer.right(given, key.target_class)
        return given, key.target_class if right else simple(given), fits, right, right
    said = key.names[given] if given is not None else None
    said_class = key.classes[given] if given is not None and key.classes else None
    if key.target is None:
        return said, said_class, None, None, None
    return said, said_class, None, given == key.target, said_class is not None and said_class == key.target_class


def response(row: Row) -> dict[str, Any]:
    """A row of responses.csv."""
    key, sides = row.key, row.sides
    return {
        "participant": row.participant,
        "excluded": row.excluded,
        "condition": key.condition,
        "run": key.run,
        "seed": key.seed,
        "sender": key.sender,
        "receiver": key.receiver,
        "game": key.game,
        "class": key.target_class,
        "item": key.item,
        "sketch": row.answer.trial,
        "strokes": key.strokes,
        "list": row.list,
        "position": row.answer.position,
        "kind": row.answer.kind,
        "target": key.name,
        "answer": row.said,
        "answer_class": row.said_class,
        "fits": row.fits,
        "correct": row.correct,
        "correct_class": row.correct_class,
        "cannot_tell": not row.told,
        "rating": row.rating,
        "chosen": sides[0] if sides and row.told else None,
        "other": sides[1] if sides and row.told else None,
        "agent_correct": key.agent_correct,
        "agent_p": key.agent_probability,
        "rt": row.answer.rt,
        "n_choices": len(key.names) or None,
    }
