"""Bodies: what a hand can do, and drawings as the movements of its pens.

``Body`` says what can be drawn, ``held`` makes strokes such as it can draw (the bias ``body`` does so while agents
learn), ``plan`` sorts them, ``written`` says them to a machine, and ``replay`` reads that again.
"""

from agents.bodies.body import Body, Margins, Page, Pen
from agents.bodies.frame import Frame
from agents.bodies.hand import held
from agents.bodies.machine import GcodeOutput, HpglOutput, Machine, Planning, SvgOutput
from agents.bodies.measuring import Deviation, deviation
from agents.bodies.planning import Layer, Plan, Report, plan
from agents.bodies.reach import Arm, Rectangle, WholePage
from agents.bodies.replay import Replayed, replay
from agents.bodies.sheet import sheet
from agents.bodies.shipped import MACHINES, machine_names, shipped
from agents.bodies.writing import written

__all__ = [
    "Arm",
    "Body",
    "Deviation",
    "Frame",
    "GcodeOutput",
    "HpglOutput",
    "Layer",
    "MACHINES",
    "Machine",
    "Margins",
    "Page",
    "Pen",
    "Plan",
    "Planning",
    "Rectangle",
    "Replayed",
    "Report",
    "SvgOutput",
    "WholePage",
    "deviation",
    "held",
    "machine_names",
    "plan",
    "replay",
    "sheet",
    "shipped",
    "written",
]
