"""Drawings as bags of symbols: strokes in kinds that recur, found by k-means."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from raster import Strokes
from raster.curves import flatten
from raster.shapes import Bool, Float, Int, Tensor

TYPES = 32
"""Types of strokes at most."""
FITTED = 8192
"""Strokes, at most, that types are found from; all strokes then are of the nearest type."""
_ALONG = 16
"""Points along a stroke by which it is described."""


def features(strokes: Strokes) -> Float[Tensor, "*batch n f"]:
    """What a stroke is, whichever end it was begun at, in canvas units.

    Where its middle is (2); its length from end to end, by itself (1) and in the direction of the doubled angle, so
    that a line turned by 180 degrees is itself (2); how its middle bends away from the middle of its ends (2); and its
    width, opacity and colour where it has them.
    """
    along = _even(flatten(strokes.detach(), _ALONG))  # [*batch n v 2]
    middle = along.mean(dim=-2)
    across = along[..., -1, :] - along[..., 0, :]
    length = across.norm(dim=-1, keepdim=True)
    x, y = across.split(1, dim=-1)
    doubled = torch.cat([x * x - y * y, 2 * x * y], dim=-1) / length.clamp(min=1e-9)
    bend = middle - (along[..., 0, :] + along[..., -1, :]) / 2
    found = [middle, doubled, length, bend]
    found += [each[..., None] for each in (strokes.width, strokes.opacity) if each is not None]
    if strokes.colour is not None:
        found.append(strokes.colour)
    return torch.cat(found, dim=-1).detach()


def _even(vertices: Float[Tensor, "*batch v d"]) -> Float[Tensor, "*batch _ d"]:
    """``_ALONG`` points at equal distances along a polyline."""
    if vertices.shape[-2] < 3:
        steps = torch.linspace(0, 1, _ALONG, dtype=vertices.dtype, device=vertices.device)[:, None]
        return torch.lerp(vertices[..., :1, :], vertices[..., -1:, :], steps)
    pieces = vertices.diff(dim=-2).norm(dim=-1)  # [*batch v-1]
    reached = torch.cat([torch.zeros_like(pieces[..., :1]), pieces.cumsum(dim=-1)], dim=-1)
    asked = torch.linspace(0, 1, _ALONG, dtype=vertices.dtype, device=vertices.device) * reached[..., -1:]
    last = vertices.shape[-2] - 2
    at = (torch.searchsorted(reached.contiguous(), asked.contiguous(), right=True) - 1).clamp(0, last)
    share = (asked - reached.gather(-1, at)) / pieces.gather(-1, at).clamp(min=1e-9)
    index = at[..., None].expand(*at.shape, vertices.shape[-1])
    return torch.lerp(vertices.gather(-2, index), vertices.gather(-2, index + 1), share.clamp(0, 1)[..., None])


@dataclass(frozen=True)
class Symbols:
    """The strokes of B drawings as symbols.

    Attributes:
        of: the type of each stroke, [B, N]; -1 for one that is not there.
        types: how many types there are.
        typical: for each type the stroke nearest to its middle: drawing and stroke, [types, 2].
    """

    of: Int[Tensor, "b n"]
    types: int
    typical: Int[Tensor, "types 2"]

    def bags(self) -> Float[Tensor, "b types"]:
        """How many strokes of each type each drawing has."""
        there = self.of >= 0
        one_hot = torch.nn.functional.one_hot(self.of.clamp(min=0), self.types) * there[..., None]
        return one_hot.sum(dim=1).double()


def quantised(strokes: Strokes, types: int = TYPES, seed: int = 0) -> Symbols:
    """The strokes [B, N] in at most ``types`` types, by k-means of their ``features`` (fewer where fewer differ)."""
    from sklearn.cluster import KMeans  # late: whoever reads a config imports this file

    strokes = strokes.cpu()
    what = features(strokes)  # [B, N, F]
    there = present(strokes)
    flat: NDArray[np.float64] = what[there].double().numpy()
    rng = np.random.default_rng(seed)
    some = flat[rng.permutation(len(flat))[:FITTED]]
    kinds = min(types, len(np.unique(some.round(6), axis=0)))
    found = KMeans(kinds, n_init=2, random_state=seed).fit(some)
    of = torch.full(there.shape, -1)
    of[there] = torch.from_numpy(found.predict(flat)).long()
    apart = found.transform(flat)  # [strokes, types]
    places = there.nonzero()
    return Symbols(of, kinds, places[torch.from_numpy(apart.argmin(axis=0))])


def present(strokes: Strokes) -> Bool[Tensor, "*batch n"]:
    """Which strokes are there: all, or those with a presence of one half or more."""
    if strokes.presence is None:
        return torch.ones(strokes.points.shape[:-2], dtype=torch.bool, device=strokes.points.device)
    return strokes.presence.detach() >= 0.5
