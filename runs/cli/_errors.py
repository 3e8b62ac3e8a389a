"""Whatever stops a command, as one line on stderr and an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

WRONG_INPUT, DEFECT, STOPPED = 2, 1, 130

_FILE_TROUBLE = {
    errno.EACCES: ("not permitted", "change its permissions or take another folder"),
    errno.EPERM: ("not permitted", "change its permissions or take another folder"),
    errno.EROFS: ("cannot be written, the disk is read-only", "take another folder"),
    errno.ENOENT: ("no such file", "check the path"),
    errno.EISDIR: ("this is a folder, not a file", "check the path"),
    errno.ENOTDIR: ("a file stands where a folder is needed", "check the path"),
    errno.EEXIST: ("it is there already", "take another name"),
    errno.ENAMETOOLONG: ("the name is too long", "take a shorter one"),
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n)"),
}
_MEMORY = "out of memory: fewer games a step (train.games) or a smaller canvas (canvas.size) need less"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def told(debug: bool, go_on: Callable[[], str]) -> Iterator[None]:
    """Turn exceptions into a line and ``typer.Exit``.

    Args:
        debug: print the traceback as well.
        go_on: says, after Ctrl-C, how to go on.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        if debug:
            traceback.print_exc()
        if not _whose():
            typer.echo(f"\nstopped; {go_on()}" if go_on() else "\nstopped", err=True)
        raise typer.Exit(STOPPED) from error
    except BrokenPipeError:
        raise  # the reader of our output went away (`| head`): typer ends quietly
    except Exception as error:
        if type(error).__module__.startswith(("typer", "click")):
            raise  # usage errors, --help, exits: typer's own
        line, code = line_for(error)
        if debug:
            traceback.print_exc()
        if type(error).__name__ != "TellsElsewhere":  # another rank tells it in the same words
            typer.echo(_whose() + line, err=True)
        raise typer.Exit(code) from error


def ranks() -> int:
    """How many processes torchrun has started for this command; 1 without it."""
    size = os.environ.get("WORLD_SIZE", "1") if "MASTER_ADDR" in os.environ else "1"
    return int(size) if size.isdecimal() else 1


def _whose() -> str:
    """Whose line it is, where several processes write to one terminal: nothing for the first."""
    rank = os.environ.get("RANK", "0")
    return f"rank {rank}: " if ranks() > 1 and rank != "0" else ""


def line_for(error: BaseException) -> tuple[str, int]:
    """What to print for an exception, and the exit code."""
    # Not imported here: raster brings torch. If nobody has imported it, this is no InputError.
    errors = sys.modules.get("raster.errors")
    if errors is not None and isinstance(error, errors.InputError):
        return str(error), WRONG_INPUT
    full = _full_disk(error)
    if full is not None:
        return full, WRONG_INPUT
    if isinstance(error, OSError):
        return _file_trouble(error), WRONG_INPUT
    if type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
        return (
            "out of memory: fewer games a step (train.games) or a smaller canvas (canvas.size) need less",
            WRONG_INPUT,
        )
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"internal error: {what[:300]} (a defect of lascaux; --debug shows the traceback)", DEFECT


def _file_trouble(error: OSError) -> str:
    what, do = _FILE_TROUBLE.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__, None))
    where = f" ({error.filename})" if error.filename is not None else ""
    return f"{what}{where}" + (f": {do}" if do and where else "")


def _full_disk(error: BaseException | None) -> str | None:
    """A line when the disk is full: libraries written in Rust or C++ say so in words of their own."""
    name: object = None
    full = False
    while error is not None:
        if isinstance(error, OSError):
            full = full or error.errno in _FULL
            name = name or error.filename
        full = full or "No space left on device" in str(error) or "(os error 28)" in str(error)
        error = error.__cause__ or error.__context__
    where = f" ({name})" if name else ""
    return f"the disk is full{where}: make room, then go on with --resume" if full else None
