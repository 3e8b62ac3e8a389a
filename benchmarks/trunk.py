"""Times the packaged trunk: the likeness of sketches (forward and back), and the first look at a gallery.

    python benchmarks/trunk.py                 # a minute; prints the tables of docs/perception.md
    OMP_WAIT_POLICY=PASSIVE python benchmarks/trunk.py --threads 2
    python benchmarks/trunk.py --busy 2             # only: one look by two threads beside two busy processes

CPU time of the process is what counts: a busy machine stretches the clock, but this only where threads spin.
Variants take turns within each round, so that a slow minute hits all of them. (The file is not called perception.py:
Python puts a script's own folder first, and it would be imported in place of the package.)
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from perception import TimmTrunk, Trunk, build_trunk, likeness
from perception._pyramid import Pyramid
from perception.trunk import build_learned
from perception.weights import LITE_MEAN, LITE_STD, create, full_network, state_for

CONFIG = TimmTrunk()
LEVELS = [0, 1, 2]
Eye = Callable[[Tensor], list[Tensor]]


def machine() -> str:
    """The processor, its cores and torch's version."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    policy = os.environ.get("OMP_WAIT_POLICY", "unset")
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__}, OMP_WAIT_POLICY {policy}, load {load:.1f}"


def unfolded() -> Pyramid:
    """The network as timm makes it, BatchNorm and all."""
    full, state = full_network(CONFIG.architecture), state_for(CONFIG)
    assert state is not None
    full.load_state_dict(state)
    net: nn.Module = create(CONFIG.architecture, features_only=True)
    net.load_state_dict({name: tensor for name, tensor in full.state_dict().items() if name in net.state_dict()})
    return Pyramid(net.eval().requires_grad_(False))


def eyes() -> dict[str, Eye]:
    """The trunk, and the ways in which it could have been run."""
    mean, std = torch.tensor(LITE_MEAN).view(3, 1, 1), torch.tensor(LITE_STD).view(3, 1, 1)

    def by(pyramid: Pyramid, form: torch.memory_format, levels: list[int]) -> Eye:
        pyramid.to(memory_format=form)
        return lambda rgb: pyramid(((rgb - mean) / std).contiguous(memory_format=form), levels)[:3]

    trunk = build_trunk(CONFIG)
    usual = build_learned(TimmTrunk(frozen=False)).requires_grad_(False)  # its layers are timm's own
    return {
        "as timm makes it, all five levels": by(unfolded(), torch.contiguous_format, [0, 1, 2, 3, 4]),
        "+ stops at the deepest level": by(unfolded(), torch.contiguous_format, LEVELS),
        "+ channels last": by(unfolded(), torch.channels_last, LEVELS),
        "+ folded, not channels last": by(build_trunk(CONFIG).pyramid, torch.contiguous_format, LEVELS),
        "+ folded and channels last": lambda rgb: usual(rgb, LEVELS),
        "**the trunk**: the same, with lean layers": lambda rgb: trunk(rgb, LEVELS),
    }


def sketches(rounds: int) -> None:
    """Forward and backward to 16 pictures of 64 px through levels 0 to 2, likeness included."""
    draw = torch.Generator().manual_seed(0)
    ink, photos = torch.rand(16, 1, 64, 64, generator=draw), torch.rand(16, 3, 64, 64, generator=draw)
    ways = eyes()
    with torch.no_grad():
        seen = {name: [f.clone() for f in eye(photos)] for name, eye in ways.items()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 5):
        for name, eye in ways.items():
            leaf = ink.clone().requires_grad_()
            start = time.process_time()
            likeness(eye(leaf.expand(-1, 3, -1, -1)), seen[name], [1.0, 1.0, 1.0]).sum().backward()
            if turn >= 5:  # the first rounds warm up
                taken[name].append(1e3 * (time.process_time() - start))
    print(f"\n| {torch.get_num_threads()} thread(s), n = {rounds} | CPU ms, median | 10th to 90th percentile |")
    print("|---|---|---|")
    for name, times in taken.items():
        tenths = statistics.quantiles(times, n=10)
        print(f"| {name} | {statistics.median(times):.1f} | {tenths[0]:.1f} to {tenths[-1]:.1f} |")


def gallery(trunk: Trunk, count: int, rounds: int) -> None:
    """All five levels of `count` pictures, by pictures at a time."""
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, 64, 64), generator=draw, dtype=torch.uint8)
    chunks = [8, 16, 32, 64, 128, 256]
    taken: dict[int, list[float]] = {chunk: [] for chunk in chunks}
    for _ in range(rounds):
        for chunk in chunks:
            start = time.process_time()
            trunk.extract(pixels, [0, 1, 2, 3, 4], chunk)
            taken[chunk].append((time.process_time() - start) * 6400 / count)
    print(
        f"\n| {torch.get_num_threads()} thread(s), {count} pictures, n = {rounds} | CPU s for 6,400 | least to most |\n"
        "|---|---|---|"
    )
    for chunk, times in taken.items():
        print(f"| {chunk} at a time | {statistics.median(times):.1f} | {min(times):.1f} to {max(times):.1f} |")


def beside(neighbours: int, rounds: int = 12) -> None:
    """Clock and CPU of one forward and backward, 2 threads, while other processes keep the cores busy."""
    torch.set_num_threads(2)
    trunk, rgb = build_trunk(CONFIG), torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    clock: list[float] = []
    cpu: list[float] = []
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(neighbours)]
    try:
        for _ in range(rounds + 3):
            leaf = rgb.clone().requires_grad_()
            start = time.perf_counter(), time.process_time()
            torch.stack([feature.sum() for feature in trunk(leaf, LEVELS)]).sum().backward()
            clock.append(1e3 * (time.perf_counter() - start[0]))
            cpu.append(1e3 * (time.process_time() - start[1]))
    finally:
        for other in others:
            other.kill()
            other.wait()
    clock, cpu = clock[3:], cpu[3:]
    print(f"{machine()}\n2 threads, {neighbours} busy neighbours, n = {rounds}:")
    print(f"clock {statistics.median(clock):.0f} ms ({min(clock):.0f} to {max(clock):.0f})", end=", ")
    print(f"CPU {statistics.median(cpu):.0f} ms ({min(cpu):.0f} to {max(cpu):.0f})")


def main() -> None:
    """Prints both tables for each number of threads."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--pictures", type=int, default=1600)
    options.add_argument("--busy", type=int, help="measure only beside this many busy processes")
    chosen = options.parse_args()
    if chosen.busy is not None:
        beside(chosen.busy)
        return
    for threads in chosen.threads:
        torch.set_num_threads(threads)
        print(f"\n{machine()}")
        sketches(chosen.rounds)
        gallery(build_trunk(CONFIG), chosen.pictures, 5)
        print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
