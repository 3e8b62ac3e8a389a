"""A run that takes a second: digits, small canvas, learned convnets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from runs.config import Config
from runs.run import Run, assemble
from runs.start import launch
from runs.train import Learner

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
    """The small config with some of its top-level keys replaced; dicts of one kind are merged one level deep."""

    def make(**changes: Any) -> Config:
        merged = dict(SMALL)
        for key, value in changes.items():
            old = merged.get(key)
            both = isinstance(old, dict) and isinstance(value, dict)
            merged[key] = {**old, **value} if both and value.get("kind") in (None, old.get("kind")) else value
        return Config.model_validate(merged)

    return make


@pytest.fixture(scope="session")
def finished(small: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small run with every probe but the judge's, finished. Look, do not write."""
    config = small(probes=["rate", "prefix"], measure={"test_pools": 4})
    return launch(config, tmp_path_factory.mktemp("finished") / "run", progress=False, device="cpu")


class _Killed(BaseException):
    """What SIGKILL leaves."""


@pytest.fixture
def whole_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Config, int], tuple[Run, Run]]:
    """Runs a config to its end, and once more killed before a step and then resumed; neither writes its page."""
    monkeypatch.setattr("runs.start.write_report", lambda *_: None)  # half of a small run's time, and tested elsewhere

    def make(config: Config, died_at: int) -> tuple[Run, Run]:
        whole = launch(config, tmp_path / "whole", progress=False, device="cpu")
        step = Learner.step

        def dying(self: Learner) -> object:
            if self.run.step == died_at:
                raise _Killed
            return step(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Learner, "step", dying)
            with pytest.raises(_Killed):
                launch(config, tmp_path / "killed", progress=False, device="cpu")
        return whole, launch(config, tmp_path / "killed", resume=True, progress=False, device="cpu")

    return make


@pytest.fixture(scope="module")
def untrained(small: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Agents that never learned."""
    return assemble(small(), tmp_path_factory.mktemp("untrained"), torch.device("cpu"))
