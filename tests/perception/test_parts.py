"""A batch cut into one part a thread is the same batch: values, gradients, switches and errors."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from perception import Convnet
from perception._parts import LEAST, in_parts

ROWS = [1, LEAST, 2 * LEAST, 2 * LEAST + 3, 64]


@pytest.fixture(params=[2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    assert torch.get_num_threads() == request.param
    torch.set_num_threads(before)


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 5, 3), nn.Tanh(), nn.Conv2d(5, 3, 3)).double()


def rows(count: int) -> torch.Tensor:
    return torch.randn(count, 2, 9, 8, generator=torch.Generator().manual_seed(count), dtype=torch.float64)


@pytest.mark.parametrize("count", ROWS)
@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("seen", [True, False])
def test_values_and_gradients_are_those_of_the_whole(threads: int, count: int, learns: bool, seen: bool) -> None:
    net = network().requires_grad_(learns)

    def two(x: torch.Tensor) -> list[torch.Tensor]:
        return [net[:2](x), net(x)]

    results = []
    for cut in (True, False):
        x = rows(count).requires_grad_(seen)
        made = in_parts(two, x, net.parameters()) if cut else two(x)
        wanted = ([x] if seen else []) + (list(net.parameters()) if learns else [])
        total = made[0].sin().sum() + (made[1] ** 2).sum()
        assert total.requires_grad == bool(wanted)
        results.append([*made, *(torch.autograd.grad(total, wanted) if wanted else [])])
    for part, whole in zip(*results, strict=True):
        assert torch.allclose(part, whole, rtol=1e-10, atol=1e-10)


def test_the_batch_is_really_cut(threads: int) -> None:
    seen: list[tuple[int, int]] = []

    def watch(x: torch.Tensor) -> list[torch.Tensor]:
        seen.append((len(x), torch.get_num_threads()))
        return [x]

    in_parts(watch, rows(48), [])
    assert sorted(seen) == [(48 // threads, 1)] * threads


def test_the_same_bits_each_time(threads: int) -> None:
    net = network()
    runs = []
    for _ in range(3):
        x = rows(40).requires_grad_()
        made = in_parts(lambda part: [net(part)], x, net.parameters())[0]
        runs.append(torch.autograd.grad(made.sum(), list(net.parameters())))
    for other in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], other, strict=True))


def test_gradients_can_be_asked_twice_and_of_one_output_alone(threads: int) -> None:
    net = network()
    x = rows(24).requires_grad_()
    first, second = in_parts(lambda p: [net[:1](p), net(p)], x, net.parameters())
    once = torch.autograd.grad(first.square().sum(), x, retain_graph=True)[0]
    assert torch.equal(once, torch.autograd.grad(first.square().sum(), x, retain_graph=True)[0])
    assert torch.allclose(once, torch.autograd.grad(net[:1](x).square().sum(), x)[0])
    second.sum().backward()
    assert net[2].weight.grad is not None


def test_without_gradients_nothing_is_recorded(threads: int) -> None:
    net = network()
    with torch.no_grad():
        assert not in_parts(lambda p: [net(p)], rows(24), net.parameters())[0].requires_grad
    with torch.inference_mode():
        assert in_parts(lambda p: [net(p)], rows(24), net.parameters())[0].is_inference()


def test_an_error_in_any_part_comes_through(threads: int) -> None:
    def fail(x: torch.Tensor) -> list[torch.Tensor]:
        if bool((x == 7).any()):
            raise ValueError("seven")
        return [x]

    for row in (0, 23):
        x = rows(24)
        x[row] = 7
        with pytest.raises(ValueError, match="seven"):
            in_parts(fail, x, [])


def test_under_a_transform_it_is_the_plain_call(threads: int) -> None:
    net = Convnet(1, (4, 8))
    canvas = torch.rand(3, 24, 1, 16, 16)
    with torch.no_grad():
        each = torch.stack([net(one) for one in canvas])
        assert torch.allclose(torch.vmap(net)(canvas), each, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (5, 9), (3, 2), (30, 17)])
def test_a_canvas_of_one_channel_is_convolved_as_any_picture(size: tuple[int, int]) -> None:
    net = Convnet(1, (8, 16)).double()
    for parameter in net.parameters():  # a norm of one place gives 0, where a ReLU's slope hangs on rounding
        nn.init.uniform_(parameter, -1, 1)
    x = torch.rand(3, 1, *size, dtype=torch.float64, requires_grad=True)
    padded = nn.functional.pad(x, (0, max(4 - size[1], 0), 0, max(4 - size[0], 0)))
    expected = net.layers(padded)
    assert torch.allclose(net(x), expected, atol=1e-10)
    ours, theirs = (torch.autograd.grad((y**2).sum(), [x, *net.parameters()]) for y in (net(x), expected))
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(ours, theirs, strict=True))
