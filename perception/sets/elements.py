"""What a set is here: the layout, the one meaning of presence, masks, and the parts of an object's description.

A batch of sets is ``[B, N, C]``: N slots of C channels. **Presence is the last channel**: 1 in a slot that holds an
element, 0 in an empty one, and in an empty slot every other channel is 0 too, so that *the empty element is the zero
vector*. A prediction's presence is any number, read as confidence: it orders the detections of an average precision,
and above 0.5 the slot counts as filled. C counts it: objects of 18 numbers are sets of 19 channels.

A **mask** ``[B, N]`` is another thing: which slots are there at all. Slots outside it are left out of pooling,
decoding and losses, and what they hold, NaN included, changes nothing. So a set of any size is written in one of two
ways: as empty elements (presence 0), which a network sees, or outside a mask, which it does not. A mask that is all
false is legal and gives finite values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor


@dataclass(frozen=True)
class Fields:
    """What an element's channels mean: first numbers, then one-hot attributes, then presence.

    ``Fields(3, (2, 8, 3, 2))`` is CLEVR's object: 3 coordinates, material, colour, shape and size, and presence: 19
    channels. Raises InputError for a negative count or an attribute of no values.
    """

    numbers: int
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.numbers < 0 or any(size < 1 for size in self.classes):
            raise InputError(f"an element cannot have {self}", None, "counts are 0 or more, attributes 1 value or more")

    @property
    def channels(self) -> int:
        """C, presence included."""
        return self.numbers + sum(self.classes) + 1

    @property
    def attributes(self) -> tuple[slice, ...]:
        """Where each attribute's one-hot channels stand."""
        starts = [self.numbers + sum(self.classes[:i]) for i in range(len(self.classes))]
        return tuple(slice(start, start + size) for start, size in zip(starts, self.classes, strict=True))

    def check(self, channels: int) -> None:
        """Raise InputError unless elements of so many channels can be read this way."""
        if channels != self.channels:
            raise InputError(
                f"elements have {channels} channels, the fields speak of {self.channels} with presence",
                None,
                "presence is the last channel and is counted",
            )


#: CLEVR's objects: 3-d coordinates, material, colour, shape, size (and presence).
CLEVR = Fields(3, (2, 8, 3, 2))


def pack(elements: Sequence[Float[Tensor, "_ _"]], slots: int) -> Float[Tensor, "b {slots} c"]:
    """Sets of any sizes, each ``[n, C - 1]`` without presence, as one batch of `slots` slots with it.

    Raises InputError for a set of more elements than slots, for one that holds NaN or infinity, for sets that do
    not agree in channels, and for no set at all.

    >>> pack([torch.tensor([[0.5]]), torch.zeros(0, 1)], 2)
    tensor([[[0.5000, 1.0000],
             [0.0000, 0.0000]],
    <BLANKLINE>
            [[0.0000, 0.0000],
             [0.0000, 0.0000]]])
    """
    if not elements:
        raise InputError("there is no set to pack", None, "give at least one (it may be empty)")
    channels = elements[0].shape[1]
    packed = elements[0].new_zeros(len(elements), slots, channels + 1)
    for index, each in enumerate(elements):
        if each.shape[1] != channels:
            raise InputError(f"elements of {each.shape[1]} channels among others of {channels}", f"set {index}")
        if len(each) > slots:
            raise too_many(index, len(each), slots)
        if not bool(each.isfinite().all()):
            raise InputError("an element is not finite", f"set {index}", "look for NaN or infinity in the data")
        packed[index, : len(each), :-1] = each
        packed[index, : len(each), -1] = 1.0
    return packed


def unpack(sets: Float[Tensor, "b n c"], threshold: float = 0.5) -> list[Float[Tensor, "_ _"]]:
    """The elements whose presence is above `threshold`, without it: the way back from `pack`."""
    return [each[each[:, -1] > threshold, :-1] for each in sets]


def cleaned(sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n c"]:
    """Zero outside the mask, whatever stood there, so that no NaN reaches a sum or a gradient."""
    return sets if mask is None else torch.where(mask[..., None], sets, 0.0)


def counted(sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b 1"]:
    """How many elements each set has, never less than 1: what a mean divides by."""
    if mask is None:
        return sets.new_full((sets.shape[0], 1), float(max(sets.shape[1], 1)))
    return mask.sum(1, keepdim=True).clamp(min=1).to(sets.dtype)


def at_least_one(**sizes: int) -> None:
    """Raise InputError for a size below 1, naming it."""
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} is {size}", None, "it must be at least 1")


def too_many(index: int, objects: int, slots: int) -> InputError:
    """The one line that tells of more objects than slots."""
    return InputError(f"{objects} objects do not fit {slots} slots", f"set {index}", "use more slots")
