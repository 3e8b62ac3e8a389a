"""``generalisation``: how much understanding is lost on what nobody learned from, one axis at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from games import Game, Pictionary, Play, Referential, correct
from games.distractors import NearestDistractors
from games.pictures import Gallery
from perception import TimmTrunk
from raster.errors import InputError
from raster.shapes import Bool, Tensor
from runs.evidence import Evidence, bootstrap_by_pool, gather
from runs.finding import Finding
from runs.probes._elsewhere import EVERYTHING, changed, most_candidates, playable, taken_to
from runs.probes._registry import probe
from runs.run import Run

TRUNK, LEVEL = TimmTrunk(), 3
"""Whose features say which distractors are nearest: those of the packaged trunk, which most presets learn with."""
HARD = (0.5, 1.0)
"""Parts of the distractors that are the nearest."""
TIMES = 8
"""Candidates, at most, as a multiple of those that agents learned with."""
SAMPLES = 4000


@dataclass(frozen=True)
class _Condition:
    """Games, and those beside them that are alike in all but the axis."""

    name: str
    asked: Evidence
    beside: Evidence


@probe("generalisation")
def generalisation(evidence: Evidence) -> Finding:
    """What is lost from pictures of training to those that nobody learned from: the gap of the rate above chance.

    Rates stand above chance, ``(rate - chance) / (1 - chance)``, so that games of different numbers of candidates
    compare; a gap is what they lose. ``table`` has a row for each axis (docs/probes/generalisation.md), with the gap
    from games that are alike in all else: pictures, things or hands (artists) that nobody learned from, alone and
    together, beside pictures of training; more candidates and harder ones (the nearest in a trunk's features), and
    other pictures altogether (``measure.elsewhere``), beside the games of the split itself. A row that the split has no
    room for is not there. ``parts``: the gaps, by row.

    ``baselines`` are the same gap of controls: ``untrained`` senders' drawings and ``shuffled`` ones have nothing to
    lose, and ``ceiling``, where the receiver is given the photo, says how much of the gap is its own. In the table
    ``blank`` is the rate with a blank canvas, and ``ceiling`` that with the photo. Intervals: bootstrap over the pools
    of both sides.
    """
    rows, conditions = {}, list(_conditions(evidence))
    for each in conditions:
        rows[each.name] = _row(each)
    first = conditions[0]
    found = rows[first.name]
    own, old = evidence.controls(), first.beside.controls()
    baselines = {
        name: above(old[name], first.beside.chance) - above(own[name], evidence.chance)
        for name in own
        if name != "chance"
    }
    parts = {name: row["gap"] for name, row in rows.items()}
    return Finding(
        found["gap"],
        found["gap, low"],
        found["gap, high"],
        evidence.n,
        0.0,
        baselines,
        parts,
        rows,
        measure="gap above chance",
    )


def above(rate: float, chance: float) -> float:
    """A rate above chance: 0 for guessing, 1 for never wrong.

    >>> round(above(0.55, 0.1), 6), above(0.1, 0.1)
    (0.5, 0.0)
    """
    return (rate - chance) / (1 - chance)


def gap(
    beside: list[Bool[Tensor, " _"]], asked: list[Bool[Tensor, " _"]], chances: tuple[float, float], seed: int = 0
) -> tuple[float, float, float]:
    """How much of the rate above chance is lost from games beside to games asked, and its 95 % interval.

    The two are other games on other pools: a percentile bootstrap resamples the pools of each by itself.

    Args:
        beside: for each pool, which of its games were right.
        asked: the same of the games that are harder.
        chances: of both.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    values, drawn = [], []
    for pools, chance in zip((beside, asked), chances, strict=True):
        right = np.array([float(each.double().sum()) for each in pools])
        sizes = np.array([len(each) for each in pools], dtype=float)
        chosen = rng.integers(0, len(pools), (SAMPLES, len(pools)))
        values.append(above(right.sum() / sizes.sum(), chance))
        drawn.append((right[chosen].sum(1) / sizes[chosen].sum(1) - chance) / (1 - chance))
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    return float(values[0] - values[1]), float(low), float(high)


def new_in(gallery: Gallery, split: str) -> str:
    """What senders of a split are shown that nobody learned from: ``things``, ``hands`` (artists), both, or other
    ``pictures`` of known ones; ``nothing`` where all was in training.
    """
    shown, old = gallery.splits[split].shown, torch.zeros(len(gallery.label), dtype=torch.bool)
    for name in gallery.training_splits:
        old |= gallery.splits[name].shown
    words = []
    for word, kind in (("things", gallery.label), ("hands", gallery.hand)):
        if not bool(torch.isin(kind[shown], kind[old]).any()):
            words.append(word)
    if not words and not bool((shown & old).any()):
        return "pictures"
    return " and ".join(words) or "nothing"


def _conditions(evidence: Evidence) -> Iterator[_Condition]:
    """Every axis that the run and the split have room for; the first is the split that is asked about."""
    run, part, split, pools = evidence.run, evidence.game, evidence.split, len(evidence.plays)
    familiar = gather(run, part, "train", pools)
    family = split.split("/")[0]
    others = [name for name in run.gallery.splits if name.split("/")[0] == family and name != split]
    words: set[str] = set()
    for name in (split, *others):
        asked = evidence if name == split else gather(run, part, name, pools)
        word = f"unseen {new_in(run.gallery, name)}"
        yield _Condition(f"{word} ({name})" if word in words else word, asked, familiar)
        words.add(word)
    k = _candidates(part)
    most = most_candidates(part, run.gallery, split, TIMES * k)
    largest = k if most is None else _candidates(most)
    for more in sorted({min(2 * k, largest), min(4 * k, largest), largest} - {k}):
        game = changed(part, candidates=more)
        if game is not None and more > k:
            asked = gather(run, game, split, max(2, round(evidence.n / more)))
            yield _Condition(f"{more} candidates", asked, evidence)
    if not part.reads():  # whose distractors are near already has nothing harder to come
        for share in HARD:
            near = NearestDistractors(trunk=TRUNK, level=LEVEL, share=share, about="pool")
            game = changed(part, distractors=near)
            if game is not None and playable(game, run.gallery, split):
                asked = gather(run, game, split, pools)
                yield _Condition(f"{share:.0%} nearest distractors", asked, evidence)
    if run.config.measure.elsewhere is not None:
        yield _elsewhere(evidence, run.config.measure.elsewhere)


def _candidates(game: Game) -> int:
    assert isinstance(game, Referential | Pictionary)
    return game.candidates


def _elsewhere(evidence: Evidence, pictures: Any) -> _Condition:
    """The same game with other pictures, beside the run's own with as many candidates.

    Where the pictures have no classes of two, or no artists, for the game's view, the view is ``same`` on both sides.

    Raises:
        InputError: they cannot be had, or are too few for any game.
    """
    run, part = evidence.run, evidence.game
    other: Run = taken_to(run, pictures)
    k = _candidates(part)
    for game in (part, changed(part, view="same")):
        there = None if game is None else most_candidates(game, other.gallery, EVERYTHING, k)
        if there is not None and playable(there, run.gallery, evidence.split):
            pools = max(len(evidence.plays), round(evidence.n / _candidates(there)))
            beside = evidence if there == part else gather(run, there, evidence.split, pools)
            asked = gather(other, there, EVERYTHING, pools)
            view = "" if there.label == part.label else f", view {there.label}"
            return _Condition(f"elsewhere: {pictures.kind}{view}", asked, beside)
    do = "give two classes or more, with a picture each"
    raise InputError(
        "probe generalisation: no game can be played with the pictures elsewhere", other.gallery.source, do
    )


def _row(condition: _Condition) -> dict[str, float]:
    asked, beside = condition.asked, condition.beside
    right, old = ([play.correct.cpu() for play in each.plays] for each in (asked, beside))
    low, high = bootstrap_by_pool(right)
    lost, least, most = gap(old, right, (beside.chance, asked.chance))
    row = {
        "rate": asked.rate(),
        "low": low,
        "high": high,
        "chance": asked.chance,
        "beside": beside.rate(),
        "gap": lost,
        "gap, low": least,
        "gap, high": most,
        "blank": _rate(asked.scored(lambda _, play: torch.zeros_like(play.canvas))),
    }
    if asked.plays[0].round.targets is None:
        row["ceiling"] = _rate([_photo_found(asked, number, play) for number, play in enumerate(asked.plays)])
    return row | {"n": float(asked.n)}


def _photo_found(evidence: Evidence, number: int, play: Play) -> Bool[Tensor, " b"]:
    """Which games come out right when the receiver is given the sender's photo."""
    pair, round = evidence.run.pair(*evidence.pairs[number]), play.round
    with torch.no_grad():
        scores = pair.guess_photo(play.photo, evidence.looked[number], round.pool_of, round.generator())
    return correct(scores, round)


def _rate(pools: list[Bool[Tensor, " b"]]) -> float:
    return float(torch.cat(pools).double().mean())
