"""Free strokes, where they begin, and what each is worth."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import Free, FreeConfig, FreeHand, Moment
from agents.biases import Tremor
from agents.heads import WidthRange
from agents.starts import (
    EdgeStart,
    RandomStart,
    SaliencyStart,
    StartConfig,
    SvgStart,
    begin,
    coloured,
    idle,
    planted,
    tangents,
    wanting,
    worth,
)
from games.pictures import Gallery
from perception import TimmTrunk
from raster import CanvasConfig, InputError, Strokes, rasterise, to_svg

ALL = FreeConfig(
    kind="line", count=5, width=WidthRange(low=0.02, high=0.2), opacity=True, colour=True, presence="soft", paper=True
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def full(count: int = 5, drawings: int = 2) -> Strokes:
    each = (drawings, count)
    return Strokes(
        noise(*each, 2, 2) * 1.6 - 0.8,
        width=0.03 + 0.1 * noise(*each),
        opacity=0.1 + 0.8 * noise(*each, seed=1),
        colour=0.1 + 0.8 * noise(*each, 3, seed=2),
        presence=0.1 + 0.8 * noise(*each, seed=3),
    )


# Free


def test_free_strokes_begin_as_the_start_is() -> None:
    begun, paper = full(), torch.tensor([[0.2, 0.3, 0.4], [0.5, 0.6, 0.7]])
    free = Free(ALL, begun, paper)
    found = free.strokes()
    for name in ("points", "width", "opacity", "colour", "presence"):
        assert torch.allclose(getattr(found, name), getattr(begun, name), atol=1e-5), name
    made = free.paper()
    assert made is not None
    assert torch.allclose(made[..., 0, 0], paper, atol=1e-5)


def test_what_is_not_learned_but_carried_stays_and_has_no_gradient() -> None:
    free = Free(FreeConfig(kind="line"), full())
    assert set(free.raw) == {"points"}
    assert torch.equal(free.strokes().width, full().width)  # type: ignore[arg-type]
    assert [name for name, _ in free.named_parameters()] == ["raw.points"]


def test_every_part_gets_a_gradient_and_none_is_nan_where_strokes_lie_on_one_another() -> None:
    begun = full()
    begun = Strokes(
        torch.zeros_like(begun.points),
        width=begun.width,
        opacity=begun.opacity,
        colour=begun.colour,
        presence=begun.presence,
    )
    free = Free(ALL, begun)
    ink = CanvasConfig(size=16).draw(free.strokes(), upon=free.paper())
    (ink * noise(*ink.shape, seed=5)).sum().backward()
    for name, value in free.raw.items():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        if name != "points":
            assert value.grad.abs().sum() > 0, name


def test_a_grey_canvas_has_a_grey_paper() -> None:
    free = Free(FreeConfig(kind="line", paper=True), Strokes(full().points))
    ink = CanvasConfig(size=16).draw(free.strokes(), upon=free.paper())
    assert ink.shape == (2, 16, 16)


def test_strokes_that_left_the_canvas_are_brought_back() -> None:
    free = Free(FreeConfig(kind="line", beyond=0.1), Strokes(torch.full((1, 1, 2, 2), 3.0)))
    free.keep()
    assert torch.allclose(free.strokes().points, torch.tensor(1.1))


def test_replanting_changes_only_what_it_is_told() -> None:
    free = Free(ALL, full())
    before = free.strokes().detach()
    which = torch.zeros(2, 5, dtype=torch.bool)
    which[0, 3] = which[1, 0] = True
    fresh = Strokes(torch.full((2, 5, 2, 2), 0.25))
    free.replant(which, fresh)
    after = free.strokes()
    assert torch.equal(after.points[which], fresh.points[which])
    assert torch.equal(after.points[~which], before.points[~which])
    assert after.width is not None
    assert before.width is not None
    assert torch.equal(after.width[~which], before.width[~which])
    assert torch.allclose(after.width[which], torch.tensor(math.sqrt(0.02 * 0.2)))


def test_hard_presence_is_hard_only_when_it_is_measured() -> None:
    free = Free(FreeConfig(kind="line", presence="hard"), full())
    soft, hard = free.strokes(training=True).presence, free.strokes(training=False).presence
    assert soft is not None
    assert hard is not None
    assert torch.equal(hard, (soft >= 0.5).float())
    assert not torch.equal(soft, hard)


def test_biases_move_a_free_hand_as_they_move_a_senders(gallery: Gallery, moment: Callable[..., Moment]) -> None:
    free, tremor = Free(FreeConfig(kind="line"), Strokes(full().points)), Tremor()
    view = gallery.view(torch.arange(2))
    found = FreeHand(free, [tremor], 0, training=True).draw(view, torch.Generator().manual_seed(3))
    expected = tremor.move(free.strokes(), moment(3, training=True))
    assert torch.equal(found.points, expected.points)
    assert not torch.equal(found.points, free.strokes().points)


# where they begin


@pytest.mark.parametrize("kind", ["point", "line", "polyline", "quadratic", "cubic", "catmull-rom"])
@pytest.mark.parametrize("start", [RandomStart(), EdgeStart()], ids=lambda start: start.kind)
def test_a_start_has_the_strokes_asked_for_and_hangs_on_the_seed_alone(
    gallery: Gallery, kind: Any, start: StartConfig
) -> None:
    config = FreeConfig(kind=kind, count=7)
    three = begin(start, config, gallery.view(torch.arange(3)), gallery.trunks, [4, 9])
    assert three.points.shape[:2] == (6, 7)
    assert three.points.isfinite().all()
    alone = begin(start, config, gallery.view(torch.tensor([1])), gallery.trunks, [9])
    assert torch.equal(alone.points[0], three.points[3])  # picture 1, the second seed: whoever stands beside it
    assert not torch.equal(three.points[2], three.points[3])


def test_strokes_on_edges_lie_on_the_edge_and_along_it() -> None:
    picture = torch.zeros(1, 32, 32)
    picture[:, :, 16:] = 1.0
    slope = torch.zeros(1, 32, 32)
    slope[:, :, 15:17] = 1.0
    ends = planted(slope, tangents(picture), 40, 0.2, torch.Generator().manual_seed(0))
    assert ends.shape == (1, 40, 2, 2)
    assert ends[..., 0].abs().max() < 2 * 2 / 32  # x: the two columns of the edge, a pixel is 2/32
    along = ends[0, :, 1] - ends[0, :, 0]
    assert (along[:, 0].abs() < 1e-4).all()  # upright
    lengths = along.norm(dim=-1)
    assert (lengths >= 0.1 - 1e-5).all()
    assert (lengths <= 0.3 + 1e-5).all()
    rows = ((ends[0].mean(1)[:, 1] + 1) * 16).floor()
    assert len(rows.unique()) > 20  # each pixel once: they do not pile up


def test_more_strokes_than_pixels_and_a_picture_without_edges_are_no_trouble() -> None:
    blank = torch.zeros(1, 8, 8)
    ends = planted(blank, tangents(blank), 100, 0.2, torch.Generator().manual_seed(0))
    centres = ((ends[0].mean(1) + 1) * 4).floor().long()
    assert len({(int(x), int(y)) for x, y in centres}) == 64  # every pixel at least once


def test_a_slanted_edge_has_its_own_direction() -> None:
    x, y = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="xy")
    picture = torch.sin((x + y) / 3)[None]  # stripes that rise to the right: along (1, -1)
    inner = tangents(picture)[0, 8:24, 8:24]
    assert torch.allclose(torch.tan(inner), torch.tensor(-1.0), atol=1e-2)


def test_saliency_is_the_gradient_of_the_deepest_features_and_looks_away_from_what_is_blank(gallery: Gallery) -> None:
    start = SaliencyStart(trunk=TimmTrunk(name="test_resnet", weights="random"), edges=False, flat=0.0, sigma=0.0)
    found = begin(start, FreeConfig(kind="line", count=30), gallery.view(torch.arange(2)), gallery.trunks, [0])
    assert found.points.shape == (2, 30, 2, 2)
    assert not torch.equal(found.points[0], found.points[1])  # noise is the same: the pictures differ


def test_coloured_strokes_begin_in_the_ink_of_their_picture() -> None:
    picture = torch.zeros(1, 3, 16, 16)
    picture[:, 0, :, :8] = 1.0  # red to the left, black to the right
    ends = torch.tensor([[[[-0.6, 0.0], [-0.4, 0.0]], [[0.4, 0.0], [0.6, 0.0]]]])
    colour = coloured(Strokes(ends), picture).colour
    assert colour is not None
    assert torch.allclose(colour, torch.tensor([[[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]), atol=1e-6)


def test_an_svg_is_begun_with_as_it_is_and_what_is_not_read_is_told(gallery: Gallery, tmp_path: Path) -> None:
    curves = Strokes(noise(3, 4, 2) - 0.5, "cubic")
    text = to_svg(curves, (32, 32)).replace("</svg>", "<text>words</text></svg>")
    (tmp_path / "curves.svg").write_text(text)
    told: list[str] = []
    start = SvgStart(path=str(tmp_path / "curves.svg"))
    found = begin(start, FreeConfig(kind="line"), gallery.view(torch.arange(2)), gallery.trunks, [0], told.append)
    assert found.kind == "cubic"
    assert torch.allclose(found.points, curves.points.expand(2, -1, -1, -1), atol=1e-5)
    assert len(told) == 1
    assert "text" in told[0]
    moved = begin(start.model_copy(update={"jitter": 0.1}), FreeConfig(), gallery.view(torch.arange(1)), gallery.trunks,
                  [0, 1])  # fmt: skip
    assert not torch.equal(moved.points[0], moved.points[1])


def test_an_svg_without_strokes_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "none.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"></svg>')
    with pytest.raises(InputError, match=r"no strokes in it \(.*none.svg\)"):
        begin(
            SvgStart(path=str(tmp_path / "none.svg")), FreeConfig(), gallery.view(torch.arange(1)), gallery.trunks, [0]
        )


# what strokes are worth


def test_a_strokes_worth_is_what_the_cost_rises_by_without_it_to_first_order() -> None:
    points = torch.tensor([[[[-0.8, -0.5], [0.8, -0.5]], [[-0.8, 0.5], [0.8, 0.5]], [[5.0, 5.0], [5.0, 6.0]]]])
    aim = rasterise(Strokes(points[:, :1]), (24, 24))
    weights = torch.ones(1, 3, requires_grad=True)
    ink = rasterise(Strokes(points, presence=weights), (24, 24))
    found = worth((ink - aim).square().mean((1, 2)), weights)[0]

    def without(number: int) -> float:
        left = torch.ones(1, 3)
        left[0, number] -= 1e-3
        gone = rasterise(Strokes(points, presence=left), (24, 24))
        return float(((gone - aim).square().mean() - (ink.detach() - aim).square().mean()) / 1e-3)

    for number in range(3):
        assert float(found[number]) == pytest.approx(without(number), abs=2e-4)
    assert found[1] < 0  # it lies where nothing should be
    assert found[2] == 0  # nobody sees it


def test_ink_is_wanted_where_it_is_missing() -> None:
    aim = torch.zeros(1, 32, 32)
    aim[:, 20:24, 4:28] = 1.0
    canvas = torch.zeros(1, 32, 32, requires_grad=True)
    found = wanting((canvas - aim).square().mean((1, 2)), canvas)[0]
    assert (found >= 0).all()
    assert divmod(int(found.argmax()), 32)[0] in range(20, 24)
    assert found[:10].max() < 1e-3 * found.max()


def test_only_the_least_of_the_idle_are_moved() -> None:
    worths = torch.tensor([[1.0, 1.0, 0.01, -0.5, 0.02, 1.0, 1.0, 1.0, 1.0, 1.0]])
    assert idle(worths, share=0.2, below=0.1)[0].nonzero()[:, 0].tolist() == [2, 3]
    assert idle(worths, share=0.9, below=0.1)[0].nonzero()[:, 0].tolist() == [2, 3, 4]
    assert not idle(torch.ones(1, 10), share=0.5, below=0.1).any()
