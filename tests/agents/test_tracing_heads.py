"""Connected points, smooth chains of cubics, the perceptron's eye, and what lies between two pictures."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents import Moment, Sender, SenderConfig, StrokesConfig
from agents.heads import Connected
from agents.heads.config import joined_by
from agents.heads.hand import mirrored, numbers, start, to_strokes
from games.pictures import Gallery
from perception import Mlp, MlpTrunk, build_learned
from raster import CanvasConfig
from raster.curves import to_bezier

Moments = Callable[..., Moment]
CANVAS = CanvasConfig(size=24, sigma2=4e-3)  # type: ignore[arg-type]
LINES = {"kind": "line", "count": 10, "presence": "soft"}


def sender(gallery: Gallery, head: dict[str, Any], strokes: dict[str, Any], **more: Any) -> Sender:
    config = {"trunk": {"kind": "mlp", "hidden": (16,), "size": 8}, "hidden": 16, "dropout": 0}
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return Sender(
            SenderConfig.model_validate({**config, "head": head, "strokes": strokes, **more}), gallery, canvas=CANVAS
        )


# Connected points


@given(st.integers(1, 1000))
def test_points_are_told_from_their_lines_or_the_nearest_numbers_are_named(lines: int) -> None:
    triangular = {n * (n - 1) // 2: n for n in range(2, 60)}
    if lines in triangular:
        assert joined_by(lines) == triangular[lines]
        return
    fewer, more = max(t for t in triangular if t < lines), min(t for t in triangular if t > lines)
    with pytest.raises(ValueError, match=rf"strokes\.count: {fewer} or {more}$"):
        joined_by(lines)


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ({**LINES, "count": 11}, "10 or 15"),
        ({**LINES, "presence": "always"}, "presence: soft or hard"),
        ({**LINES, "kind": "cubic"}, "say strokes.kind: line"),
    ],
)
def test_strokes_that_join_no_points_are_refused(strokes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SenderConfig.model_validate({"head": {"kind": "connected"}, "strokes": strokes})


@pytest.mark.parametrize(
    "carried", [{}, {"width": {"low": 0.05, "high": 0.3}, "opacity": True, "colour": True}], ids=["plain", "all"]
)
def test_lines_share_their_ends_and_every_weight_learns(
    gallery: Gallery, moment: Moments, carried: dict[str, Any]
) -> None:
    one = sender(gallery, {"kind": "connected"}, {**LINES, **carried})
    strokes = one.draw(gallery.view(torch.arange(6)), moment(training=True))
    assert strokes.points.shape == (6, 10, 2, 2) and strokes.presence is not None
    for picture in strokes.points:
        assert len(torch.unique(picture.flatten(0, 1), dim=0)) == 5  # ten lines, five points
        pairs = {frozenset(map(tuple, line.tolist())) for line in picture}
        assert len(pairs) == 10  # and every two of them once
    canvas = CANVAS.draw(strokes)
    generator = torch.Generator().manual_seed(0)
    (canvas * torch.randn(canvas.shape, generator=generator)).sum().backward()
    for name, parameter in one.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.norm() > 0, name


def test_it_starts_as_a_path_through_its_points(gallery: Gallery, moment: Moments) -> None:
    config = StrokesConfig.model_validate(LINES)
    with torch.random.fork_rng(devices=[]):
        head = Connected(4, config)
    with torch.no_grad():
        head.points.weight.zero_()
        head.rest.weight.zero_()
    from agents.heads import Sight

    strokes = head.draw(Sight(torch.zeros(1, 4), ()), moment())
    assert strokes.presence is not None
    there = [line for line, present in zip(strokes.points[0], strokes.presence[0], strict=True) if present > 0.5]
    assert len(there) == 4 and (strokes.presence[0] > 0.8).sum() == 4 and (strokes.presence[0] < 0.2).sum() == 6
    assert all(torch.equal(one[1], two[0]) for one, two in itertools.pairwise(there))


# Smooth chains


@given(pieces=st.integers(2, 6), seed=st.integers(0, 1000))
def test_a_smooth_chain_goes_through_its_joints_without_a_bend(pieces: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    config = StrokesConfig.model_validate({"kind": "cubic", "count": 3, "points": 3 * pieces + 1, "smooth": True})
    assert numbers(config) == 2 * (2 * pieces + 2) == 2 * len(config.chosen)
    raw = torch.randn(2, 3, numbers(config), generator=generator)
    strokes = to_strokes(raw, config, Moment(0, "sender", torch.Generator()))
    assert strokes.points.shape == (2, 3, 3 * pieces + 1, 2)
    bezier = to_bezier(strokes)  # [2, 3, m, 4, 2]
    leaving, coming = bezier[..., 1:, 1, :] - bezier[..., 1:, 0, :], bezier[..., :-1, 3, :] - bezier[..., :-1, 2, :]
    torch.testing.assert_close(leaving, coming, rtol=0, atol=1e-6)
    chosen = strokes.points[..., config.chosen, :]
    torch.testing.assert_close(chosen.flatten(-2), torch.tanh(raw))


def test_a_smooth_chain_starts_as_the_short_line_that_every_stroke_does() -> None:
    config = StrokesConfig.model_validate({"kind": "cubic", "count": 9, "points": 10, "smooth": True})
    with torch.random.fork_rng(devices=[]):
        raw = start(config)
    points = to_strokes(raw, config, Moment(0, "sender", torch.Generator())).points  # [9, 10, 2]
    along = torch.arange(10)[:, None] / 9
    straight = (1 - along) * points[:, :1] + along * points[:, -1:]
    inside = (points[:, [0, -1]].abs() < 0.94).all(dim=(1, 2))  # those at an edge are bent by it
    assert inside.sum() > 4
    torch.testing.assert_close(points[inside], straight[inside], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "strokes", [{"kind": "cubic", "points": 4}, {"kind": "cubic"}, {"kind": "polyline", "points": 9}]
)
def test_what_has_no_joints_is_not_smooth(strokes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="say kind: cubic and points: 7"):
        StrokesConfig.model_validate({**strokes, "smooth": True})


def test_mirrored_handles_are_written_out_as_svg_writes_them() -> None:
    chosen = torch.tensor([[[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [4.0, 5.0], [6.0, 7.0]]])
    assert mirrored(chosen)[0].tolist() == [
        [0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [3.0, -1.0], [4.0, 5.0], [6.0, 7.0]
    ]  # fmt: skip


# The perceptron's eye


def test_a_perceptron_sees_pictures_of_any_size_in_grey() -> None:
    with torch.random.fork_rng(devices=[]):
        net = build_learned(MlpTrunk(hidden=(12, 7), size=9))
    assert isinstance(net, Mlp)
    generator = torch.Generator().manual_seed(0)
    for size in (8, 9, 40):
        rgb = torch.rand(3, 3, size, size, generator=generator)
        found = net(rgb)
        assert found.shape == (3, 7, 1, 1)
        torch.testing.assert_close(found, net(rgb[:, [2, 0, 1]]))
        assert not torch.equal(found, net(rgb.flip(-1)))


def test_a_shared_perceptron_is_one_for_all() -> None:
    assert MlpTrunk(shared=True).shared and MlpTrunk() == MlpTrunk(shared=False)


@pytest.mark.parametrize(
    "head", [{"kind": "onepass"}, {"kind": "recurrent", "width": 16}, {"kind": "set", "width": 16}]
)
def test_every_head_draws_with_a_perceptrons_eye(gallery: Gallery, moment: Moments, head: dict[str, Any]) -> None:
    one = sender(gallery, head, {"kind": "quadratic", "count": 3})
    assert one.draw(gallery.view(torch.arange(4)), moment()).points.shape == (4, 3, 3, 2)


# Between two pictures


@pytest.mark.parametrize(
    ("head", "strokes"),
    [
        ({"kind": "onepass"}, {"kind": "catmull-rom", "count": 1, "points": 8}),
        ({"kind": "connected"}, LINES),
        ({"kind": "recurrent", "width": 16}, {"kind": "line", "count": 3}),
        ({"kind": "set", "width": 16}, {"kind": "line", "count": 3}),
    ],
)
def test_the_way_from_one_picture_to_another_begins_and_ends_with_their_drawings(
    gallery: Gallery, moment: Moments, head: dict[str, Any], strokes: dict[str, Any]
) -> None:
    one = sender(gallery, head, strokes)
    first, last = (gallery.view(torch.tensor([index] * 3)) for index in (0, 30))
    way = one.between(first, last, torch.tensor([0.0, 0.5, 1.0]), moment()).points
    ends = [one.draw(view, moment()).points[0] for view in (first, last)]
    torch.testing.assert_close(way[0], ends[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(way[2], ends[1], rtol=0, atol=1e-5)
    assert (way[1] - way[0]).norm() > 0 and (way[1] - way[2]).norm() > 0
