"""Scenes among their variants as evidence: which differences do drawings tell?"""

from typing import Any

import torch

from games.scenes import CHANGES
from raster.shapes import Float, Int, Tensor
from runs.evidence import Evidence, bootstrap_of_mean

SEVERAL = len(CHANGES)
"""Two scenes that differ in two ways, as one object moved and the same object in another colour do."""
KINDS = (*CHANGES[1:], "several")


def by_change(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Of every pair of a target and a distractor, by what they differ in, how often the target has the higher score
    (``told``; equal scores count half), with its controls and a bootstrap over pools. Guessing gives 0.5.

    A pair differs in one way where one of the two is the scene itself, or where both are variants of one kind.
    Kinds that no pair has are left out.

    Args:
        evidence: games on pools of one class, on a gallery whose ``changes`` are known.
    """
    changes = evidence.run.gallery.changes
    assert changes is not None
    rounds = [play.round for play in evidence.plays]
    kinds = [of_pairs(changes[round.pool.cpu()][round.pool_of.cpu()], round.target.cpu()) for round in rounds]
    won = {
        name: [_won(each, round.target).cpu() for each, round in zip(scores, rounds, strict=True)]
        for name, scores in evidence.scores().items()
    }
    found: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(KINDS, 1):
        there = [kind == number for kind in kinds]
        if not any(bool(each.any()) for each in there):
            continue
        pools = {what: [w[t] for w, t in zip(each, there, strict=True) if bool(t.any())] for what, each in won.items()}
        means = {what: float(torch.cat(each).mean()) for what, each in pools.items()}
        low, high = bootstrap_of_mean(pools["drawings"])
        count = sum(len(each) for each in pools["drawings"])
        found[name] = {"told": means.pop("drawings"), "low": low, "high": high, **means, "n": count}
    return found


def of_pairs(changes: Int[Tensor, "b k"], target: Int[Tensor, " b"]) -> Int[Tensor, "b k"]:
    """In what each candidate differs from the target: a number of ``CHANGES``, ``SEVERAL``, or 0 for the target.

    Args:
        changes: in what each candidate differs from the scene itself, [B, K].
        target: its position, [B].
    """
    own = changes.gather(1, target[:, None])  # [B, 1]
    kind = torch.where(own == 0, changes, torch.where(changes == 0, own, SEVERAL))
    kind = torch.where(own == changes, own.expand_as(changes), kind)
    return kind.scatter(1, target[:, None], 0)


def _won(scores: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, "b k"]:
    """1 where the target's score is above a candidate's, a half where it is the same, [B, K] in float64."""
    own = scores.gather(1, target[:, None])
    return (own > scores).double() + 0.5 * (own == scores).double()
