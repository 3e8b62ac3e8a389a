"""One question of a study: a logged game, and what a person may answer."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raster import InputError
from runs.study.config import Compare, DrawIt, PartConfig, Pick, PickClass, Rate, TrialKind
from runs.study.plays import Game
from runs.study.sources import Source

__all__ = ["Item", "catch_choices", "catch_item", "compared", "item_of", "softmax"]

_CATCH_CHOICES = 6


@dataclass(frozen=True)
class Item:
    """One trial, without its id. Pictures are indices in the gallery of ``sources[source]``.

    Attributes:
        kind: a ``TrialKind``.
        part: number of its part, from 0; ``None`` for an attention check.
        source: whose drawing; of two drawings, whose is the target's own (the left one's, where two runs drew).
        game: the logged game that the drawing comes from; of a check, the one whose candidates it shows.
        pictures: choices that are pictures.
        words: choices that are words.
        target: right position among the choices, if any is.
        meant: the target picture.
        photo: picture that stands beside the drawing, or that is to be drawn.
        about: the class that is asked for.
        agent_choice: position of the receiver's choice (pick, class).
        agent_correct: whether it is right among these choices (pick, class), else in its own game.
        agent_probability: softmax of its scores at the target, among the same.
        agent_scores: its score of each choice (pick, class).
        sides: for two drawings side by side, whose and which.
    """

    kind: TrialKind
    part: int | None
    source: int
    game: Game
    meant: int
    pictures: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    target: int | None = None
    photo: int | None = None
    about: str | None = None
    agent_choice: int | None = None
    agent_correct: bool | None = None
    agent_probability: float | None = None
    agent_scores: tuple[float, ...] = ()
    sides: tuple[tuple[int, Game], ...] = ()

    @property
    def many(self) -> int:
        """How many choices there are."""
        return len(self.pictures or self.words or self.sides)


def item_of(
    part: PartConfig, number: int, sources: Sequence[Source], source: int, game: Game, rng: random.Random
) -> Item:
    """The question of a part (but ``compare``, see ``compared``) about one logged game.

    Args:
        part: what is asked.
        number: the part's place in the design.
        sources: the runs.
        source: which of them played the game.
        game: the game.
        rng: decides which candidates stand there, and where.

    Raises:
        InputError: more choices than the receiver had.
    """
    if isinstance(part, Pick):
        return _pick(part, number, source, game, rng)
    if isinstance(part, PickClass):
        return _pick_class(part, number, sources[source], source, game, rng)
    scores, best = game.scores, max(game.scores)
    base = Item(
        kind=part.kind,
        part=number,
        source=source,
        game=game,
        meant=game.target_picture,
        agent_correct=scores.index(best) == game.target,
        agent_probability=softmax(scores)[game.target],
    )
    if isinstance(part, Rate):
        steps = tuple(str(step) for step in range(1, part.points + 1))
        return replace(base, words=steps, photo=game.shown)
    if isinstance(part, DrawIt):
        word = sources[source].pictures.class_of(game.target_picture)
        return replace(base, about=word) if part.shows == "word" else replace(base, photo=game.shown)
    return base


def compared(
    part: Compare, number: int, sources: Sequence[Source], sides: Sequence[tuple[int, Game]], target: int | None
) -> Item:
    """Two drawings side by side. ``target`` is the right one's position; None where two runs drew the same target."""
    source, game = sides[target or 0]
    shown = {each.shown for _, each in sides} if target is None else {game.shown}
    # Two runs may have drawn other pictures of the same target (view: class); then both are held against the target.
    photo = shown.pop() if len(shown) == 1 else game.target_picture
    word = sources[source].pictures.class_of(game.target_picture)
    base = Item(
        kind="compare",
        part=number,
        source=source,
        game=game,
        meant=game.target_picture,
        target=target,
        photo=photo if part.asks == "likeness" else None,
        about=word if part.asks == "shows" else None,
        sides=tuple(sides),
    )
    if target is None:
        return base
    right = game.scores.index(max(game.scores)) == game.target
    return replace(base, agent_correct=right, agent_probability=softmax(game.scores)[game.target])


def catch_item(sources: Sequence[Source], taken: set[str], choices: int | None, rng: random.Random) -> Item:
    """An attention check: one of the first run's pictures, to be found again among candidates of one of its pools.

    Its target is added to ``taken``; it is nobody's target yet, if any pool has such a picture left, and no other
    candidate looks the same.
    """
    source = sources[0]
    games = rng.sample(list(source.games), len(source.games))
    fitting = [game for game in games if choices is None or len(game.pool) >= choices] or games
    game = next((game for game in fitting if any(source.item(p) not in taken for p in game.pool)), fitting[0])
    free = [i for i, picture in enumerate(game.pool) if source.item(picture) not in taken]
    target = rng.choice(free or range(len(game.pool)))
    name = source.item(game.pool[target])
    taken.add(name)
    others = [i for i, picture in enumerate(game.pool) if source.item(picture) != name]
    most = min(len(game.pool) if choices is None else choices, len(others) + 1)
    positions = [target, *rng.sample(others, most - 1)]
    rng.shuffle(positions)
    return Item(
        kind="catch",
        part=None,
        source=0,
        game=game,
        meant=game.pool[target],
        pictures=tuple(game.pool[i] for i in positions),
        target=positions.index(target),
    )


def catch_choices(parts: Sequence[PartConfig]) -> int | None:
    """How many candidates a check has: as many as the first part that shows pictures, six where none does."""
    pick = next((part for part in parts if isinstance(part, Pick)), None)
    return _CATCH_CHOICES if pick is None else pick.choices


def softmax(scores: Sequence[float]) -> list[float]:
    """Probabilities of scores.

    >>> [round(each, 3) for each in softmax([0.0, 0.0, 1.0])]
    [0.212, 0.212, 0.576]
    """
    best = max(scores)
    weights = [math.exp(score - best) for score in scores]
    return [weight / sum(weights) for weight in weights]


def _pick(part: Pick, number: int, source: int, game: Game, rng: random.Random) -> Item:
    if part.choices is not None and part.choices > len(game.pool):
        what = f"{part.choices} choices of a receiver that saw {len(game.pool)} candidates"
        raise InputError(what, f"parts.{number}.choices", f"give 2 to {len(game.pool)}")
    # By picture, not by place: the same pool played by another run gives people the same candidates.
    others = sorted(i for i in range(len(game.pool)) if i != game.target)
    others.sort(key=lambda i: game.pool[i])
    positions = [game.target, *rng.sample(others, (part.choices or len(game.pool)) - 1)]
    positions.sort(key=lambda i: game.pool[i])
    rng.shuffle(positions)  # a pool may have an order
    scores = tuple(game.scores[i] for i in positions)
    target = positions.index(game.target)
    choice = scores.index(max(scores))
    return Item(
        kind="pick",
        part=number,
        source=source,
        game=game,
        meant=game.target_picture,
        pictures=tuple(game.pool[i] for i in positions),
        target=target,
        agent_choice=choice,
        agent_correct=choice == target,
        agent_probability=softmax(scores)[target],
        agent_scores=scores,
    )


def _pick_class(part: PickClass, number: int, run: Source, source: int, game: Game, rng: random.Random) -> Item:
    scores: dict[str, list[float]] = {}
    for picture, score in zip(game.pool, game.scores, strict=True):
        scores.setdefault(run.pictures.class_of(picture), []).append(score)
    word = run.pictures.class_of(game.target_picture)
    most = len(scores) if part.choices is None else part.choices
    if not 2 <= most <= len(scores):
        what = f"{most} names for candidates of {len(scores)} class(es)"
        raise InputError(what, f"parts.{number}.choices", "people are offered the classes of the receiver's candidates")
    # In the alphabet's order: a person finds a name there, and where the right one stands tells nothing.
    words = sorted([word, *rng.sample(sorted(scores.keys() - {word}), most - 1)], key=lambda one: (one.casefold(), one))
    sums = tuple(_log_sum(scores[each]) for each in words)
    target, choice = words.index(word), sums.index(max(sums))
    return Item(
        kind="class",
        part=number,
        source=source,
        game=game,
        meant=game.target_picture,
        words=tuple(words),
        target=target,
        agent_choice=choice,
        agent_correct=choice == target,
        agent_probability=softmax(sums)[target],
        agent_scores=sums,
    )


def _log_sum(scores: Sequence[float]) -> float:
    best = max(scores)
    return best + math.log(sum(math.exp(score - best) for score in scores))
