"""Finding one's way in the JSON schema of a pydantic model: which keys a mapping may have, which kind it is."""

from collections.abc import Iterator, Mapping
from typing import Any


class Schema:
    """A JSON schema that can be walked along a config.

    Args:
        root: what ``model_json_schema()`` gave.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = dict(root)

    def resolve(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The node with its ``$ref`` followed; keys beside the reference (a default, say) win."""
        node = dict(node)
        while "$ref" in node:
            found = self.root
            for step in node.pop("$ref").removeprefix("#/").split("/"):
                found = found[step]
            node = {**found, **node}
        return node

    def choices(self, node: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The node itself, or what it is a union of (null aside)."""
        node = self.resolve(node)
        inner = node.get("oneOf") or node.get("anyOf")
        if not inner:
            return [] if node.get("type") == "null" else [node]
        return [choice for each in inner for choice in self.choices(each)]

    def fitting(self, node: Mapping[str, Any], value: Any) -> list[dict[str, Any]]:
        """The choices that ``value`` can mean: those of its ``kind``, where it names one."""
        choices = self.choices(node)
        if isinstance(value, dict) and isinstance(value.get("kind"), str):
            named = [each for each in choices if value["kind"] in kinds_of(each)]
            return named or choices
        return choices

    def inner(self, nodes: list[dict[str, Any]], step: str | int) -> dict[str, Any] | None:
        """The schema under a key or a position of any of these nodes; None where nothing is known of it."""
        for node in nodes:
            found: Any = None
            if isinstance(step, int):
                first = node.get("prefixItems", [])
                found = first[step] if step < len(first) else node.get("items")
            else:
                found = node.get("properties", {}).get(step) or node.get("additionalProperties")
            if isinstance(found, dict):
                return found
        return None

    def keys(self, nodes: list[dict[str, Any]]) -> list[str]:
        """The keys that these mappings may have, in the order in which they are declared."""
        return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))

    def with_kinds(self, value: Any, node: Mapping[str, Any] | None = None) -> Any:
        """``value`` with the ``kind`` of the default filled in, where a mapping leaves out which of several it is.

        So ``--set game.candidates=10`` works whether or not the file spells the game out.
        """
        node = self.root if node is None else node
        if isinstance(value, list):
            items = [self.inner(self.choices(node), number) for number in range(len(value))]
            return [self._filled(each, item) for each, item in zip(value, items, strict=True)]
        if not isinstance(value, dict):
            return value
        default = self.resolve(node).get("default")
        several = len(self.choices(node)) > 1
        if several and "kind" not in value and isinstance(default, dict) and "kind" in default:
            value = {"kind": default["kind"], **value}
        fitting = self.fitting(node, value)
        return {key: self._filled(each, self.inner(fitting, key)) for key, each in value.items()}

    def _filled(self, value: Any, node: Mapping[str, Any] | None) -> Any:
        return value if node is None else self.with_kinds(value, node)


def kinds_of(node: Mapping[str, Any]) -> list[str]:
    """The words that ``kind`` may be in this mapping; none where it has no such key."""
    kind = node.get("properties", {}).get("kind", {})
    if "const" in kind:
        return [kind["const"]]
    if "enum" in kind:
        return list(kind["enum"])
    return [kind["default"]] if kind.get("default") else []


def leaves(value: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every scalar and every empty list or mapping, with the way to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = list(inner)
    if not inside:
        yield steps, value
    for step, each in inside:
        yield from leaves(each, (*steps, step))
