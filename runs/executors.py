"""How the agents of a step are run: pair after pair, or all of one architecture at once. Both give the same plays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch

from agents import Bias, Pair, View
from agents.meetings import Meetings
from agents.stack import Layout, Stack, carried, draw, score, stacks_of
from games import OneTarget, Play, Referential, Round
from games.pictures import PictureView
from raster import InputError, Strokes
from raster.shapes import Float, Int, Tensor
from runs.run import Run

FEWEST = 2
"""Pairs a step from which on ``auto`` batches."""


@runtime_checkable
class Executor(Protocol):
    """Plays the meetings of a step.

    Attributes:
        name: ``loop`` or ``batched``.
        why: why it was taken, in words.
    """

    name: str
    why: str

    def play(self, meetings: Meetings, rounds: Sequence[Round], cuts: Sequence[bool]) -> list[Play]:
        """A play of each meeting on its round; where it is cut, with no gradient from receiver to sender."""
        ...

    def collect(self) -> None:
        """Called after the backward pass: every agent that played has its gradient then, all others None."""
        ...

    def stacks(self) -> list[tuple[list[str], Stack]]:
        """Agents that are run at once, each with its name in the community."""
        ...


@dataclass
class Loop:
    """One pair after another: the reference."""

    run: Run
    why: str
    name: str = "loop"

    def play(self, meetings: Meetings, rounds: Sequence[Round], cuts: Sequence[bool]) -> list[Play]:
        run = self.run
        pairs = [replace(run.pair(*each, training=True), cut=cut) for each, cut in zip(meetings, cuts, strict=True)]
        return [
            run.game.play(pair, round, run.gallery, run.config.canvas, run.step)
            for pair, round in zip(pairs, rounds, strict=True)
        ]

    def collect(self) -> None:
        """The gradients are where they belong."""

    def stacks(self) -> list[tuple[list[str], Stack]]:
        return []


class Batched:
    """All agents of one architecture at once, and one call of the rasteriser for all sketches.

    Rounds, noise, biases and losses are those of the loop, meeting by meeting. Agents that cannot be stacked are
    looped over.
    """

    name = "batched"

    def __init__(self, run: Run, why: str, holds: Callable[[str], bool] = lambda member: True) -> None:
        self.run, self.why = run, why
        self.senders, self.receivers = (_groups_of(run, side, holds) for side in ("senders", "receivers"))

    def collect(self) -> None:
        for _, stack in (*self.senders, *self.receivers):
            if stack is not None:
                stack.collect()

    def stacks(self) -> list[tuple[list[str], Stack]]:
        return [
            ([f"{side}.{member}" for member in members], stack)
            for side, groups in (("senders", self.senders), ("receivers", self.receivers))
            for members, stack in groups
            if stack is not None
        ]

    def play(self, meetings: Meetings, rounds: Sequence[Round], cuts: Sequence[bool]) -> list[Play]:
        noise = [round.generator() for round in rounds]
        drawn = self.draw(meetings, rounds, noise)
        # Everything is inked in the order in which receivers look at it: strokes are few numbers, canvases many.
        ink = self.ink([drawn[number] for number in self.order(meetings)])
        return self.judge(meetings, rounds, noise, drawn, ink, cuts)

    def draw(self, meetings: Meetings, rounds: Sequence[Round], noise: Sequence[torch.Generator]) -> list[Strokes]:
        """What the hand of each meeting's sender does, B drawings each; takes its part of each meeting's noise."""
        run = self.run
        pairs = self._pairs(meetings)
        drawn = self._drawn(meetings, rounds, pairs, noise)
        if _overridden(run.biases, "move"):
            drawn = [
                pair.moved(each, pair.moment("sender", own))
                for pair, each, own in zip(pairs, drawn, noise, strict=True)
            ]
        return drawn

    def _pairs(self, meetings: Meetings) -> list[Pair]:
        run = self.run
        biases = run.biases
        return [run.community.pair(sender, receiver, biases, run.step, True) for sender, receiver in meetings]

    def _looks(self, meetings: Meetings) -> "list[tuple[Layout, Stack | None]]":
        return _layouts(self.receivers, [receiver for _, receiver in meetings])

    def order(self, meetings: Meetings) -> list[int]:
        """The meetings, by position, in the order in which their receivers look at drawings."""
        return [number for layout, _ in self._looks(meetings) for number in layout.meetings]

    def judge(
        self,
        meetings: Meetings,
        rounds: Sequence[Round],
        noise: Sequence[torch.Generator],
        drawn: Sequence[Strokes],
        ink: Float[Tensor, "n *ink h w"],
        cuts: Sequence[bool],
    ) -> list[Play]:
        """The plays of drawings that are made: their receivers score them, with the noise that their senders left.

        ``ink`` is that of all drawings, meeting after meeting in their ``order``; all else, and the plays, in that of
        ``meetings``.
        """
        run, pairs, looks, order = self.run, self._pairs(meetings), self._looks(meetings), self.order(meetings)
        shown = ink
        if any(cuts):
            parts = ink.unflatten(0, (len(order), -1)).unbind()
            shown = torch.cat([each.detach() if cuts[n] else each for n, each in zip(order, parts, strict=True)])
        scores = self._scores(looks, rounds, pairs, shown, noise)
        game = run.game.parts[rounds[0].part]
        assert isinstance(game, Referential)
        loss = game.price(scores, _joined([rounds[number] for number in order]))
        # Taken apart by `unbind`, whose gradient is one stack; slices would each make one as large as the whole.
        canvases, points, prices = (each.unflatten(0, (len(order), -1)).unbind() for each in (ink, scores, loss))
        place = {number: at for at, number in enumerate(order)}
        return [
            Play(
                round,
                round.photo(run.gallery),
                drawn[number],
                canvases[place[number]],
                points[place[number]],
                prices[place[number]],
                run.gallery.trunks,
            )
            for number, round in enumerate(rounds)
        ]

    def ink(self, drawn: Sequence[Strokes]) -> Float[Tensor, "n *ink h w"]:
        """All drawings, one meeting's after another's, by one call of the rasteriser for all that are of like strokes.

        [M x B, H, W], or [M x B, 3, H, W].
        """
        alike: dict[Any, list[int]] = {}
        for number, each in enumerate(drawn):
            key = (each.kind, each.knots, tuple(each._tensors()), each.points.shape[1:])
            alike.setdefault(key, []).append(number)
        canvas, step = self.run.config.canvas, self.run.step
        inked = [canvas.draw(Strokes.cat([drawn[n] for n in numbers]), step) for numbers in alike.values()]
        if len(inked) == 1:
            return inked[0]
        order = torch.tensor([number for numbers in alike.values() for number in numbers])
        ink = torch.cat(inked).unflatten(0, (len(drawn), -1))
        return ink[order.argsort().to(ink.device)].flatten(0, 1)

    def _drawn(
        self, meetings: Meetings, rounds: Sequence[Round], pairs: Sequence[Pair], noise: Sequence[torch.Generator]
    ) -> list[Strokes]:
        """What the sender of each meeting means to draw, B drawings each."""
        run = self.run
        sees = _overridden(run.biases, "see")
        found: list[Strokes | None] = [None] * len(meetings)
        for layout, stack in _layouts(self.senders, [sender for sender, _ in meetings]):
            if stack is None:
                for number in layout.meetings:
                    pair = pairs[number]
                    moment = pair.moment("sender", noise[number])
                    found[number] = pair.sender.draw(pair.seen(rounds[number].photo(run.gallery), moment), moment)
                continue
            views: list[View] = [rounds[number].photo(run.gallery) for number in layout.meetings]
            if sees:
                views = [
                    pairs[n].seen(view, pairs[n].moment("sender", noise[n]))
                    for n, view in zip(layout.meetings, views, strict=True)
                ]
            strokes = draw(stack, layout, _together(views, sees), pairs[0].moment("sender", noise[0]), noise)
            for number, each in zip(layout.meetings, _apart(strokes, len(layout.meetings)), strict=True):
                found[number] = each
        return [each for each in found if each is not None]

    def _scores(
        self,
        looks: "Sequence[tuple[Layout, Stack | None]]",
        rounds: Sequence[Round],
        pairs: Sequence[Pair],
        ink: Float[Tensor, "n *ink h w"],
        noise: Sequence[torch.Generator],
    ) -> Float[Tensor, "n k"]:
        """The scores of all games, in the order of ``ink``: meeting after meeting, as receivers look at them."""
        run = self.run
        sees = _overridden(run.biases, "see")
        each, pools, found = len(ink) // len(rounds), rounds[0].pool.shape[0], []
        canvases = ink.split([each * len(layout.meetings) for layout, _ in looks])
        for (layout, stack), mine in zip(looks, canvases, strict=True):
            views: list[View] = [run.gallery.view(rounds[number].pool.flatten()) for number in layout.meetings]
            if stack is None:
                for number, view, canvas in zip(layout.meetings, views, mine.chunk(len(views)), strict=True):
                    found.append(pairs[number].score(canvas, view, pools, rounds[number].pool_of, noise[number]))
                continue
            if sees:
                views = [
                    pairs[n].seen(view, pairs[n].moment("receiver", noise[n]))
                    for n, view in zip(layout.meetings, views, strict=True)
                ]
            pool_of = torch.cat([rounds[number].pool_of for number in layout.meetings])
            moment = pairs[0].moment("receiver", noise[0])
            found.append(score(stack, layout, mine, _together(views, sees), pools, pool_of, moment, noise))
        return torch.cat(found)


def _groups_of(run: Run, side: str, holds: Callable[[str], bool]) -> list[tuple[list[int], Stack | None]]:
    """The agents of a side that are held here, in groups of equal architecture, with the stack of each that has one."""
    agents = list(getattr(run.community, side))
    held = [number for number in range(len(agents)) if holds(f"{side}.{number}")]
    groups = stacks_of([agents[number] for number in held])
    return [([held[place] for place in members], stack) for members, stack in groups]


def _layouts(
    groups: Sequence[tuple[list[int], Stack | None]], agents: Sequence[int]
) -> list[tuple[Layout, Stack | None]]:
    """Who of each group plays which meetings, the meeting at position m being played by ``agents[m]``."""
    found = []
    for members, stack in groups:
        row = {agent: number for number, agent in enumerate(members)}
        mine = [meeting for meeting, agent in enumerate(agents) if agent in row]
        if mine:
            found.append((Layout.of([row[agents[meeting]] for meeting in mine], mine), stack))
    return found


def _apart(strokes: Strokes, count: int) -> list[Strokes]:
    """``count`` equal parts of some strokes, cut so that the gradient of all parts is one stack."""
    tensors = {name: each.unflatten(0, (count, -1)).unbind() for name, each in strokes._tensors().items()}
    return [replace(strokes, **{name: each[part] for name, each in tensors.items()}) for part in range(count)]


def _joined(rounds: Sequence[Round]) -> Round:
    """Rounds of one part as one round, for its price: the pools of one after those of the other."""
    pools = rounds[0].pool.shape[0]
    return replace(
        rounds[0],
        pool=torch.cat([each.pool for each in rounds]),
        target=torch.cat([each.target for each in rounds]),
        pool_of=_after_another([each.pool_of for each in rounds], pools).flatten(),
        shown=torch.cat([each.shown for each in rounds]),
    )


def _after_another(pool_of: Sequence[Tensor], pools: int) -> Int[Tensor, "m b"]:
    """Which pool each game is on, where those of a round come after those of the round before."""
    each = torch.stack(list(pool_of))
    return each + pools * torch.arange(len(each), device=each.device)[:, None]


def _together(views: Sequence[Any], seen: bool) -> Any:
    """Several views as one: of pictures as they are by their numbers, of ``seen`` ones by what they look like."""
    if not seen:
        return PictureView(views[0].gallery, torch.cat([each.index for each in views]))
    return _Several(views)


class _Several:
    """Views one after another, as far as a stack looks at them."""

    def __init__(self, views: Sequence[Any]) -> None:
        self.views = views

    def __len__(self) -> int:
        return sum(map(len, self.views))

    def pixels(self) -> Tensor:
        return torch.cat([each.pixels() for each in self.views])

    def features(self, trunk: Any, level: int) -> Tensor:
        return torch.cat([each.features(trunk, level) for each in self.views])

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        return fn(self.pixels())  # all at once, for it knows whose rows they are


def _overridden(biases: Sequence[Bias], hook: str) -> bool:
    return any(getattr(type(each), hook) is not getattr(Bias, hook) for each in biases)


def in_the_way(run: Run) -> str | None:
    """Why the game of a run cannot be batched; None where it can."""
    for part in run.game.parts:
        if not isinstance(part, Referential):
            return f"the game {part.label} is played pair by pair"
        if not isinstance(part.targets, OneTarget):
            return "rounds of several targets differ in shape"
    return None


def executor_of(run: Run) -> Executor:
    """The executor of a run, as its config says. ``auto`` takes ``batched``, on every device, where at least ``FEWEST``
    pairs can play in a step, the game is referential with one target, and every agent can be stacked
    (``agents.stack.carried``); else ``loop``.

    Raises:
        InputError: ``batched`` is asked for, but the game cannot be batched.
    """
    asked, reason = run.config.community.executor, in_the_way(run)
    if asked == "loop":
        return Loop(run, "asked for")
    if asked == "batched":
        if reason is not None:
            raise InputError(reason, "community.executor", "take loop or auto")
        return Batched(run, "asked for")
    pairs = run.config.community.meetings or max(run.community.matrix.shape)
    if reason is None and pairs < FEWEST:
        reason = "one pair a step"
    if reason is None and not all(map(carried, [*run.community.senders, *run.community.receivers])):
        reason = "some agents are convolutional, learn a trunk on or look while they draw: stacks of them are slower"
        if run.community.eyes:
            reason = "the faces of an agent share an eye"
    if reason is not None:
        return Loop(run, reason)
    return Batched(run, f"{pairs} pairs a step, of agents that can be stacked")


def told_of(run: Run, executor: Executor) -> list[str]:
    """What a person is told of a community when it begins: how its steps are run, and who sits out. None for a pair."""
    community = run.community
    if max(community.matrix.shape) < 2:
        return []
    senders, receivers = community.sitting_out()
    told = [f"community: {len(community.senders)} senders, {len(community.receivers)} receivers; {executor.name}"]
    told[0] += f", because: {executor.why}" if executor.why != "asked for" else ", as asked for"
    for kind, numbers in (("sender", senders), ("receiver", receivers)):
        if numbers:
            who = ", ".join(map(str, numbers))
            sit = "it sits" if len(numbers) == 1 else "they sit"
            told.append(f"warning: nobody meets {kind} {who}: as the topology says, {sit} out")
    return told
