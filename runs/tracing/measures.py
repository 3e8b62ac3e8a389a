"""What is said of a tracing run: errors, ink and strokes, what a fixed reader reads, one-shot classes."""

from collections.abc import Iterator
from typing import Any

import torch

from raster import InputError
from raster.shapes import Bool, Float, Int, Tensor
from runs.evidence import Finding, bootstrap_by_pool
from runs.journal import Journal
from runs.probes._registry import ask_all, probe
from runs.run import Run
from runs.spread import wilson
from runs.tracing.classifier import classifier_of
from runs.tracing.features import along, modified_hausdorff
from runs.tracing.traces import CONTROLS, Traces, ratio, trace_split

TRIALS, WAYS = 20, 20
"""One-shot classification: how many times, among how many classes (Lake, Salakhutdinov & Tenenbaum 2015)."""


def of_traces(run: Run, journal: Journal) -> dict[str, Any]:
    """Measure a run on every test condition, write the plays, and give what summary.json holds (docs/tracing.md)."""
    splits: dict[str, dict[str, Any]] = {}
    for split in (name for name in run.gallery.splits if name.split("/")[0] == "test"):
        traces = trace_split(run, split)
        splits[split] = {run.game.label: row(traces)}
        journal.plays(run.step, traces.records())
    return {
        "name": run.config.name,
        "game": run.game.label,
        "split": "test",
        **splits["test"][run.game.label],
        "steps": run.step,
        "minutes": 0.0,
        "seed": run.config.seed,
        "fallback": run.fallback,
        "splits": splits,
    }


def row(traces: Traces) -> dict[str, Any]:
    """Every measure of some traces: errors with intervals and controls, ink and strokes, and what the probes find."""
    found: dict[str, Any] = {"n": traces.n}
    for name, each in traces.errors().items():
        low, high = traces.interval(each)
        found |= {name: float(each.double().mean()), f"{name}_low": low, f"{name}_high": high}
    ink = traces.canvas.flatten(1).mean(dim=1)
    low, high = traces.interval(ink)
    found |= {"ink": float(ink.double().mean()), "ink_low": low, "ink_high": high}
    found["ink_of_pictures"] = float(traces.wanted.double().mean())
    used = strokes_used(traces)
    low, high = traces.interval(used)
    found |= {"strokes": float(used.mean()), "strokes_low": low, "strokes_high": high}
    found["controls"] = {
        control: {name: float(each.double().mean()) for name, each in traces.errors(traces.control(control)).items()}
        for control in CONTROLS
    }
    for name, finding in ask_all(traces.run.config.probes, traces).items():
        found[name] = {"rate": finding.value, "low": finding.low, "high": finding.high, "n": finding.n}
        found[name] |= {"chance": finding.chance, **finding.baselines}
    return found


def strokes_used(traces: Traces) -> Float[Tensor, " n"]:
    """How many strokes each drawing has, [n]: the sum of their presence."""
    strokes = traces.strokes
    if strokes.presence is None:
        return torch.full((traces.n,), float(strokes.count), dtype=torch.float64)
    return strokes.presence.double().sum(dim=-1).cpu()


@probe("readable", of="traces")
def readable(traces: Traces) -> Finding:
    """How often a fixed classifier tells the class of a trace, by class.

    It learned the training pictures alone (``classifier_of``). ``baselines``: its rate on the ``pictures`` themselves
    with its interval, and ``of_pictures``, the first rate over the second (bootstrap over pictures); on each control of
    ``CONTROLS``. Intervals of rates are Wilson's: no picture is there twice.

    Raises:
        InputError: the classes of the split are none that it could learn.
    """
    run = traces.run
    check_readable(run, traces.split)
    classifier = classifier_of(run)
    right = classifier.read(traces.canvas) == traces.label  # [n]
    seen = classifier.read(traces.wanted) == traces.label
    low, high = wilson(int(right.sum()), len(right))
    value, least, most = ratio(right.double(), seen.double())
    pictures_low, pictures_high = wilson(int(seen.sum()), len(seen))
    baselines = {
        "pictures": float(seen.double().mean()),
        "pictures_low": pictures_low,
        "pictures_high": pictures_high,
        "of_pictures": value,
        "of_pictures_low": least,
        "of_pictures_high": most,
    }
    for name in CONTROLS:
        baselines[name] = float((classifier.read(traces.control(name)) == traces.label).double().mean())
    chance = float(traces.label.bincount().max()) / traces.n
    parts = {
        run.gallery.classes[label]: float(right[traces.label == label].double().mean())
        for label in traces.label.unique().tolist()
    }
    return Finding(float(right.double().mean()), low, high, traces.n, chance, baselines, parts)


def check_readable(run: Run, split: str) -> None:
    """Raise InputError where a classifier of the training pictures cannot know the classes of a split."""
    gallery = run.gallery
    known, asked = (gallery.label[gallery.splits[each].shown].unique() for each in ("train", split))
    unknown = int((~torch.isin(asked, known)).sum())
    if unknown:
        what = f"{unknown} of {len(asked)} classes are in no training picture, so no classifier can know them"
        raise InputError(what, f"probe readable, split {split!r}", "split by picture, or ask one_shot")


@probe("one_shot", of="traces")
def one_shot(traces: Traces) -> Finding:
    """One-shot classification from the strokes alone: of 20 classes, each shown by one trace, which is a new trace of?

    The nearest trace counts, by modified Hausdorff distance of points along the strokes (the baseline of Lake et al.
    2015, who had people's strokes); 20 trials of 20 classes, or of as many as have two traces, by two artists where
    there are artists. ``baselines``: the same trials by the pictures' ``pixels`` (mean squared difference), by the
    strokes of ``untrained`` senders, and chance. The interval resamples trials.

    Raises:
        InputError: fewer than two classes have two traces.
    """
    trials = list(_trials(traces))
    drawn, fresh = along(traces.strokes).cpu(), along(traces.fresh).cpu()  # [n, P, 2]
    pixels = traces.wanted.flatten(1).float().cpu()
    found: dict[str, list[Bool[Tensor, " w"]]] = {"strokes": [], "pixels": [], "untrained": []}
    for shown, asked in trials:
        own = torch.arange(len(shown))
        apart = {
            "strokes": modified_hausdorff(drawn[asked], drawn[shown]),
            "pixels": torch.cdist(pixels[asked], pixels[shown]),
            "untrained": modified_hausdorff(fresh[asked], fresh[shown]),
        }
        for name, distance in apart.items():
            found[name].append(distance.argmin(dim=1) == own)
    rates = {name: float(torch.cat(each).double().mean()) for name, each in found.items()}
    low, high = bootstrap_by_pool(found["strokes"])
    count, chance = sum(len(shown) for shown, _ in trials), 1 / len(trials[0][0])
    baselines = {"pixels": rates["pixels"], "untrained": rates["untrained"]}
    return Finding(rates["strokes"], low, high, count, chance, baselines)


def _trials(traces: Traces) -> Iterator[tuple[Int[Tensor, " w"], Int[Tensor, " w"]]]:
    """Positions of a trace that shows each class and of one that asks for it, for each trial; the same every time."""
    generator = torch.Generator().manual_seed(0)
    artist = traces.run.gallery.artist[traces.index]
    several = bool(traces.run.gallery.artists)
    pairs: dict[int, list[tuple[int, int]]] = {}
    for label in traces.label.unique().tolist():
        own = (traces.label == label).nonzero()[:, 0].tolist()
        fit = [(a, b) for a in own for b in own if a != b and (not several or artist[a] != artist[b])]
        if fit:
            pairs[label] = fit
    if len(pairs) < 2:
        what = f"{len(pairs)} classes have two traces to be compared"
        raise InputError(what, f"probe one_shot, split {traces.split!r}", "raise measure.pictures or hold out more")
    labels = list(pairs)
    for _ in range(TRIALS):
        order = torch.randperm(len(labels), generator=generator)[:WAYS].tolist()
        chosen = [pairs[labels[place]] for place in order]
        rows = [fit[int(torch.randint(len(fit), (1,), generator=generator))] for fit in chosen]
        shown, asked = torch.tensor(rows).unbind(dim=1)
        yield shown, asked
