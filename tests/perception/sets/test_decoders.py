"""What must hold of every set decoder: any of them stands behind any encoder."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from perception import sets
from perception.sets import Decoded, SetDecoder
from raster.errors import InputError

LATENT, SLOTS, CHANNELS = 6, 4, 3
ENCODERS: dict[str, Callable[[], nn.Module]] = {
    "fspool": lambda: sets.FSPoolEncoder(CHANNELS, LATENT, (8,)),
    "relation": lambda: sets.RelationEncoder(CHANNELS, LATENT, (8,)),
    "deepsets": lambda: sets.DeepSets(CHANNELS, LATENT, (8,), "mean"),
    "transformer": lambda: sets.SetTransformer(CHANNELS, LATENT, width=8, heads=2),
}


def dspn(encoder: str, **rest: object) -> nn.Module:
    return sets.DSPN(LATENT, SLOTS, CHANNELS, ENCODERS[encoder](), steps=3, rate=2.0, **rest)  # type: ignore[arg-type]


def idspn(encoder: str, **rest: object) -> nn.Module:
    return sets.ImplicitDSPN(LATENT, SLOTS, CHANNELS, ENCODERS[encoder](), steps=3, rate=1.0, **rest)  # type: ignore[arg-type]


KINDS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: sets.MLPDecoder(LATENT, SLOTS, CHANNELS, (8,)),
    "lstm": lambda: sets.LSTMDecoder(LATENT, SLOTS, CHANNELS, 8),
    "transformer": lambda: sets.TransformerDecoder(LATENT, SLOTS, CHANNELS, 8, 2, 2, 3),
    "slots": lambda: sets.SlotAttention(LATENT, SLOTS, CHANNELS, 8, 2, 3),
    "slots, all": lambda: sets.SlotAttention(LATENT, SLOTS, CHANNELS, 8, 2, 3, supervise="all"),
    **{f"dspn {name}": partial(dspn, name) for name in ENCODERS},
    "dspn, plain": partial(dspn, "fspool", presence="channel", start="random", supervise="last", distance="mse"),
    **{f"idspn {name}": partial(idspn, name) for name in ENCODERS},
    "idspn, learned": partial(idspn, "fspool", start="learned", solver="conjugate", trace="ends"),
}
every = pytest.mark.parametrize("kind", KINDS)


def made(kind: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return KINDS[kind]().double()


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@every
def test_a_vector_becomes_a_set_with_its_trace(kind: str) -> None:
    decoder = made(kind)
    assert isinstance(decoder, SetDecoder)
    assert (decoder.latent, decoder.slots, decoder.channels) == (LATENT, SLOTS, CHANNELS)
    out = decoder(drawn(5, LATENT))
    assert isinstance(out, Decoded)
    assert out.sets.shape == (5, SLOTS, CHANNELS)
    assert out.trace.shape[1:] == out.supervised.shape[1:] == out.sets.shape
    assert torch.equal(out.trace[-1], out.sets) and torch.equal(out.supervised[-1], out.sets)
    assert out.moved.shape == (len(out.trace) - 1, 5) and bool((out.moved > 0).all())
    if kind.startswith("dspn") or (kind.startswith("idspn") and "learned" not in kind):
        assert len(out.trace) == 4 and out.gaps.shape == (3, 5)


@every
def test_every_weight_and_the_vector_learn_from_what_is_supervised(kind: str) -> None:
    decoder, z = made(kind), drawn(6, LATENT).requires_grad_()
    out = decoder(z, None, torch.Generator().manual_seed(0))
    sets.over_steps(sets.hungarian, out.supervised, drawn(6, SLOTS, CHANNELS, seed=1)).mean().backward()
    assert z.grad is not None and bool(z.grad.isfinite().all()) and bool(z.grad.any(1).all())
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in decoder.parameters())
    still = [n for n, p in decoder.named_parameters() if p.grad is None or not bool(p.grad.any())]
    # What cannot be seen: a bias of all keys under a softmax; an LSTM's input weights, as what comes in is zero.
    hidden = ("key.bias", "cell.weight_ih_l0")
    assert [name for name in still if not name.endswith(hidden)] == []


@every
def test_a_set_does_not_depend_on_its_neighbours_in_the_batch(kind: str) -> None:
    decoder, z = made(kind), drawn(7, LATENT)
    together = decoder(z).trace
    alone = torch.cat([decoder(each[None]).trace for each in z], 1)
    torch.testing.assert_close(together, alone)


@every
def test_slots_outside_the_mask_are_zero_and_those_inside_finite(kind: str) -> None:
    decoder, z = made(kind), drawn(3, LATENT).requires_grad_()
    mask = torch.tensor([[True, True, False, False], [True] * 4, [False] * 4])
    out = decoder(z, mask)
    assert not bool(out.sets[~mask].any()) and not bool(out.trace[:, ~mask].any())
    assert bool(out.sets[mask].any(-1).all())
    targets = drawn(3, SLOTS, CHANNELS, seed=1)
    sets.over_steps(sets.hungarian, out.supervised, targets, mask, mask).mean().backward()
    for tensor in (out.sets, z.grad, *(p.grad for p in decoder.parameters())):
        assert tensor is not None and bool(tensor.isfinite().all())
    torch.testing.assert_close(out.sets[1:2], decoder(z[1:2]).sets)


@every
def test_the_same_generator_gives_the_same_set_and_the_global_one_is_left_alone(kind: str) -> None:
    decoder, z = made(kind), drawn(3, LATENT)
    before = torch.random.get_rng_state()
    one, same, other = (decoder(z, None, torch.Generator().manual_seed(k)).sets for k in (0, 0, 1))
    assert torch.equal(one, same) and torch.equal(decoder(z).sets, decoder(z).sets)
    assert torch.equal(torch.random.get_rng_state(), before)
    random = kind.startswith(("slots", "idspn", "dspn, plain")) and "learned" not in kind
    assert torch.equal(one, other) != random


@every
@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_without_gradients_it_says_the_same(kind: str, off: Callable[[], torch.no_grad]) -> None:
    decoder = made(kind)
    mask = torch.tensor([[True, True, True, False]] * 3)
    wanted = decoder(drawn(3, LATENT), mask).trace
    with off():
        out = decoder(drawn(3, LATENT), mask.clone())
    torch.testing.assert_close(out.trace, wanted.detach())
    assert not out.sets.requires_grad and not out.trace.requires_grad


class NoLook(TorchDispatchMode):
    """Fails where a tensor's value is fetched: on a GPU the device would be waited for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert func not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), func
        return func(*args, **(kwargs or {}))


@every
def test_a_step_looks_at_no_value(kind: str) -> None:
    decoder, z = made(kind), drawn(3, LATENT)
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NoLook():
        z.sum().item()
    with NoLook():
        decoder(z, torch.tensor([[True, True, False, False]] * 3)).supervised.square().mean().backward()


@every
def test_a_training_step_runs_on_meta(kind: str) -> None:
    with torch.device("meta"):
        decoder = KINDS[kind]()
        z, mask, targets = torch.empty(2, LATENT), torch.ones(2, SLOTS, dtype=torch.bool), torch.empty(2, 3, CHANNELS)
        for loss in (sets.hungarian, sets.chamfer):
            out = decoder(z, mask, torch.Generator(device="cpu"))
            assert out.sets.device.type == "meta" and out.sets.shape == (2, SLOTS, CHANNELS)
            sets.over_steps(loss, out.supervised, targets, mask).mean().backward()


@every
def test_nothing_mixes_a_batch(kind: str) -> None:
    assert not [m for m in made(kind).modules() if isinstance(m, nn.modules.batchnorm._BatchNorm | nn.Dropout)]


@every
def test_weights_come_back_from_a_state_dict_with_the_inner_step(kind: str) -> None:
    decoder = made(kind)
    if isinstance(decoder, sets.DSPN | sets.ImplicitDSPN):
        decoder.rate.fill_(0.7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        other = KINDS[kind]().double()
    other.load_state_dict(decoder.state_dict())
    assert torch.equal(other(drawn(2, LATENT)).sets, decoder(drawn(2, LATENT)).sets)


@pytest.mark.parametrize("kind", ["transformer", "slots"])
def test_a_sequence_of_features_is_read_as_it_is(kind: str) -> None:
    decoder, z = made(kind), drawn(3, LATENT)
    assert isinstance(decoder, sets.TransformerDecoder | sets.SlotAttention)
    tokens = decoder.tokens(z)
    assert torch.equal(decoder.read(tokens).sets, decoder(z).sets)
    turned = decoder.read(tokens.flip(1)).sets  # as a set: positions are for the caller to add
    torch.testing.assert_close(turned, decoder.read(tokens).sets)


def test_slots_share_out_each_input_and_average_over_what_they_got() -> None:
    """Algorithm 1 of the paper, an input and a slot at a time."""
    decoder, x = made("slots"), drawn(1, 5, 8)
    assert isinstance(decoder, sets.SlotAttention)
    start = drawn(1, SLOTS, 8, seed=2)
    slots, inputs = start[0], decoder.norms[0](x[0])
    for _ in range(2):
        queries = decoder.query(decoder.norms[1](slots))
        weight = torch.zeros(5, SLOTS, dtype=torch.float64)
        for i in range(5):
            weight[i] = (queries @ decoder.key(inputs[i]) / math.sqrt(8)).softmax(0) + decoder.eps
        seen = torch.stack([(weight[:, s, None] * decoder.value(inputs)).sum(0) / weight[:, s].sum() for s in range(4)])
        slots = decoder.update(seen, slots)
        slots = slots + decoder.think(decoder.norms[2](slots))
    torch.testing.assert_close(decoder.read(x, start=start).sets[0], decoder.head(slots))


def test_slots_that_start_equal_stay_equal() -> None:
    decoder = made("slots")
    assert isinstance(decoder, sets.SlotAttention)
    out = decoder.read(drawn(2, 5, 8), start=drawn(2, 1, 8).expand(-1, SLOTS, -1)).sets
    torch.testing.assert_close(out, out[:, :1].expand_as(out))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sets.MLPDecoder(0, 3, 3),
        lambda: sets.MLPDecoder(3, 0, 3),
        lambda: sets.LSTMDecoder(3, 3, 3, 0),
        lambda: sets.TransformerDecoder(3, 3, 3, layers=0),
        lambda: sets.TransformerDecoder(3, 3, 3, tokens=0),
        lambda: sets.SlotAttention(3, 3, 3, iterations=0),
        lambda: sets.DSPN(3, 3, 3, steps=0),
        lambda: sets.DSPN(3, 3, 3, rate=0.0),
        lambda: sets.DSPN(3, 3, 3, rate=math.nan),
        lambda: sets.DSPN(LATENT, SLOTS, CHANNELS)(torch.zeros(1, LATENT), steps=0),
        lambda: sets.DSPN(3, 3, 3, sets.FSPoolEncoder(3, 4)),
        lambda: sets.ImplicitDSPN(3, 3, 3, momentum=1.0),
        lambda: sets.ImplicitDSPN(3, 3, 3, clip=0.0),
        lambda: sets.ImplicitDSPN(3, 3, 3, solver_steps=0),
    ],
)
def test_impossible_settings_are_one_clear_line(wrong: Callable[[], object]) -> None:
    with pytest.raises(InputError) as told:
        wrong()
    assert "\n" not in str(told.value)
