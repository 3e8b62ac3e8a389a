"""``standins``: do networks that stand in for people see what was drawn, and do they agree?"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import torch

from raster import on_paper
from raster.errors import InputError
from raster.shapes import Float, Int, Tensor
from runs.drawings import one_of, written
from runs.evidence import Evidence, Finding
from runs.finding import Drawn
from runs.intervals import bootstrap_of
from runs.looks import CHUNK
from runs.probes._registry import probe
from runs.probes._standins import StandIn, stand_ins

ASKED = 1024
"""Drawings, about, that a stand-in is shown; one who knows few of the classes is shown those alone."""
FEW = 96
"""Drawings, about, that a classifier is shown: it looks long."""
SAMPLES = 300
TOP = 5
SHOWN = 8
"""Drawings whose names are shown."""

Picture = Literal["drawings", "untrained", "random", "blank", "photos"]


@probe("standins", needs=["classes"])
def standins(evidence: Evidence) -> Finding:
    """How often networks in the place of people name the class of a drawing: the mean over those that are independent.

    Each stand-in chooses among the classes that were drawn and that it knows: by photos (the class whose photos, not
    those that were drawn, look most like the drawing to it), by label (an ImageNet classifier, for classes whose name
    is one of ImageNet's) and, with ``measure.clip``, CLIP by words. Independent are those whose network no agent, bias
    or game of the run used; the others stand in the table alone, for agents may have learned to please them.
    ``table``: rate with interval, top 5, chance, how many classes it knows, how many drawings it saw, and its own
    controls; ``photos`` is its rate on the photos that were drawn, its ceiling.

    ``parts``: agreement between stand-ins beyond chance, by Cohen's kappa (two) and Fleiss' (all), over the drawings
    and classes that they share, and what part of the classes has an ImageNet label. Baselines: the same mean of the
    controls. How far networks predict people is asked of a study's answers (``lascaux study stand-ins``).

    Raises:
        InputError: nobody independent knows two of the classes.
    """
    run, label = evidence.run, evidence.sketches.label
    everybody = stand_ins(run, label.unique(), evidence.sketches.shown.unique())
    trusted = [each for each in everybody if each.independent]
    if not trusted:
        do = "let the agents learn with another trunk, give more pictures of each class, or say measure.clip"
        where = f"{run.folder}, split {evidence.split!r}"
        raise InputError("probe standins: no network that the run has not used knows two of the classes", where, do)
    asked = {each.name: _rows(evidence, each) for each in everybody}
    chances: dict[str, Float[Tensor, "n c"]] = {}
    table: dict[str, dict[str, float]] = {}
    for each in everybody:
        chances[each.name], table[each.name] = _row(evidence, each, asked[each.name])
    own = [each.name for each in trusted]
    right = np.full((len(trusted), evidence.n), np.nan)
    for number, each in enumerate(trusted):
        right[number, asked[each.name].numpy()] = _right(chances[each.name], each, label[asked[each.name]]).numpy()
    low, high = bootstrap_of(lambda rows: _mean_of_means(right[:, rows]), evidence.sketches.sizes, SAMPLES)
    parts = {"classes with an ImageNet label": _labelled(everybody, len(label.unique()))}
    parts |= _agreement(evidence, everybody, asked, chances)
    controls = ("untrained", "random", "shuffled", "blank", "photos")
    return Finding(
        float(np.mean([table[name]["rate"] for name in own])),
        low,
        high,
        int((~np.isnan(right)).any(axis=0).sum()),
        float(np.mean([table[name]["chance"] for name in own])),
        {control: float(np.mean([table[name][control] for name in own])) for control in controls},
        parts,
        table,
        pictures=_pictures(evidence, everybody, asked, chances),
        measure="class named",
    )


def cohen_kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Agreement of two on n answers beyond what their habits give by chance (Cohen 1960); NaN where both say one thing.

    >>> round(cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])), 3)
    0.5
    """
    kinds = int(max(one.max(), other.max())) + 1
    habits = np.bincount(one, minlength=kinds) @ np.bincount(other, minlength=kinds) / len(one) ** 2
    return float(((one == other).mean() - habits) / (1 - habits)) if habits < 1 else float("nan")


def fleiss_kappa(answers: np.ndarray) -> float:
    """The same of any number of raters (Fleiss 1971); NaN where all say one thing throughout.

    Args:
        answers: whole numbers from 0, [n, raters]; two raters or more.
    """
    count, raters = answers.shape
    kinds = int(answers.max()) + 1
    times = np.stack([np.bincount(row, minlength=kinds) for row in answers])  # [n, kinds]
    agreed = ((times**2).sum(axis=1) - raters) / (raters * (raters - 1))
    habits = float(((times.sum(axis=0) / (count * raters)) ** 2).sum())
    return float((agreed.mean() - habits) / (1 - habits)) if habits < 1 else float("nan")


def _rows(evidence: Evidence, each: StandIn) -> Int[Tensor, " m"]:
    """The games that a stand-in is asked about: of classes that it knows, equally many of each pool, at random."""
    most = FEW if each.name.endswith("by label") else ASKED
    known, generator = torch.isin(evidence.sketches.label, each.classes), torch.Generator().manual_seed(0)
    chosen = torch.randperm(evidence.n, generator=generator)
    return chosen[known[chosen]][:most].sort().values


def _pixels(evidence: Evidence, what: Picture, rows: Int[Tensor, " m"]) -> Iterator[Float[Tensor, "b 3 h w"]]:
    if what == "photos":
        return (evidence.run.gallery.view(some).pixels() for some in evidence.sketches.shown[rows].split(CHUNK))
    canvas = evidence.sketches.canvas(what)
    return (on_paper(canvas[some]) for some in rows.to(canvas.device).split(CHUNK))


def _seen(evidence: Evidence, each: StandIn, what: Picture, rows: Int[Tensor, " m"]) -> Float[Tensor, "m d"]:
    if not each.judges:
        return each.seen(_pixels(evidence, what, rows))
    sketches = evidence.sketches
    return (sketches.photos if what == "photos" else sketches.looks(what)).whole[rows]


def _row(evidence: Evidence, each: StandIn, rows: Int[Tensor, " m"]) -> tuple[Float[Tensor, "m c"], dict[str, float]]:
    """A stand-in's probabilities of its classes for the drawings, and its row of the table."""
    label = evidence.sketches.label[rows]
    seen = _seen(evidence, each, "drawings", rows)
    scores = each.scores(seen)
    right = _right(scores, each, label)
    pools = evidence.sketches.pool_of[rows].unique_consecutive(return_counts=True)[1].tolist()
    low, high = bootstrap_of(lambda some: float(right.numpy()[some].mean()), pools, SAMPLES)
    place = torch.searchsorted(each.classes, label)
    best = scores.topk(min(TOP, scores.shape[1]), dim=1).indices
    row = {
        "rate": float(right.mean()),
        "low": low,
        "high": high,
        f"top {TOP}": float((best == place[:, None]).any(dim=1).double().mean()),
        "chance": 1 / len(each.classes),
        "classes": float(len(each.classes)),
        "n": float(len(rows)),
        "independent": float(each.independent),
    }
    whats: tuple[Picture, ...] = ("untrained", "random", "photos")
    for what in whats:
        row[what] = float(_right(each.scores(_seen(evidence, each, what, rows)), each, label).mean())
    row["shuffled"] = float(_right(scores.roll(1, dims=0), each, label).mean())
    blank = each.scores(_seen(evidence, each, "blank", rows[:1])).expand(len(rows), -1)
    row["blank"] = float(_right(blank, each, label).mean())
    return scores.softmax(dim=1), row


def _right(scores: Float[Tensor, "m c"], each: StandIn, label: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
    return (each.classes[scores.argmax(dim=1)] == label).double()


def _mean_of_means(right: np.ndarray) -> float:
    """The mean over stand-ins of the part that each had right; NaN where one of them was asked nothing."""
    counts = (~np.isnan(right)).sum(axis=1)
    return float((np.nansum(right, axis=1) / counts).mean()) if counts.all() else float("nan")


def _labelled(everybody: Sequence[StandIn], classes: int) -> float:
    return max((len(each.classes) for each in everybody if each.name.endswith("by label")), default=0) / classes


def _agreement(
    evidence: Evidence,
    everybody: Sequence[StandIn],
    asked: Mapping[str, Int[Tensor, " m"]],
    chances: Mapping[str, Float[Tensor, "m c"]],
) -> dict[str, float]:
    """Kappa of every two, and of all, over the drawings that they all saw and the classes that they all know."""

    def answers(some: Sequence[StandIn]) -> tuple[np.ndarray, list[int]]:
        common = [label for label in some[0].classes.tolist() if all(label in each.classes for each in some)]
        rows = [row for row in asked[some[0].name].tolist() if all(row in asked[each.name] for each in some)]
        label = evidence.sketches.label
        rows = [row for row in rows if int(label[row]) in common]
        said = []
        for each in some:
            at = torch.searchsorted(asked[each.name], torch.tensor(rows, dtype=torch.long))
            columns = torch.searchsorted(each.classes, torch.tensor(common, dtype=torch.long))
            said.append(chances[each.name][at][:, columns].argmax(dim=1).numpy() if rows and common else np.zeros(0))
        pools = evidence.sketches.pool_of[rows].unique_consecutive(return_counts=True)[1].tolist() if rows else []
        return np.stack(said, axis=1), pools

    found: dict[str, float] = {}
    groups: list[Sequence[StandIn]] = list(combinations(everybody, 2))
    if len(everybody) > 2:
        groups.append(everybody)
    for some in groups:
        said, pools = answers(some)
        if len(said) < 2 or len(pools) < 2:
            continue
        name = "kappa of all" if len(some) > 2 else f"kappa, {some[0].name} and {some[1].name}"

        def kappa(rows: np.ndarray, said: np.ndarray = said) -> float:
            own = said[rows]
            return fleiss_kappa(own) if own.shape[1] > 2 else cohen_kappa(own[:, 0], own[:, 1])

        value = kappa(np.arange(len(said)))
        low, high = bootstrap_of(kappa, pools, SAMPLES)
        found |= {name: value, f"{name}, low": low, f"{name}, high": high}
    return {key: value for key, value in found.items() if not np.isnan(value)}


def _pictures(
    evidence: Evidence,
    everybody: Sequence[StandIn],
    asked: Mapping[str, Int[Tensor, " m"]],
    chances: Mapping[str, Float[Tensor, "m c"]],
) -> list[Drawn]:
    """Some drawings, with what each stand-in that saw them calls them."""
    sketches, names, found = evidence.sketches, evidence.run.gallery.classes, []
    rows = asked[everybody[-1].name]  # whoever knows least comes late
    chosen = rows[torch.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).round().long()]
    for row in chosen.tolist():
        said = [f"drawn: {names[int(sketches.label[row])]}"]
        for each in everybody:
            at = int(torch.searchsorted(asked[each.name], row))
            if at < len(asked[each.name]) and int(asked[each.name][at]) == row:
                said.append(f"{each.name}: {names[int(each.classes[chances[each.name][at].argmax()])]}")
        drawing = one_of(written(sketches.strokes[row : row + 1]), 0)
        found.append(Drawn(drawing, "; ".join(said), photo=int(sketches.shown[row])))
    return found
