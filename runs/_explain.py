"""From pydantic's errors to lines that a person can act on: which key, what was meant, where it was written."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raster.errors import InputError
from runs._layers import nearest
from runs._schema import Schema, kinds_of
from runs.strict_yaml import Place, Steps, to_yaml

# What was expected, by pydantic's name of the error; braces are filled from the error's context.
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a word",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "mapping_type": "keys and values",
    "dataclass_type": "keys and values",
    "none_required": "null",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of {ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of {le:g} or less",
    "multiple_of": "a multiple of {multiple_of:g}",
    "string_pattern_mismatch": "a word that matches {pattern}",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} characters or fewer",
    "too_short": "{min_length} or more entries",
    "too_long": "{max_length} entries or fewer",
}
_BASIC = {name for name in _EXPECTED if name.endswith(("_type", "_parsing", "_required"))}
_WORDS_OF_TRUTH = {"on": "true", "yes": "true", "y": "true", "off": "false", "no": "false", "n": "false"}


@dataclass
class Problem:
    """One error: ``union`` is the way to the union whose branch found it (None outside of unions)."""

    steps: Steps
    type: str
    expected: str | None
    what: str
    do: str | None
    union: Steps | None


def explain(errors: Iterable[Mapping[str, Any]], schema: Schema, raw: Any, places: Mapping[Steps, Place]) -> list[str]:
    """One line an error: dotted path, what is wrong (place): what to do.

    Args:
        errors: pydantic's ``ValidationError.errors()``.
        schema: of the model.
        raw: what was validated.
        places: where each value of ``raw`` was written.
    """
    problems = [_problem(error, schema, raw) for error in errors]
    lines = []
    for each in _one_a_union(problems):
        dotted = ".".join(str(step) if str(step).isprintable() else repr(step) for step in each.steps)
        what = f"{dotted}: {each.what}" if dotted else each.what
        lines.append(str(InputError(what, place_of(each.steps, places), each.do)))
    return list(dict.fromkeys(lines))


def place_of(steps: Steps, places: Mapping[Steps, Place]) -> Place | None:
    """Where a value was written; for one that was not, where its nearest ancestor was."""
    for length in range(len(steps), -1, -1):
        if steps[:length] in places:
            return places[steps[:length]]
    return None


def _problem(error: Mapping[str, Any], schema: Schema, raw: Any) -> Problem:
    kind, context, given = error["type"], error.get("ctx") or {}, error.get("input")
    steps, union, nodes = _way(error["loc"], kind, schema, raw)
    expected: str | None = None
    do: str | None = None
    if kind == "missing":
        what = "this key is missing"
    elif kind == "extra_forbidden":
        keys = schema.keys(nodes)
        what = "no such key"
        do = nearest(str(steps[-1]), keys) or (f"the keys here are {_some(keys)}" if keys else None)
    elif kind in ("literal_error", "enum"):
        choices = re.findall(r"'((?:[^'\\]|\\.)*)'", context["expected"])
        expected = str(context["expected"]).replace("'", "")
        what, do = f"expected {expected}, got {shown(given)}", nearest(str(given), choices)
    elif kind == "union_tag_invalid":
        choices = re.findall(r"'([^']*)'", context["expected_tags"])
        what = f"expected one of {', '.join(choices)}; got {shown(context['tag'])}"
        do = nearest(str(context["tag"]), choices) or "a kind of your own needs --plugin MODULE"
        steps = (*steps, "kind")
    elif kind == "union_tag_not_found":
        kinds = [word for node in nodes for word in kinds_of(node)]
        steps, what = (*steps, "kind"), "this key is missing"
        do = f"say which: {', '.join(kinds)}" if kinds else None
    elif kind in ("value_error", "assertion_error"):
        inner = context.get("error")
        what = str(inner) if inner is not None and str(inner) else str(error["msg"])
        if isinstance(inner, InputError):
            what = str(inner.what) if inner.where is None else f"{inner.what}, {inner.where}"
            do = None if inner.do is None else str(inner.do)
    elif kind in _EXPECTED:
        expected = _EXPECTED[kind].format(**context)
        what, do = f"expected {expected}, got {shown(given)}", _hint(kind, given)
    else:
        what = f"{error['msg']}, got {shown(given)}"
    return Problem(steps, kind, expected, what, do, union)


def _way(
    loc: tuple[str | int, ...], kind: str, schema: Schema, raw: Any
) -> tuple[Steps, Steps | None, list[dict[str, Any]]]:
    """The way to the value without the names of union branches that pydantic puts into it.

    Also the way to the outermost union without ``kind`` that was met, and the schemas of the mapping that
    holds the last step (of the value itself, where that is a mapping that lacks its kind).
    """
    steps: list[str | int] = []
    union: Steps | None = None
    node: dict[str, Any] | None = schema.root
    value, holder = raw, schema.fitting(schema.root, raw)
    for number, step in enumerate(loc):
        last = number == len(loc) - 1
        nodes = schema.fitting(node, value) if node is not None else []
        several = node is not None and len(schema.choices(node)) > 1
        tag = value.get("kind") if isinstance(value, dict) else None
        holds = step in value if isinstance(value, dict) else isinstance(step, int) and _in(value, step)
        if several and tag == step and not (last and kind == "extra_forbidden"):
            node = {"oneOf": nodes} if len(nodes) > 1 else nodes[0]
            continue
        if not holds and not (last and kind == "missing"):
            if tag != step:
                union = tuple(steps) if union is None else union
            continue
        steps.append(step)
        holder, node = nodes, schema.inner(nodes, step)
        value = value[step] if holds else None
    if kind == "union_tag_not_found":
        holder = schema.choices(node) if node is not None else []
    return tuple(steps), union, holder


def _in(value: Any, step: int) -> bool:
    return isinstance(value, list) and 0 <= step < len(value)


def _one_a_union(problems: list[Problem]) -> list[Problem]:
    """A union without ``kind`` reports every branch: keep the branch that got furthest, or join what was expected."""
    kept: list[Problem] = []
    for each in problems:
        if each.type == "too_short" and any(_inside(other, each) for other in problems):
            continue  # pydantic counts only the entries that are right
        if each.union is None:
            kept.append(each)
            continue
        rivals = [other for other in problems if other.union == each.union]
        shallow = each.steps == each.union and each.type in _BASIC
        if not shallow:
            kept.append(each)
        elif all(other.steps == other.union and other.type in _BASIC for other in rivals) and each is rivals[0]:
            expected = " or ".join(dict.fromkeys(other.expected or "" for other in rivals))
            given = each.what.rpartition(", got ")[2]
            each.what = f"expected {expected}, got {given}"
            kept.append(each)
    return kept


def _inside(one: Problem, other: Problem) -> bool:
    return len(one.steps) > len(other.steps) and one.steps[: len(other.steps)] == other.steps


def _hint(kind: str, given: Any) -> str | None:
    if kind.startswith("bool") and isinstance(given, str) and given.lower() in _WORDS_OF_TRUTH:
        return f"write {_WORDS_OF_TRUTH[given.lower()]}"
    if kind.startswith(("int", "float")) and isinstance(given, str):
        plain = given.replace("_", "")
        if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?", plain):
            return f"write {plain}" + (", without quotes" if plain == given else "")
    if kind == "string_type" and isinstance(given, (bool, int, float)):
        return f"in quotes it is a word: '{to_yaml(given).split()[0]}'"
    return None


def shown(value: Any) -> str:
    """A value in a message: short, on one line."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict):
        return "keys and values" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    return str(to_yaml(value)).split("\n")[0][:40] if isinstance(value, (bool, int, float)) else repr(value)[:40]


def _some(words: list[str], most: int = 12) -> str:
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
