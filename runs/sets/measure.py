"""How good predicted sets are: on held-out sets, with intervals, beside controls, at several numbers of inner steps."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from games.scenes import numbered_rightly
from games.scenes.vocabulary import ATTRIBUTES
from perception.sets import CLEVR, AveragePrecision, assign
from raster.shapes import Float, Tensor
from runs.sets.config import SetsConfig
from runs.sets.data import Data, Pairs
from runs.sets.learner import set_loss
from runs.sets.model import SetPredictor
from runs.sets.tasks import BoxesTask, MultisetsTask, NumberingTask, ObjectsTask, PolygonsTask, StateTask

CHUNK = 256
"""Sets that are predicted at once. What comes out does not depend on it."""
SAMPLES = 1000
"""Samples of a bootstrap."""

Value = dict[str, float]
"""``value``, and where there is one its 95 % interval, ``low`` and ``high``."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model predicts of many sets.

    Attributes:
        sets: [n, N, C].
        gaps: [T], the inner loss each inner step started from, in the mean over sets.
        moved: [T], how far elements moved at each inner step, likewise; [1], from the start to the answer, where the
            decoder keeps no more of its trace.
    """

    sets: Float[Tensor, "n slots c"]
    gaps: list[float]
    moved: list[float]


@torch.no_grad()
def answer(model: SetPredictor, pairs: Pairs, steps: int | None = None) -> Answers:
    """Predict the sets of `pairs`, with `steps` inner steps or the decoder's own number. Random starts are always the
    same.
    """
    model.eval()
    starting = torch.Generator().manual_seed(0)
    sets, gaps, moved = [], [], []
    for given in pairs.given.split(CHUNK):
        decoded = model.decode(model.encode(given), starting, steps)
        sets.append(decoded.sets)
        if len(decoded.gaps):
            gaps.append(decoded.gaps.sum(1))
            moved.append(decoded.moved.sum(1))
    count = len(pairs.wanted)
    return Answers(
        torch.cat(sets),
        (torch.stack(gaps).sum(0) / count).tolist() if gaps else [],
        (torch.stack(moved).sum(0) / count).tolist() if moved else [],
    )


def measured(config: SetsConfig, sets: Float[Tensor, "n s c"], pairs: Pairs, samples: int = SAMPLES) -> dict[str, Any]:
    """Every figure of a task, by name; those that matter most are named in `headline`.

    ``loss`` always. Objects: ``AP_inf``, ``AP_1``, ... by distance in units of the world, and of each attribute how
    often it is right in the object that is paired with a true one; boxes: ``AP_0.5``, ... by overlap; both: ``count``,
    how often as many are said as there are. Polygons and multisets: ``distance``, the root mean square distance of
    paired elements, and ``worst``, that of the worst set. Numbering: ``exact``, sets that are right to the last
    element. All but the loss and distances in percent.

    Args:
        config: the task and its loss.
        sets: predictions.
        pairs: what was told, and the truth.
        samples: of the bootstrap.
    """
    task, wanted = config.task, pairs.wanted
    found: dict[str, Any] = {"loss": mean(set_loss(config)(sets, wanted), samples)}
    if isinstance(task, StateTask | ObjectsTask | BoxesTask):
        boxes = isinstance(task, BoxesTask)
        precision = AveragePrecision(by="iou") if boxes else AveragePrecision(task.fields, scale=3.0)
        precision.add(sets, wanted)
        intervals = precision.interval(samples)
        for threshold, value in precision.compute().items():
            low, high = intervals[threshold]
            found[f"AP_{threshold:g}"] = {"value": value, "low": low, "high": high}
        there = (sets[..., -1] > 0.5).sum(1) == (wanted[..., -1] > 0.5).sum(1)
        found["count"] = mean(100.0 * there.double(), samples)
        if not boxes:
            found |= {name: mean(each, samples) for name, each in _attributes(sets, wanted).items()}
    elif isinstance(task, PolygonsTask | MultisetsTask):
        apart = torch.cdist(sets[..., :-1], wanted[..., :-1])  # [n, N, N]
        slot = assign(apart.square())
        distance = apart.gather(1, slot[:, None])[:, 0].square().mean(1).sqrt()
        found["distance"] = mean(distance, samples)
        found["worst"] = {"value": float(distance.max())}
    elif isinstance(task, NumberingTask):
        found["exact"] = mean(100.0 * numbered_rightly(sets, pairs.given), samples)
    return found


def headline(config: SetsConfig) -> str:
    """The figure of a task that a run is judged by."""
    by_task = {"polygons": "worst", "multisets": "distance", "numbering": "exact", "boxes": "AP_0.5"}
    by_task |= {"objects": "AP_inf", "state": "AP_inf"}
    return by_task.get(config.task.kind, "loss")


def _attributes(sets: Float[Tensor, "n s c"], wanted: Float[Tensor, "n s c"]) -> dict[str, Tensor]:
    """Of each attribute the part of a picture's objects in which it is right, percent, [pictures with objects]."""
    real = wanted[..., -1] > 0.5
    slot = assign((sets[:, :, None] - wanted[:, None]).square().sum(-1), None, real)  # [n, M]
    paired = sets.gather(1, slot[..., None].expand_as(wanted))
    some = real.any(1)
    found = {}
    for name, where in zip(ATTRIBUTES, CLEVR.attributes, strict=True):
        right = (paired[..., where].argmax(-1) == wanted[..., where].argmax(-1)) & real
        found[name] = 100.0 * right.sum(1)[some].double() / real.sum(1)[some]
    return found


def mean(values: Float[Tensor, " n"], samples: int = SAMPLES) -> Value:
    """A mean over sets, with a percentile bootstrap over them."""
    each = values.detach().double().cpu().numpy()
    if not len(each):
        return {"value": math.nan}
    noise = np.random.default_rng(0)
    found = [each[noise.integers(0, len(each), len(each))].mean() for _ in range(samples)]
    low, high = np.quantile(found, [0.025, 0.975])
    return {"value": float(each.mean()), "low": float(low), "high": float(high)}


def summarise(config: SetsConfig, model: SetPredictor, data: Data) -> dict[str, Any]:
    """summary.json: the test, at each number of inner steps, and its controls.

    Controls: ``mean set``, the mean element of a thousand sets in every slot; ``shuffled``, the model's answers to what
    was told of other sets; ``untrained``, a model of other first weights that learned nothing.
    """
    pairs = data.held("test", config.measure.sets)
    own = config.test_steps
    inner: list[int | None] = [None] if own is None else [*sorted({own, *config.measure.inner})]
    rows: dict[str, Any] = {}
    sets = pairs.wanted
    for steps in inner:
        answers = answer(model, pairs, steps)
        row = measured(config, answers.sets, pairs)
        rows[str(steps or "none")] = {"measures": row, "gap": answers.gaps, "moved": answers.moved}
        if steps == own:
            sets = answers.sets
    seen = data.train(1000, torch.Generator().manual_seed(config.seed)).wanted
    fresh = SetPredictor(config, pairs.given.shape[1:], config.seed + 1).to(data.device)
    controls = {
        "mean set": seen.mean((0, 1)).expand_as(sets),
        "shuffled": sets.roll(1, 0),
        "untrained": answer(fresh, pairs, own).sets,
    }
    name = headline(config)
    return {
        "name": config.name,
        "task": config.task.kind,
        "encoder": config.encoder.kind,
        "decoder": config.decoder.kind,
        "data": data.source,
        "n": len(pairs.wanted),
        "headline": {"name": name, **rows[str(own or "none")]["measures"][name]},
        "inner_steps": own,
        "inner": rows,
        "controls": {what: measured(config, each, pairs) for what, each in controls.items()},
        "parameters": sum(each.numel() for each in model.parameters()),
    }


def figures(summary: dict[str, Any]) -> list[tuple[str, dict[str, Value]]]:
    """Every row of figures of a summary, by what it is called: each number of inner steps, then the controls."""
    found = []
    for steps, row in summary["inner"].items():
        name = summary["decoder"] if steps == "none" else f"{steps} inner steps"
        found.append((name, row["measures"]))
    return [*found, *summary["controls"].items()]
