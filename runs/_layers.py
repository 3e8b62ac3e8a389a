"""What a config is made of: a file, the files it is based on, and what ``--set`` lays on top."""

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raster.errors import InputError
from runs.strict_yaml import DEEPEST, Node, Place, parse_yaml, read_yaml

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Shelf:
    """A folder of YAML files that ship with lascaux and go by name: ``word`` says what each of them is."""

    folder: Path
    word: str


def _presets() -> Shelf:
    return Shelf(PRESETS, "preset")


def preset_names(shelf: Shelf | None = None) -> list[str]:
    """Names of the presets (or of another shelf) that ship, sorted; one in a sub-folder is called ``folder/name``."""
    folder = (shelf or _presets()).folder
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


def find_preset(name: str, shelf: Shelf | None = None) -> Path:
    """The file of a preset, or of what another shelf holds.

    Raises:
        InputError: there is none of that name; the nearest is offered.
    """
    shelf = shelf or _presets()
    names, word = preset_names(shelf), shelf.word
    if name in names:
        return shelf.folder / f"{name}.yaml"
    file = next((each for each in (name, f"{name}.yaml", f"{name}.yml") if Path(each).is_file()), None)
    if file is not None and file.endswith((".yaml", ".yml")):
        raise InputError(f"no such {word} {name!r}", None, f"did you mean the file {file}?")
    if file is not None:
        raise InputError(f"no such {word} {name!r}", None, "the name of a config file ends in .yaml")
    if Path(name).is_dir():
        own = Path(name) / "config.yaml"
        do = f"its config is {own}" if own.is_file() else f"give a {word} or a config file"
        raise InputError("this is a folder, not a config", name, do)
    raise InputError(f"no such {word} {name!r}", None, nearest(name, names) or f"there are {', '.join(names)}")


def nearest(word: str, words: Iterable[str]) -> str | None:
    """``did you mean 'demo'?`` for a near word, else None."""
    found = near(word, words)
    return None if found is None else f"did you mean {found!r}?"


def near(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant, None if no word is near."""
    lower = {each.lower(): each for each in words}
    found = difflib.get_close_matches(word.lower(), lower, n=1)
    found = found or [each for each in lower if sorted(each) == sorted(word.lower())]  # 'tyni' for 'tiny'
    return lower[found[0]] if found else None


def read_source(source: Path | str, shelf: Shelf | None = None) -> Node:
    """Read a config file (a Path, or a word that ends in .yaml or .yml) or a preset, merged with its bases.

    Presets stand on ``shelf``, lascaux's own if left out.

    Raises:
        InputError: something in the chain is missing, damaged or goes round in a circle.
    """
    shelf = shelf or _presets()
    if isinstance(source, Path) or source.endswith((".yaml", ".yml")):
        path = Path(source)
        if not path.exists():
            if path.name == str(source) and path.stem in preset_names(shelf):
                raise InputError("no such file", path, f"the {shelf.word} is called {path.stem}, without .yaml")
            others = {each.stem: each.name for each in sorted(path.parent.glob("*.y*ml"))}
            meant = near(path.stem, others)
            raise InputError("no such file", path, None if meant is None else f"did you mean {others[meant]!r}?")
        return _read(path, str(path), (), shelf)
    return _read(find_preset(source, shelf), f"{shelf.word} {source}", (), shelf)


def _read(path: Path, shown: str, above: tuple[tuple[str, str], ...], shelf: Shelf) -> Node:
    """``above`` holds (real path, shown name) of the files that led here."""
    real = os.path.realpath(path)
    node = read_yaml(path, shown)
    if node.value is None:  # an empty file
        node = replace(node, value={})
    if not isinstance(node.value, dict):
        raise InputError("a config is made of keys and values", node.place, "write lines such as `seed: 0`")
    base = node.value.get("base")
    if base is None:
        return node
    own = replace(node, value={key: inner for key, inner in node.value.items() if key != "base"})
    if not isinstance(base.value, str) or not base.value:
        raise InputError(f"base: expected the name of a {shelf.word} or of a .yaml file", base.place)
    chain = (*above, (real, shown))
    try:
        if base.value.endswith((".yaml", ".yml")):
            below, name = path.parent / base.value, str(Path(shown).parent / base.value)
            name = str(below) if shown.startswith(f"{shelf.word} ") else name
        else:
            below, name = find_preset(base.value, shelf), f"{shelf.word} {base.value}"
        if os.path.realpath(below) in [each for each, _ in chain]:
            circle = " -> ".join([each for _, each in chain] + [name])
            raise InputError(f"base: goes round in a circle, {circle}", base.place, "take one base away")
        if not below.exists():
            raise InputError(f"base: no such file {base.value!r}", base.place, "paths count from the file's folder")
    except InputError as error:
        if error.where is None:
            raise InputError(f"base: {error.what}", base.place, error.do) from None
        raise
    problems: list[InputError] = []  # only --set names entries of lists, so none arise here
    return lay(_read(below, name, chain, shelf), own, problems)


def overlay(sets: Sequence[str]) -> Node | None:
    """Read ``a.b=value`` words into one tree that ``lay`` puts on a config. None when there are none.

    Raises:
        InputError: a word without ``=`` or with an empty key, or a value that is not YAML; all of them at once.
    """
    tree: Node | None = None
    problems: list[str] = []
    for word in sets:
        place = Place("--set " + (word if len(word) <= 100 and word.isprintable() else f"{word[:60]!r}..."))
        key, equals, text = word.partition("=")
        keys = [part.strip() for part in key.split(".")]
        if not equals or not all(keys) or len(keys) > DEEPEST:
            problems.append(str(InputError("expected key=value", place, "such as --set train.steps=100")))
            continue
        try:
            value = parse_yaml(text, str(place), lines=False)
        except InputError as error:
            problems.append(str(error))
            continue
        tree = _put(tree, keys, replace(value, whole=True), place)
    if problems:
        raise InputError("\n".join(problems))
    return tree


def _put(tree: Node | None, keys: list[str], value: Node, place: Place) -> Node:
    if not keys:
        return value
    head, rest = keys[0], keys[1:]
    if tree is not None and isinstance(tree.value, dict):
        inner = _put(tree.value.get(head), rest, value, place)
        return replace(tree, value={**tree.value, head: inner})
    patch = Node({head: _put(None, rest, value, place)}, place)
    if tree is not None and isinstance(tree.value, list):
        problems: list[InputError] = []
        patched = lay(tree, patch, problems)
        if problems:
            raise problems[0]
        return replace(patched, whole=True)
    return patch if tree is None else replace(patch, whole=True)  # a later --set beats an earlier scalar


def lay(under: Node, over: Node, problems: list[InputError]) -> Node:
    """``over`` on ``under``: mappings merge key by key, anything else is replaced.

    A mapping of another ``kind`` replaces the one below as a whole: keys of one kind mean nothing to another.
    Under a list, ``{"0": ...}`` (from ``--set biases.0.weight=2``) changes its entries, and the number after
    the last one adds an entry. What cannot be laid goes to ``problems``.
    """
    if not isinstance(over.value, dict) or over.whole:
        return over
    if isinstance(under.value, dict):
        mine, theirs = over.value.get("kind"), under.value.get("kind")
        if mine is not None and theirs is not None and mine.value != theirs.value:
            return over
        merged = dict(under.value)
        for key, inner in over.value.items():
            merged[key] = lay(merged[key], inner, problems) if key in merged else inner
        return replace(under, value=merged)
    if isinstance(under.value, list) and over.place.line is None:
        entries = list(under.value)
        for key, inner in sorted(over.value.items(), key=lambda item: (len(item[0]), item[0])):
            number = int(key) if key.isascii() and key.isdigit() else -1
            if 0 <= number < len(entries):
                entries[number] = lay(entries[number], inner, problems)
            elif number == len(entries):
                entries.append(inner)
            else:
                known = f"it has 0 to {len(entries) - 1}, and" if entries else "it is empty, and"
                do = f"{known} {len(entries)} adds one"
                problems.append(InputError(f"{key!r} names no entry of this list", inner.place, do))
        return replace(under, value=entries)
    return over
