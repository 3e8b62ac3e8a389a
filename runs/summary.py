"""The end of a run: every rate with its controls, on pictures that nobody learned from."""

from typing import Any

import torch

from games import Pictionary, Referential
from runs.changes import by_change
from runs.describing import of_descriptions
from runs.evidence import Evidence, Finding, gather
from runs.journal import Journal
from runs.probes.iconicity import iconicity
from runs.probes.prefix import prefix
from runs.probes.rate import rate
from runs.run import Run
from runs.tracing import of_traces
from runs.turns import by_turn

HEADLINE = ("artist", "class", "same")
"""The hardest game that was played is the headline; ``same`` is nearly solved by any private scribble."""


def summarise(run: Run, journal: Journal) -> dict[str, Any]:
    """Measure every part of the game on every test condition, write the plays, and give what summary.json holds.

    The judge looks at the main test split only, and only here: once a run.
    """
    if run.game.describes:
        return of_descriptions(run, journal)
    if not run.game.chooses:
        return of_traces(run, journal)
    splits: dict[str, dict[str, Any]] = {}
    for split in (name for name in run.gallery.splits if name.split("/")[0] == "test"):
        splits[split] = {}
        for part in run.game.parts:
            evidence = gather(run, part, split, run.config.measure.test_pools)
            found = _measured(evidence) | _counted(evidence)
            if isinstance(part, Pictionary):
                found |= by_turn(evidence)
            if split == "test" and "iconicity" in run.config.probes:
                found |= _icons(iconicity(evidence))
            if split == "test" and "prefix" in run.config.probes:
                curve = prefix(evidence)
                found |= {"prefix": curve.value, "prefix_random": curve.baselines["random"], "curve": curve.parts}
            if run.config.measure.candidates and isinstance(part, Referential):
                found["candidates"] = _among(run, part, split)
            if isinstance(part, Referential) and part.pool == "class" and run.gallery.changes is not None:
                found["changes"] = by_change(evidence)
            splits[split][part.label] = found
            journal.plays(run.step, evidence.records())
    main = splits["test"]
    headline = min(main, key=_rank)
    return {
        "name": run.config.name,
        "game": headline,
        "split": "test",
        **main[headline],
        "same": main.get("same"),
        "steps": run.step,
        "minutes": 0.0,
        "seed": run.config.seed,
        "fallback": run.fallback,
        "splits": splits,
    }


def _rank(label: str) -> int:
    """Where a game stands among those that could be the headline."""
    view = label.split("-")[0]
    return HEADLINE.index(view) if view in HEADLINE else len(HEADLINE)


def _measured(evidence: Evidence) -> dict[str, Any]:
    """The rate's row; where there may be several targets, that of balanced accuracy beside it."""
    found, balanced = row(rate(evidence)), evidence.balanced()
    if len(set(evidence.pairs)) > 1:
        found["by_pair"] = evidence.by_pair()
    if balanced is not None:
        found["balanced"] = {"balanced": balanced.value} | {
            key: value for key, value in row(balanced).items() if key != "rate"
        }
    return found


def _among(run: Run, part: Referential, split: str) -> dict[str, dict[str, Any]]:
    """The row of each other number of candidates that was asked for, by that number."""
    pools = run.config.measure.test_pools
    return {str(k): _measured(gather(run, part.among(k), split, pools)) for k in run.config.measure.candidates}


def row(finding: Finding) -> dict[str, Any]:
    """A rate as a flat row of numbers."""
    return {
        "rate": finding.value,
        **finding.baselines,
        "n": finding.n,
        "low": finding.low,
        "high": finding.high,
    }


def _counted(evidence: Evidence) -> dict[str, Any]:
    """How many strokes a drawing has on average, where agents decide it (the sum of their presence)."""
    present = [play.strokes.presence for play in evidence.plays]
    counts = [each.double().sum(dim=-1) for each in present if each is not None]  # [B] a pool
    return {"strokes": float(torch.cat(counts).mean())} if counts else {}


def _icons(finding: Finding) -> dict[str, Any]:
    return {
        "iconicity": finding.value,
        "iconicity_low": finding.low,
        "iconicity_high": finding.high,
        "iconicity_untrained": finding.baselines["untrained"],
        "iconicity_shuffled": finding.baselines["shuffled"],
    }
