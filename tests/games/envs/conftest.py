"""Small pictures for environments."""

import numpy as np
import pytest

from games.pictures import Album, Gallery, SplitConfig
from perception import Trunks


@pytest.fixture(scope="session")
def gallery() -> Gallery:
    """80 pictures of noise, 12 px, in 8 classes."""
    album = Album(
        pixels=np.random.default_rng(0).integers(0, 256, (80, 3, 12, 12), dtype=np.uint8),
        label=np.repeat(np.arange(8), 10).astype(np.int64),
        artist=np.zeros(80, dtype=np.int64),
        classes=[f"thing-{number}" for number in range(8)],
        groups=[""] * 8,
        source="noise",
    )
    return Gallery(album, SplitConfig(by=("picture",), validation=0.2, test=0.2), Trunks("cpu"))
