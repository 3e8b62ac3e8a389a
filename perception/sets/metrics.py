"""Average precision of predicted sets, over a whole data set, by distance (CLEVR's way) or by true overlap of boxes.

Two published evaluators of this field were wrong (a box overlap with a pixel too many, and the precision of one image a
batch), so what must hold is tested as properties: a perfect answer has 100, whatever the order of slots and
images and the size of batches; equal objects count as often as they are there; a looser threshold is never worse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from perception.sets.elements import Fields
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor

DISTANCES = (float("inf"), 1.0, 0.5, 0.25, 0.125, 0.0625)
OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass
class AveragePrecision:
    """Collects batches, then tells the average precision of them all, in percent, for each threshold.

    Every slot of every picture is a detection, its presence (the last channel) the confidence. It is right if what
    fits it best among the true objects of its picture (the first found of equally good ones that are still free) is
    within the threshold and no detection of more confidence has taken that object; each object counts once. Precision
    is interpolated at every point (as in Pascal VOC since 2010), and detections of one confidence enter together, so
    that no order matters. A wrong detection takes nothing.

    - ``by="distance"``: only objects whose every attribute is the detection's own (the largest of its channels) fit
      it; the nearest by Euclidean distance of the numbers times `scale` fits best; within is <=. Without `fields` all
      channels but presence are numbers. (As in Deep Set Prediction Networks, where CLEVR's coordinates
      were divided by 3: ``scale=3``.)
    - ``by="iou"``: the first four channels are a box, ``x1, y1, x2, y2``; the largest intersection over union fits
      best; within is >=. Published DSPN numbers have another, wrong overlap: not to be compared.

    ``per_image=True`` gives the mean over pictures (that hold objects) of each picture's own average precision instead,
    which is closer to how iDSPN was measured. With no object at all there is nothing to find, and the answer is 0.
    """

    fields: Fields | None = None
    by: Literal["distance", "iou"] = "distance"
    thresholds: Sequence[float] | None = None
    scale: float = 1.0
    per_image: bool = False
    _seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.thresholds is None:
            self.thresholds = DISTANCES if self.by == "distance" else OVERLAPS
        if any(not threshold > 0 for threshold in self.thresholds):
            raise InputError(f"thresholds {tuple(self.thresholds)}", None, "each must be above 0")
        if not self.scale > 0:
            raise InputError(f"a scale of {self.scale}", None, "it must be above 0")

    def add(
        self,
        prediction: Float[Tensor, "b n c"],
        target: Float[Tensor, "b m c2"],
        target_mask: Bool[Tensor, "b m"] | None = None,
    ) -> None:
        """Another batch. A true object is one whose presence is above 0.5 and that is not masked out.

        Raises InputError for NaN, for other channels than the fields', or for boxes of fewer than 4 numbers.
        """
        if prediction.shape[2] != target.shape[2]:
            raise InputError(f"predictions of {prediction.shape[2]} channels, targets of {target.shape[2]}")
        if self.fields is not None:
            self.fields.check(target.shape[2])
        if self.by == "iou" and target.shape[2] < 5:
            raise InputError(f"a box and its presence are 5 channels, got {target.shape[2]}", None, "x1, y1, x2, y2")
        said = prediction.detach().double().cpu().numpy()
        true = target.detach().double().cpu().numpy()
        there = np.ones(true.shape[:2], bool) if target_mask is None else target_mask.cpu().numpy()
        true = np.where(there[..., None], true, 0.0)
        for name, values in (("target", true), ("prediction", said)):
            wrong = ~np.isfinite(values).all((1, 2))
            if wrong.any():
                raise InputError(f"NaN or infinity in a {name}", f"set {int(wrong.argmax())} of the batch")
        self._seen.append(self._fit(said, true))

    def compute(self) -> dict[float, float]:
        """Percent by threshold, of all that was added."""
        answer = {}
        for threshold, confidence, right, real in self._judged():
            if self.per_image:
                each = _each_image(confidence, right, real)
                answer[threshold] = float(each.mean()) if len(each) else 0.0
            else:
                answer[threshold] = _area(confidence.ravel(), right.ravel(), int(real.sum()))
        return answer

    def interval(self, samples: int = 1000, seed: int = 0) -> dict[float, tuple[float, float]]:
        """95 % intervals of what `compute` gives, by threshold: a percentile bootstrap that draws whole pictures anew.

        Objects of one picture are not independent, pictures are. Which pictures are drawn hangs on `seed` alone. Raises
        InputError where nothing was added.
        """
        answer = {}
        for threshold, confidence, right, real in self._judged():
            noise = np.random.default_rng(seed)  # the same pictures for each threshold
            if self.per_image:
                each = _each_image(confidence, right, real)
                each = each if len(each) else np.zeros(1)
                found = _drawn(noise, len(each), samples) @ each / len(each)
            else:
                order = np.argsort(-confidence, axis=None, kind="stable")
                image = order // confidence.shape[1]
                falling, hit, objects = confidence.ravel()[order], right.ravel()[order], real.sum(1)
                times = _drawn(noise, len(real), samples)  # [S, B]
                chunk = max(1, 1_000_000 // max(1, order.size))
                found = np.concatenate(
                    [
                        _curve(falling, hit * part[:, image], part[:, image], part @ objects)
                        for part in np.split(times, range(chunk, samples, chunk))
                    ]
                )
            low, high = np.quantile(found, [0.025, 0.975])
            answer[threshold] = (float(low), float(high))
        return answer

    def _judged(self) -> Iterator[tuple[float, np.ndarray, np.ndarray, np.ndarray]]:
        """For each threshold: itself, confidence [B, N], whether a detection is right [B, N], real objects [B, M]."""
        assert self.thresholds is not None
        if not self._seen:
            raise InputError("there is nothing to measure", None, "add a batch first")
        for threshold in self.thresholds:
            # As a misfit: distance, or 1 - overlap. Written so that an overlap equal to the threshold is within.
            worst = threshold if self.by == "distance" else -threshold
            parts = [(confidence, _right(fit, real, worst), real) for fit, confidence, real in self._seen]
            confidence, right, real = (_stacked([part[k] for part in parts]) for k in range(3))
            yield threshold, confidence, right, real

    def _fit(self, said: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Misfit of each detection and object [B, N, M] (inf: cannot be it), confidence [B, N], real [B, M].

        Objects in an order of their own and detections by confidence, then by their channels: what comes out
        does not know in which order they came.
        """
        true = _arranged(true, [true[..., k] for k in range(true.shape[2])])
        said = _arranged(said, [*(said[..., k] for k in range(said.shape[2] - 1)), -said[..., -1]])
        real = true[..., -1] > 0.5
        if self.by == "iou":
            fit = -_overlap(said[:, :, None, :4], true[:, None, :, :4])
        else:
            numbers = true.shape[2] - 1 if self.fields is None else self.fields.numbers
            square = np.zeros((said.shape[0], said.shape[1], true.shape[1]))
            for k in range(numbers):
                square += (said[:, :, None, k] - true[:, None, :, k]) ** 2
            fit = self.scale * np.sqrt(square)
            for where in () if self.fields is None else self.fields.attributes:
                kind, wanted = said[..., where].argmax(-1), true[..., where].argmax(-1)
                fit = np.where(kind[:, :, None] == wanted[:, None], fit, np.inf)
        return np.where(real[:, None], fit, np.inf), said[..., -1], real


def average_precision(
    prediction: Float[Tensor, "b n c"],
    target: Float[Tensor, "b m c2"],
    fields: Fields | None = None,
    *,
    by: Literal["distance", "iou"] = "distance",
    thresholds: Sequence[float] | None = None,
    target_mask: Bool[Tensor, "b m"] | None = None,
    scale: float = 1.0,
    per_image: bool = False,
) -> dict[float, float]:
    """Average precision of a whole data set, percent by threshold; `AveragePrecision` tells how, and takes batches.

    >>> truth = torch.tensor([[[0.0, 0.0, 1.0], [2.0, 0.0, 1.0]]])
    >>> average_precision(truth + torch.tensor([0.3, 0.0, 0.0]), truth, thresholds=[0.5, 0.25])
    {0.5: 100.0, 0.25: 0.0}
    """
    measure = AveragePrecision(fields, by, thresholds, scale, per_image)
    measure.add(prediction, target, target_mask)
    return measure.compute()


def box_iou(first: Float[Tensor, "*b 4"], second: Float[Tensor, "*b2 4"]) -> Float[Tensor, "..."]:
    """Intersection over union of boxes ``x1, y1, x2, y2`` in any unit, broadcast; 0 where a box has no area."""
    return torch.from_numpy(_overlap(first.double().cpu().numpy(), second.double().cpu().numpy()))


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(sides.clip(min=0), -1)
    union = sum(np.prod((box[..., 2:] - box[..., :2]).clip(min=0), -1) for box in (first, second)) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _arranged(sets: np.ndarray, keys: list[np.ndarray]) -> np.ndarray:
    """[B, N, C] with each set's elements sorted by the last key, then the one before it, and so on."""
    order = np.lexsort([*keys])  # along the last axis, N
    return np.take_along_axis(sets, order[..., None], 1)


def _right(fit: np.ndarray, real: np.ndarray, worst: float) -> np.ndarray:
    """Which detections [B, N], the most confident first, are right: all pictures at once, a rank at a time."""
    images, count, objects = fit.shape
    right = np.zeros((images, count), bool)
    if objects == 0:
        return right
    free = real.copy()
    every = np.arange(images)
    for rank in range(count):
        misfit = fit[:, rank]
        best = misfit.min(1)
        fits = free & (misfit == best[:, None])
        right[:, rank] = fits.any(1) & (best <= worst) & (best < np.inf)
        free[every, fits.argmax(1)] &= ~right[:, rank]
    return right


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Batches [B_i, N_i] as one; those of fewer columns are filled with what can be no detection and no object."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([_widened(part, width) for part in parts])


def _widened(part: np.ndarray, width: int) -> np.ndarray:
    fill = False if part.dtype == bool else np.finfo(part.dtype).min  # finite: two infinities have no difference
    return np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=fill)


def _each_image(confidence: np.ndarray, right: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The average precision of each picture that holds objects."""
    return np.array([_area(confidence[i], right[i], int(real[i].sum())) for i in np.flatnonzero(real.any(1))])


def _area(confidence: np.ndarray, right: np.ndarray, objects: int) -> float:
    """Area under precision and recall, in percent: precision at each recall is the best that a larger recall has."""
    order = np.argsort(-confidence, kind="stable")
    return float(_curve(confidence[order], right[order], np.ones(order.size, int), np.array(objects)))


def _curve(confidence: np.ndarray, hits: np.ndarray, seen: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """The same of detections [n] in falling confidence, `seen` times there and `hits` times right, [..., n]: [...]."""
    if confidence.size == 0:
        return np.zeros(objects.shape)
    last = np.append(np.flatnonzero(np.diff(confidence)), confidence.size - 1)  # the end of each confidence
    found, asked = np.cumsum(hits, -1)[..., last], np.cumsum(seen, -1)[..., last]
    precision = np.maximum.accumulate((found / np.maximum(asked, 1))[..., ::-1], -1)[..., ::-1]
    return np.asarray(100.0 * np.sum(precision * np.diff(found, prepend=0), -1) / np.maximum(objects, 1))


def _drawn(noise: np.random.Generator, images: int, samples: int) -> np.ndarray:
    """How often each picture is drawn when as many as there are are drawn with replacement, [samples, images]."""
    return noise.multinomial(images, np.full(images, 1 / images), samples)
