"""lascaux's packages have plain names; is it its own that Python finds?"""

import importlib.util
from importlib import metadata
from pathlib import Path

PACKAGES = ("raster", "perception", "agents", "games", "runs")


def foreign_package() -> str | None:
    """One line about the first of the packages that is not lascaux's own, None when all are. Imports none of them."""
    root = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        found = _found(name)
        if found is None:
            return f"lascaux's package {name!r} is missing ({root}): install lascaux again"
        if found != root / name:
            owners = [each for each in metadata.packages_distributions().get(name, []) if each != "lascaux"]
            if owners:
                remove = f"pip uninstall {owners[0]}, or give lascaux an environment of its own"
                owner = f"of {owners[0]}"
            else:
                remove = f"take {found.parent} off PYTHONPATH, or start from another folder"
                owner = "of no installed distribution"
            return f"another package called {name!r} is found before lascaux's ({found}, {owner}): {remove}"
    return None


def _found(name: str) -> Path | None:
    """The folder (or the file, for a module) that ``import name`` would take."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.origin is not None and spec.submodule_search_locations is None:
        return Path(spec.origin).resolve()
    if spec.origin is not None:
        return Path(spec.origin).resolve().parent
    return Path(next(iter(spec.submodule_search_locations or []))).resolve()
