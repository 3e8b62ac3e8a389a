"""Files of answers, opened with suspicion: jsPsych's JSON, JATOS's text and zip, DataPipe's, folders of any of them."""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs.study.files import plain

__all__ = ["DoesNotFit", "Refusal", "Sitting", "sittings"]

LARGEST = 64 * 2**20
"""Bytes of one file, or of one file in a zip."""
LARGEST_ZIP = 512 * 2**20
"""Bytes of all files of a zip, unpacked."""
_MOST_FILES = 20_000
_TEXT = (".json", ".txt", ".jsonl")
_ZIP = (".zip", ".jrzip", ".jzip")
# What JATOS and operating systems put beside the answers.
_BESIDE = ("metadata.json", "manifest.json", "study.json", "package.json")

_BLANK = re.compile(r"\s*")


class DoesNotFit(Exception):
    """Why a file or a sitting is refused."""


@dataclass(frozen=True)
class Refusal:
    """A file, or a sitting in it, that was not counted."""

    source: Path
    why: str


@dataclass(frozen=True)
class Sitting:
    """The rows of one person's sitting as the page saved them, and the file that they came in."""

    source: Path
    rows: tuple[dict[str, Any], ...]


def sittings(files: Sequence[Path]) -> tuple[list[Sitting], list[Refusal]]:
    """Every sitting in files, folders and zips, in their order; what cannot be read is refused and costs no other.

    A file is one JSON array of rows, or several one after the other (JATOS: one a line), or an array of arrays. A
    folder gives its files by name, those of its folders too (DataPipe's storage, the folder of ``study serve``); a zip
    likewise (JATOS's results). Names in a zip are not used as paths, so nothing is written anywhere.
    """
    found: list[Sitting] = []
    refused: list[Refusal] = []
    for file in _opened([Path(file) for file in files], refused):
        source, text = file
        for part in _parts(source, text, refused):
            try:
                found += [Sitting(source, tuple(rows)) for rows in _cut(part)]
            except RecursionError:
                refused.append(Refusal(source, "not the answers of a study: lists within lists without end"))
            except DoesNotFit as error:
                refused.append(Refusal(source, str(error)))
    return found, refused


def _opened(files: Sequence[Path], refused: list[Refusal]) -> Iterator[tuple[Path, str]]:
    for path in files:
        try:
            if path.is_dir():
                inside = sorted(each for each in path.rglob("*") if each.suffix.lower() in (*_TEXT, *_ZIP))
                inside = [
                    each for each in inside if each.name not in _BESIDE and each.name[0] != "." and each.is_file()
                ]
                if not inside:
                    raise DoesNotFit("a folder without answers: no .json, .txt or .zip in it")
                yield from _opened(inside, refused)
            elif path.suffix.lower() in _ZIP or zipfile.is_zipfile(path):
                yield from _unzipped(path, refused)
            else:
                yield path, _text(path)
        except OSError as error:
            refused.append(Refusal(path, f"cannot be read ({error.strerror})"))
        except DoesNotFit as error:
            refused.append(Refusal(path, str(error)))


def _text(path: Path) -> str:
    with path.open("rb") as file:  # a bounded read: the path may be a pipe without end
        content = file.read(LARGEST + 1)
    return _decoded(content)


def _decoded(content: bytes) -> str:
    if len(content) > LARGEST:
        raise DoesNotFit(f"larger than {LARGEST >> 20} MB: no answers of this study")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DoesNotFit("not a text file") from error


def _unzipped(path: Path, refused: list[Refusal]) -> Iterator[tuple[Path, str]]:
    """Text files of a zip as (zip/name, content)."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [each for each in archive.infolist() if Path(each.filename).suffix.lower() in _TEXT]
            inside = [each for each in inside if Path(each.filename).name not in _BESIDE and not each.is_dir()]
            if len(inside) > _MOST_FILES or sum(each.file_size for each in inside) > LARGEST_ZIP:
                raise DoesNotFit(f"a zip of more than {_MOST_FILES} files or {LARGEST_ZIP >> 20} MB: no answers")
            if not inside:
                raise DoesNotFit("a zip without answers: no .json or .txt in it")
            for each in sorted(inside, key=lambda entry: entry.filename):
                source = path / plain(each.filename).replace("/", ":")
                try:
                    with archive.open(each) as file:  # bounded: a header may lie about the size
                        yield source, _decoded(file.read(LARGEST + 1))
                # zipfile's words for a password (RuntimeError), a compression that it has not, and an end too soon
                except (DoesNotFit, RuntimeError, NotImplementedError, EOFError) as error:
                    why = str(error) if isinstance(error, DoesNotFit) else "locked with a password, or damaged"
                    refused.append(Refusal(source, why))
    except (zipfile.BadZipFile, ValueError) as error:
        raise DoesNotFit("cut off or damaged: it is not a whole zip") from error


def _parts(source: Path, text: str, refused: list[Refusal]) -> Iterator[list[Any]]:
    """The JSON values of a text one after the other; after a damaged one the next line that begins one is tried."""
    decoder = json.JSONDecoder()
    at, any_value = 0, False
    while (at := _space(text, at)) < len(text):
        any_value = True
        try:
            value, at = decoder.raw_decode(text, at)
            if not isinstance(value, list):
                raise DoesNotFit("not the answers of a study: a JSON array of trials was expected")
            yield value
        except DoesNotFit as error:
            refused.append(Refusal(source, str(error)))
        except (ValueError, RecursionError):
            refused.append(Refusal(source, _damaged(text[at : at + 200])))
            following = text.find("\n[", at + 1)
            at = following + 1 if following >= 0 else len(text)
    if not any_value:
        refused.append(Refusal(source, "not the answers of a study: there is nothing in it"))


def _space(text: str, at: int) -> int:
    """Where the next sign stands that is no white space."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _damaged(start: str) -> str:
    first = start.lstrip().splitlines()[0] if start.strip() else ""
    if first.count(",") >= 2 and first[0] not in "[{":
        return "this looks like a CSV file: take the results as JSON, which the page saved"
    return "cut off or damaged: it is not whole JSON"


def _cut(data: list[Any]) -> Iterator[list[dict[str, Any]]]:
    """The rows of each sitting: nested arrays hold one each, a flat one is cut after each closing row."""
    if data and all(isinstance(part, list) for part in data):
        for part in data:
            yield from _cut(part)
        return
    if not data:
        raise DoesNotFit("not the answers of a study: there is nothing in it")
    rows: list[dict[str, Any]] = []
    for row in data:
        if not isinstance(row, dict):
            raise DoesNotFit("not the answers of a study: a JSON array of trials was expected")
        rows.append(row)
        if row.get("kind") == "end":
            yield rows
            rows = []
    if rows:
        yield rows
