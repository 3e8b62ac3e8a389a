"""Games of turns as evidence: how long receivers wait, and what each turn is worth."""

from collections.abc import Sequence
from typing import Any

import torch

from games import Course, Play
from raster.shapes import Tensor
from runs.evidence import Evidence, bootstrap_of_mean


def mean_turns(evidence: Evidence) -> float:
    """Turns that a receiver waits for before it answers, on average over all games, from 1."""
    return float(torch.cat(_used(evidence.plays)).mean())


def by_turn(evidence: Evidence) -> dict[str, Any]:
    """What summary.json says of a game of turns (docs/files.md), its controls beside it.

    ``rate_by_turn`` makes the receiver answer after turn t all games; ``rate_answered_at`` is its rate among the games
    that it did answer then (None where there are none), ``answered_at`` their share.
    """
    low, high = bootstrap_of_mean(_used(evidence.plays))
    taken = torch.cat([_course(play).taken for play in evidence.plays])  # [n]
    right = _right(evidence.plays)  # [n, T]
    every = range(right.shape[1])
    return {
        "turns": mean_turns(evidence),
        "turns_low": low,
        "turns_high": high,
        "turns_untrained": float(torch.cat(_used(evidence.strangers)).mean()),
        "answered_at": [float((taken == turn).double().mean()) for turn in every],
        "rate_answered_at": [_mean_or_none(right[taken == turn, turn]) for turn in every],
        "rate_by_turn": right.double().mean(dim=0).tolist(),
        "rate_by_turn_untrained": _right(evidence.strangers).double().mean(dim=0).tolist(),
    }


def _course(play: Play) -> Course:
    assert play.course is not None, "not a game of turns"
    return play.course


def _used(plays: Sequence[Play]) -> list[Tensor]:
    return [_course(play).taken.double().cpu() + 1 for play in plays]


def _right(plays: Sequence[Play]) -> Tensor:
    return torch.cat([_course(play).right(play.round.target) for play in plays])


def _mean_or_none(right: Tensor) -> float | None:
    return float(right.double().mean()) if len(right) else None
