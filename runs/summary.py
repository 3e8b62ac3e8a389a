"""The end of a run: every rate with its controls, on pictures that nobody learned from."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from games import Pictionary, Referential
from runs.changes import by_change
from runs.describing import of_descriptions
from runs.evidence import Evidence, Finding, gather
from runs.finding import plain
from runs.folder import write_json
from runs.journal import Journal
from runs.looks import Kept
from runs.probes import asked
from runs.probes.rate import rate
from runs.run import Run
from runs.tracing import of_traces
from runs.turns import by_turn
from runs.watch import rank


def summarise(run: Run, journal: Journal) -> dict[str, Any]:
    """Measure every part of the game on every test condition, write the plays, and give what summary.json holds.

    The judge looks at the main test split only, and only here: once a run. What all probes found there stands in
    probes.json, too, with what their figures are drawn of.
    """
    if run.game.describes:
        return of_descriptions(run, journal)
    if not run.game.chooses:
        return of_traces(run, journal)
    splits: dict[str, dict[str, Any]] = {}
    findings: dict[str, dict[str, Any]] = {name: {} for name in run.config.probes}
    for split in (name for name in run.gallery.splits if name.split("/")[0] == "test"):
        splits[split], seen = {}, Kept()
        for part in run.game.parts:
            evidence = gather(run, part, split, run.config.measure.test_pools)
            seen = evidence.sketches.remember(seen).seen
            whole = rate(evidence)
            found = _measured(evidence, whole) | _counted(evidence)
            if isinstance(part, Pictionary):
                found |= by_turn(evidence)
            if split == "test":
                answers = {"rate": whole} | asked([each for each in run.config.probes if each != "rate"], evidence)
                found |= _probed(answers)
                for name in findings:
                    answer = answers[name]
                    findings[name][part.label] = plain(answer) if isinstance(answer, Finding) else {"refused": answer}
            if run.config.measure.candidates and isinstance(part, Referential):
                found["candidates"] = _among(run, part, split)
            if isinstance(part, Referential) and part.pool == "class" and run.gallery.changes is not None:
                found["changes"] = by_change(evidence)
            splits[split][part.label] = found
            journal.plays(run.step, evidence.records())
    write_json(run.folder.probes, findings)
    main = splits["test"]
    headline = min(main, key=rank)
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


def hardest(parts: Sequence[Referential]) -> Referential:
    """The part of a game that would be its headline."""
    return min(parts, key=lambda part: rank(part.label))


def _measured(evidence: Evidence, whole: Finding) -> dict[str, Any]:
    """The rate's row; where there may be several targets, that of balanced accuracy beside it."""
    found, balanced = row(whole), evidence.balanced()
    if len(set(evidence.pairs)) > 1:
        found["by_pair"] = evidence.by_pair()
    if balanced is not None:
        found["balanced"] = {"balanced": balanced.value} | {
            key: value for key, value in row(balanced).items() if key != "rate"
        }
    return found


def _among(run: Run, part: Referential, split: str) -> dict[str, dict[str, Any]]:
    """The row of each other number of candidates that was asked for, by that number."""
    played = {
        k: gather(run, part.among(k), split, run.config.measure.test_pools) for k in run.config.measure.candidates
    }
    return {str(k): _measured(evidence, rate(evidence)) for k, evidence in played.items()}


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


def _probed(answers: Mapping[str, Finding | str]) -> dict[str, Any]:
    """What a row says of its probes: of each its number with interval and baselines, or why there is none."""
    found: dict[str, Any] = {}
    icons, curve = answers.get("iconicity"), answers.get("prefix")
    if isinstance(icons, Finding):
        found |= {"iconicity": icons.value, "iconicity_low": icons.low, "iconicity_high": icons.high}
        found |= {f"iconicity_{name}": icons.baselines[name] for name in ("untrained", "shuffled", "random")}
    if isinstance(curve, Finding):
        found |= {"prefix": curve.value, "prefix_random": curve.baselines["random"], "curve": curve.parts}
    others = {name: each for name, each in answers.items() if name != "rate"}
    if others:
        found["probes"] = {name: _brief(each) for name, each in others.items()}
    return found


def _brief(answer: Finding | str) -> dict[str, Any]:
    """A finding without what figures are drawn of, which probes.json has."""
    if not isinstance(answer, Finding):
        return {"refused": answer}
    return {key: value for key, value in plain(answer).items() if key not in ("table", "curves", "over", "pictures")}
