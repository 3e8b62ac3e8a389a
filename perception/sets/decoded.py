"""What every set decoder answers with, and what it is called with."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from raster.shapes import Bool, Float, Tensor


@dataclass(frozen=True, eq=False)
class Decoded:
    """A set, and how it came about.

    Attributes:
        sets: [B, N, C], the answer; presence is the last channel (see `perception.sets.elements`).
        trace: [T + 1, B, N, C], the set before each inner step and after the last. A decoder of no inner steps has its
            answer alone. It may be detached: it is to look at.
        gaps: [T, B], the representation loss that each inner step started from; [0, B] without an inner objective.
        supervised: [S, B, N, C], the sets that a loss should be put on (`over_steps` does): all steps, or the last.
    """

    sets: Float[Tensor, "b n c"]
    trace: Float[Tensor, "steps b n c"]
    gaps: Float[Tensor, "inner b"]
    supervised: Float[Tensor, "s b n c"]

    @property
    def moved(self) -> Float[Tensor, "moves b"]:
        """How far a set's elements moved at each inner step: Euclidean, in the mean over slots, [T, B]."""
        return self.trace.detach().diff(dim=0).norm(dim=-1).mean(-1)

    @classmethod
    def at_once(cls, sets: Float[Tensor, "b n c"]) -> "Decoded":
        """The answer of a decoder that has no inner steps."""
        return cls(sets, sets[None], sets.new_zeros(0, sets.shape[0]), sets[None])

    @classmethod
    def by_layers(cls, trace: Float[Tensor, "steps b n c"], supervise_all: bool) -> "Decoded":
        """The answer of a decoder whose steps are layers: every one can carry a loss."""
        return cls(trace[-1], trace, trace.new_zeros(0, trace.shape[1]), trace[1:] if supervise_all else trace[-1:])


@runtime_checkable
class SetDecoder(Protocol):
    """Whatever turns a vector into a set. Any of them stands behind any encoder.

    Called with z [B, L] it answers with a `Decoded`. `mask` [B, N] says which slots are there (all of them by
    default); what lies outside comes back as zeros. `generator` feeds those that start from noise, and others ignore
    it; without one the noise is always the same, and the same for each set of the batch. A set's answer does not depend
    on its neighbours in the batch, nor on their number.
    """

    latent: int
    slots: int
    channels: int

    def __call__(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Decoded: ...


def noise(like: Float[Tensor, "b l"], shape: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """[B, N, C] of N(0, 1), drawn where the generator lives; without one, one fixed draw for all of the batch."""
    if generator is None:
        generator = torch.Generator().manual_seed(0)
        one = torch.randn(shape, generator=generator, device="cpu", dtype=like.dtype)
        return one.to(like.device).expand(like.shape[0], -1, -1)
    drawn = torch.randn((like.shape[0], *shape), generator=generator, device=generator.device, dtype=like.dtype)
    return drawn.to(like.device)
