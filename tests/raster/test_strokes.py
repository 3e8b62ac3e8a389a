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
    [torch.zeros(2, 2), torch.zeros(3, 2, 3), torch.zeros(3, 4, 2), torch.zeros(3, 2, 2, dtype=torch.long)],
    ids=["too few dimensions", "three coordinates", "four points a line", "integers"],
)
def test_points_that_are_no_lines_are_refused(points: torch.Tensor) -> None:
    with pytest.raises(Exception, match=r"shape|torch\.int64|dimension|type|Type"):
        Strokes(points)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'spline'.*line"):
        Strokes(torch.zeros(3, 2, 2), kind="spline")


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
