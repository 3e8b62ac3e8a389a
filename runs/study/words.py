"""All that a participant reads: questions, instructions, consent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raster import InputError
from runs.study.config import Compare, DrawIt, Exclusion, PartConfig, Pick, Rate, StudyConfig

__all__ = ["Words", "read_consent", "rule_of", "words_for"]

_TEMPLATES = Path(__file__).parent / "templates"
_PICK = {
    "same": "Which picture does this drawing show?",
    "class": "Which picture shows the same kind of thing as this drawing?",
    "artist": "Which picture shows the same thing as this drawing?",
}
_PICK_TOLD = {
    "same": "Each drawing was made from one of the pictures below it. Find that picture.",
    "class": "Each drawing was made from a picture that you do not see. "
    "Find the picture that shows the same kind of thing.",
    "artist": "Each drawing was made from a picture that you do not see. "
    "Find the picture, made by another hand, that shows the same thing.",
}
_CLICK = "Click or tap what you choose. With a keyboard: Tab and the arrow keys move, Enter chooses."


@dataclass(frozen=True)
class Words:
    """``questions`` and ``told`` are one a part: what stands above each drawing, and what is said before the part."""

    questions: tuple[str, ...]
    told: tuple[tuple[str, ...], ...]
    instructions: tuple[tuple[str, ...], ...]
    consent: str
    placeholder: bool


def words_for(config: StudyConfig, games: Sequence[str], consent: str | None) -> Words:
    """The texts of a study; without a consent text, a placeholder that nobody can overlook.

    Who the distractors are (``same-nearest``) is nothing that a participant is told.

    Args:
        config: the design.
        games: the kind of game of each part.
        consent: the consent text.
    """
    kinds = [kind.split("-")[0] for kind in games]
    questions = tuple(part.question or _question(part, kind) for part, kind in zip(config.parts, kinds, strict=True))
    told = tuple(_told(part, kind) for part, kind in zip(config.parts, kinds, strict=True))
    text = consent if consent is not None else (_TEMPLATES / "consent.txt").read_text(encoding="utf-8")
    return Words(questions, told, _instructions(config, told), text.strip(), consent is None)


def rule_of(exclusion: Exclusion, checks: int) -> str:
    """The rule of exclusion in words.

    >>> rule_of(Exclusion(catch_missed=2), 3)
    'A participant who misses at least 2 of the 3 attention checks is left out.'
    """
    rules = []
    if exclusion.catch_missed is not None and checks:
        rules.append(f"misses at least {exclusion.catch_missed} of the {checks} attention checks")
    if exclusion.median_rt_below is not None:
        rules.append(f"takes less than {exclusion.median_rt_below} ms for an answer (median)")
    return f"A participant who {' or '.join(rules)} is left out." if rules else "No participant is left out."


def read_consent(path: Path | None) -> str | None:
    """The researcher's consent text: plain text, shown as it is (no HTML).

    Raises:
        InputError: no such file, empty, not UTF-8, or above 100 KB.
    """
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError("the consent text cannot be read", path, "give a text file") from error
    except UnicodeDecodeError as error:
        raise InputError("the consent text is not UTF-8", path, "save it as a plain text file") from error
    if not text.strip() or len(content) > 100_000:
        raise InputError("the consent text is empty or above 100 KB", path, "give a plain text file")
    return text


def _question(part: PartConfig, game: str) -> str:
    if isinstance(part, Compare):
        return {
            "likeness": "Which drawing is more like this picture?",
            "shows": "Which drawing shows this better?",
        }[part.asks]
    if isinstance(part, DrawIt):
        return {"picture": "Draw this picture with a few lines.", "word": "Draw this with a few lines."}[part.shows]
    return {
        "pick": _PICK[game],
        "class": "What does this drawing show?",
        "name": "What does this drawing show?",
        "rate": "How much is the drawing like the picture?",
    }[part.kind]


def _told(part: PartConfig, game: str) -> tuple[str, ...]:
    if isinstance(part, Pick):
        return (_PICK_TOLD[game], _CLICK)
    if isinstance(part, Rate):
        scale = f"Choose a step from 1, not at all alike, to {part.points}, very much alike."
        return ("You will see a drawing beside a picture. How much is the one like the other?", scale)
    if isinstance(part, Compare):
        asked = {
            "likeness": "You will see a picture and two drawings. Which of them is more like the picture?",
            "shows": "You will read a word and see two drawings. Which of them shows what the word says?",
        }[part.asks]
        return (asked, _CLICK)
    if isinstance(part, DrawIt):
        shown = {"picture": "a picture", "word": "a word"}[part.shows]
        find = {"picture": "find the picture among others", "word": "tell what it is"}[part.shows]
        return (
            f"You will see {shown}. Draw it with a few lines, so that another person could {find}. Do not write.",
            "Draw with a finger, a pen or the mouse. On a keyboard, arrows move a pen and space puts it down or up.",
        )
    return {
        "class": ("You will see a drawing and some words. Which word says what the drawing shows?", _CLICK),
        "name": ("You will see a drawing. Write what it shows, in one or two words, in the language of this page.",),
    }[part.kind]


def _instructions(config: StudyConfig, told: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    trials = sum(part.trials for part in config.parts)
    several = len(config.parts) > 1
    about = f"You will answer {trials} questions about drawings"
    about += f", in {len(config.parts)} parts. What to do is said before each part." if several else "."
    first = ["What this is about", about, *(() if several else told[0])]
    if any(part.kind != "draw" for part in config.parts):
        first.append("The drawings are simple, and some may look like scribbles. Go by your first impression.")
    second = ["How to answer", "If you really cannot tell, press the button at the bottom."]
    if config.catch:
        second.append("Now and then a picture stands in the place of a drawing. Then choose the very same picture.")
    second.append(
        "You can close this page at any time. If you open it again in this browser, it goes on where you stopped."
    )
    return tuple(first), tuple(second)
