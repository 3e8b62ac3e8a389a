"""What must hold of every set encoder, and the few things that make each what it is."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from perception.sets import DeepSets, FSPoolEncoder, RelationEncoder, SetEncoder, SetTransformer
from raster.errors import InputError

KINDS: dict[str, Callable[[], nn.Module]] = {
    "fspool": lambda: FSPoolEncoder(3, 5, (8,)),
    "fspool relaxed": lambda: FSPoolEncoder(3, 5, (8,), sort="relaxed"),
    "relation": lambda: RelationEncoder(3, 5, (8,)),
    "sum": lambda: DeepSets(3, 5, (8,)),
    "mean": lambda: DeepSets(3, 5, (8,), "mean"),
    "max": lambda: DeepSets(3, 5, (8,), "max"),
    "transformer": lambda: SetTransformer(3, 5, width=8, heads=2),
}
every = pytest.mark.parametrize("kind", KINDS)


def made(kind: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = KINDS[kind]().double()
        with torch.no_grad():
            for weight in encoder.parameters():
                weight += 0.1 * torch.randn(weight.shape)  # biases start at zero, and would hide what they do
        return encoder


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@every
@settings(max_examples=10)
@given(slots=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_order_of_elements_changes_nothing(kind: str, slots: int, seed: int) -> None:
    encoder, x = made(kind), drawn(2, slots, 3, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(2, slots, generator=generator) < 0.6
    order = torch.randperm(slots, generator=generator)
    torch.testing.assert_close(encoder(x[:, order], mask[:, order]), encoder(x, mask))


@every
def test_what_stands_outside_the_mask_is_as_if_cut_off(kind: str) -> None:
    encoder, x = made(kind), drawn(1, 5, 3)
    mask = torch.tensor([[True, False, True, True, False]])
    dirty = torch.where(mask[..., None], x, torch.tensor([math.nan, math.inf, -1e30])).requires_grad_()
    out = encoder(dirty, mask)
    torch.testing.assert_close(out, encoder(x[:, mask[0]]))
    (grad,) = torch.autograd.grad(out.sum(), dirty)
    assert bool(grad.isfinite().all()) and not bool(grad[~mask].any()) and bool(grad[mask].any())


@every
def test_an_empty_set_has_a_finite_code_and_gradient(kind: str) -> None:
    encoder, x = made(kind), drawn(2, 4, 3).requires_grad_()
    mask = torch.tensor([[False] * 4, [True] * 4])
    out = encoder(x, mask)
    assert bool(out.isfinite().all())
    out.sum().backward()
    for tensor in (x, *encoder.parameters()):
        assert tensor.grad is not None and bool(tensor.grad.isfinite().all())
    assert x.grad is not None and not bool(x.grad[0].any())


@every
def test_a_set_is_read_alone(kind: str) -> None:
    encoder, x = made(kind), drawn(4, 5, 3)
    torch.testing.assert_close(encoder(x), torch.cat([encoder(each[None]) for each in x]))


@every
def test_a_different_set_has_a_different_code(kind: str) -> None:
    encoder, x = made(kind), drawn(1, 4, 3)
    other = x.clone()
    other[0, 2, 1] += 3.0
    assert float((encoder(x) - encoder(other)).detach().abs().max()) > 1e-3


@every
def test_it_can_be_differentiated_twice(kind: str) -> None:
    encoder = made(kind)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    x = drawn(2, 3, 3).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda sets: encoder(sets, mask), (x,), atol=1e-4)


@every
def test_every_weight_learns(kind: str) -> None:
    encoder = made(kind)
    out = encoder(drawn(8, 21, 3))  # 21 elements reach each of the 21 knots
    (out * drawn(8, 5, seed=1)).sum().backward()
    still = [n for n, p in encoder.named_parameters() if p.grad is None or not bool(p.grad.any())]
    # A key's bias adds the same to each score, and a softmax does not see that.
    assert [name for name in still if not name.endswith("key.bias")] == []


@every
def test_it_is_a_set_encoder_and_runs_on_meta(kind: str) -> None:
    with torch.device("meta"):
        encoder = KINDS[kind]()
    assert isinstance(encoder, SetEncoder)
    assert (encoder.channels, encoder.latent) == (3, 5)
    mask = torch.ones(2, 4, dtype=torch.bool, device="meta")
    assert encoder(torch.empty(2, 4, 3, device="meta"), mask).shape == (2, 5)


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_deep_sets_pool_what_their_name_says(pool: str) -> None:
    encoder, x = made(pool), drawn(1, 4, 3)
    assert isinstance(encoder, DeepSets)
    features = encoder.each(x)[0]
    pooled = {"sum": features.sum(0), "mean": features.mean(0), "max": features.amax(0)}[pool]
    torch.testing.assert_close(encoder(x)[0], encoder.whole(pooled.relu()))


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "transformer"])
def test_equal_elements_get_equal_gradients_from_a_set_equivariant_encoder(kind: str) -> None:
    grad = gradient_at_duplicates(kind)
    torch.testing.assert_close(grad[0, 0], grad[0, 1])


@pytest.mark.parametrize("kind", ["fspool", "relation"])
def test_equal_elements_get_different_gradients_through_a_hard_sort(kind: str) -> None:
    grad = gradient_at_duplicates(kind)
    assert float((grad[0, 0] - grad[0, 1]).abs().max()) > 1e-3


def gradient_at_duplicates(kind: str) -> Tensor:
    x = drawn(1, 3, 3)
    x[0, 1] = x[0, 0]
    x.requires_grad_()
    (grad,) = torch.autograd.grad((made(kind)(x) * drawn(1, 5, seed=1)).sum(), x)
    return grad


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (lambda: FSPoolEncoder(3, 5, (0,)), "hidden"),
        (lambda: RelationEncoder(0, 5), "channels"),
        (lambda: DeepSets(3, 0), "latent"),
        (lambda: SetTransformer(3, 5, width=9, heads=2), "divide"),
        (lambda: SetTransformer(3, 5, layers=0), "layers"),
    ],
)
def test_impossible_sizes_are_refused(wrong: Callable[[], object], line: str) -> None:
    with pytest.raises(InputError, match=line):
        wrong()
