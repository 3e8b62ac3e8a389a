"""Which games people sit, in which lists, beside which candidates: everything that chance decides, from one seed."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raster import InputError
from runs.study.config import Compare, PartConfig, StudyConfig
from runs.study.items import Item, catch_choices, catch_item, compared, item_of
from runs.study.plays import KINDS, Game
from runs.study.sources import Source

__all__ = ["Design", "kinds_of", "plan"]


@dataclass(frozen=True)
class Design:
    """All trials by id. ``lists[i]`` are the ids of one participant's, in no order yet; checks are common to all.

    ``unlike`` counts targets of ``pick`` whose runs had other candidates, though they drew the same target.
    """

    items: dict[str, Item]
    lists: tuple[tuple[str, ...], ...]
    catch: tuple[str, ...]
    unlike: int = 0


@dataclass(frozen=True)
class _Slot:
    """One target's place in a part: for each run that may show it, the game to show; and the target beside it."""

    games: dict[int, Game]
    beside: dict[int, Game]


def kinds_of(part: PartConfig, number: int, sources: Sequence[Source]) -> tuple[str, ...]:
    """The kind of game that each run's drawings of a part come from.

    Raises:
        InputError: a run that logged none of it, or runs of different games where none is named.
    """
    kinds = tuple(part.game or source.own for source in sources)
    for kind, source in zip(kinds, sources, strict=True):
        if kind.removesuffix("-nearest") not in KINDS:
            raise InputError(f"no game {kind!r} that people can sit", _where(number), "take same, class or artist")
        if not any(game.kind == kind and game.split == "test" for game in source.games):
            what = f"the run {source.run!r} logged no test games of kind {kind!r}"
            raise InputError(what, _where(number), f"it has {', '.join(source.kinds)}")
    if len({kind.split("-")[0] for kind in kinds}) > 1:
        what = f"the runs are about different games ({', '.join(sorted(set(kinds)))})"
        raise InputError(what, _where(number), "say which one people sit: game: same, class or artist")
    return kinds


def plan(config: StudyConfig, sources: Sequence[Source]) -> Design:
    """Draw the trials of a study: no target comes twice before anyone, classes are spread evenly.

    Where the runs share targets, which list shows whose drawing of a target is a Latin square: with R runs there are R
    lists to a set of targets, and target k of list l is run (k + l) mod R's. So a participant sees each target once and
    each run equally often (to one), and each target is seen from each run by somebody. Otherwise a list's trials are
    dealt to the runs in turn, and each run brings targets of its own.

    Args:
        config: the design; its seed decides everything here, and nothing else does.
        sources: the runs.

    Raises:
        InputError: more targets than there are, runs that do not fit together, more choices than candidates.
    """
    shared = config.targets == "shared"
    _fit_together(config, sources)
    around = len(sources) if shared else 1
    lists = config.lists or around
    if lists % around:
        what = f"{lists} lists for {around} runs that share their targets"
        raise InputError(
            what, "lists", f"give a multiple of {around}: a Latin square shows each run's drawings equally"
        )
    rng = random.Random(f"lascaux study {config.seed}")
    taken: set[str] = set()
    sets = lists // around
    trials: list[list[Item]] = [[] for _ in range(lists)]
    unlike = 0
    # Parts that can take the fewest targets choose first, so that a part that could take any leaves them theirs.
    kinds = [kinds_of(part, number, sources) for number, part in enumerate(config.parts)]
    order = sorted(range(len(kinds)), key=lambda n: min(_count(s, k) for s, k in zip(sources, kinds[n], strict=True)))
    for number in order:
        part = config.parts[number]
        slots = _slots(part, number, sources, kinds[number], sets * part.trials, shared, taken, rng)
        unlike += part.kind == "pick" and sum(_unlike(slot) for slot in slots)
        for place in range(sets * part.trials):
            for turn in range(around):
                at = (place // part.trials) * around + turn
                trials[at].append(_asked(config, number, sources, slots[place], place % part.trials, turn))
    catch = [catch_item(sources, taken, catch_choices(config.parts), rng) for _ in range(config.catch)]
    return _named(trials, catch, unlike, rng)


def _named(trials: list[list[Item]], catch: list[Item], unlike: int, rng: random.Random) -> Design:
    """Ids are dealt after a shuffle, so that they tell nothing of class, run or order."""
    numbers = list(range(1, sum(map(len, trials)) + 1))
    rng.shuffle(numbers)
    names = iter(f"t{number:04d}" for number in numbers)
    lists = [{next(names): item for item in items} for items in trials]
    checks = {f"c{number}": item for number, item in enumerate(catch, 1)}
    every = {id: item for items in (*lists, checks) for id, item in items.items()}
    return Design(dict(sorted(every.items())), tuple(tuple(sorted(items)) for items in lists), tuple(checks), unlike)


def _fit_together(config: StudyConfig, sources: Sequence[Source]) -> None:
    alike = len({source.pictures.content for source in sources}) == 1
    if config.targets == "shared" and not alike:
        what = "the runs played with different pictures, so they share no targets"
        raise InputError(what, "targets", "take runs on the same pictures, or say targets: own")
    for number, part in enumerate(config.parts):
        if isinstance(part, Compare) and part.against == "run" and (len(sources) < 2 or config.targets == "own"):
            what = "two runs' drawings of the same target need two runs that share their targets"
            raise InputError(what, f"{_where(number)}.against", "give another run, or say against: other")


def _against(part: Compare, config: StudyConfig, sources: Sequence[Source]) -> str:
    return part.against or ("run" if len(sources) > 1 and config.targets == "shared" else "other")


def _asked(config: StudyConfig, number: int, sources: Sequence[Source], slot: _Slot, place: int, turn: int) -> Item:
    """The question that target ``place`` of a part is to the list that is ``turn`` in its Latin square."""
    part = config.parts[number]
    runs = sorted(slot.games)
    source = runs[(place + turn) % len(runs)]
    if isinstance(part, Compare) and _against(part, config, sources) == "run":
        # Every run against every other, either on the left: ordered pairs, those of one distance one after another.
        pairs = [(i, (i + step) % len(runs)) for step in range(1, len(runs)) for i in range(len(runs))]
        sides = [(runs[i], slot.games[runs[i]]) for i in pairs[(place + turn) % len(pairs)]]
        return compared(part, number, sources, sides, None)
    if isinstance(part, Compare):
        target = (place // len(runs) + turn) % 2  # not in step with the runs: each has as many on either side
        pair = [(source, slot.games[source]), (source, slot.beside[source])]
        return compared(part, number, sources, pair if target == 0 else pair[::-1], target)
    game = slot.games[source]
    # Of the target and the part alone: in runs that played the same pool, people see the same candidates.
    name = sources[source].item(game.target_picture)
    return item_of(part, number, sources, source, game, random.Random(f"lascaux {config.seed} {number} {name}"))


def _slots(
    part: PartConfig,
    number: int,
    sources: Sequence[Source],
    kinds: Sequence[str],
    count: int,
    shared: bool,
    taken: set[str],
    rng: random.Random,
) -> list[_Slot]:
    """Targets for a part, each new; what they show is added to ``taken``."""
    beside = isinstance(part, Compare) and (part.against == "other" or not shared or len(sources) == 1)
    turns = [range(len(sources))] if shared else [[run] for run in range(len(sources))]
    queues = [_candidates(sources, kinds, runs, rng) for runs in turns]
    slots: list[_Slot] = []
    while len(slots) < count:
        found = _next(queues[len(slots) % len(turns)], part, sources, taken)
        other = None
        if found is not None and beside:
            other = _next(queues[len(slots) % len(turns)], part, sources, taken, _class(sources, found))
        if found is None or (beside and other is None):
            raise InputError(
                f"the part asks for {count} different targets in all, and only {len(slots)} are left for it",
                f"{_where(number)}.trials",
                "ask for fewer trials or lists, or take runs that logged more test games (measure.test_pools)",
            )
        slots.append(_Slot(found, other or {}))
    return slots


def _candidates(
    sources: Sequence[Source], kinds: Sequence[str], runs: Sequence[int], rng: random.Random
) -> list[dict[int, Game]]:
    """Each target that all of ``runs`` drew, once, with a game of each: a class at a time in turn, in random order."""
    games: list[dict[int, list[Game]]] = []
    for run in runs:
        of_picture: dict[int, list[Game]] = defaultdict(list)
        source = sources[run]
        for game in rng.sample(list(source.games), len(source.games)):
            if game.kind == kinds[run] and game.split == "test":
                of_picture[game.target_picture].append(game)
        games.append(of_picture)
    by_class: dict[str, list[dict[int, Game]]] = defaultdict(list)
    for picture in games[0]:
        if all(picture in each for each in games):
            matched = _matched([each[picture] for each in games])
            by_class[sources[runs[0]].pictures.class_of(picture)].append(dict(zip(runs, matched, strict=True)))
    queues = [by_class[name] for name in sorted(by_class)]
    rng.shuffle(queues)
    found = []
    while any(queues):
        found += [queue.pop() for queue in queues if queue]
    return found


def _matched(choices: Sequence[Sequence[Game]]) -> list[Game]:
    """A game of each run on the same target: on the same candidates where they have such, from the same picture too."""
    first = choices[0]
    for like in (_dealt, lambda game: frozenset(game.pool)):
        for game in first:
            found = [next((each for each in run if like(each) == like(game)), None) for run in choices]
            if all(each is not None for each in found):
                return [each for each in found if each is not None]
    return [run[0] for run in choices]


def _dealt(game: Game) -> object:
    return frozenset(game.pool), game.shown


def _next(
    queue: list[dict[int, Game]],
    part: PartConfig,
    sources: Sequence[Source],
    taken: set[str],
    not_of: str | None = None,
) -> dict[int, Game] | None:
    """The next target that nobody has seen, and is not of class ``not_of``; it is taken out of the queue."""
    for place, games in enumerate(queue):
        names = set(_seen(part, sources, games))
        if names.isdisjoint(taken) and _class(sources, games) != not_of:
            taken |= names
            del queue[place]
            return games
    return None


def _seen(part: PartConfig, sources: Sequence[Source], games: dict[int, Game]) -> Iterator[str]:
    """What a question gives away: its target, and the picture that stands beside the drawing."""
    for run, game in games.items():
        yield sources[run].item(game.target_picture)
        if part.kind in ("rate", "compare", "draw"):
            yield sources[run].item(game.shown)


def _class(sources: Sequence[Source], games: dict[int, Game]) -> str:
    run, game = next(iter(games.items()))
    return sources[run].pictures.class_of(game.target_picture)


def _count(source: Source, kind: str) -> int:
    return len({game.target_picture for game in source.games if game.kind == kind})


def _unlike(slot: _Slot) -> bool:
    return len({frozenset(game.pool) for game in slot.games.values()}) > 1


def _where(number: int) -> str:
    return f"parts.{number}"
