"""YAML as people mean it: every trap of YAML 1.1 is shut, and every value knows its file and line.

What differs from a plain ``yaml.safe_load``: ``1e-4`` is a number; ``on``, ``off``, ``yes``, ``no``, ``1_000``,
``1:30`` and dates are words; ``012`` is refused, because readers disagree whether it is 12 or 10; a key given
twice is an error, where the usual loader silently keeps the last; keys are words, as written; tags make no
objects; aliases cannot blow a small file up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from raster.errors import InputError

__all__ = ["Node", "Place", "Steps", "read_yaml", "parse_yaml", "to_yaml"]

Scalar = str | int | float | bool | None
Steps = tuple[str | int, ...]
"""The way from the top to a value: keys of mappings and positions in lists."""

LARGEST_FILE = 1_000_000  # bytes; a config of that size is not written by hand
LARGEST_TREE = 20_000  # values, after aliases are followed
DEEPEST = 64  # mappings and lists within each other


class Place(NamedTuple):
    """Where a value was written: a file and its line (from 1), or a ``--set`` and no line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A value with its place; mappings and lists hold further nodes.

    ``whole`` marks a mapping that replaces what it is laid upon, where others are merged key by key.
    """

    value: "dict[str, Node] | list[Node] | Scalar"
    place: Place
    whole: bool = False

    def plain(self) -> Any:
        """The bare value: dict, list, str, int, float, bool or None."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def places(self) -> dict[Steps, Place]:
        """The place of every value in the tree, by the way to it; the tree's own stands under ``()``."""
        return dict(self._walk(()))

    def _walk(self, steps: Steps) -> "Iterator[tuple[Steps, Place]]":
        yield steps, self.place
        inner: list[tuple[str | int, Node]] = []
        if isinstance(self.value, dict):
            inner = list(self.value.items())
        elif isinstance(self.value, list):
            inner = list(enumerate(self.value))
        for step, node in inner:
            yield from node._walk((*steps, step))


def read_yaml(path: Path, shown: str | None = None) -> Node:
    """Read one YAML file. ``shown`` is the name that messages give it (the path when left out).

    Raises:
        InputError: the file is missing, unreadable, too large, not UTF-8, or not strict YAML.
    """
    source = str(path) if shown is None else shown
    try:
        with path.open("rb") as file:  # a bounded read: the path may be a device or a pipe without end
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError("no such file", source) from None
    except IsADirectoryError:
        raise InputError("this is a folder, not a file", source, "give the YAML file in it") from None
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror or error}", source) from None
    except ValueError:  # a NUL in the name
        raise InputError("no such file", repr(source)) from None
    if len(data) > LARGEST_FILE:
        raise InputError(f"larger than {LARGEST_FILE:,} bytes", source, "is this a config?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text", Place(source, line), "save the file as UTF-8") from None
    return parse_yaml(text, source)


def parse_yaml(text: str, source: str, *, lines: bool = True) -> Node:
    r"""Read YAML text. ``source`` names it in messages; without ``lines`` its places have no line.

    >>> parse_yaml("lr: 1e-4\nword: on", "x.yaml").plain()
    {'lr': 0.0001, 'word': 'on'}

    Raises:
        InputError: not strict YAML, with file and line.
    """
    loader: _Loader | None = None
    try:
        loader = _Loader(text)  # the reader refuses control characters here
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark and lines else None
        problem = error.problem or error.context or "it cannot be parsed"
        hint = next((do for part, do in _HINTS.items() if part in problem), "check brackets, quotes and indentation")
        raise InputError(f"not YAML: {problem}", Place(source, line), hint) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if lines else None
        raise InputError(
            f"not YAML: character {error.character!r} is not allowed", Place(source, line), "take it out"
        ) from None
    finally:
        if loader is not None:
            loader.dispose()
    if node is None:
        return Node(None, Place(source, 1 if lines else None))
    return _Builder(source, lines).build(node, None)


# What to do, by a part of PyYAML's words for the problem.
_HINTS = {
    "'\\t'": "indent with spaces",
    "another document": "a file holds one document, take --- out",
    "mapping values are not allowed": "put a text with a colon in quotes, or check the indentation",
    "levels within each other": "write it flatter",
}


class _Loader(yaml.SafeLoader):
    """PyYAML's scanner and parser with the scalars of YAML 1.2; only its nodes are used, nothing is constructed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(None, None, f"more than {DEEPEST} levels within each other", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
_AMBIGUOUS = "lascaux:ambiguous"
# In this order: the first that matches a plain scalar names it; what matches none is a word.
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_AMBIGUOUS, r"[-+]?0[0-9]+", list("-+0")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
)
_Loader.yaml_implicit_resolvers = {}  # its own, without those of YAML 1.1
_PATTERNS: dict[str, re.Pattern[str]] = {}
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        _name if _name == _AMBIGUOUS else _TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first
    )
    _PATTERNS[_name] = re.compile(f"{_PATTERNS[_name].pattern}|{_pattern}" if _name in _PATTERNS else _pattern)


class _Builder:
    """Turns PyYAML's nodes into ours, following aliases, within bounds."""

    def __init__(self, source: str, lines: bool) -> None:
        self.source, self.lines = source, lines
        self.count = 0
        self.within: set[int] = set()

    def place(self, node: yaml.Node) -> Place:
        return Place(self.source, node.start_mark.line + 1 if self.lines else None)

    def build(self, node: yaml.Node, place: Place | None) -> Node:
        """``place`` is the line of the key, where there is one; a value may begin on a later line."""
        place = place or self.place(node)
        self.count += 1
        if self.count > LARGEST_TREE:
            raise InputError(f"more than {LARGEST_TREE:,} values", place, "aliases (*) multiply: write fewer")
        if isinstance(node, yaml.ScalarNode):
            return Node(self.scalar(node), place)
        if id(node) in self.within:
            raise InputError("an alias (*) that contains itself", place, "write the values out")
        self.within.add(id(node))
        value: dict[str, Node] | list[Node]
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            value = self.mapping(node)
        elif isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            value = [self.build(item, None) for item in node.value]
        else:
            raise self.tagged(node)
        self.within.discard(id(node))
        return Node(value, place)

    def mapping(self, node: yaml.MappingNode) -> dict[str, Node]:
        value: dict[str, Node] = {}
        for key, inner in node.value:
            where = self.place(key)
            if not isinstance(key, yaml.ScalarNode):
                raise InputError("a key must be a word, not a list or a mapping", where)
            if key.value == "<<" and key.style is None:
                raise InputError("merge keys (<<) are not read", where, "use `base:` or write the keys out")
            name = self.word(key)
            if name in value:
                first = value[name].place
                before = "" if first.line is None else f", first on line {first.line}"
                raise InputError(f"the key {name!r} stands twice{before}", where, "keep one of them")
            value[name] = self.build(inner, where)
        return value

    def scalar(self, node: yaml.ScalarNode) -> Scalar:
        text, kind = node.value, node.tag.removeprefix(_TAG)
        if kind == "str" or node.tag == "!":
            return self.word(node)
        if kind == _AMBIGUOUS:
            sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-").lstrip("0") or "0"
            raise InputError(
                f"{text} is 12 to some and 10 to others" if text == "012" else f"{text} may be octal or not",
                self.place(node),
                f"write {sign}{digits} for the number, '{text}' for the word",
            )
        if kind not in _PATTERNS or not _PATTERNS[kind].fullmatch(text):
            raise self.tagged(node)
        if kind == "null":
            return None
        if kind == "bool":
            return str(text).lower() == "true"
        try:
            return int(text, 0) if kind == "int" else _float(text)
        except (ValueError, OverflowError):
            short = text if len(text) <= 20 else f"{text[:17]}..."
            raise InputError(f"the number {short} is too large", self.place(node)) from None

    def word(self, node: yaml.ScalarNode) -> str:
        text = str(node.value)
        if any("\ud800" <= each <= "\udfff" for each in text):  # "\ud800" in quotes; no file could hold it again
            raise InputError("half a character (a lone surrogate)", self.place(node), "write the whole character")
        return text

    def tagged(self, node: yaml.Node) -> InputError:
        return InputError(f"the tag {node.tag.replace(_TAG, '!!')} is not read", self.place(node), "take it out")


def _float(text: str) -> float:
    if text[-1] in "fFnN":
        return float(text.replace(".", ""))
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise OverflowError
    return value


class _Dumper(yaml.SafeDumper):
    """Writes what both this loader and a YAML 1.1 loader read back as it was: 'on' in quotes, for one."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _represent_list(dumper: _Dumper, value: list[Any]) -> yaml.Node:
    flat = not any(isinstance(item, (list, dict)) for item in value)
    return dumper.represent_sequence(_TAG + "seq", value, flow_style=flat)


def _represent_str(dumper: _Dumper, value: str) -> yaml.Node:
    # Line breaks and the like, escaped: every value stays on one line, and PyYAML loses some of them otherwise.
    return dumper.represent_scalar(_TAG + "str", value, style=None if value.isprintable() else '"')


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_str)
for _name, _pattern, _first in _SCALARS:
    _Dumper.add_implicit_resolver(
        _name if _name == _AMBIGUOUS else _TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first
    )


def to_yaml(value: Any) -> str:
    """YAML text of dicts (keys are words), lists and scalars, which ``parse_yaml`` reads back equal.

    >>> print(to_yaml({"lr": 1e-4, "word": "on", "levels": [0, 1]}), end="")
    lr: 0.0001
    word: 'on'
    levels: [0, 1]
    """
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20))
