"""A machine: a body, how its drawings are planned, and the file that it reads."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from agents.bodies.body import STRICT, Body

Lines = Annotated[tuple[str, ...], Field(max_length=64)]


class Planning(BaseModel):
    """How a drawing becomes movements."""

    model_config = STRICT

    tolerance: float = Field(0.02, gt=0)
    """How far a straight piece may stray from its curve, mm."""
    join: float = Field(0.1, ge=0)
    """Two ends of one pen's lines that are no further apart become one line, mm; at most the finest pen's width."""
    order: Literal["travel", "drawn"] = "travel"
    """`travel`: lines are sorted and turned for the shortest way through the air; `drawn`: as they were drawn, pen
    by pen."""


class SvgOutput(BaseModel):
    """A picture in mm, one layer a pen, for AxiDraw's, Inkscape's and other programs."""

    model_config = STRICT
    kind: Literal["svg"] = "svg"

    decimals: int = Field(3, ge=1, le=6)
    """Of a coordinate, mm."""

    @property
    def suffix(self) -> str:
        """Of the file's name."""
        return ".svg"


class GcodeOutput(BaseModel):
    """G-code as GRBL reads it; in lines about pens `{pen}` stands for the pen's number and `{name}` for its name."""

    model_config = STRICT
    kind: Literal["gcode"] = "gcode"

    header: Lines = ("G21", "G90")
    """Before everything: mm, and absolute places; what else the machine needs."""
    footer: Lines = ("M2",)
    """After everything."""
    pen_down: Lines = ("G1 Z0 F600",)
    """Lowers the pen. A servo's is `M3 S90`, perhaps with a `G4 P0.1` after it, which waits."""
    pen_up: Lines = ("G0 Z5",)
    """Lifts the pen."""
    pen_change: Lines = ("M0 (pen {pen}: {name})",)
    """Before each pen but the first, with the pen lifted: GRBL waits at M0."""
    first_pen: Lines = ("(pen {pen}: {name})",)
    """Before the first pen."""
    origin: Literal["bottom-left", "top-left"] = "bottom-left"
    """The machine's 0, 0 on the page: y goes up from the lower corner, or down from the upper one."""
    decimals: int = Field(3, ge=1, le=6)
    """Of a coordinate, mm."""

    @field_validator("header", "footer", "pen_down", "pen_up", "pen_change", "first_pen")
    @classmethod
    def _are_lines(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for line in value:
            if not re.fullmatch(r"[\x20-\x7e]{1,100}", line):
                raise ValueError(f"{line!r:.60} is no line of G-code: 1 to 100 plain characters each")
        return value

    @model_validator(mode="after")
    def _each_says_what_it_does(self) -> "GcodeOutput":
        if not set(self.pen_down) - set(self.pen_up) or not set(self.pen_up) - set(self.pen_down):
            raise ValueError("pen_down and pen_up must each have a line that the other has not")
        for key, lines in (("pen_change", self.pen_change), ("first_pen", self.first_pen)):
            if not any("{pen}" in line or "{name}" in line for line in lines):
                raise ValueError(f"{key} must say {{pen}} or {{name}}, if only in a comment: which pen is it?")
        return self

    @property
    def suffix(self) -> str:
        """Of the file's name."""
        return ".gcode"


class HpglOutput(BaseModel):
    """HPGL, which pen plotters have read since 1977: whole steps, y up from the page's lower left corner."""

    model_config = STRICT
    kind: Literal["hpgl"] = "hpgl"

    steps: int = Field(40, ge=1, le=10_000)
    """Steps of the machine a mm; HPGL's are 0.025 mm."""
    velocity: bool = True
    """Say the speed (`VS`, cm a second); some plotters do not know the word."""

    @property
    def suffix(self) -> str:
        """Of the file's name."""
        return ".hpgl"


Output = Annotated[SvgOutput | GcodeOutput | HpglOutput, Field(discriminator="kind")]


class Machine(BaseModel):
    """What `lascaux plot --machine` names: a file of these keys, or one that ships."""

    model_config = STRICT

    body: Body = Body()
    """What the hand can do."""
    planning: Planning = Planning()
    """How a drawing becomes movements."""
    output: Output = SvgOutput()
    """The file that the machine reads."""

    @model_validator(mode="after")
    def _joins_are_hidden_by_the_pen(self) -> "Machine":
        finest = min(pen.width for pen in self.body.pens)
        if self.planning.join > finest:
            told = f"planning.join: lines {self.planning.join:g} mm apart would be joined by a pen {finest:g} mm wide"
            raise ValueError(f"{told}: say at most its width")
        if self.planning.tolerance > finest / 4:
            told = f"planning.tolerance: {self.planning.tolerance:g} mm show in a line {finest:g} mm wide"
            raise ValueError(f"{told}: say at most a quarter of it")
        return self
