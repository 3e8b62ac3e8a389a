"""Files that mean harm, or are only broken: one line that says where, and nothing else happens."""

import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import InputError, from_svg, to_svg
from raster.vector import _svg_xml, padding, svg_read
from tests.raster.sketches import some

HEAD = '<svg width="8" height="8" fill="none" stroke="red">'
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 9))


def outcome(source: str | bytes) -> str:
    """What is said of a file: its error, or the kind of its strokes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            strokes, size = from_svg(source)
        except InputError as error:
            return str(error)
    assert strokes.batch_shape == ()
    assert max(size) <= svg_read.MOST_PIXELS
    return strokes.kind


def test_a_public_doctype_is_read_over_and_nothing_is_fetched() -> None:
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:9/svg11.dtd">'
    assert from_svg(f'<?xml version="1.0"?>\n{doctype}{HEAD}<path d="M0 0h1"/></svg>')[0].count == 1


@pytest.mark.parametrize(
    ("doctype", "body"),
    [
        (f'<!DOCTYPE svg [<!ENTITY l0 "lol">{LAUGHS}]>', "<title>&l8;</title>"),
        ('<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "<title>&x;</title>"),
        ('<!DOCTYPE svg [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>', ""),
        ('<!DOCTYPE svg [<!ATTLIST path d CDATA "M0 0h1">]>', "<path/>"),
    ],
    ids=["a billion laughs", "a file", "a page", "attributes from nowhere"],
)
def test_declarations_in_the_file_are_refused(doctype: str, body: str) -> None:
    with pytest.raises(InputError, match=r"DOCTYPE with declarations.*svg, line 1"):
        from_svg(f'<?xml version="1.0"?>{doctype}<svg width="8" height="8">{body}</svg>'.encode())


def test_an_unknown_entity_is_refused() -> None:
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">'
    with pytest.raises(InputError, match="unknown entity &nbsp;"):
        from_svg(f"<?xml version='1.0'?>{doctype}{HEAD}<title>&nbsp;</title></svg>".encode())


@pytest.mark.parametrize(
    ("module", "limit", "body", "told"),
    [
        (_svg_xml, "DEEPEST", "<g>" * 100 + "</g>" * 100, "nested too deeply"),
        (_svg_xml, "MOST_ELEMENTS", "<g/>" * 100, "too many elements"),
        (_svg_xml, "MOST_BYTES", f"<title>{'x' * 100}</title>", "too large"),
        (svg_read, "MOST_PIECES", f'<path d="M0 0{"h1" * 100}"/>', "too many pieces"),
        (svg_read, "MOST_PIECES", '<path d="M0 0h1"/>' * 100, "too many pieces"),
        (padding, "MOST_POINTS", f'<path d="M0 0{"h1" * 9}"/>' + '<path d="M0 0h1"/>' * 9, "as long as the longest"),
    ],
)
def test_each_limit_is_kept(
    module: ModuleType, limit: str, body: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, 99)
    with pytest.raises(InputError, match=told):
        from_svg(f"{HEAD}{body}</svg>")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is told its parent's peak as its own")
def test_no_file_fills_the_memory() -> None:
    """The largest files that are read, or refused last, stay within 1 GB, torch included."""
    code = (
        "import warnings\n"
        "from raster import InputError, from_svg\n"
        "warnings.simplefilter('ignore')\n"
        f"HEAD = {HEAD!r}\n"
        "for body in ('<g>' * 10**6, '<g/>' * 10**6, '<path d=\"M0 0' + 'h1' * 199_000 + '\"/>',\n"
        "             '<path d=\"M0 0' + 'h1' * 8000 + '\"/>' + '<path d=\"M0 0h1\"/>' * 8000,\n"
        "             '<path d=\"M0 0h1\"/>' * 99_000, '<title>' + 'x' * 2 * 10**7):\n"
        "    try:\n"
        "        from_svg(HEAD + body + '</svg>')\n"
        "    except InputError:\n"
        "        pass\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1_000_000  # kB


@pytest.mark.parametrize(
    "body",
    [
        f'<path stroke-width="{"1" * 10**6}x" d="M0 0h1"/>',
        f'<path stroke="{"rgb(" * 10**5}" d="M0 0h1"/>',
        f'<path stroke="rgb({" " * 10**6}" d="M0 0h1"/>',
        f"<style>{'/*' * 10**6}</style>",
        f"<style>{'a{' * 10**6}</style>",
        f"<style>{'a' * 10**6}.{{stroke:red}}</style>",
        f'<path d="M{" " * 10**6}"/>',
        f'<path d="M0 0L{"1" * 10**6}!"/>',
        f'<g transform="{"matrix(" * 10**5}"/>',
        f'<path class="{"a " * 10**6}" d="M0 0h1"/>',
        f'<path style="{"stroke:" * 10**5}" d="M0 0h1"/>',
        f'<svg viewBox="{"1" * 10**6}"/>',
    ],
)
def test_long_nonsense_takes_no_longer_than_its_length(body: str) -> None:
    began = time.process_time()
    assert len(outcome(f"{HEAD}{body}</svg>")) < 500
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<svg", "not an SVG picture.*svg, line 1"),
        ("<svg>\n<g></svg>", "not an SVG picture: mismatched tag.*line 2"),
        ("<html/>", "its root is not <svg>"),
        ("<svg/>", "without a size"),
        ('<svg width="-8" height="8"/>', "without a size"),
        ('<svg width="1e9" height="8"/>', "pixels"),
        ('<svg viewBox="0 0 8"/>', "viewBox"),
        ('<svg viewBox="0 0 0 8"/>', "above 0"),
        ('<svg viewBox="0 0 1e999 8"/>', "viewBox"),
        (HEAD + '<path d="10 20"/></svg>', "begins with M|expected a command"),
        (HEAD + '\n<path d="M0 0L1"/></svg>', "path data ends.*line 2.*expected a number"),
        (HEAD + '<path d="M0 0Lx"/></svg>', "'x'"),
        (HEAD + '<path d="M0 0z5"/></svg>', "expected a command"),
        (HEAD + '<path d="L0 0"/></svg>', "begins with M"),
        (HEAD + '<path d="M0 0A1 1 0 2 0 5 5"/></svg>', "an arc's flag"),
        (HEAD + '<path d="M0 0H1e999"/></svg>', "not finite"),
        (HEAD + '<path d="M0 0A1e308 1e-308 1e308 0 1 5 5"/></svg>', "too large|not finite"),
        (HEAD + '<path d="M0 0A1 1 1e999 0 1 5 5"/></svg>', "too large|not finite"),
        (HEAD + '<line x2="wide"/></svg>', "x2 of 'wide'"),
        (HEAD + '<g transform="warp(1)"/></svg>', "a transform 'warp"),
        (HEAD + '<g transform="scale(1 2 3)"/></svg>', "of 3 numbers"),
        (HEAD + '<g transform="scale(1e999)"><line x2="1"/></g></svg>', "not finite"),
        (HEAD + '<svg width="x"/></svg>', "nested picture"),
    ],
)
def test_a_damaged_picture_is_one_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        from_svg(text)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for source in (tmp_path / "none.svg", tmp_path, "a\0b", "no such\npicture.svg", "x" * 5000):
        with pytest.raises(InputError, match="cannot read a picture") as caught:
            from_svg(source)
        assert "\n" not in str(caught.value)
    (tmp_path / "coded.svg").write_bytes(b'<?xml version="1.0" encoding="klingon"?><svg/>')
    with pytest.raises(InputError, match=r"encoding.*coded\.svg|coded\.svg.*expected XML"):
        from_svg(tmp_path / "coded.svg")


@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 2000), st.sampled_from('<>"/&;=-.0e9zZAC \0\xff()#')), min_size=1, max_size=4),
)
@settings(max_examples=60)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(seed: int, damage: list[tuple[int, str]]) -> None:
    svg = list(to_svg(some("catmull-rom", seed), (24, 32)))
    for place, letter in damage:
        svg[place % len(svg)] = letter
    assert "\n" not in outcome("".join(svg).encode("latin-1"))


def test_the_limits_leave_room_for_real_drawings() -> None:
    assert _svg_xml.MOST_ELEMENTS >= 100_000
    assert svg_read.MOST_PIECES >= 100_000
    assert padding.MOST_POINTS >= 1_000_000
