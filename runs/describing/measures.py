"""What is said of a run of description: how much of a scene is told by its drawing, and which parts of it."""

import math
from typing import Any

import torch

from games.scenes.vocabulary import ATTRIBUTES, REACH
from perception.sets import CLEVR, AveragePrecision, assign
from raster.shapes import Bool, Float, Int, Tensor
from runs.describing.descriptions import Descriptions, describe_split
from runs.evidence import bootstrap_of_mean
from runs.journal import Journal
from runs.run import Run
from runs.tracing.traces import ratio

DISTANCES = (math.inf, 1.0, 0.5, 0.25, 0.125)
"""Thresholds of the average precision, in units of the world (objects lie within 3 of its middle)."""
FOUND = 1.0
"""An object is found where something is said to stand no further from it than this, along the ground."""
SAMPLES = 1000
"""Samples of a bootstrap of the average precision."""

Value = dict[str, float | None]
"""``value`` with its 95 % interval, ``low`` and ``high``; None where there is nothing to take a mean of."""


def of_descriptions(run: Run, journal: Journal) -> dict[str, Any]:
    """Measure a run on every test condition, write the plays, and give what summary.json holds (docs/scene-game.md)."""
    splits: dict[str, dict[str, Any]] = {}
    for split in (name for name in run.gallery.splits if name.split("/")[0] == "test"):
        described = describe_split(run, split)
        splits[split] = {run.game.label: row(described)}
        journal.plays(run.step, described.records())
    main = splits["test"][run.game.label]
    return {
        "name": run.config.name,
        "game": run.game.label,
        "split": "test",
        "AP_inf": main["measures"]["AP_inf"]["value"],
        **main,
        "steps": run.step,
        "minutes": 0.0,
        "seed": run.config.seed,
        "fallback": run.fallback,
        "splits": splits,
    }


def row(described: Descriptions) -> dict[str, Any]:
    """Every measure of some descriptions, and the same of each control."""
    return {
        "n": described.n,
        "measures": figures(described.said, described.wanted),
        "controls": {name: figures(said, described.wanted) for name, said in described.controls.items()},
    }


def means(described: Descriptions) -> dict[str, float]:
    """What a validation says: the loss, and every measure that there is, without intervals."""
    loss = float(torch.cat([play.loss for play in described.plays]).double().mean())
    found = figures(described.said, described.wanted, samples=0)
    return {"loss": loss} | {name: each["value"] for name, each in found.items() if each["value"] is not None}


def figures(said: Float[Tensor, "n s c"], wanted: Float[Tensor, "n m c"], samples: int = SAMPLES) -> dict[str, Value]:
    """Every measure of predicted sets, by name, with a bootstrap over scenes.

    - ``AP_inf``, ``AP_1``, ...: average precision in percent; an object is right if all its attributes are, and it
      stands no further off than that (``perception.sets.AveragePrecision``).
    - ``found``: percent of the objects that are found by position alone (``FOUND``), whatever they are said to be.
    - ``color``, ``size``, ``material``, ``shape``: of the objects that were found, percent of which it is right.
    - ``position_error``: how far from its place a found object is said to be, along the ground, in units of the world.
    - ``count_error``: by how many objects what is said is off, in the mean.

    Args:
        said: what is said, slots at least as many as objects.
        wanted: what is there.
        samples: of the average precision's bootstrap; with 0 no interval is worked out.
    """
    precision = AveragePrecision(CLEVR, thresholds=DISTANCES, scale=REACH)
    precision.add(said, wanted)
    intervals = precision.interval(samples) if samples else {}
    found: dict[str, Value] = {}
    for threshold, value in precision.compute().items():
        low, high = intervals.get(threshold, (None, None))
        found[f"AP_{threshold:g}"] = {"value": value, "low": low, "high": high}
    slot, distance, near = by_place(said, wanted)
    objects, right = (wanted[..., -1] > 0.5).sum(1), near.sum(1)  # [n]
    found["found"] = _part(100.0 * right, objects)
    chosen = said.gather(1, slot[..., None].expand(-1, -1, said.shape[-1]))  # [n, M, C]
    for name, where in zip(ATTRIBUTES, CLEVR.attributes, strict=True):
        same = (chosen[..., where].argmax(-1) == wanted[..., where].argmax(-1)) & near
        found[name] = _part(100.0 * same.sum(1), right)
    found["position_error"] = _part(torch.where(near, distance, 0.0).sum(1), right)
    off = ((said[..., -1] > 0.5).sum(1) - objects).abs().double().cpu()
    low, high = bootstrap_of_mean(list(off[:, None]))
    found["count_error"] = {"value": float(off.mean()), "low": low, "high": high}
    return found


def by_place(
    said: Float[Tensor, "n s c"], wanted: Float[Tensor, "n m c"]
) -> tuple[Int[Tensor, "n m"], Float[Tensor, "n m"], Bool[Tensor, "n m"]]:
    """Which slot tells of each object, by where it stands alone; how far off, in units of the world; whether that is
    near enough. As many objects as can be are found, and of all such pairings the nearest is taken.
    """
    real, there = wanted[..., -1] > 0.5, said[..., -1] > 0.5
    apart = REACH * torch.cdist(said[..., :2].double(), wanted[..., :2].double())  # [n, N, M]
    fits = there[:, :, None] & real[:, None] & (apart <= FOUND)
    # A pair that does not fit costs more than any number of fitting ones.
    slot = assign(torch.where(fits, apart, 100.0 * FOUND), None, real)  # [n, M]
    near = fits.gather(1, slot[:, None])[:, 0]
    return slot, apart.gather(1, slot[:, None])[:, 0], near & real


def _part(of: Tensor, to: Tensor) -> Value:
    """The sum of one number of each scene over the sum of another, with a bootstrap over scenes."""
    value, low, high = ratio(of.double(), to.double())
    return {name: None if math.isnan(each) else each for name, each in (("value", value), ("low", low), ("high", high))}
