"""The raster against the textbook way: CPU time, forward and backward, and ratios within one run.

    python benchmarks/raster_speed.py [--rounds 5]      # writes results/raster_speed.json

The textbook way (_textbook.py) holds the distance of every pixel to every stroke and lets autograd go through it. Ways
take turns within a round, each warmed right before it is timed; CPU seconds of the whole process on two threads are
counted, and the ratio is taken round by round. A cubic is ten pieces for the textbook, and for us as many as keep ink
within 0.03 (some 30 to 50). Then: wall time on one thread and two; the cost of a small call beside that of an empty
operation; and our time beside the arithmetic inside the strokes' bands.
"""

import argparse
import math
import time
from typing import Any

from runs.process import settle

settle()

import numpy as np  # noqa: E402 (after settle, which torch's threads read)
import torch  # noqa: E402
from _cases import Case, about, milliseconds, spread, told, write  # noqa: E402
from numba import njit  # noqa: E402

from raster import Strokes, rasterise  # noqa: E402
from raster.drawing import LOSSLESS  # noqa: E402

#: Thin lines, cubics, many small canvases, a wide line (sigma of 10 pixels).
AGAINST = {
    "lines, 128 px": (Case("line", 128, 32, 20), ("cpu", "tile")),
    "cubics, 128 px": (Case("cubic", 128, 32, 20), ("cpu", "tile")),
    "lines, 28 px": (Case("line", 28, 256, 16), ("cpu", "tile")),
    "wide lines, 128 px": (Case("line", 128, 8, 20, (10 * 2 / 128) ** 2), ("cpu", "tile")),
}
ON_THREADS = {
    "lines, 64 px": Case("line", 64, 64, 20),
    "lines, 128 px": Case("line", 128, 64, 20),
    "cubics, 128 px": Case("cubic", 128, 64, 20),
}
#: Operations a pixel of a band costs at least: distance to a segment 12, exp 12, product and its gradient 20.
FLOPS = 44


def against_the_textbook(rounds: int) -> dict[str, Any]:
    torch.set_num_threads(2)
    rows = {}
    for name, (case, ways) in AGAINST.items():
        times: dict[str, list[float]] = {}
        calls = {way: case.both(way) for way in ways}
        # Its cubics take 7 GB at once, and longer for the page faults: in parts of 8 sketches they take 2.
        calls["textbook"] = case.both("textbook", at_once=8 if case.kind == "cubic" else None)
        for _ in range(rounds):
            slow = milliseconds(calls["textbook"], time.process_time, 1)
            times.setdefault("textbook ms", []).append(slow)
            for way in ways:
                ours = milliseconds(calls[way], time.process_time, 20)
                times.setdefault(f"{way} ms", []).append(ours)
                times.setdefault(f"{way} ratio", []).append(slow / ours)
        rows[name] = {key: spread(values) for key, values in times.items()}
        print(name, *(f"{key} {told(each)}" for key, each in rows[name].items()), sep="  ", flush=True)
    return rows


def on_two_threads(rounds: int) -> dict[str, Any]:
    rows = {}
    for name, case in ON_THREADS.items():
        call = case.both("cpu")
        times: dict[str, list[float]] = {"1": [], "2": [], "ratio": []}
        for _ in range(3 * rounds):
            each = {}
            for threads in (1, 2):
                torch.set_num_threads(threads)
                each[threads] = milliseconds(call, time.perf_counter, 10)
                times[str(threads)].append(each[threads])
            times["ratio"].append(each[1] / each[2])
        rows[name] = {key: spread(values) for key, values in times.items()}
        print(name, *(f"threads {key}: {told(each)}" for key, each in rows[name].items()), sep="  ", flush=True)
    return rows


@torch.library.custom_op("lascaux_benchmark::nothing", mutates_args=())
def nothing(points: torch.Tensor) -> torch.Tensor:
    return points.new_empty(points.shape[0], 28, 28)


@torch.library.custom_op("lascaux_benchmark::nothing_backward", mutates_args=())
def nothing_backward(upstream: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(points)


nothing.register_autograd(
    lambda ctx, upstream: nothing_backward(upstream, *ctx.saved_tensors),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


def small_call(rounds: int) -> dict[str, Any]:
    """One sketch of 16 lines on 28 px, forward and backward, wall time of one thread; and an empty operation."""
    torch.set_num_threads(1)
    case = Case("line", 28, 1, 16)
    ours, leaf = case.both("cpu"), case.points().requires_grad_()
    upstream = torch.ones(1, 28, 28)
    times: dict[str, list[float]] = {"raster": [], "empty operation": [], "difference": []}
    for _ in range(3 * rounds):
        times["raster"].append(milliseconds(ours, time.perf_counter, 200))
        times["empty operation"].append(milliseconds(lambda: nothing(leaf).backward(upstream), time.perf_counter, 200))
        times["difference"].append(times["raster"][-1] - times["empty operation"][-1])
    row = {key: spread(values) for key, values in times.items()}
    print(*(f"{key} {told(each)} ms" for key, each in row.items()), sep="  ", flush=True)
    return row


@njit(fastmath=True)
def multiply_and_add(count: int) -> float:
    """A loop of fused multiply-adds that nothing but arithmetic holds up: 16 vectors of 16 numbers."""
    held = np.ones(256, np.float32)
    for _ in range(count):
        for i in range(256):
            held[i] = held[i] * np.float32(0.999) + np.float32(1e-3)
    return held.sum()


def gigaflops() -> float:
    multiply_and_add(10)
    count = 2_000_000
    best = math.inf
    for _ in range(5):
        start = time.process_time()
        multiply_and_add(count)
        best = min(best, time.process_time() - start)
    return 2 * 256 * count / best / 1e9


def pixels_in_bands(case: Case, cut: float) -> int:
    """(stroke, pixel) pairs nearer than sigma sqrt(cut), counted exactly."""
    wide = math.sqrt(case.sigma2 * cut / math.log(2))  # hard ink ends at half its width, sqrt(sigma2 ln 2)
    strokes = Strokes(case.points(), case.kind, sigma2=torch.tensor(wide**2))
    ink = rasterise(strokes, (case.canvas, case.canvas), response="hard", compose="sum", engine="cpu")
    return int(ink.sum(dtype=torch.float64))


def beside_the_floor(rounds: int) -> dict[str, Any]:
    """Our time as a multiple of the arithmetic in the bands: what no way of drawing exactly can leave out."""
    torch.set_num_threads(1)
    speed = gigaflops()
    rows: dict[str, Any] = {"float32 GFLOP/s of one core": round(speed, 1)}
    for name, case in ON_THREADS.items():
        pairs = [pixels_in_bands(case, cut) for cut in LOSSLESS[torch.float32]]
        # The picture takes distance and exp in the narrow band, the gradient all of it in the wide one.
        floor = (24 * pairs[0] + FLOPS * pairs[1]) / speed / 1e6
        ours = spread([milliseconds(case.both("cpu"), time.process_time, 10) for _ in range(rounds)])
        share = pairs[0] / (case.sketches * case.strokes * case.canvas**2)
        rows[name] = {
            "pairs": pairs,
            "share of all pairs": round(share, 4),
            "floor ms": round(floor, 3),
            "ours ms": ours,
        }
        rows[name]["times the floor"] = round(ours["median"] / floor, 2)
        print(f"{name}: floor {floor:.3g} ms, ours {told(ours)}, {rows[name]['times the floor']} times", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, Any] = {"about": {**about(), "rounds": rounds}}
    found["CPU ms against the textbook, two threads"] = against_the_textbook(rounds)
    found["wall ms on one thread and two"] = on_two_threads(rounds)
    found["wall ms of a small call"] = small_call(rounds)
    found["beside the arithmetic floor, one thread"] = beside_the_floor(rounds)
    write("raster_speed.json", found)


if __name__ == "__main__":
    main()
