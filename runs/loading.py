"""From a preset or a YAML file, with ``--set``, to a checked config, and back to YAML.

    loaded = load(Config, "tiny", ["train.steps=10"])
    loaded.config                       # a Config
    print(dump(loaded.config, loaded))  # YAML, each value with where it came from

A file may say ``base: NAME`` to start from a preset, or ``base: other.yaml`` from a file beside it. Everything
wrong is reported at once, each with its file and line.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from raster.errors import InputError
from runs._explain import explain, place_of
from runs._layers import Shelf, find_preset, lay, nearest, overlay, preset_names, read_source
from runs._schema import Schema, leaves
from runs.strict_yaml import Node, Place, Steps, parse_yaml, to_yaml

__all__ = ["Loaded", "Shelf", "diff", "dump", "find_preset", "load", "nearest", "preset_names", "says"]

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A config, and for each value that was written down the place where."""

    config: Model
    places: Mapping[Steps, Place]


def load(
    model: type[Model], source: Path | str | None, sets: Sequence[str] = (), shelf: Shelf | None = None
) -> Loaded[Model]:
    """Read, merge and check a config.

    Args:
        model: what the config must be.
        source: a Path, or a word: one that ends in .yaml or .yml is a file, any other a preset. None is an empty file.
        sets: words ``a.b=value`` that come last; values are YAML, ``biases.0.weight=2`` changes a list's entry.
        shelf: where presets stand; lascaux's own if left out.

    Raises:
        InputError: whatever is wrong with it, one line each.
    """
    problems: list[InputError] = []
    tree = Node({}, Place("defaults")) if source is None else read_source(source, shelf)
    patch = overlay(sets)
    if patch is not None:
        tree = lay(tree, patch, problems)
    schema = _schema(model)
    raw, places = schema.with_kinds(tree.plain()), tree.places()
    lines = [str(each) for each in problems]
    config, errors = _check(model, raw)
    if errors:
        lines += explain(errors, schema, raw, places)
    if config is None or lines:
        raise InputError("\n".join(lines))
    return Loaded(config, places)


_SCHEMAS: dict[type[BaseModel], tuple[object, Schema]] = {}


def _schema(model: type[BaseModel]) -> Schema:
    """The schema of a model, made once, in a third of a second; a plugin's bias gives the model another."""
    kept = _SCHEMAS.get(model)
    if kept is None or kept[0] is not model.__pydantic_core_schema__:
        found = Schema(model.model_json_schema())  # which completes the model, if it is not yet
        kept = _SCHEMAS[model] = (model.__pydantic_core_schema__, found)
    return kept[1]


def says(source: Path | str, key: str) -> bool:
    """Whether a config, or what it is based on, says something for a key of its top level.

    Raises:
        InputError: a file of it is missing or damaged.
    """
    tree = read_source(source).value
    return isinstance(tree, dict) and key in tree


def _check(model: type[Model], raw: Any) -> tuple[Model | None, list[Any]]:
    """Validate, refusing what pydantic alone would guess: '1_000' as a number, 'on' or 1 as true, true as 1.

    Its strict mode would refuse too much (1e3 for a whole number), so only those errors are taken from it.
    """
    errors: list[Any] = []
    config: Model | None = None
    try:
        config = model.model_validate(raw)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    try:
        model.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        seen = {each["loc"] for each in errors}
        for each in error.errors(include_url=False):
            if each["loc"] not in seen and _guessed(each["type"], each["input"]):
                errors.append(each)
    return config, errors


def _guessed(kind: str, given: Any) -> bool:
    if kind in ("int_type", "float_type"):
        return isinstance(given, (str, bool))
    return kind == "bool_type" and isinstance(given, (str, int, float))


def dump(config: BaseModel, loaded: "Loaded[Any] | None" = None) -> str:
    """The whole config as YAML, defaults included, which loads to an equal config.

    Args:
        config: any pydantic model that can be written as JSON.
        loaded: where given, each line ends in a comment that says where its value came from.
    """
    text = to_yaml(plain(config))
    if loaded is None:
        return text
    lines = text.splitlines()
    values = dict(leaves(plain(config)))
    for steps, place in sorted(parse_yaml(text, "").places().items(), key=lambda item: len(item[0])):
        line = (place.line or 1) - 1
        if steps not in values or (steps and isinstance(steps[-1], int) and "  # " in lines[line]):
            continue  # not a value of its own, or a later entry of a list that stands on one line
        lines[line] += f"  # {_origin(steps, loaded.places)}"
    return "\n".join(lines) + "\n"


def _origin(steps: Steps, places: Mapping[Steps, Place]) -> str:
    if steps in places:
        return str(places[steps])
    # A list given as one word, or a number that a model turned into keys, is written at its parent.
    whole = place_of(steps, places) if steps[:-1] in places and isinstance(steps[-1], int) else None
    return "default" if whole is None else str(whole)


def plain(config: BaseModel) -> dict[str, Any]:
    """A config as dicts, lists and scalars, as YAML would hold it; ``kind`` first."""
    found: dict[str, Any] = _kind_first(config.model_dump(mode="json", by_alias=True))
    return found


def _kind_first(value: Any) -> Any:
    if isinstance(value, list):
        return [_kind_first(each) for each in value]
    if isinstance(value, dict):
        return {key: _kind_first(value[key]) for key in sorted(value, key=lambda key: key != "kind")}
    return value


def diff(before: BaseModel, after: BaseModel) -> list[str]:
    """The keys in which two configs differ: ``train.steps: 100 -> 200``.

    >>> from pydantic import create_model
    >>> Toy = create_model("Toy", steps=(int, 100))
    >>> diff(Toy(), Toy(steps=200))
    ['steps: 100 -> 200']
    """
    old, new = dict(leaves(plain(before))), dict(leaves(plain(after)))
    lines = []
    for steps in [*old, *(each for each in new if each not in old)]:
        one, other = (to_yaml(each[steps]).split("\n")[0] if steps in each else "(not there)" for each in (old, new))
        if one != other:
            lines.append(f"{'.'.join(map(str, steps))}: {one} -> {other}")
    return lines
