"""Picture files in the cache: written whole or not at all, read with every damage found."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from raster.errors import InputError

Arrays = dict[str, NDArray[np.generic]]


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write under a temporary name beside ``path``, then rename: others see all of it or nothing.

    Raises:
        InputError: it cannot be written (a full disk, no permission).
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=path.suffix)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            write(file)
        temporary.chmod(0o644)  # mkstemp's 0600 would shut out others who share a cache
        temporary.replace(path)
    except OSError as error:
        do = "make room, or let LASCAUX_CACHE name another folder"
        raise InputError(f"the pictures cannot be kept ({error.strerror or error})", path, do) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """One compressed .npz, without pickles."""
    write_whole(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def read_arrays(path: Path, keys: Sequence[str], do: str) -> Arrays:
    """These arrays of an .npz; no pickle is ever opened, and every checksum is verified.

    Args:
        path: the file.
        keys: what it must hold.
        do: what a person should do when it is damaged.

    Raises:
        InputError: missing, truncated, damaged, or without one of ``keys``.
    """
    if not path.is_file():
        raise InputError("there is no such file", path, do)
    try:
        with path.open("rb") as opened:  # np.load would leave a file that it refuses open
            file = np.load(opened, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("not an .npz file")
            return {key: file[key] for key in keys}
    except KeyError as error:
        raise InputError(f"the file is damaged ({error.args[0]})", path, do) from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"the file is damaged ({_short(error)})", path, do) from error


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
