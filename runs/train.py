"""Learning: the loop, its schedule, what it writes down, and how it goes on exactly where it stopped."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import torch

from agents.bias import Bias, labels
from agents.groups import group_of
from agents.meetings import Meetings
from games import Pictionary, Play, won
from raster.shapes import Float, Tensor
from runs import checkpoint
from runs.describing import describe_split
from runs.describing.measures import means
from runs.evidence import gather
from runs.folder import append_line
from runs.journal import Journal, Record
from runs.life import Life
from runs.process import asked_to_stop
from runs.ranks import Here, Sharing
from runs.run import Run
from runs.stacked import StackedAdamW
from runs.steps import by_pace, clip_each, lr_at, means_of, step_each
from runs.tracing import trace_split
from runs.turns import mean_turns
from runs.watch import Watch

Progress = Callable[[int, dict[str, float]], None]
"""Called with the step and the newest numbers."""


class Learner:
    """One step after another. Everything that a step depends on is in ``state``.

    Where processes share the run (``sharing``; alone when left out), all call the same methods in the same order.
    """

    def __init__(self, run: Run, sharing: Sharing | None = None) -> None:
        self.run = run
        self.train = run.config.train
        self.sharing = sharing or Sharing(run)
        self.members = {name: each for name, each in run.community.members().items() if self.sharing.holds(name)}
        # One kernel for all parameters where there is one; it has no meta implementation.
        self.fused = run.gallery.device.type in {"cpu", "cuda"}
        decay = self.train.weight_decay
        self.groups = {
            name: {pace * self._factor(name): each for pace, each in by_pace(module).items()}
            for name, module in self.members.items()
        }
        self.optimisers = {
            name: torch.optim.AdamW(
                [{"params": each} for each in groups.values()], lr=self.train.lr, weight_decay=decay, fused=self.fused
            )
            for name, groups in self.groups.items()
            if groups  # a bias may only remember
        }
        self.labels = labels(run.biases)
        self.dealing = torch.Generator().manual_seed(run.config.seed)
        self.meeting = torch.Generator().manual_seed(run.config.seed + 1)
        self.executor = self.sharing.executor()
        paces = {name: list(groups) for name, groups in self.groups.items()}
        self.parameters = [each for groups in self.groups.values() for group in groups.values() for each in group]
        self.stacked = [
            StackedAdamW(names, stack, [self.optimisers[name] for name in names])
            for names, stack in (self.executor.stacks() if self.fused else ())
            if len({pace for name in names for pace in paces[name]}) == 1
        ]
        self.life = Life(run, self.optimisers, paces, self.sharing)
        self.remembers = any(type(each).remember is not Bias.remember for each in run.biases)
        self.meetings: Meetings = []
        """Who met in the last step."""
        self._parts: list[str] = []
        self._judged: dict[int, Play] = {}
        self.happened: list[dict[str, Any]] = []
        self.window: dict[str, list[Tensor]] = {}
        self.seconds = 0.0

    def _factor(self, member: str) -> float:
        """The step size of a member's group, as a part of the run's."""
        side, _, slot = member.partition(".")
        if side not in {"senders", "receivers", "eyes"}:
            return 1.0
        return group_of(self.run.config.community.groups, side != "receivers", int(slot)).lr

    def step(self) -> list[Record]:
        """Play and learn once; returns a record for each pair that met and was judged in this process.

        Only agents that played learn: the others' gradients are None, so neither momentum nor decay moves them.
        """
        run, step = self.run, self.run.step
        game, gallery = run.config.game, run.gallery
        self._judged = {}  # nobody keeps the last step's while this one is played
        self.happened = self.life.before(step, lr_at(self.train, step))
        if self.happened:
            self._forget()
        meetings = run.community.sample(self.meeting)
        dealt = [game.deal(gallery, self._split(), self.train.games, self.dealing, step) for _ in meetings]
        cuts = self.life.cuts(meetings)
        here = self.sharing.play(self.executor, meetings, dealt, cuts)
        parts = [game.parts[each.part].label for each in dealt]
        pushed = [run.community.pushed_by("senders", sender) for sender, _ in meetings]
        rates = means_of(won(list(here.judged.values()))) if game.chooses and here.judged else None
        total = self._cost(here, rates, parts, pushed)
        for parameter in self.parameters:
            parameter.grad = None
        self.sharing.backward(total)
        self.executor.collect()
        costly = [any(run.biases[number].costs() for number in numbers) for numbers in pushed]
        reached = {pair[0] for pair, cut, cost in zip(meetings, cuts, costly, strict=True) if cost or not cut}
        unreached = {f"senders.{sender}" for sender, _ in meetings if sender not in reached}
        for sender in unreached:
            # Nothing reached it: no gradient, rather than one of zeros that lets its momentum go on.
            if self.sharing.holds(sender):
                self.members[sender].zero_grad(set_to_none=True)
        run.trunks.forget()
        if self.sharing.sum(self.members, meetings):
            for own in self.stacked:
                own.stack.gather()
        self._move(lr_at(self.train, step), unreached)
        with torch.no_grad():
            plays = self.sharing.everybody(here.judged) if self.remembers else here.judged
            for number, each in enumerate(run.biases):
                for place, play in plays.items():
                    if number in pushed[place]:
                        each.remember(replace(play, kept=run.community.kept_by(number)))
            if game.chooses and self.life.judges:
                rates = self.sharing.rates(rates, list(here.judged), len(meetings))
                self.life.remember([s for s, _ in meetings], [r for _, r in meetings], rates)
        run.step, self.meetings, self._parts, self._judged = step + 1, meetings, parts, here.judged
        return self._records(here.judged)

    def everybody(self) -> list[Record]:
        """The records of the last step's pairs, wherever they met."""
        return self._records(self.sharing.everybody(self._judged))

    def _records(self, plays: Mapping[int, Play]) -> list[Record]:
        return [Record(self._parts[place], play, *self.meetings[place]) for place, play in plays.items()]

    def _cost(
        self, here: Here, rates: Float[Tensor, " m"] | None, parts: Sequence[str], pushed: Sequence[Sequence[int]]
    ) -> Tensor | None:
        """What is played here costs together, game and biases, as it is minimised, and what metrics say of it; None
        where nothing is.

        ``rates`` are of games won, one for each play that is judged here; ``pushed`` has the numbers of the biases that
        push each meeting's sender: the others cost nothing there.
        """
        run, step = self.run, self.run.step
        plays = list(here.judged.values())
        losses: dict[int, Tensor] = {}
        if plays:
            means = means_of(torch.stack([play.loss for play in plays])).unbind()
            losses = dict(zip(here.judged, means, strict=True))
            self._note_game(plays, means, rates, parts[0])
        for number, (name, each) in enumerate(zip(self.labels, run.biases, strict=True)):
            own = [place for place in here.pushed if number in pushed[place]] if each.costs() else []
            if own:
                kept, some = run.community.kept_by(number), [here.pushed[place] for place in own]
                costs = [each.cost(replace(play, kept=kept)).mean() for play in some]
                self._note(name, costs)
                weighted = [each.weight.at(step) * cost for cost in costs]
                self._note_gradient(name, weighted, some)
                for place, cost in zip(own, weighted, strict=True):
                    losses[place] = losses[place] + cost if place in losses else cost
        return torch.stack(list(losses.values())).sum() if losses else None

    def _note_game(
        self, plays: Sequence[Play], losses: Sequence[Tensor], rates: Float[Tensor, " m"] | None, part: str
    ) -> None:
        """What metrics say of some plays beside their biases."""
        self._note("loss", losses)
        for name in plays[0].figures:
            self._note(name, [play.figures[name].double().mean() for play in plays])
        if rates is not None:
            self._note("rate", rates)
            if len(self.run.game.parts) > 1:
                self._note(f"rate/{part}", rates)
        if plays[0].round.targets is not None:
            self._note("balanced", [play.balanced for play in plays])
        if plays[0].course is not None:
            self._note("turns", [play.course.taken.double().mean() + 1 for play in plays if play.course is not None])
        self._note_gradient("loss", losses, plays)

    def _move(self, lr: float, unreached: Set[str]) -> None:
        """Take a step with every member that has a gradient: who did not play has none, and stays as it is."""
        done: set[str] = set()
        for own in self.stacked:
            if not unreached & set(own.names) and all(map(self.life.learns, own.names)) and own.ready():
                pace = next(iter(self.groups[own.names[0]]))
                own.step(lr * pace, self.train.clip)
                done.update(own.names)
                for name in own.names:  # checkpoints tell it, whichever way the step was taken
                    self.optimisers[name].param_groups[0]["lr"] = lr * pace
        moving = {}
        for name in [name for name in self.optimisers if name not in done]:
            gradients = [p.grad for group in self.groups[name].values() for p in group if p.grad is not None]
            if gradients and self.life.learns(name):
                moving[name] = gradients
                for group, pace in zip(self.optimisers[name].param_groups, self.groups[name], strict=True):
                    group["lr"] = lr * pace
        clip_each(list(moving.values()), self.train.clip)
        if self.fused:
            step_each([self.optimisers[name] for name in moving])
        else:
            for name in moving:
                self.optimisers[name].step()
        for own in self.stacked:
            own.forget(moving)

    def _forget(self) -> None:
        """Optimisers may remember something else than after the last step."""
        for each in self.stacked:
            each.forget()

    def _note_gradient(self, name: str, costs: Sequence[Tensor], plays: Sequence[Play]) -> None:
        """How hard a weighted cost pulls at the strokes: for each play the norm of its gradient in their points.

        Asked in the steps that end a line of metrics only, for it is a backward pass of its own: one for all plays,
        since no play's cost hangs on the strokes of another.
        """
        done = self.run.step + 1
        if done % self.train.log_every and done != self.train.steps:
            return
        norms = [cost.new_zeros(()) for cost in costs]
        drawn = [each for play in plays for each in play.drawn]
        cost = torch.stack(list(costs)).sum()
        if cost.requires_grad and all(each.requires_grad for each in drawn):
            found = iter(torch.autograd.grad(cost, drawn, retain_graph=True, allow_unused=True, materialize_grads=True))
            norms = [torch.cat([next(found).flatten() for _ in play.drawn]).norm() for play in plays]
        self._note(f"gradient/{name}", norms)

    def _split(self) -> str:
        """Which set of training pictures this round is dealt from: the originals, or one of the sets of copies."""
        names = self.run.gallery.training_splits
        return names[int(torch.randint(len(names), (1,), generator=self.dealing))] if len(names) > 1 else names[0]

    def _note(self, key: str, values: Sequence[Tensor] | Tensor) -> None:
        """Add to the window's sum and count, on the device: no step waits for a number to be printed."""
        each = values if isinstance(values, Tensor) else torch.stack(list(values))
        sums = each.detach().double().sum()
        total, count = self.window.get(key, [torch.zeros_like(sums), torch.zeros_like(sums)])
        self.window[key] = [total + sums, count + len(values)]

    def flush(self) -> dict[str, float]:
        """The means since the last flush; of all processes in the first, nothing in the others."""
        window, self.window = self.sharing.merged(self.window), {}
        return {key: float(total / count) for key, (total, count) in window.items()}

    def state(self) -> dict[str, Any]:
        """Everything beside the weights that the next steps depend on: plain types and tensors."""
        self.window = self.sharing.merged(self.window)
        optimisers = {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}
        return {
            "optimisers": self.sharing.at_first(optimisers),
            "generators": {"dealing": self.dealing.get_state(), "meeting": self.meeting.get_state()},
            "executor": self.executor.name,
            "life": self.life.state(),
            "window": self.window,
            "seconds": self.seconds,
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        """Go back to a ``state`` that was saved after ``step`` steps."""
        for name, optimiser in self.optimisers.items():
            checkpoint.restore_optimiser(optimiser, state["optimisers"][name])
        self._forget()
        self.dealing.set_state(state["generators"]["dealing"])
        self.meeting.set_state(state["generators"]["meeting"])
        self.life.restore(state["life"])
        self.window = state["window"] if self.sharing.first else {}
        self.seconds = state["seconds"]
        self.run.step = step

    def save(self) -> None:
        """Write a checkpoint: the same file, however many processes share the run."""
        own = checkpoint.weights_of(self.run.community)
        self.sharing.check(own)
        state, weights = self.state(), self.sharing.at_first(own)
        if self.sharing.first:
            checkpoint.write(self.run.folder.checkpoints, weights, self.run.step, state)


def validate(run: Run) -> tuple[dict[str, float], list[Record]]:
    """Rates on the validation split, each part of the game on its own fixed rounds; and the plays.

    In a game of turns also how many were used; where nobody chooses, how drawings and pictures compare, or what is said
    of scenes and what is there.
    """
    if run.game.describes:
        described = describe_split(run, "validation")
        return means(described), described.records()
    if not run.game.chooses:
        traces = trace_split(run, "validation")
        return traces.means(), traces.records()
    rates: dict[str, float] = {}
    balanced: list[float] = []
    records = []
    for part in run.game.parts:
        evidence = gather(run, part, "validation", run.config.measure.validation_pools)
        rates[f"rate/{part.label}" if len(run.game.parts) > 1 else "rate"] = evidence.rate()
        records += evidence.records()
        judged = evidence.balanced_rate()
        balanced += [] if judged is None else [judged]
        if isinstance(part, Pictionary):
            rates |= {"turns": mean_turns(evidence)}
    if len(run.game.parts) > 1:
        rates["rate"] = sum(rates.values()) / len(rates)
    if balanced:
        rates["balanced"] = sum(balanced) / len(balanced)
    return rates, records


def learn(learner: Learner, journal: Journal | None, progress: Progress, watch: Watch) -> bool:
    """Train until the last step; False when a Ctrl-C stopped it (saved, can go on).

    Args:
        learner: who learns.
        journal: where this process writes; None of one that writes nothing (``learner.sharing.first``).
        progress: is told how it goes.
        watch: asks the run's probes on the way.
    """
    run, train = learner.run, learner.train
    shown = learner.sharing.shown()
    has_validation = "validation" in run.gallery.splits
    with asked_to_stop() as stop:
        learner.sharing.listen(stop)
        while run.step < train.steps and not learner.sharing.halted:
            began = time.perf_counter()
            learner.step()
            learner.seconds += time.perf_counter() - began
            step, last = run.step, run.step == train.steps
            if journal is not None:
                for event in learner.happened:
                    append_line(run.folder.events, event)
            if step % train.log_every == 0 or last:
                means = learner.flush()
                line = {
                    "step": step,
                    "split": "train",
                    **means,
                    "lr": lr_at(train, step - 1),
                    "seconds": learner.seconds,
                }
                line["games_per_second"] = step * train.games * len(learner.meetings) / learner.seconds
                if journal is not None:
                    append_line(run.folder.metrics, line)
                    journal.scalars("train", line)
                    progress(step, means)
            if step % train.journal_every == 0:
                records = learner.everybody()
                if journal is not None:
                    journal.plays(step, records)
            validates = has_validation and (step % train.validate_every == 0 or last)
            if validates or watch.falls(step, last):
                learner.sharing.look()
            if validates and journal is not None:
                began = time.perf_counter()
                rates, records = validate(shown)
                learner.seconds += time.perf_counter() - began
                append_line(run.folder.metrics, {"step": step, "split": "validation", **rates})
                journal.scalars("validation", {"step": step, **rates})
                journal.plays(step, records)
                journal.pictures(step, records)
                progress(step, {f"validation {key}": value for key, value in rates.items()})
            if watch.due(step, last) and journal is not None:
                began = time.perf_counter()
                found = watch.ask()
                learner.seconds += time.perf_counter() - began
                append_line(run.folder.metrics, {"step": step, "split": "probes", **found})
                journal.scalars("probes", {"step": step, **found})
                progress(step, watch.headlines(found))
            if step % train.checkpoint_every == 0 or last:
                learner.save()
    if run.step < train.steps:
        learner.save()
        return False
    learner.sharing.look()
    return True
