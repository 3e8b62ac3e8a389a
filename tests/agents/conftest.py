"""Random pictures, a tiny frozen trunk with random weights, and the circumstances of a call."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from agents import Moment
from games.pictures import Album, Gallery, SplitConfig
from perception import TimmTrunk, Trunks
from raster import CanvasConfig, Strokes

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


@pytest.fixture
def play(gallery: Gallery) -> Callable[..., Any]:
    """A play of given strokes (or canvas), with the first pictures as the photos; what else is given stands in it."""

    def make(strokes: Strokes | None = None, size: int = 32, **more: Any) -> Any:
        if strokes is not None:
            more.setdefault("canvas", CanvasConfig(size=size).draw(strokes, 0))
        count = len(more["canvas"])
        view = gallery.view(torch.arange(count))
        given = {"photo": view, "label": view.label, "trunks": gallery.trunks, "kept": None, "strokes": strokes}
        noise = lambda word: torch.Generator().manual_seed(len(word))  # noqa: E731
        return SimpleNamespace(**{**given, "generator": noise, **more})

    return make
