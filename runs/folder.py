"""A run's folder on disk: where things are, and writing them so that a crash leaves the old or the new, never half."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raster import InputError


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` with a temporary name beside ``path``, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if error.filename is None:  # a full disk does not say which file it was
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, two spaces deep."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", path, "is this the folder of a run?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not readable as JSON: {error}", path, "the file is damaged") from None


@contextmanager
def kept_apart(lock: Path, what: str) -> Iterator[None]:
    """Hold the file ``lock``, so that nobody else does until this ends, however it ends.

    It is the system's lock on an open file, which goes with the process: one that was killed leaves the empty file, and
    nothing that has to be cleared away.

    Args:
        lock: a file; it and its folder are made.
        what: that is worked on, for the message.

    Raises:
        InputError: another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = f"another process works on {what}"
            raise InputError(told, lock.parent, "wait until it ends, or take another --out") from None
        yield


class Folder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.env = path / "env.json"
        self.status = path / "status.json"
        self.metrics = path / "metrics.jsonl"
        self.events = path / "events.jsonl"
        self.summary = path / "summary.json"
        self.probes = path / "probes.json"
        self.pictures = path / "pictures.json"
        self.report = path / "report.html"
        self.plays = path / "plays"
        self.checkpoints = path / "checkpoints"

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def of_run(cls, path: Path) -> "Folder":
        """The folder of an existing run.

        Raises:
            InputError: there is no run in it.
        """
        folder = cls(path)
        if not folder.config.is_file():
            raise InputError("no run here (config.yaml is missing)", path, "give the folder that `lascaux run` wrote")
        return folder

    def check_place(self) -> None:
        """See that this folder can be written, or made.

        Raises:
            InputError: a file stands in its place or above it, or there is no permission.
        """
        if self.path.is_file():
            raise InputError("this is a file, not a folder", self.path, "give another --out")
        above = next((each for each in self.path.absolute().parents if each.exists()), self.path)
        if not above.is_dir():
            raise InputError(f"{above} is a file, not a folder", self.path, "give another --out")
        if not os.access(self.path if self.path.exists() else above, os.W_OK | os.X_OK):
            raise InputError("this place cannot be written", self.path, "give another --out, or change its permissions")

    def used(self) -> bool:
        """Whether anything is in it."""
        return self.path.exists() and any(self.path.iterdir())

    def journal(self, split: str) -> Path:
        """Where the plays of a split are written: plays/train.jsonl, validation.jsonl, test.jsonl."""
        return self.plays / f"{split.split('/')[0]}.jsonl"


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Add one JSON line to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value, ensure_ascii=False) + "\n")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file; a last line that was cut off by a crash is left out, a missing file has none.

    Raises:
        InputError: a line in the middle is damaged.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                return
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"line {number} is damaged: {error.msg}", path, "delete the line") from None


def cut_back(path: Path, step: int) -> None:
    """Keep the lines that were written up to ``step``: what a resumed run will write again is taken away."""
    if path.exists():
        kept = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines(path) if line["step"] <= step]
        write_text(path, "".join(kept))
