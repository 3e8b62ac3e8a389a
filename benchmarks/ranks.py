"""What a step of 16 pairs, B = 16 each, costs on one process and on two ranks, and what the ranks tell each other.

    python benchmarks/ranks.py            # writes benchmarks/results/ranks.json and prints tables

It starts itself under torchrun with two ranks (gloo, one thread each). Agents, pictures and game are those of
``benchmarks/communities.py``. One process (rank 0, while rank 1 waits), two ranks that share games, and two that have
agents of their own take turns, round after round. CPU time is of each rank's whole process, its beats included; seconds
by the clock count only where nobody else uses the cores. Bytes are what each rank hands to torch.distributed, which
is exact; how often they cross a wire is the library's.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from _cases import about, spread, told, write
from communities import config

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from runs.config import Config  # noqa: E402
from runs.ranks import Agents, Games, Sharing, World, joined  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

RANKS = 2
GAMES = 16
WAYS = ("one process", "games", "agents")


def learner(way: str, world: World) -> Learner:
    chosen = config(16, GAMES, "batched")
    if way == "agents":
        chosen = Config.model_validate({**chosen.model_dump(), "train": {**chosen.train.model_dump(), "ranks": way}})
    run = assemble(chosen, Path(tempfile.gettempdir()) / "none", torch.device("cpu"))
    sharing = {
        "one process": lambda: Sharing(run),
        "games": lambda: Games(run, world),
        "agents": lambda: Agents(run, world),
    }
    return Learner(run, sharing[way]())


def measured(world: World, rounds: int, steps: int) -> dict[str, Any]:
    """CPU and clock milliseconds of a step on each rank, round by round, and bytes a step of each rank."""
    found: dict[str, Any] = {}
    learners = {way: learner(way, world) for way in WAYS}
    sent: dict[str, Counter[str]] = {way: Counter() for way in WAYS}
    for number in range(rounds + 1):  # the first warms: kernels compiled, moments made
        for way, each in learners.items():
            world.wait()
            world.sent.clear()
            cpu, clock = time.process_time(), time.perf_counter()
            if way != "one process" or world.first:
                for _ in range(steps):
                    each.step()
            took = [1e3 * (time.process_time() - cpu) / steps, 1e3 * (time.perf_counter() - clock) / steps]
            row = found.setdefault(way, {"cpu": [], "clock": []})
            if number:
                row["cpu"].append(took[0])
                row["clock"].append(took[1])
            sent[way].update(world.sent)
            row["bytes"] = {what: count / steps / (number + 1) for what, count in sorted(sent[way].items())}
    return found


def of_rank(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as world:
        assert world is not None
        every = world.gather(measured(world, options.rounds, options.steps))
        if not world.first:
            return
    found: dict[str, Any] = {**about(), "ranks": RANKS, "threads": 1, "pairs": 16, "games_a_pair": GAMES, "seed": 0}
    found["n"] = f"{options.rounds} rounds of {options.steps} steps"
    for case in every[0]:
        ranks = [each[case] for each in every]
        busiest = [max(row) for row in zip(*(each["cpu"] for each in ranks), strict=True)]
        clock = [max(row) for row in zip(*(each["clock"] for each in ranks), strict=True)]
        found[case] = {
            "cpu_ms_a_step_of_the_busiest_rank": spread(busiest),
            "clock_ms_a_step": spread(clock),
            "bytes_a_step": {f"rank {rank}": each["bytes"] for rank, each in enumerate(ranks)},
        }
        if case != "one process":
            one = every[0]["one process"]["cpu"]
            found[case]["one_process_over_busiest_rank"] = spread([a / b for a, b in zip(one, busiest, strict=True)])
        print(
            case,
            told(found[case]["cpu_ms_a_step_of_the_busiest_rank"]),
            "CPU ms,",
            told(spread(clock)),
            "ms by the clock",
        )
        print("   ", found[case].get("one_process_over_busiest_rank"), found[case]["bytes_a_step"])
    write("ranks.json", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="steps a round and case")
    options = parser.parse_args()
    if "RANK" in os.environ:
        of_rank(options)
        return
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
    raise SystemExit(subprocess.run([*command, *sys.argv], check=False).returncode)


if __name__ == "__main__":
    main()
