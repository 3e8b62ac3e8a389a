"""Which engine draws, and why: never a secret."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from raster.errors import InputError

ENGINES = ("auto", "cpu", "reference")
#: Looked for, not imported: that takes a second and is left to the first canvas.
_NUMBA = find_spec("numba") is not None


@dataclass(frozen=True)
class Engine:
    """The engine that draws, and the reason in words (kept in a run's ``env.json``)."""

    name: str
    why: str


def engine_for(device: torch.device | str, dtype: torch.dtype, engine: str = "auto") -> Engine:
    """The engine that ``rasterise`` takes for strokes on this device and of this dtype.

    ``"cpu"`` is the fast one (numba kernels, float32 in main memory), ``"reference"`` plain torch for
    everything else. Half precision is drawn in float32. Raises ``InputError`` for an unknown engine, or one
    that cannot draw this.

    >>> engine_for("cpu", torch.float64).name
    'reference'
    """
    device = torch.device(device)
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}", "rasterise", f"one of {', '.join(ENGINES)}")
    if engine == "reference":
        return Engine("reference", "asked for")
    obstacle = _obstacle(device, dtype)
    if engine == "cpu":
        if obstacle:
            raise InputError("engine 'cpu' cannot draw this", obstacle, "engine='auto'")
        return Engine("cpu", "asked for")
    if obstacle:
        return Engine("reference", obstacle)
    return Engine("cpu", f"float32 on {device.type}: numba kernels over each stroke's own band")


def _obstacle(device: torch.device, dtype: torch.dtype) -> str:
    """Why the kernels cannot draw this; empty if they can. ``meta`` has the shapes of what they would draw."""
    if device.type not in ("cpu", "meta"):
        return f"no kernels for {device.type} yet"
    if dtype == torch.float64:
        return "the kernels are float32, the strokes float64"
    return "" if _NUMBA else "numba is not installed"
