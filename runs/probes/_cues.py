"""Cue combination: does a receiver's decision rest on several strokes' evidence, or on one stroke's?"""

import torch

from runs.evidence import Evidence
from runs.probes import _importance as importance
from runs.probes._asking import some_games
from runs.sketches import Control

GAMES = 48
"""Games whose drawings are cut."""
HALVES = 6
"""Pairs of random halves that each drawing is cut into."""


def cues(evidence: Evidence, control: Control = "drawings") -> dict[str, float]:
    """What halves and single strokes of some games' drawings tell, or of a control in their place.

    With v(S) the log-probability that the receiver gives to what is meant when it sees the strokes S alone:

    - ``whole``, ``half``, ``best stroke alone``, ``all but the best``: the mean probability exp v of the whole drawing,
      of random halves, of the stroke that tells most by itself (chosen with the answer at hand: compare with random
      strokes, of which the same is chosen), and of all others.
    - ``more than its halves``: 1 - (v(S) + v(rest) - 2 v(none)) / (v(all) - v(none)), means over drawings and halves in
      both places. 0: evidence adds up, as that of independent cues does; above 0: strokes mean more together than
      apart; below: halves say the same (-1: each says all). NaN where drawings say nothing.
    """
    some = some_games(evidence, GAMES)
    games, count = len(some), evidence.plays[0].strokes.count
    luck = torch.rand(games, HALVES, count, generator=torch.Generator().manual_seed(2))
    half = luck.argsort(dim=-1).argsort(dim=-1) < count // 2  # [g, HALVES, N]

    def value(sets: torch.Tensor) -> torch.Tensor:
        return some.worth(sets, control)

    one, other = value(half), value(~half)
    none, every = importance.ends(value, games, count).T
    single = torch.eye(count, dtype=torch.bool)
    alone = value(single.expand(games, -1, -1))
    best = alone.argmax(dim=1)
    without = value(~single[best][:, None])
    gain = float((every - none).mean())
    found = {
        "whole": float(every.exp().mean()),
        "half": float(torch.cat([one, other]).exp().mean()),
        "best stroke alone": float(alone.amax(dim=1).exp().mean()),
        "all but the best": float(without.exp().mean()),
    }
    if gain > 0:
        apart = float((one + other - 2 * none[:, None]).mean())
        found["more than its halves"] = 1 - apart / gain
    return found
