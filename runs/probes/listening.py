"""``listening``: does the receiver choose by what was drawn, and where on the canvas does it look?"""

import math
from collections.abc import Iterator

import torch
from scipy import stats

from games.play import correct
from raster.shapes import Float, Tensor
from runs.drawings import one_of, written
from runs.evidence import Evidence
from runs.finding import Curve, Drawn, Finding
from runs.intervals import bootstrap_by_pool, bootstrap_of_mean
from runs.probes._asking import Some, answers, has_several, log_probability, some_games
from runs.probes._registry import probe
from runs.sketches import Control

NOISE = (0.1, 0.2, 0.4, 0.8)
"""Standard deviations of the noise that is put on the canvas; full ink is 1."""
NOISED = 512
"""Games, about, that are played with noise."""
LOOKED = 128
"""Games, about, whose receivers are asked where they look."""
SHOWN = 8
"""Drawings that are shown."""
OTHERS = 8
"""Other drawings that each game is asked with, where games of a pool do not share their candidates."""


def influence(scores: Float[Tensor, "m k"], several: bool = False) -> float:
    """Causal influence of M messages on a choice among K candidates, all else equal, from 0 to 1.

    The mutual information of message and choice when one of the messages is given at random: the entropy of the mean
    of the receiver's choices less the mean of their entropies (Lowe et al. 2019, section 3.4; Jaques et al. 2019), over
    log K, or log M where there are fewer messages. Where any number of candidates may be taken, the same of each of the
    K judgements in bits, and their mean.

    >>> round(influence(100 * torch.eye(4)), 6), round(influence(torch.rand(1, 4).expand(3, 4)), 6)
    (1.0, 0.0)
    """
    scores = scores.double()
    most = min(scores.shape) if not several else min(2, len(scores))
    if most < 2:
        return 0.0
    chances = torch.stack([scores.sigmoid(), (-scores).sigmoid()]) if several else scores.softmax(dim=-1).T[:, :, None]
    # [choices, messages, judgements]
    told = _entropy(chances.mean(dim=1)) - _entropy(chances).mean(dim=0)
    return float((told.mean() / torch.tensor(float(most)).log()).clamp(0, 1))


def _entropy(chances: Float[Tensor, "c *rest"]) -> Float[Tensor, "*rest"]:
    """Entropy over the first dimension, nats."""
    return torch.special.entr(chances).sum(dim=0)


@probe("listening")
def listening(evidence: Evidence) -> Finding:
    """How far a receiver's choice follows the drawing: the causal influence of message on choice, from 0 to 1.

    In each pool the receiver is given every drawing that was made for a game of it, the candidates standing still;
    ``influence`` is how much of its choice the drawing decides. ``chance`` is 0: a receiver that does not listen.
    ``baselines``: the same of strangers' drawings, of drawings for another pool and of random strokes; ``blank`` is 0,
    for a blank canvas is one message; ``ceiling``: it is given the photos.

    ``table``: the rate when the drawing is swapped with that of another game on the same pool, taken from another
    pool, replaced by a stranger's or by random strokes, blanked, or the photo is shown instead. The curve is the rate
    by noise on the canvas. ``parts``: saliency, the size of the gradient of the choice's log-probability at each pixel:
    how much more of it lies on ink than if it were spread evenly, for drawings and for random strokes; and the rank
    correlation of its maps with those of receivers that never learned (near 1, they show the network, not the learning:
    Adebayo et al. 2018). Pictures: saliency under the drawing.
    """
    several = has_several(evidence)
    by_pool = {
        name: torch.tensor(_influences(evidence, scores, name))
        for name, scores in evidence.scores().items()
        if name in _CONTROL or (name == "ceiling" and _share_pools(evidence))
    }
    own = by_pool.pop("drawings")
    low, high = bootstrap_of_mean(list(own[:, None]))
    looks = _Looks(evidence, some_games(evidence, LOOKED))
    return Finding(
        value=float(own.mean()),
        low=low,
        high=high,
        n=evidence.n,
        chance=0.0,
        baselines={name: float(each.mean()) for name, each in by_pool.items()} | {"blank": 0.0},
        parts=looks.parts(),
        table=_table(evidence),
        curves={"rate": _noise(evidence)},
        over="noise on the canvas",
        height="rate",
        pictures=looks.pictures(),
        measure="influence of the drawing on each judgement" if several else "influence of the drawing on the choice",
    )


def _influences(evidence: Evidence, scores: list[Tensor], name: str) -> list[float]:
    """``influence`` in each pool."""
    several, found = has_several(evidence), []
    for number, play in enumerate(evidence.plays):
        if _share_pools(evidence):
            found.append(influence(scores[number], several))
            continue
        games, given = torch.arange(len(play.loss)), [scores[number]]
        canvas = evidence.sketches.canvases(_CONTROL[name])[number]
        with torch.no_grad():
            others = range(1, min(OTHERS, len(games) - 1) + 1)  # whose drawings are given to each game
            given += [answers(evidence, number, canvas.roll(by, dims=0), games)[0] for by in others]
        each = torch.stack(given, dim=1)  # [b, messages, k]
        found.append(sum(influence(one, several) for one in each) / len(each))
    return found


def _share_pools(evidence: Evidence) -> bool:
    """Whether the games of a play have the same candidates, so that each drawing was given to all of them already."""
    return all(len(play.round.pool) == 1 for play in evidence.plays)


_CONTROL: dict[str, Control] = {
    "drawings": "drawings",
    "shuffled": "shuffled",
    "untrained": "untrained",
    "random": "random",
}


def _table(evidence: Evidence) -> dict[str, dict[str, float]]:
    """The rate with each message in the drawing's place, with its interval and what it falls short of the drawing's."""
    found = evidence.scores()
    swapped = []
    with torch.no_grad():
        for number, play in enumerate(evidence.plays):
            games = torch.arange(len(play.loss))
            swapped.append(answers(evidence, number, play.canvas.roll(1, dims=0), games)[0])
    rows = {"drawing": found["drawings"], "swapped on its pool": swapped}
    rows |= {name: each for name, each in found.items() if name != "drawings"}
    table = {}
    for name, scores in rows.items():
        right = [correct(each, play.round).cpu() for each, play in zip(scores, evidence.plays, strict=True)]
        low, high = bootstrap_by_pool(right)
        sure = [
            log_probability(each, play.round.meant, has_several(evidence)).exp().cpu()
            for each, play in zip(scores, evidence.plays, strict=True)
        ]
        rate, probability = (float(torch.cat(each).double().mean()) for each in (right, sure))
        table[name] = {"rate": rate, "low": low, "high": high, "probability": probability}
    return table


def _noise(evidence: Evidence) -> Curve:
    """The rate by the noise on the canvas, on some pools."""
    pools = max(1, round(NOISED / max(1, evidence.sketches.sizes[0])))
    some = range(min(pools, len(evidence.plays)))
    y, ends = [], []
    for sigma in (0.0, *NOISE):
        right = []
        for number in some:
            play = evidence.plays[number]
            noise = torch.randn(play.canvas.shape, generator=torch.Generator().manual_seed(number))
            canvas = play.canvas + sigma * noise.to(play.canvas)
            with torch.no_grad():
                most = max(1.0, float(play.canvas.max()))  # added up, ink may exceed 1
                scores, _ = answers(evidence, number, canvas.clamp(0, most), torch.arange(len(play.loss)))
            right.append(correct(scores, play.round).cpu())
        y.append(float(torch.cat(right).double().mean()))
        ends.append(bootstrap_by_pool(right))
    return Curve([0.0, *NOISE], y, [low for low, _ in ends], [high for _, high in ends])


class _Looks:
    """Where receivers look in some games: gradients of the log-probability of the choice at every pixel."""

    def __init__(self, evidence: Evidence, some: Some) -> None:
        self.evidence, self.some = evidence, some
        self.maps = torch.cat(list(self._maps("drawings")))  # [g, H, W]
        self.ink = torch.cat([self._canvas("drawings", number)[rows] for number, rows, _ in some.parts()])

    def _canvas(self, control: Control, number: int) -> Tensor:
        """Ink over all channels, [b, H, W], on the CPU."""
        canvas = self.evidence.sketches.canvases(control)[number].cpu()
        return canvas if canvas.ndim == 3 else canvas.mean(dim=1)

    def _maps(self, control: Control, stranger: bool = False) -> Iterator[Float[Tensor, "m h w"]]:
        evidence = self.evidence
        fresh = evidence.run.build_community(evidence.run.config.seed + 1) if stranger else None
        for number, rows, _ in self.some.parts():
            play = evidence.plays[number]
            canvas = evidence.sketches.canvases(control)[number][rows].clone().requires_grad_()
            if fresh is None:
                scores, _ = answers(evidence, number, canvas, rows)
            else:
                sender, receiver = evidence.pairs[number]
                pair = fresh.pair(sender, receiver, evidence.run.biases, evidence.run.step, training=False)
                with torch.no_grad():
                    pool = evidence.run.gallery.view(play.round.pool.flatten())
                    looked = pair.look(pool, len(play.round.pool), play.round.generator())
                scores = pair.guess(canvas, looked, play.round.pool_of[rows])
            taken = scores > 0 if play.round.targets is not None else _first(scores)
            sure = log_probability(scores, taken, play.round.targets is not None)
            (slope,) = torch.autograd.grad(sure.sum(), canvas)
            slope = slope.abs().cpu()
            yield slope if slope.ndim == 3 else slope.sum(dim=1)

    def parts(self) -> dict[str, float]:
        """How far saliency lies on ink, for drawings and random strokes; how like it is to a stranger's."""
        random = torch.cat(list(self._maps("random")))
        other = torch.cat([self._canvas("random", number)[rows] for number, rows, _ in self.some.parts()])
        strange = torch.cat(list(self._maps("drawings", stranger=True)))
        agree = [_rho(one, two) for one, two in zip(self.maps, strange, strict=True)]
        found = {
            "saliency on ink": on_ink(self.maps, self.ink),
            "saliency on random ink": on_ink(random, other),
            "saliency like an untrained receiver's (rho)": float(torch.tensor(agree).nanmean()),
        }
        return {name: each for name, each in found.items() if not math.isnan(each)}

    def pictures(self) -> list[Drawn]:
        """Drawings over the map of where their receiver looks."""
        every = torch.linspace(0, len(self.some) - 1, min(SHOWN, len(self.some))).round().long().tolist()
        drawn = written(self.some.strokes())
        return [
            Drawn(
                one_of(drawn, n), "where the receiver looks", heat=_rounded(self.maps[n]), photo=int(self.some.shown[n])
            )
            for n in every
        ]


def _first(scores: Tensor) -> Tensor:
    return scores.argmax(dim=-1, keepdim=True) == torch.arange(scores.shape[-1], device=scores.device)


def _rho(one: Tensor, two: Tensor) -> float:
    if one.max() == one.min() or two.max() == two.min():
        return math.nan
    return float(stats.spearmanr(one.flatten().numpy(), two.flatten().numpy()).statistic)


def _rounded(heat: Float[Tensor, "h w"]) -> list[list[float]]:
    """A map with 1 as its largest value."""
    most = float(heat.max())
    found: list[list[float]] = (heat / most if most > 0 else heat).double().numpy().round(3).tolist()
    return found


def on_ink(maps: Float[Tensor, "g h w"], ink: Float[Tensor, "g h w"]) -> float:
    """How many times more saliency there is on inked pixels than if it were spread evenly: the mean over drawings of
    (sum of map x ink / sum of map) / mean ink. 1: as much as anywhere. NaN where there is no ink or no map.
    """
    there = (maps.flatten(1).sum(1) > 0) & (ink.flatten(1).sum(1) > 0)
    if not there.any():
        return math.nan
    maps, ink = maps[there].flatten(1).double(), ink[there].flatten(1).double()
    return float(((maps * ink).sum(1) / maps.sum(1) / ink.mean(1)).mean())
