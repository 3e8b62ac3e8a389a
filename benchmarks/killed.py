"""A run with turnover and imitation, killed (SIGKILL) at random moments and resumed, against the run that was not.

    python benchmarks/killed.py                  # 20 moments; goes on with results/killed.json
    python benchmarks/killed.py --moments 3 --results killed.json --keep out/killed

Each moment is a run of its own in a process of its own: it is killed once it has written down so many steps and some
part of a further one has passed, both drawn at random, and then resumed in another process. The loop and the batched
executor take turns. Compared are all weights, optimisers, generators and the state of life bit for bit, and the lines
of events, metrics (without times) and plays.
"""

import argparse
import json
import multiprocessing
import os
import signal
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from _cases import RESULTS, about

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

from runs import checkpoint, launch  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.folder import lines, read_json, write_json  # noqa: E402

STEPS = 24
EXECUTORS = ("loop", "batched")
TIMES = ("seconds", "games_per_second")
PROCESSES = multiprocessing.get_context("forkserver")


def config(executor: str) -> Config:
    """Tiny agents, and a life in which something happens every few steps."""
    eye = {"trunk": {"kind": "mlp", "hidden": [8], "size": 8}, "hidden": 8, "dropout": 0.1}
    events = [
        {"kind": "replace", "every": 5, "who": "oldest"},
        {"kind": "imitate", "every": 3, "who": "youngest", "teacher": "best", "drawings": 8, "steps": 3},
        {"kind": "imitate", "every": 7, "who": "random", "teacher": "random", "drawings": 8, "steps": 2},
        {"kind": "replace", "every": 11, "who": "random", "side": "receivers"},
    ]
    return Config.model_validate(
        {
            "pictures": {"kind": "digits", "size": 16, "split": {"by": ["picture"], "validation": 0.1, "test": 0.1}},
            "game": {"kind": "referential", "candidates": 4, "pool": "photos"},
            "canvas": {"size": 16, "sigma2": 5e-3},
            "sender": {**eye, "strokes": {"count": 3}},
            "receiver": {**eye, "dims": 6, "reader": {"kind": "patches", "size": 4}},
            "biases": [{"kind": "ink", "weight": 0.05}],
            "community": {"senders": 3, "receivers": 3, "executor": executor, "events": events},
            "train": {
                "steps": STEPS,
                "games": 4,
                "warmup": 2,
                "weight_decay": 0.01,
                "log_every": 1,
                "journal_every": 4,
                "validate_every": 9,
                "checkpoint_every": 4,
            },
            "measure": {"validation_pools": 2, "test_pools": 2},
            "probes": ["rate"],
        }
    )


def run(executor: str, folder: str, resume: bool) -> None:
    """The whole of a run, in this process."""
    torch.set_num_threads(1)
    launch(config(executor), folder, resume=resume, progress=False, device="cpu")


def begun(executor: str, folder: Path, resume: bool = False) -> BaseProcess:
    process = PROCESSES.Process(target=run, args=(executor, str(folder), resume))
    process.start()
    return process


def finished(process: BaseProcess) -> None:
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"a run ended with exit code {process.exitcode}")


def written(folder: Path) -> int:
    """Steps that a run has written down."""
    file = folder / "metrics.jsonl"
    return file.read_text().count('"train"') if file.exists() else 0


def killed(executor: str, folder: Path, steps: int, part: float) -> dict[str, Any]:
    """Kill a run after so many steps and about a part of a further one; what was there then."""
    process = begun(executor, folder)
    began = time.perf_counter()
    while process.is_alive() and written(folder) < steps:
        if written(folder) == 0:
            began = time.perf_counter()
        time.sleep(0.001)
    time.sleep(part * (time.perf_counter() - began) / max(1, steps))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    saved = sorted(int(each.stem[5:]) for each in (folder / "checkpoints").glob("step-*.state"))
    return {"exit": process.exitcode, "written": written(folder), "saved": saved[-1] if saved else 0}


def apart(one: Any, other: Any, where: str = "state") -> list[str]:
    """Where two nests of dicts, lists, tensors and numbers differ by any bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = [f"{where}.{key}" for key in one.keys() ^ other.keys()]
        both = one.keys() & other.keys()
        return found + [each for key in both for each in apart(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [where]
        return [each for n, (a, b) in enumerate(zip(one, other, strict=True)) for each in apart(a, b, f"{where}.{n}")]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [where]
    return [] if one == other else [where]


def state_of(folder: Path) -> dict[str, Any]:
    """All that a run left, without times."""
    found = checkpoint.load(folder / "checkpoints")
    assert found is not None
    weights, state = found
    files = {
        name: [{key: value for key, value in line.items() if key not in TIMES} for line in lines(folder / name)]
        for name in ("events.jsonl", "metrics.jsonl", "plays/train.jsonl", "plays/validation.jsonl", "plays/test.jsonl")
    }
    summary = {key: value for key, value in read_json(folder / "summary.json").items() if key != "minutes"}
    state = {key: value for key, value in state.items() if key != "seconds"}
    return {"weights": weights, "state": state, "summary": summary, **files}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--results", type=Path, default=RESULTS / "killed.json", help="where figures are kept")
    parser.add_argument("--keep", type=Path, help="a folder for the runs; they are thrown away when left out")
    options = parser.parse_args()
    PROCESSES.set_forkserver_preload(["runs"])
    generator = torch.Generator().manual_seed(0)
    moments = torch.rand((options.moments, 2), generator=generator, dtype=torch.float64).tolist()
    found = json.loads(options.results.read_text()) if options.results.exists() else {**about(), "moments": []}
    with tempfile.TemporaryDirectory() as folder:
        where = options.keep or Path(folder)
        for executor in EXECUTORS if len(found["moments"]) < len(moments) else ():
            finished(begun(executor, where / f"whole-{executor}"))
        for number, (at, part) in enumerate(moments):
            if number < len(found["moments"]):
                continue
            executor, own = EXECUTORS[number % 2], where / f"killed-{number}"
            row = {"executor": executor, **killed(executor, own, int(at * STEPS), part)}
            finished(begun(executor, own, resume=True))
            row["differs"] = apart(state_of(where / f"whole-{executor}"), state_of(own), "run")
            found["moments"].append(row)
            print(row, flush=True)
            write_json(options.results, found)
    found["killed"] = sum(row["exit"] == -signal.SIGKILL for row in found["moments"])
    found["equal"] = sum(not row["differs"] for row in found["moments"])
    write_json(options.results, found)
    print(f"{found['killed']} killed, {found['equal']} of {len(found['moments'])} equal bit for bit")
    raise SystemExit(found["equal"] != len(found["moments"]))


if __name__ == "__main__":
    main()
