"""What two threads bring where a batch is cut into parts, and the first convolution of a canvas; by the clock.

    python benchmarks/parts.py              # writes benchmarks/results/parts.json, the tables of docs/perception.md
    python benchmarks/parts.py --busy 2     # beside two busy processes; printed only

Ways take turns, round after round. `torch's own` is what torch does with its threads when nothing is cut.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about  # noqa: E402

from perception import Convnet, TimmTrunk, _parts, build_trunk  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "parts.json"
WAYS = {"one thread": (1, False), "two, torch's own": (2, False), "two, in parts": (2, True)}


@contextmanager
def way(threads: int, parts: bool) -> Iterator[None]:
    """So many threads, with or without parts."""
    least, _parts.LEAST = _parts.LEAST, _parts.LEAST if parts else 1 << 30
    torch.set_num_threads(threads)
    yield
    _parts.LEAST = least
    torch.set_num_threads(1)


def measure(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Clock and CPU ms of each call in each way: median, least, most."""
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(rounds + 2):
        for name, call in calls.items():
            for word, setting in WAYS.items():
                with way(*setting):
                    began = time.perf_counter(), time.process_time()
                    call()
                    spent = time.perf_counter() - began[0], time.process_time() - began[1]
                if turn >= 2:  # the first rounds warm up
                    taken.setdefault((name, word), []).append((1e3 * spent[0], 1e3 * spent[1]))
    table: dict[str, dict[str, list[float]]] = {}
    for (name, word), pairs in taken.items():
        for what, values in zip(("clock", "CPU"), zip(*pairs, strict=True), strict=True):
            row = [round(f(values), 1) for f in (statistics.median, min, max)]
            table.setdefault(name, {})[f"{word}: {what} ms"] = row
    return table


def calls() -> dict[str, Callable[[], Any]]:
    """The likeness trunk on 32 sketches, a learned convnet on 64 photos, and a step of the demo."""
    draw = torch.Generator().manual_seed(0)
    sketches, photos = (torch.rand(b, 3, 64, 64, generator=draw) for b in (32, 64))
    trunk, convnet = build_trunk(TimmTrunk()), Convnet()
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(assemble(load(Config, "demo", []).config, Path(folder), torch.device("cpu")))

    def look() -> None:
        leaf = sketches.clone().requires_grad_()
        torch.stack([level.square().mean() for level in trunk(leaf, [1, 2, 3])]).sum().backward()

    return {
        "trunk, levels 1 to 3, 32 sketches of 64 px, there and back": look,
        "learned convnet, 64 photos of 64 px, there and back": lambda: convnet(photos).square().mean().backward(),
        "a step of the demo": learner.step,
    }


def _first_layer(channels: int) -> dict[str, Callable[[], torch.Tensor]]:
    x = torch.rand(64, channels, 64, 64, requires_grad=True)
    net = Convnet(channels, (32,), norm="none")
    return {"convolution": lambda: net.layers[0](x), "product": lambda: net._patched(x)}


def first_convolution(rounds: int) -> dict[str, list[float]]:
    """CPU ms of the first layer on 64 pictures of 64 px, one thread, there and back to the picture."""
    table = {}
    for channels in (1, 3):
        ways = _first_layer(channels)
        taken: dict[str, list[float]] = {word: [] for word in ways}
        for turn in range(rounds + 2):
            for word, call in ways.items():
                began = time.process_time()
                call().sum().backward()
                if turn >= 2:
                    taken[word].append(1e3 * (time.process_time() - began))
        for word, times in taken.items():
            table[f"{channels} channel(s), {word}"] = [round(f(times), 1) for f in (statistics.median, min, max)]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--busy", type=int, default=0, help="beside this many busy processes; not written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        found = {"about": about(), "rounds": options.rounds, "ways": measure(calls(), options.rounds)}
        found["first convolution, CPU ms"] = first_convolution(options.rounds)
    finally:
        for other in others:
            other.kill()
            other.wait()
    text = json.dumps(found, indent=2)
    if not options.busy:
        RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
