"""How the processes of a run share its steps: one that does all, or ranks that play different games of all agents."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import nn

from agents.meetings import Meetings
from games import Play, Round
from raster import InputError
from raster.shapes import Float, Tensor
from runs import checkpoint
from runs.executors import Executor, executor_of
from runs.ranks.world import World
from runs.run import Run

T = TypeVar("T")
Window = dict[str, list[Tensor]]
"""Of each metric the sum and the count since the last line."""


@dataclass
class Here:
    """What of a step is played in this process, by the number of its meeting.

    Attributes:
        judged: plays whose game is judged here.
        pushed: plays whose biases cost here; the same ones, but where agents are on different ranks.
    """

    judged: dict[int, Play] = field(default_factory=dict)
    pushed: dict[int, Play] = field(default_factory=dict)


class Sharing:
    """One process, which does all: what a step asks of whoever shares it, answered for oneself.

    Attributes:
        name: how steps are shared, as a person is told.
        first: whether this process writes the run's folder.
    """

    name = "alone"
    first = True

    def __init__(self, run: Run) -> None:
        self.run = run
        self._asked: Callable[[], bool] = lambda: False

    def executor(self) -> Executor:
        """Who plays here."""
        return executor_of(self.run)

    def listen(self, asked: Callable[[], bool]) -> None:
        """``asked`` says whether this process was asked to stop."""
        self._asked = asked

    @property
    def halted(self) -> bool:
        """Whether to stop after the step that is done: the same on all ranks, whoever was asked."""
        return self._asked()

    def holds(self, member: str) -> bool:
        """Whether this process has the weights of a member of the community (``senders.3``), and moves them."""
        return True

    def play(self, executor: Executor, meetings: Meetings, rounds: Sequence[Round], cuts: Sequence[bool]) -> Here:
        """Play the meetings of a step that are played here. Rounds are wherever they were dealt."""
        device = self.run.gallery.device
        plays = dict(enumerate(executor.play(meetings, [each.to(device) for each in rounds], cuts)))
        return Here(plays, plays)

    def backward(self, total: Tensor | None) -> None:
        """Gradients of everything that the step cost here, in all that is held here."""
        if total is not None:
            total.backward()

    def sum(self, members: Mapping[str, nn.Module], met: Meetings) -> bool:
        """After the backward pass: gradients of ``members`` become those of all plays of the step.

        What no play reached on any rank keeps None, so that nothing moves it.

        Returns:
            Whether agents have other gradients now than were collected here.
        """
        return False

    def rates(self, rates: Float[Tensor, " j"] | None, judged: Sequence[int], count: int) -> Float[Tensor, " m"]:
        """The part of its games that each meeting won, [M], on all ranks.

        Args:
            rates: of those that are judged here, J of them; None where there are none.
            judged: which meetings these are.
            count: meetings on all ranks, M.
        """
        assert rates is not None
        return rates

    def everybody(self, plays: Mapping[int, Play]) -> dict[int, Play]:
        """The plays of all ranks on each of them, without gradients, in the order of their meetings."""
        return dict(plays)

    def made_first(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, on all ranks."""
        return make()

    def made_by_holder(self, member: str, make: Callable[[], T]) -> T:
        """What is made where a member is held, on all ranks."""
        return make()

    def merged(self, window: Window) -> Window:
        """The windows of all ranks as one on rank 0, and an empty one elsewhere."""
        return window

    def at_first(self, named: dict[str, Any]) -> dict[str, Any]:
        """What each rank holds, by the name of the member, together on rank 0."""
        return named

    def check(self, weights: Mapping[str, Tensor]) -> None:
        """See that whoever should have the same agents has them still.

        Raises:
            InputError: a rank has come to others.
        """

    def shown(self) -> Run:
        """The run as it is looked at (measured, reported) on rank 0; ``look`` brings it up to date."""
        return self.run

    def look(self) -> None:
        """Bring what rank 0 looks at up to date; all ranks call it."""

    def wait(self) -> None:
        """Until all processes are here."""

    def told(self) -> list[str]:
        """What a person is told of it when the run begins."""
        return []

    def environment(self) -> dict[str, Any] | None:
        """What env.json says of it."""
        return None


class Shared(Sharing):
    """What is common to both ways in which ranks share a run."""

    def __init__(self, run: Run, world: World) -> None:
        super().__init__(run)
        self.world = world
        self.first = world.first
        self._halted = False

    @property
    def halted(self) -> bool:
        return self._halted

    def made_first(self, make: Callable[[], T]) -> T:
        return self.world.made_by(0, make)

    def rates(self, rates: Float[Tensor, " j"] | None, judged: Sequence[int], count: int) -> Float[Tensor, " m"]:
        own = torch.zeros(count, dtype=torch.float64, device=self.run.gallery.device)
        if rates is not None:
            own[torch.tensor(judged, device=own.device)] = rates
        self.world.sum(own, "rates")
        return own

    def everybody(self, plays: Mapping[int, Play]) -> dict[int, Play]:
        told = self.world.gather({number: _packed(play) for number, play in plays.items()})
        found = {number: self._unpacked(each) for own in told for number, each in own.items()}
        return dict(sorted(found.items()))

    def _unpacked(self, packed: dict[str, Any]) -> Play:
        gallery = self.run.gallery
        given = {name: each_tensor(value, lambda x: x.to(gallery.device)) for name, value in packed.items()}
        return Play(photo=given["round"].photo(gallery), trunks=gallery.trunks, **given)

    def merged(self, window: Window) -> Window:
        told = self.world.gather_first({key: [float(each) for each in pair] for key, pair in window.items()})
        device = self.run.gallery.device
        found: Window = {}
        for own in told:
            for key, pair in own.items():
                new = [torch.tensor(each, dtype=torch.float64, device=device) for each in pair]
                found[key] = [a + b for a, b in zip(found[key], new, strict=True)] if key in found else new
        return found

    def wait(self) -> None:
        self.world.wait()

    def environment(self) -> dict[str, Any] | None:
        return {"count": self.world.size, "share": self.name, "backend": self.world.backend}

    def _sum(self, parameters: Sequence[nn.Parameter]) -> None:
        """One flat sum over ranks: gradients, how many ranks have one of each tensor, and who was asked to stop.

        The counts and the flag are read here, which is the one time in a step that a GPU is waited for.
        """
        like = next(iter(parameters), torch.zeros((), device=self.run.gallery.device))
        sizes = [each.numel() for each in parameters]
        flat = torch.zeros(sum(sizes) + len(sizes) + 1, dtype=like.dtype, device=like.device)
        *parts, counts, stop = flat.split([*sizes, len(sizes), 1])
        there = [number for number, each in enumerate(parameters) if each.grad is not None]
        if there:
            gradients = [parameters[number].grad for number in there]
            torch._foreach_copy_([parts[number] for number in there], [g.flatten() for g in gradients if g is not None])
            counts[torch.tensor(there, device=like.device)] = 1
        stop.fill_(float(self._asked()))
        self.world.sum(flat, "gradients")
        *reached, asked = flat[sum(sizes) :].tolist()
        for parameter, part, count in zip(parameters, parts, reached, strict=True):
            parameter.grad = part.view_as(parameter) if count else None
        self._halted = asked > 0


class Games(Shared):
    """Every rank has all agents, deals all rounds, and plays every so many-th meeting.

    Dealing all of them keeps every generator of the run the same everywhere; noise is a meeting's own, whoever plays
    it. After one sum of gradients all ranks take the same step.
    """

    name = "games"

    def __init__(self, run: Run, world: World) -> None:
        super().__init__(run, world)
        community = run.config.community
        pairs = community.meetings or max(run.community.matrix.shape)
        if pairs < world.size:
            told = f"{world.size} ranks, but {pairs} meeting{'s' if pairs > 1 else ''} a step"
            raise InputError(told, "community.meetings", "start fewer ranks, or let more pairs meet")

    def play(self, executor: Executor, meetings: Meetings, rounds: Sequence[Round], cuts: Sequence[bool]) -> Here:
        mine = range(self.world.rank, len(meetings), self.world.size)
        if not mine:  # a matching can find fewer pairs than there are ranks
            return Here()
        device = self.run.gallery.device
        own = [meetings[n] for n in mine], [rounds[n].to(device) for n in mine], [cuts[n] for n in mine]
        plays = dict(zip(mine, executor.play(*own), strict=True))
        return Here(plays, plays)

    def sum(self, members: Mapping[str, nn.Module], met: Meetings) -> bool:
        played = {f"senders.{sender}" for sender, _ in met} | {f"receivers.{receiver}" for _, receiver in met}
        played |= {f"eyes.{slot}" for pair in met for slot in pair}
        moved = [name for name in members if name in played or not name.startswith(("senders.", "receivers.", "eyes."))]
        self._sum([parameter for name in moved for parameter in members[name].parameters()])
        return True

    def check(self, weights: Mapping[str, Tensor]) -> None:
        content = hashlib.sha256()
        for each in weights.values():
            content.update(each.numpy().tobytes())
        own = self.world.gather(content.hexdigest())
        for rank, other in enumerate(own):
            if other != own[0]:
                told = f"rank {rank} has come to other agents than rank 0 by step {self.run.step}"
                raise InputError(told, "train.ranks", "take machines of one kind, or train.ranks: agents")

    def told(self) -> list[str]:
        return [f"{self.world.size} ranks ({self.world.backend}): each plays its part of a step's meetings"]


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A nest of dataclasses, dicts, lists and tuples with every tensor in it changed.

    >>> each_tensor({"a": (torch.ones(1), "b")}, lambda x: x + 1)
    {'a': (tensor([2.]), 'b')}
    """
    if isinstance(value, Tensor):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: each_tensor(getattr(value, each.name), change) for each in fields(value)})
    if isinstance(value, dict):
        return {key: each_tensor(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(each_tensor(inner, change) for inner in value)
    return value


def _packed(play: Play) -> dict[str, Any]:
    """All of a play that another rank cannot make for itself, on the CPU."""
    names = ("round", "strokes", "canvas", "scores", "loss", "course", "figures", "said")
    found: dict[str, Any] = each_tensor(
        {name: getattr(play, name) for name in names}, lambda x: x.detach().cpu().clone()
    )
    return found


def agree(run: Run, world: World, config: str) -> None:
    """See that all ranks run one experiment on the same pictures, and begin with the weights of rank 0.

    Args:
        run: of this rank, before it has learned.
        world: the ranks.
        config: of the run, as YAML.

    Raises:
        InputError: a rank has other pictures or another config.
    """
    own = {"config": config, "pictures": run.gallery.content, "torch": torch.__version__}
    for rank, other in enumerate(world.gather(own)):
        for key, value in own.items():
            if other[key] != value:
                do = "give every rank the same command, the same folder of pictures and the same installation"
                raise InputError(f"rank {rank} has another {key} than rank {world.rank}", "ranks", do)
    # Equal seeds give equal weights on equal machines; on others the last digits of a trunk's statistics can differ.
    weights = world.made_by(0, lambda: checkpoint.weights_of(run.community))
    checkpoint.put(run.community, weights, run.folder.path)
