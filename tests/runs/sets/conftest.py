"""Runs that take a moment: few slots, few steps, narrow networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from games.scenes import WorldConfig, write_scenes
from runs.sets import SetsConfig

SMALL: dict[str, Any] = {
    "name": "small",
    "task": {"kind": "polygons", "slots": 3},
    "encoder": {"kind": "mlp", "hidden": [8]},
    "latent": 8,
    "decoder": {"kind": "dspn", "encoder": {"kind": "fspool", "hidden": [8]}, "steps": 3},
    "train": {"steps": 6, "batch": 4, "log_every": 2, "validate_every": 3, "checkpoint_every": 2},
    "measure": {"sets": 20, "validation": 5, "inner": [2, 5], "examples": 2},
}
WORLD = {"least": 1, "most": 3, "visible": 0.0}
PICTURES = {
    "task": {
        "kind": "state",
        "slots": 3,
        "scenes": {"kind": "made", "count": 8, "held": 4, "width": 16, "height": 16, "samples": 1, "world": WORLD},
    },
    "encoder": {"kind": "convnet", "channels": [4, 4]},
    "measure": {"sets": 4, "validation": 2, "inner": [], "examples": 2},
}


@pytest.fixture(scope="session")
def small() -> Callable[..., SetsConfig]:
    """The small config with some of its keys replaced, a level deep where both are mappings of one kind."""

    def make(**changes: Any) -> SetsConfig:
        merged = dict(SMALL)
        for key, value in changes.items():
            old = merged.get(key)
            both = isinstance(old, dict) and isinstance(value, dict)
            merged[key] = {**old, **value} if both and value.get("kind") in (None, old.get("kind")) else value
        return SetsConfig.model_validate(merged)

    return make


@pytest.fixture(scope="session")
def pictures(small: Callable[..., SetsConfig]) -> Callable[..., SetsConfig]:
    """The same of eight small pictures of scenes made up."""

    def make(**changes: Any) -> SetsConfig:
        return small(**{**PICTURES, **changes})

    return make


@pytest.fixture(scope="session")
def clevr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in CLEVR's layout: six scenes to learn from, three held out."""
    folder = tmp_path_factory.mktemp("clevr") / "mini"
    world = WorldConfig.model_validate(WORLD)
    write_scenes(folder, {"train": 6, "val": 3}, world, width=16, height=16, samples=1, seed=1, masks=False)
    return folder
