"""What a bias remembers of drawings that were made in earlier steps."""

import torch
from torch import nn

from raster.shapes import Bool, Float, Int, Tensor


class Memory(nn.Module):
    """The last drawings at a glance, with the class of each; a new one takes the place of the oldest.

    Buffers only: nothing is learned, all of it is saved with a checkpoint, and no step waits for a number.

    Attributes:
        drawings: [M, D].
        label: [M]; -1 where nothing has been written yet.
        slot: where the next one goes.
    """

    drawings: Tensor
    label: Tensor
    slot: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("drawings", torch.zeros(size, width))
        self.register_buffer("label", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("slot", torch.zeros((), dtype=torch.long))

    def write(self, drawings: Float[Tensor, "b d"], label: Int[Tensor, " b"]) -> None:
        """Remember B drawings; of more than M the last."""
        size = self.label.shape[0]
        drawings, label = drawings.detach()[-size:], label[-size:]
        slots = (self.slot + torch.arange(len(label), device=self.slot.device)) % size
        self.drawings[slots] = drawings.to(self.drawings.dtype)
        self.label[slots] = label
        self.slot.copy_((self.slot + len(label)) % size)


def others(
    drawings: Float[Tensor, "b d"], label: Int[Tensor, " b"], memory: nn.Module | None
) -> tuple[Float[Tensor, "b m"], Bool[Tensor, "b m"], Bool[Tensor, "b m"]]:
    """Each drawing beside all others: those of its batch, and those remembered.

    Returns:
        distance: mean squared difference of shade, [B, B + M].
        another: whether the other is a drawing at all, and not the same one, [B, B + M].
        alike: whether it is of the same class, [B, B + M].
    """
    known, classes = drawings, label
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    another = ~itself
    if isinstance(memory, Memory):
        known = torch.cat([drawings, memory.drawings.to(drawings.dtype)])
        classes = torch.cat([label, memory.label])
        another = torch.cat([another, (memory.label >= 0).expand(len(label), -1)], dim=1)
    # |a - b|^2 as |a|^2 + |b|^2 - 2ab: no tensor of B x M x D.
    squares = drawings.square().sum(-1)[:, None] + known.square().sum(-1) - 2 * drawings @ known.T
    distance = squares.clamp(min=0.0) / drawings.shape[1]
    return distance, another, label[:, None] == classes
