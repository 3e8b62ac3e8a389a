"""How far a predicted set is from the true one: Chamfer and Hungarian, one number a set.

Both take prediction [B, N, C] and target [B, M, C], with masks of what is there in each. Where one side has nothing to
be compared with, it is compared with *the empty element*, the zero vector (`perception.sets.elements`), so an empty set
on either side gives a finite loss that pulls the slots towards empty.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

from perception.sets.elements import Fields, cleaned, counted, too_many
from raster.errors import InputError
from raster.shapes import Bool, Float, Int, Tensor

#: From prediction [B, N, C] and target [B, M, C] to the cost of each pair, [B, N, M].
Cost = Callable[[Tensor, Tensor], Tensor]


@runtime_checkable
class SetLoss(Protocol):
    """`chamfer`, `hungarian`, and what is called like them."""

    def __call__(
        self,
        prediction: Float[Tensor, "b n c"],
        target: Float[Tensor, "b m c"],
        prediction_mask: Bool[Tensor, "b n"] | None = None,
        target_mask: Bool[Tensor, "b m"] | None = None,
    ) -> Float[Tensor, " b"]: ...


def smooth_l1(prediction: Float[Tensor, "b n c"], target: Float[Tensor, "b m c"]) -> Float[Tensor, "b n m"]:
    """Huber's loss of width 1 for every pair, in the mean over channels, presence included."""
    first = prediction[:, :, None].expand(-1, -1, target.shape[1], -1)
    second = target[:, None].expand(-1, prediction.shape[1], -1, -1)
    return F.smooth_l1_loss(first, second, reduction="none").mean(-1)


@dataclass(frozen=True)
class StateCost:
    """The cost of a pair of objects (`Fields`), with a weight for numbers, for attributes and for presence.

    ``attributes="smooth_l1"`` compares one-hot channels as numbers (what DSPN, iDSPN and Slot Attention do): each
    channel's Huber loss times its weight, over C; all weights 1 is `smooth_l1`. More weight on numbers buys tight
    thresholds of the average precision with loose ones.

    ``attributes="cross_entropy"`` reads a prediction's attribute channels as logits: weighted Huber losses of the
    numbers (mean) and of presence, and the cross-entropy in the mean over attributes. The first and the last count for
    real targets only, so an empty target asks for presence 0 and nothing else. Not for DSPN and iDSPN, whose inner
    encoder must find predictions and targets alike.
    """

    fields: Fields
    numbers: float = 1.0
    classes: float = 1.0
    presence: float = 1.0
    attributes: Literal["smooth_l1", "cross_entropy"] = "smooth_l1"

    def __call__(self, prediction: Float[Tensor, "b n c"], target: Float[Tensor, "b m c"]) -> Float[Tensor, "b n m"]:
        """The cost of each pair. Raises InputError for other channels than the fields speak of."""
        self.fields.check(prediction.shape[-1])
        first = prediction[:, :, None].expand(-1, -1, target.shape[1], -1)
        second = target[:, None].expand(-1, prediction.shape[1], -1, -1)
        huber = F.smooth_l1_loss(first, second, reduction="none")  # [B, N, M, C]
        numbers, presence = huber[..., : self.fields.numbers], huber[..., -1]
        if self.attributes == "smooth_l1":
            classes = huber[..., self.fields.numbers : -1].sum(-1)
            weighted = self.numbers * numbers.sum(-1) + self.classes * classes + self.presence * presence
            return weighted / self.fields.channels
        real = target[:, None, :, -1]  # [B, 1, M]; an empty target's one-hots are zero, and so is its cross-entropy
        cost = self.presence * presence + self.numbers * real * numbers.sum(-1) / max(self.fields.numbers, 1)
        for where in self.fields.attributes:
            likely = prediction[..., where].log_softmax(-1) @ target[..., where].transpose(1, 2)  # [B, N, M]
            cost = cost - self.classes * likely / len(self.fields.classes)
        return cost


def chamfer(
    prediction: Float[Tensor, "b n c"],
    target: Float[Tensor, "b m c2"],
    prediction_mask: Bool[Tensor, "b n"] | None = None,
    target_mask: Bool[Tensor, "b m"] | None = None,
    cost: Cost = smooth_l1,
) -> Float[Tensor, " b"]:
    """Each element to its nearest on the other side, in the mean over each side, both added: [B].

    Blind to how often an element occurs: for multisets use `hungarian`. Never looks at a value, except on the CPU,
    where NaN or infinity in a target is an InputError (elsewhere that look would make the device wait; `pack`
    checks data once). Another number of channels is one too.

    Source: the Chamfer loss of Deep Set Prediction Networks (NeurIPS 2019).
    """
    prediction, target = _ready(prediction, target, prediction_mask, target_mask)
    empty = target.new_zeros(target.shape[0], 1, target.shape[2])
    pairs = cost(prediction, target)  # [B, N, M]
    total = prediction.new_zeros(prediction.shape[0])
    sides = [
        (torch.cat([pairs, cost(prediction, empty)], 2), prediction_mask, target_mask),
        (torch.cat([pairs, cost(empty, target)], 1).transpose(1, 2), target_mask, prediction_mask),
    ]
    for costs, mine, others in sides:  # [B, mine, others + 1]: the empty element is the last of the others
        if others is None:
            alone = costs.new_full((costs.shape[0], 1), costs.shape[2] == 1, dtype=torch.bool)
            others = alone.new_ones(costs.shape[0], costs.shape[2] - 1)
        else:
            alone = ~others.any(1, keepdim=True)
        allowed = torch.cat([others, alone], 1)  # [B, others + 1]
        nearest = costs.masked_fill(~allowed[:, None], torch.inf).amin(2)  # [B, mine]
        if mine is not None:
            nearest = torch.where(mine, nearest, 0.0)
        total = total + nearest.sum(1) / counted(costs, mine)[:, 0]
    return total


def hungarian(
    prediction: Float[Tensor, "b n c"],
    target: Float[Tensor, "b m c2"],
    prediction_mask: Bool[Tensor, "b n"] | None = None,
    target_mask: Bool[Tensor, "b m"] | None = None,
    cost: Cost = smooth_l1,
) -> Float[Tensor, " b"]:
    """The cheapest one-to-one pairing of slots and objects, in the mean over slots: [B].

    Slots left over are paired with the empty element, so padding a target with zeros, cutting the padding off and
    masking it are the same. Raises InputError for more objects than slots, NaN or infinity in a target or in a
    prediction, or another number of channels.

    Source: the Hungarian loss of Deep Set Prediction Networks (NeurIPS 2019), after Kuhn (1955).
    """
    prediction, target = _ready(prediction, target, prediction_mask, target_mask)
    empty = target.new_zeros(target.shape[0], 1, target.shape[2])
    alone = cost(prediction, empty)  # [B, N, 1]
    pairs = cost(prediction, target)  # [B, N, M]
    # What each pairing costs above leaving that slot empty: the padding need not be assigned at all.
    slot = assign((pairs - alone).detach(), prediction_mask, target_mask)  # [B, M]
    chosen = slot[:, None] == torch.arange(pairs.shape[1], device=slot.device)[:, None]  # [B, N, M]
    if target_mask is not None:
        chosen = chosen & target_mask[:, None]
    left = ~chosen.any(2)
    if prediction_mask is not None:
        left = left & prediction_mask
    total = torch.where(chosen, pairs, 0.0).sum((1, 2)) + torch.where(left, alone[..., 0], 0.0).sum(1)
    return total / counted(prediction, prediction_mask)[:, 0]


def assign(
    cost: Float[Tensor, "b n m"],
    slot_mask: Bool[Tensor, "b n"] | None = None,
    object_mask: Bool[Tensor, "b m"] | None = None,
) -> Int[Tensor, "b m"]:
    """The slot of each object, each slot used once, at the least cost; 0 for an object outside the mask.

    On the CPU, by scipy, a set at a time: at ten objects its call costs less than handing it to a process would.
    Raises InputError for more objects than slots and for a cost that is not finite.
    """
    if cost.device.type == "meta":
        return torch.empty(cost.shape[0], cost.shape[2], dtype=torch.long, device="meta")
    table = cost.detach().cpu().double().numpy()
    finite = np.isfinite(table)
    slots = None if slot_mask is None else slot_mask.cpu().numpy()
    objects = None if object_mask is None else object_mask.cpu().numpy()
    if not finite.all():
        where = np.argwhere(~finite)[0]
        raise InputError(
            "a cost of pairing is not finite",
            f"set {where[0]}, slot {where[1]}, object {where[2]}",
            "the prediction or the target holds NaN or infinity; a smaller learning rate or inner step may help",
        )
    chosen = np.zeros((table.shape[0], table.shape[2]), dtype=np.int64)
    for index, each in enumerate(table):
        columns = np.arange(each.shape[1]) if objects is None else np.flatnonzero(objects[index])
        rows = np.arange(each.shape[0]) if slots is None else np.flatnonzero(slots[index])
        if len(columns) > len(rows):
            raise too_many(index, len(columns), len(rows))
        if objects is not None or slots is not None:
            each = each[np.ix_(rows, columns)]
        row, column = linear_sum_assignment(each)
        chosen[index, columns[column]] = rows[row]
    return torch.from_numpy(chosen).to(cost.device)


def over_steps(
    loss: SetLoss,
    steps: Float[Tensor, "s b n c"],
    target: Float[Tensor, "b m c"],
    prediction_mask: Bool[Tensor, "b n"] | None = None,
    target_mask: Bool[Tensor, "b m"] | None = None,
) -> Float[Tensor, " b"]:
    """A set loss in the mean over a decoder's supervised steps (``Decoded.supervised``), all in one call."""
    count = steps.shape[0]

    def repeated(mask: Tensor | None) -> Tensor | None:
        return None if mask is None else mask.repeat(count, 1)

    flat = loss(steps.flatten(0, 1), target.repeat(count, 1, 1), repeated(prediction_mask), repeated(target_mask))
    return flat.unflatten(0, (count, -1)).mean(0)


def _ready(
    prediction: Tensor, target: Tensor, prediction_mask: Tensor | None, target_mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Both sides with zeros outside their masks; InputError for what cannot be compared."""
    if prediction.shape[2] != target.shape[2]:
        raise InputError(
            f"predicted elements have {prediction.shape[2]} channels, true ones {target.shape[2]}",
            None,
            "presence is the last channel of both",
        )
    target = cleaned(target, target_mask)
    if target.device.type == "cpu":
        wrong = ~target.isfinite().all(-1)  # [B, M]
        if bool(wrong.any()):
            index, place = wrong.nonzero()[0].tolist()
            raise InputError("NaN or infinity in a target", f"set {index}, object {place}", "look for it in the data")
    return cleaned(prediction, prediction_mask), target
