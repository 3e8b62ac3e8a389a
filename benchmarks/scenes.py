"""How fast scenes are made up, rendered and written: a second of the clock, after compilation.

    python benchmarks/scenes.py [--rounds 5]      # writes results/scenes.json

``made`` is placing, rendering and rejecting, on the threads that torch has (two); ``one thread`` the same by the CPU's
clock; ``written`` with PNG files and JSON.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about, spread, told, write  # noqa: E402

from games.scenes import WorldConfig, make, make_scenes, write_scenes  # noqa: E402

#: Pixels, rays a pixel along each side, scenes a round.
SIZES = {"64 px, 2 x 2": (64, 64, 2, 300), "64 px, 1 ray": (64, 64, 1, 600), "480 x 320, 3 x 3": (480, 320, 3, 6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(2)
    make(WorldConfig(), 16, 16, 2, (0,))
    rows: dict[str, Any] = {}
    for name, (width, height, samples, count) in SIZES.items():
        found: dict[str, list[float]] = {}
        for seed in range(options.rounds):
            began = time.perf_counter()
            for _ in make_scenes(WorldConfig(), count, width=width, height=height, samples=samples, seed=seed):
                pass
            found.setdefault("made", []).append(count / (time.perf_counter() - began))
            began = time.process_time()
            for index in range(count // 3):
                make(WorldConfig(), width, height, samples, (seed, 9, index))
            found.setdefault("one thread", []).append(count // 3 / (time.process_time() - began))
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                write_scenes(
                    Path(folder) / "s", {"train": count}, WorldConfig(), width=width, height=height, samples=samples
                )
                found.setdefault("written", []).append(count / (time.perf_counter() - began))
        rows[name] = {key: spread(values) for key, values in found.items()}
        print(name, {key: told(values) for key, values in rows[name].items()})
    write("scenes.json", {"about": about(), "rounds": options.rounds, "scenes a second": rows})


if __name__ == "__main__":
    main()
