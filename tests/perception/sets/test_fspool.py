"""Featurewise sort pooling against slow references, and what must hold of it for every set."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from perception.sets import FSPool, FSUnpool
from perception.sets.sorting import by_rank, ranks, relaxed_sort, sort
from raster.errors import InputError


def made(channels: int, pieces: int = 20, **rest: object) -> FSPool:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FSPool(channels, pieces, **rest).double()  # type: ignore[arg-type]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def masked(batch: int, slots: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, slots, generator=torch.Generator().manual_seed(seed)) < 0.6


def weight(knots: list[float], ratio: float) -> float:
    """A piecewise-linear function of [0, 1] by its knots, as one draws it."""
    pieces = len(knots) - 1
    left = min(math.floor(ratio * pieces), pieces - 1)
    part = ratio * pieces - left
    return knots[left] * (1 - part) + knots[left + 1] * part


def slow(pool: FSPool, x: Tensor, mask: Tensor) -> Tensor:
    out = torch.zeros(x.shape[0], x.shape[2], dtype=x.dtype)
    for b in range(x.shape[0]):
        for c in range(x.shape[2]):
            values = sorted((v for v, there in zip(x[b, :, c].tolist(), mask[b].tolist(), strict=True) if there))[::-1]
            knots = pool.weights.knots[:, c].tolist()
            out[b, c] = sum(weight(knots, i / max(len(values) - 1, 1)) * v for i, v in enumerate(values))
    return out


@settings(max_examples=40)
@given(
    batch=st.integers(1, 3),
    slots=st.integers(1, 9),
    channels=st.integers(1, 3),
    pieces=st.integers(1, 21),
    seed=st.integers(0, 999),
)
def test_it_is_the_weighted_sum_of_sorted_values_for_any_size(
    batch: int, slots: int, channels: int, pieces: int, seed: int
) -> None:
    pool, x, mask = made(channels, pieces), drawn(batch, slots, channels, seed=seed), masked(batch, slots, seed)
    torch.testing.assert_close(pool(x, mask), slow(pool, x, mask))
    torch.testing.assert_close(pool(x), slow(pool, x, torch.ones_like(mask)))


@pytest.mark.parametrize(
    ("knots", "same"),
    [
        ([1.0, 1.0, 1.0], lambda x: x.sum(1)),
        ([1.0, 0.0, 0.0], lambda x: x.amax(1)),
        ([0.0, 0.0, 1.0], lambda x: x.amin(1)),
        ([0.0, 1.0, 0.0], lambda x: x.median(1).values),
    ],
    ids=["sum", "max", "min", "median"],
)
def test_the_usual_pools_are_special_cases(knots: list[float], same: object) -> None:
    pool, x = made(4, 2), drawn(5, 3, 4)
    with torch.no_grad():
        pool.weights.knots.copy_(torch.tensor(knots)[:, None].expand(-1, 4))
    assert callable(same)
    torch.testing.assert_close(pool(x), same(x))


@pytest.mark.parametrize("kind", ["hard", "relaxed"])
@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_the_order_of_elements_changes_nothing(kind: str, seed: int) -> None:
    pool, x, mask = made(3, sort=kind), drawn(2, 6, 3, seed=seed), masked(2, 6, seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(pool(x[:, order], mask[:, order]), pool(x, mask))


@pytest.mark.parametrize("temperature", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("kind", ["hard", "relaxed"])
def test_what_stands_outside_the_mask_is_as_if_cut_off(kind: str, temperature: float) -> None:
    pool, x = made(3, sort=kind, temperature=temperature), drawn(1, 7, 3)
    mask = torch.tensor([[True, False, True, True, False, True, False]])
    dirty = torch.where(mask[..., None], x, torch.tensor([math.nan, math.inf, -1e30])).requires_grad_()
    out = pool(dirty, mask)
    torch.testing.assert_close(out, pool(x[:, mask[0]]))
    (grad,) = torch.autograd.grad(out.sum(), dirty)
    assert bool(grad.isfinite().all()) and not bool(grad[~mask].any())


@pytest.mark.parametrize("kind", ["hard", "relaxed"])
def test_an_empty_set_pools_to_zero_with_finite_gradients(kind: str) -> None:
    pool, x = made(3, sort=kind), drawn(2, 4, 3).requires_grad_()
    out = pool(x, torch.tensor([[False] * 4, [True] * 4]))
    assert not bool(out[0].any()) and bool(out[1].all())
    out.sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and not bool(x.grad[0].any())
    assert pool.weights.knots.grad is not None and bool(pool.weights.knots.grad.isfinite().all())


@pytest.mark.parametrize("kind", ["hard", "relaxed"])
def test_its_first_and_second_gradients_are_right(kind: str) -> None:
    pool, mask = made(2, 5, sort=kind), torch.tensor([[True, True, True, False], [True, False, True, True]])

    def pooled(x: Tensor, knots: Tensor) -> Tensor:
        return torch.func.functional_call(pool, {"weights.knots": knots}, (x, mask))

    given_ = (drawn(2, 4, 2).requires_grad_(), drawn(6, 2, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(pooled, given_)
    assert torch.autograd.gradgradcheck(pooled, given_)


@settings(max_examples=20)
@given(seed=st.integers(0, 999), temperature=st.floats(0.1, 5.0))
def test_the_relaxed_sort_is_neuralsort(seed: int, temperature: float) -> None:
    x, mask = drawn(2, 5, 2, seed=seed), masked(2, 5, seed)
    ranked, _ = relaxed_sort(x, mask, temperature)
    for b in range(2):
        for c in range(2):
            s = x[b, mask[b], c].tolist()
            n = len(s)
            for i in range(1, 6):
                logits = [(n + 1 - 2 * i) * v - sum(abs(v - w) for w in s) for v in s]
                row = torch.tensor(logits, dtype=torch.float64).div(temperature).softmax(0) if i <= n else None
                wanted = 0.0 if row is None else float(row @ torch.tensor(s, dtype=torch.float64))
                assert ranked[b, i - 1, c].item() == pytest.approx(wanted, abs=1e-9)


def test_the_relaxed_sort_becomes_the_hard_one_when_cold() -> None:
    x, mask = drawn(3, 8, 4), masked(3, 8)
    hard, order = sort(x, mask)
    cold, soft = relaxed_sort(x, mask, 1e-4)
    torch.testing.assert_close(cold, hard, atol=1e-6, rtol=0)
    value = torch.where(torch.arange(8)[None, :, None] < mask.sum(1)[:, None, None], drawn(3, 8, 4, seed=2), 0.0)
    torch.testing.assert_close(soft.restore(value), order.restore(value), atol=1e-6, rtol=0)
    assert not torch.allclose(relaxed_sort(x, mask, 1.0)[0], hard, atol=0.1)


def test_equal_values_keep_the_order_of_their_slots() -> None:
    x = torch.tensor([1.0, 2.0, 1.0, 2.0, 1.0])[None, :, None]
    _, order = sort(x, torch.tensor([[True, True, True, True, False]]))
    assert order.index is not None and order.index[0, :, 0].tolist() == [1, 3, 0, 2, 4]


def test_sorting_and_restoring_gives_every_element_its_own_value_back() -> None:
    x, mask = drawn(3, 7, 4), masked(3, 7)
    ranked, order = sort(x, mask)
    torch.testing.assert_close(order.restore(ranked), torch.where(mask[..., None], x, 0.0))


@pytest.mark.parametrize("kind", ["hard", "relaxed"])
def test_unpooling_follows_the_encoders_order(kind: str) -> None:
    pool, x, mask = made(3, sort=kind, temperature=0.5), drawn(2, 6, 3), masked(2, 6)
    mask[0] = torch.arange(6) == 3  # one element: the rank after it is at 1, where the weights still are
    with torch.random.fork_rng(devices=[]):
        unpool = FSUnpool(3, 7).double()
    turn = torch.tensor([4, 2, 0, 1, 5, 3])
    out = unpool(*pool.ordered(x, mask), 6, mask)
    turned = unpool(*pool.ordered(x[:, turn], mask[:, turn]), 6, mask[:, turn])
    torch.testing.assert_close(turned, out[:, turn])
    assert not bool(out[~mask].any()) and bool(out[mask].any())


def test_unpooling_spreads_each_feature_by_rank() -> None:
    with torch.random.fork_rng(devices=[]):
        unpool = FSUnpool(1, 2)
    with torch.no_grad():
        unpool.weights.knots.copy_(torch.tensor([[1.0], [10.0], [100.0]]))
    _, order = sort(torch.tensor([[[2.0], [3.0], [1.0]]]))
    out = unpool(torch.tensor([[2.0]]), order, 3)
    assert out.flatten().tolist() == [20.0, 2.0, 200.0]  # the middle one, the highest, the lowest


def test_it_runs_on_meta() -> None:
    with torch.device("meta"):
        pools = FSPool(3, 4), FSPool(3, 4, "relaxed")
    mask = torch.ones(2, 5, dtype=torch.bool, device="meta")
    for pool in pools:
        assert pool(torch.empty(2, 5, 3, device="meta"), mask).shape == (2, 3)


@pytest.mark.parametrize(
    "wrong", [{"channels": 0}, {"channels": 3, "pieces": 0}, {"channels": 3, "sort": "relaxed", "temperature": 0.0}]
)
def test_a_pool_of_nothing_is_refused_in_one_line(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="it must be") as told:
        FSPool(**wrong)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)


@settings(max_examples=40)
@given(
    batch=st.integers(1, 3),
    slots=st.integers(1, 40),
    channels=st.integers(1, 3),
    levels=st.integers(1, 5),
    half=st.booleans(),
    seed=st.integers(0, 999),
)
def test_ranks_say_where_a_stable_sort_puts_each_value_ties_included(
    batch: int, slots: int, channels: int, levels: int, half: bool, seed: int
) -> None:
    x, mask = (drawn(batch, slots, channels, seed=seed) * levels).round(), masked(batch, slots, seed)
    x = x.to(torch.bfloat16) if half else x  # few levels: many ties; and a type that numpy does not know
    for there in (None, mask):
        order = sort(x, there)[1].index
        assert order is not None
        found = ranks(x, there)
        inside = torch.ones_like(mask) if there is None else there
        assert torch.equal(found[inside], order.argsort(1)[inside])


@settings(max_examples=20)
@given(batch=st.integers(1, 3), slots=st.integers(1, 6), channels=st.integers(1, 3), seed=st.integers(0, 999))
def test_weights_by_rank_are_those_of_the_index_and_so_are_their_first_and_second_derivatives(
    batch: int, slots: int, channels: int, seed: int
) -> None:
    x = drawn(batch, slots, channels, seed=seed)
    weights = drawn(1, slots, channels, seed=seed + 1).requires_grad_()
    assert torch.equal(by_rank(weights, x), weights.expand_as(x).gather(1, ranks(x)))
    assert torch.equal(by_rank(weights, x.float()), weights.expand_as(x).gather(1, ranks(x.float())))  # two types
    assert torch.autograd.gradcheck(lambda w: by_rank(w, x), weights)
    assert torch.autograd.gradgradcheck(lambda w: by_rank(w, x).square(), weights)
