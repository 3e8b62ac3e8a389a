"""What a source of pictures hands over: plain arrays, before any split or device."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raster.errors import InputError

MOST_BYTES = 8 * 2**30


@dataclass(frozen=True)
class Album:
    """n pictures with their classes and artists, on the CPU.

    Attributes:
        pixels: uint8 [n, 3, H, H], RGB.
        label: class of each picture, [n].
        artist: artist of each picture, [n]; all 0 where there are none.
        classes: names of the classes.
        groups: what group each class belongs to; "" for none.
        artists: names of the artists; [] for none.
        hands: the hand of each artist; near twins share one. [] for a hand each.
        source: one line for a person.
        licences: one line a licence that must be shown with the pictures.
        place: the file or folder that they came from, if any.
        absent: artists that this source has, but that could not be got this time.
        test: which pictures are the test, bool [n], where the source itself says so.
        sets: what is in each picture, float32 [n, N, C] as ``perception.sets.CLEVR`` has it, where that is known.
        changes: in what each picture differs from the first of its class, [n], numbers of ``games.scenes.CHANGES``;
            where classes are scenes with variants.
    """

    pixels: NDArray[np.uint8]
    label: NDArray[np.int64]
    artist: NDArray[np.int64]
    classes: Sequence[str]
    groups: Sequence[str]
    source: str
    artists: Sequence[str] = ()
    hands: Sequence[int] = ()
    licences: Sequence[str] = ()
    place: Path | None = None
    absent: Sequence[str] = ()
    test: NDArray[np.bool_] | None = None
    sets: NDArray[np.float32] | None = None
    changes: NDArray[np.int64] | None = None

    def content(self) -> str:
        """SHA-256 of pictures, labels, artists and their names, in hex: the same in every process.

        The order counts: the same pictures in another order are another gallery, for everything that is kept
        about a gallery (features, journals) goes by position. Sources therefore sort.
        """
        sha = hashlib.sha256()
        names = [list(self.pixels.shape), list(self.classes), list(self.artists)]
        sha.update(json.dumps(names, ensure_ascii=True).encode())
        sha.update(np.ascontiguousarray(self.pixels).data)
        sha.update(np.ascontiguousarray(self.label, dtype="<i8").data)
        sha.update(np.ascontiguousarray(self.artist, dtype="<i8").data)
        return sha.hexdigest()


def check_room(count: int, size: int, where: object) -> None:
    """Refuse what would not fit into memory.

    Raises:
        InputError: the pictures would take more than 8 GiB.
    """
    need = count * 3 * size * size
    if need > MOST_BYTES:
        raise InputError(
            f"{count:,} pictures of {size}x{size} pixels would take {need / 2**30:.0f} GiB",
            where,
            "say pictures.per_class, or a smaller pictures.size",
        )
