"""Files that hostile names cannot turn against their reader, and that are whole or not there."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runs.folder import write_atomic

__all__ = ["guarded", "plain", "read_table", "table", "unguarded", "write_whole"]

# What a spreadsheet may take for the start of a formula; the wide forms are read so under East Asian settings.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def guarded(value: object) -> str:
    """A cell that no spreadsheet runs: text that would start a formula gets an apostrophe before it.

    Numbers stay as they are. ``unguarded`` gives the text back.

    >>> guarded("=1+1"), guarded(-0.5), guarded(None)
    ("'=1+1", '-0.5', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    text = str(value)
    if isinstance(value, (int, float)) and _NUMBER.fullmatch(text):
        return text
    # Half a surrogate pair (JSON can hold one) has no UTF-8 form, and a NUL ends a cell for some readers.
    text = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return "'" + text if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text that ``guarded`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def plain(text: object, limit: int = 80) -> str:
    """One printable line of at most ``limit`` characters, without control codes (a terminal would obey them)."""
    line = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in str(text)[: 4 * limit])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A CSV file as bytes: UTF-8, every text cell guarded."""
    file = io.StringIO(newline="")
    # RFC 4180's line ends; they also make the writer quote a cell that holds a lone carriage return.
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([guarded(row.get(column)) for column in columns] for row in rows)
    return file.getvalue().encode("utf-8")


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV that ``table`` wrote, unguarded; OSError, UnicodeDecodeError and csv.Error as they come.

    Semicolons or tabs between cells are read too: so a spreadsheet saves the file where the comma is the decimal sign.
    """
    # A cell of the key holds the names of all candidates, so the reader's own limit is too low.
    csv.field_size_limit(2**24)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        file.seek(0)
        comma = max(",;\t", key=head.count)
        rows = csv.DictReader(file, delimiter=comma)
        return [{key: unguarded(cell or "") for key, cell in row.items() if key} for row in rows]


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes so that a reader sees the old file or the new one, never half."""

    def write(draft: Path) -> None:
        draft.write_bytes(content)

    write_atomic(path, write)
