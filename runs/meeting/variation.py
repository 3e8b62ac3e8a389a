"""How alike drawings of one picture are, within communities and across, and whether they look like the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from raster import Strokes, on_paper
from raster.curves import flatten
from raster.shapes import Float, Tensor
from runs.meeting.people import Party
from runs.meeting.swap import Drawn, Swap, over_pairs
from runs.probes.iconicity import own_photo_found
from runs.sketches import JUDGE, PLACES

CUT_OFF = 1.0
"""Canvas units (half a side) beyond which strokes are no more apart; also what a stroke without a partner costs."""
PIECES = 8
"""Pieces of a curve when strokes are compared."""
LOOKED_AT = 1024
"""About so many drawings are shown to the judge."""


@dataclass(frozen=True)
class Variation:
    """Mean distances of drawings of one picture by two senders, community by community.

    Attributes:
        features: 1 - cosine of the judge's features (centred on the mean of all drawings), [P, P]; NaN on the diagonal
            of a community with one sender.
        strokes: distance of their sets of strokes (``apart``), [P, P]; likewise.
        others: the same two of drawings of *different* pictures, by any two senders: what no agreement at all gives.
        pictures: how many pictures were compared.
    """

    features: Float[Tensor, "p p"]
    strokes: Float[Tensor, "p p"]
    others: tuple[float, float]
    pictures: int


@dataclass(frozen=True)
class Grounding:
    """Whether drawings look like their pictures to the judge, which no agent ever used; a number a community.

    Attributes:
        iconicity: how often a drawing's own photo is the most alike of its pool.
        rsa: Spearman correlation of the distances between drawings and those between their photos, mean over senders
            (representational similarity, Kriegeskorte et al. 2008).
        controls: both of ``untrained`` senders' drawings and of ``shuffled`` ones, by name.
        chance: of iconicity, 1 / K.
        pictures: how many.
    """

    iconicity: list[float]
    rsa: list[float]
    controls: dict[str, dict[str, list[float]]]
    chance: float
    pictures: int


def apart(one: np.ndarray, other: np.ndarray, cut_off: float = CUT_OFF) -> float:
    """The OSPA distance (Schuhmacher et al. 2008, order 1) of two sets of strokes: how far matched strokes are apart.

    Strokes are matched so that the sum is least (Hungarian); two are as far apart as their points are on average, in
    whichever direction they were drawn, ``cut_off`` at most; each that is left over costs ``cut_off``.

    Args:
        one: vertices, [N, V, 2].
        other: vertices, [M, V, 2].
        cut_off: canvas units.

    >>> line = np.array([[[0.0, 0.0], [1.0, 0.0]]])
    >>> apart(line, line[:, ::-1])
    0.0
    >>> apart(line, np.concatenate([line, line + 9]))
    0.5
    """
    most = max(len(one), len(other))
    if not most:
        return 0.0
    if not len(one) or not len(other):
        return cut_off
    costs = [
        np.sqrt(((one[:, None] - way[None]) ** 2).sum(-1)).mean(-1) for way in (other, other[:, ::-1])
    ]  # [N, M] each
    cost = np.minimum(np.minimum(*costs), cut_off)
    rows, columns = linear_sum_assignment(cost)
    return float((cost[rows, columns].sum() + cut_off * (most - len(rows))) / most)


def _vertices(strokes: Strokes) -> list[np.ndarray]:
    """Each drawing's strokes as polylines [N, V, 2], without those that are not there."""
    lines = flatten(strokes.detach(), PIECES).double().cpu().numpy()
    if strokes.presence is None:
        return list(lines)
    there = (strokes.presence > 0.5).cpu().numpy()
    return [each[kept] for each, kept in zip(lines, there, strict=True)]


def compared(
    parties: Sequence[Party], swap: Swap, drawn: Drawn, looked_at: int = LOOKED_AT
) -> tuple[Variation, Grounding]:
    """Look at what everybody drew in the first rounds: as many as ``looked_at`` drawings are, one round at least."""
    K = drawn.rounds[0].pool.shape[1]
    rounds = max(1, min(len(drawn.rounds), looked_at // (K * len(swap.senders))))
    run = parties[0].run

    def eye(rgb: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        with torch.no_grad():
            return torch.cat([run.trunks[JUDGE](some.float(), [PLACES])[0].flatten(1) for some in rgb.split(64)]).cpu()

    def seen(party: int, strokes: Strokes) -> Float[Tensor, "k d"]:
        own = parties[party].run
        return eye(on_paper(own.config.canvas.draw(strokes, own.step)))

    photos = [eye(run.gallery.view(round.shown).pixels()) for round in drawn.rounds[:rounds]]
    sketches = [
        torch.cat([seen(party, drawn.strokes[number][row]) for number in range(rounds)])
        for row, (party, _) in enumerate(swap.senders)
    ]  # [pictures, D] each
    fresh = []
    for number, party in enumerate(parties):
        community = party.run.build_community(party.run.config.seed + 1)
        pair = community.pair(party.senders[0], 0, party.run.biases, party.run.step, training=False)
        with torch.no_grad():
            made = [pair.draw(r.photo(run.gallery), r.generator()) for r in drawn.rounds[:rounds]]
        fresh.append(torch.cat([seen(number, each) for each in made]))
    variation = _variation(len(parties), swap, drawn, rounds, torch.stack(sketches))
    return variation, _grounding(len(parties), swap, photos, sketches, fresh, K)


def _variation(parties: int, swap: Swap, drawn: Drawn, rounds: int, sketches: Float[Tensor, "s n d"]) -> Variation:
    unit = torch.nn.functional.normalize(sketches - sketches.mean(dim=(0, 1)), dim=-1)
    S, pictures = unit.shape[:2]
    looks = 1 - torch.einsum("ind,jnd->ij", unit, unit) / pictures  # [S, S]
    lines = [[each for number in range(rounds) for each in _vertices(drawn.strokes[number][row])] for row in range(S)]
    few = range(pictures) if S * S * pictures <= 200_000 else range(0, pictures, 8)
    sets = torch.zeros(S, S, dtype=torch.float64)
    comparable = len({each.shape[1] for own in lines for each in own if len(each)}) == 1
    for i in range(S):
        for j in range(i):
            found = [apart(lines[i][n], lines[j][n]) for n in few] if comparable else [float("nan")]
            sets[i, j] = sets[j, i] = float(np.mean(found))
    whose = np.array([party for party, _ in swap.senders])

    def mean(table: np.ndarray, one: int, other: int) -> float:
        part = table[np.ix_(whose == one, whose == other)]
        kept = part[~np.eye(len(part), dtype=bool)] if one == other else part
        return float(kept.mean()) if kept.size else float("nan")

    shifted = [(i, (i + 1) % S, n, (n + 1) % pictures) for i in range(S) for n in few]
    other_looks = [float(1 - unit[i, n] @ unit[j, m]) for i, j, n, m in shifted]
    other_sets = [apart(lines[i][n], lines[j][m]) for i, j, n, m in shifted] if comparable else [float("nan")]
    return Variation(
        over_pairs(parties, lambda i, j: mean(looks.double().numpy(), i, j)),
        over_pairs(parties, lambda i, j: mean(sets.numpy(), i, j)),
        (float(np.mean(other_looks)), float(np.mean(other_sets))),
        pictures,
    )


def _grounding(
    parties: int,
    swap: Swap,
    photos: Sequence[Float[Tensor, "k d"]],
    sketches: Sequence[Float[Tensor, "n d"]],
    fresh: Sequence[Float[Tensor, "n d"]],
    K: int,
) -> Grounding:
    between = pdist(torch.cat(list(photos)).numpy(), "cosine")

    def found(own: Float[Tensor, "n d"]) -> float:
        pools = own.split(K)
        right = [own_photo_found(each, photo) for each, photo in zip(pools, photos, strict=True)]
        return float(torch.cat(right).double().mean())

    def alike(own: Float[Tensor, "n d"]) -> float:
        distances = pdist(own.numpy(), "cosine")
        if not np.ptp(distances) > 0 or not np.ptp(between) > 0:
            return 0.0
        return float(spearmanr(distances, between).statistic)

    mine = [[row for row, (party, _) in enumerate(swap.senders) if party == number] for number in range(parties)]
    mean = [lambda measure, rows=rows: float(np.mean([measure(sketches[row]) for row in rows])) for rows in mine]
    mixed = [
        lambda measure, rows=rows: float(np.mean([measure(sketches[r].roll(1, 0)) for r in rows])) for rows in mine
    ]
    controls = {
        "untrained": {"iconicity": [found(each) for each in fresh], "rsa": [alike(each) for each in fresh]},
        "shuffled": {"iconicity": [each(found) for each in mixed], "rsa": [each(alike) for each in mixed]},
    }
    return Grounding([each(found) for each in mean], [each(alike) for each in mean], controls, 1 / K, len(sketches[0]))
