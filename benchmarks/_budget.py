"""Runs of a number of CPU minutes: how many steps there is time for, and what is kept of a finished one."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _cases import about

import runs
from runs.config import Config
from runs.folder import read_json
from runs.run import assemble
from runs.train import Learner

REST = 25.0
"""CPU seconds that a run takes beside its steps: pictures from the cache, validations, measuring."""


def affordable(config: Config, minutes: float, timed: int) -> int:
    """Steps that a run of so many CPU minutes has time for, by the time of ``timed`` of them; 20 at least."""
    learner = Learner(assemble(config, Path("out") / config.name, torch.device("cpu")))
    for _ in range(timed // 4):
        learner.step()
    began = time.process_time()
    for _ in range(timed):
        learner.step()
    return max(20, int((60 * minutes - REST) / ((time.process_time() - began) / timed)))


def one(chosen: Config, folder: Path, kept: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Train and measure, or go on; the steps, the CPU seconds (None of one that went on: of earlier sittings nobody
    knows), the machine, and what is ``kept`` of the summary of the test.
    """
    resumed, began = (folder / "config.yaml").exists(), time.process_time()
    run = runs.launch(chosen, out=folder, resume=True, device="cpu", progress=False)
    spent = None if resumed else time.process_time() - began
    summary = read_json(run.folder.summary)
    return _short({"steps": summary["steps"], "cpu_seconds": spent, "about": about(), "test": kept(summary)})


def spent(row: dict[str, Any]) -> str:
    """The CPU seconds of a row, for a person."""
    return "resumed" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.0f} CPU s"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
