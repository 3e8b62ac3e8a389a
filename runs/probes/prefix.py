"""``prefix``: the rate after the first 1, 2, ..., N strokes."""

import torch

from runs.evidence import Evidence, Finding, bootstrap_by_pool
from runs.probes._registry import probe


@probe("prefix")
def prefix(evidence: Evidence) -> Finding:
    """How much of the drawing the receiver needs: its rate when it sees only the first n strokes.

    ``value`` is the mean over n = 1..N (1 would be: one stroke is enough; near the full rate / N: all are
    needed), ``parts`` the curve. A sender that draws in one pass has no order of its own: its strokes stand in
    the order of its outputs, and ``baselines["random"]`` is the same mean with the strokes in random order.
    """
    run = evidence.run
    count = evidence.plays[0].strokes.points.shape[1]
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(count, generator=generator) for _ in evidence.plays]

    def rates(shuffle: bool) -> list[float]:
        found = []
        for n in range(1, count + 1):

            def first(number: int, play: object, n: int = n) -> torch.Tensor:
                strokes = evidence.plays[number].strokes
                order = orders[number] if shuffle else torch.arange(count)
                kept = strokes.select(order[:n].to(strokes.points.device))
                return run.config.canvas.draw(kept, run.step)

            right = evidence.scored(first)
            found.append(float(torch.cat(right).double().mean()))
        return found

    drawn = rates(shuffle=False)
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
        {"full": drawn[-1], "random": sum(rates(shuffle=True)) / count},
        {str(n): rate for n, rate in enumerate(drawn, 1)},
    )
