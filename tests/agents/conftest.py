"""Random pictures, a tiny frozen trunk with random weights, and the circumstances of a call."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from agents import Moment
from games.pictures import Album, Gallery, SplitConfig
from perception import TimmTrunk, Trunks

TRUNK = TimmTrunk(name="test_resnet", weights="random")


@pytest.fixture(scope="session")
def gallery() -> Gallery:
    """60 pictures of noise, 32 px, in 10 classes: brightness and contrast differ, so that statistics matter."""
    rng = np.random.default_rng(0)
    base, noise = rng.integers(30, 200, (60, 3, 1, 1)), rng.integers(-30, 55, (60, 3, 32, 32))
    album = Album(
        pixels=(base + noise).clip(0, 255).astype(np.uint8),
        label=np.repeat(np.arange(10), 6).astype(np.int64),
        artist=np.zeros(60, dtype=np.int64),
        classes=[f"thing-{number}" for number in range(10)],
        groups=[""] * 10,
        source="noise",
    )
    return Gallery(album, SplitConfig(by=("picture",), validation=0.2, test=0.2), Trunks("cpu"))


@pytest.fixture
def moment() -> Callable[..., Moment]:
    """A moment by seed; nothing learns unless said so."""

    def make(seed: int = 0, role: str = "sender", training: bool = False, step: int = 0) -> Moment:
        return Moment(step, role, torch.Generator().manual_seed(seed), training)

    return make
