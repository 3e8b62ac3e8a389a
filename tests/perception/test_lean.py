"""Layers of frozen networks in other forms: the same numbers and gradients, and less kept for them."""

import pytest
import timm
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import Conv2dSame
from torch import nn

from perception import TimmTrunk, Trunk
from perception._lean import EvenSame, LeanReLU6, make_lean
from perception.trunk import build_learned, build_trunk


@given(st.sampled_from([3, 5, 7]), st.integers(2, 13), st.integers(2, 13), st.booleans(), st.integers(0, 99))
def test_padding_on_one_side_is_a_kernel_with_zeros(side: int, height: int, width: int, bias: bool, seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        convolution = Conv2dSame(6, 6, side, stride=2, groups=6, bias=bias).double().requires_grad_(False)
        x = torch.randn(2, 6, height, width, dtype=torch.float64)
    there, here = x.clone().requires_grad_(), x.clone().requires_grad_()
    wanted, found = convolution(there), EvenSame(convolution)(here)
    assert torch.allclose(found, wanted, atol=1e-12)
    upstream = torch.linspace(-1, 1, wanted.numel(), dtype=torch.float64).reshape(wanted.shape)
    wanted.backward(upstream)
    found.backward(upstream)
    assert there.grad is not None and here.grad is not None
    assert torch.allclose(here.grad, there.grad, atol=1e-12)


def test_a_clamp_has_the_gradient_of_relu6_also_at_its_ends() -> None:
    x = torch.tensor([-1.0, 0.0, 1e-9, 3.0, 6.0 - 1e-6, 6.0, 7.0], dtype=torch.float64)
    there, here = x.clone().requires_grad_(), x.clone().requires_grad_()
    wanted, found = F.relu6(there * 1), LeanReLU6()(here * 1)
    assert torch.equal(found, wanted)
    for _ in range(2):  # the graph may be gone through again
        there.grad = here.grad = None
        wanted.sum().backward(retain_graph=True)
        found.sum().backward(retain_graph=True)
        assert there.grad is not None and here.grad is not None
        assert torch.equal(here.grad, there.grad)


def test_a_clamp_keeps_one_tensor_and_copies_none() -> None:
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    x = torch.randn(8, requires_grad=True)
    given_to = x * 2
    place = given_to.data_ptr()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = LeanReLU6()(given_to)
    assert found.data_ptr() == place
    assert [each.data_ptr() for each in kept] == [place]


def test_without_gradients_and_under_transforms_it_is_the_plain_one() -> None:
    x = torch.tensor([-1.0, 3.0, 8.0])
    with torch.no_grad():
        assert LeanReLU6()(x.clone()).tolist() == [0, 3, 6]
    slopes = torch.func.vmap(torch.func.grad(lambda each: LeanReLU6()(each * 1)))(x)
    assert slopes.tolist() == [0, 1, 0]


@pytest.mark.parametrize("size", [64, 75])
def test_the_packaged_trunk_is_what_timm_computes(size: int) -> None:
    trunk = build_trunk(TimmTrunk())
    plain = build_learned(TimmTrunk(frozen=False))  # its layers are torch's and timm's own
    assert isinstance(plain, Trunk)
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    there, here = x.clone().requires_grad_(), x.clone().requires_grad_()
    levels = [0, 1, 2, 3]
    wanted, found = plain(there, levels), trunk(here, levels)
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, atol=1e-4 * float(b.detach().abs().max()))
    sum(each.square().mean() for each in wanted).backward()
    sum(each.square().mean() for each in found).backward()
    assert there.grad is not None and here.grad is not None
    assert torch.allclose(here.grad, there.grad, atol=1e-3 * float(there.grad.abs().max()))


def test_only_what_can_be_replaced_is() -> None:
    trunk = build_trunk(TimmTrunk())
    kinds = [type(module) for module in trunk.modules()]
    assert kinds.count(EvenSame) == 4
    assert LeanReLU6 in kinds and nn.ReLU6 not in kinds
    learned = build_learned(TimmTrunk(frozen=False))
    assert not any(isinstance(module, EvenSame | LeanReLU6) for module in learned.modules())
    other = timm.create_model("test_resnet", pretrained=False, features_only=True)
    assert make_lean(other) == 0
