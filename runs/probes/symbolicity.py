"""``symbolicity``: do drawings of one class form a class of their own, rather than looking each like its photo?"""

import warnings

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from raster.errors import InputError
from raster.shapes import Bool, Float, Int, Tensor
from runs.evidence import Evidence, Finding
from runs.intervals import bootstrap_of_mean
from runs.probes._registry import probe
from runs.sketches import CONTROLS

FOLDS = 5
ALPHA = 10.0
"""Of the ridge, on standardised features."""


@probe("symbolicity", needs=["classes"], cheap=True)
def symbolicity(evidence: Evidence) -> Finding:
    """How often a classifier that learned other drawings tells what a drawing is of; beside the same of photos.

    Qiu et al. 2022 (symbolicity). The classifier is linear (ridge) on what the judge sees, and held out by picture:
    no drawing of a picture is judged by one that learned a drawing of it. Classes are the pictures' own where two or
    more have two pictures or more, else their groups (``parts`` says which). ``separability`` is Fisher's,
    tr(B) / tr(W), and ``silhouette`` Rousseeuw's. Baselines: ``photos`` and each control; ``above photos`` is the
    difference, whose rise over training is what makes an icon a symbol.

    Raises:
        InputError: neither classes nor groups have two pictures each.
    """
    sketches = evidence.sketches
    kind, label = _classes(evidence)
    kept = label >= 0
    label, picture = label[kept], sketches.shown[kept]

    def told(features: Float[Tensor, "n d"]) -> Bool[Tensor, " k"]:
        return held_out(features[kept], label, picture)

    drawn, photos = sketches.looks("drawings").whole, sketches.photos.whole
    right, seen = told(drawn), told(photos)
    pools = sketches.pool_of[kept]
    low, high = bootstrap_of_mean([right[pools == pool].double() for pool in pools.unique()])
    above = right.double() - seen.double()
    least, most = bootstrap_of_mean([above[pools == pool] for pool in pools.unique()])
    rates = {name: float(told(sketches.looks(name).whole).double().mean()) for name in CONTROLS[1:]}
    of_photos = float(seen.double().mean())
    counts = label.unique(return_counts=True)[1]
    parts = {
        "above photos": float(above.mean()),
        "above photos, low": least,
        "above photos, high": most,
        f"number of {kind}": float(len(counts)),
        "separability": separability(drawn[kept], label),
        "separability of photos": separability(photos[kept], label),
        "silhouette": _silhouette(drawn[kept], label),
        "silhouette of photos": _silhouette(photos[kept], label),
    }
    chance = float(counts.max()) / len(label)
    value = float(right.double().mean())
    return Finding(value, low, high, len(label), chance, rates | {"photos": of_photos}, parts, measure="told rightly")


def _classes(evidence: Evidence) -> tuple[str, Int[Tensor, " n"]]:
    """What drawings are sorted into, and for each which; -1 where that has too few pictures to be told."""
    sketches = evidence.sketches
    for kind, label in (("classes", sketches.label), ("groups", sketches.group)):
        found = torch.full_like(label, -1)
        for each in label[label >= 0].unique():
            if len(sketches.shown[label == each].unique()) > 1:
                found[label == each] = each
        if len(found[found >= 0].unique()) > 1:
            return kind, found
    do = "split by picture, take pictures with groups, or ask more pools (measure.test_pools)"
    where = f"{evidence.run.folder}, split {evidence.split!r}"
    raise InputError("probe symbolicity: no two classes or groups have two pictures each", where, do)


def held_out(
    features: Float[Tensor, "n d"], label: Int[Tensor, " n"], picture: Int[Tensor, " n"]
) -> Bool[Tensor, " n"]:
    """Whether a classifier that learned the drawings of other pictures tells each one's class, [n].

    Args:
        features: of the drawings.
        label: their classes; each has two pictures or more.
        picture: what each is a drawing of.
    """
    x, y, groups = features.double().numpy(), label.numpy(), picture.numpy()
    fewest = min(len(np.unique(groups[y == each])) for each in np.unique(y))
    folds = StratifiedGroupKFold(max(2, min(FOLDS, fewest)), shuffle=True, random_state=0)
    right = np.zeros(len(y), dtype=bool)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for learned, asked in folds.split(x, y, groups):
            if len(np.unique(y[learned])) < 2:
                continue  # nothing to tell apart: wrong, all of them
            scaler = StandardScaler().fit(x[learned])
            reader = RidgeClassifier(alpha=ALPHA).fit(scaler.transform(x[learned]), y[learned])
            right[asked] = reader.predict(scaler.transform(x[asked])) == y[asked]
    return torch.from_numpy(right)


def separability(features: Float[Tensor, "n d"], label: Int[Tensor, " n"]) -> float:
    """tr(B) / tr(W): how far classes lie apart, by how far their members do (Fisher 1936); 0 where nothing differs."""
    x = features.double()
    centre = x.mean(dim=0)
    between, within = 0.0, 0.0
    for each in label.unique():
        own = x[label == each]
        between += float(len(own) * (own.mean(dim=0) - centre).square().sum())
        within += float((own - own.mean(dim=0)).square().sum())
    return between / within if within > 0 else 0.0


def _silhouette(features: Float[Tensor, "n d"], label: Int[Tensor, " n"]) -> float:
    return float(silhouette_score(features.double().numpy(), label.numpy(), metric="cosine", sample_size=2000,
                                  random_state=0))  # fmt: skip
