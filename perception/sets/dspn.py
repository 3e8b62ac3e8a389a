"""Deep Set Prediction Networks: a set encoder, run backwards by gradient descent."""

from typing import Literal

import torch
from torch import nn

from perception.sets._descent import Descent, Objective, ordinary, ordinary_tensors
from perception.sets.decoded import Decoded, noise
from perception.sets.elements import at_least_one, cleaned
from perception.sets.encoders import FSPoolEncoder, SetEncoder
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor


class InnerLoop(nn.Module):
    """What `DSPN` and `ImplicitDSPN` share: the objective, the step size and the start.

    The objective is the representation loss between ``encoder(sets)`` and z: the mean over the latent, **summed over
    the batch**. (The original averages over the batch too, so that its step of 800 is 25 at 32 sets a batch and its
    predictions change with the batch.) ``rate`` is a buffer: it is saved with the weights, and `tune_rate` sets it.

    An encoding is taken as it comes, unless `standardise` has set the buffers ``centre`` and ``spread`` [L]: then z is
    compared with ``(encoder(sets) - centre) / spread``.
    """

    rate: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        latent: int,
        slots: int,
        channels: int,
        encoder: SetEncoder | None,
        distance: Literal["smooth_l1", "mse"],
        steps: int,
        rate: float,
    ) -> None:
        super().__init__()
        at_least_one(latent=latent, slots=slots, channels=channels, steps=steps)
        if not rate > 0:
            raise InputError(f"an inner step of {rate}", None, "it must be above 0; tune_rate finds one")
        encoder = FSPoolEncoder(channels, latent) if encoder is None else encoder
        if (encoder.channels, encoder.latent) != (channels, latent):
            raise InputError(
                f"a set encoder of {encoder.channels} channels and latent {encoder.latent} in a decoder of "
                f"{channels} and {latent}",
                None,
                "both must agree",
            )
        self.latent, self.slots, self.channels = latent, slots, channels
        self.encoder = encoder
        self.distance, self.steps = distance, steps
        self.register_buffer("rate", torch.tensor(float(rate)))
        self.register_buffer("centre", torch.zeros(latent))
        self.register_buffer("spread", torch.ones(latent))

    @torch.no_grad()
    def standardise(self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> None:
        """Measure encodings from here on by their mean and spread over these sets, number by number of the latent.

        Before it has learned, an encoder tells sets apart by little (by a hundredth, over scenes of ten objects), while
        vectors from elsewhere have a scale of their own: what no set's encoding is near, no inner loop can reach. With
        vectors of mean 0 and spread 1, which a BatchNorm gives, and this, both are alike from the first step. It
        changes what a rate means: call `tune_rate` after it. Raises InputError for fewer than two sets.
        """
        if len(sets) < 2:
            raise InputError(f"a spread over {len(sets)} sets", None, "give two or more")
        told = self.encoder(sets, mask)  # [B, L]
        self.centre.copy_(told.mean(0))
        # A number that is the same for all sets (a closed ReLU) is left with the least spread that is no zero.
        self.spread.copy_(told.std(0).clamp(min=1e-6))

    def encode(self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b l"]:
        """The sets as the vectors that the loop descends to: the encoder's, by ``centre`` and ``spread``."""
        return (self.encoder(sets, mask) - self.centre) / self.spread

    def gap(
        self, sets: Float[Tensor, "b n c"], z: Float[Tensor, "b l"], mask: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, " b"]:
        """The representation loss of each set: how far ``encode(sets)`` is from z, in the mean over the latent.

        ``smooth_l1`` is Huber's loss of width 1 (DSPN), ``mse`` half the squared difference (iDSPN).
        """
        apart = self.encode(sets, mask) - z
        if self.distance == "mse":
            return 0.5 * apart.square().mean(1)
        return nn.functional.smooth_l1_loss(apart, torch.zeros_like(apart), reduction="none").mean(1)


class DSPN(InnerLoop):
    """A vector to a set: from a learned start set, T gradient steps towards a set whose encoding is the vector.

    ``[B, latent] -> sets [B, slots, channels]``; `channels` counts presence, the last. The steps are unrolled: training
    differentiates through all of them, and memory grows with T. Under ``torch.no_grad`` memory does not grow, and
    `steps` may be raised freely (10 in training, 10 to 30 at test in the paper).

    `presence`: ``"mask"`` as in the paper (starts at 0.5, clamped to [0, 1] after each step), or ``"channel"``,
    one like the others. `start`: ``"learned"`` or ``"random"`` (N(0, 0.1^2), presence included, anew at each call).
    `supervise`: ``"all"`` puts the loss on every step, the start included, as the paper says; ``"last"`` on the answer
    alone, as its released code does for the Hungarian loss.

    An auto-encoder's loss is the set loss alone. For supervised prediction the paper adds 0.1 ``gap(targets, z)``.

    Source: Zhang, Hare and Prügel-Bennett, Deep Set Prediction Networks (NeurIPS 2019), algorithm 1.
    Raises InputError for a size below 1, a rate of 0 or less, or an `encoder` of other sizes.
    """

    def __init__(
        self,
        latent: int,
        slots: int,
        channels: int,
        encoder: SetEncoder | None = None,
        steps: int = 10,
        rate: float = 50.0,
        presence: Literal["mask", "channel"] = "mask",
        start: Literal["learned", "random"] = "learned",
        supervise: Literal["all", "last"] = "all",
        distance: Literal["smooth_l1", "mse"] = "smooth_l1",
    ) -> None:
        super().__init__(latent, slots, channels, encoder, distance, steps, rate)
        self.presence, self.supervise = presence, supervise
        self.start: nn.Parameter | None = None
        if start == "learned":
            first = torch.rand(slots, channels)
            if presence == "mask":
                first[:, -1] = 0.5
            self.start = nn.Parameter(first)

    def forward(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
        *,
        start: Float[Tensor, "b n c"] | None = None,
        steps: int | None = None,
    ) -> Decoded:
        """The set that `z` describes. `start` and `steps` replace the module's own for this call."""
        steps = self.steps if steps is None else steps
        at_least_one(steps=steps)
        with ordinary_tensors():
            z, mask = ordinary(z), None if mask is None else ordinary(mask)
            if start is None:
                if self.start is None:
                    start = 0.1 * noise(z, (self.slots, self.channels), generator)
                else:
                    start = self.start.expand(z.shape[0], -1, -1)
            descent = Descent(self.rate, settle=self._settle)
            objective = self._objective(z, mask)
            walk = descent.walk(objective, self._settle(cleaned(start, mask)), steps, torch.is_grad_enabled())
            trace = torch.stack(walk.sets)  # [T + 1, B, N, C]
            return Decoded(
                walk.sets[-1], trace, torch.stack(walk.gaps), trace if self.supervise == "all" else trace[-1:]
            )

    def _objective(self, z: Tensor, mask: Tensor | None) -> Objective:
        def objective(sets: Tensor) -> tuple[Tensor, Tensor]:
            gap = self.gap(sets, z, mask)
            return gap, gap

        return objective

    def _settle(self, sets: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        if self.presence == "channel":
            return sets
        return torch.cat([sets[..., :-1], sets[..., -1:].clamp(0.0, 1.0)], -1)
