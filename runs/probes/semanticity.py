"""``semanticity``: are things that mean alike drawn alike?"""

import numpy as np
import torch

from raster.errors import InputError
from raster.shapes import Float, Int, Tensor
from runs.evidence import Evidence, Finding
from runs.probes._registry import probe
from runs.probes._similarity import agreement, cosine_distances, spearman
from runs.sketches import CONTROLS
from runs.words import word_vectors

LEAST = 4
"""Classes: with three there are three distances, and no rank correlation to speak of."""


@probe("semanticity", needs=["classes", "word vectors"], cheap=True)
def semanticity(evidence: Evidence) -> Finding:
    """Rank correlation of the distances between classes' drawings with those between vectors of the classes' names.

    Qiu et al. 2022 (semanticity). A class's drawings are the mean of what the judge sees of them, distances are
    1 - cosine; ``p`` is Mantel's, over permutations of the classes, and the interval a bootstrap over classes.
    Vectors come from ``measure.word_vectors``. Baselines: the same of the ``photos`` that were drawn, and of each
    control; ``beyond photos`` is the partial correlation of drawings and names, given the photos.

    Raises:
        InputError: the run names no vectors, or fewer than four classes have one.
    """
    run = evidence.run
    source = run.config.measure.word_vectors
    assert source is not None  # needs
    sketches = evidence.sketches
    labels = sketches.label.unique()
    names = [run.gallery.classes[label] for label in labels.tolist()]
    vectors, there = word_vectors(source, names, run.trunks, run.config.measure.word_vectors_key)
    if int(there.sum()) < LEAST:
        do = "give vectors of the classes' names"
        raise InputError(f"probe semanticity: {int(there.sum())} of {len(names)} classes have a vector", source, do)
    known = labels[there]
    meaning = cosine_distances(vectors[there])

    def apart(features: Float[Tensor, "n d"]) -> np.ndarray:
        return cosine_distances(centroids(features, sketches.label, known))

    drawn, photos = apart(sketches.looks("drawings").whole), apart(sketches.photos.whole)
    found = agreement(drawn, meaning)
    rhos = {name: spearman(apart(sketches.looks(name).whole), meaning) for name in CONTROLS[1:]}
    of_photos = agreement(photos, meaning)
    value = _or_nothing(found.rho)
    parts = {"p": found.p, "p of photos": of_photos.p, "classes with a vector": float(there.double().mean())}
    parts["beyond photos"] = _partial(value, _or_nothing(spearman(drawn, photos)), _or_nothing(of_photos.rho))
    return Finding(
        value,
        _or_nothing(found.low),
        _or_nothing(found.high),
        len(known),
        0.0,
        {name: _or_nothing(rho) for name, rho in rhos.items()} | {"photos": _or_nothing(of_photos.rho)},
        parts,
        measure="rank correlation with names",
    )


def centroids(
    features: Float[Tensor, "n d"], label: Int[Tensor, " n"], labels: Int[Tensor, " c"]
) -> Float[Tensor, "c d"]:
    """The mean of each class's features, [C, D] in float64."""
    return torch.stack([features[label == each].double().mean(dim=0) for each in labels])


def _or_nothing(rho: float) -> float:
    """Distances that are all the same (a blank canvas) agree with nothing."""
    return 0.0 if np.isnan(rho) else rho


def _partial(xy: float, xz: float, yz: float) -> float:
    """Partial correlation of x and y, given z."""
    left = (1 - xz**2) * (1 - yz**2)
    return 0.0 if left <= 0 else float((xy - xz * yz) / np.sqrt(left))
