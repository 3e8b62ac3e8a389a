"""What the raster's benchmarks have in common: cases, clocks, and a fresh process for each measure of memory."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _textbook
import torch
from torch import Tensor

from raster import Strokes, rasterise

HERE = Path(__file__).parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Case:
    """B sketches of N strokes with points anywhere on the canvas (long strokes: a hard case)."""

    kind: str
    canvas: int
    sketches: int
    strokes: int
    sigma2: float = 5e-4

    def points(self) -> Tensor:
        shape = (self.sketches, self.strokes, {"line": 2, "cubic": 4}[self.kind], 2)
        return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def draw(self, way: str, points: Tensor) -> Tensor:
        if way == "textbook":
            return {"line": _textbook.lines, "cubic": _textbook.cubics}[self.kind](points, self.canvas, self.sigma2)
        strokes = Strokes(points, self.kind)
        return rasterise(strokes, (self.canvas, self.canvas), sigma2=self.sigma2, check=False, engine=way)

    def both(self, way: str, at_once: int | None = None) -> Callable[[], object]:
        """Forward and backward, from a fixed gradient of the picture; some sketches at a time where memory is short."""
        shape = (self.sketches, self.canvas, self.canvas)
        upstream = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        leaf = self.points().requires_grad_()
        parts = [slice(start, start + at_once) for start in range(0, self.sketches, at_once)] if at_once else []

        def call() -> object:
            leaf.grad = None
            if not parts:
                self.draw(way, leaf).backward(upstream)
            for part in parts:
                self.draw(way, leaf[part]).backward(upstream[part])
            return leaf.grad

        return call

    def forward(self, way: str) -> Callable[[], object]:
        points = self.points()

        def call() -> object:
            with torch.no_grad():
                return self.draw(way, points)

        return call


def milliseconds(call: Callable[[], object], clock: Callable[[], float], repeat: int) -> float:
    """A call's time; it is warmed first."""
    call()
    start = clock()
    for _ in range(repeat):
        call()
    return 1e3 * (clock() - start) / repeat


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most of some rounds."""
    figures = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def told(figures: dict[str, float], digits: int = 3) -> str:
    return f"{figures['median']:.{digits}g} ({figures['least']:.{digits}g} to {figures['most']:.{digits}g})"


def about() -> dict[str, object]:
    """The machine, and how busy it is."""
    file = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in file.read_text().splitlines() if line.startswith("model name")]
    return {
        "machine": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def write(name: str, found: dict[str, Any]) -> None:
    (RESULTS / name).write_text(json.dumps(found, indent=1) + "\n")


def in_a_process_of_its_own(script: str, *words: str) -> dict[str, Any]:
    """Runs a benchmark file with words after it; what its last line says, in JSON."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *words], capture_output=True, text=True, check=False, cwd=HERE.parent
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return found


def peak_mib() -> float:
    """The most memory that this process has had, MiB; what ``getrusage`` tells begins with the parent's."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
