"""The small learned convnet."""

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from perception import Convnet, ConvnetTrunk
from raster.errors import InputError


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    inputs=st.sampled_from([1, 3]),
    channels=st.lists(st.integers(1, 12), min_size=1, max_size=6).map(tuple),
    norm=st.sampled_from(["group", "none"]),
)
def test_any_picture_gives_the_announced_shape(
    height: int, width: int, inputs: int, channels: tuple[int, ...], norm: Literal["group", "none"]
) -> None:
    with torch.random.fork_rng(devices=[]):
        net = Convnet.of(ConvnetTrunk(channels=channels, norm=norm), inputs)
    out = net(torch.zeros(2, inputs, height, width))
    assert tuple(out.shape[1:]) == net.shape(height, width)
    assert out.shape[1] == channels[-1]


@pytest.mark.parametrize("side", [8, 512])
def test_the_smallest_and_largest_promised_pictures_pass(side: int) -> None:
    with torch.random.fork_rng(devices=[]):
        net = Convnet(1)
    picture = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0), requires_grad=True)
    net(picture).sum().backward()
    assert picture.grad is not None and bool(picture.grad.isfinite().all())
    assert net.shape(64, 64) == (96, 4, 4)


@pytest.mark.parametrize("norm", ["group", "none"])
def test_a_picture_is_read_alone_even_in_training(norm: Literal["group", "none"]) -> None:
    with torch.random.fork_rng(devices=[]):
        net = Convnet(3, (8, 16), norm).train()
    pictures = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([net(pictures[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(net(pictures), alone, rtol=1e-4, atol=1e-5)
    assert not [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def test_every_weight_learns() -> None:
    with torch.random.fork_rng(devices=[]):
        net = Convnet(3, (8, 16, 24))
    out = net(torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    (out * torch.arange(float(out.numel())).view_as(out)).mean().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in net.parameters())


def test_a_convnet_without_channels_is_refused() -> None:
    with pytest.raises(InputError, match="at least one layer"):
        Convnet(3, ())
    with pytest.raises(ValueError, match="channels"):
        ConvnetTrunk(channels=())


def test_it_runs_on_meta() -> None:
    with torch.device("meta"):
        net = Convnet(1)
    assert net(torch.empty(2, 1, 5, 5, device="meta")).shape == (2, 96, 1, 1)


def test_a_canvas_is_read_alike_with_and_without_gradients() -> None:
    with torch.random.fork_rng(devices=[]):
        net = Convnet(1)
    canvas = torch.rand(20, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = net(canvas)
    torch.testing.assert_close(net(canvas.requires_grad_()), alone, rtol=1e-4, atol=1e-5)
