"""The digits that come with scikit-learn: pictures without a network."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn import datasets

from games.pictures.album import Album
from games.pictures.config import DigitPictures


def load_digits(config: DigitPictures) -> Album:
    """1,797 handwritten digits (Alpaydin & Kaynak 1998), 8x8 pixels made larger, black on white as on paper."""
    large, label = _resized(config.size)
    return Album(
        pixels=np.repeat(large[:, None], 3, axis=1),
        label=label.copy(),
        artist=np.zeros(len(large), dtype=np.int64),
        classes=[str(digit) for digit in range(10)],
        groups=[""] * 10,
        source=f"digits of scikit-learn, {config.size} px",
        licences=["digits: optical recognition of handwritten digits, E. Alpaydin and C. Kaynak, CC-BY-4.0"],
    )


@lru_cache(maxsize=2)
def _resized(size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Grey pictures [n, size, size] and labels [n], kept for who asks again: environments are made by the dozen."""
    found = datasets.load_digits()
    ink = np.asarray(found.images)  # [n, 8, 8], 0 paper .. 16 ink
    small = np.rint(255 * (1 - ink / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC)) for one in small]
    return np.stack(large), np.asarray(found.target, dtype=np.int64)
