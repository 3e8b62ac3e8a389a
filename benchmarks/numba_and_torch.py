"""Does torch slow down after a numba call, and why? Ratios within one run; results/numba_and_torch.json.

    python benchmarks/numba_and_torch.py [--rounds 30]

Each case is a fresh process. A round is: one training step of a small convnet; one call of the suspect; the same
step again. Only the steps are timed, and the ratio of the two medians is what counts: the machine's moods hit both.
Every case runs as it is, and beside two processes that do nothing but count (a shared or busy machine).

    own pool             raster's engine: nogil kernels on a thread pool of our own, torch at 1 thread
    parallel             the same work under njit(parallel=True), torch at 1 thread
    parallel, passive    the same with OMP_WAIT_POLICY=passive: threads that wait sleep and do not spin
    parallel elsewhere   the same as "parallel", called by another thread than torch's
    parallel, first      all steps before, then numba's first call in parallel, then all steps after; threads not reset
    torch at 2           no numba at all: only torch.set_num_threads(2) where it was 1
    torch at 2, passive  the same with OMP_WAIT_POLICY=passive
    own pool, 2 and 2    torch at 2 threads throughout, our pool too
    parallel, 2 and 2    torch at 2 threads throughout, numba too
    denormal canvas      no numba at all: the step's input holds denormal numbers (1e-40) instead of zeros
    denormal, flushed    the same after torch.set_flush_denormal(True)
    denormal gradients   the step's upstream gradient is denormal
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from raster import Strokes, rasterise

CASES = {
    "own pool": 1,
    "parallel": 1,
    "parallel, passive": 1,
    "parallel elsewhere": 1,
    "parallel, first": 1,
    "torch at 2": 1,
    "torch at 2, passive": 1,
    "own pool, 2 and 2": 2,
    "parallel, 2 and 2": 2,
    "denormal canvas": 1,
    "denormal, flushed": 1,
    "denormal gradients": 1,
}  # and how many threads torch is told to use


def convnet() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 4, stride=4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(64 * 64, 64),
    )


def parallel_kernel() -> Callable[[], None]:
    """About the work of the raster's kernel, under numba's own threads."""
    from numba import njit, prange

    @njit(parallel=True, fastmath=True)
    def work(out: np.ndarray, points: np.ndarray) -> None:
        for b in prange(out.shape[0]):
            for i in range(out.shape[1]):
                total = 0.0
                for n in range(points.shape[1]):
                    total += np.exp(-((i - points[b, n]) ** 2))
                out[b, i] = total

    out = np.zeros((64, 4096), np.float32)
    points = np.random.default_rng(0).uniform(0, 4096, (64, 4)).astype(np.float32)
    return lambda: work(out, points)


def suspect(case: str) -> Callable[[], object]:
    """What is called between the two steps of a round."""
    if case.startswith("own pool"):
        points = torch.rand(64, 20, 2, 2) * 2 - 1
        return lambda: rasterise(Strokes(points), (64, 64))
    if case.startswith("parallel"):
        kernel = parallel_kernel()
        thread = ThreadPoolExecutor(1)
        return (lambda: thread.submit(kernel).result()) if "elsewhere" in case else kernel
    if case.startswith("torch at 2"):
        return lambda: torch.set_num_threads(2)
    if case == "denormal, flushed":
        return lambda: torch.set_flush_denormal(True)
    return lambda: None


def measure(case: str, rounds: int) -> dict[str, object]:
    """Milliseconds of a step before and after the suspect's call, in turn."""
    torch.set_num_threads(CASES[case])
    net = convnet()
    plain = torch.rand(64, 1, 64, 64)
    plain[plain < 0.9] = 0  # a canvas is mostly paper
    denormal = torch.where(plain == 0, torch.full_like(plain, 1e-40), plain)
    other = denormal if case in ("denormal canvas", "denormal, flushed") else plain
    scale = 1e-39 if case == "denormal gradients" else 1.0
    call = suspect(case)

    def timed(images: torch.Tensor, scale: float) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        net.zero_grad()
        net(images).square().mean().backward(torch.tensor(scale))
        return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)

    for _ in range(5):
        timed(plain, 1.0)
    alone, after, threads = [], [], set()
    if case == "parallel, first":
        alone = [timed(plain, 1.0) for _ in range(rounds)]
    call()
    for _ in range(rounds):
        if case == "parallel, first":
            call()
            threads.add(torch.get_num_threads())
            after.append(timed(plain, 1.0))
            continue
        torch.set_num_threads(CASES[case])
        torch.set_flush_denormal(False)
        time.sleep(0.01)  # whoever still spins stops
        timed(plain, 1.0)
        alone.append(timed(plain, 1.0))
        call()
        threads.add(torch.get_num_threads())
        after.append(timed(other, scale))
    torch.set_flush_denormal(False)

    def middle(times: list[tuple[float, float]], which: int) -> float:
        return round(statistics.median(t[which] for t in times), 3)

    def quartiles(times: list[tuple[float, float]]) -> list[float]:
        low, _, high = statistics.quantiles((t[0] for t in times), n=4)
        return [round(low, 3), round(high, 3)]

    return {
        "case": case,
        "wall_ms": [middle(alone, 0), middle(after, 0)],
        "wall_quartiles": [quartiles(alone), quartiles(after)],
        "cpu_ms": [middle(alone, 1), middle(after, 1)],
        "ratio_wall": round(middle(after, 0) / middle(alone, 0), 2),
        "ratio_cpu": round(middle(after, 1) / middle(alone, 1), 2),
        "torch_threads": [CASES[case], max(threads)],
        "openmp_libraries": sorted(
            {Path(line.split()[-1]).name for line in maps() if "gomp" in line or "iomp" in line}
        ),
    }


def maps() -> list[str]:
    file = Path("/proc/self/maps")
    return file.read_text().splitlines() if file.exists() else []


def counting(seconds: float = 600.0) -> None:
    """A busy neighbour."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--case", help="one case, in this process (used by the script itself)")
    chosen = parser.parse_args()
    if chosen.case:
        print(json.dumps(measure(chosen.case, chosen.rounds)))
        return
    results = []
    for neighbours in (0, 2):
        busy = [multiprocessing.Process(target=counting, daemon=True) for _ in range(neighbours)]
        for process in busy:
            process.start()
        for case in CASES:
            command = [sys.executable, __file__, "--case", case, "--rounds", str(chosen.rounds)]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
            if "passive" in case:
                environment["OMP_WAIT_POLICY"] = "passive"
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            found = json.loads(done.stdout) | {"busy_neighbours": neighbours, "load": round(os.getloadavg()[0], 1)}
            results.append(found)
            (first, second), threads = found["wall_ms"], found["torch_threads"]
            print(
                f"{neighbours} busy  {case:20} step {first:7.2f} -> {second:7.2f} ms, x{found['ratio_wall']:.2f} wall, "
                f"x{found['ratio_cpu']:.2f} CPU, torch threads {threads[0]} -> {threads[1]}",
                flush=True,
            )
        for process in busy:
            process.kill()
    about = {"machine": processor(), "cores": os.cpu_count(), "torch": torch.__version__, "rounds": chosen.rounds}
    target = Path(__file__).parent / "results" / "numba_and_torch.json"
    target.write_text(json.dumps({"about": about, "cases": results}, indent=1) + "\n")


def processor() -> str:
    file = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in file.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
