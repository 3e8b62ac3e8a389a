"""Who draws: strokes on the canvas, apart from one another, and a gradient for every weight."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import Moment, Sender, SenderConfig, StrokesConfig
from games.pictures import Gallery
from perception import ConvnetTrunk, TimmTrunk, TrunkConfig

Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")


def sender(gallery: Gallery, seed: int = 0, trunk: TrunkConfig = TRUNK, count: int = 7, **more: object) -> Sender:
    config = {"trunk": trunk, "levels": (1,), "hidden": 16, "strokes": StrokesConfig(count=count), **more}
    torch.manual_seed(seed)
    return Sender(SenderConfig.model_validate(config), gallery)


@given(seed=st.integers(0, 1000), louder=st.floats(0, 1e6))
def test_strokes_stay_on_the_canvas_whatever_the_weights(gallery: Gallery, seed: int, louder: float) -> None:
    one = sender(gallery, seed, count=5)
    view = gallery.view(torch.arange(4))
    moment = Moment(0, "sender", torch.Generator(), training=False)
    points = one.draw(view, moment).points
    assert points.shape == (4, 5, 2, 2)
    assert points.abs().max() < 1
    with torch.no_grad():
        one.head.weight.mul_(louder)
    assert one.draw(view, moment).points.abs().max() <= 1


@given(seed=st.integers(0, 1000))
def test_an_untrained_sender_strews_short_strokes_over_the_canvas(gallery: Gallery, seed: int) -> None:
    one = sender(gallery, seed, count=50, strokes=StrokesConfig(count=50, spread=0.7))
    points = torch.tanh(one.head.bias).view(50, 2, 2)
    centres = points.mean(dim=1)
    assert centres.abs().max() < 0.7 + 0.2
    assert (centres.std(dim=0) > 0.25).all()  # uniform over +-0.7 has 0.40
    assert (points[:, 0] - points[:, 1]).norm(dim=-1).max() < 0.4 * 2**0.5 + 1e-5
    assert torch.pdist(centres).min() > 0  # those that lie on one another get one gradient and never part


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("trunk", [TRUNK, ConvnetTrunk(channels=(8,))])
def test_gradients_reach_every_weight(gallery: Gallery, moment: Moments, trunk: TrunkConfig, pixels: bool) -> None:
    one = sender(gallery, trunk=trunk, pixels=pixels)
    points = one.draw(gallery.view(torch.arange(12)), moment(training=True)).points
    (points * torch.randn(points.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    for name, parameter in one.named_parameters():
        assert parameter.grad is not None and parameter.grad.norm() > 0, name


def test_a_frozen_trunk_is_no_part_of_the_sender(gallery: Gallery) -> None:
    names = {name.split(".")[0] for name, _ in sender(gallery).named_parameters()}
    assert names == {"eye", "hidden", "head"}


def test_each_picture_is_drawn_by_itself(gallery: Gallery, moment: Moments) -> None:
    one = sender(gallery, pixels=True)
    whole = one.draw(gallery.view(torch.tensor([3, 9, 20])), moment()).points
    alone = one.draw(gallery.view(torch.tensor([9])), moment()).points
    assert torch.allclose(whole[1:2], alone, atol=1e-5)
    assert not torch.allclose(whole[0], whole[1], atol=1e-4)
