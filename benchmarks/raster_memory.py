"""How much memory a drawing and its gradient take: peak growth, each in a process of its own.

    python benchmarks/raster_memory.py        # writes results/raster_memory.json

A process draws one tiny canvas first (kernels loaded, torch settled), notes its peak, then draws the case forward and
backward and says by how much the peak grew. The textbook way takes some 7 GB for the cubics.
"""

import json
import sys
from typing import Any

import torch
from _cases import Case, about, in_a_process_of_its_own, peak_mib, write

from raster import Strokes, rasterise

CASES = {
    "lines, 128 px, B=32, N=20": (Case("line", 128, 32, 20), ("textbook", "tile", "cpu")),
    "cubics, 128 px, B=32, N=20": (Case("cubic", 128, 32, 20), ("textbook", "tile", "cpu")),
}
MANY = 100_000


def growth(way: str, name: str) -> float:
    case, _ = CASES[name]
    Case(case.kind, 8, 1, 1, case.sigma2).both(way)()
    call = case.both(way)
    before = peak_mib()
    call()
    return round(peak_mib() - before, 1)


def many(engine: str) -> float:
    """The whole process, imports and points included, for 100,000 short lines on 1,024 x 1,024 with a gradient."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(MANY, 1, 2, generator=generator) * 2 - 1
    points = (centre + (torch.rand(MANY, 2, 2, generator=generator) - 0.5) * 0.05).requires_grad_()
    rasterise(Strokes(points), (1024, 1024), sigma2=1e-6, engine=engine).square().mean().backward()
    return round(peak_mib(), 1)


def main() -> None:
    found: dict[str, Any] = {"about": about(), "peak growth, MiB": {}}
    for name, (_, ways) in CASES.items():
        row = {way: in_a_process_of_its_own("raster_memory.py", "growth", way, name)["MiB"] for way in ways}
        row["textbook / cpu"] = round(row["textbook"] / max(row["cpu"], 0.1), 1)
        found["peak growth, MiB"][name] = row
        print(name, row, flush=True)
    whole = {way: in_a_process_of_its_own("raster_memory.py", "many", way)["MiB"] for way in ("cpu", "tile")}
    nothing = in_a_process_of_its_own("raster_memory.py", "nothing")["MiB"]
    found[f"{MANY} lines on 1,024 px, whole process, MiB"] = {**whole, "imports alone": nothing}
    print(found[f"{MANY} lines on 1,024 px, whole process, MiB"])
    write("raster_memory.json", found)


if __name__ == "__main__":
    if sys.argv[1:]:
        what, *words = sys.argv[1:]
        measured = {"growth": growth, "many": many, "nothing": peak_mib}[what](*words)
        print(json.dumps({"MiB": measured}))
    else:
        main()
