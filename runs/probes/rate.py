"""``rate``: how often the receiver finds the target, with every control and by class."""

from collections import defaultdict

from runs.evidence import Evidence, Finding, bootstrap_by_pool
from runs.probes._registry import probe


@probe("rate", cheap=True)
def rate(evidence: Evidence) -> Finding:
    """Communication rate on the split beside all its controls, and by class of the target."""
    gallery = evidence.run.gallery
    by_class: dict[str, list[bool]] = defaultdict(list)
    for play in evidence.plays:
        for label, right in zip(gallery.label[play.round.shown.cpu()], play.correct, strict=True):
            by_class[gallery.classes[int(label)]].append(bool(right))
    low, high = bootstrap_by_pool([play.correct for play in evidence.plays])
    parts = {name: sum(right) / len(right) for name, right in sorted(by_class.items())}
    return Finding(evidence.rate(), low, high, evidence.n, evidence.chance, evidence.controls(), parts)
