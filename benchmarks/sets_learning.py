"""What set decoders learn of sets alone, step for step: auto-encoding, polygons, numbering, multisets.

    python benchmarks/sets_learning.py [--seeds 3] [--parts autoencoder polygons]    # writes results/sets-learning.json

``autoencoder``: the objects of scenes, encoded and decoded again; after how many steps DSPN is where an MLP is after
1,000. ``polygons``: a turn to the corners of an octagon; the worst of 1,000 held-out sets after equally many steps.
``unpooling``: the corners to the same corners; one FSPool encoder before its unpooling and before an MLP.
``numbering``: eight elements of two classes, numbered within their class; parts of held-out sets without a mistake.
``multisets``: four random vectors, each twice, decoded from a start where all slots are equal.

The presets `sets/...` on one thread. A run is written as soon as it is done and is not run again; one that is killed
begins anew. The figures are of the test. DSPN's rate and the latent in ``autoencoder`` were chosen on validation; the
others are the presets' own.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about, spread  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from games.scenes import numbered_rightly  # noqa: E402
from perception.sets import FSPool, FSUnpool, ImplicitDSPN, hungarian  # noqa: E402
from runs.folder import write_text  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.sets import Data, SetPredictor, SetsConfig, answer, load_data, measured  # noqa: E402
from runs.sets.learner import SetLearner, set_loss  # noqa: E402

PATH = RESULTS / "sets-learning.json"
MLP = "decoder={kind: mlp, hidden: [256, 256]}"
WIDE = "latent=256"
DEEPSETS = "decoder={kind: idspn, encoder: {kind: deepsets}, steps: 20, rate: 1.0}"

#: Part, what learns, steps, steps between two looks, the preset and what is changed in it.
RUNS: dict[str, dict[str, tuple[int, int, str, list[str]]]] = {
    "autoencoder": {
        "mlp": (1000, 1000, "objects", [WIDE, "encoder={kind: fspool}", MLP, "measure.inner=[]", "measure.sets=500"]),
        "dspn": (140, 10, "objects", [WIDE, "train.lr=2e-2", "measure.sets=500"]),
    },
    "polygons": {
        "mlp": (1000, 250, "polygons", [MLP, "measure.inner=[]"]),
        "dspn": (1000, 250, "polygons", []),
        "mlp, constant rate": (1000, 250, "polygons", [MLP, "measure.inner=[]", "train.flat=1"]),
        "dspn, constant rate": (1000, 250, "polygons", ["train.flat=1"]),
    },
    "unpooling": {
        "fspool": (1000, 250, "polygons", []),
        "mlp": (1000, 250, "polygons", []),
    },
    "numbering": {
        "idspn": (1000, 200, "numbering", []),
        "deepsets": (1000, 200, "numbering", []),
        "transformer": (1000, 200, "numbering", []),
    },
    "multisets": {
        "idspn": (300, 100, "multisets", []),
        "idspn with deepsets": (300, 100, "multisets", [DEEPSETS, "tune=true"]),
    },
}
JUDGED = {
    "autoencoder": "loss",
    "polygons": "worst",
    "unpooling": "worst",
    "numbering": "exact",
    "multisets": "distance",
}


class Equivariant(nn.Module):
    """Set to set, by the same function for each element: equal elements have equal answers, whatever it learns."""

    def __init__(self, channels: int, out: int, attention: bool, width: int = 128) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(channels, width), nn.ReLU(), nn.Linear(width, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.mixed = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False) if attention else None
        self.last = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, out))

    def forward(self, sets: Tensor) -> Tensor:
        each = self.first(sets)
        each = each if self.mixed is None else self.mixed(each)
        return self.last(torch.cat([each, each.mean(1, keepdim=True).expand_as(each)], -1))


def equivariant(config: SetsConfig, data: Data, steps: int, every: int, attention: bool) -> list[dict[str, float]]:
    """DeepSets or a transformer without positions, on the same batches and by the same optimiser."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(config.seed)
        net = Equivariant(config.task.channels, config.task.fields.channels, attention)
    adam, dealing = torch.optim.Adam(net.parameters(), 1e-3), torch.Generator().manual_seed(config.seed)
    loss, held, found = set_loss(config), data.held("test", config.measure.sets), []
    for step in range(1, steps + 1):
        pairs = data.train(config.train.batch, dealing)
        adam.zero_grad()
        loss(net(pairs.given), pairs.wanted).mean().backward()
        adam.step()
        if step % every == 0:
            with torch.no_grad():
                sets = net(held.given)
            exact = 100 * float(numbered_rightly(sets, held.given).mean())
            found.append({"step": step, "loss": float(loss(sets, held.wanted).mean()), "exact": exact})
    return found


class Pooled(nn.Module):
    """Points to a vector by FSPool, and back: to each point by the sort that it came with, or to all by an MLP."""

    def __init__(self, slots: int, unpooling: bool, latent: int = 16, width: int = 64) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, latent))
        self.pool, self.back = FSPool(latent, 20, "relaxed"), FSUnpool(latent, 20) if unpooling else None
        last = 2 if unpooling else 2 * slots
        self.out = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, last))

    def forward(self, points: Tensor) -> Tensor:
        vector, order = self.pool.ordered(self.each(points))
        vector = vector if self.back is None else self.back(vector, order, points.shape[1])
        return self.out(vector).reshape(points.shape)


def unpooled(config: SetsConfig, data: Data, steps: int, every: int, unpooling: bool) -> list[dict[str, float]]:
    """Corners in any order to the same corners. Unpooling knows whose each answer is; an MLP's are assigned."""
    held, found = data.held("test", config.measure.sets), []
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(config.seed)
        net = Pooled(held.wanted.shape[1], unpooling)
    adam, dealing = torch.optim.Adam(net.parameters(), 1e-3), torch.Generator().manual_seed(config.seed)
    for step in range(1, steps + 1):
        points = data.train(config.train.batch, dealing).wanted[..., :2]
        points = points[:, torch.randperm(points.shape[1], generator=dealing)]
        answers = net(points)
        loss = (answers - points).square().mean() if unpooling else hungarian(answers, points).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step % every == 0:
            with torch.no_grad():
                sets = torch.cat([net(held.wanted[..., :2]), held.wanted[..., 2:]], -1)
            row = measured(config, sets, held, samples=1)
            found.append({"step": step, **{name: row[name]["value"] for name in row}})
    return found


def learned(config: SetsConfig, data: Data, steps: int, every: int, even: bool) -> list[dict[str, float]]:
    """Figures of the test as a model learns; `even`: it is decoded from a start whose slots are all equal."""
    held = data.held("test", config.measure.sets)
    model = SetPredictor(config, held.given.shape[1:])
    if even:
        _start_even(model)
    learner, found = SetLearner(config, model, data), []
    learner.prepare()
    for step in range(1, steps + 1):
        learner.advance()
        if step % every == 0:
            row = measured(config, answer(model, held, config.test_steps).sets, held, samples=1)
            found.append({"step": step, **{name: row[name]["value"] for name in row}})
    return found


def _start_even(model: SetPredictor) -> None:
    """Let an iDSPN begin at sets whose slots are all equal, in learning and at the test."""
    decoder = model.decoder
    assert isinstance(decoder, ImplicitDSPN)
    decode: Callable[..., Any] = decoder.forward

    def forward(z: Tensor, *rest: Any, **how: Any) -> Any:
        start = torch.full((len(z), decoder.slots, decoder.channels), 0.1)
        return decode(z, *rest, **how, start=start)

    decoder.forward = forward  # type: ignore[method-assign]


def one(part: str, who: str, seed: int) -> dict[str, Any]:
    steps, every, preset, sets = RUNS[part][who]
    # Where it matters how fast the one gets to where the other is, no step size falls.
    schedule = ["train.flat=1"] if part == "autoencoder" else [f"train.steps={steps}"]
    config = load(SetsConfig, f"sets/{preset}", [*sets, f"seed={seed}", *schedule]).config
    data = load_data(config.task, config.encoder, config.seed, torch.device("cpu"), say=print)
    began = time.process_time()
    if part == "unpooling":
        curve = unpooled(config, data, steps, every, who == "fspool")
    elif who in ("deepsets", "transformer"):
        curve = equivariant(config, data, steps, every, who == "transformer")
    else:
        curve = learned(config, data, steps, every, part == "multisets")
    rows = [{key: float(f"{value:.4g}") for key, value in row.items()} for row in curve]
    return {"cpu_seconds": round(time.process_time() - began, 1), "n": config.measure.sets, "curve": rows}


def told(part: str, done: dict[str, Any]) -> dict[str, Any]:
    """Median, least and most over seeds of what a part is judged by, at the end; and what is asked of it."""
    name, found = JUDGED[part], {}
    for who in RUNS[part]:
        ends = [row["curve"][-1][name] for key, row in done.items() if key.rpartition(",")[0] == who]
        if ends:
            found[who] = spread(ends) | {"seeds": len(ends)}
    if part == "autoencoder":
        reached = []
        for key, row in done.items():
            if key.startswith("dspn") and key.replace("dspn", "mlp") in done:
                aim = done[key.replace("dspn", "mlp")]["curve"][-1]["loss"]
                steps = [int(each["step"]) for each in row["curve"] if each["loss"] <= aim]
                reached.append(steps[0] if steps else None)
        found["steps in which dspn reaches it"] = reached
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=list(RUNS), default=list(RUNS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for part in options.parts:
        for seed in range(options.seeds):
            for who in RUNS[part]:
                done = json.loads(PATH.read_text()) if PATH.exists() else {}
                rows = done.setdefault(part, {"runs": {}})["runs"]
                if (name := f"{who}, seed {seed}") not in rows:
                    rows[name] = one(part, who, seed)
                    done[part]["told"] = told(part, rows)
                    done["about"] = about() | {"threads": 1}
                    write_text(PATH, json.dumps(done, indent=1) + "\n")
                    print(part, name, rows[name]["cpu_seconds"], "s", rows[name]["curve"][-1], flush=True)
        print(part, json.dumps(told(part, json.loads(PATH.read_text())[part]["runs"])))


if __name__ == "__main__":
    main()
