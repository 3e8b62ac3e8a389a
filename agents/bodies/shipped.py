"""The machines that ship with lascaux, by name: YAML files in ``machines/``, made to be copied and changed."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from agents.bodies.machine import Machine

MACHINES = Path(__file__).parent / "machines"


def machine_names() -> list[str]:
    """Names of the machines that ship, sorted."""
    return sorted(path.stem for path in MACHINES.glob("*.yaml"))


@cache
def shipped(name: str) -> Machine:
    """A machine that ships. Raises ``ValueError`` for another name.

    >>> shipped("hpgl").output.suffix
    '.hpgl'
    """
    if name not in machine_names():
        raise ValueError(f"no machine {name!r}: there are {', '.join(machine_names())}")
    return Machine.model_validate(yaml.safe_load((MACHINES / f"{name}.yaml").read_text(encoding="utf-8")))


def body_of(value: Any) -> Any:
    """For a field of a config that is a body: the body of the machine that a word names, anything else as it is."""
    return shipped(value).body if isinstance(value, str) else value
