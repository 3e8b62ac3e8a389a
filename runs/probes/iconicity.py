"""``iconicity``: does a drawing look like its photo to an eye that no agent and no loss ever used?"""

import torch

from perception import TimmTrunk
from raster import on_paper
from raster.shapes import Bool, Float, Tensor
from runs.evidence import Evidence, Finding, bootstrap_by_pool

JUDGE = TimmTrunk(name="judge", size=128)
"""EfficientNet-Lite2, pictures resized to 128 px."""
LEVEL = 3
"""The level of the judge's pyramid that is compared (stride 16: 8 x 8 places at 128 px)."""


def own_photo_found(sketches: Float[Tensor, "b d"], photos: Float[Tensor, "b d"]) -> Bool[Tensor, " b"]:
    """Whether each sketch's own photo is the nearest of the B photos by cosine.

    Both sides are centred on their own mean first: sketches differ from photos all in one way (no colour,
    thin), and that way says nothing about which photo is meant.
    """
    sketches, photos = (x - x.mean(dim=0) for x in (sketches, photos))
    likeness = torch.nn.functional.normalize(sketches, dim=-1) @ torch.nn.functional.normalize(photos, dim=-1).T
    return likeness.argmax(dim=-1) == torch.arange(len(likeness), device=likeness.device)


def iconicity(evidence: Evidence) -> Finding:
    """How often the judge finds a sketch's own photo among all photos that were shown on its pool.

    Baselines: ``untrained`` senders' sketches; ``shuffled`` sketches (each beside its neighbour's photo).
    A blank canvas is the same for all, so it finds one photo a pool: chance.
    """
    run = evidence.run
    canvas, step = run.config.canvas, run.step

    def eye(rgb: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        with torch.no_grad():
            return run.trunks[JUDGE](rgb.float(), [LEVEL])[0].flatten(1)

    # A photo is shown in many games: the judge looks at each once.
    shown = [play.round.shown for play in evidence.plays]
    index, place = torch.cat(shown).unique(return_inverse=True)
    seen = torch.cat([eye(run.gallery.view(some).pixels()) for some in index.split(len(shown[0]))])
    drawn, untrained, shuffled = [], [], []
    places = place.split([len(some) for some in shown])
    for play, fresh, where in zip(evidence.plays, evidence.untrained, places, strict=True):
        photos = seen[where]
        sketches = eye(on_paper(play.canvas))
        drawn.append(own_photo_found(sketches, photos))
        shuffled.append(own_photo_found(sketches.roll(1, dims=0), photos))
        untrained.append(own_photo_found(eye(on_paper(canvas.draw(fresh, step))), photos))
    low, high = bootstrap_by_pool(drawn)
    means = [float(torch.cat(found).double().mean()) for found in (drawn, untrained, shuffled)]
    chance = len(drawn) / evidence.n
    return Finding(
        means[0], low, high, evidence.n, chance, {"untrained": means[1], "shuffled": means[2], "chance": chance}
    )
