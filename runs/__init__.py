"""Experiments: config, training, checkpoints, probes, studies, reports, and the command line.

``runs.launch(config) -> Run`` and ``runs.load(folder) -> Run`` are the two doors from Python, and
``runs.env_from(run, role)`` makes an environment of a run. They are imported when first asked for, so that the
command line can show its help without importing torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runs.config import Config
    from runs.envs import env_from
    from runs.meeting import meet
    from runs.run import Run
    from runs.start import launch, load

__all__ = ["Config", "Run", "env_from", "launch", "load", "meet"]

_HOMES = {
    "Config": "runs.config",
    "Run": "runs.run",
    "env_from": "runs.envs",
    "launch": "runs.start",
    "load": "runs.start",
    "meet": "runs.meeting",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'runs' has no attribute {name!r}")
