"""``reuse``: are drawings put together from parts that other drawings use again, part by part of what they mean?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from agents.heads import RecurrentHead
from games import Pictionary
from raster import Strokes
from raster.shapes import Float, Int, Tensor
from runs.drawings import CARRIED, one_of, written
from runs.evidence import Evidence
from runs.finding import Drawn, Finding
from runs.probes._asking import drawn_for
from runs.probes._attributes import (
    Attribute,
    attributes,
    bootstrap_by_picture,
    different_drawings,
    need_attributes,
)
from runs.probes._cues import cues
from runs.probes._information import context_independence, gap, mutual_information
from runs.probes._registry import probe
from runs.probes._similarity import cosine_distances, spearman
from runs.probes._symbols import Symbols, features, quantised
from runs.sketches import Control

FOLDS = 4
"""Parts of the pictures, each of which is held out once."""
PENALTIES = tuple(10.0**power for power in range(-3, 5))
"""Of ridge regressions, to choose from."""
COMPARED = 48
"""Drawings, at most, whose distances to one another are compared."""
SHOWN = 16
"""Types of strokes that are drawn, the most common first."""
MEMBERS = 12
"""Strokes of a type that are drawn with it."""


def reconstruction_error(messages: NDArray[np.float64], meanings: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """How far each message lies from the sum of one vector for each part of its meaning, squared, [n].

    The vectors (and a constant) are those that fit best: tree reconstruction error with addition as the way of putting
    together and squared distance (Andreas 2019, section 4). A code that adds up has 0.

    Args:
        messages: [n, D].
        meanings: the value of each attribute, [n] each; -1 for none, to which no vector belongs.
    """
    design = np.concatenate([np.ones((len(messages), 1)), _one_hot(meanings, len(messages))], axis=1)
    vectors = np.linalg.lstsq(design, messages, rcond=None)[0]
    return ((messages - design @ vectors) ** 2).sum(1)


def held_out_error(
    messages: NDArray[np.float64], meanings: Sequence[NDArray[np.int64]], fold: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The same of messages that the vectors were not fitted to, [n]: fitted to the other folds, and by a ridge
    regression (its penalty by leave-one-out among those), since values are many and drawings few.

    Without meanings it is the squared distance from the mean of the other folds.
    """
    from sklearn.linear_model import RidgeCV

    design, left = _one_hot(meanings, len(messages)), np.zeros(len(messages))
    for part in np.unique(fold):
        held, fit = fold == part, fold != part
        found = np.broadcast_to(messages[fit].mean(0), messages[held].shape)
        if design.shape[1]:
            found = RidgeCV(PENALTIES).fit(design[fit], messages[fit]).predict(design[held])
        left[held] = ((messages[held] - found.reshape(messages[held].shape)) ** 2).sum(1)
    return left


def _one_hot(meanings: Sequence[NDArray[np.int64]], count: int) -> NDArray[np.float64]:
    """A column for each value of each attribute, [n, values]."""
    columns = [(each[:, None] == np.unique(each[each >= 0])).astype(float) for each in meanings]
    return np.concatenate([np.zeros((count, 0)), *columns], axis=1)


def matched_distances(strokes: Float[Tensor, "m n f"]) -> NDArray[np.float64]:
    """Distances of drawings as sets of strokes, [m, m]: the mean distance of their strokes in the best matching.

    Args:
        strokes: features of the strokes of each, in canvas units.
    """
    found = np.zeros((len(strokes), len(strokes)))
    for one in range(len(strokes)):
        for other in range(one):
            apart = cdist(strokes[one].numpy(), strokes[other].numpy())
            found[one, other] = found[other, one] = apart[linear_sum_assignment(apart)].mean()
    return found


@dataclass(frozen=True)
class Code:
    """Different drawings as messages, beside what they mean.

    Attributes:
        strokes: of each drawing, [n, N].
        symbols: their types.
        shows: position, among the drawings, of what each is said to show, [n].
        label: the class of that, [n].
        meanings: attributes of what each shows.
        fold: which part each is in, by its picture.
        ordered: whether the order of strokes means something.
    """

    strokes: Strokes
    symbols: Symbols
    shows: NDArray[np.int64]
    label: NDArray[np.int64]
    meanings: list[Attribute]
    fold: NDArray[np.int64]
    ordered: bool

    def explained(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared distances of held-out bags from what their parts add up to, and from the mean, [n] each."""
        return _explained(self.symbols.bags().numpy(), self.meanings, self.fold)

    def measures(self) -> dict[str, float]:
        """Every measure of compositionality; NaN where it has no meaning is left out."""
        bags, values = self.symbols.bags().numpy(), [each.values for each in self.meanings]
        known = np.all([each >= 0 for each in values], axis=0)
        some = [each[known] for each in values]
        left, total = reconstruction_error(bags, values), reconstruction_error(bags, [])
        found = {
            "tree reconstruction error": float(left.sum() / total.sum()) if total.sum() > 0 else math.nan,
            "bag-of-symbols disentanglement": gap([each.astype(np.int64) for each in bags[known].T], some),
            "context independence": float(np.mean([self._independent(each) for each in self.meanings])),
            "shared strokes": self._shared(),
        }
        if self.ordered:
            found["positional disentanglement"] = gap(list(self.symbols.of[known].numpy().T), some)
        return found

    def _independent(self, attribute: Attribute) -> float:
        bags = self.symbols.bags().numpy()
        one_hot = attribute.values[:, None] == np.arange(len(attribute.names))
        return context_independence(bags.T @ one_hot.astype(float))

    def _shared(self) -> float:
        """Effective part of all things that a stroke of a type may be of: 2^-I(type; thing). 1: all things alike."""
        there = self.symbols.of >= 0
        types = self.symbols.of[there].numpy()
        things = torch.from_numpy(self.label)[:, None].expand_as(there)[there].numpy()
        return float(min(1.0, 2 ** -mutual_information(types, things, corrected=True)))

    def similarities(self, photos: Float[Tensor, "n e"]) -> dict[str, float]:
        """Topographic similarities (Brighton & Kirby 2006): rank correlations of the distances of messages and of
        meanings, by the distances that each takes.

        On pictures they predict nothing about how a language carries over (Chaabouni et al. 2022; Yao et al. 2022):
        numbers among others, never a headline.

        Args:
            photos: what the judge sees of each photo, [n, E].
        """
        some = np.random.default_rng(0).permutation(len(self.label))[:COMPARED]
        what, bags = features(self.strokes[torch.from_numpy(some)]).double(), self.symbols.bags().numpy()[some]
        values = np.stack([each.values[some] for each in self.meanings], axis=1)  # [m, A]
        messages = {"strokes matched": matched_distances(what), "types counted": cdist(bags, bags)}
        meanings = {
            "attributes that differ": cdist(values, values, "hamming"),
            "photos to the judge": cosine_distances(photos[torch.from_numpy(self.shows[some])]),
        }
        return {
            f"topographic similarity: {said}, {meant}": spearman(of, to)
            for said, to in messages.items()
            for meant, of in meanings.items()
        }


def _explained(
    messages: NDArray[np.float64], meanings: Sequence[Attribute], fold: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = [each.values for each in meanings]
    return held_out_error(messages, values, fold), held_out_error(messages, [], fold)


def code(evidence: Evidence, control: Control = "drawings") -> Code:
    """The different drawings of an evidence, or a control in their place; ``shuffled``: with others' meanings."""
    chosen = different_drawings(evidence)
    drawn = Strokes.cat(drawn_for(evidence, "drawings" if control == "shuffled" else control))[chosen].cpu()
    shown = evidence.sketches.shown[chosen]
    pictures, place = shown.unique(return_inverse=True)
    fold = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0)) % FOLDS
    shows = np.arange(len(shown))
    if control == "shuffled":
        shows = np.random.default_rng(0).permutation(shows)
    label = evidence.run.gallery.label[shown].numpy()[shows]
    meanings = [
        replace(each, values=each.values[shows])
        for each in attributes(evidence.run.gallery, shown)
        if each.name != "artist"
    ]
    head, game = evidence.run.config.sender.head, evidence.game
    ordered = isinstance(head, RecurrentHead) or isinstance(game, Pictionary)
    return Code(drawn, quantised(drawn), shows, label, meanings, fold[place].numpy(), ordered)


@probe("reuse", needs=["strokes", "classes"])
def reuse(evidence: Evidence) -> Finding:
    """How much of a drawing adds up from parts that stand for parts of its meaning, and are used again.

    Strokes are quantised into types; a drawing is how many it has of each. ``value`` is the part of the variance of
    held-out drawings that one vector for each value of each attribute of the picture explains when these are added up:
    1 for a code that adds up, ``chance`` 0 (below it: worse than saying the mean). ``n`` counts different drawings; the
    interval resamples pictures.

    ``baselines``: strangers' drawings (``untrained``), drawings with others' meanings (``shuffled``), ``random``
    strokes; ``ceiling``: the judge's features of the photos, which says how far looks themselves add up. Blank
    canvases hold no symbols. ``table``: every other measure beside the same of the controls, and what halves and single
    strokes tell the receiver (``cues``). Pictures: the types of strokes.

    Raises:
        InputError: nothing differs between the pictures that are shown.
    """
    names: tuple[Control, ...] = ("drawings", "untrained", "shuffled", "random")
    codes: dict[str, Code] = {name: code(evidence, name) for name in names}
    own = codes["drawings"]
    need_attributes("reuse", own.meanings)
    chosen = different_drawings(evidence)
    photos = evidence.sketches.photos[chosen]
    parted = {name: each.explained() for name, each in codes.items()}
    parted["ceiling"] = _explained(photos.whole.double().numpy(), own.meanings, own.fold)
    value = {name: _share(*each) for name, each in parted.items()}
    low, high = bootstrap_by_picture(_share_of(*parted["drawings"]), evidence.sketches.shown[chosen])
    columns = {name: each.measures() for name, each in codes.items()}
    for name in names:
        columns[name] |= {f"cues: {what}": told for what, told in cues(evidence, name).items()}
    likeness = {name: each.similarities(photos.whole) for name, each in codes.items()}
    return Finding(
        value=value.pop("drawings"),
        low=low,
        high=high,
        n=len(chosen),
        chance=0.0,
        baselines=value,
        parts={name: each for name, each in columns["drawings"].items() if not math.isnan(each)},
        table=_turned(columns) | _turned(likeness),
        pictures=dictionary(own, evidence.run.gallery.classes),
        measure="variance explained by adding up",
    )


def _share(left: NDArray[np.float64], total: NDArray[np.float64]) -> float:
    """Part of the variance that is explained; NaN where there is none."""
    return float(1 - left.sum() / total.sum()) if total.sum() > 0 else math.nan


def _share_of(left: NDArray[np.float64], total: NDArray[np.float64]) -> Callable[[NDArray[np.int64]], float]:
    return lambda index: _share(left[index], total[index])


def _turned(columns: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Measures by control as a table of a row a measure; what has no meaning is left out."""
    rows = dict.fromkeys(name for column in columns.values() for name in column)
    found = {
        row: {name: column[row] for name, column in columns.items() if row in column and not math.isnan(column[row])}
        for row in rows
    }
    return {row: each for row, each in found.items() if each}


def dictionary(code: Code, classes: Sequence[str]) -> list[Drawn]:
    """The most common types of strokes: the most typical one of each (red) among others of its type (grey), and how
    often it recurs in which things.
    """
    of = code.symbols.of
    often = torch.bincount(of[of >= 0], minlength=code.symbols.types)
    things = len(np.unique(code.label))
    found = []
    for kind in often.argsort(descending=True, stable=True)[:SHOWN].tolist():
        places = (of == kind).nonzero()  # [m, 2]
        used = code.label[places[:, 0].numpy()]
        some = torch.randperm(len(places), generator=torch.Generator().manual_seed(kind))[: MEMBERS - 1]
        shown = torch.cat([places[some], code.symbols.typical[kind][None]])
        found.append(
            Drawn(
                one_of(written(_as_one_drawing(code.strokes, shown)), 0),
                f"{float(often[kind] / often.sum()):.1%} of strokes, in {len(np.unique(used))} of {things} things; "
                f"most of {' and '.join(_most(used, code.label, classes))}",
                weights=[0.0] * (len(shown) - 1) + [1.0],
            )
        )
    return found


def _as_one_drawing(strokes: Strokes, places: Int[Tensor, "m 2"]) -> Strokes:
    """Strokes of several drawings as one: [1, m]."""
    drawings, numbers = places.unbind(1)
    rows = torch.arange(len(places))
    carried = {name: getattr(strokes, name) for name in ("points", *CARRIED)}
    chosen = {name: each[drawings][rows, numbers][None] for name, each in carried.items() if each is not None}
    return replace(strokes, **chosen)


def _most(used: NDArray[np.int64], label: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    """The two things in whose drawings a type is most common, by strokes a drawing."""
    per = np.bincount(used, minlength=len(classes)) / np.maximum(np.bincount(label, minlength=len(classes)), 1)
    return [classes[each] for each in np.argsort(-per, kind="stable")[:2] if per[each] > 0]
