"""The digits that come with scikit-learn: pictures without a network."""

import numpy as np
from PIL import Image
from sklearn import datasets

from games.pictures.album import Album
from games.pictures.config import DigitPictures


def load_digits(config: DigitPictures) -> Album:
    """1,797 handwritten digits (Alpaydin & Kaynak 1998), 8x8 pixels made larger, black on white as on paper."""
    found = datasets.load_digits()
    ink = np.asarray(found.images)  # [n, 8, 8], 0 paper .. 16 ink
    small = np.rint(255 * (1 - ink / 16)).astype(np.uint8)
    side = (config.size, config.size)
    large = np.stack([np.asarray(Image.fromarray(one).resize(side, Image.Resampling.BICUBIC)) for one in small])
    return Album(
        pixels=np.repeat(large[:, None], 3, axis=1),
        label=np.asarray(found.target, dtype=np.int64),
        artist=np.zeros(len(large), dtype=np.int64),
        classes=[str(digit) for digit in range(10)],
        groups=[""] * 10,
        source=f"digits of scikit-learn, {config.size} px",
        licences=["digits: optical recognition of handwritten digits, E. Alpaydin and C. Kaynak, CC-BY-4.0"],
    )
