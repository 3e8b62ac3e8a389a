"""``robustness``: what is left of the rate when drawings are damaged, by chance or by somebody who means it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from games import correct
from games.play import Play, Round
from raster import Strokes
from raster.shapes import Bool, Float, Int, Tensor
from runs.drawings import one_of, written
from runs.evidence import Evidence
from runs.finding import Curve, Drawn, Finding
from runs.intervals import bootstrap_by_pool, bootstrap_of_mean
from runs.probes._damage import Norm, attack, damages, noise_of_size
from runs.probes._registry import probe

DAMAGED = 512
"""Games, about, that are played with damaged drawings."""
ATTACKED = 192
"""Games, about, whose drawings are attacked: each costs ten drawings with their gradients."""
TOGETHER = 64
"""Games, about, that are drawn and read together."""
NOISE = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Standard deviations of the noise on the canvas; full ink is 1."""
SIZES = (0.0025, 0.005, 0.01, 0.02, 0.04)
"""Of attacks and of the noise beside them, canvas units; on 64 pixels 0.03 is one."""
MIDDLE = 2
"""The severity whose drawings are shown, from 0."""
SHOWN = 2
"""Games whose damaged drawings are shown."""


@dataclass(frozen=True)
class _Some:
    """Some games of a pool: their number in it, and what was dealt in them."""

    pool: int
    rows: Int[Tensor, " b"]
    round: Round
    strokes: Strokes


@probe("robustness", needs=["strokes"])
def robustness(evidence: Evidence) -> Finding:
    """The mean rate over six kinds of damage at five severities (as Hendrycks & Dietterich 2019 average corruptions).

    Noise on the canvas, jitter of control points, missing strokes, rotation, lines thicker and thinner; the curves are
    each kind's rate over severity, 0 being the whole drawing, and ``table`` says how strong each severity is. Receivers
    learned with none of them, unless a bias did it to them (``tremor`` does).

    Beside them, and not in the value, attacks: small changes of all control points that the receiver's own gradient
    points to (PGD, Madry et al. 2018), bounded in every coordinate (``attack``) or, at the middle size, in root mean
    square (``attack, l2``), each beside random noise of equal norm. ``parts`` has the loss by attack less the loss by
    noise: what the receiver stakes on details that chance does not hit.

    ``baselines`` are the rate's own controls, of whole drawings: a drawing damaged beyond use is worth no less than
    ``blank``. Intervals: bootstrap over pools; every severity is asked of the same games.
    """
    some = _games(evidence, DAMAGED)
    whole = _played(evidence, some)
    kinds = {"noise": NOISE} | {name: each.strengths for name, each in damages(_sigma2(evidence)).items()}
    table: dict[str, dict[str, float]] = {}
    curves: dict[str, Curve] = {}
    parts: dict[str, float] = {}
    means = []
    for kind, strengths in kinds.items():
        found = [_damaged(evidence, some, kind, strength) for strength in strengths]
        curves[kind] = _curve([whole, *found])
        parts[kind] = _rate([torch.cat(pools) for pools in zip(*found, strict=True)])
        means.append(found)
        table |= {f"{kind} {strength:g}": _row(each, strength) for strength, each in zip(strengths, found, strict=True)}
    by_game = [
        torch.stack([each[number].double() for found in means for each in found]).mean(dim=0)
        for number in range(len(some))
    ]  # [b] a pool
    low, high = bootstrap_of_mean(by_game)
    value = float(torch.cat(by_game).mean())
    attacked = _games(evidence, ATTACKED)
    parts |= _attacks(evidence, attacked, table, curves)
    baselines = evidence.controls() | {"whole": _rate(whole)}
    return Finding(
        value,
        low,
        high,
        sum(len(each.rows) for each in some),
        evidence.chance,
        baselines,
        parts,
        table,
        curves,
        over="severity",
        pictures=_pictures(evidence, some),
    )


def wrongness(scores: Float[Tensor, "b k"], round: Round) -> Float[Tensor, " b"]:
    """By how much a game is lost at these scores; below 0 it is won. A margin, which unlike a softmax never saturates.

    The best other candidate's score less the target's; of several targets the worst judgement's distance from 0.
    """
    if round.targets is not None:
        return torch.where(round.targets, -scores, scores).amax(dim=-1)
    own = torch.nn.functional.one_hot(round.target, scores.shape[-1]).bool()
    return scores.masked_fill(own, -torch.inf).amax(dim=-1) - scores[own]


def _sigma2(evidence: Evidence) -> float:
    return float(evidence.run.config.canvas.sigma2.at(evidence.run.step))


def _games(evidence: Evidence, count: int) -> list[_Some]:
    """About so many games, equally many of each pool, at random."""
    each = max(1, round(count / len(evidence.plays)))
    found, generator = [], torch.Generator().manual_seed(0)
    for number, play in enumerate(evidence.plays):
        rows = torch.randperm(len(play.loss), generator=generator)[:each].sort().values
        found.append(_Some(number, rows, _part(play, rows), play.strokes[rows].detach()))
    return found


def _part(play: Play, rows: Int[Tensor, " b"]) -> Round:
    dealt = play.round
    return replace(
        dealt,
        target=dealt.target[rows],
        pool_of=dealt.pool_of[rows],
        shown=dealt.shown[rows],
        targets=None if dealt.targets is None else dealt.targets[rows],
        also=None if dealt.also is None else dealt.also[rows],
    )


def _played(
    evidence: Evidence, some: list[_Some], drawn: Sequence[Strokes] | None = None, noise: float = 0.0
) -> list[Bool[Tensor, " b"]]:
    """Which of some games come out right with other strokes, or with noise on the canvas; pool by pool."""
    strokes = dict(zip((each.pool for each in some), drawn or [each.strokes for each in some], strict=True))
    found = {}
    with torch.no_grad():
        for pools in _together(evidence, some):
            canvas = _drawn(evidence, Strokes.cat([strokes[each.pool] for each in pools]))
            if noise:
                shapes = [(len(each.rows), *canvas.shape[1:]) for each in pools]
                grain = [
                    torch.randn(one, generator=_generator(each.pool)) for one, each in zip(shapes, pools, strict=True)
                ]
                canvas = (canvas + noise * torch.cat(grain).to(canvas)).clamp(0, 1)
            for each, scores in zip(pools, _scores(evidence, pools, canvas), strict=True):
                found[each.pool] = correct(scores, each.round).cpu()
    return [found[each.pool] for each in some]


def _together(evidence: Evidence, some: Sequence[_Some]) -> Iterator[list[_Some]]:
    """The pools whose games are drawn and read at once: those of one pair, up to ``TOGETHER`` games."""
    by_pair: dict[tuple[int, int], list[_Some]] = {}
    for each in some:
        pools = by_pair.setdefault(evidence.pairs[each.pool], [])
        if pools and sum(len(one.rows) for one in [*pools, each]) > TOGETHER:
            yield by_pair.pop(evidence.pairs[each.pool])
            pools = by_pair.setdefault(evidence.pairs[each.pool], [])
        pools.append(each)
    yield from by_pair.values()


def _scores(
    evidence: Evidence, pools: Sequence[_Some], canvas: Float[Tensor, "n *ink h w"]
) -> list[Float[Tensor, "_ k"]]:
    """The scores of games that one pair played, pool by pool; the canvases are those of all of them."""
    pair = evidence.run.pair(*evidence.pairs[pools[0].pool])
    read = pair.read(canvas).split([len(each.rows) for each in pools])
    return [
        pair.answer(one, evidence.looked[each.pool], each.round.pool_of) for one, each in zip(read, pools, strict=True)
    ]


def _generator(pool: int) -> torch.Generator:
    """The same noise at every strength, so that curves compare like with like."""
    return torch.Generator().manual_seed(pool)


def _damaged(evidence: Evidence, some: list[_Some], kind: str, strength: float) -> list[Bool[Tensor, " b"]]:
    if kind == "noise":
        return _played(evidence, some, noise=strength)
    change = damages(_sigma2(evidence))[kind].change
    return _played(evidence, some, [change(each.strokes, strength, _generator(each.pool)) for each in some])


def _attacked(evidence: Evidence, some: list[_Some], size: float, norm: Norm) -> list[Strokes]:
    """The strokes of some games after an attack on each, pool by pool."""
    found: dict[int, Strokes] = {}
    for pools in _together(evidence, some):

        def wrong(strokes: Strokes, pools: list[_Some] = pools) -> Float[Tensor, " b"]:
            scores = _scores(evidence, pools, _drawn(evidence, strokes))
            return torch.cat([wrongness(own, each.round) for own, each in zip(scores, pools, strict=True)])

        changed = attack(Strokes.cat([each.strokes for each in pools]), wrong, size, norm)
        ends = torch.tensor([0] + [len(each.rows) for each in pools]).cumsum(0).tolist()
        found |= {each.pool: changed[low:high] for each, (low, high) in zip(pools, pairwise(ends), strict=True)}
    return [found[each.pool] for each in some]


def _attacks(
    evidence: Evidence, some: list[_Some], table: dict[str, dict[str, float]], curves: dict[str, Curve]
) -> dict[str, float]:
    """Rows and curves of attacks and of the noise beside them; the loss of rate by the one less that by the other."""
    whole = _played(evidence, some)
    parts: dict[str, float] = {}
    asked: dict[str, tuple[Norm, tuple[float, ...]]] = {"": ("linf", SIZES), ", l2": ("l2", SIZES[MIDDLE : MIDDLE + 1])}
    for word, (norm, sizes) in asked.items():
        hits, misses = [], []
        for size in sizes:
            missed = [noise_of_size(each.strokes, size, _generator(each.pool), norm) for each in some]
            hits.append(_played(evidence, some, _attacked(evidence, some, size, norm)))
            misses.append(_played(evidence, some, missed))
            table[f"attack{word} {size:g}"] = _row(hits[-1], size)
            table[f"noise of equal norm{word} {size:g}"] = _row(misses[-1], size)
            apart = [b.double() - a.double() for a, b in zip(hits[-1], misses[-1], strict=True)]
            key, (low, high) = f"attack beyond noise{word}, {size:g}", bootstrap_of_mean(apart)
            parts |= {key: float(torch.cat(apart).mean()), f"{key}, low": low, f"{key}, high": high}
        if len(sizes) > 1:
            curves |= {"attack": _curve([whole, *hits]), "noise of equal norm": _curve([whole, *misses])}
    return parts


def _rate(pools: list[Bool[Tensor, " b"]]) -> float:
    return float(torch.cat(pools).double().mean())


def _row(pools: list[Bool[Tensor, " b"]], strength: float) -> dict[str, float]:
    low, high = bootstrap_by_pool([each.cpu() for each in pools])
    return {"strength": strength, "rate": _rate(pools), "low": low, "high": high, "n": float(sum(map(len, pools)))}


def _curve(levels: list[list[Bool[Tensor, " b"]]]) -> Curve:
    rows = [_row(pools, 0.0) for pools in levels]
    severities = [float(number) for number in range(len(rows))]
    return Curve(severities, *([row[key] for row in rows] for key in ("rate", "low", "high")))


def _pictures(evidence: Evidence, some: list[_Some]) -> list[Drawn]:
    """The first games' drawings whole, damaged at the middle severity, and attacked; with what came of it."""
    first = some[0]
    count = min(SHOWN, len(first.rows))
    rows = torch.arange(count)
    first = replace(first, rows=first.rows[:count], round=_part(evidence.plays[0], first.rows[:count]),
                    strokes=first.strokes[rows])  # fmt: skip
    shown = {"whole": first.strokes}
    for kind, each in damages(_sigma2(evidence)).items():
        strength = each.strengths[MIDDLE]
        shown[f"{kind} {strength:g}"] = each.change(first.strokes, strength, _generator(first.pool))
    size = SIZES[MIDDLE]
    (shown[f"attack {size:g}"],) = _attacked(evidence, [first], size, "linf")
    found = []
    for row in range(count):
        for name, strokes in shown.items():
            (right,) = _played(evidence, [first], [strokes])
            came = "found" if bool(right[row]) else "lost"
            picture = int(first.round.shown[row])
            found.append(Drawn(one_of(written(strokes), row), f"{name}: {came}", photo=picture))
    return found


def _drawn(evidence: Evidence, strokes: Strokes) -> Tensor:
    return evidence.run.config.canvas.draw(strokes, evidence.run.step)
