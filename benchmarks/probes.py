"""What probes cost: all of them on a finished run of the demo's size, and the default ones while agents learn.

    python benchmarks/probes.py finished              # every registered probe on 2,048 sketches, time and memory
    python benchmarks/probes.py training              # a step of the demo beside its probes on the way
    python benchmarks/probes.py finished --vectors name_vectors.npz --threads 1

The run is the demo with few steps: what a probe costs does not depend on what agents have learned. Seconds are both
wall and CPU; on a machine with other work only the second says something. Results: benchmarks/results/probes.json.
"""

import argparse
import gc
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about  # noqa: E402

import runs  # noqa: E402
from raster.errors import InputError  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.evidence import gather  # noqa: E402
from runs.folder import write_json  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.looks import Kept  # noqa: E402
from runs.probes import probes, probes_of  # noqa: E402
from runs.run import assemble  # noqa: E402
from runs.train import Learner  # noqa: E402
from runs.watch import Watch  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "probes.json"
STEPS = 40


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What some work gives, and its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, {"wall": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - cpu, 2)}


def peak() -> int:
    """MiB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def demo(vectors: str | None) -> Config:
    said = [f"train.steps={STEPS}", "train.validate_every=20", "train.checkpoint_every=1000", "probes=[rate]"]
    said += [] if vectors is None else [f"measure.word_vectors={vectors}"]
    return load(Config, "demo", said).config


def trained(vectors: str | None, folder: str) -> None:
    """The run whose drawings are asked."""
    runs.launch(demo(vectors), Path(folder) / "run", progress=False, device="cpu")


def finished(vectors: str | None, only: list[str], given: Path | None) -> dict[str, Any]:
    """Every probe on the test plays of both games of the demo, 2 x 16 pools of 64."""
    with tempfile.TemporaryDirectory() as folder:
        if given is None:
            # In a process of its own: the peak is to be that of `lascaux probe`, not of learning.
            child = multiprocessing.get_context("spawn").Process(target=trained, args=(vectors, folder))
            child.start()
            child.join()
            if child.exitcode != 0:
                raise SystemExit(f"the run ended with exit code {child.exitcode}")
        run = runs.load(given or Path(folder) / "run")
        if vectors is not None:
            told = run.config.measure.model_copy(update={"word_vectors": vectors})
            run.config = run.config.model_copy(update={"measure": told})
        before = peak()
        rows: dict[str, dict[str, Any]] = {}
        names = only or probes_of(run.game)
        sketches = 0
        seen = Kept()
        for part in run.game.parts:  # one after the other, as `lascaux probe` does
            evidence, spent = timed(lambda part=part: gather(run, part, "test", run.config.measure.test_pools))
            seen = evidence.sketches.remember(seen).seen
            sketches += evidence.n
            _add(rows, "playing", spent)
            for name in names:
                try:
                    _, spent = timed(lambda name=name: probes()[name](evidence))  # noqa: B023 (called at once)
                except InputError as error:
                    rows[name] = {"refused": error.what}
                    continue
                _add(rows, name, spent)
                print(
                    f"{part.label:8} {name:16} {spent['wall']:7.1f} s {spent['cpu']:7.1f} s CPU {peak():6} MiB",
                    flush=True,
                )
            del evidence
            gc.collect()  # as it does, too
        total = {key: round(sum(row.get(key, 0.0) for row in rows.values()), 1) for key in ("wall", "cpu")}
    found = {"sketches": sketches, "threads": torch.get_num_threads(), "rows": rows, "total": total}
    return found | {"peak_before": before, "peak": peak(), "about": about()}


def _add(rows: dict[str, dict[str, Any]], name: str, spent: dict[str, float]) -> None:
    """Add the seconds of one game to a row, and the most memory so far."""
    row = rows.setdefault(name, {"wall": 0.0, "cpu": 0.0})
    row |= {key: round(row[key] + spent[key], 2) for key in spent} | {"peak": peak()}


def training(times: int) -> dict[str, Any]:
    """A step of the demo, and its probes on the way the first time and later."""
    with tempfile.TemporaryDirectory() as folder:
        config = load(Config, "demo").config
        run = assemble(config, Path(folder), torch.device("cpu"))
        learner, watch = Learner(run), Watch(run)
        for _ in range(5):
            learner.step()
        steps = [timed(learner.step)[1]["cpu"] for _ in range(20 * times)]
        asked = []
        for _ in range(1 + times):
            asked.append(timed(watch.ask)[1]["cpu"])
            for _ in range(3):
                learner.step()
    every = config.measure.probes_every
    assert every is not None
    step, later = sorted(steps)[len(steps) // 2], sorted(asked[1:])[len(asked[1:]) // 2]
    count = -(-config.train.steps // every)
    share = (asked[0] + (count - 1) * later) / (config.train.steps * step)
    return {
        "probes": [each.name for each in watch.probes],
        "step_cpu": step,
        "step_cpu_range": [min(steps), max(steps)],
        "first_cpu": asked[0],
        "later_cpu": later,
        "later_cpu_range": [min(asked[1:]), max(asked[1:])],
        "every": every,
        "steps": config.train.steps,
        "share": round(share, 4),
        "n": {"steps": len(steps), "asked": len(asked)},
        "about": about(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["finished", "training"])
    parser.add_argument("--vectors", help="a file of word vectors, for semanticity")
    parser.add_argument("--run", type=Path, help="a finished run of the demo to ask, instead of a new one")
    parser.add_argument("--only", default="", help="probes, with commas between")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    torch.set_num_threads(asked.threads)
    row = finished(asked.vectors, only, asked.run) if asked.what == "finished" else training(asked.times)
    print(json.dumps(row, indent=2))
    if not only:
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        name = asked.what if asked.threads > 1 or asked.what == "training" else f"{asked.what}, one thread"
        write_json(RESULTS, {**kept, name: row})


if __name__ == "__main__":
    main()
