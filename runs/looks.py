"""Pictures that networks look at while a run is probed: each that differs once, however often it comes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from raster.shapes import Float, Int, Tensor

CHUNK = 32
"""Pictures that are looked at together: more are no faster, and take memory."""

Kept = dict[bytes, tuple[Tensor, ...]]
"""What was seen of pictures, [...] each, by a hash of their pixels."""
Look = Callable[[Float[Tensor, "b 3 h w"]], Sequence[Float[Tensor, "b *any"]]]
"""Pictures in [0, 1] to what is seen of each, in one or more tensors."""


def look_at(pictures: Iterable[Float[Tensor, "b 3 h w"]], look: Look, *kept: Kept) -> list[bytes]:
    """Look at those pictures that were not looked at before, without gradients.

    Drawings of one photo by one sender are the same to the last bit, on however many pools it is shown.

    Args:
        pictures: part after part, so that not all need be there at once.
        look: what a network sees of some.
        kept: where to look for what was seen before; what is seen now, and what is found again, goes into the first,
            on the CPU.

    Returns:
        The key of each picture in the first of ``kept``.
    """
    keys: list[bytes] = []
    waiting: dict[bytes, Tensor] = {}

    def see() -> None:
        with torch.no_grad():
            found = [each.cpu() for each in look(torch.stack(list(waiting.values())))]
        kept[0].update(zip(waiting, zip(*found, strict=True), strict=True))
        waiting.clear()

    for part in pictures:
        for key, picture in zip(hashed(part), part, strict=True):
            keys.append(key)
            before = next((each[key] for each in kept if key in each), None)
            if before is not None:
                kept[0][key] = before
            elif key not in waiting:
                waiting[key] = picture
                if len(waiting) == CHUNK:
                    see()
    if waiting:
        see()
    return keys


def recalled(keys: Sequence[bytes], kept: Kept) -> tuple[Float[Tensor, "n *any"], ...]:
    """What was seen of pictures, by their keys; each of the tensors that ``look`` gave."""
    return tuple(torch.stack(each) for each in zip(*(kept[key] for key in keys), strict=True))


def hashed(*tensors: Tensor) -> Iterator[bytes]:
    """A hash of each row of one or more tensors [b, ...]: the same where all are the same to the last bit."""
    rows = [np.ascontiguousarray(each.detach().cpu().numpy()) for each in tensors]
    for each in zip(*rows, strict=True):
        found = hashlib.sha256()
        for row in each:
            found.update(row.data)
        yield found.digest()


def different(*tensors: Tensor) -> tuple[Int[Tensor, " m"], Int[Tensor, " n"]]:
    """The first of each kind of row, where rows of the same numbers are of one kind.

    Args:
        tensors: [n, ...]; rows are alike where they are in every one.

    Returns:
        Positions of the first rows, [m], rising; and for each of the n rows which of these it is like.

    >>> different(torch.tensor([5.0, 7.0, 5.0]))
    (tensor([0, 1]), tensor([0, 1, 0]))
    """
    kinds: dict[bytes, int] = {}
    first, place = [], []
    for row, key in enumerate(hashed(*tensors)):
        if key not in kinds:
            kinds[key] = len(kinds)
            first.append(row)
        place.append(kinds[key])
    return torch.tensor(first, dtype=torch.long), torch.tensor(place, dtype=torch.long)
