"""What is asked of logged play. A probe is a pure function: ``probe(evidence) -> Finding``, a file each.

    from runs.probes import probe, probes

    probes()["iconicity"](evidence)     # asks it, and tells in a line what the run lacks for it

``@probe("name")`` registers another; see docs/probes.md.
"""

from runs.probes._registry import GROUP, NEEDS, Probe, ask_all, asked, probe, probes, probes_of

__all__ = ["GROUP", "NEEDS", "Probe", "ask_all", "asked", "probe", "probes", "probes_of"]
