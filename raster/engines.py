"""Which engine draws, and why: never a secret."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from raster.errors import InputError

ENGINES = ("auto", "gpu", "cpu", "tile", "reference")
#: Looked for, not imported: that takes a second and is left to the first canvas.
NUMBA = find_spec("numba") is not None
_TRITON = find_spec("triton") is not None


@dataclass(frozen=True)
class Engine:
    """The engine that draws, and the reason in words (kept in a run's ``env.json``)."""

    name: str
    why: str


def engine_for(device: torch.device | str, dtype: torch.dtype, engine: str = "auto", dimensions: int = 2) -> Engine:
    """The engine that ``rasterise`` takes for strokes on this device, of this dtype, with so many coordinates.

    ``"gpu"`` is Triton (float32, CUDA), ``"cpu"`` numba (float32, main memory), ``"tile"`` plain torch (any device and
    dtype), ``"reference"`` plain torch over all pixels (any number of dimensions, twice differentiable). Half
    precision is drawn in float32. Raises ``InputError`` for an unknown engine, or one that cannot draw this.

    >>> engine_for("cpu", torch.float64).name
    'tile'
    """
    device = torch.device(device)
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}", "rasterise", f"one of {', '.join(ENGINES)}")
    if engine == "reference":
        return Engine("reference", "asked for")
    if engine != "auto":
        obstacle = _obstacle(engine, device, dtype, dimensions)
        if obstacle:
            raise InputError(f"engine {engine!r} cannot draw this", obstacle, "engine='auto'")
        return Engine(engine, "asked for")
    if dimensions != 2:
        return Engine("reference", f"the engines draw in 2 dimensions, the points have {dimensions}")
    fast = "gpu" if device.type == "cuda" else "cpu"
    obstacle = _obstacle(fast, device, dtype, dimensions)
    if obstacle:
        return Engine("tile", obstacle)
    how = {"gpu": "Triton kernels over tiles", "cpu": "numba kernels over each stroke's own band"}
    return Engine(fast, f"float32 on {device.type}: {how[fast]}")


def _obstacle(engine: str, device: torch.device, dtype: torch.dtype, dimensions: int) -> str:
    """Why an engine cannot draw this; empty if it can. ``meta`` has the shapes of what any would draw."""
    if dimensions != 2:
        return f"it draws in 2 dimensions, the points have {dimensions}"
    if engine == "tile":
        return ""
    needed = {"gpu": "cuda", "cpu": "cpu"}[engine]
    if device.type not in (needed, "meta"):
        return f"no kernels for {device.type}" if engine == "cpu" else f"Triton draws on cuda, not on {device.type}"
    if dtype == torch.float64:
        return "the kernels are float32, the strokes float64"
    if engine == "cpu":
        return "" if NUMBA else "numba is not installed"
    return "" if _TRITON else "Triton is not installed"
