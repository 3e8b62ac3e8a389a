"""The life of a community: its events as they come due, and all that is known of who lives in which slot."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from agents.events import Birth, Contact, Death, Event, Freeze, Generation, Imitate, Lesson, Migrate, Replace, Thaw, Who
from agents.groups import group_of
from agents.meetings import Meetings
from agents.receiver import Receiver
from agents.sender import Sender
from agents.topologies import same_place
from raster import InputError
from raster.shapes import Float, Tensor
from runs.ranks import Sharing
from runs.run import Run
from runs.strangers import Stranger, Strangers, strangers_of

Side = Literal["senders", "receivers"]
SIDES: tuple[Side, ...] = ("senders", "receivers")
KEEP = 0.95
"""Of the moving average of games won, what stays from one step that an agent plays to its next."""
BATCH = 64
"""Drawings of a lesson that are looked at in one step, at most."""


class Life:
    """Who lives in which slot, since when, and what happens to them.

    A slot is a place in the matrix of meetings; its agent changes, and its name in a checkpoint (``senders.3``) stays.
    Chance has a generator of its own, and newcomers have weights by a seed of their own: the run's, the slot and how
    many were born before.

    Args:
        run: whose community.
        optimisers: of its members, by name.
        paces: the step size of each of their parameter groups, as a part of the run's.
        sharing: with whom the run is shared; alone when left out. Chance is drawn on every rank, whoever holds the
            agent that it meets.
    """

    def __init__(
        self,
        run: Run,
        optimisers: Mapping[str, torch.optim.Optimizer],
        paces: Mapping[str, Sequence[float]],
        sharing: Sharing | None = None,
    ) -> None:
        self.run, self.optimisers, self.paces = run, optimisers, paces
        self.sharing = sharing or Sharing(run)
        config = run.config.community
        self.both = config.both
        self.generator = torch.Generator().manual_seed(run.config.seed + 2)
        self.counts = {side: len(getattr(run.community, side)) for side in SIDES}
        self.present = {side: torch.arange(n) < n - config.vacant for side, n in self.counts.items()}
        self.frozen = {side: torch.zeros(n, dtype=torch.bool) for side, n in self.counts.items()}
        self.born = {side: torch.zeros(n, dtype=torch.long) for side, n in self.counts.items()}
        self.generation = {side: torch.zeros(n, dtype=torch.long) for side, n in self.counts.items()}
        # On the agents' device: no step waits for it.
        device = run.gallery.device
        self.merit = {side: torch.zeros(n, dtype=torch.float64, device=device) for side, n in self.counts.items()}
        self.births = 0
        self.still: set[str] = set()
        self.known: dict[str, str] = {}
        """Of runs whose agents come: the hash of what was found when this run began."""
        self._strangers: dict[str, Strangers] | None = None
        self._speeds = {
            f"{side}.{slot}": group_of(config.groups, side == "senders", slot).learns
            for side, n in self.counts.items()
            for slot in range(n)
        }
        self._home = same_place(config.senders, config.receivers)
        self.judges = any("best" in (getattr(e, "who", ""), getattr(e, "teacher", "")) for e in config.events)

    def expect(self, step: int) -> None:
        """Read the agents of other runs that are still to come at ``step`` or later, once; see that each fits a slot.

        Raises:
            InputError: there is no such run, it has other agents, or others than when this run began.
        """
        if self._strangers is not None:
            return
        found: dict[str, Strangers] = {}
        for number, event in enumerate(self.run.config.community.events):
            if not isinstance(event, Contact) or not any(map(event.due, range(step, self.run.config.train.steps))):
                continue
            if event.run not in found:
                found[event.run] = strangers_of(Path(event.run))
            content = found[event.run].content
            if self.known.setdefault(event.run, content) != content:
                what = "the run has other agents than when this one began"
                raise InputError(what, event.run, "put its old checkpoints back, or begin anew")
            if self.run.community.commons:
                what = f"community.events.{number}: strangers cannot come where agents share a trunk"
                raise InputError(what, event.run, "leave shared: true out, or the contact")
            for side in SIDES if event.side == "both" else (event.side,):
                for stranger in self._come(found[event.run], side) if self.counts[side] else ():
                    apart = [stranger.other_than(self._agent(side, slot)) for slot in range(self.counts[side])]
                    if None not in apart:
                        what = f"community.events.{number}: its {stranger.name} is of another architecture: {apart[0]}"
                        raise InputError(what, event.run, "name a run of equal agents, or give a group their config")
        self._strangers = found

    def before(self, step: int, lr: float) -> list[dict[str, Any]]:
        """Let happen what is due before a step: in the order of the config. Gives a line of events.jsonl for each.

        Args:
            step: that is about to be played, from 0.
            lr: step size of lessons.
        """
        self.expect(step)
        due = [event for event in self.run.config.community.events if event.due(step)]
        happened = [{"step": step, "kind": event.kind, **self._happen(event, step, lr)} for event in due]
        there = [self.present[side] if self.counts[side] else None for side in SIDES]
        self.run.community.arrange(step, *there)
        slow = [name for name, speed in self._speeds.items() if speed < 1.0]
        chance = torch.rand(len(slow), generator=self.generator).tolist()
        self.still = {name for name, each in zip(slow, chance, strict=True) if each >= self._speeds[name]}
        for side in SIDES:
            self.still.update(f"{side}.{slot}" for slot in self.frozen[side].nonzero()[:, 0].tolist())
        if self.both:  # one chance an agent: that of its face that draws
            slots = [name.partition(".")[2] for name in self.still if name.startswith("senders.")]
            self.still = {f"{part}.{slot}" for part in ("senders", "receivers", "eyes") for slot in slots}
        return happened

    def cuts(self, meetings: Meetings) -> list[bool]:
        """For each meeting of the step, whether the receiver's gradient does not reach the sender (``reach``)."""
        reach = self.run.config.community.reach
        if reach == 1.0:
            return [False] * len(meetings)
        chance = torch.rand(len(meetings), generator=self.generator).tolist()
        return [not self._home[pair] and each >= reach for pair, each in zip(meetings, chance, strict=True)]

    def remember(self, senders: list[int], receivers: list[int], rates: Float[Tensor, " m"]) -> None:
        """Take the rates of a step's meetings into the moving averages, which only those need who ask who is best
        (``judges``).
        """
        for side, agents in zip(SIDES, (senders, receivers), strict=True):
            for agent, rate in zip(agents, rates.detach().double(), strict=True):
                for face in SIDES if self.both else (side,):
                    self.merit[face][agent] = KEEP * self.merit[face][agent] + (1 - KEEP) * rate

    def learns(self, member: str) -> bool:
        """Whether a member (``senders.0``) learns in this step: it is not frozen, nor too slow this time."""
        return member not in self.still

    def state(self) -> dict[str, Any]:
        """All of it, as plain types and tensors."""
        parts = ("present", "frozen", "born", "generation", "merit")
        return {part: {side: each.clone() for side, each in getattr(self, part).items()} for part in parts} | {
            "births": self.births,
            "known": dict(self.known),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a ``state``."""
        for part in ("present", "frozen", "born", "generation", "merit"):
            for side, each in getattr(self, part).items():
                each.copy_(state[part][side])
        self.births = int(state["births"])
        self.known = {str(run): str(content) for run, content in state.get("known", {}).items()}
        self._strangers = None
        self.generator.set_state(state["generator"])

    def _happen(self, event: Event, step: int, lr: float) -> dict[str, Any]:
        """One event; what is told of it."""
        if isinstance(event, Imitate):
            return {"who": [self._imitate(pupil, event, lr) for pupil in self._whom("senders", event.who, event.count)]}
        if isinstance(event, Generation):
            return self._new_generation(event, step, lr)
        sides = SIDES if event.side == "both" else (event.side,)
        sides = tuple(side for side in sides if self.counts[side])
        if isinstance(event, Migrate):
            if self.both:
                pairs = [pair for _ in range(event.count) for pair in self._exchange("senders")]
                return dict.fromkeys(sides, pairs)
            return {side: [pair for _ in range(event.count) for pair in self._exchange(side)] for side in sides}
        if isinstance(event, Contact):
            return {"run": event.run} | {side: self._joined(side, event, step) for side in sides}
        found: dict[str, Any] = {}
        for side in sides:
            if self.both and found:  # whom it meets, it meets with both faces
                found[side] = found["senders"]
            elif isinstance(event, Birth):
                found[side] = self._empty(side)[: event.count]
            else:
                among = self.frozen[side] if isinstance(event, Thaw) else self.present[side]
                found[side] = self._whom(side, event.who, event.count, among)
            for slot in found[side]:
                if isinstance(event, Death):
                    self.present[side][slot] = False
                elif isinstance(event, Birth | Replace):
                    self._bear(side, slot, step)
                elif isinstance(event, Freeze | Thaw):
                    self.frozen[side][slot] = isinstance(event, Freeze)
        return found

    def _empty(self, side: Side) -> list[int]:
        slots: list[int] = (~self.present[side]).nonzero()[:, 0].tolist()
        return slots

    def _come(self, strangers: Strangers, side: Side) -> list[Stranger]:
        return strangers.senders if side == "senders" else strangers.receivers

    def _joined(self, side: Side, event: Contact, step: int) -> list[list[int]]:
        """Strangers take slots, each the first that is free for it; [slot, its slot in the other run] of each."""
        assert self._strangers is not None
        coming = list(self._come(self._strangers[event.run], side))
        if event.who == "empty":
            slots = self._empty(side)[: event.count]
        else:
            slots = self._whom(side, event.who, event.count)
        found = []
        for slot in slots:
            agent = self._agent(side, slot)
            fits = next((number for number, each in enumerate(coming) if each.other_than(agent) is None), None)
            if fits is None:
                continue
            stranger = coming.pop(fits)
            if self.sharing.holds(f"{side}.{slot}"):
                agent.load_state_dict(stranger.weights)
            self._settled(side, slot, step)
            found.append([slot, stranger.slot])
        return found

    def _whom(self, side: Side, who: Who, count: int, among: Tensor | None = None) -> list[int]:
        """Slots by a rule, or by number, of those who are there."""
        there = (self.present[side] if among is None else among).nonzero()[:, 0].tolist()
        if isinstance(who, tuple):
            return [slot for slot in who if slot in there]
        if who == "random":
            order = torch.randperm(len(there), generator=self.generator).tolist()
            return sorted(there[place] for place in order[:count])
        key = (-self.merit[side].cpu() if who == "best" else self.born[side]).tolist()
        sign = -1 if who == "youngest" else 1
        return sorted(sorted(there, key=lambda slot: (sign * key[slot], slot))[:count])

    def _bear(self, side: Side, slot: int, step: int) -> None:
        """An agent of new weights in a slot; nothing of who lived there before is left."""
        self.births += 1
        if self.sharing.holds(f"{side}.{slot}"):
            self._renewed(side, slot)
        self._settled(side, slot, step)

    def _renewed(self, side: Side, slot: int) -> None:
        """New weights in a slot that is held here."""
        seed = hashlib.sha256(f"{self.run.config.seed} {side} {slot} {self.births}".encode()).digest()
        fresh, agent = (
            self.run.community.newborn(side, slot, int.from_bytes(seed[:8], "big") >> 1),
            self._agent(side, slot),
        )
        agent.load_state_dict(fresh.state_dict())
        eye = f"eyes.{slot}"
        if eye in self.optimisers and isinstance(fresh, Sender):
            # It comes with who draws, who may have lessons at once.
            self.run.community.eyes[str(slot)].load_state_dict(fresh.eye.state_dict())
            self.optimisers[eye].state.clear()
        elif eye in self.optimisers and isinstance(agent, Receiver):
            agent.read_as_the_eye()

    def _settled(self, side: Side, slot: int, step: int) -> None:
        """Whoever has just come into a slot begins there with nothing but its weights."""
        if self.sharing.holds(f"{side}.{slot}"):
            self.optimisers[f"{side}.{slot}"].state.clear()
        self.present[side][slot], self.frozen[side][slot] = True, False
        self.born[side][slot], self.merit[side][slot] = step, 0.0
        self.generation[side][slot] += 1

    def _agent(self, side: Side, slot: int) -> nn.Module:
        agents: nn.ModuleList = getattr(self.run.community, side)
        return agents[slot]

    def _new_generation(self, event: Generation, step: int, lr: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for side in SIDES:
            found[side] = (self.present[side] & ~self.frozen[side]).nonzero()[:, 0].tolist()
            for slot in found[side]:
                view = self._pictures(event) if side == "senders" else None
                shown = None if view is None else self._drawn(slot, view)
                self._bear(side, slot, step)
                if view is not None:
                    self._taught(slot, view, shown, event, lr)
        return found

    def _imitate(self, pupil: int, event: Imitate, lr: float) -> list[int]:
        """A lesson for one sender; [pupil, teacher], or the pupil alone where there is nobody to learn from."""
        others = self.present["senders"].clone()
        draws = [self._agent("senders", slot).config.strokes for slot in range(len(others))]  # type: ignore[union-attr]
        others &= torch.tensor([slot != pupil and each == draws[pupil] for slot, each in enumerate(draws)])
        teachers = self._whom("senders", event.teacher, 1, others)
        if not teachers:
            return [pupil]
        view = self._pictures(event)
        self._taught(pupil, view, self._drawn(teachers[0], view), event, lr)
        return [pupil, teachers[0]]

    def _pictures(self, lesson: Lesson) -> Any:
        train = self.run.gallery.splits["train"].shown.nonzero()[:, 0]
        some = torch.randperm(len(train), generator=self.generator)[: lesson.drawings]
        return self.run.gallery.view(train[some].to(self.run.gallery.device))

    def _drawn(self, teacher: int, view: Any) -> Float[Tensor, "b n p 2"]:
        """The points that a sender draws of some pictures, as it is when measured, with its own biases: what others
        see of it.
        """
        seed = int(torch.randint(2**62, (1,), generator=self.generator))

        def drawn() -> Tensor:
            with torch.no_grad():
                return self.run.pair(teacher, 0).draw(view, torch.Generator().manual_seed(seed)).points

        return self.sharing.made_by_holder(f"senders.{teacher}", drawn).to(self.run.gallery.device)

    def _taught(self, pupil: int, view: Any, shown: Float[Tensor, "b n p 2"] | None, lesson: Lesson, lr: float) -> None:
        """Optimiser steps of one sender on a teacher's strokes, with the biases that push its eyes and hand."""
        assert shown is not None
        chance = [[torch.randint(2**62, (1,), generator=self.generator) for _ in range(2)] for _ in range(lesson.steps)]
        if not self.sharing.holds(f"senders.{pupil}"):
            return
        names = [name for name in (f"senders.{pupil}", f"eyes.{pupil}") if name in self.optimisers]
        for name in names:
            for group, pace in zip(self.optimisers[name].param_groups, self.paces[name], strict=True):
                group["lr"] = lr * pace
        clip = self.run.config.train.clip
        for seed, order in chance:
            few = torch.randperm(len(view), generator=torch.Generator().manual_seed(int(order)))[:BATCH]
            few = few.to(shown.device)
            pair = self.run.pair(pupil, 0, training=True)
            drawn = pair.draw(view[few], torch.Generator().manual_seed(int(seed)))
            for name in names:
                self.optimisers[name].zero_grad(set_to_none=True)
            (drawn.points - shown[few]).square().mean().backward()
            for name in names:
                groups = self.optimisers[name].param_groups
                nn.utils.clip_grad_norm_([each for group in groups for each in group["params"]], clip)
                self.optimisers[name].step()
        for name in names:
            self.optimisers[name].zero_grad(set_to_none=True)

    def _exchange(self, side: Side) -> list[list[int]]:
        """Two agents of different islands change places; [[one, other]], or [] where there is one island only."""
        topology = self.run.community.topology
        other_side = self.counts["receivers" if side == "senders" else "senders"] or 1
        island = topology.islands(self.counts[side], other_side)
        there = self.present[side].nonzero()[:, 0]
        if len(there) < 2 or len(island[there].unique()) < 2:
            return []
        one = there[int(torch.randint(len(there), (1,), generator=self.generator))]
        sides = SIDES if self.both else (side,)
        configs = [[self._agent(each, slot).config for each in sides] for slot in range(self.counts[side])]
        alike = torch.tensor([configs[slot] == configs[int(one)] for slot in there.tolist()])
        strangers = there[(island[there] != island[one]) & alike]
        if not len(strangers):
            return []
        other = strangers[int(torch.randint(len(strangers), (1,), generator=self.generator))]
        a, b = int(one), int(other)
        members = self.run.community.members()
        for what in ("senders", "receivers", "eyes") if self.both else (side,):
            if f"{what}.{a}" in members:
                self._swap(f"{what}.{a}", f"{what}.{b}", members)
        for each in sides:
            for part in (self.frozen, self.born, self.generation, self.merit):
                part[each][[a, b]] = part[each][[b, a]]
        return [[a, b]]

    def _swap(self, one: str, other: str, members: Mapping[str, nn.Module]) -> None:
        """Two of the ``members``, who are equal, change all that they know: their weights, and their optimisers'."""

        def known(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
            weights = {key: value.clone() for key, value in members[name].state_dict().items()}
            moments = self.optimisers[name].state_dict()
            state = {k: {key: each.clone() for key, each in own.items()} for k, own in moments["state"].items()}
            return weights, {**moments, "state": state}

        # Both are copied before either is changed.
        known_by = {name: self.sharing.made_by_holder(name, partial(known, name)) for name in (one, other)}
        for name, (weights, moments) in ((one, known_by[other]), (other, known_by[one])):
            if self.sharing.holds(name):
                members[name].load_state_dict(weights)
                self.optimisers[name].load_state_dict(moments)
