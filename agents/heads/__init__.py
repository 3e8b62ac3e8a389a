"""How a sender draws: what its strokes can be, and the heads that make them."""

from agents.heads.config import (
    ConnectedHead,
    HeadConfig,
    OnePassHead,
    RecurrentHead,
    SetHead,
    StrokesConfig,
    WidthRange,
)
from agents.heads.connected import Connected
from agents.heads.onepass import OnePass
from agents.heads.recurrent import Midway, Recurrent
from agents.heads.sight import Sight
from agents.heads.stroke_set import StrokeSet

__all__ = [
    "Connected",
    "ConnectedHead",
    "HeadConfig",
    "Midway",
    "OnePass",
    "OnePassHead",
    "Recurrent",
    "RecurrentHead",
    "SetHead",
    "Sight",
    "StrokeSet",
    "StrokesConfig",
    "WidthRange",
]
