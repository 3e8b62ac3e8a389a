import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import Strokes, from_svg, rasterise, to_svg
from raster.curves import flatten
from tests.raster.sketches import numbers, sketches, some
from tests.raster.test_vector_svg import ink_of

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100" viewBox="0 0 200 100">'


def drawn(body: str, **how: bool) -> Strokes:
    """What is read of a picture of 200 x 100, without a warning."""
    strokes, size = from_svg(f'{HEAD}<g fill="none" stroke="black">{body}</g></svg>', **how)
    assert size == (100, 200)
    return strokes


def user(strokes: Strokes, pieces: int = 1) -> list[list[list[float]]]:
    """Strokes as polylines in the numbers of the picture, to 3 digits."""
    places = flatten(strokes.to(torch.float64), pieces) * 50 + torch.tensor([100.0, 50.0])
    return (places.mul(1000).round() / 1000 + 0.0).tolist()


@given(
    strokes=sketches(),
    size=st.sampled_from([(64, 64), (48, 96), (96, 48), (7, 11)]),
    data=st.data(),
)
@settings(max_examples=60)
def test_what_was_written_is_read(strokes: Strokes, size: tuple[int, int], data: st.DataObject) -> None:
    """Kind, knots, order and points to six decimals, widths to six digits, opacity, colours in 256 steps."""
    n = strokes.count
    opacity, presence = data.draw(numbers(n, 0, 1)), data.draw(st.none() | numbers(n, 0.25, 1))
    width = data.draw(numbers(n, 1e-3, 0.5))
    colour = data.draw(st.none() | numbers(3 * n, 0, 1).map(lambda each: each.reshape(n, 3)))
    given_ = replace(strokes, opacity=opacity, presence=presence, width=width, colour=colour)
    read, size_read = from_svg(to_svg(given_, size, paper=data.draw(st.sampled_from([None, 0.0, 1.0]))))
    assert size_read == size
    if not n:
        assert read.count == 0
        return
    assert (read.kind, read.points.shape) == (strokes.kind, strokes.points.shape)
    assert read.knots == strokes.knots
    # The decimals of the file, those of its viewBox, and float32's own.
    assert float((read.points - strokes.points).abs().max()) < 3e-6
    assert read.width is not None
    assert torch.allclose(read.width, width, rtol=1e-5, atol=0)
    amount = opacity if presence is None else opacity * presence
    assert torch.allclose(torch.ones(n) if read.opacity is None else read.opacity, amount, rtol=1e-5, atol=1e-9)
    inks = torch.zeros(n, 3) if colour is None else colour
    assert torch.allclose(torch.zeros(n, 3) if read.colour is None else read.colour, inks, atol=0.5 / 255 + 1e-6)


@given(sketches(least=1))
@settings(max_examples=20)
def test_sketches_without_more_come_back_without_more(strokes: Strokes) -> None:
    read, _ = from_svg(to_svg(strokes, (64, 64), 2e-3))
    assert (read.opacity, read.colour, read.presence) == (None, None, None)
    assert read.width is not None
    assert read.width.tolist() == pytest.approx([2 * math.sqrt(2e-3 * math.log(2))] * strokes.count, rel=1e-5)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=5)
def test_what_was_read_draws_the_same(seed: int) -> None:
    strokes = some("catmull-rom", seed)
    read, size = from_svg(to_svg(strokes, (24, 32)))
    first, second = (rasterise(each.to(torch.float64), size, engine="reference") for each in (strokes, read))
    assert float((first - second).abs().max()) < 1e-4


@given(sketches(kinds=("catmull-rom",), least=1), st.sampled_from(["moved", "turned"]))
@settings(max_examples=20)
def test_a_spline_changed_elsewhere_is_read_as_the_curve_it_is(strokes: Strokes, how: str) -> None:
    svg = to_svg(strokes, (64, 64))
    if how == "moved":  # the path's first point, but not the note of the spline's own
        head, _, tail = svg.partition('d="M')
        changed = f'{head}d="M{float(tail.split()[0]) + 0.5} {tail.partition(" ")[2]}'
    else:
        changed = svg.replace("<g ", '<g transform="rotate(90)" ')
    read, _ = from_svg(changed)
    assert read.kind in ("cubic", "point")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("M10 20L30 40", [[[10, 20], [30, 40]]]),
        ("m10,20 20,20", [[[10, 20], [30, 40]]]),
        ("M10 20 30 40 50 60", [[[10, 20], [30, 40], [50, 60]]]),
        ("M10 20H30V50h-5v-5", [[[10, 20], [30, 20], [30, 50], [25, 50], [25, 45]]]),
        ("M10 20l20 0 0 10z", [[[10, 20], [30, 20], [30, 30], [10, 20]]]),
        ("M10 20h20zl5 5", [[[10, 20], [30, 20], [10, 20]], [[10, 20], [15, 25], [15, 25]]]),
        ("M1 2L3 4M5 6m1 1L8 9", [[[1, 2], [3, 4]], [[6, 7], [8, 9]]]),
        ("M1-2.5.5e1.5", [[[1, -2.5], [5, 0.5]]]),
        ("M7 8z", [[[7, 8]]]),
        ("M7 8L7 8", [[[7, 8]]]),
    ],
)
def test_lines_of_path_data(data: str, expected: list[list[list[float]]]) -> None:
    assert user(drawn(f'<path d="{data}"/>')) == expected


@pytest.mark.parametrize(
    ("relative", "absolute"),
    [
        ("M10 10c10 0 10 10 20 10", "M10 10C20 10 20 20 30 20"),
        ("M10 10c10 0 10 10 20 10s10 10 5 5", "M10 10C20 10 20 20 30 20C40 20 40 30 35 25"),
        ("M10 10s10 10 5 5", "M10 10C10 10 20 20 15 15"),
        ("M10 10q10 0 10 10", "M10 10Q20 10 20 20"),
        ("M10 10q10 0 10 10t5 5", "M10 10Q20 10 20 20Q20 30 25 25"),
        ("M10 10t5 5t1 1", "M10 10Q10 10 15 15Q20 20 16 16"),
        ("M10 10a5 5 0 015 5", "M10 10A5 5 0 0 1 15 15"),
        ("M10 10a0 5 0 0 1 5 5", "M10 10C11.666667 11.666667 13.333333 13.333333 15 15"),
        ("M10 10a5 5 0 0 1 0 0h5", "M10 10h5"),
    ],
)
def test_curves_of_path_data(relative: str, absolute: str) -> None:
    places = user(drawn(f'<path d="{relative}"/>'), 4)
    ends = user(drawn(f'<path d="{absolute}"/>'), 4)
    assert len(places) == len(ends) == 1
    if len(places[0]) == len(ends[0]):
        assert torch.tensor(places).numpy() == pytest.approx(torch.tensor(ends).numpy(), abs=2e-3)
    else:  # a line said as a curve
        assert (places[0][0], places[0][-1]) == (ends[0][0], ends[0][-1])


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_any_shape_is_drawn_where_another_renderer_draws_it(seed: int) -> None:
    """Arcs, curves, shapes, transforms, nested pictures and viewBoxes, at random: written again, they look the same."""
    random_ = random.Random(seed)

    def number(low: float = -60, high: float = 260) -> str:
        return random_.choice(["{:.2f}", "{:.1f}", "{:.3e}"]).format(random_.uniform(low, high))

    def some_numbers(count: int) -> str:
        return random_.choice([" ", ","]).join(number() for _ in range(count))

    def piece() -> str:
        letter = random_.choice("MLHVCSQTAZmlhvcsqtaz")
        if letter in "Aa":
            return f"{letter}{number(1, 99)} {number(1, 99)} {number(0, 360)} " + random_.choice(
                [f"0 1 {some_numbers(2)}", f"1,0,{some_numbers(2)}", f"11{some_numbers(2)}", f"0 0{some_numbers(2)}"]
            )
        return letter + some_numbers(
            {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}[letter.upper()]
        )

    def shape() -> str:
        return random_.choice(
            [
                f'<path d="M{some_numbers(2)}{"".join(piece() for _ in range(4))}"/>',
                f'<circle cx="{number()}" cy="{number()}" r="{number(1, 99)}"/>',
                f'<ellipse cx="{number()}" cy="{number()}" rx="{number(1, 99)}" ry="{number(1, 60)}"/>',
                f'<rect x="{number()}" y="20%" width="{number(1, 99)}" height="{number(1, 99)}"/>',
                f'<rect x="{number()}" y="{number()}" width="90" height="40" rx="{number(0, 60)}"/>',
                f'<rect x="{number()}" y="{number()}" width="90" height="40" rx="20" ry="{number(1, 20)}"/>',
                f'<line x1="{number()}" y1="{number()}" x2="50%" y2="{number()}"/>',
                f'<polyline points="{some_numbers(6)}"/>',
                f'<polygon points="{some_numbers(6)}"/>',
            ]
        )

    def moved(inner: str) -> str:
        turn = random_.choice(
            [
                f"translate({number(-50, 50)})",
                f"translate({number(-50, 50)},{number(-50, 50)})",
                f"scale({number(0.4, 1.6)}) rotate({number(0, 360)})",
                "scale(-1 1), translate(-200)",
                f"rotate({number(0, 360)} 100 50)",
                f"matrix(0.8 0.6 -0.6 0.8 {number(-30, 60)} {number(-30, 60)})",
                f"skewX({number(-5, 5)})",
                f"skewY({number(-5, 5)})",
            ]
        )
        return f'<g transform="{turn}">{inner}</g>'

    aspect = random_.choice(["xMinYMax", "xMaxYMid meet", "xMidYMin slice", ""])
    body = "".join(moved(moved(shape()) + shape()) for _ in range(2))
    nested = '<svg x="20" y="10%" width="150" height="70" viewBox="-10 -10 320 140" overflow="visible"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="45" viewBox="0 0 200 100" '
        f'preserveAspectRatio="{aspect}">'
        '<g fill="none" stroke="black" stroke-width="14" stroke-linecap="round" stroke-linejoin="round">'
        f"{body}{nested}>{shape()}</svg></g></svg>"
    )
    strokes, size = from_svg(svg)
    assert size == (45, 60)
    # A skewed stroke is as wide as on average, elsewhere wider and narrower.
    assert float((ink_of(svg) - ink_of(to_svg(strokes, size))).abs().mean()) < 0.02


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('<path d="M1 1z"/><path d="M2 2l0 0"/>', "point"),
        ('<path d="M1 1z"/><line x2="5"/>', "line"),
        ('<line x2="5"/><polyline points="1 1 2 2 3 5"/>', "polyline"),
        ('<line x2="5"/><path d="M1 1Q2 2 3 9"/>', "quadratic"),
        ('<line x2="5"/><path d="M1 1Q2 2 3 9T5 5"/>', "cubic"),
        ('<path d="M1 1Q2 2 3 9"/><path d="M1 1C2 2 3 9 1 1"/>', "cubic"),
        ('<circle r="5"/><polyline points="1 1 2 2 3 5"/>', "cubic"),
    ],
)
def test_the_lowest_kind_that_holds_all(body: str, kind: str) -> None:
    strokes = drawn(body)
    assert (strokes.kind, strokes.count) == (kind, 2)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.sampled_from(["l3 4", "q1 2 3 4", "c1 2 3 1 4 4"]))
@settings(max_examples=12)
def test_shorter_chains_repeat_their_end_and_cut_ones_are_single(lengths: list[int], piece: str) -> None:
    """Nothing is drawn by what is repeated; cut, each piece is a stroke of the fewest points, in the same place."""
    body = "".join(f'<path d="M10 {10 * i}{piece * length}"/>' for i, length in enumerate(lengths))
    whole, cut = drawn(body), drawn(body, cut=True)
    assert (whole.count, cut.count) == (len(lengths), sum(lengths))
    assert cut.points.shape[-2] == {"l": 2, "q": 3, "c": 4}[piece[0]]
    how = {"compose": "max", "engine": "reference", "sigma2": 1e-2, "tolerance": 1e-4}  # a chain has its own steps
    same = [rasterise(each, (10, 20), **how) for each in (whole, cut)]
    assert torch.allclose(*same, atol=1e-3)


def test_styles_are_inherited_and_overridden() -> None:
    strokes, _ = from_svg(
        HEAD + "<style>/* a } */ .thick{stroke-width:4px} path.thick{stroke:#00f} #one{stroke:lime!important}"
        "</style>" + '<g fill="none" stroke="red" stroke-width="2" opacity=".5" color="#123456">'
        '<path d="M0 0h9"/>'
        '<path d="M0 0h9" class="thick" stroke="white"/>'
        '<path d="M0 0h9" class="a thick" id="one" style="stroke-opacity:50%;stroke:gray"/>'
        '<g stroke="currentColor" style="stroke-width: 1 ; fill: none"><path d="M0 0h9" color="hsl(120,100%,50%)"/></g>'
        '<path d="M0 0h9" stroke="none"/><path d="M0 0h9" display="none"/>'
        '<g style="visibility:hidden"><path d="M0 0h9"/>'
        '<path d="M0 0h9" visibility="visible" stroke="nonsense" stroke-width="wide"/></g>'
        '<g transform="scale(3)"><path d="M0 0h9" style="vector-effect:non-scaling-stroke"/><path d="M0 0h9"/></g>'
        '<path d="M0 0h9" stroke="rgba(100%, 0, 127.5, .5)"/><path d="M0 0h9" stroke-width="0"/>'
        "</g></svg>"
    )
    red, blue, lime, purple = [1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0.5]
    expected = [
        (red, 2, 0.5),
        (blue, 4, 0.5),
        (lime, 4, 0.25),
        (lime, 1, 0.5),
        (red, 2, 0.5),
        (red, 2, 0.5),
        (red, 6, 0.5),
        (purple, 2, 0.25),
    ]
    assert strokes.colour is not None
    assert strokes.width is not None
    assert strokes.opacity is not None
    told = zip(strokes.colour.tolist(), (strokes.width * 50).tolist(), strokes.opacity.tolist(), strict=True)
    for (colour, width, opacity), (ink, wide, share) in zip(told, expected, strict=True):
        assert colour == pytest.approx(ink, abs=1e-6)
        assert (width, opacity) == (pytest.approx(wide, rel=1e-5), pytest.approx(share, rel=1e-5))


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("#f80", [1, 8 / 15, 0]),
        ("#ff8000", [1, 128 / 255, 0]),
        ("REBECCApurple", [0.4, 0.2, 0.6]),
        ("rgb(0, 128, 255)", [0, 128 / 255, 1]),
        ("rgb(0 50% 300)", [0, 0.5, 1]),
        ("hsl(240deg 100% 25%)", [0, 0, 0.5]),
    ],
)
def test_colours(text: str, rgb: list[float]) -> None:
    strokes = drawn(f'<path stroke="{text}" d="M0 0h9"/>')
    assert strokes.colour is not None
    assert strokes.colour[0].tolist() == pytest.approx(rgb, abs=1e-6)
    assert drawn(f'<path stroke="{text}" d="M0 0h9"/>', colours=False).colour is None


@pytest.mark.parametrize(
    ("attributes", "size", "start"),
    [
        ('width="1in" height="48"', (48, 96), [-2.0, -1.0]),
        ('width="10" height="10" viewBox="-5 -5 10 10"', (10, 10), [0.0, 0.0]),
        ('viewBox="0,0,30,15"', (15, 30), [-2.0, -1.0]),
        ('width="100%" height="100%" viewBox="0 0 8 16"', (16, 8), [-1.0, -2.0]),
        ('width="20" height="10" viewBox="0 0 10 10"', (10, 20), [-1.0, -1.0]),
        ('width="20" height="10" viewBox="0 0 10 10" preserveAspectRatio="xMinYMin"', (10, 20), [-2.0, -1.0]),
        ('width="20" height="10" viewBox="-5 0 10 10" preserveAspectRatio="none"', (10, 20), [0.0, -1.0]),
        ('width="20" height="10" viewBox="0 0 10 10" preserveAspectRatio="xMidYMax slice"', (10, 20), [-2.0, -3.0]),
    ],
)
def test_sizes(attributes: str, size: tuple[int, int], start: list[float]) -> None:
    strokes, found = from_svg(f'<svg {attributes}><path stroke="red" fill="none" d="M0 0h9"/></svg>')
    assert found == size
    assert strokes.points[0, 0].tolist() == pytest.approx(start)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<path d="M0 0h9v9z"/>', r"fills \(1\)"),
        ('<path d="M0 0h9" stroke="red"/>', r"fills \(1\)"),
        ("<text>hello</text><text/>", r"<text> \(2\)"),
        ('<image href="file:///etc/passwd"/>', r"<image> \(1\)"),
        ('<defs><path id="a" d="M0 0h9"/></defs><use href="#a"/>', r"<use> \(1\)"),
        ("<blink/>", r"other elements \(1\)"),
        ('<line x2="9" stroke="red" stroke-dasharray="2"/>', r"dashes \(1\)"),
        ('<line x2="9" stroke="url(#a) red"/>', r"gradients and patterns of strokes \(1\)"),
        ('<g mask="url(#a)" clip-path="url(#b)"/>', r"clip-path \(1\), mask \(1\)"),
        ("<style>g > path{stroke:red}</style>", r"rules of style sheets \(1\)"),
        ("<style>@media print{path{stroke:red} line{stroke:red}}</style>", r"rules of style sheets \(1\)"),
    ],
)
def test_what_is_no_stroke_is_left_out_and_told(body: str, told: str) -> None:
    with pytest.warns(UserWarning, match=rf"^svg: only strokes are read; left out: {told}$"):
        strokes, _ = from_svg(f"{HEAD}{body}</svg>")
    assert strokes.count == body.count('"red"') + body.count(") red")


def test_a_file_is_read_as_its_text_is(tmp_path: Path) -> None:
    strokes = some("cubic", 1)
    svg = to_svg(strokes, (24, 32))
    file = tmp_path / "sketch.svg"
    for coded in (svg.encode(), b"\xef\xbb\xbf" + svg.encode(), f'<?xml version="1.0"?>\n{svg}'.encode("utf-16")):
        file.write_bytes(coded)
        for source in (file, str(file), coded):
            assert torch.equal(from_svg(source)[0].points, from_svg(svg)[0].points)
    # Text is what it is, whatever its first line says of bytes.
    assert from_svg(f'\n<?xml version="1.0" encoding="utf-16"?>{svg}')[1] == (24, 32)
