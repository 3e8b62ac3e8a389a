"""A run that takes a second: digits, small canvas, learned convnets."""

from collections.abc import Callable
from typing import Any

import pytest

from runs.config import Config

SMALL: dict[str, Any] = {
    "name": "small",
    "pictures": {"kind": "digits", "size": 16, "split": {"by": ["picture"], "validation": 0.15, "test": 0.2}},
    "game": {
        "kind": "mixture",
        "of": [
            {"kind": "referential", "view": "same", "candidates": 5},
            {"kind": "referential", "view": "class", "candidates": 5},
        ],
    },
    "canvas": {"size": 16, "sigma2": 5e-3},
    "sender": {"trunk": {"kind": "convnet", "channels": [8, 8]}, "hidden": 16, "dropout": 0.1, "strokes": {"count": 4}},
    "receiver": {
        "trunk": {"kind": "convnet", "channels": [8, 8]},
        "reader": {"kind": "convnet", "channels": [8, 8]},
        "hidden": 16,
        "dims": 8,
    },
    "biases": [{"kind": "ink", "weight": {"from": 0.0, "to": 1.0, "over": 4}}],
    "train": {
        "steps": 6,
        "games": 10,
        "warmup": 2,
        "log_every": 2,
        "journal_every": 2,
        "validate_every": 3,
        "checkpoint_every": 2,
    },
    "measure": {"validation_pools": 1, "test_pools": 2},
    "probes": ["rate"],
}


@pytest.fixture(scope="session")
def small() -> Callable[..., Config]:
    """The small config with some of its top-level keys replaced; dicts are merged one level deep."""

    def make(**changes: Any) -> Config:
        merged = dict(SMALL)
        for key, value in changes.items():
            old = merged.get(key)
            merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        return Config.model_validate(merged)

    return make
