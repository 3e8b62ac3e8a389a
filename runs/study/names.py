"""Names that people wrote freely, held against the class that was drawn: by rule, and where none fits by a person."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

from raster import InputError
from runs.strict_yaml import read_yaml
from runs.study.files import plain, read_table, table

__all__ = ["CODING_COLUMNS", "LEVELS", "Coded", "Namer", "coding_table", "read_coded", "read_synonyms", "simple"]

LEVELS = ("exact", "synonym", "words", "near", "none")
"""How a name fits the class, the surest first; see ``Namer.level``."""
CODING_COLUMNS = ("class", "answer", "times", "fits", "right")
NEAR = 0.85
"""Similarity (Ratcliff and Obershelp, 0 to 1) from which two spellings are near."""
_LONGEST = 80
_SHORT = 4
_ARTICLES = {"a", "an", "the"}

Coded = dict[tuple[str, str], bool]
"""A person's verdicts: (class, simplified answer) to right or not."""


def simple(name: str) -> str:
    """A name without what does not change its meaning: case, accents' encoding, punctuation, spaces, an article.

    >>> simple("  The Polar-Bear! "), simple("ÉCLAIR"), simple("…")
    ('polar bear', 'éclair', '')
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    # Letters, marks and numbers of every script stay, and symbols, for an emoji is an answer too.
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or unicodedata.category(c) == "So" else " " for c in text)
    words = kept.split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _ARTICLES else words)


class Namer:
    """Judges names among the classes of one study.

    Args:
        classes: every class that the study's drawings show.
        synonyms: for a class, other names that mean it.
        coded: a person's verdicts; they win over every rule.
    """

    def __init__(
        self, classes: Iterable[str], synonyms: Mapping[str, Sequence[str]] | None = None, coded: Coded | None = None
    ) -> None:
        self._known = {name: simple(name) for name in classes}
        self._synonyms = {name: {simple(each) for each in (synonyms or {}).get(name, ())} for name in self._known}
        self._coded = coded or {}
        self._found: dict[tuple[str, str], str] = {}

    def level(self, answer: str, target: str) -> str:
        """How an answer fits the class ``target``, by rule.

        - ``exact``: the class's name, but for case, punctuation, a plural's s and an article.
        - ``synonym``: in the synonyms of the class.
        - ``words``: the words of one are all among the other's ("cat" for "cat face", "a black cat" for "cat").
        - ``near``: spelled nearly so (``NEAR``), both of four letters or more.
        - ``none``: not at all, or it fits another class of the study at least as well: "face" names no class where
          there are two of faces.
        """
        asked = (simple(answer[: 4 * _LONGEST]), target)
        if asked not in self._found:
            own = self._fit(*asked)
            if LEVELS.index(own) > 1 and any(
                LEVELS.index(self._fit(asked[0], other)) <= LEVELS.index(own)
                for other in self._known
                if other != target
            ):
                own = "none"
            self._found[asked] = own
        return self._found[asked]

    def right(self, answer: str, target: str, loosest: str = "near") -> bool:
        """Whether an answer counts: as a person said, else by rule up to the level ``loosest``."""
        verdict = self.verdict(answer, target)
        return verdict if verdict is not None else LEVELS.index(self.level(answer, target)) <= LEVELS.index(loosest) < 4

    def verdict(self, answer: str, target: str) -> bool | None:
        """What a person said of it, if one did."""
        return self._coded.get((target, simple(answer)))

    def _fit(self, answer: str, target: str) -> str:
        name = self._known.get(target, simple(target))
        if not answer or len(answer) > _LONGEST:
            return "none"
        if _singular(answer) == _singular(name):
            return "exact"
        others = self._synonyms.get(target, set())
        if answer in others or _singular(answer) in {_singular(each) for each in others}:
            return "synonym"
        given, meant = set(_singular(answer).split()), set(_singular(name).split())
        if meant and (given <= meant or meant <= given):
            return "words"
        return "near" if any(_near(answer, each) for each in (name, *sorted(others))) else "none"


def _singular(name: str) -> str:
    return " ".join(re.sub(r"(?<=[a-z]{2}[^s\W])s$", "", word) for word in name.split())


def _near(one: str, other: str) -> bool:
    if min(len(one), len(other)) < _SHORT or 2 * min(len(one), len(other)) < NEAR * (len(one) + len(other)):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= NEAR and matcher.ratio() >= NEAR


def coding_table(answers: Iterable[tuple[str, str]], namer: Namer) -> tuple[bytes, int]:
    """The names that a person should look at, as a CSV to fill in, and how many still wait.

    Those that no rule knows come first, the most frequent ahead; then the near ones and those that share words, which
    a rule took and may have taken wrongly. Exact names and synonyms are not listed. What was coded is filled in.

    Args:
        answers: (class, answer) of every naming trial that was answered.
        namer: the rules, and a person's verdicts so far.
    """
    times: Counter[tuple[str, str]] = Counter()
    written: dict[tuple[str, str], str] = {}
    for target, answer in answers:
        at = target, simple(answer)
        times[at] += 1
        written.setdefault(at, answer)
    rows = []
    for at, count in sorted(times.items(), key=lambda item: (-item[1], item[0])):
        level, verdict = namer.level(written[at], at[0]), namer.verdict(written[at], at[0])
        if level in LEVELS[2:]:
            shown = {"class": at[0], "answer": written[at], "times": count, "fits": level}
            rows.append(shown | {"right": verdict})
    rows.sort(key=lambda row: row["fits"] != "none")
    waiting = sum(row["fits"] == "none" and row["right"] is None for row in rows)
    return table(CODING_COLUMNS, rows), waiting


_YES, _NO = {"1", "yes", "y", "true", "right"}, {"0", "no", "n", "false", "wrong"}


def read_coded(path: Path) -> Coded:
    """Read a coding table that a person filled in; rows without a verdict are left to the rules.

    Raises:
        InputError: it cannot be read, a column is missing, or a cell of ``right`` is neither yes nor no.
    """
    try:
        rows = read_table(path)
    except OSError as error:
        raise InputError("the coded names cannot be read", path, "give names.csv, filled in") from error
    except ValueError as error:
        raise InputError("the coded names are not UTF-8", path, "save it as CSV in UTF-8") from error
    found: Coded = {}
    for number, row in enumerate(rows, 2):
        if not {"class", "answer", "right"} <= row.keys():
            columns = ", ".join(plain(name, 20) for name in row)
            raise InputError(f"the columns are {columns}", path, "keep class, answer and right, between commas")
        word = row["right"].strip().casefold()
        if word and word not in _YES | _NO:
            raise InputError(f"{plain(row['right'], 20)!r} is no verdict", f"{path}, line {number}", "write 1 or 0")
        if word:
            found[row["class"], simple(row["answer"])] = word in _YES
    return found


def read_synonyms(path: Path, classes: Iterable[str]) -> dict[str, list[str]]:
    """Read a YAML file of other names: ``cat: [kitty, pussycat]``.

    Raises:
        InputError: it cannot be read, is no such table, or names a class that the study has not.
    """
    tree = read_yaml(path)
    known = set(classes)
    found: dict[str, list[str]] = {}
    if not isinstance(tree.value, dict):
        raise InputError("no table of names", tree.place, "write a line for each class: cat: [kitty, pussycat]")
    for name, others in tree.value.items():
        words = others.plain()
        if name not in known:
            raise InputError(f"the study has no class {plain(name, 40)!r}", others.place, _meant(name, known))
        if not isinstance(words, list) or not all(isinstance(each, str) for each in words):
            raise InputError(f"the synonyms of {plain(name, 40)!r} are no list of words", others.place, "write [a, b]")
        found[name] = words
    return found


def _meant(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), 1)
    return f"did you mean {plain(near[0], 40)!r}?" if near else "write a class as the key has it"
