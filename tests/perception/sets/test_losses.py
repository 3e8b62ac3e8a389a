"""Set losses against every permutation tried in turn, and what must hold of them for all sets."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from perception.sets import CLEVR, Fields, StateCost, assign, chamfer, hungarian, over_steps, pack, smooth_l1, unpack
from raster.errors import InputError

LOSSES: dict[str, Callable[..., Tensor]] = {"chamfer": chamfer, "hungarian": hungarian}
both = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def masked(batch: int, slots: int, seed: int) -> Tensor:
    return torch.rand(batch, slots, generator=torch.Generator().manual_seed(seed)) < 0.6


def huber(a: Tensor, b: Tensor) -> float:
    d = (a - b).abs()
    return float(torch.where(d < 1, d * d / 2, d - 0.5).mean())


def slow_hungarian(prediction: Tensor, target: Tensor) -> float:
    """Pad the target with empty elements, try every permutation."""
    empty = torch.zeros(prediction.shape[0] - target.shape[0], target.shape[1], dtype=target.dtype)
    target = torch.cat([target, empty])
    costs = [[huber(p, t) for t in target] for p in prediction]
    n = len(costs)
    return min(sum(costs[i][j] for i, j in enumerate(turn)) for turn in itertools.permutations(range(n))) / max(n, 1)


def slow_chamfer(prediction: Tensor, target: Tensor) -> float:
    empty = torch.zeros(1, target.shape[1], dtype=target.dtype)
    total = 0.0
    for mine, others in ((prediction, target), (target, prediction)):
        others = others if len(others) else empty
        total += sum(min(huber(m, o) for o in others) for m in mine) / max(len(mine), 1)
    return total


@settings(max_examples=40)
@given(n=st.integers(1, 5), m=st.integers(0, 5), channels=st.integers(1, 4), seed=st.integers(0, 999))
def test_hungarian_is_the_best_of_all_permutations_whatever_the_masks(n: int, m: int, channels: int, seed: int) -> None:
    p, t = drawn(2, n, channels, seed=seed), drawn(2, m, channels, seed=seed + 1)
    p_mask, t_mask = masked(2, n, seed), masked(2, m, seed + 1)
    t_mask &= t_mask.cumsum(1) <= p_mask.sum(1, keepdim=True)
    wanted = [slow_hungarian(p[b, p_mask[b]], t[b, t_mask[b]]) for b in range(2)]
    torch.testing.assert_close(hungarian(p, t, p_mask, t_mask), torch.tensor(wanted, dtype=p.dtype))
    if m <= n:
        wanted = [slow_hungarian(p[b], t[b]) for b in range(2)]
        torch.testing.assert_close(hungarian(p, t), torch.tensor(wanted, dtype=p.dtype))


@settings(max_examples=40)
@given(n=st.integers(1, 5), m=st.integers(0, 5), channels=st.integers(1, 4), seed=st.integers(0, 999))
def test_chamfer_is_the_nearest_neighbours_whatever_the_masks(n: int, m: int, channels: int, seed: int) -> None:
    p, t = drawn(2, n, channels, seed=seed), drawn(2, m, channels, seed=seed + 1)
    p_mask, t_mask = masked(2, n, seed), masked(2, m, seed + 1)
    wanted = [slow_chamfer(p[b, p_mask[b]], t[b, t_mask[b]]) for b in range(2)]
    torch.testing.assert_close(chamfer(p, t, p_mask, t_mask), torch.tensor(wanted, dtype=p.dtype))
    torch.testing.assert_close(chamfer(p, t), torch.tensor([slow_chamfer(p[b], t[b]) for b in range(2)], dtype=p.dtype))


@both
@settings(max_examples=15)
@given(n=st.integers(1, 6), seed=st.integers(0, 999))
def test_the_order_on_either_side_changes_nothing_and_equal_sets_have_no_loss(
    loss: Callable[..., Tensor], n: int, seed: int
) -> None:
    p, t = drawn(3, n, 4, seed=seed), drawn(3, n, 4, seed=seed + 1)
    one, other = (torch.randperm(n, generator=torch.Generator().manual_seed(seed + k)) for k in range(2))
    torch.testing.assert_close(loss(p[:, one], t[:, other]), loss(p, t))
    assert loss(t[:, one], t).tolist() == [0.0] * 3
    assert bool((loss(p, t) > 0).all())


@both
def test_its_gradient_is_right_and_stays_inside_the_mask(loss: Callable[..., Tensor]) -> None:
    p, t = drawn(2, 4, 3).requires_grad_(), drawn(2, 3, 3, seed=1)
    p_mask = torch.tensor([[True, True, True, False], [True] * 4])
    t_mask = torch.tensor([[True, False, True], [False] * 3])
    assert torch.autograd.gradcheck(lambda x: loss(x, t, p_mask, t_mask), (p,))
    dirty = torch.where(p_mask[..., None], p, math.nan).detach().requires_grad_()
    (grad,) = torch.autograd.grad(loss(dirty, t, p_mask, t_mask).sum(), dirty)
    assert not bool(grad[~p_mask].any()) and bool(grad[p_mask].any(-1).all())


@both
def test_a_set_with_nothing_in_it_has_a_finite_loss(loss: Callable[..., Tensor]) -> None:
    p, t = drawn(1, 3, 2).requires_grad_(), drawn(1, 3, 2, seed=1)
    no, yes = torch.zeros(1, 3, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    assert loss(p, t, no, no).item() == 0
    against_nothing = loss(p, t, yes, no)
    assert against_nothing.item() == pytest.approx(sum(huber(each, torch.zeros(2)) for each in p.detach()[0]) / 3)
    against_nothing.sum().backward()
    assert p.grad is not None and bool(p.grad.isfinite().all())


@both
def test_a_slot_outside_the_mask_costs_nothing_whatever_the_cost(loss: Callable[..., Tensor]) -> None:
    p, t = drawn(1, 4, 3), drawn(1, 2, 3, seed=1)
    p_mask = torch.tensor([[True, False, True, True]])
    how = lambda a, b: smooth_l1(a, b) + 1  # noqa: E731
    torch.testing.assert_close(loss(p, t, p_mask, cost=how), loss(p[:, p_mask[0]], t, cost=how))


def test_padding_masking_and_cutting_off_are_one() -> None:
    p, t = drawn(2, 5, 3), drawn(2, 3, 3, seed=1)
    padded = torch.cat([t, torch.zeros(2, 2, 3, dtype=t.dtype)], 1)
    dirty = torch.cat([t, torch.full((2, 4, 3), math.nan, dtype=t.dtype)], 1)  # more places than slots, and NaN
    mask = (torch.arange(7) < 3).expand(2, -1)
    torch.testing.assert_close(hungarian(p, padded), hungarian(p, t))
    torch.testing.assert_close(hungarian(p, dirty, None, mask), hungarian(p, t))


def test_only_hungarian_counts_duplicates() -> None:
    a, b = [0.0, 0.0, 1.0], [4.0, 0.0, 1.0]
    said, true = torch.tensor([[a, b, b]]), torch.tensor([[a, a, b]])
    assert chamfer(said, true).item() == 0
    assert hungarian(said, true).item() == pytest.approx(3.5 / 3 / 3)


def test_each_set_of_a_batch_has_its_own_loss() -> None:
    p, t = drawn(4, 5, 3), drawn(4, 5, 3, seed=1)
    for loss in LOSSES.values():
        torch.testing.assert_close(loss(p, t), torch.cat([loss(p[i : i + 1], t[i : i + 1]) for i in range(4)]))


def test_over_steps_is_the_mean_over_the_steps() -> None:
    steps, t = drawn(3, 2, 4, 3), drawn(2, 4, 3, seed=1)
    p_mask, t_mask = masked(2, 4, 3), torch.tensor([[True, False, False, False], [False] * 4])
    p_mask[:, 0] = True
    for loss in LOSSES.values():
        wanted = torch.stack([loss(each, t, p_mask, t_mask) for each in steps]).mean(0)
        torch.testing.assert_close(over_steps(loss, steps, t, p_mask, t_mask), wanted)


def objects(*shape: int, seed: int) -> Tensor:
    """Objects of two numbers and attributes of 2 and 3 values, real ones."""
    generator = torch.Generator().manual_seed(seed)
    kinds = [F.one_hot(torch.randint(k, shape, generator=generator), k) for k in (2, 3)]
    numbers = torch.randn((*shape, 2), generator=generator)
    return torch.cat([numbers, *kinds, torch.ones(*shape, 1)], -1).double()


FIELDS = Fields(2, (2, 3))


def test_a_state_cost_of_weights_one_is_smooth_l1_and_the_weights_are_its_parts() -> None:
    p, t = drawn(2, 4, 8), objects(2, 3, seed=1)
    torch.testing.assert_close(StateCost(FIELDS)(p, t), smooth_l1(p, t))
    parts = [StateCost(FIELDS, *weights)(p, t) for weights in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    torch.testing.assert_close(3 * parts[0] + 5 * parts[1] + 7 * parts[2], StateCost(FIELDS, 3, 5, 7)(p, t))
    torch.testing.assert_close(parts[0], smooth_l1(p[..., :2], t[..., :2]) * 2 / 8)
    torch.testing.assert_close(parts[2], smooth_l1(p[..., 7:], t[..., 7:]) / 8)


def test_cross_entropy_is_torchs_and_asks_nothing_but_absence_of_an_empty_slot() -> None:
    p, t = drawn(1, 2, 8), objects(1, 1, seed=1)
    t = torch.cat([t, torch.zeros_like(t)], 1)  # one object and an empty element
    cost = StateCost(FIELDS, attributes="cross_entropy")(p, t)
    for i in range(2):
        classes = sum(
            float(F.cross_entropy(p[0, i, where], t[0, 0, where].argmax())) for where in (slice(2, 4), slice(4, 7))
        )
        real = huber(p[0, i, :2], t[0, 0, :2]) + classes / 2 + huber(p[0, i, 7:], t[0, 0, 7:])
        assert cost[0, i, 0].item() == pytest.approx(real)
        assert cost[0, i, 1].item() == pytest.approx(huber(p[0, i, 7:], t[0, 1, 7:]))
    x = drawn(1, 3, 8).requires_grad_()
    how = StateCost(FIELDS, attributes="cross_entropy")
    assert torch.autograd.gradcheck(lambda s: hungarian(s, t, cost=how), (x,))


@settings(max_examples=25)
@given(n=st.integers(1, 5), m=st.integers(0, 5), seed=st.integers(0, 999))
def test_each_object_has_a_slot_of_its_own(n: int, m: int, seed: int) -> None:
    m = min(n, m)
    cost = drawn(2, n, m, seed=seed)
    for b, slots in enumerate(assign(cost)):
        assert len(set(slots.tolist())) == m
        total = float(cost[b].gather(0, slots[None]).sum()) if m else 0.0
        turns = itertools.permutations(range(n), m)
        assert total == pytest.approx(min(sum(float(cost[b, s, j]) for j, s in enumerate(turn)) for turn in turns))


def test_more_objects_than_slots_are_one_clear_line() -> None:
    p, t = torch.zeros(2, 3, 4), torch.zeros(2, 5, 4)
    with pytest.raises(InputError, match=r"^5 objects do not fit 3 slots \(set 0\): use more slots$"):
        hungarian(p, t)
    many = torch.tensor([[True] * 3 + [False] * 2, [True] * 4 + [False]])
    with pytest.raises(InputError, match=r"^4 objects do not fit 3 slots \(set 1\)"):
        hungarian(p, t, None, many)
    few = torch.tensor([[True] * 3, [True, False, False]])
    with pytest.raises(InputError, match=r"^3 objects do not fit 1 slots \(set 1\)"):
        hungarian(p, t, few, many & (torch.arange(5) < 3))
    with pytest.raises(InputError, match=r"^5 objects do not fit 3 slots \(set 0\)"):
        pack([torch.zeros(5, 3)], 3)


@both
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_in_a_target_is_one_clear_line(loss: Callable[..., Tensor], bad: float) -> None:
    p, t = torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)
    t[1, 2, 0] = bad
    with pytest.raises(InputError, match=r"^NaN or infinity in a target \(set 1, object 2\)") as told:
        loss(p, t)
    assert "\n" not in str(told.value)
    mask = torch.tensor([[True, True, False]] * 2)
    assert bool(loss(p, t, None, mask).isfinite().all())  # outside the mask it is nothing


def test_nan_in_a_prediction_is_told_where_it_would_be_assigned() -> None:
    p = torch.zeros(2, 3, 4)
    p[1, 2, 0] = math.nan
    with pytest.raises(InputError, match=r"not finite \(set 1, slot 2, object 0\)"):
        hungarian(p, torch.zeros(2, 3, 4))


@both
def test_other_channels_are_refused_and_not_broadcast(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(InputError, match="4 channels, true ones 1"):
        loss(torch.zeros(2, 3, 4), torch.zeros(2, 3, 1))


@both
def test_a_loss_runs_on_meta(loss: Callable[..., Tensor]) -> None:
    with torch.device("meta"):
        p, t, mask = torch.empty(2, 3, 4), torch.empty(2, 2, 4), torch.ones(2, 2, dtype=torch.bool)
        assert loss(p, t, None, mask).shape == (2,)


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_sets_of_any_size_are_packed_and_come_back(sizes: list[int], seed: int) -> None:
    sets = [drawn(size, 2, seed=seed + size) for size in sizes]
    packed = pack(sets, 4)
    assert packed.shape == (len(sizes), 4, 3)
    assert packed[..., -1].sum(1).tolist() == sizes
    assert not bool(packed[packed[..., -1] == 0].any())
    for one, other in zip(unpack(packed), sets, strict=True):
        assert torch.equal(one, other)


def test_what_cannot_be_packed_is_told() -> None:
    with pytest.raises(InputError, match="no set"):
        pack([], 3)
    with pytest.raises(InputError, match=r"not finite \(set 1\)"):
        pack([torch.zeros(1, 2), torch.full((1, 2), math.nan)], 3)
    with pytest.raises(InputError, match="3 channels among others of 2"):
        pack([torch.zeros(1, 2), torch.zeros(1, 3)], 3)


def test_fields_know_where_their_channels_stand() -> None:
    assert CLEVR.channels == 19
    assert CLEVR.attributes == (slice(3, 5), slice(5, 13), slice(13, 16), slice(16, 18))
    for wrong in (-1, ()), (2, (3, 0)):
        with pytest.raises(InputError, match="cannot have"):
            Fields(*wrong)
    with pytest.raises(InputError, match="8 with presence"):
        StateCost(FIELDS)(torch.zeros(1, 2, 9), torch.zeros(1, 2, 9))
