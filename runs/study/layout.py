"""What stands in a study folder: the study as data, its pages, and the trial table. No names of agents, no answers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from runs.study.bundle import PARTS, Vendor
from runs.study.config import StudyConfig
from runs.study.design import Design
from runs.study.files import table
from runs.study.words import Words, rule_of

__all__ = ["FORMAT", "SCRIPTS", "pages", "study_data", "study_id"]

FORMAT = "lascaux-study/2"
SCRIPTS = ("study.js", "site.js", "run-kit.js", "run-save.js", "run-pad.js", "run-trials.js", "run-main.js")
"""The page's own scripts, in the order in which it loads them."""
_TEMPLATES = Path(__file__).parent / "templates"


def study_data(
    config: StudyConfig,
    design: Design,
    words: Words,
    stimulus: Mapping[str, Mapping[str, Any]],
    canvas: int,
) -> dict[str, Any]:
    """What study.json holds (docs/study.md, Formats); ``id`` is the hash of the rest.

    Args:
        config: the design as it was asked for.
        design: the trials.
        words: the texts.
        stimulus: by trial, what it shows: ``stimulus``, ``photo`` and ``choices``.
        canvas: pixels on a side of a drawing.
    """
    data: dict[str, Any] = {
        "format": FORMAT,
        "title": config.title,
        "shown": config.shown,
        "canvas": canvas,
        "catch_question": "Attention: this is one of the pictures itself. Choose the very same picture.",
        "cannot_tell": "Cannot tell",
        "cannot_draw": "Cannot draw it",
        "consent": words.consent,
        "consent_is_placeholder": words.placeholder,
        "instructions": [list(page) for page in words.instructions],
        "exclusion": {
            "catch_missed_at_least": config.exclude.catch_missed if config.catch else None,
            "median_rt_below_ms": config.exclude.median_rt_below,
            "rule": rule_of(config.exclude, config.catch),
        },
        "parts": [
            {"kind": part.kind, "question": question, "told": list(told), "trials": part.trials}
            for part, question, told in zip(config.parts, words.questions, words.told, strict=True)
        ],
        "lists": [list(ids) for ids in design.lists],
        "catch": list(design.catch),
        "trials": {
            id: {"kind": item.kind, "part": item.part, "about": item.about, **stimulus[id]}
            for id, item in design.items.items()
        },
    }
    return {"id": study_id(data), **data}


def study_id(data: Mapping[str, Any]) -> str:
    """The hash of a study's content: results and keys of any other study are told apart by it."""
    content = {key: value for key, value in data.items() if key != "id"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def pages(data: Mapping[str, Any], config: StudyConfig, vendor: Vendor) -> dict[str, bytes]:
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
        own=SCRIPTS,
        jatos=config.save.kind == "jatos",
    )
    readme = environment.get_template("README.md").render(
        id=data["id"],
        trials=sum(part.trials for part in config.parts),
        kinds=", ".join(dict.fromkeys(part.kind for part in config.parts)),
        catch=len(data["catch"]),
        lists=len(data["lists"]),
        shown=data["shown"],
        placeholder=data["consent_is_placeholder"],
        bundled=vendor.bundled,
        rule=data["exclusion"]["rule"],
        save=config.save,
        complete=config.complete,
    )
    site = {"save": config.save.model_dump(), "complete": config.complete.model_dump()}
    scripts = {name: (_TEMPLATES / name).read_bytes() for name in SCRIPTS if name.startswith("run-")}
    return {
        "index.html": index.encode(),
        "README.md": readme.encode(),
        **scripts,
        "style.css": (_TEMPLATES / "style.css").read_bytes(),
        "study.js": f"window.STUDY = {text.rstrip()};\n".encode(),
        "site.js": f"window.SITE = {json.dumps(site, indent=1)};\n".encode(),
        "study.json": text.encode(),
        "trials.csv": _trials(data),
        **{f"vendor/{name}": content for name, content in vendor.files.items()},
    }


def _trials(data: Mapping[str, Any]) -> bytes:
    """One row a trial and list, for PsychoPy and Gorilla: no column name holds a space."""
    most = max(len(trial["choices"]) for trial in data["trials"].values())
    choices = [f"choice_{number:02d}" for number in range(1, most + 1)]
    rows = [
        {"trial": id, "list": number, "display": data["trials"][id]["kind"], **_row(data, data["trials"][id], choices)}
        for number, ids in enumerate(data["lists"], 1)
        for id in [*ids, *data["catch"]]
    ]
    columns = ["trial", "list", "display", "part", "question", "about", "stimulus", "photo", "n_choices", *choices]
    return table(columns, rows)


def _row(data: Mapping[str, Any], trial: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    part = trial["part"]
    return {
        "part": None if part is None else part + 1,
        "question": data["catch_question"] if part is None else data["parts"][part]["question"],
        "about": trial["about"],
        "stimulus": trial["stimulus"],
        "photo": trial["photo"],
        "n_choices": len(trial["choices"]),
        **dict(zip(columns, trial["choices"], strict=False)),
    }
