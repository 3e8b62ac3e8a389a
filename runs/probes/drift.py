"""``drift``: how much do the drawings of the same pictures still change while agents learn?"""

from itertools import pairwise
from typing import Any

import numpy as np
import torch

from raster import on_paper
from raster.errors import InputError
from raster.shapes import Float, Tensor
from runs.drawings import strokes_of
from runs.evidence import Evidence, Finding, bootstrap_of_mean
from runs.finding import Curve
from runs.folder import lines
from runs.probes._registry import probe

MOST_STEPS, MOST_DRAWINGS = 12, 128
"""Of the journal: so many moments, evenly spaced, and so many drawings at each."""


@probe("drift")
def drift(evidence: Evidence) -> Finding:
    """How far apart a picture's drawings at the last two moments of the journal are, to the judge (1 - cosine).

    The journal of validation has the same games at every moment (``train.validate_every``). ``curves`` has the drift
    from each moment to the next, and the distance from the first moment. Baselines: ``another``, how far apart drawings
    of two pictures are at the last moment; at 0 drawings of a picture are the same, at ``another`` nothing of them is
    left. The interval is a bootstrap over pools.

    Raises:
        InputError: the journal has fewer than two moments.
    """
    run = evidence.run
    path = run.folder.journal("validation")
    moments = _moments([line for line in lines(path) if line["game"] == evidence.game.label])
    if len(moments) < 2:
        what = f"probe drift: the journal has drawings of {len(moments)} moments"
        raise InputError(what, path, "validate twice or more while agents learn (train.validate_every)")
    steps = [moments[int(each)][0] for each in _evenly(len(moments))]
    seen, sizes = [], [len(each["strokes"]) for each in dict(moments)[steps[-1]]]
    for step in steps:
        played = dict(moments)[step]
        if [each["shown"] for each in played] != [each["shown"] for each in dict(moments)[steps[-1]]]:
            raise InputError("probe drift: the journal's moments show other pictures", path, "run again")
        seen.append(_seen(evidence, played, step))
    count = len(seen[-1])
    centre = torch.cat(seen).mean(dim=0)
    rows = [torch.nn.functional.normalize(each - centre, dim=-1).double() for each in seen]
    moved = [1 - (a * b).sum(dim=-1) for a, b in pairwise(rows)]  # [n] from each to the next
    pools, left = [], moved[-1]
    for size in sizes:
        if len(left):
            pools.append(left[:size])
            left = left[size:]
    low, high = bootstrap_of_mean(pools)
    far = 1 - rows[-1] @ rows[-1].T
    shown = torch.tensor([index for each in dict(moments)[steps[-1]] for index in each["shown"]])[:count]
    others = far[shown[:, None] != shown]
    from_first = [float((1 - (each * rows[0]).sum(dim=-1)).mean()) for each in rows[1:]]
    at = [float(step) for step in steps[1:]]
    return Finding(
        float(moved[-1].mean()),
        low,
        high,
        count,
        None,
        {"another": float(others.mean()) if len(others) else float("nan")},
        curves={
            "since the moment before": Curve(at, [float(each.mean()) for each in moved]),
            "since the first moment": Curve(at, from_first),
        },
        over="step",
        measure="distance (1 - cosine)",
    )


def _moments(played: list[dict[str, Any]]) -> list[tuple[int, list[dict[str, Any]]]]:
    """Journal lines by their step, rising; a line a pool."""
    found: dict[int, list[dict[str, Any]]] = {}
    for line in played:
        found.setdefault(line["step"], []).append(line)
    return sorted(found.items())


def _evenly(count: int) -> np.ndarray:
    """Positions of at most ``MOST_STEPS`` of so many moments: the first and the last, and evenly between."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_STEPS)).round().astype(int))


def _seen(evidence: Evidence, played: list[dict[str, Any]], step: int) -> Float[Tensor, "n d"]:
    """What the judge sees of the first drawings of a moment, drawn again from the journal's strokes."""
    run = evidence.run
    canvases, count = [], 0
    with torch.no_grad():
        for line in played:
            strokes = strokes_of(line).to(run.gallery.device)
            canvases.append(run.config.canvas.draw(strokes, step)[: MOST_DRAWINGS - count])
            count += len(canvases[-1])
            if count >= MOST_DRAWINGS:
                break
    return evidence.sketches.judged(on_paper(each).float() for each in canvases).whole
