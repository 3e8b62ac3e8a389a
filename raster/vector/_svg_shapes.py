"""The geometry of SVG: path data, basic shapes and transforms, all as Bézier curves of degree 1 to 3."""

import math
import re

from raster.errors import InputError
from raster.vector._svg_style import NUMBER, length

Point = tuple[float, float]
#: A straight line's 2 points, a quadratic curve's 3 or a cubic one's 4.
Piece = tuple[Point, ...]
#: (a, b, c, d, e, f): x' = a x + c y + e, y' = b x + d y + f.
Matrix = tuple[float, float, float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
SHAPES = frozenset({"path", "line", "polyline", "polygon", "rect", "circle", "ellipse"})
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_GAP = re.compile(r"[\s,]*")
_NUMBER = re.compile(NUMBER)
_CALL = re.compile(r"\s*,?\s*(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^()]*)\)\s*")


def times(outer: Matrix, inner: Matrix) -> Matrix:
    """The transform that applies ``inner`` and then ``outer``.

    >>> times((2.0, 0.0, 0.0, 2.0, 0.0, 0.0), (1.0, 0.0, 0.0, 1.0, 3.0, 0.0))
    (2.0, 0.0, 0.0, 2.0, 6.0, 0.0)
    """
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * t + c * u + e, b * t + d * u + f


def apply(matrix: Matrix, point: Point) -> Point:
    """Where a transform takes a point."""
    a, b, c, d, e, f = matrix
    return a * point[0] + c * point[1] + e, b * point[0] + d * point[1] + f


def transform(text: str, where: str) -> Matrix:
    """The matrix of a ``transform`` attribute. Raises ``InputError`` for what is none."""
    matrix, position, text = IDENTITY, 0, text.strip()
    while position < len(text):
        call = _CALL.match(text, position)
        if call is None:
            told = f"a transform {text[position : position + 30]!r}"
            raise InputError(told, where, "expected matrix(), translate(), scale(), rotate(), skewX() or skewY()")
        given = [float(number) for number in _NUMBER.findall(call[2])]
        matrix = times(matrix, _matrix(call[1], given, where))
        position = call.end()
    return matrix


def _matrix(name: str, given: list[float], where: str) -> Matrix:
    match name, given:
        case "matrix", [a, b, c, d, e, f]:
            return a, b, c, d, e, f
        case "translate", [x, *rest] if len(rest) < 2:
            return 1.0, 0.0, 0.0, 1.0, x, rest[0] if rest else 0.0
        case "scale", [x, *rest] if len(rest) < 2:
            return x, 0.0, 0.0, rest[0] if rest else x, 0.0, 0.0
        case "rotate", [angle, *centre] if len(centre) in (0, 2):
            cos, sin = _turn(angle)
            turned = (cos, sin, -sin, cos, 0.0, 0.0)
            x, y = centre or (0.0, 0.0)
            return times(times((1.0, 0.0, 0.0, 1.0, x, y), turned), (1.0, 0.0, 0.0, 1.0, -x, -y))
        case "skewX" | "skewY", [angle]:
            cos, sin = _turn(angle)
            lean = sin / cos if cos else math.inf  # an infinite coordinate is refused where it is used
            return (1.0, 0.0, lean, 1.0, 0.0, 0.0) if name == "skewX" else (1.0, lean, 0.0, 1.0, 0.0, 0.0)
    raise InputError(f"a transform {name}() of {len(given)} numbers", where, "expected as many as SVG defines")


def _turn(degrees: float) -> Point:
    if not math.isfinite(degrees):
        return math.nan, math.nan
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle)


def outline(name: str, attributes: dict[str, str], viewport: Point, where: str) -> str:
    """A basic shape as path data; "" for one of no extent. ``viewport`` is what per cents of lengths mean."""

    def get(key: str, whole: float) -> float:
        value = length(attributes.get(key, "0"), whole)
        if value is None:
            raise InputError(f"{key} of {attributes[key]!r:.40}", where, "expected a length")
        return value

    across, down = viewport
    diagonal = math.hypot(across, down) / math.sqrt(2)
    if name == "path":
        return attributes.get("d", "")
    if name in ("polyline", "polygon"):
        points = attributes.get("points", "").strip()
        return points and f"M{points}" + ("Z" if name == "polygon" else "")
    if name == "line":
        return f"M{get('x1', across)!r} {get('y1', down)!r}L{get('x2', across)!r} {get('y2', down)!r}"
    if name == "rect":
        x, y, wide, high = get("x", across), get("y", down), get("width", across), get("height", down)
        if wide <= 0 or high <= 0:
            return ""
        rx = get("rx" if "rx" in attributes else "ry", across)
        ry = get("ry" if "ry" in attributes else "rx", down)
        rx, ry = min(max(rx, 0), wide / 2), min(max(ry, 0), high / 2)
        right, bottom = x + wide, y + high
        if not (rx and ry):
            return f"M{x!r} {y!r}H{right!r}V{bottom!r}H{x!r}z"
        a = f"A{rx!r} {ry!r} 0 0 1 "
        # Edges that the corners use up are no lines of no length.
        over, under = (f"H{right - rx!r}", f"H{x + rx!r}") if wide > 2 * rx else ("", "")
        fall, rise = (f"V{bottom - ry!r}", f"V{y + ry!r}") if high > 2 * ry else ("", "")
        return (
            f"M{x + rx!r} {y!r}{over}{a}{right!r} {y + ry!r}{fall}{a}{right - rx!r} {bottom!r}"
            f"{under}{a}{x!r} {bottom - ry!r}{rise}{a}{x + rx!r} {y!r}z"
        )
    rx = get("r" if name == "circle" else "rx", diagonal if name == "circle" else across)
    ry = rx if name == "circle" else get("ry", down)
    x, y = get("cx", across), get("cy", down)
    if rx <= 0 or ry <= 0:
        return ""
    a = f"A{rx!r} {ry!r} 0 0 1 "
    return f"M{x + rx!r} {y!r}{a}{x!r} {y + ry!r}{a}{x - rx!r} {y!r}{a}{x!r} {y - ry!r}{a}{x + rx!r} {y!r}z"


class _Scanner:
    """Commands and numbers of path data, one after the other."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where, self.at = text, where, 0
        self.gap()

    def gap(self) -> None:
        found = _GAP.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def refuse(self, expected: str) -> InputError:
        found = self.text[self.at : self.at + 12]
        return InputError(f"path data goes on with {found!r}" if found else "path data ends", self.where, expected)

    def number(self) -> float:
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise self.refuse("expected a number")
        self.at = found.end()
        self.gap()
        return float(found[0])

    def flag(self) -> float:  # flags may stand without anything between them
        if self.text[self.at : self.at + 1] not in ("0", "1"):
            raise self.refuse("expected an arc's flag, 0 or 1")
        value = float(self.text[self.at])
        self.at += 1
        self.gap()
        return value

    def arguments(self, letter: str) -> list[float]:
        if letter == "A":
            return [self.number(), self.number(), self.number(), self.flag(), self.flag(), self.number(), self.number()]
        return [self.number() for _ in range(_TAKES[letter])]


def path(data: str, where: str, most: int) -> list[list[Piece]]:
    """The sub-paths of path data that draw something; arcs as cubic curves, a quarter turn each at most.

    Raises ``InputError`` for what is no path data, and for more than ``most`` pieces.
    """
    scan, found = _Scanner(data, where), list[list[Piece]]()
    here = start = control = (0.0, 0.0)  # control: the last curve's, which S and T mirror
    letter, before, made = "", "", 0
    current: list[Piece] = []
    while scan.at < len(data):
        symbol = data[scan.at]
        if symbol.upper() in _TAKES and symbol.isascii():
            letter, scan.at = symbol, scan.at + 1
            scan.gap()
        elif letter in "Mm" and letter:
            letter = "L" if letter == "M" else "l"  # more pairs after a move are lines
        elif letter in "Zz":
            raise scan.refuse("expected a command")
        upper = letter.upper()
        if not before and upper != "M":
            raise scan.refuse("path data begins with M")
        given = scan.arguments(upper)
        x, y = here if letter.islower() else (0.0, 0.0)
        if upper in ("H", "V"):
            ends = [(x + given[0], here[1]) if upper == "H" else (here[0], y + given[0])]
        elif upper == "A":
            ends = [(x + given[5], y + given[6])]
        else:
            ends = [(x + given[i], y + given[i + 1]) for i in range(0, len(given), 2)]
        if upper in ("M", "Z"):
            if upper == "Z":
                if before == "M" or (current and here != start):
                    current.append((here, start))
                made += 1
                here = start
            if current:
                found.append(current)
            current = []
            here = start = ends[0] if ends else start
        else:
            mirrored = (2 * here[0] - control[0], 2 * here[1] - control[1])
            if upper == "S":
                ends = [mirrored if before in "CS" else here, *ends]
            elif upper == "T":
                ends = [mirrored if before in "QT" else here, *ends]
            pieces = _arc(here, given, ends[0]) if upper == "A" else [(here, *ends)]
            current += pieces
            made += len(pieces)
            control, here = ends[-2] if len(ends) > 1 else ends[-1], ends[-1]
        if made > most:
            raise InputError("too many pieces of paths for a sketch", where, "simplify the picture")
        before = upper
    return [*found, current] if current else found


def _arc(here: Point, given: list[float], end: Point) -> list[Piece]:
    """An elliptic arc as cubic curves (SVG 2, appendix B.2.4: from ends to a centre)."""
    rx, ry = abs(given[0]), abs(given[1])
    if here == end:
        return []
    if not (rx and ry):
        return [(here, end)]
    cos, sin = _turn(given[2])
    large, sweep = bool(given[3]), bool(given[4])
    half = ((here[0] - end[0]) / 2, (here[1] - end[1]) / 2)
    # Half the chord as the ellipse sees it, with radii 1: in there the arc is a circle's.
    u, v = (cos * half[0] + sin * half[1]) / rx, (cos * half[1] - sin * half[0]) / ry
    long = math.hypot(u, v)
    if long > 1:  # radii too small to reach are scaled until they do
        rx, ry, u, v = rx * long, ry * long, u / long, v / long
    off = math.sqrt(max(0.0, 1 - u * u - v * v)) / math.hypot(u, v) * (-1 if large == sweep else 1)
    cu, cv = off * v, -off * u  # the centre, from the chord's middle
    first = math.atan2(v - cv, u - cu)
    turn = math.atan2(-v - cv, -u - cu) - first
    turn += math.tau * ((turn < 0) if sweep else -(turn > 0))
    middle = ((here[0] + end[0]) / 2, (here[1] + end[1]) / 2)
    outer = (cos * rx, sin * rx, -sin * ry, cos * ry, *middle)
    count = max(1, math.ceil(abs(turn) / (math.pi / 2) - 1e-9))
    step = turn / count
    k = 4 / 3 * math.tan(step / 4)
    pieces: list[Piece] = []
    for i in range(count):
        a, b = first + i * step, first + (i + 1) * step
        p, q = (math.cos(a), math.sin(a)), (math.cos(b), math.sin(b))
        circle = (p, (p[0] - k * p[1], p[1] + k * p[0]), (q[0] + k * q[1], q[1] - k * q[0]), q)
        drawn = [apply(outer, (cu + x, cv + y)) for x, y in circle]
        # The ends are those of the file, to the last digit, so that pieces meet.
        pieces.append((pieces[-1][-1] if pieces else here, *drawn[1:3], end if i == count - 1 else drawn[3]))
    return pieces
