"""The machines' files, read again by an interpreter of their language: what is drawn is what was planned."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from agents.bodies import (
    Arm,
    Body,
    GcodeOutput,
    HpglOutput,
    Layer,
    Machine,
    Page,
    Pen,
    Plan,
    Planning,
    SvgOutput,
    deviation,
    held,
    machine_names,
    plan,
    replay,
    sheet,
    shipped,
    written,
)
from raster import InputError, Strokes, from_svg, rasterise

Wild = Callable[..., Strokes]
PENS = (Pen(name="black", width=0.8), Pen(name="red", width=0.5, colour="#cc0000"))
SERVO = GcodeOutput(
    header=("G21", "G90", "G28"),
    pen_down=("M3 S90", "G4 P0.15"),
    pen_up=("M3 S10", "G4 P0.15"),
    first_pen=("T{pen}",),
    pen_change=("T{pen} (take {name})", "M6"),
    origin="top-left",
)
OUTPUTS = [SvgOutput(), GcodeOutput(), SERVO, HpglOutput(), HpglOutput(steps=100, velocity=False)]
NAMES = ["svg", "gcode", "servo", "hpgl", "fine hpgl"]


def scribble(kind: str, points: int, strokes: int = 30, seed: int = 0) -> Strokes:
    generator = torch.Generator().manual_seed(seed)
    middle = torch.rand(strokes, 1, 2, generator=generator) * 2.4 - 1.2
    colour = torch.rand(strokes, 3, generator=generator)
    return Strokes(middle + 0.3 * torch.randn(strokes, points, 2, generator=generator), kind, colour=colour)


@pytest.mark.parametrize("output", OUTPUTS, ids=NAMES)
@pytest.mark.parametrize(
    "kind", [("point", 1), ("line", 2), ("cubic", 4), ("catmull-rom", 6)], ids=lambda kind: kind[0]
)
def test_a_file_draws_what_was_planned(output: SvgOutput, kind: tuple[str, int]) -> None:
    machine = Machine(body=Body(page=Page(width=90, height=60, margins=5), pens=PENS, home=(0, 60)), output=output)
    planned = plan(scribble(*kind), machine)
    replayed = replay(written(planned), machine)
    found = deviation(planned, replayed)
    assert found.widths <= 0.5
    assert max(found.outside, found.off_page) <= 0.02
    assert replayed.ends_up
    assert [pen for pen, _ in replayed.lines] == [layer.pen for layer in planned.layers for _ in layer.lines]


def stays(output: GcodeOutput | HpglOutput, wild: Wild, each: int, seed: int) -> int:
    """So many drawings of each kind, half of them held by the body, half of them wild; gives how many lines were drawn.

    What is drawn stays within reach, what is travelled on the page.
    """
    arm = Arm(x=60, y=100, inner=30, outer=95)
    body = Body(page=Page(width=120, height=90), reach=arm, pens=(Pen(width=1),), shortest=1)
    machine = Machine(body=body, output=output, planning=Planning(tolerance=0.2, join=0))
    room, seen = body.room(), 0
    for kind in ("point", "line", "polyline", "quadratic", "cubic", "catmull-rom"):
        several = wild(kind, each, strokes=2, seed=seed)
        for number in range(each):
            strokes = held(several[number], body) if number % 2 else several[number]
            try:
                planned = plan(strokes, machine)
            except InputError:
                assert not number % 2, "a body could not draw what it held"
                continue
            replayed = replay(written(planned), machine)
            for _, line in replayed.lines:
                along = np.concatenate([line[:1], *(np.linspace(a, b, 9) for a, b in pairwise(line))])
                assert float(room.beyond(torch.from_numpy(along)).max()) < 0.02 + 0.2  # a step, and the tolerance
                seen += 1
            for line in replayed.travels:
                assert (line >= -0.02).all() and (line <= [120.02, 90.02]).all()
                along = np.concatenate([line[:1], *(np.linspace(a, b, 33) for a, b in pairwise(line))])
                assert np.hypot(*(along - [60, 100]).T).min() > 30 - 0.02
    return seen


def test_nothing_leaves_the_page_or_the_reach(wild: Wild) -> None:
    assert stays(HpglOutput(), wild, each=8, seed=8) > 50


@pytest.mark.slow
@pytest.mark.parametrize("output", OUTPUTS[1:], ids=NAMES[1:])
def test_nothing_of_a_thousand_drawings_leaves_the_page_or_the_reach(
    output: GcodeOutput | HpglOutput, wild: Wild
) -> None:
    assert stays(output, wild, each=44, seed=7) > 250  # 4 outputs, 6 kinds: 1056 drawings


@pytest.mark.parametrize("output", [GcodeOutput(), HpglOutput()], ids=["gcode", "hpgl"])
@pytest.mark.parametrize("body", [
    Body(page=Page(width=120, height=120), reach=Arm(x=60, y=60, inner=20, outer=70)),
    Body(page=Page(width=120, height=120), reach=Arm(x=10, y=60, inner=40, outer=120)),  # one way round leaves the page
    Body(page=Page(width=120, height=120), reach=Arm(x=60, y=60, inner=40, outer=41.5), shortest=0.1),
], ids=["within", "beside", "narrow"])  # fmt: skip
def test_a_lifted_pen_goes_around_the_hole_of_its_ring(output: HpglOutput, body: Body) -> None:
    machine = Machine(body=body, output=output, planning=Planning(order="drawn"))
    strokes = held(scribble("line", 2, 60), body)
    planned = plan(strokes, machine)
    replayed = replay(written(planned), machine)
    found = deviation(planned, replayed)
    assert found.in_hole < 0.02 and found.off_page == 0
    length = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in replayed.travels)
    assert planned.report.travel == pytest.approx(length, rel=2e-3)  # what is told is what is travelled
    lines = planned.layers[0].lines
    shortest = sum(float(np.hypot(*(b[0] - a[-1]))) for a, b in pairwise(lines))
    assert length > shortest + 1  # some way was around


def test_the_page_shows_the_drawing(wild: Wild) -> None:
    """The pen's path as pixels against the strokes themselves: no ink further than half a pen (and a pixel) apart."""
    body = Body(page=Page(width=80, height=80, margins=0), pens=(Pen(width=2),), shortest=0)
    machine = Machine(body=body, output=HpglOutput())
    strokes = Strokes(wild("cubic", 8, seed=2).points[6, :5] * 0.9, "cubic")
    shown = sheet(replay(written(plan(strokes, machine)), machine).lines, body, per_mm=5)[0] < 0.5
    frame = body.frame()
    half = 80 / 2 / frame.scale  # the page's edge, canvas units
    meant = (
        rasterise(
            Strokes(strokes.points / half, "cubic", width=torch.tensor(frame.width(2) / half)),
            (400, 400),
            compose="max",
        )
        > 0.5
    )
    assert shown.shape == meant.shape and 500 < int(meant.sum()) < 60_000
    for one, other in ((shown, meant), (meant, shown)):
        far = cKDTree(one.nonzero().numpy()).query(other.nonzero().numpy())[0].max()
        assert far <= 5 * 2 / 2 + 1  # half a pen in pixels, and one pixel
        assert far <= 2  # in fact


def test_a_deviation_is_seen() -> None:
    machine = Machine(body=Body(pens=PENS))
    planned = plan(scribble("cubic", 4), machine)
    right = replay(written(planned), machine)
    assert deviation(planned, right).mm < 0.05
    pen, line = right.lines[3]
    moved = replace_line(right, 3, line + np.array([0.0, 0.7]))
    assert 0.3 < deviation(planned, moved).mm <= 0.75
    assert deviation(planned, replace_line(right, 3, line[:1])).mm > 0.5  # a line that is not drawn
    far = replace_line(right, 3, np.vstack([line, [400.0, 10.0]]))
    assert deviation(planned, far).outside == pytest.approx(200)
    assert deviation(planned, far).mm > 100
    only = type(right)([each for each in right.lines if each[0] == pen], right.travels)
    assert deviation(planned, only).mm == float("inf")  # a pen that is not used


def replace_line(replayed: object, number: int, line: np.ndarray) -> object:
    changed = type(replayed)(list(replayed.lines), list(replayed.travels))  # type: ignore[attr-defined]
    changed.lines[number] = (changed.lines[number][0], line)  # type: ignore[attr-defined]
    return changed


def test_a_long_line_beside_another_is_measured_between_its_corners_too() -> None:
    """A bow between two corners that are right is no more than a bound may tell, and no less."""
    straight, bow = np.array([[20.0, 50.0], [100.0, 50.0]]), np.array([[20.0, 50.0], [60.0, 53.0], [100.0, 50.0]])
    machine = Machine()
    base = plan(Strokes(torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]])), machine)
    planned = Plan(machine, (Layer(0, (straight,)),), base.report)
    found = deviation(planned, replace_line(replay(written(planned), machine), 0, bow))
    assert found.mm == pytest.approx(3, abs=0.07)


# The languages


def drawn(text: str, output: GcodeOutput | HpglOutput | SvgOutput | None = None, pens: int = 2) -> list[object]:
    machine = Machine(
        body=Body(page=Page(width=100, height=50, margins=0), pens=PENS[:pens]), output=output or GcodeOutput()
    )
    return [(pen, line.round(6).tolist()) for pen, line in replay(text, machine).lines]


def test_gcode_is_modal_and_knows_inches_relative_moves_and_comments() -> None:
    first = "%\nN1 G21 G90 (mm)\nG0 X10 Y10\nG1 Z0 F600 ; down\nX20\nY30\nG91\nG1 X-5\nG0 Z5\n"
    text = first + "G90 G20\nG0X1Y1\nG1Z-1\nG1 X2\nM2\nG1 X0"
    assert drawn(text) == [(0, [[10, 40], [20, 40], [20, 20], [15, 20]]), (0, [[25.4, 24.6], [50.8, 24.6]])]


def test_hpgl_knows_relative_moves_and_several_places_a_command() -> None:
    text = "IN;SP2;PU400,400;PD800,400,800,800;PR;PD-400,0;PU;\nPA;SP1;PU0,0;PD0,0;PU;SP0;"
    assert drawn(text, HpglOutput()) == [(1, [[10, 40], [20, 40], [20, 30], [10, 30]]), (0, [[0, 50], [0, 50]])]


@pytest.mark.parametrize(
    ("text", "output", "told"),
    [
        ("G21\nG2 X1 Y1 I1 J0", GcodeOutput(), "is no line of G-code .line 2."),
        ("G5", GcodeOutput(), "G-code G5 is not known here .line 1."),
        ("M104", GcodeOutput(), "G-code M104 is not known"),
        ("hello", GcodeOutput(), "no line of G-code"),
        ("IN;LBhello;", HpglOutput(), "HPGL 'LB' is not known here .command 2."),
        ("PU1,2,3;", HpglOutput(), "3 numbers after PU"),
        ("PUone,2;", HpglOutput(), "are no numbers"),
        ("<svg><circle/></svg>", SvgOutput(), "<circle> is not known"),
        ('<svg><path d="M0 0C1 1 2 2 3 3"/></svg>', SvgOutput(), "more than straight lines"),
        ("<svg>", SvgOutput(), "not an SVG picture"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><svg/>', SvgOutput(), "a DOCTYPE"),
    ],
)
def test_what_an_interpreter_does_not_know_it_refuses(text: str, output: SvgOutput, told: str) -> None:
    with pytest.raises(InputError, match=told):
        drawn(text, output)


def test_svg_has_one_layer_a_pen_in_mm_and_nothing_else() -> None:
    machine = Machine(body=Body(page=Page(width=90, height=60), pens=(PENS[0], replace_pen(PENS[1]))))
    planned = plan(scribble("line", 2), machine)
    text = written(planned)
    assert 'width="90mm" height="60mm" viewBox="0 0 90 60"' in text
    assert text.count("<g ") == text.count('inkscape:groupmode="layer"') == len(planned.layers) == 2
    assert 'inkscape:label="2 red"' in text and 'stroke-opacity="0.5"' in text
    assert text.count("<path ") == sum(len(layer.lines) for layer in planned.layers)
    assert text.count("<") == 2 + 2 * 2 + text.count("<path ")  # svg and two groups, opened and closed, and paths
    strokes, size = from_svg(text)  # another reader: everything in it is a stroke, with no warning
    assert strokes.count == text.count("<path ") and size == (227, 340)


def replace_pen(pen: Pen) -> Pen:
    return pen.model_copy(update={"opacity": 0.5})


def test_gcode_and_hpgl_say_the_speed_and_lift_the_pen_at_the_end() -> None:
    body = Body(page=Page(width=100, height=100, margins=0), pens=(Pen(width=0.1, name="thin"),), speed=20, home=(0, 0))
    planned = plan(Strokes(torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]])), Machine(body=body))
    assert written(Plan(Machine(body=body, output=GcodeOutput()), planned.layers, planned.report)).splitlines() == [
        *("G21", "G90", "G0 Z5", "(pen 1: thin)", "G0 X25.025 Y50", "G1 Z0 F600", "G1 X74.975 Y50 F1200"),
        *("G0 Z5", "G0 X0 Y100", "M2"),
    ]  # fmt: skip
    assert written(Plan(Machine(body=body, output=HpglOutput()), planned.layers, planned.report)).splitlines() == [
        *("IN;", "SP1;", "VS2;", "PU1001,2000;", "PD2999,2000;", "PU;", "PU0,4000;", "SP0;"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", machine_names())
def test_a_machine_that_ships_draws(name: str) -> None:
    machine = shipped(name)
    planned = plan(scribble("cubic", 4, 10), machine)
    assert deviation(planned, replay(written(planned), machine)).widths < 0.5


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"planning": {"join": 2}}, "lines 2 mm apart would be joined by a pen 0.5 mm wide"),
        ({"planning": {"tolerance": 1}}, "1 mm show in a line 0.5 mm wide"),
        ({"output": {"kind": "gcode", "pen_up": ["G1 Z0 F600"]}}, "pen_down and pen_up must each have a line"),
        ({"output": {"kind": "gcode", "pen_change": ["M0"]}}, "pen_change must say"),
        ({"output": {"kind": "gcode", "header": ["a\nb"]}}, "is no line of G-code"),
        ({"output": {"kind": "dxf"}}, "does not match any of the expected tags"),
    ],
)
def test_an_impossible_machine_is_refused(keys: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Machine.model_validate(keys)
