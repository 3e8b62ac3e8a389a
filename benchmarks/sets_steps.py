"""What a step of each preset of sets for two cores costs, in CPU seconds of one thread, and so the whole run's steps.

    python benchmarks/sets_steps.py [--rounds 3]      # writes results/sets_steps.json

Fewer scenes than the presets ask for: a step does not know how many there are.
"""

import argparse
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about, seconds, spread, told, write  # noqa: E402

from runs.loading import load  # noqa: E402
from runs.sets import SetPredictor, SetsConfig, load_data  # noqa: E402
from runs.sets.learner import SetLearner  # noqa: E402

FEW = {"objects": ["task.count=500", "task.held=50"]}
FEW["state"] = FEW["state-trunk"] = FEW["boxes"] = ["task.scenes.count=200", "task.scenes.held=50"]
STEPS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, Any] = {}
    for name in ("polygons", "multisets", "numbering", "points", "objects", "state", "state-trunk", "boxes"):
        config = load(SetsConfig, f"sets/{name}", FEW.get(name, [])).config
        data = load_data(config.task, config.encoder, config.seed, torch.device("cpu"))
        model = SetPredictor(config, data.held("validation", 1).given.shape[1:])
        learner = SetLearner(config, model, data)
        learner.advance()
        costs = [
            seconds(lambda each=learner: [each.advance() for _ in range(STEPS)]) / STEPS for _ in range(options.rounds)
        ]
        figures = spread(costs)
        minutes = round(config.train.steps * figures["median"] / 60, 1)
        rows[name] = {"seconds a step": figures, "steps": config.train.steps, "minutes of steps": minutes}
        print(name, told(figures), "s a step;", minutes, "min", flush=True)
    write("sets_steps.json", {"about": about(), "rounds": options.rounds, "steps a round": STEPS, "presets": rows})


if __name__ == "__main__":
    main()
