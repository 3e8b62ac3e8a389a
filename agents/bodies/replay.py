"""The files of plotters read again, by rules of their own and not by the writer's: what the pen would do.

A small interpreter of each language, for what ``writing`` says and somewhat more (modal words, inches, relative
moves, comments). What it does not know it refuses: a word that a machine might act on is not passed over.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from agents.bodies.body import Body
from agents.bodies.machine import GcodeOutput, HpglOutput, Machine
from raster import InputError


@dataclass(eq=False)
class Replayed:
    """What the pen does, in mm on the page (x right, y down, from the top left corner).

    Attributes:
        lines: (pen's number from 0, polyline [v, 2]) each time the pen is down, in order.
        travels: polylines [v, 2] of the lifted pen, from where it is first told to go.
        ends_up: whether the pen is lifted at the end.
    """

    lines: list[tuple[int, NDArray[np.float64]]] = field(default_factory=list)
    travels: list[NDArray[np.float64]] = field(default_factory=list)
    ends_up: bool = True


class _Pen:
    """A pen that is moved, and writes down where it was."""

    def __init__(self) -> None:
        self.done = Replayed()
        self.at: tuple[float, float] | None = None
        self.down = False
        self.number = 0
        self.way: list[tuple[float, float]] = []

    def to(self, x: float, y: float) -> None:
        self.at = (x, y)
        self.way.append(self.at)

    def put(self, down: bool) -> None:
        if down == self.down:
            return
        self.end()
        self.down = down

    def end(self) -> None:
        """What was drawn or travelled up to here is one line."""
        if self.way and (self.down or len(self.way) > 1):
            line = np.array(self.way, dtype=np.float64)
            if self.down:
                self.done.lines.append((self.number, line))
            else:
                self.done.travels.append(line)
        self.way = [self.at] if self.at is not None else []

    def over(self) -> Replayed:
        self.end()
        self.done.ends_up = not self.down
        return self.done


def replay(text: str, machine: Machine) -> Replayed:
    """What a machine's pen does when it is given this file.

    Raises ``InputError``, with the line, for what it does not know.
    """
    output = machine.output
    if isinstance(output, GcodeOutput):
        return _gcode(text, output, machine.body)
    if isinstance(output, HpglOutput):
        return _hpgl(text, output, machine.body.page.height)
    return _svg(text)


def _gcode(text: str, output: GcodeOutput, body: Body) -> Replayed:
    """G0, G1, G4, G17, G20, G21, G54, G90, G91, G94; M0 to M6, M30; F, N, P, S, T; X, Y, Z; the machine's own lines.

    The pen is lowered, lifted and changed by the lines that the output names; by Z, too (0 and below is down).
    """
    pen = _Pen()
    changes = {
        command.replace("{pen}", str(number + 1)).replace("{name}", each.name).strip(): number
        for number, each in enumerate(body.pens)
        for command in (*output.pen_change, *output.first_pen)
        if "{" in command
    }
    own = {_bare(line) for line in (*output.header, *output.footer, *output.pen_change, *output.first_pen)}
    lower = {_bare(line) for line in output.pen_down} - {_bare(line) for line in output.pen_up}
    lift = {_bare(line) for line in output.pen_up} - {_bare(line) for line in output.pen_down}
    x = y = 0.0
    unit, relative, moves = 1.0, False, False
    for number, raw in enumerate(text.splitlines(), 1):
        line = _bare(raw)
        if raw.strip() in changes:
            pen.end()
            pen.number = changes[raw.strip()]
        if line in lower or line in lift:
            pen.put(line in lower)
            continue
        words = _words(line, f"line {number}")
        named = dict(words)
        for letter, value in words:
            code = f"{letter}{value:g}"
            if code in ("G0", "G1"):
                moves = True
            elif code in ("G20", "G21"):
                unit = 25.4 if code == "G20" else 1.0
            elif code in ("G90", "G91"):
                relative = code == "G91"
            elif code in ("M2", "M30"):
                return pen.over()
            elif letter in "GM" and code not in _WITHOUT_MOVES and line not in own:
                raise InputError(f"G-code {code} is not known here", f"line {number}", "take it out to replay the file")
        if "Z" in named:
            pen.put(named["Z"] <= 0)
        if moves and ("X" in named or "Y" in named):
            if relative:
                x, y = x + named.get("X", 0.0) * unit, y + named.get("Y", 0.0) * unit
            else:
                x, y = named["X"] * unit if "X" in named else x, named["Y"] * unit if "Y" in named else y
            pen.to(x, body.page.height - y if output.origin == "bottom-left" else y)
    return pen.over()


_HPGL = frozenset({"IN", "DF", "SP", "VS", "PA", "PR", "PU", "PD"})
_WITHOUT_MOVES = frozenset({"G4", "G17", "G54", "G94", "M0", "M1", "M3", "M4", "M5", "M6"})


def _bare(line: str) -> str:
    """A line without its comments and spaces, in capitals."""
    return re.sub(r"\s+", "", re.sub(r"\([^)]*\)", "", line.partition(";")[0])).upper()


def _words(line: str, where: str) -> list[tuple[str, float]]:
    if line.startswith("$") or line in ("", "%"):  # a setting of GRBL's, or the mark of a tape's end
        return []
    if not re.fullmatch(r"(?:[FGMNPSTXYZ][-+]?(?:\d+\.?\d*|\.\d+))+", line):
        raise InputError(f"{line!r:.40} is no line of G-code", where, "expected words such as G1 X10 Y5")
    found = re.findall(r"([A-Z])([-+]?(?:\d+\.?\d*|\.\d+))", line)
    return [(letter, float(value)) for letter, value in found]


def _hpgl(text: str, output: HpglOutput, height: float) -> Replayed:
    """IN, DF, SP, VS, PA, PR, PU, PD."""
    pen = _Pen()
    relative = False
    for number, command in enumerate(text.replace("\n", "").split(";"), 1):
        command = command.strip().upper()
        if not command:
            continue
        where = f"command {number}"
        name, rest = command[:2], command[2:].replace(" ", ",")
        if name not in _HPGL:
            raise InputError(f"HPGL {name!r} is not known here", where, "take it out to replay the file")
        values = _values(rest, where)
        if name in ("IN", "DF"):
            pen.put(False)
            relative = False
        elif name == "SP":
            pen.end()
            pen.number = int(values[0]) - 1 if values else -1
        elif name in ("PA", "PR"):
            relative = name == "PR"
        elif name in ("PU", "PD"):
            pen.put(name == "PD")
        if name not in ("PA", "PR", "PU", "PD"):
            continue
        if len(values) % 2:
            raise InputError(f"{len(values)} numbers after {name}", where, "expected pairs x,y")
        for x, y in zip(values[::2], values[1::2], strict=True):
            across, up = x / output.steps, y / output.steps
            if relative and pen.at is not None:
                pen.to(pen.at[0] + across, pen.at[1] - up)
            else:
                pen.to(across, height - up)
    return pen.over()


def _values(text: str, where: str) -> list[float]:
    try:
        return [float(value) for value in text.split(",") if value]
    except ValueError:
        raise InputError(f"{text!r:.40} are no numbers", where, "expected numbers with commas between them") from None


def _svg(text: str) -> Replayed:
    """Paths of M and L in layers of Inkscape's, in the units of the viewBox."""
    pen = _Pen()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise InputError("a DOCTYPE", "svg", "it is never needed: take it out")

    def start(tag: str, attributes: dict[str, str]) -> None:
        where = f"line {parser.CurrentLineNumber}"
        if tag == "g":
            label = re.match(r"\d+", attributes.get("inkscape:label", ""))
            pen.number = int(label[0]) - 1 if label else 0
        elif tag == "path":
            if not re.fullmatch(r"M[-\d. ]+(?:L[-\d. ]+)+", attributes.get("d", "")):
                raise InputError("a path of more than straight lines", where, "give a file that `lascaux plot` wrote")
            for n, corner in enumerate(re.split("[ML]", attributes["d"])[1:]):
                values = _values(corner.replace(" ", ","), where)
                if len(values) != 2:
                    raise InputError(f"{len(values)} numbers for a corner", where, "expected x y")
                pen.to(values[0], values[1])
                pen.put(n == 0 or pen.down)
            pen.put(False)
        elif tag != "svg":
            raise InputError(f"<{tag}> is not known here", where, "give a file that `lascaux plot` wrote")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise InputError("not an SVG picture", f"line {error.lineno}", "expected XML") from None
    return pen.over()
