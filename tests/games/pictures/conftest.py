"""Small pictures and small networks for the tests of games.pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from games.pictures import Album


@pytest.fixture(scope="session")
def make_album() -> Callable[..., Album]:
    """An album of random pictures: every artist draws every class ``views`` times."""

    def make(classes: int = 12, artists: int = 4, views: int = 1, size: int = 16, **more: Any) -> Album:
        rng = np.random.default_rng(0)
        label = np.repeat(np.arange(classes), max(1, artists) * views)
        artist = np.tile(np.repeat(np.arange(max(1, artists)), views), classes)
        return Album(
            **{
                "pixels": rng.integers(0, 256, (len(label), 3, size, size), dtype=np.uint8),
                "label": label.astype(np.int64),
                "artist": artist.astype(np.int64),
                "classes": [f"thing-{number}" for number in range(classes)],
                "groups": [""] * classes,
                "source": "random pictures",
                "artists": [f"artist-{number}" for number in range(artists)],
                **more,
            }
        )

    return make
