"""When and for whom something happens: what an agent or a bias may know of the step it is in."""

from dataclasses import dataclass

import torch

from raster.shapes import Tensor


@dataclass(frozen=True)
class Moment:
    """One call's circumstances.

    Attributes:
        step: training step, from 0; schedules read it.
        role: ``"sender"`` or ``"receiver"``: whose eyes or hand this is.
        generator: the only source of noise. It lives on the CPU on every device and is seeded by the round,
            so a round replayed is the same round, dropout included, and resuming is exact.
        training: False when a run is measured: no dropout then.
    """

    step: int
    role: str
    generator: torch.Generator
    training: bool = True

    def rand(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform noise in [0, 1) of any ``shape``, on the device and in the dtype of ``like``."""
        noise = torch.rand(shape, generator=self.generator, dtype=torch.float32)
        return noise.to(device=like.device, dtype=like.dtype)

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        """Inverted dropout of ``x`` (any shape) with a mask dealt by this moment; ``x`` itself when not training."""
        if not self.training or rate == 0.0:
            return x
        keep = self.rand(tuple(x.shape), x) >= rate
        return x * keep / (1.0 - rate)
