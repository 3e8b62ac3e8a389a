import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import InputError, Strokes, from_quickdraw, rasterise, to_quickdraw
from raster.curves import flatten
from raster.vector import pad, padding, quickdraw
from tests.raster.sketches import POINTS, some

#: Lines as the dataset has them (made up).
SIMPLE = (
    '{"word":"nose","countrycode":"AE","timestamp":"2017-03-01 20:41:36.70725 UTC","recognized":true,'
    '"key_id":"5891796615823360","drawing":[[[0,100,255],[0,0,51]],[[7],[9]]]}'
)
RAW = '{"word":"cat","recognized":false,"key_id":7,"drawing":[[[10.5,30.5],[5,7],[0,40]],[[30.5],[15.0],[88]]]}'

places = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=6)
drawings = st.lists(places, max_size=4)


def line(drawing: object, **more: object) -> str:
    return json.dumps({"drawing": drawing, **more})


def listed(drawing: list[list[tuple[int, int]]]) -> list[list[list[int]]]:
    return [[[x for x, _ in stroke], [y for _, y in stroke]] for stroke in drawing]


@given(st.lists(drawings, min_size=1, max_size=4))
@settings(max_examples=40)
def test_what_was_read_is_written_again(several: list[list[list[tuple[int, int]]]]) -> None:
    """To the last number, but for a point that repeats the one before: alone, or batched, padding and all."""
    read = [each.strokes for each in from_quickdraw(line(listed(drawing)) for drawing in several)]
    once = [[[stroke[0], *(b for a, b in pairwise(stroke) if a != b)] for stroke in drawing] for drawing in several]
    for written in ("".join(map(to_quickdraw, read)), to_quickdraw(pad(read)), to_quickdraw(pad(read, 5, 9))):
        assert [json.loads(each)["drawing"] for each in written.splitlines()] == list(map(listed, once))


@given(st.lists(drawings, min_size=1, max_size=3))
@settings(max_examples=20)
def test_padding_draws_nothing(several: list[list[list[tuple[int, int]]]]) -> None:
    read = [each.strokes for each in from_quickdraw(line(listed(drawing)) for drawing in several)]
    together = rasterise(pad(read, points=8), (12, 12), sigma2=1e-2, engine="reference")
    for each, ink in zip(read, together, strict=True):
        assert torch.allclose(rasterise(each, (12, 12), sigma2=1e-2, engine="reference"), ink, atol=1e-6)


@given(st.sampled_from(sorted(POINTS)), st.integers(0, 10**6))
@settings(max_examples=18)
def test_any_kind_is_written_to_within_a_step(kind: str, seed: int) -> None:
    """No point of a curve is further than a step of 1/255 of the canvas from what is written."""
    strokes = Strokes(some(kind, seed, size=(8, 8)).points / 2, kind)
    (read,) = from_quickdraw([to_quickdraw(strokes, "thing")])
    for curve, drawn in zip(flatten(strokes, 50), read.strokes.points.double(), strict=True):
        start, along = drawn[:-1], drawn.diff(dim=0)
        away = curve[:, None] - start  # [curve, line, 2]
        t = ((away * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)).clamp(0, 1)
        assert float((away - t[..., None] * along).norm(dim=-1).amin(1).max()) < 2 / 255 * 1.25


def test_the_edges_are_0_and_255() -> None:
    (drawing,) = from_quickdraw([SIMPLE])
    assert drawing.strokes.points[0].tolist() == [[-1, -1], pytest.approx([-55 / 255, -1]), pytest.approx([1, -0.6])]
    assert drawing.strokes.points[1].unique(dim=0).shape == (1, 2)
    assert drawing.times is None


def test_what_the_file_says_is_kept() -> None:
    first, second = from_quickdraw(f"{SIMPLE}\n\n{RAW}\n")
    assert (first.word, first.key_id, first.recognized) == ("nose", "5891796615823360", True)
    assert (first.countrycode, first.timestamp) == ("AE", "2017-03-01 20:41:36.70725 UTC")
    assert (second.word, second.key_id, second.recognized) == ("cat", "7", False)
    assert (second.countrycode, second.timestamp) == ("", "")


def test_raw_drawings_are_moved_to_the_top_left_and_keep_their_times() -> None:
    (drawing,) = from_quickdraw([RAW])
    assert drawing.strokes.points[0].tolist() == [[-1, -1], pytest.approx([1, -0.8])]
    assert drawing.strokes.points[1].tolist() == [[1, 0], [1, 0]]
    assert drawing.times is not None
    assert drawing.times.tolist() == [[0, 40], [88, 88]]


@given(drawings.filter(bool), st.floats(0.1, 30), st.floats(-500, 500))
def test_fit_is_what_the_dataset_did(drawing: list[list[tuple[int, int]]], scale: float, shift: float) -> None:
    """Wherever a drawing lies and however large it is: from 0, its longer side to 255 (0 if it is a point)."""
    (read,) = from_quickdraw([line(listed(drawing))])
    far = Strokes(read.strokes.points.double() * scale + shift, "polyline")
    strokes = json.loads(to_quickdraw(far, fit=True))["drawing"]
    xs, ys = ([value for stroke in strokes for value in stroke[axis]] for axis in (0, 1))
    assert (min(xs), min(ys)) == (0, 0)
    assert max(*xs, *ys) == (255 if any(p != drawing[0][0] for stroke in drawing for p in stroke) else 0)


def test_words_and_numbers_are_given_to_each() -> None:
    batch = Strokes(torch.zeros(2, 2, 1, 2, 2))
    lines = list(from_quickdraw(to_quickdraw(batch, ["a", "b", "c\u2028", "d"], countrycode="CH", recognized=False)))
    assert [(each.word, each.key_id) for each in lines] == [("a", "0"), ("b", "1"), ("c\u2028", "2"), ("d", "3")]
    assert {(each.countrycode, each.recognized) for each in lines} == {("CH", False)}
    gone = Strokes(torch.zeros(2, 2, 2), presence=torch.tensor([0.0, 0.5]))
    assert json.loads(to_quickdraw(gone))["drawing"] == [[[128], [128]]]


@pytest.mark.parametrize(
    ("strokes", "how", "told"),
    [
        (Strokes(torch.full((1, 2, 2), 1.1)), {}, "outside the canvas.*sketch 0.*fit=True"),
        (Strokes(torch.full((1, 2, 2), torch.nan)), {}, "not finite"),
        (Strokes(torch.zeros(1, 2, 3)), {}, "3 coordinates"),
        (Strokes(torch.zeros(2, 1, 2, 2)), {"word": ["one"]}, "1 words for 2 sketches"),
        (Strokes(torch.zeros(2, 1, 2, 2)), {"key_id": ["one"]}, "1 key_ids for 2 sketches"),
    ],
)
def test_what_has_no_place_is_refused(strokes: Strokes, how: dict[str, list[str]], told: str) -> None:
    with pytest.raises(InputError, match=told):
        to_quickdraw(strokes, **how)


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[1]",
        "7",
        '{"word": "cat"}',
        line("none"),
        line([[[1, 2]]]),
        line([[[1, 2], [3]]]),
        line([[[], []]]),
        line([[[1], [2], [3], [4]]]),
        line([[["1"], [2]]]),
        line([[[True], [2]]]),
        line([[[1], [2]], [[1], [2], [3]]]),
        '{"drawing": [[[NaN], [2]]]}',
        '{"drawing": [[[1e999], [2]]]}',
        f'{{"drawing": [[[{"9" * 400}], [2]]]}}',
        f'{{"drawing": [[[{"9" * 9000}], [2]]]}}',
        '{"drawing": ' + "[" * 100_000,
        line([], word=7),
        line([], recognized="yes"),
        "\xff\xfe",
    ],
)
def test_a_damaged_line_is_one_line_with_its_place(damaged: str, tmp_path: Path) -> None:
    file = tmp_path / "cat.ndjson"
    file.write_bytes(f"{SIMPLE}\n{damaged}\n{SIMPLE}\n".encode("latin-1"))
    reader = from_quickdraw(file)
    assert next(reader).word == "nose"
    with pytest.raises(InputError, match=r"cat\.ndjson, line 2") as caught:
        next(reader)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(padding, "MOST_POINTS", 99)
    with pytest.raises(InputError, match=r"100 points.*line 1"):
        list(from_quickdraw([line([[[1] * 10, [1] * 10]] * 10)]))
    monkeypatch.setattr(quickdraw, "MOST_BYTES", 99)
    (tmp_path / "long.ndjson").write_text(SIMPLE)
    with pytest.raises(InputError, match=r"too long.*long\.ndjson, line 1"):
        list(from_quickdraw(tmp_path / "long.ndjson"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read drawings.*none\.ndjson"):
        list(from_quickdraw(tmp_path / "none.ndjson"))


@pytest.mark.parametrize(
    ("several", "how", "told"),
    [
        ([], {}, "no sketches"),
        ([Strokes(torch.zeros(1, 1, 2, 2))], {}, "sketch 0 is a batch"),
        ([Strokes(torch.zeros(1, 3, 2), "quadratic")], {}, "quadratic"),
        ([Strokes(torch.zeros(3, 5, 2), "polyline")], {"count": 2}, "3 strokes and strokes of 5 points"),
        ([Strokes(torch.zeros(3, 5, 2), "polyline")], {"points": 4}, "3 strokes and strokes of 5 points"),
        ([Strokes(torch.zeros(1, 2, 2), width=torch.tensor(0.1)), Strokes(torch.zeros(1, 2, 2))], {}, "cannot join"),
    ],
)
def test_what_cannot_be_padded_is_refused(several: list[Strokes], how: dict[str, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        pad(several, **how)


def test_padding_keeps_what_strokes_carry() -> None:
    one = Strokes(torch.zeros(1, 2, 2), width=torch.tensor([0.1]), colour=torch.tensor([[1.0, 0.5, 0.0]]))
    two = Strokes(torch.zeros(3, 2, 2), width=torch.tensor([0.1, 0.2, 0.3]), colour=torch.rand(3, 3))
    empty = Strokes(torch.zeros(0, 2, 2), width=torch.zeros(0), colour=torch.zeros(0, 3))
    both = pad([one, two, empty])
    assert both.width is not None
    assert both.colour is not None
    assert torch.equal(both.width[0, :1], torch.tensor([0.1]))
    assert two.width is not None
    assert torch.equal(both.width[1], two.width)
    assert bool((both.width > 0).all())  # a width of 0 would be refused, whatever the presence
    rasterise(both, (8, 8), engine="reference")
