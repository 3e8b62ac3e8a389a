"""Drawings that take a moment: two small pictures, sixteen pixels, a few lines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runs.draw import DrawConfig

SMALL: dict[str, Any] = {
    "name": "small",
    "strokes": {"kind": "line", "count": 6},
    "start": {"kind": "random", "length": 0.4},
    "canvas": {"size": 16, "sigma2": 5e-3},
    "biases": [{"kind": "copy"}],
    "steps": 12,
    "look_every": 3,
    "checkpoint_every": 4,
    "relocate": {"every": 4},
    "picture": 32,
    "film": {"frames": 4, "size": 24, "seconds": 0.5},
}


@pytest.fixture(scope="session")
def small() -> Callable[..., DrawConfig]:
    """The small config with some of its keys replaced."""

    def make(**changes: Any) -> DrawConfig:
        return DrawConfig.model_validate({**SMALL, **changes})

    return make


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A dark bar on white, upright and lying, 40 x 32 pixels."""
    folder = tmp_path_factory.mktemp("photos")
    upright = np.full((32, 40, 3), 255, dtype=np.uint8)
    upright[4:28, 18:22] = 0
    lying = np.full((32, 40, 3), 255, dtype=np.uint8)
    lying[14:18, 8:32] = (200, 20, 20)
    for name, pixels in (("upright", upright), ("lying", lying)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return [folder / "upright.png", folder / "lying.png"]
