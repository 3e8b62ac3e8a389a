"""What other installed packages bring by entry points: biases and probes."""

from collections.abc import Mapping
from importlib import metadata

from raster.errors import InputError


def load_missing(group: str, what: str, registered: Mapping[str, object]) -> None:
    """Import what entry points name and nobody has registered yet; importing it is to register it.

    Args:
        group: of the entry points, such as ``lascaux.biases``.
        what: they are called, and their decorator is: ``bias``.
        registered: what there is, by its word; it grows by what is imported.

    Raises:
        InputError: a module of another package that fails, or registers nothing by the entry point's word.
    """
    for entry in metadata.entry_points(group=group):
        if entry.name not in registered:
            _load(entry, what, registered)


def origins(group: str) -> dict[str, str]:
    """What came by an entry point: the word, and the package with its version (``upright 1.0``)."""
    return {
        entry.name: f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        for entry in metadata.entry_points(group=group)
    }


def _load(entry: metadata.EntryPoint, what: str, registered: Mapping[str, object]) -> None:
    where = f"entry point {entry.name} = {entry.value!r}" + (f" of {entry.dist.name}" if entry.dist else "")
    try:
        entry.load()
    except InputError:
        raise
    except Exception as error:  # whatever a stranger's module raises when it is imported
        told = f"the {what} {entry.name!r} of another package fails: {type(error).__name__}: {error}".splitlines()[0]
        raise InputError(told, where, "mend or uninstall that package") from error
    if entry.name not in registered:
        do = f'say @{what}("{entry.name}"), or name the entry point by its word'
        raise InputError(f"it registers no {what} {entry.name!r}", where, do)
