"""Every head with every primitive: shapes, gradients, a gentle start; and what each head alone promises."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from agents import Moment, Sender, SenderConfig, StrokesConfig
from agents.heads import Recurrent, StrokeSet
from agents.heads.hand import numbers, start, to_strokes
from agents.heads.recurrent import PATCH, Look
from games.pictures import Gallery
from perception import ConvnetTrunk, TimmTrunk
from raster import CanvasConfig, InputError, Strokes

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")
CANVAS = CanvasConfig(size=24, sigma2=4e-3)  # type: ignore[arg-type]
KINDS = ["point", "line", "polyline", "quadratic", "cubic", "catmull-rom"]
HEADS: dict[str, dict[str, Any]] = {
    "onepass": {"kind": "onepass"},
    "recurrent": {"kind": "recurrent", "per_step": 2, "width": 16, "heads": 2, "channels": (4,)},
    "set": {"kind": "set", "width": 16, "heads": 2},
}
ALL = {"width": {"low": 0.05, "high": 0.3}, "opacity": True, "colour": True, "presence": "soft"}


def sender(gallery: Gallery, head: str, strokes: dict[str, Any], canvas: CanvasConfig = CANVAS, **more: Any) -> Sender:
    config = {"trunk": TRUNK, "levels": (1,), "hidden": 16, "head": HEADS[head], "strokes": {"count": 5, **strokes}}
    torch.manual_seed(0)
    return Sender(SenderConfig.model_validate({**config, **more}), gallery, canvas=canvas)


@pytest.mark.parametrize("carried", [{}, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", HEADS)
def test_every_head_draws_every_primitive_and_learns_with_every_weight(
    gallery: Gallery, moment: Moments, head: str, kind: str, carried: dict[str, Any]
) -> None:
    one = sender(gallery, head, {"kind": kind, **carried})
    strokes = one.draw(gallery.view(torch.arange(6)), moment(training=True))
    assert strokes.kind == kind and strokes.points.shape == (6, 5, one.config.strokes.control_points, 2)
    assert strokes.points.abs().max() < 1
    shapes = {name: None if (x := getattr(strokes, name)) is None else x.shape for name in ALL}
    each = {"width": (6, 5), "opacity": (6, 5), "colour": (6, 5, 3), "presence": (6, 5)}
    assert shapes == (each if carried else dict.fromkeys(ALL))
    canvas = CANVAS.draw(strokes)
    assert canvas.shape == ((6, 3, 24, 24) if carried else (6, 24, 24))
    generator = torch.Generator().manual_seed(0)
    drawn = [strokes.points, canvas, *(getattr(strokes, name) for name in ALL if carried)]
    torch.stack([(x * torch.randn(x.shape, generator=generator)).sum() for x in drawn]).sum().backward()
    for name, parameter in one.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # A key's bias adds the same to all that is asked for, which the softmax takes away again.
        assert parameter.grad.norm() > 0 or name.endswith("key.bias"), name


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_stroke_is_short_present_opaque_and_dark(kind: str) -> None:
    config = StrokesConfig.model_validate({"kind": kind, "count": 40, **ALL})
    torch.manual_seed(0)
    strokes = to_strokes(start(config), config, Moment(0, "sender", torch.Generator()))
    drawn = strokes.points[:, 1:-1] if kind == "catmull-rom" else strokes.points
    assert (drawn[:, :1] - drawn).norm(dim=-1).max() < 0.4 * 2**0.5 + 1e-5
    centres = drawn.mean(dim=1)
    assert centres.abs().max() < 0.9 and (centres.std(dim=0) > 0.25).all() and torch.pdist(centres).min() > 0
    if strokes.points.shape[1] > 2:  # one after another on that short line
        far = (drawn - drawn[:, :1]).norm(dim=-1)
        assert (far.diff(dim=1) > 0).all()
    assert strokes.opacity is not None and strokes.presence is not None and strokes.colour is not None
    assert min(strokes.opacity.min(), strokes.presence.min(), strokes.colour.min()) > 0.8
    assert strokes.width is not None and strokes.width.sub((0.05 * 0.3) ** 0.5).abs().max() < 1e-6


@given(seed=st.integers(0, 2**31), louder=st.floats(0, 1e6), low=st.floats(1e-3, 0.5))
def test_what_a_stroke_carries_stays_in_range_whatever_the_numbers(seed: int, louder: float, low: float) -> None:
    config = StrokesConfig.model_validate({"count": 4, **ALL, "width": {"low": low, "high": 1.0}})
    raw = torch.randn(3, 4, numbers(config), generator=torch.Generator().manual_seed(seed)) * louder
    strokes = to_strokes(raw, config, Moment(0, "sender", torch.Generator()))
    assert strokes.points.abs().max() <= 1
    assert strokes.width is not None and strokes.width.min() >= low * 0.999 and strokes.width.max() <= 1.001
    for value in (strokes.opacity, strokes.colour, strokes.presence):
        assert value is not None and value.min() >= 0 and value.max() <= 1


def test_hard_presence_is_soft_while_it_learns_and_a_number_of_strokes_when_measured() -> None:
    raw = torch.zeros(2, 3, 5)
    raw[..., 4] = torch.tensor([[-3.0, 0.0, 2.0], [-0.1, -1.0, -9.0]])
    for presence in ("soft", "hard"):
        config = StrokesConfig.model_validate({"count": 3, "presence": presence})
        learning, measured = (
            to_strokes(raw, config, Moment(0, "sender", torch.Generator(), training)).presence
            for training in (True, False)
        )
        assert learning is not None and measured is not None
        assert torch.equal(learning, raw[..., 4].sigmoid())
        if presence == "hard":
            assert measured.sum(-1).tolist() == [2, 0]
        else:
            assert torch.equal(measured, learning)


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ({"kind": "cubic", "points": 5}, "a cubic has 4, or 3 more for each further piece"),
        ({"kind": "line", "points": 3}, "a line has 2"),
        ({"kind": "catmull-rom", "points": 3}, "a catmull-rom has 4 or more"),
        ({"width": {"low": 0.2, "high": 0.1}}, "low must be below high"),
        ({"kind": "curve"}, "polyline"),
    ],
)
def test_strokes_that_cannot_be_are_refused(strokes: dict[str, Any], message: str) -> None:
    with pytest.raises((ValidationError, InputError), match=message):
        StrokesConfig.model_validate(strokes)


def test_heads_that_cannot_share_the_width_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 heads cannot share a width of 16"):
        SenderConfig.model_validate({"head": {"kind": "set", "width": 16, "heads": 3}})


# One pass


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("trunk", [TRUNK, ConvnetTrunk(channels=(8,))])
def test_onepass_lines_are_the_sender_that_was(gallery: Gallery, moment: Moments, trunk: Any, pixels: bool) -> None:
    """Parameters, first weights, noise and lines, against the formula written out."""
    from agents.eye import Eye
    from perception import Convnet

    one = sender(gallery, "onepass", {"count": 7}, trunk=trunk, pixels=pixels, dropout=0.3)
    torch.manual_seed(0)
    eye = Eye(trunk, (1,), 16, 0.3, gallery, Convnet.of)
    glance = Eye(ConvnetTrunk(), (), 16, 0.0, gallery, Convnet.of) if pixels else None
    hidden = nn.Linear(32 if pixels else 16, 16)
    head = nn.Linear(16, 7 * 4)
    with torch.no_grad():
        head.weight.mul_(0.5)
        centre = (torch.rand(7, 1, 2) * 2 - 1) * 0.7
        ends = (centre + (torch.rand(7, 2, 2) - 0.5) * 0.4).clamp(-0.95, 0.95)
        head.bias.copy_(torch.atanh(ends).flatten())
    parts = {"eye": eye, "glance": glance, "hidden": hidden, "head": head}
    expected = {f"{name}.{key}": x for name, part in parts.items() if part for key, x in part.state_dict().items()}
    own = one.state_dict()
    assert list(own) == list(expected) and all(torch.equal(own[key], expected[key]) for key in own)
    view = gallery.view(torch.arange(5))
    noise = moment(3, training=True)
    seen = eye(view, noise) if glance is None else torch.cat([eye(view, noise), glance(view, noise)], dim=-1)
    lines = torch.tanh(head(torch.relu(hidden(torch.relu(seen))))).unflatten(-1, (7, 2, 2))
    drawn = one.draw(view, moment(3, training=True))
    assert torch.equal(drawn.points, lines) and set(drawn._tensors()) == {"points"} and drawn.kind == "line"


def test_an_eye_s_vector_is_what_its_maps_make(gallery: Gallery, moment: Moments) -> None:
    one = sender(gallery, "set", {}, levels=(1, 3))
    view = gallery.view(torch.arange(4))
    maps = one.eye.maps(view)
    assert [tuple(each.shape[1:]) for each in maps] == one.eye.shapes
    assert torch.equal(one.eye.vector(maps, moment()), one.eye(view, moment()))


# Recurrent


def test_the_recurrent_head_sees_the_ink_of_its_first_strokes(gallery: Gallery, moment: Moments) -> None:
    view = gallery.view(torch.arange(4))
    for wider in ({}, ALL):
        one = sender(gallery, "recurrent", wider)
        before = one.draw(view, moment()).points
        with torch.no_grad():
            assert isinstance(one.head, Recurrent)
            one.head.start[0] *= -1  # its first stroke lies elsewhere
        after = one.draw(view, moment()).points
        assert torch.equal(before[:, 1], after[:, 1])  # drawn in the same step, before anybody looked
        assert ((before - after)[:, 2:].abs().amax(dim=(1, 2, 3)) > 1e-6).all()


@given(step=st.integers(0, 20))
def test_the_recurrent_head_looks_at_the_run_s_canvas(gallery: Gallery, step: int) -> None:
    canvas = CanvasConfig.model_validate({"size": 24, "sigma2": {"from": 1e-1, "to": 1e-3, "over": 20}})
    one = sender(gallery, "recurrent", {}, canvas)
    view = gallery.view(torch.arange(4))
    thick, own = (one.draw(view, Moment(at, "sender", torch.Generator(), training=False)).points for at in (0, step))
    assert torch.equal(thick[:, :2], own[:, :2])
    assert torch.equal(thick, own) == (step == 0)


@pytest.mark.parametrize("compose", ["softor", "over", "max", "sum"])
@pytest.mark.parametrize("carried", [{}, ALL], ids=["plain", "all"])
def test_what_it_sees_is_the_drawing_so_far(
    gallery: Gallery, moment: Moments, compose: str, carried: dict[str, Any]
) -> None:
    canvas = CanvasConfig.model_validate({**CANVAS.model_dump(by_alias=True), "compose": compose})
    one = sender(gallery, "recurrent", carried, canvas)
    assert isinstance(one.head, Recurrent)
    seen: list[torch.Tensor] = []
    one.head.look.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    strokes = one.draw(gallery.view(torch.arange(3)), moment())
    assert len(seen) == 3 and not seen[0].any()  # 2 + 2 + 1 strokes
    for number, each in enumerate(seen[1:], 1):
        whole = canvas.draw(strokes.select(slice(0, 2 * number)))
        assert torch.allclose(each if carried else each[:, 0], whole, atol=1e-5)


def test_a_later_stroke_teaches_an_earlier_one_through_the_canvas(gallery: Gallery, moment: Moments) -> None:
    one = sender(gallery, "recurrent", {})
    strokes = one.draw(gallery.view(torch.arange(4)), moment())
    assert isinstance(one.head, Recurrent)
    strokes.points[:, -1].sum().backward()
    assert one.head.start.grad is not None and (one.head.start.grad[:4].abs().amax(dim=1) > 0).all()


# Set


@given(seed=st.integers(0, 2**31))
def test_queries_in_another_order_give_the_same_strokes_in_that_order(gallery: Gallery, seed: int) -> None:
    one = sender(gallery, "set", ALL)
    assert isinstance(one.head, StrokeSet)
    view = gallery.view(torch.arange(3))
    moment = Moment(0, "sender", torch.Generator(), training=False)
    before = one.draw(view, moment)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for each in (one.head.query, one.head.start):
            each.copy_(each[order].clone())
    after, expected = one.draw(view, moment), before.select(order)
    for name, value in after._tensors().items():
        assert torch.allclose(value, getattr(expected, name), atol=1e-5), name


def test_strokes_of_a_set_know_of_one_another(gallery: Gallery, moment: Moments) -> None:
    one = sender(gallery, "set", {})
    assert isinstance(one.head, StrokeSet)
    view = gallery.view(torch.arange(3))
    before = one.draw(view, moment()).points
    with torch.no_grad():
        one.head.query[0] *= -1
    assert ((one.draw(view, moment()).points - before)[:, 1:].abs().amax(dim=(2, 3)) > 1e-6).all()


@pytest.mark.parametrize("head", ["recurrent", "set"])
def test_a_head_that_attends_knows_where_in_the_picture_things_are(
    gallery: Gallery, moment: Moments, head: str
) -> None:
    one = sender(gallery, head, {})
    sight = one.see(gallery.view(torch.arange(4)), moment())
    before = one.head.draw(sight, moment()).points
    assert [each.shape[2:] for each in sight.maps] != [(1, 1)]
    turned = type(sight)(sight.vector, [each.flip(-1) for each in sight.maps])  # the same features elsewhere
    assert ((one.head.draw(turned, moment()).points - before).abs().amax(dim=(1, 2, 3)) > 1e-6).all()


@pytest.mark.parametrize("head", HEADS)
def test_each_picture_is_drawn_by_itself_by_every_head(gallery: Gallery, moment: Moments, head: str) -> None:
    one = sender(gallery, head, ALL, pixels=True)
    whole = one.draw(gallery.view(torch.tensor([3, 9, 20])), moment())
    alone = one.draw(gallery.view(torch.tensor([9])), moment())
    for name, value in alone._tensors().items():
        assert torch.allclose(getattr(whole, name)[1:2], value, atol=1e-5), name


@pytest.mark.parametrize("head", HEADS)
def test_drawing_touches_no_global_randomness_and_noise_is_the_moment_s(
    gallery: Gallery, moment: Moments, head: str
) -> None:
    one = sender(gallery, head, ALL)
    view, state = gallery.view(torch.arange(3)), torch.random.get_rng_state()
    drawn = [one.draw(view, moment(seed, training=True)).points for seed in (1, 1, 2)]
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_strokes_are_unpacked_in_the_order_that_the_drawing_has() -> None:
    config = StrokesConfig.model_validate({"count": 1, **ALL})
    raw = torch.arange(10.0)[None] / 10  # 4 of points, width, opacity, 3 of colour, presence
    found = to_strokes(raw, config, Moment(0, "sender", torch.Generator()))
    assert isinstance(found, Strokes) and found.opacity is not None and found.presence is not None
    assert torch.equal(found.points.flatten(), raw[0, :4].tanh())
    assert float(found.opacity) == pytest.approx(float(raw[0, 5].sigmoid()))
    assert float(found.presence) == pytest.approx(float(raw[0, 9].sigmoid()))


@given(size=st.integers(8, 30), layers=st.integers(1, 3), inks=st.sampled_from([1, 3]), seed=st.integers(0, 2**31))
def test_a_look_begins_with_a_convolution_over_squares_and_takes_any_canvas(
    size: int, layers: int, inks: int, seed: int
) -> None:
    torch.manual_seed(seed)
    look = Look(inks, size, (4, 5, 6)[:layers], 7)
    canvas = torch.rand(2, inks, size, size)
    over = -size % PATCH
    x = nn.functional.pad(canvas, (0, over, 0, over))
    weight = look.first.weight.unflatten(1, (inks, PATCH, PATCH))
    x = torch.relu(nn.functional.conv2d(x, weight, look.first.bias, stride=PATCH))
    for each in look.rest:
        x = torch.relu(each(x))
    assert torch.allclose(look(canvas), torch.relu(look.out(x.flatten(1))), atol=1e-5)
