"""Learning to predict sets: polygons, multisets, points, objects and boxes, by any encoder and any set decoder."""

from runs.sets.config import SetsConfig
from runs.sets.data import Data, Pairs, load_data
from runs.sets.measure import Answers, answer, measured, summarise
from runs.sets.model import SetPredictor
from runs.sets.report import write_report
from runs.sets.start import SetsRun, launch, load

__all__ = [
    "Answers",
    "Data",
    "Pairs",
    "SetPredictor",
    "SetsConfig",
    "SetsRun",
    "answer",
    "launch",
    "load",
    "load_data",
    "measured",
    "summarise",
    "write_report",
]
