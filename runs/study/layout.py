"""What stands in a study folder: the study as data, its pages, and the trial table. No names, no answers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from raster import InputError
from runs.study.bundle import PARTS, Vendor
from runs.study.design import Design
from runs.study.files import table
from runs.study.stimuli import Shown

__all__ = ["FORMAT", "Words", "pages", "read_consent", "study_data", "study_id", "words_for"]

FORMAT = "lascaux-study/1"
_TEMPLATES = Path(__file__).parent / "templates"
_QUESTIONS = {
    "same": "Which picture does this drawing show?",
    "class": "Which picture shows the same kind of thing as this drawing?",
    "artist": "Which picture shows the same thing as this drawing?",
}
_TOLD = {
    "same": "Each drawing was made from one of the pictures below it. Find that picture.",
    "class": "Each drawing was made from a picture that you do not see. "
    "Find the picture that shows the same kind of thing.",
    "artist": "Each drawing was made from a picture that you do not see. "
    "Find the picture, made by another hand, that shows the same thing.",
}


@dataclass(frozen=True)
class Words:
    """All that a participant reads."""

    question: str
    instructions: tuple[tuple[str, ...], ...]
    consent: str
    placeholder: bool


def words_for(kind: str, trials: int, choices: int, consent: str | None) -> Words:
    """The texts of a study of one kind of game; without a consent text, a placeholder that nobody can overlook.

    Who the distractors are (``same-nearest``) is nothing that a participant is told.
    """
    kind = kind.split("-")[0]
    instructions = (
        (
            "What this is about",
            f"You will see {trials} drawings, each with {choices} pictures.",
            _TOLD[kind],
            "The drawings are simple, and some may look like scribbles. Go by your first impression.",
        ),
        (
            "How to answer",
            "Click or tap the picture that you choose. With a keyboard: Tab and the arrow keys move, Enter chooses.",
            "If you really cannot tell, press the button below the pictures.",
            "Now and then a picture stands in the place of the drawing. Then choose the very same picture.",
            "You can close this page at any time. If you open it again in this browser, it goes on where you stopped.",
        ),
    )
    text = consent if consent is not None else (_TEMPLATES / "consent.txt").read_text(encoding="utf-8")
    return Words(_QUESTIONS[kind], instructions, text.strip(), consent is None)


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


def study_data(
    design: Design,
    words: Words,
    stimulus: Mapping[str, str],
    photo: Mapping[int, str],
    *,
    canvas: int,
    shown: Shown,
) -> dict[str, Any]:
    """What study.json holds: trials by id with file names, lists, texts, the exclusion rule; ``id`` is its hash."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "title": "Drawings and pictures",
        "shown": shown,
        "canvas": canvas,
        "question": words.question,
        "catch_question": "Attention: this is one of the pictures itself. Choose the very same picture.",
        "cannot_tell": "Cannot tell",
        "consent": words.consent,
        "consent_is_placeholder": words.placeholder,
        "instructions": [list(page) for page in words.instructions],
        "exclusion": {
            "catch_missed_at_least": 1,
            "rule": "A participant who misses at least one of the attention checks is left out.",
        },
        "lists": [sorted(item.id for item in items) for items in design.lists],
        "catch": [item.id for item in design.catch],
        "trials": {
            item.id: {
                "kind": item.kind,
                "stimulus": stimulus[item.id],
                "choices": [photo[picture] for picture in item.choices],
            }
            for item in sorted(design.items, key=lambda item: item.id)
        },
    }
    return {"id": study_id(data), **data}


def study_id(data: Mapping[str, Any]) -> str:
    """The hash of a study's content: results and keys of any other study are told apart by it."""
    content = {key: value for key, value in data.items() if key != "id"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def pages(data: Mapping[str, Any], design: Design, vendor: Vendor) -> dict[str, bytes]:
    """Every file of the folder but the stimuli, by its path in it."""
    text = json.dumps(data, indent=1) + "\n"  # ASCII only: no script reads it wrong, whatever the file's encoding
    parts = [
        {"href": f"vendor/{part.name}" if vendor.bundled else part.url, "style": part.name.endswith(".css")}
        | ({} if vendor.bundled else {"integrity": part.integrity})
        for part in PARTS
    ]
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, autoescape=select_autoescape(["html"])
    )
    index = environment.get_template("index.html").render(
        title=data["title"],
        styles=[{"integrity": None, **part} for part in parts if part["style"]],
        scripts=[{"integrity": None, **part} for part in parts if not part["style"]],
    )
    readme = environment.get_template("README.md").render(
        id=data["id"],
        trials=len(design.lists[0]),
        catch=len(design.catch),
        lists=len(design.lists),
        choices=_span([len(item.choices) for item in design.items]),
        shown=data["shown"],
        placeholder=data["consent_is_placeholder"],
        bundled=vendor.bundled,
        rule=data["exclusion"]["rule"],
    )
    return {
        "index.html": index.encode(),
        "README.md": readme.encode(),
        "run.js": (_TEMPLATES / "run.js").read_bytes(),
        "style.css": (_TEMPLATES / "style.css").read_bytes(),
        "study.js": f"window.STUDY = {text.rstrip()};\n".encode(),
        "study.json": text.encode(),
        "trials.csv": _trials(data, design),
        **{f"vendor/{name}": content for name, content in vendor.files.items()},
    }


def _trials(data: Mapping[str, Any], design: Design) -> bytes:
    """One row a trial and list, for PsychoPy and Gorilla: no column name holds a space."""
    most = max(len(item.choices) for item in design.items)
    choices = [f"choice_{number:02d}" for number in range(1, most + 1)]
    rows = []
    for number, items in enumerate(design.lists, 1):
        for item in sorted((*items, *design.catch), key=lambda item: item.id):
            trial = data["trials"][item.id]
            rows.append(
                {"trial": item.id, "list": number, "kind": item.kind, "stimulus": trial["stimulus"]}
                | {"n_choices": len(item.choices)}
                | dict(zip(choices, trial["choices"], strict=False))
            )
    return table(["trial", "list", "kind", "stimulus", "n_choices", *choices], rows)


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
