from dataclasses import replace

import pytest
import torch

from raster import InputError, Strokes


def lines(*batch: int, n: int = 3) -> Strokes:
    shape = (*batch, n, 2, 2)
    return Strokes(torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape))


def test_batch_shape_and_count_are_read_from_the_points() -> None:
    strokes = lines(4, 5, n=7)
    assert strokes.batch_shape == (4, 5)
    assert strokes.count == 7
    assert lines(n=0).count == 0


@pytest.mark.parametrize(
    "points",
    [torch.zeros(2, 2), torch.zeros(3, 2, 4), torch.zeros(3, 4, 2), torch.zeros(3, 2, 2, dtype=torch.long)],
    ids=["too few dimensions", "four coordinates", "four points a line", "integers"],
)
def test_points_that_are_no_lines_are_refused(points: torch.Tensor) -> None:
    with pytest.raises(Exception, match=r"shape|torch\.int64|dimension|type|Type"):
        Strokes(points)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'spline'.*line"):
        Strokes(torch.zeros(3, 2, 2), kind="spline")


@pytest.mark.parametrize(
    ("kind", "points"),
    [("point", 2), ("polyline", 1), ("quadratic", 4), ("cubic", 3), ("cubic", 5), ("cubic", 6), ("catmull-rom", 3)],
)
def test_a_kind_with_another_number_of_points_is_refused(kind: str, points: int) -> None:
    with pytest.raises(InputError, match=rf"{points} points a stroke.*a {kind} has"):
        Strokes(torch.zeros(3, points, 2), kind)


@pytest.mark.parametrize(
    ("carried", "told"),
    [
        ({"width": torch.ones(3), "sigma2": torch.ones(3)}, "both sigma2 and width"),
        ({"opacity": torch.ones(4)}, r"opacity of shape \[4\].*\[5, 3\]"),
        ({"presence": torch.ones(5)}, r"presence of shape \[5\]"),
        ({"colour": torch.ones(3, 2)}, r"colour of shape \[3, 2\].*3 or 4"),
        ({"colour": torch.tensor(1.0)}, "colour of shape"),
        ({"knots": "loose"}, "knots 'loose'.*centripetal"),
    ],
)
def test_what_does_not_fit_the_strokes_is_refused(carried: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Strokes(torch.zeros(5, 3, 2, 2), **carried)  # type: ignore[arg-type]


def carrying(*batch: int, n: int = 3) -> Strokes:
    """Strokes that carry everything, each value its own."""
    plain = lines(*batch, n=n)
    shape = (*batch, n)
    values = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    colour = values[..., None] + torch.tensor([0.0, 0.1, 0.2])
    return replace(plain, width=values, opacity=values + 0.5, presence=values + 0.7, colour=colour)


def tensors(strokes: Strokes) -> dict[str, torch.Tensor]:
    return {name: value for name, value in vars(strokes).items() if isinstance(value, torch.Tensor)}


def test_what_strokes_carry_goes_with_them() -> None:
    strokes = carrying(4, 5)
    for name, value in tensors(strokes).items():
        assert torch.equal(tensors(strokes[1, 2:4])[name], value[1, 2:4])
        assert torch.equal(tensors(strokes.select([2, 0]))[name], value[:, :, [2, 0]])
        assert tensors(strokes.to(torch.float64))[name].dtype == torch.float64
        assert torch.equal(tensors(Strokes.cat([strokes[:1], strokes[1:]]))[name], value)


def test_one_value_serves_all_strokes() -> None:
    strokes = Strokes(torch.zeros(4, 3, 2, 2), width=torch.tensor(0.1), colour=torch.tensor([0.1, 0.2, 0.3]))
    assert strokes.width is not None
    assert strokes.width.shape == (4, 3)
    assert strokes[2].colour is not None
    assert strokes[2].colour.shape == (3, 3)


def test_strokes_that_carry_different_things_are_not_joined() -> None:
    with pytest.raises(InputError, match="cannot join"):
        Strokes.cat([lines(2), carrying(2)])


def test_an_index_picks_sketches() -> None:
    strokes = lines(4, 5)
    assert strokes[1].batch_shape == (5,)
    assert torch.equal(strokes[1, 2].points, strokes.points[1, 2])
    assert torch.equal(strokes[1:3].points, strokes.points[1:3])
    assert torch.equal(strokes[torch.tensor([3, 0])].points, strokes.points[[3, 0]])
    mask = torch.tensor([True, False, False, True])
    assert torch.equal(strokes[mask].points, strokes.points[mask])
    assert torch.equal(strokes[:, 2].points, strokes.points[:, 2])


@pytest.mark.parametrize("index", [(0, 0, 0), (..., 0)])
def test_an_index_never_reaches_into_a_sketch(index: object) -> None:
    with pytest.raises(InputError, match="batch dimensions only"):
        lines(4, 5)[index]
    with pytest.raises(InputError, match="batch dimensions only"):
        lines()[0]


def test_sketches_are_joined() -> None:
    joined = Strokes.cat([lines(2), lines(3)])
    assert joined.batch_shape == (5,)
    assert torch.equal(joined[2:].points, lines(3).points)


def test_detach_and_to_leave_the_rest_alone() -> None:
    strokes = Strokes(torch.zeros(1, 2, 2, requires_grad=True))
    assert not strokes.detach().points.requires_grad
    assert strokes.to(torch.float64).points.dtype == torch.float64
    assert strokes.cpu().kind == "line"
