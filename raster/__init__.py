"""Strokes to pixels, differentiably. Knows nothing of agents, games or networks.

Canvas coordinates: x right, y down, [-1, 1] on the short side, the canvas's edges at +-1, square pixels.
Ink is 1 and paper is 0. See ``docs/raster.md`` for the mathematics and the engines.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raster.canvas import CanvasConfig
    from raster.drawing import rasterise
    from raster.engines import Engine, engine_for
    from raster.errors import InputError
    from raster.paper import in_sight, on_paper
    from raster.schedule import Schedule
    from raster.strokes import Strokes
    from raster.vector import (
        from_quickdraw,
        from_stroke3,
        from_stroke5,
        from_svg,
        to_quickdraw,
        to_stroke3,
        to_stroke5,
        to_svg,
    )

_HOMES = {
    "CanvasConfig": "canvas",
    "Engine": "engines",
    "InputError": "errors",
    "Schedule": "schedule",
    "Strokes": "strokes",
    "engine_for": "engines",
    "from_quickdraw": "vector",
    "from_stroke3": "vector",
    "from_stroke5": "vector",
    "from_svg": "vector",
    "in_sight": "paper",
    "on_paper": "paper",
    "rasterise": "drawing",
    "to_quickdraw": "vector",
    "to_stroke3": "vector",
    "to_stroke5": "vector",
    "to_svg": "vector",
}

__all__ = [
    "CanvasConfig",
    "Engine",
    "InputError",
    "Schedule",
    "Strokes",
    "engine_for",
    "from_quickdraw",
    "from_stroke3",
    "from_stroke5",
    "from_svg",
    "in_sight",
    "on_paper",
    "rasterise",
    "to_quickdraw",
    "to_stroke3",
    "to_stroke5",
    "to_svg",
]


def __getattr__(name: str) -> Any:
    """Each name brings its module when first asked for: `raster.errors` alone (the command line) needs no torch."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"raster.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'raster' has no attribute {name!r}")
