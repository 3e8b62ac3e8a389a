"""Agents of one architecture as one: their parameters in one tensor a name, their step in one pass.

A ``Stack`` holds the parameters of n equal agents as tensors [n, ...], of which each agent's own parameters are
views: what is done to an agent (a checkpoint, an optimiser, another's weights) is done to its row, and the other way
round. ``draw`` and ``score`` run several rows at once, each with its own pictures and its own noise: what an agent does
with B pictures it does with those of all, A x B, and the layers that hold its parameters take those of all
(``perception.linear``).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from agents.eye import Eye, Sighted
from agents.heads import Connected, OnePass, StrokeSet
from agents.moment import Moment
from agents.reader import PatchesReader
from agents.receiver import Receiver
from agents.sender import Sender
from perception import MlpTrunk, ScratchTrunk, is_learned
from raster import Strokes
from raster.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class Layout:
    """Which rows of a stack play, and which meetings each of them plays.

    Attributes:
        rows: agents by their row, A of them; one that plays more often than others stands several times.
        meetings: positions of the meetings, A x M, those of the first row first.
        each: meetings a row, M.
    """

    rows: list[int]
    meetings: list[int]
    each: int

    @classmethod
    def of(cls, agents: Sequence[int], meetings: Sequence[int]) -> "Layout":
        """The layout of ``meetings``, the first of which is played by the first of ``agents``, and so on.

        Where all play equally often, each agent has one row; where some play more often, each meeting has a row, for
        padding all to the busiest would cost more than the copies of a few parameters.

        >>> Layout.of([1, 0, 1, 0], [5, 6, 7, 8])
        Layout(rows=[0, 1], meetings=[6, 8, 5, 7], each=2)
        >>> Layout.of([1, 0, 1], [5, 6, 7])
        Layout(rows=[0, 1, 1], meetings=[6, 5, 7], each=1)
        """
        played: dict[int, list[int]] = defaultdict(list)
        for agent, meeting in zip(agents, meetings, strict=True):
            played[agent].append(meeting)
        rows = sorted(played)
        order = [meeting for row in rows for meeting in played[row]]
        counts = {len(each) for each in played.values()}
        if len(counts) == 1:
            return cls(rows, order, counts.pop())
        return cls([row for row in rows for _ in played[row]], order, 1)


@dataclass(frozen=True)
class _Dealt(Moment):
    """The moment of several meetings at once: noise comes from the generator of each, as in a loop over them."""

    generators: Sequence[torch.Generator] = ()

    def rand(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform noise for all meetings, which share the first dimension."""
        noise = torch.empty((len(self.generators), shape[0] // len(self.generators), *shape[1:]), dtype=torch.float32)
        for own, generator in zip(noise.unbind(), self.generators, strict=True):
            own.uniform_(generator=generator)
        return noise.flatten(0, 1).to(device=like.device, dtype=like.dtype)


class _Call(nn.Module):
    """A method of an agent as the ``forward`` that ``functional_call`` calls."""

    def __init__(self, agent: nn.Module) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, method: Callable[..., Any], moment: Moment) -> Any:
        return method(self.agent, moment)


class Stack:
    """Agents of one architecture (equal configs), whose parameters become views of rows of shared tensors.

    Make it after the agents are on their device and in their precision: moving them afterwards would part them.

    Attributes:
        agents: the agents, row by row.
        tensors: their parameters by name, [n, ...].
        gradients: after ``collect``, the gradients of those that have any, [n, ...], where every agent played, and none
            more often than another; after ``gather``, where all agents have them; else None. Each agent's own gradient
            is a view of its row.
    """

    def __init__(self, agents: Sequence[nn.Module]) -> None:
        self.agents = list(agents)
        every = [dict(agent.named_parameters()) for agent in self.agents]
        self._own = {name: [each[name] for each in every] for name in every[0]}
        with torch.no_grad():
            self.tensors = {name: torch.stack(list[Tensor](own)) for name, own in self._own.items()}
        for name, own in self._own.items():
            for row, parameter in enumerate(own):
                parameter.data = self.tensors[name][row]
        self._call = _Call(self.agents[0])
        self._played: list[tuple[Layout, dict[str, Tensor]]] = []
        self.gradients: dict[str, Tensor] | None = None

    def own(self, name: str) -> list[nn.Parameter]:
        """The agents' own parameters of that name, row by row."""
        return self._own[name]

    def run(self, layout: Layout, method: Callable[..., Any], moment: Moment, noise: Sequence[torch.Generator]) -> Any:
        """``method(agent, moment)`` for all rows of a layout at once.

        Args:
            layout: who plays which meetings.
            method: takes an agent and its moment. Called once, with the first agent as a stand-in for
                all: its parameters have one more dimension then, A in front.
            moment: step, role and whether they learn.
            noise: one generator a meeting, by the meeting's position.
        """
        leaves = self._leaves(layout.rows)
        self._played.append((layout, leaves))
        generators = [noise[meeting] for meeting in layout.meetings]
        dealt = _Dealt(moment.step, moment.role, moment.generator, moment.training, generators)
        return functional_call(self._call, leaves, (method, dealt))

    def _leaves(self, rows: list[int]) -> dict[str, Tensor]:
        """The parameters of some rows as new leaves; without a copy where all play, each once."""
        whole = self._whole(rows)
        leaves = {}
        for name, tensor in self.tensors.items():
            part = tensor.detach() if whole else tensor[torch.tensor(rows, device=tensor.device)]
            leaves[f"agent.{name}"] = part.requires_grad_()
        return leaves

    def collect(self) -> None:
        """After a backward pass: hand each agent that played the gradient of its row; the others keep None."""
        self.gradients = None
        for layout, leaves in self._played:
            found = {name.removeprefix("agent."): leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
            if len(self._played) == 1 and self._whole(layout.rows):
                self.gradients = found
            for name, gradients in found.items():
                own = self._own[name]
                if self.gradients is not None:
                    for parameter, gradient in zip(own, gradients.unbind(), strict=True):
                        parameter.grad = gradient
                    continue
                for row, gradient in zip(layout.rows, gradients.unbind(), strict=True):
                    before = own[row].grad
                    own[row].grad = gradient if before is None else before + gradient
        self._played = []

    def gather(self) -> None:
        """Take ``gradients`` from the agents' own ones, where something has given them others since ``collect``."""
        self.gradients = found = {}
        for name, own in self._own.items():
            gradients = [parameter.grad for parameter in own if parameter.grad is not None]
            if len(gradients) == len(own):
                found[name] = torch.stack(gradients)
                for parameter, gradient in zip(own, found[name].unbind(), strict=True):
                    parameter.grad = gradient
            elif gradients:
                self.gradients = None
                return
        self.gradients = found or None

    def _whole(self, rows: list[int]) -> bool:
        """Whether these are all agents, each once."""
        return rows == list(range(len(self.agents)))


def stacks_of(agents: Sequence[nn.Module]) -> list[tuple[list[int], Stack | None]]:
    """Agents in groups of equal architecture: their numbers, and a stack where they can be run at once."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, agent in enumerate(agents):
        groups[agent.config].append(number)
    found = []
    for members in groups.values():
        can = all(carried(agents[number]) for number in members)
        found.append((members, Stack([agents[number] for number in members]) if can else None))
    return found


def carried(agent: nn.Module) -> bool:
    """Whether a stack can run such an agent, and faster than a loop.

    Its eyes must read cached features or be perceptrons, its head make all strokes from one vector, or as a set, its
    reader be of patches or a perceptron: their parameters are those of layers that take many agents' at once
    (``perception.linear``). Stacked convolutions are slower than one after the other.
    """
    if "eye" not in agent._modules:  # it shares that of its other face
        return False
    if isinstance(agent, Sender):
        return all(map(_eye_carried, agent._eyes())) and isinstance(agent.head, OnePass | Connected | StrokeSet)
    if not isinstance(agent, Receiver):
        return False
    reader = agent.config.reader
    reads = isinstance(reader, PatchesReader) or isinstance(getattr(reader, "trunk", None), MlpTrunk)
    plain = agent.patience is None and agent.matching is None
    return reads and plain and all(map(_eye_carried, agent._eyes()))


def _eye_carried(eye: Eye) -> bool:
    return isinstance(eye.trunk, MlpTrunk) or not (isinstance(eye.trunk, ScratchTrunk) or is_learned(eye.trunk))


def draw(stack: Stack, layout: Layout, view: Sighted, moment: Moment, noise: Sequence[torch.Generator]) -> Strokes:
    """What rows of senders draw.

    Args:
        stack: of senders.
        layout: who plays which meetings.
        view: the pictures of all meetings in the layout's order, B a meeting.
        moment: step, role and whether they learn.
        noise: one generator a meeting, by the meeting's position.

    Returns:
        Strokes with points [A x M x B, N, P, 2], in the layout's order.
    """

    def one(agent: Sender, moment: Moment) -> Strokes:
        return agent.draw(view, moment)

    found: Strokes = stack.run(layout, one, moment, noise)
    return found


def score(
    stack: Stack,
    layout: Layout,
    canvas: Float[Tensor, "n *ink h w"],
    pool: Sighted,
    pools: int,
    pool_of: Int[Tensor, " n"],
    moment: Moment,
    noise: Sequence[torch.Generator],
) -> Float[Tensor, "n k"]:
    """The scores that rows of receivers give the candidates of their games (``Receiver.score``).

    Args:
        stack: of receivers.
        layout: who plays which meetings.
        canvas: ink of all games in the layout's order, B a meeting.
        pool: the candidates of all pools, in the layout's order.
        pools: how many pools a meeting has, G.
        pool_of: which of its meeting's pools each game is played on.
        moment: step, role and whether they learn.
        noise: one generator a meeting, by the meeting's position.
    """
    rows, each = len(layout.rows), layout.each
    # The pools of an agent's second meeting come after those of its first.
    own = pool_of.unflatten(0, (rows, each, -1)) + pools * torch.arange(each, device=pool_of.device)[:, None]

    def one(agent: Receiver, moment: Moment) -> Tensor:
        photos = agent.embed_photos(pool, moment).unflatten(0, (rows, pools * each, -1))  # [A, M x G, K, D]
        message = agent.embed_canvas(canvas).unflatten(0, (rows, -1))  # [A, M x B, D]
        return agent.compare(message, photos, own.flatten(1))

    found: Tensor = stack.run(layout, one, moment, noise)
    return found.flatten(0, 1)
