"""What is asked of logged play. A probe is a pure function: ``probe(evidence) -> Finding``."""

from collections.abc import Callable

from runs.evidence import Evidence, Finding
from runs.probes.iconicity import iconicity
from runs.probes.prefix import prefix
from runs.probes.rate import rate

PROBES: dict[str, Callable[[Evidence], Finding]] = {"rate": rate, "iconicity": iconicity, "prefix": prefix}
"""Every probe by the word that config and command line use."""

__all__ = ["PROBES", "iconicity", "prefix", "rate"]
