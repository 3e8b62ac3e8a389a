"""A plan as the file that its machine reads: SVG in mm, G-code, HPGL. All are text."""

from collections.abc import Callable, Iterator
from html import escape

from agents.bodies._clip import Line
from agents.bodies.body import Body
from agents.bodies.machine import GcodeOutput, HpglOutput, SvgOutput
from agents.bodies.planning import Plan
from agents.bodies.ways import between

#: Corners in one command of HPGL: plotters' buffers are small.
_CORNERS = 32


def written(plan: Plan) -> str:
    """The text of the file, which ends in a line break.

    Places are rounded to the output's step: 0.001 mm in SVG and G-code as they ship, 0.025 mm in HPGL.
    """
    output = plan.machine.output
    if isinstance(output, SvgOutput):
        lines = _svg(plan, output)
    elif isinstance(output, GcodeOutput):
        lines = _gcode(plan, output)
    else:
        lines = _hpgl(plan, output)
    return "\n".join(lines) + "\n"


def _svg(plan: Plan, output: SvgOutput) -> Iterator[str]:
    body = plan.machine.body
    width, height = _number(body.page.width, 6), _number(body.page.height, 6)
    yield '<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
    yield f' width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">'
    for layer in plan.layers:
        pen = body.pens[layer.pen]
        # AxiDraw's program takes a number at the beginning of a layer's name as that of the pen.
        yield f'<g inkscape:groupmode="layer" inkscape:label="{layer.pen + 1} {escape(pen.name)}" fill="none"'
        opacity = f' stroke-opacity="{pen.opacity:g}"' if pen.opacity < 1 else ""
        look = f'stroke="{pen.colour}" stroke-width="{_number(pen.width, 6)}"{opacity}'
        yield f' {look} stroke-linecap="round" stroke-linejoin="round">'
        for line in layer.lines:
            corners = [f"{_number(x, output.decimals)} {_number(y, output.decimals)}" for x, y in line.tolist()]
            dot = corners * 2 if len(corners) == 1 else corners
            yield f'<path d="M{"L".join(dot)}"/>'
        yield "</g>"
    yield "</svg>"


def _gcode(plan: Plan, output: GcodeOutput) -> Iterator[str]:
    body = plan.machine.body

    def place(x: float, y: float) -> str:
        y = body.page.height - y if output.origin == "bottom-left" else y
        return f"X{_number(x, output.decimals)} Y{_number(y, output.decimals)}"

    feed = f" F{_number(60 * body.speed, 3)}"
    yield from output.header
    yield from output.pen_up
    at: tuple[float, float] | None = None
    for number, layer in enumerate(plan.layers):
        words = {"{pen}": str(layer.pen + 1), "{name}": body.pens[layer.pen].name}
        for command in output.pen_change if number else output.first_pen:
            yield _filled(command, words)
        for line in layer.lines:
            (x, y), *rest = line.tolist()
            yield from (f"G0 {place(*by)}" for by in _way(at, (x, y), body))
            at = (float(line[-1, 0]), float(line[-1, 1]))
            yield from output.pen_down
            # What lowers the pen may have a speed of its own: each line says its own.
            yield from (f"G1 {place(*to)}{'' if n else feed}" for n, to in enumerate(rest))
            yield from output.pen_up
    if body.home is not None:
        yield from (f"G0 {place(*by)}" for by in _way(at, body.home, body))
    yield from output.footer


def _hpgl(plan: Plan, output: HpglOutput) -> Iterator[str]:
    body = plan.machine.body

    def place(x: float, y: float) -> str:
        return f"{round(x * output.steps)},{round((body.page.height - y) * output.steps)}"

    yield "IN;"
    at: tuple[float, float] | None = None
    for layer in plan.layers:
        yield f"SP{layer.pen + 1};"
        if output.velocity:
            yield f"VS{_number(body.speed / 10, 2)};"
        for line in layer.lines:
            start = (float(line[0, 0]), float(line[0, 1]))
            yield from (f"PU{place(*by)};" for by in _way(at, start, body))
            yield from _hpgl_line(line, place)
            at = (float(line[-1, 0]), float(line[-1, 1]))
    if body.home is not None:
        yield from (f"PU{place(*by)};" for by in _way(at, body.home, body))
    yield "SP0;"


def _hpgl_line(line: Line, place: Callable[[float, float], str]) -> Iterator[str]:
    corners = [place(x, y) for x, y in line.tolist()]
    rest = corners[1:] or corners  # a dot is a line to where the pen is
    for first in range(0, len(rest), _CORNERS):
        yield f"PD{','.join(rest[first : first + _CORNERS])};"
    yield "PU;"


def _way(at: tuple[float, float] | None, to: tuple[float, float], body: Body) -> list[tuple[float, float]]:
    """Where the lifted pen goes one after another, ``to`` included; from the machine's own place it goes straight."""
    return [*between(at or body.home or to, to, body), to]


def _filled(command: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        command = command.replace(word, value)
    return command


def _number(value: float, decimals: int) -> str:
    """No exponent, no trailing zeros, no minus before 0."""
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"
    return "0" if text in ("", "-0") else text
