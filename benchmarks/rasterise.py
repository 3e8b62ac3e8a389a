"""The raster's engines against the textbook way: CPU time and ratios within one run; results/raster.json.

    python benchmarks/rasterise.py [--rounds 7]

The textbook way is ``engine="reference"``: the distance of every pixel to every stroke, and autograd through it.
Forward, and forward with backward, of N lines with ends anywhere on the canvas (long strokes: a hard case),
float32, sigma2 = 5e-4. The engines take turns within a round; each is warmed right before it is timed; CPU seconds
of the whole process are counted; the ratio is taken round by round. Torch runs on one thread, since two on a busy
machine spend their CPU time waiting (numba_and_torch.py); the last table is wall time of our engine on 1 and 2.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from raster import Strokes, rasterise

#: canvas, sketches, lines
CASES = [(28, 64, 16), (64, 16, 20), (128, 4, 20)]
ALONE = [(28, 256, 16), (64, 64, 20), (128, 32, 20), (224, 16, 20)]


def work(engine: str, size: int, batch: int, count: int) -> tuple[Callable[[], object], Callable[[], object]]:
    points = torch.rand(batch, count, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    upstream = torch.randn(batch, size, size, generator=torch.Generator().manual_seed(1))
    leaf = points.clone().requires_grad_()

    def forward() -> object:
        with torch.no_grad():
            return rasterise(Strokes(points), (size, size), engine=engine, check=False)

    def both() -> object:
        leaf.grad = None
        rasterise(Strokes(leaf), (size, size), engine=engine, check=False).backward(upstream)
        return leaf.grad

    return forward, both


def milliseconds(call: Callable[[], object], clock: Callable[[], float], repeat: int) -> float:
    call()
    start = clock()
    for _ in range(repeat):
        call()
    return 1e3 * (clock() - start) / repeat


def summary(values: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4)
    figures = {"median": middle, "low": low, "high": high, "least": min(values)}
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def against_the_textbook(rounds: int) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = []
    for size, batch, count in CASES:
        slow, fast = work("reference", size, batch, count), work("cpu", size, batch, count)
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for part, name in enumerate(("forward", "both")):
                reference = milliseconds(slow[part], time.process_time, 1)
                ours = milliseconds(fast[part], time.process_time, 20)
                for key, value in (("reference", reference), ("cpu", ours), ("ratio", reference / ours)):
                    times.setdefault(f"{name} {key}", []).append(value)
        row: dict[str, object] = {"canvas": size, "batch": batch, "lines": count}
        row |= {key: summary(values) for key, values in times.items()}
        rows.append(row)
        cells = [f"{key} {statistics.median(values):.3g}" for key, values in times.items()]
        print(f"{size:4} px, B={batch}, N={count}: " + ", ".join(cells), flush=True)
    return rows


def on_threads(rounds: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for size, batch, count in ALONE:
        forward, both = work("cpu", size, batch, count)
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for threads in (1, 2):
                torch.set_num_threads(threads)
                for name, call in (("forward", forward), ("both", both)):
                    if threads == 1:
                        times.setdefault(f"{name} CPU", []).append(milliseconds(call, time.process_time, 20))
                    times.setdefault(f"{name} wall {threads}", []).append(milliseconds(call, time.perf_counter, 20))
        row: dict[str, object] = {"canvas": size, "batch": batch, "lines": count}
        row |= {key: summary(values) for key, values in times.items()}
        rows.append(row)
        cells = [f"{key} {min(values):.3g}" for key, values in times.items()]
        print(f"{size:4} px, B={batch}, N={count}, least ms: " + ", ".join(cells), flush=True)
    return rows


def processor() -> str:
    file = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in file.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    found: dict[str, object] = {
        "about": {"machine": processor(), "cores": os.cpu_count(), "torch": torch.__version__, "rounds": rounds},
        "load_before": [round(value, 1) for value in os.getloadavg()],
        "cpu_ms_against_the_textbook": against_the_textbook(rounds),
        "ms_of_our_engine": on_threads(rounds),
    }
    found["load_after"] = [round(value, 1) for value in os.getloadavg()]
    target = Path(__file__).parent / "results" / "raster.json"
    target.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
