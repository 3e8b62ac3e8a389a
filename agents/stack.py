"""Agents of one architecture as one: their parameters in one tensor a name, their step in one pass.

A ``Stack`` holds the parameters of n equal agents as tensors [n, ...], of which each agent's own parameters are
views: what is done to an agent (a checkpoint, an optimiser, another's weights) is done to its row, and the other way
round. ``draw`` and ``score`` run several rows at once through ``torch.func.vmap``, each with its own pictures and
its own noise.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.func import functional_call, vmap

from agents._linear import LargeLinear
from agents.eye import Eye
from agents.heads import Connected, OnePass, StrokeSet
from agents.moment import Moment
from agents.reader import PatchesReader
from agents.receiver import Receiver
from agents.sender import Sender
from perception import FrozenTrunk, MlpTrunk, ScratchTrunk, as_frozen, is_learned
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


@runtime_checkable
class Looks(Protocol):
    """What eyes ask of pictures: an ``agents.View`` is one."""

    def __len__(self) -> int: ...

    def pixels(self) -> Tensor: ...

    def features(self, trunk: FrozenTrunk, level: int) -> Tensor: ...


@dataclass(frozen=True)
class Seen:
    """Pictures that were looked at beforehand (``agents.eye.Sighted``): all that the eyes of an agent ask for."""

    count: int
    rgb: Tensor | None
    levels: dict[tuple[FrozenTrunk, int], Tensor]

    def __len__(self) -> int:
        return self.count

    def pixels(self) -> Tensor:
        """The pictures, [B, 3, H, W] in [0, 1]."""
        assert self.rgb is not None, "no eye asked for pixels"
        return self.rgb

    def features(self, trunk: FrozenTrunk, level: int) -> Tensor:
        """One level of a frozen trunk's pyramid, [B, C, h, w]."""
        return self.levels[as_frozen(trunk), level]

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``fn`` makes of the pixels."""
        return fn(self.pixels())


@dataclass(frozen=True)
class _Dealt(Moment):
    """The moment of one row among several: its noise comes from its own meetings' generators, as in a loop over them.

    ``row`` says which of the rows this is; under ``vmap`` it is another one for each.
    """

    generators: Sequence[Sequence[torch.Generator]] = ()
    row: Tensor | None = None

    def rand(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform noise for the meetings of a row, which share the first dimension."""
        assert self.row is not None
        size = (shape[0] // len(self.generators[0]), *shape[1:])
        noise = torch.stack(
            [
                torch.cat([torch.rand(size, generator=each, dtype=torch.float32) for each in own])
                for own in self.generators
            ]
        )
        dealt = noise.to(device=like.device, dtype=like.dtype)
        return dealt.index_select(0, self.row[None])[0]


class _Call(nn.Module):
    """A method of an agent as the ``forward`` that ``functional_call`` calls."""

    def __init__(self, agent: nn.Module) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, method: Callable[..., Any], *given: Any) -> Any:
        return method(self.agent, *given)


class Stack:
    """Agents of one architecture (equal configs), whose parameters become views of rows of shared tensors.

    Make it after the agents are on their device and in their precision: moving them afterwards would part them.

    Attributes:
        agents: the agents, row by row.
        tensors: their parameters by name, [n, ...].
        gradients: after ``collect``, the gradients of those that have any, [n, ...], where every agent played once;
            else None. Each agent's own gradient is a view of its row.
    """

    def __init__(self, agents: Sequence[nn.Module]) -> None:
        self.agents = list(agents)
        every = [dict(agent.named_parameters()) for agent in self.agents]
        self._own = {name: [each[name] for each in every] for name in every[0]}
        with torch.no_grad():
            self.tensors = {name: torch.stack(own) for name, own in self._own.items()}
        for name, own in self._own.items():
            for row, parameter in enumerate(own):
                parameter.data = self.tensors[name][row]
        self._call = _Call(self.agents[0])
        self._played: list[tuple[Layout, dict[str, Tensor]]] = []
        self.gradients: dict[str, Tensor] | None = None

    def own(self, name: str) -> list[nn.Parameter]:
        """The agents' own parameters of that name, row by row."""
        return self._own[name]

    def run(
        self, layout: Layout, method: Callable[..., Any], moment: Moment, noise: Sequence[torch.Generator], given: Any
    ) -> Any:
        """``method(agent, moment, given)`` for each row of a layout at once.

        Args:
            layout: who plays which meetings.
            method: takes an agent, its moment and what it is given; gives tensors. Called once, with the first agent
                as a stand-in for all.
            moment: step, role and whether they learn.
            noise: one generator a meeting, by the meeting's position.
            given: tensors [A, ...], in any nest of dicts and lists.

        Returns:
            What ``method`` gives, with a first dimension A.
        """
        leaves = self._leaves(layout.rows)
        own = [layout.meetings[start : start + layout.each] for start in range(0, len(layout.meetings), layout.each)]
        generators = [[noise[meeting] for meeting in meetings] for meetings in own]

        def one(parameters: dict[str, Tensor], row: Tensor, given: Any) -> Any:
            dealt = _Dealt(moment.step, moment.role, moment.generator, moment.training, generators, row)
            return functional_call(self._call, parameters, (method, dealt, given))

        self._played.append((layout, leaves))
        row = torch.arange(len(layout.rows), device=next(iter(leaves.values())).device)
        # "same": what a method draws it draws from the generators of all rows, and picks its own (`_Dealt`).
        with LargeLinear():
            return vmap(one, randomness="same")(leaves, row, given)

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
                for row, gradient in zip(layout.rows, gradients.unbind(), strict=True):
                    before = own[row].grad
                    own[row].grad = gradient if before is None else before + gradient
        self._played = []

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
    reader be of patches or a perceptron: stacked convolutions are slower than one after the other, and a frozen
    trunk, or a hand that looks at the canvas while it draws, is run outside of ``vmap``.
    """
    if isinstance(agent, Sender):
        return all(map(_eye_carried, agent._eyes())) and isinstance(agent.head, OnePass | Connected | StrokeSet)
    if not isinstance(agent, Receiver):
        return False
    reader = agent.config.reader
    reads = isinstance(reader, PatchesReader) or isinstance(getattr(reader, "trunk", None), MlpTrunk)
    plain = agent.patience is None and agent.matching is None  # torch has no batching rule for its attention
    return reads and plain and all(map(_eye_carried, agent._eyes()))


def _eye_carried(eye: Eye) -> bool:
    return isinstance(eye.trunk, MlpTrunk) or not (isinstance(eye.trunk, ScratchTrunk) or is_learned(eye.trunk))


def look(agent: Sender | Receiver, view: Looks, rows: int) -> dict[str, Any]:
    """What the eyes of equal agents ask of ``view``, the pictures of ``rows`` of them: tensors [A, B, ...]."""
    found: dict[str, Any] = {"rgb": {}, "levels": {}}
    for eye in agent._eyes():
        if isinstance(eye.trunk, ScratchTrunk):
            found["rgb"]["rgb"] = view.pixels().unflatten(0, (rows, -1))
        else:
            for level in eye.levels:
                key = (as_frozen(eye.trunk), level)
                found["levels"][key] = view.features(*key).unflatten(0, (rows, -1))
    return found


def _seen(count: int, given: dict[str, Any]) -> Seen:
    return Seen(count, given["rgb"].get("rgb"), given["levels"])


def draw(stack: Stack, layout: Layout, view: Looks, moment: Moment, noise: Sequence[torch.Generator]) -> Strokes:
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
    first = stack.agents[0]
    assert isinstance(first, Sender)
    count = len(view) // len(layout.rows)
    made: dict[str, Any] = {}

    def one(agent: Sender, moment: Moment, given: Any) -> dict[str, Tensor]:
        strokes = agent.draw(_seen(count, given), moment)
        tensors = strokes._tensors()
        made.update(kind=strokes.kind, knots=strokes.knots)
        return tensors

    tensors = stack.run(layout, one, moment, noise, look(first, view, len(layout.rows)))
    return Strokes(**{name: each.flatten(0, 1) for name, each in tensors.items()}, **made)


def score(
    stack: Stack,
    layout: Layout,
    canvas: Float[Tensor, "n *ink h w"],
    pool: Looks,
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
    first = stack.agents[0]
    assert isinstance(first, Receiver)
    rows, each = len(layout.rows), layout.each
    count = len(pool) // rows
    # The pools of an agent's second meeting come after those of its first.
    own = pool_of.unflatten(0, (rows, each, -1)) + pools * torch.arange(each, device=pool_of.device)[:, None]
    given = {"pool": look(first, pool, rows), "canvas": canvas.unflatten(0, (rows, -1)), "pool_of": own.flatten(1)}

    def one(agent: Receiver, moment: Moment, given: Any) -> Tensor:
        seen = _seen(count, given["pool"])
        return agent.score(given["canvas"], seen, pools * each, given["pool_of"], moment)

    found: Tensor = stack.run(layout, one, moment, noise, given)
    return found.flatten(0, 1)
