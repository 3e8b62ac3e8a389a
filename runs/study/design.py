"""Which games people sit, in which lists, beside which candidates: everything that chance decides, from one seed."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from raster import InputError
from runs.study.plays import Game, Pictures

__all__ = ["CATCH_TRIALS", "Design", "Item", "plan"]

CATCH_TRIALS = 2


@dataclass(frozen=True)
class Item:
    """One trial: a logged game and the candidates that a person sees, in the order in which they stand.

    ``choices`` are picture indices, ``target`` and ``agent_choice`` positions in them, ``agent_probability`` the
    softmax of the receiver's scores over these candidates, read at the target (0 to 1). A *catch* trial shows
    the target's own photo in place of the drawing; no agent took it.
    """

    id: str
    kind: str
    game: Game
    choices: tuple[int, ...]
    target: int
    agent_choice: int | None
    agent_probability: float | None

    @property
    def target_picture(self) -> int:
        return self.choices[self.target]


@dataclass(frozen=True)
class Design:
    """``lists[i]`` are the trials of one participant, in no order yet; the catch trials are common to all lists."""

    lists: tuple[tuple[Item, ...], ...]
    catch: tuple[Item, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for items in self.lists for item in items) + self.catch


def plan(
    games: Sequence[Game], pictures: Pictures, *, trials: int, lists: int = 1, choices: int | None = None, seed: int = 0
) -> Design:
    """Draw ``lists`` lists of ``trials`` games each: no target picture twice anywhere, classes spread evenly.

    Args:
        games: logged games of one kind.
        pictures: their names.
        trials: trials of one participant, catch trials aside.
        lists: how many different sets of trials; each participant sees one.
        choices: candidates that stand before a person; ``None`` keeps all that the receiver saw. With fewer, a
            sample is drawn which always holds the target, and the receiver's choice is its best among that sample.
        seed: decides everything here, and nothing else does.

    Raises:
        InputError: an impossible number, or fewer different targets than ``trials * lists``.
    """
    if trials < 1 or lists < 1:
        raise InputError(f"{trials} trials in {lists} lists", "study", "both must be at least 1")
    smallest = min(len(game.pool) for game in games)
    if choices is not None and not 2 <= choices <= smallest:
        raise InputError(f"{choices} choices", "study", f"give 2 to {smallest}, the candidates that the receiver saw")
    rng = random.Random(f"lascaux study {seed}")
    chosen = _spread(games, pictures, trials * lists, rng)
    if len(chosen) < trials * lists:
        raise InputError(
            f"{trials} trials in {lists} list(s) need {trials * lists} different targets, the run logged {len(chosen)}",
            "study",
            f"ask for at most {len(chosen)} in all",
        )
    # Ids are dealt after a shuffle, so that they tell nothing of class or order in the run.
    numbers = list(range(1, len(chosen) + 1))
    rng.shuffle(numbers)
    items = [_item(f"t{number:04d}", game, choices, rng) for number, game in zip(numbers, chosen, strict=True)]
    taken = {game.target_picture for game in chosen}
    catch = tuple(_catch(f"c{i + 1}", games, taken, choices, rng) for i in range(CATCH_TRIALS))
    return Design(tuple(tuple(items[i::lists]) for i in range(lists)), catch)


def _spread(games: Sequence[Game], pictures: Pictures, count: int, rng: random.Random) -> list[Game]:
    """Up to ``count`` games with different target pictures, a class at a time in turn."""
    by_class: dict[str, list[Game]] = defaultdict(list)
    seen: set[int] = set()
    for game in rng.sample(list(games), len(games)):
        if game.target_picture not in seen:
            seen.add(game.target_picture)
            by_class[pictures.class_of(game.target_picture)].append(game)
    queues = [by_class[name] for name in sorted(by_class)]
    rng.shuffle(queues)
    chosen: list[Game] = []
    while len(chosen) < count and any(queues):
        chosen += [queue.pop() for queue in queues if queue]
    return chosen[:count]


def _item(id: str, game: Game, choices: int | None, rng: random.Random) -> Item:
    positions = _candidates(len(game.pool), game.target, choices, rng)
    scores = [game.scores[i] for i in positions]
    best = max(scores)
    total = sum(math.exp(score - best) for score in scores)
    target = positions.index(game.target)
    return Item(
        id=id,
        kind="pick",
        game=game,
        choices=tuple(game.pool[i] for i in positions),
        target=target,
        agent_choice=scores.index(best),
        agent_probability=math.exp(scores[target] - best) / total,
    )


def _catch(id: str, games: Sequence[Game], taken: set[int], choices: int | None, rng: random.Random) -> Item:
    # A picture that is no other trial's target, if any pool has one left.
    order = rng.sample(list(games), len(games))
    game = next((game for game in order if not taken.issuperset(game.pool)), order[0])
    free = [i for i, picture in enumerate(game.pool) if picture not in taken]
    target = rng.choice(free or range(len(game.pool)))
    taken.add(game.pool[target])
    positions = _candidates(len(game.pool), target, choices, rng)
    return Item(id, "catch", game, tuple(game.pool[i] for i in positions), positions.index(target), None, None)


def _candidates(pool: int, target: int, choices: int | None, rng: random.Random) -> list[int]:
    """Positions in the pool: all, or a sample that holds the target; shuffled, for a pool may have an order."""
    others = [i for i in range(pool) if i != target]
    positions = [target, *rng.sample(others, (choices or pool) - 1)]
    rng.shuffle(positions)
    return positions
