"""Runs that are made by one process and by several, and how they are held against each other."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from runs import checkpoint
from runs.config import Config
from runs.folder import lines, read_json

ROOT = Path(__file__).parents[3]
MLP = {"kind": "mlp", "hidden": [8], "size": 8}
EYE = {"trunk": MLP, "hidden": 8, "dropout": 0.2}
EVENTS: list[dict[str, Any]] = [
    {"kind": "imitate", "every": 2, "drawings": 5, "steps": 2, "teacher": "best"},
    {"kind": "replace", "every": 3, "who": "oldest"},
    {"kind": "freeze", "at": 1, "who": "random", "side": "receivers"},
    {"kind": "thaw", "at": 4, "who": "oldest"},
    {"kind": "death", "at": 2, "side": "senders", "who": [1]},
    {"kind": "birth", "at": 5},
    {"kind": "migrate", "every": 4},
    {"kind": "generation", "at": 7, "drawings": 4, "steps": 1},
]
BIASES: list[dict[str, Any]] = [
    {"kind": "ink", "weight": {"from": 0.0, "to": 1.0, "over": 4}},
    {"kind": "tremor"},
    {"kind": "same-for-all", "memory": 20, "places": 4, "weight": 0.1},
]
STEPS = 12
Make = Callable[..., Config]


def village(small: Make, **changes: Any) -> dict[str, Any]:
    """Stackable agents, four and three of them, in whose life something happens at nearly every step; as JSON."""
    community = {
        "senders": 4,
        "receivers": 3,
        "meetings": 4,
        "reach": 0.5,
        "topology": {"kind": "islands", "count": 2, "leak": 0.3},
        "events": EVENTS,
        **changes.pop("community", {}),
    }
    train = {
        "steps": STEPS,
        "games": 5,
        "dtype": "float64",
        "weight_decay": 0.1,
        "log_every": 3,
        "journal_every": 4,
        "validate_every": 6,
        "checkpoint_every": 5,
        **changes.pop("train", {}),
    }
    keys: dict[str, Any] = {
        "sender": {**EYE, "strokes": {"count": 3}},
        "receiver": {**EYE, "dims": 6, "reader": {"kind": "patches", "size": 4}},
        "biases": BIASES,
        "measure": {"validation_pools": 2, "test_pools": 2},
        **changes,
    }
    found: dict[str, Any] = small(community=community, train=train, **keys).model_dump(mode="json", by_alias=True)
    return found


class Group(NamedTuple):
    """What came of some ranks.

    Attributes:
        told: of each launch, what every rank said.
        codes: with which each rank ended its command.
        lines: what each rank wrote to stderr.
    """

    told: list[list[str]]
    codes: list[int]
    lines: list[list[str]]


def ranks(groups: list[dict[str, Any]], where: Path) -> list[Group]:
    """Let groups of ranks do their launches and then a command, one group after another (``work.py``)."""
    file = where / "cases.json"
    file.write_text(json.dumps(groups))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, str(ROOT / "tests/runs/ranks/work.py"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=where, env=env, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    found = []
    for place, group in enumerate(groups):
        files = [Path(f"{file}.{place}.{number}") for number in range(group["ranks"])]
        lines = [Path(f"{each}.err").read_text().splitlines() for each in files]
        assert all(each.exists() for each in files), lines
        told = zip(*(json.loads(each.read_text()) for each in files), strict=True)
        found.append(Group(list(map(list, told)), codes[place], lines))
    return found


def apart(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two nests differ: numbers and tensors by more than 1e-8, all else at all."""
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return [f"{where}: {list(one)} {list(other)}"]
        return [each for key, value in one.items() for each in apart(value, other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [each for n, (a, b) in enumerate(zip(one, other, strict=True)) for each in apart(a, b, f"{where}.{n}")]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.shape == other.shape:
        return [] if torch.allclose(one.double(), other.double(), rtol=0, atol=1e-8) else [where]
    if isinstance(one, float) and isinstance(other, float):
        return [] if one == pytest.approx(other, abs=1e-8, nan_ok=True) else [f"{where}: {one} {other}"]
    return [] if type(one) is type(other) and one == other else [f"{where}: {one} {other}"]


def left(folder: Path) -> dict[str, Any]:
    """All that a run wrote, without times and executors' names."""
    found = checkpoint.load(folder / "checkpoints")
    assert found is not None
    weights, state = found
    gone = {"seconds", "games_per_second", "minutes", "executor"}
    files = ("metrics.jsonl", "events.jsonl", "plays/train.jsonl", "plays/validation.jsonl", "plays/test.jsonl")
    written = {
        name: [{key: value for key, value in sorted(line.items()) if key not in gone} for line in lines(folder / name)]
        for name in files
    }
    summary = {key: value for key, value in read_json(folder / "summary.json").items() if key not in gone}
    kept = {key: value for key, value in state.items() if key not in gone}
    return {"weights": weights, "state": kept, "summary": summary, **written}
