"""Pictures drawn by optimisation: `lascaux draw`, and the same picture as several networks would have it drawn."""

from runs.draw.config import DrawConfig
from runs.draw.files import Sheet, load_strokes, save_drawing, save_strokes
from runs.draw.perceptions import Eye, as_seen_by
from runs.draw.start import Drawn, draw, load_drawn

__all__ = [
    "DrawConfig",
    "Drawn",
    "Eye",
    "Sheet",
    "as_seen_by",
    "draw",
    "load_drawn",
    "load_strokes",
    "save_drawing",
    "save_strokes",
]
