"""Modules of one's own, imported by name before a config is read, so that their biases have a word in YAML.

Only the command line (or Python) names a plugin; no YAML file and no run's folder ever imports code.
"""

import importlib
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from raster.errors import InputError

__all__ = ["import_plugins", "plugins"]

_IMPORTED: dict[str, str] = {}


def plugins() -> dict[str, str]:
    """The plugins that this process imported: module name to file. A run records it in env.json."""
    return dict(_IMPORTED)


def import_plugins(names: Iterable[str]) -> None:
    """Import modules by name from the Python path, to which the current folder is added last.

    Last, so that a file of the current folder cannot stand in for a module that lascaux itself needs.

    Raises:
        InputError: a name that is no module, or a module that fails when it is imported.
    """
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            hint = "for mybias.py in this folder say --plugin mybias"
            raise InputError(f"{name!r} is not the name of a module", "--plugin", hint)
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)
            importlib.invalidate_caches()
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name or name
            if name == missing or name.startswith(f"{missing}."):
                raise InputError(f"no module {missing!r}", f"--plugin {name}", f"is it in {here}?") from None
            raise InputError(f"it needs {missing!r}", f"--plugin {name}", "install that first") from error
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{last.filename}:{last.lineno}"
            if isinstance(error, SyntaxError) and error.filename:
                where = f"{error.filename}:{error.lineno}"
            what = (
                f"the plugin {name} fails: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            )
            raise InputError(what, where, "--debug shows the traceback") from error
        _IMPORTED[name] = str(getattr(module, "__file__", None) or "built in")
