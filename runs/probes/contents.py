"""``contents``: what of a picture stands in its drawing, where a linear classifier can read it?"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from raster import on_paper
from runs.evidence import Evidence
from runs.finding import Finding
from runs.probes._attributes import (
    Attribute,
    attributes,
    bootstrap_by_picture,
    different_drawings,
    need_attributes,
)
from runs.probes._information import entropy, mutual_information
from runs.probes._registry import probe
from runs.sketches import Control

DIMS = 32
"""Principal components that a classifier reads, at most; a quarter of what it learns from, if that is less."""
FOLDS = 4
"""Parts of the pictures, each of which is held out once."""
CLUSTERS = 16
"""Kinds of drawings for mutual information, at most; a tenth of the drawings, if that is less."""
TASKS = 3
"""Control tasks of each attribute."""
SHUFFLES = 20
"""How often attributes are shuffled for its baseline."""


@dataclass(frozen=True)
class Read:
    """How an attribute was read in held-out drawings.

    Attributes:
        right: whether each drawing's value was found, [n]; NaN where it has none.
        control: the same of its control task, the mean of ``TASKS``.
        majority: part of the drawings that have the most common value.
    """

    right: NDArray[np.float64]
    control: NDArray[np.float64]
    majority: float

    @property
    def selectivity(self) -> NDArray[np.float64]:
        """Right less right on the control task, [n]."""
        return self.right - self.control


def control_task(values: NDArray[np.int64], types: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Values that mean nothing: each type gets that of a random other type (Hewitt & Liang 2019).

    A classifier that finds them has learned its types by heart. Types keep one value for all their drawings, and values
    are about as common as they were; -1 (no value) stays where it is.

    Args:
        values: the value of each drawing, [n].
        types: what each drawing is of, [n].
        rng: whose luck.
    """
    found = np.full_like(values, -1)
    known = values >= 0
    kinds, first, place = np.unique(types[known], return_index=True, return_inverse=True)
    found[known] = values[known][first][rng.permutation(len(kinds))][place]
    return found


def linear_probe(
    features: NDArray[np.float64], values: NDArray[np.int64], fold: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Whether a linear classifier that was fitted to the other folds finds each drawing's value, [n]; NaN without one.

    Logistic regression over standardised features, with the penalty |w|^2 / 2. A value that no drawing of the other
    folds has is not found.

    Args:
        features: of each drawing, [n, F].
        values: [n], -1 for none.
        fold: which part each drawing is in; drawings of one picture are in one.
    """
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    right = np.full(len(values), np.nan)
    known = values >= 0
    for part in np.unique(fold):
        fit, held = known & (fold != part), known & (fold == part)
        if not held.any():
            continue
        if len(np.unique(values[fit])) < 2:
            right[held] = (values[held] == values[fit][0]) if fit.any() else 0.0
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        # Hundreds of small fits: to look for NaN and wrong words each time would take as long as they.
        with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features[fit], values[fit])
            right[held] = model.predict(features[held]) == values[held]
    return right


def read(
    features: NDArray[np.float64], attribute: Attribute, types: NDArray[np.int64], fold: NDArray[np.int64]
) -> Read:
    """How well a linear classifier reads an attribute, and its control task."""
    rng = np.random.default_rng(0)
    known = attribute.values[attribute.known]
    return Read(
        linear_probe(features, attribute.values, fold),
        np.mean(
            [linear_probe(features, control_task(attribute.values, types, rng), fold) for _ in range(TASKS)], axis=0
        ),
        float(np.bincount(known).max() / len(known)),
    )


@probe("contents")
def contents(evidence: Evidence) -> Finding:
    """What of the pictures a linear classifier reads in the drawings: mean selectivity over attributes.

    Classifiers see the judge's features of a drawing and are asked for class, group, artist, colour, size and place of
    the thing (of scenes: how many objects, and what most of them are), in drawings of pictures that they were not
    fitted to. From its accuracy that on a control task is taken, in which values are dealt to classes (or pictures) at
    random: ``chance`` is 0. ``n`` counts different drawings, and the interval resamples pictures: drawings of one
    picture by one sender are alike, on however many pools it is shown.

    ``baselines``: strangers' drawings (``untrained``), each picture with another's drawing (``shuffled``), ``random``
    strokes; ``ceiling``: the photos in the drawings' place. A blank canvas says nothing of any picture: 0. ``table``:
    by attribute, accuracies, and the mutual information of the attribute and the kind of drawing (k-means), in bits,
    with Miller and Madow's correction and beside what shuffled values give.

    Raises:
        InputError: nothing differs between the pictures that are shown.
    """
    chosen = different_drawings(evidence)
    shown = evidence.sketches.shown[chosen]
    found = attributes(evidence.run.gallery, shown)
    need_attributes("contents", found)
    pictures, place = shown.unique(return_inverse=True)
    part = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0)) % FOLDS
    fold = part[place].numpy()
    label = evidence.run.gallery.label[shown].numpy()
    read_in: dict[str, dict[str, Read]] = {}
    inputs = _inputs(evidence, chosen)
    for name, features in inputs.items():
        read_in[name] = {each.name: read(features, each, _types(each, label, place.numpy()), fold) for each in found}
    mean = {name: _mean_selectivity(each) for name, each in read_in.items()}  # [n] each
    own = mean.pop("drawings")
    low, high = bootstrap_by_picture(lambda index: float(np.nanmean(own[index])), shown)
    return Finding(
        value=float(np.nanmean(own)),
        low=low,
        high=high,
        n=len(chosen),
        chance=0.0,
        baselines={name: float(np.nanmean(each)) for name, each in mean.items()} | {"blank": 0.0},
        parts={each.name: float(np.nanmean(read_in["drawings"][each.name].selectivity)) for each in found},
        table=_table(found, read_in, _kinds(inputs["drawings"])),
        measure="selectivity",
    )


def _inputs(evidence: Evidence, chosen: torch.Tensor) -> dict[str, NDArray[np.float64]]:
    """Principal components of the judge's features of the drawings, and of each control, [n, D]."""
    sketches = evidence.sketches
    controls: tuple[Control, ...] = ("drawings", "untrained", "random")
    # These alone: of random strokes each game has its own, and the judge takes its time over them.
    looks = {name: sketches.judged([on_paper(sketches.canvas(name)[chosen]).float()]) for name in controls}
    found: dict[str, NDArray[np.float64]] = {name: each.places.double().numpy() for name, each in looks.items()}
    moved = np.roll(np.arange(len(chosen)), len(chosen) // 2)
    found["shuffled"] = found["drawings"][moved]
    found["ceiling"] = sketches.photos[chosen].places.double().numpy()
    return {name: _components(each) for name, each in found.items()}


def _types(attribute: Attribute, label: NDArray[np.int64], picture: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a control task deals values to: classes where a class has one value; else pictures."""
    known = attribute.known
    pairs = np.unique(np.stack([label[known], attribute.values[known]], axis=1), axis=0)
    alike = len(pairs) == len(np.unique(label[known])) and attribute.name != "class"
    return label if alike else picture


def _mean_selectivity(found: dict[str, Read]) -> NDArray[np.float64]:
    """The mean over attributes of each drawing's selectivity; NaN for one that has no value of any."""
    each = np.stack([one.selectivity for one in found.values()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty mean is NaN, as it should be
        return np.nanmean(each, axis=0)


def _kinds(features: NDArray[np.float64]) -> NDArray[np.int64]:
    """Drawings in kinds, by k-means."""
    from sklearn.cluster import KMeans

    count = max(1, min(CLUSTERS, len(features) // 10, len(np.unique(features.round(6), axis=0))))
    kinds: NDArray[np.int64] = KMeans(count, n_init=4, random_state=0).fit_predict(features).astype(np.int64)
    return kinds


def _components(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first principal components of n drawings, [n, D]: found without any value, so nothing leaks between folds."""
    from sklearn.decomposition import PCA

    dims = max(1, min(DIMS, len(features) // 4, features.shape[1]))
    found: NDArray[np.float64] = PCA(dims, svd_solver="randomized", random_state=0).fit_transform(features)
    return found


def _table(
    found: list[Attribute], read_in: dict[str, dict[str, Read]], kinds: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    rng, table = np.random.default_rng(0), {}
    for each in found:
        own = read_in["drawings"][each.name]
        values, kind = each.values[each.known], kinds[each.known]
        shuffled = [mutual_information(kind, rng.permutation(values), corrected=True) for _ in range(SHUFFLES)]
        table[each.name] = {
            "values": float(len(each.names)),
            "n": float(each.known.sum()),
            "majority": own.majority,
            "accuracy": float(np.nanmean(own.right)),
            "control": float(np.nanmean(own.control)),
            **{name: float(np.nanmean(one[each.name].right)) for name, one in read_in.items() if name != "drawings"},
            "information": mutual_information(kind, values, corrected=True),
            "of shuffled": float(np.mean(shuffled)),
            "of": entropy(values, corrected=True),
        }
    return table
