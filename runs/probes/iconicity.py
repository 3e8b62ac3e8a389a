"""``iconicity``: does a drawing look like its photo to an eye that no agent and no loss ever used?"""

import numpy as np
import torch

from raster.shapes import Bool, Float, Tensor
from runs.evidence import Evidence, Finding, bootstrap_by_pool, bootstrap_of_mean, gather
from runs.probes._registry import probe
from runs.probes._similarity import agreement, cosine_distances, spearman
from runs.sketches import Control

MOST = 200
"""Pictures whose distances are compared: 19,900 pairs."""


def likeness(sketches: Float[Tensor, "b d"], photos: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
    """Cosine of each of B sketches with each of their B photos.

    Both sides are centred on their own mean first: sketches differ from photos all in one way (no colour,
    thin), and that way says nothing about which photo is meant.
    """
    sketches, photos = (x - x.mean(dim=0) for x in (sketches, photos))
    return torch.nn.functional.normalize(sketches, dim=-1) @ torch.nn.functional.normalize(photos, dim=-1).T


def own_photo_found(sketches: Float[Tensor, "b d"], photos: Float[Tensor, "b d"]) -> Bool[Tensor, " b"]:
    """Whether each sketch's own photo is the likest of the B photos."""
    found = likeness(sketches, photos)
    return found.argmax(dim=-1) == torch.arange(len(found), device=found.device)


def margin(sketches: Float[Tensor, "b d"], photos: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
    """How much more each sketch is like its own photo than like the others on average, as cosines."""
    found = likeness(sketches, photos)
    own = found.diagonal()
    return own - (found.sum(dim=1) - own) / max(1, len(found) - 1)


@probe("iconicity", cheap=True)
def iconicity(evidence: Evidence) -> Finding:
    """How often the judge finds a sketch's own photo among all photos that were shown on its pool.

    ``parts`` has two more measures (docs/probes/iconicity.md): the ``margin`` of likeness, and representational
    ``similarity``, the rank correlation of the distances between drawings with those between their photos, with its
    interval and the p of Mantel's test. ``table`` has the third, behaviour: whether the receivers understand drawings
    of what nobody learned from, on every condition that was held out.

    Baselines: ``untrained`` senders' sketches; ``shuffled`` sketches (each beside its neighbour's photo); ``random``
    strokes of equal ink. A blank canvas is the same for all, so it finds one photo a pool: chance.
    """
    sketches = evidence.sketches
    photos = sketches.by_pool(sketches.photos.places)

    def seen(control: Control) -> list[Float[Tensor, "b d"]]:
        return sketches.by_pool(sketches.looks(control).places)

    def found(pools: list[Float[Tensor, "b d"]]) -> list[Bool[Tensor, " b"]]:
        return [own_photo_found(*each) for each in zip(pools, photos, strict=True)]

    drawn = seen("drawings")
    own = found(drawn)
    beside = [each.roll(1, dims=0) for each in drawn]
    rates = {"untrained": found(seen("untrained")), "shuffled": found(beside), "random": found(seen("random"))}
    low, high = bootstrap_by_pool(own)
    chance = len(own) / evidence.n
    baselines = {name: float(torch.cat(each).double().mean()) for name, each in rates.items()}
    value = float(torch.cat(own).double().mean())
    margins = [margin(*each).double() for each in zip(drawn, photos, strict=True)]
    least, most = bootstrap_of_mean(margins)
    parts = {"margin": float(torch.cat(margins).mean()), "margin, low": least, "margin, high": most}
    parts |= _similarity(evidence)
    return Finding(
        value,
        low,
        high,
        evidence.n,
        chance,
        baselines | {"chance": chance},
        parts,
        _behaviour(evidence) or None,
        measure="own photo found",
    )


def _similarity(evidence: Evidence) -> dict[str, float]:
    """Representational similarity of drawings and photos, one drawing a picture, beside that of the controls."""
    sketches = evidence.sketches
    order = torch.randperm(evidence.n, generator=torch.Generator().manual_seed(0)).numpy()
    _, first = np.unique(sketches.shown.numpy()[order], return_index=True)
    rows = torch.from_numpy(np.sort(order[np.sort(first)[:MOST]]))
    if len(rows) < 4:
        return {}
    photos = cosine_distances(sketches.photos.places[rows])
    controls: tuple[Control, ...] = ("drawings", "untrained", "shuffled", "random")
    apart = {name: cosine_distances(sketches.looks(name).places[rows]) for name in controls}
    own = agreement(apart.pop("drawings"), photos)
    numbers = {"": own.rho, ", p": own.p, ", low": own.low, ", high": own.high}
    numbers |= {f", {name}": spearman(each, photos) for name, each in apart.items()}
    return {f"similarity{name}": value for name, value in numbers.items() if not np.isnan(value)}


def _behaviour(evidence: Evidence) -> dict[str, dict[str, float]]:
    """The rate on every condition of the test, pictures of training beside it; nothing while agents learn."""
    if evidence.split != "test":
        return {}
    run, found = evidence.run, {}
    others = [name for name in run.gallery.splits if name.split("/")[0] == "test" and name != "test"]
    for split in ("train", "test", *others):
        played = evidence if split == "test" else gather(run, evidence.game, split, len(evidence.plays))
        low, high = bootstrap_by_pool([play.correct for play in played.plays])
        found[split] = {"rate": played.rate(), "low": low, "high": high, "chance": played.chance, "n": float(played.n)}
    return found
