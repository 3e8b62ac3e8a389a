"""Scenes that are made up for a run: made once, then kept in the user's cache under the content of their config."""

import hashlib
from collections.abc import Callable, Sequence

from games.pictures.store import Arrays, read_arrays, write_arrays
from perception import cache_folder

#: Raised when the same config makes other scenes than before: what lies in the cache is then left alone.
_EDITION = 1
_DAMAGED = "delete it, and it is made again"


def kept(kind: str, said: str, keys: Sequence[str], make: Callable[[], Arrays]) -> Arrays:
    """The arrays of these keys, from the cache or made now and put there.

    Args:
        kind: begins the file's name.
        said: all that they hang on, such as a config in JSON.
        keys: what they are called.
        make: makes them.

    Raises:
        InputError: a damaged file in the cache, a cache that cannot be written.
    """
    digest = hashlib.sha256(f"{_EDITION} {said}".encode()).hexdigest()[:24]
    path = cache_folder() / "scenes" / f"{kind}-{digest}.npz"
    if path.is_file():
        return read_arrays(path, keys, _DAMAGED)
    arrays = make()
    write_arrays(path, arrays)
    return arrays
