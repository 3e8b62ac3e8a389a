"""Pictures that games are dealt from, and a tiny frozen trunk with random weights."""

import numpy as np
import pytest

from games.pictures import Album, Gallery, SplitConfig
from perception import TimmTrunk, Trunks

TRUNK = TimmTrunk(name="test_resnet", weights="random")


@pytest.fixture(scope="session")
def gallery() -> Gallery:
    """12 things by 5 artists, the first two of one hand, two views each."""
    things, artists, views = 12, 5, 2
    label = np.repeat(np.arange(things), artists * views)
    artist = np.tile(np.repeat(np.arange(artists), views), things)
    pixels = np.random.default_rng(0).integers(0, 256, (len(label), 3, 8, 8), dtype=np.uint8)
    album = Album(
        pixels=pixels,
        label=label.astype(np.int64),
        artist=artist.astype(np.int64),
        classes=[f"thing-{i}" for i in range(things)],
        groups=[""] * things,
        source="random pictures",
        artists=[f"artist-{i}" for i in range(artists)],
        hands=[0, 0, 2, 3, 4],
    )
    return Gallery(album, SplitConfig(by=("class",), validation=0.0, test=0.25), Trunks("cpu"))


@pytest.fixture(scope="session")
def digits() -> Gallery:
    """200 pictures, 20 of each of ten digits, no artists: 32 px, so that a trunk has something to look at."""
    rng = np.random.default_rng(1)
    base, noise = rng.integers(30, 200, (200, 3, 1, 1)), rng.integers(-30, 55, (200, 3, 32, 32))
    album = Album(
        pixels=(base + noise).clip(0, 255).astype(np.uint8),
        label=np.repeat(np.arange(10), 20).astype(np.int64),
        artist=np.zeros(200, dtype=np.int64),
        classes=[str(number) for number in range(10)],
        groups=[""] * 10,
        source="noise",
    )
    return Gallery(album, SplitConfig(by=("picture",), validation=0.0, test=0.2), Trunks("cpu"))
