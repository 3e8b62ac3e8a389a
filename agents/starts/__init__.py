"""Where free strokes begin: strewn at random, on edges, where a network looks, or from an SVG."""

from agents.starts.config import EdgeStart, RandomStart, SaliencyStart, StartConfig, SvgStart
from agents.starts.places import planted, tangents
from agents.starts.start import begin, coloured
from agents.starts.worth import idle, wanting, worth

__all__ = [
    "EdgeStart",
    "RandomStart",
    "SaliencyStart",
    "StartConfig",
    "SvgStart",
    "begin",
    "coloured",
    "idle",
    "planted",
    "tangents",
    "wanting",
    "worth",
]
