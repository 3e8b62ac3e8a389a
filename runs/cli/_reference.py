"""The table of every config key, made from the JSON schema: docs/config.md holds it."""

from collections.abc import Iterator, Mapping
from typing import Any

from raster.errors import InputError
from runs._schema import Schema, kinds_of
from runs.strict_yaml import to_yaml

BEGIN, END = "<!-- keys: written by `lascaux config schema --update docs/config.md` -->", "<!-- end of keys -->"

_NUMBERS = {"integer": "whole number", "number": "number"}


def refreshed(page: str, schema: Mapping[str, Any], where: str) -> str:
    """The page with the table between its marks written anew.

    Raises:
        InputError: the page has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError("the page has no marks for the table", where, f"put {BEGIN} and {END} into it")
    return f"{before}{BEGIN}\n\n{reference(schema)}\n{END}{after}"


def reference(schema: Mapping[str, Any]) -> str:
    """Markdown: a table for the config and for each mapping in it, in the order in which they are met."""
    walker = Schema(schema)
    waiting: list[dict[str, Any]] = [dict(schema)]
    done: list[str] = []
    sections: list[str] = []
    while waiting:
        node = waiting.pop(0)
        if node["title"] in done:
            continue
        done.append(node["title"])
        sections.append(_section(node, walker))
        waiting += [each for key in node["properties"].values() for each in _mappings(key, walker)]
    return "\n".join(sections)


def _section(node: Mapping[str, Any], walker: Schema) -> str:
    kinds = [f"`{kind}`" for kind in kinds_of(node)]
    about = [f"`kind`: {' or '.join(kinds)}."] if kinds else []
    about += [_first(node)] if _first(node) else []
    required = node.get("required", [])
    rows = []
    for name, key in node["properties"].items():
        if name != "kind" or not kinds:
            default = "required" if name in required else _default(walker.resolve(key))
            rows.append(f"| `{name}` | {_type(key, walker)} | {default} | {_first(key)} |")
    table = ["", "| key | value | default | meaning |", "|---|---|---|---|", *rows] if rows else ["No other keys."]
    return "\n".join([f"### {node['title']}", "", *([" ".join(about)] if about else []), *table, ""])


def _default(key: Mapping[str, Any]) -> str:
    """The default; of a mapping only its kind, as its own table says the rest."""
    value = key.get("default")
    if isinstance(value, dict):
        return f"`{{kind: {value['kind']}}}`" if "kind" in value else "its defaults"
    return f"`{_inline(value)}`" if "default" in key else "its defaults"


def _mappings(key: Mapping[str, Any], walker: Schema) -> Iterator[dict[str, Any]]:
    """The mappings of which a value is made."""
    for node in walker.choices(key):
        if "properties" in node and not _inlined(node):
            yield node
        for inner in (node.get("items"), node.get("additionalProperties"), *node.get("prefixItems", [])):
            if isinstance(inner, dict):
                yield from _mappings(inner, walker)


def _inlined(node: Mapping[str, Any]) -> bool:
    """A schedule is written as {from, to, over, start}; it needs no table of its own."""
    return "from" in node.get("properties", {})


def _type(key: Mapping[str, Any], walker: Schema) -> str:
    parts = [_one(node, walker) for node in walker.choices(key)]
    resolved = walker.resolve(key)
    if any(each.get("type") == "null" for each in resolved.get("anyOf", [])):
        parts.append("`null`")
    return " or ".join(dict.fromkeys(parts))


def _one(node: Mapping[str, Any], walker: Schema) -> str:
    if "const" in node:
        return f"`{_inline(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{_inline(each)}`" for each in node["enum"])
    if _inlined(node):
        return f"`{{{', '.join(node['properties'])}}}`"
    if "properties" in node:
        kinds = kinds_of(node)
        return f"[{', '.join(f'`{kind}`' for kind in kinds) or node['title']}](#{node['title'].lower()})"
    kind = node.get("type")
    if kind == "array":
        first = node.get("prefixItems")
        inner = "[" + ", ".join(_type(each, walker) for each in first) + "]" if first else _type(node["items"], walker)
        return inner if first else f"list of {inner}"
    if kind == "object":
        inside = node.get("additionalProperties")
        return f"names to {_type(inside if isinstance(inside, dict) else {}, walker)}"
    if kind in _NUMBERS:
        return f"{_NUMBERS[kind]}{_bounds(node)}"
    if kind == "boolean":
        return "`true` or `false`"
    if node.get("format") == "path":
        return "path"
    return "word" if kind == "string" else "anything"


def _bounds(node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    words = [f"{least} or more"] if least is not None else []
    words += [f"above {node['exclusiveMinimum']}"] if "exclusiveMinimum" in node else []
    words += [f"{most} or less"] if most is not None else []
    words += [f"below {node['exclusiveMaximum']}"] if "exclusiveMaximum" in node else []
    return "".join(f", {word}" for word in words)


def _first(node: Mapping[str, Any]) -> str:
    """The first paragraph of a description, on one line."""
    text = " ".join(str(node.get("description", "")).split("\n\n")[0].split())
    return text.replace("``", "`").replace("|", "\\|")


def _inline(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_inline(each) for each in value) + "]"
    return to_yaml(value).split("\n")[0]
