"""``prefix``: the rate after the first 1, 2, ..., N strokes."""

from collections.abc import Sequence

import torch

from games import correct
from raster import Strokes
from raster.shapes import Int, Tensor
from runs.drawings import CARRIED
from runs.evidence import Evidence, Finding, bootstrap_by_pool
from runs.looks import different
from runs.probes._registry import probe

CHUNK = 256
"""Canvases that are drawn and read together."""


@probe("prefix")
def prefix(evidence: Evidence) -> Finding:
    """How much of the drawing the receiver needs: its rate when it sees only the first n strokes.

    ``value`` is the mean over n = 1..N (1 would be: one stroke is enough; near the full rate / N: all are
    needed), ``parts`` the curve. A sender that draws in one pass has no order of its own: its strokes stand in
    the order of its outputs, and ``baselines["random"]`` is the same mean with the strokes in random order.
    """
    count = evidence.plays[0].strokes.points.shape[1]
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(count, generator=generator) for _ in evidence.plays]
    drawn = _rates(evidence, [torch.arange(count)] * len(orders))
    low, high = bootstrap_by_pool([play.correct for play in evidence.plays])
    value = sum(drawn) / count
    full = drawn[-1] or 1.0
    # The interval is the full rate's, scaled to the mean: the curve's points rest on the same games.
    return Finding(
        value,
        low * value / full,
        min(1.0, high * value / full),
        evidence.n,
        evidence.chance,
        {"full": drawn[-1], "random": sum(_rates(evidence, orders)) / count},
        {str(n): rate for n, rate in enumerate(drawn, 1)},
    )


def _rates(evidence: Evidence, orders: Sequence[Int[Tensor, " n"]]) -> list[float]:
    """The rate after the first 1, 2, ..., N strokes, in an order for each pool."""
    right = torch.zeros(len(orders[0]), dtype=torch.long)
    for pair in dict.fromkeys(evidence.pairs):
        right += _right(evidence, [n for n, each in enumerate(evidence.pairs) if each == pair], orders)
    return (right.double() / evidence.n).tolist()


def _right(evidence: Evidence, pools: Sequence[int], orders: Sequence[Int[Tensor, " n"]]) -> Int[Tensor, " n"]:
    """How many games of the pools that one pair played come out right after 1, 2, ..., N strokes."""
    run, pair = evidence.run, evidence.run.pair(*evidence.pairs[pools[0]])
    plays = [evidence.plays[number] for number in pools]
    drawn = Strokes.cat(
        [
            play.strokes.detach().select(orders[number].to(play.strokes.points.device))
            for number, play in zip(pools, plays, strict=True)
        ]
    )
    carried = [each for name in CARRIED if (each := getattr(drawn, name)) is not None]
    first, place = different(drawn.points, *carried)  # what is drawn alike on many pools is read once
    found = []
    with torch.no_grad():
        for count in range(1, drawn.count + 1):
            some = [drawn[each].select(slice(count)) for each in first.split(CHUNK)]
            read = torch.cat([pair.read(run.config.canvas.draw(each, run.step)) for each in some])
            right = 0
            for number, play, mine in zip(pools, plays, place.split([len(play.loss) for play in plays]), strict=True):
                scores = pair.answer(read[mine], evidence.looked[number], play.round.pool_of)
                right += int(correct(scores, play.round).sum())
            found.append(right)
    return torch.tensor(found)
