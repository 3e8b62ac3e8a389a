"""``calibration``: does a receiver know how likely it is to be right, and does it notice when nothing is right?"""

from collections.abc import Mapping

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata

from raster.shapes import Float, Int, Tensor
from runs.evidence import Evidence, gather
from runs.finding import Curve, Finding
from runs.intervals import bootstrap_of
from runs.probes._registry import probe

BINS = 15
"""Of confidence, of equal width (Guo et al. 2017)."""
FIT_ON = "validation"
"""The split that the temperature is fitted on; the test is then only measured."""
WORLDS = 200
"""Receivers that are right exactly as often as they say, simulated for the baseline ``calibrated``."""
SAMPLES = 300
"""Of the bootstrap."""
COOLEST, HOTTEST = 0.01, 100.0
"""Temperatures that are tried."""


@probe("calibration", needs=["one target"])
def calibration(evidence: Evidence) -> Finding:
    """Expected calibration error of the receiver's confidence, the softmax of its scores at its choice; 0 is best.

    Guo et al. 2017 (ECE, 15 bins of equal width; temperature). Of few games even a receiver that is right exactly as
    often as it says has an error above 0: baseline ``calibrated`` is its mean, of receivers simulated with the same
    confidences. ``blank``, ``shuffled``, ``untrained`` and ``random`` are the error on drawings that say nothing: a
    receiver that is as sure then as ever has a large one. ``table`` has rate, confidence, ECE, Brier score and log loss
    of each, and of the drawings at the temperature that suits the validation split best (``parts`` has it).

    With the truth absent: the target is taken out of the pool, and beside it, so that there are as many candidates, a
    distractor. ``absence noticed`` is how often confidence is higher where the target is there (the area under the ROC
    curve; 0.5 is not at all).

    The curves are the reliability diagram. Intervals: bootstrap over pools, which like the error itself errs upwards.
    """
    target = torch.cat([play.round.target for play in evidence.plays]).cpu()
    answers = {name: torch.cat(pools).double().cpu() for name, pools in evidence.scores().items()}
    scores, sizes = answers["drawings"], evidence.sketches.sizes
    sure, right = judged(scores, target)

    def error(rows: np.ndarray) -> float:
        return calibration_error(sure[rows], right[rows])

    value = calibration_error(sure, right)
    low, high = bootstrap_of(error, sizes, SAMPLES)
    table = {name: _measures(each, target) for name, each in answers.items()}
    over = bootstrap_of(lambda rows: float((sure[rows] - right[rows]).mean()), sizes, SAMPLES)
    k = scores.shape[1]
    parts = {
        "overconfidence": float((sure - right).mean()),
        "overconfidence, low": over[0],
        "overconfidence, high": over[1],
        "Brier score": table["drawings"]["Brier"],
        "Brier score of chance": 1 - 1 / k,
        "log loss": table["drawings"]["log loss"],
        "log loss of chance": float(np.log(k)),
    }
    curves = {"receiver": _reliability(sure, right, sizes)}
    warm = _temperature(evidence)
    if warm is not None:
        table["drawings at that temperature"] = _measures(scores / warm, target)
        parts |= {
            "temperature": warm,
            "error at that temperature": table["drawings at that temperature"]["ECE"],
        }
        curves["at that temperature"] = _reliability(*judged(scores / warm, target), sizes, doubt=False)
    parts |= _absent(scores, target, sizes)
    curves |= {"calibrated": Curve([0.0, 1.0], [0.0, 1.0]), "part of the games": _shares(sure)}
    baselines = {name: row["ECE"] for name, row in table.items() if name in answers and name != "drawings"}
    baselines["calibrated"] = error_of_the_calibrated(sure)
    return Finding(
        value,
        min(low, value),
        max(high, value),
        evidence.n,
        None,
        baselines,
        parts,
        table,
        curves,
        over="confidence",
        measure="calibration error",
        height="how often it was right",
    )


def judged(scores: Float[Tensor, "n k"], target: Int[Tensor, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence at the choice and whether it was right, [n] float64 each."""
    sure, choice = scores.double().softmax(dim=1).max(dim=1)
    return sure.numpy(), (choice == target).double().numpy()


def calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: over bins of confidence, the mean of |how sure - how often right|, weighted by games.

    Naeini et al. 2015; Guo et al. 2017, equation 3. A bin holds its upper edge and not its lower.

    Args:
        sure: confidence in [0, 1], [n].
        right: 1 where it was right, else 0, [n].
        bins: of equal width.

    >>> round(calibration_error(np.array([0.9, 0.9, 0.6, 0.6]), np.array([1.0, 0.0, 1.0, 1.0]), bins=2), 6)
    0.0
    >>> round(calibration_error(np.array([0.9, 0.9, 0.6, 0.6]), np.array([1.0, 0.0, 1.0, 1.0]), bins=10), 6)
    0.4
    """
    place = _bin(sure, bins)
    apart = np.bincount(place, sure - right, minlength=bins)
    return float(np.abs(apart).sum() / len(sure))


def _bin(sure: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)


def brier(scores: Float[Tensor, "n k"], target: Int[Tensor, " n"]) -> float:
    """Squared distance of the softmax from the truth, summed over candidates, mean over games (Brier 1950).

    0 is best, ``1 - 1 / K`` a receiver that thinks all alike, 2 one that is sure and always wrong.
    """
    chances = scores.double().softmax(dim=1)
    truth = torch.nn.functional.one_hot(target, scores.shape[1])
    return float((chances - truth).square().sum(dim=1).mean())


def log_loss(scores: Float[Tensor, "n k"], target: Int[Tensor, " n"]) -> float:
    """Mean of minus the log of the softmax at the target, nats."""
    return float(torch.nn.functional.cross_entropy(scores.double(), target))


def best_temperature(scores: Float[Tensor, "n k"], target: Int[Tensor, " n"]) -> float:
    """What scores are to be divided by so that their log loss is least (Guo et al. 2017, section 4.2), 0.01 to 100."""
    found = minimize_scalar(
        lambda log: log_loss(scores / np.exp(log), target),
        bounds=(np.log(COOLEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def error_of_the_calibrated(sure: np.ndarray, worlds: int = WORLDS, seed: int = 0) -> float:
    """The mean calibration error of receivers that are right exactly as often as they say, with these confidences.

    What is left of an error when nothing is wrong but that games are few (the resampling of Bröcker & Smith 2007).
    """
    right = np.random.default_rng(seed).random((worlds, len(sure))) < sure
    return float(np.mean([calibration_error(sure, each.astype(float)) for each in right]))


def area(present: np.ndarray, absent: np.ndarray) -> float:
    """How often a random one of ``present`` is above one of ``absent``, ties half (the area under the ROC curve)."""
    ranks = rankdata(np.concatenate([present, absent]))[: len(present)]
    return float((ranks.mean() - (len(present) + 1) / 2) / len(absent))


def without(scores: Float[Tensor, "n k"], place: Int[Tensor, " n"]) -> Float[Tensor, "n j"]:
    """The scores of all candidates but one of each game, [n, K - 1]."""
    left = torch.ones_like(scores, dtype=torch.bool).scatter(1, place[:, None], False)
    return scores[left].reshape(len(scores), -1)


def _measures(scores: Float[Tensor, "n k"], target: Int[Tensor, " n"]) -> dict[str, float]:
    sure, right = judged(scores, target)
    return {
        "rate": float(right.mean()),
        "confidence": float(sure.mean()),
        "ECE": calibration_error(sure, right),
        "Brier": brier(scores, target),
        "log loss": log_loss(scores, target),
    }


def _temperature(evidence: Evidence) -> float | None:
    """Fitted on as many pools of the validation split; None where there is none, or it is what is measured."""
    if evidence.split == FIT_ON or FIT_ON not in evidence.run.gallery.splits:
        return None
    played = gather(evidence.run, evidence.game, FIT_ON, len(evidence.plays)).plays
    scores = torch.cat([play.scores for play in played]).cpu()
    return best_temperature(scores, torch.cat([play.round.target for play in played]).cpu())


def _absent(scores: Float[Tensor, "n k"], target: Int[Tensor, " n"], sizes: list[int]) -> Mapping[str, float]:
    """How sure the receiver is with the target taken out, and with a distractor taken out instead."""
    k = scores.shape[1]
    if k < 3:  # with one candidate left everybody is sure
        return {}
    other = (target + torch.randint(1, k, target.shape, generator=torch.Generator().manual_seed(0))) % k
    present, absent = (without(scores, place).softmax(dim=1).amax(dim=1).numpy() for place in (other, target))
    low, high = bootstrap_of(lambda rows: area(present[rows], absent[rows]), sizes, SAMPLES)
    return {
        "confidence, target there": float(present.mean()),
        "confidence, target absent": float(absent.mean()),
        "absence noticed": area(present, absent),
        "absence noticed, low": low,
        "absence noticed, high": high,
    }


def _reliability(sure: np.ndarray, right: np.ndarray, sizes: list[int], doubt: bool = True) -> Curve:
    """How often the receiver was right, by how sure it was: a point a bin that holds any games."""
    place = _bin(sure, BINS)
    bins = np.unique(place).tolist()
    x = [float(sure[place == each].mean()) for each in bins]
    y = [float(right[place == each].mean()) for each in bins]
    if not doubt:
        return Curve(x, y)

    def rate_in(each: int) -> tuple[float, float]:
        def rate(rows: np.ndarray) -> float:
            own = rows[place[rows] == each]
            return float(right[own].mean()) if len(own) else float("nan")

        return bootstrap_of(rate, sizes, SAMPLES)

    ends = [rate_in(each) for each in bins]
    return Curve(x, y, [low for low, _ in ends], [high for _, high in ends])


def _shares(sure: np.ndarray) -> Curve:
    counts = np.bincount(_bin(sure, BINS), minlength=BINS) / len(sure)
    return Curve([(number + 0.5) / BINS for number in range(BINS)], counts.tolist())
