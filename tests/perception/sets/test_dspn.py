"""DSPN's inner loop against a loop written out, and the promises about its step, its start and its presence."""

import gc
from collections.abc import Callable
from typing import Literal
from weakref import WeakSet

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from perception.sets import DSPN, FSPoolEncoder, ImplicitDSPN, hungarian, over_steps
from raster.errors import InputError

LATENT, SLOTS, CHANNELS = 8, 3, 3
WEIGHTS = {"presence": ("mask", "channel"), "distance": ("smooth_l1", "mse")}


def made(steps: int = 5, rate: float = 3.0, **rest: object) -> DSPN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = FSPoolEncoder(CHANNELS, LATENT, (8,), 6)
        return DSPN(LATENT, SLOTS, CHANNELS, encoder, steps, rate, **rest).double()  # type: ignore[arg-type]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def written_out(decoder: DSPN, z: Tensor) -> list[Tensor]:
    """Algorithm 1 for one set after another, set and mask apart as in the paper."""
    assert decoder.start is not None
    steps: list[list[Tensor]] = []
    for each in z:
        elements, mask = decoder.start[:, :-1], decoder.start[:, -1].clamp(0, 1)
        one = [torch.cat([elements, mask[:, None]], 1)]
        for _ in range(decoder.steps):
            code = decoder.encoder(torch.cat([elements, mask[:, None]], 1)[None])[0]
            grads = torch.autograd.grad(F.smooth_l1_loss(code, each), (elements, mask), create_graph=True)
            elements = elements - decoder.rate * grads[0]
            mask = (mask - decoder.rate * grads[1]).clamp(0, 1)
            one.append(torch.cat([elements, mask[:, None]], 1))
        steps.append(one)
    return [torch.stack([one[k] for one in steps]) for k in range(decoder.steps + 1)]


def test_it_is_the_papers_algorithm_in_value_and_in_every_gradient() -> None:
    decoder, z, targets = made(), drawn(4, LATENT), drawn(4, SLOTS, CHANNELS, seed=1)
    out, wanted = decoder(z), torch.stack(written_out(decoder, z))
    torch.testing.assert_close(out.trace, wanted)
    weights = list(decoder.parameters())
    ours = torch.autograd.grad(over_steps(hungarian, out.supervised, targets).sum(), weights)
    theirs = torch.autograd.grad(over_steps(hungarian, wanted, targets).sum(), weights)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("presence", WEIGHTS["presence"])
@pytest.mark.parametrize("distance", WEIGHTS["distance"])
def test_the_unrolled_gradient_is_right(
    presence: Literal["mask", "channel"], distance: Literal["smooth_l1", "mse"]
) -> None:
    decoder = made(3, presence=presence, distance=distance)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert torch.autograd.gradcheck(lambda z: decoder(z, mask).trace, (drawn(2, LATENT).requires_grad_(),))


@pytest.mark.parametrize("make", [DSPN, ImplicitDSPN])
def test_the_inner_step_does_not_know_the_size_of_the_batch(make: Callable[..., DSPN | ImplicitDSPN]) -> None:
    with torch.random.fork_rng(devices=[]):
        decoder = make(latent=LATENT, slots=SLOTS, channels=CHANNELS, rate=2.0).double()
    z = drawn(1, LATENT).expand(64, -1)
    alone = decoder(z[:1]).trace[:, 0]
    for batch in (2, 7, 64):
        crowd = decoder(z[:batch]).trace
        torch.testing.assert_close(crowd, alone[:, None].expand_as(crowd))
    # The original's step, the mean over the batch, would be 64 times shorter: the same rate / 64 shows it.
    decoder.rate /= 64
    assert not torch.allclose(decoder(z).trace[1], crowd[1], atol=1e-3)


def test_presence_is_a_mask_that_starts_at_a_half_and_stays_between_0_and_1() -> None:
    decoder = made(8, rate=300.0)
    trace = decoder(drawn(6, LATENT)).trace
    assert bool((trace[0, ..., -1] == 0.5).all())
    assert float(trace[..., -1].detach().min()) == 0 and float(trace[..., -1].detach().max()) == 1
    plain = made(8, rate=300.0, presence="channel")(drawn(6, LATENT)).trace.detach()
    assert float(plain[..., -1].max()) > 1


def test_all_steps_or_only_the_last_are_supervised() -> None:
    z = drawn(2, LATENT)
    every, last = made(4)(z), made(4, supervise="last")(z)
    assert torch.equal(every.supervised, every.trace) and len(every.supervised) == 5
    assert torch.equal(last.supervised[0], last.sets) and len(last.supervised) == 1


def test_the_gaps_are_the_representation_losses_of_the_trace_and_they_close() -> None:
    decoder = made(10, rate=1.0)
    with torch.no_grad():
        z = decoder.encoder(drawn(5, SLOTS, CHANNELS).abs())
        out = decoder(z)
        for gap, sets in zip(out.gaps, out.trace[:-1], strict=True):
            torch.testing.assert_close(gap, F.smooth_l1_loss(decoder.encoder(sets), z, reduction="none").mean(1))
    assert bool((out.gaps[-1] < out.gaps[0]).all())
    assert float(decoder.gap(out.trace[-1], z).detach().mean()) < 0.7 * float(out.gaps[0].mean())


def test_more_steps_at_test_go_on_where_fewer_ended() -> None:
    decoder, z = made(4), drawn(3, LATENT)
    with torch.no_grad():
        few, many = decoder(z), decoder(z, steps=9)
        torch.testing.assert_close(many.trace[:5], few.trace)
        torch.testing.assert_close(decoder(z, start=few.sets, steps=5).sets, many.sets)


class Kept:
    """What autograd keeps of a forward pass, alive as long as its graph is."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@pytest.mark.parametrize("gradients", [True, False])
def test_without_gradients_no_inner_step_is_kept_and_with_them_all_are(gradients: bool) -> None:
    decoder, z = made(4), drawn(3, LATENT)
    made_so_far, alive = [0], WeakSet[Kept]()

    def keep(tensor: Tensor) -> Kept:
        made_so_far[0] += 1
        kept = Kept(tensor)
        alive.add(kept)
        return kept

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept.tensor)
    counts = []
    for steps in (2, 8):
        with torch.set_grad_enabled(gradients), hooks:
            out = decoder(z, steps=steps)
        gc.collect()
        counts.append(len(alive))
        assert made_so_far[0] > 0  # the inner steps did differentiate
        del out
    if gradients:
        assert counts[1] > 3 * counts[0] > 0
    else:
        assert counts == [0, 0]


def test_a_start_with_nan_outside_the_mask_is_clean() -> None:
    decoder, z = made(3), drawn(1, LATENT)
    mask = torch.tensor([[True, False, True]])
    start = torch.full((1, SLOTS, CHANNELS), 0.3, dtype=torch.float64)
    dirty = torch.where(mask[..., None], start, torch.nan)
    torch.testing.assert_close(decoder(z, mask, start=dirty).sets, decoder(z, mask, start=start).sets)


def test_encodings_are_measured_by_their_mean_and_spread_over_the_sets_that_were_shown() -> None:
    decoder, sets = made(), drawn(50, SLOTS, CHANNELS)
    raw = decoder.encoder(sets)
    torch.testing.assert_close(decoder.encode(sets), raw)  # as it comes, until it is told otherwise
    decoder.standardise(sets)
    told = decoder.encode(sets)
    torch.testing.assert_close(told, (raw - raw.mean(0)) / raw.std(0))
    torch.testing.assert_close(decoder.gap(sets, told), torch.zeros(50, dtype=torch.float64))
    assert {"centre", "spread"} <= set(decoder.state_dict())  # saved with the weights
    with pytest.raises(InputError, match="a spread over 1 sets"):
        decoder.standardise(sets[:1])
