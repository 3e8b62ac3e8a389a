"""Ranks that have their own agents each: what crosses between them are strokes, and the gradients of strokes."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from agents.meetings import Meetings
from games import Play, Round
from raster import InputError, Strokes
from raster.shapes import Tensor, UInt8
from runs import checkpoint
from runs.executors import Batched, Executor, in_the_way
from runs.ranks.sharing import Here, Shared, each_tensor
from runs.ranks.world import World
from runs.run import Run

T = TypeVar("T")


class Leaves:
    """The strokes of a meeting, cut from the graph that made them: costs leave their gradients here.

    Args:
        strokes: as they were made, or as they came.
        moved: which of their tensors have a gradient.
    """

    def __init__(self, strokes: Strokes, moved: Sequence[str]) -> None:
        self.tensors: dict[str, Any] = {name: each.detach() for name, each in strokes._tensors().items()}
        for name in moved:
            self.tensors[name].requires_grad_()
        # `Strokes` keeps views of some of them, which are no leaves: gradients are read from those here.
        self.strokes = replace(strokes, **self.tensors)
        self.moved = list(moved)


class Agents(Shared):
    """Every rank has a block of senders and a block of receivers, and nothing of the others but their configs.

    Of agents that are both it has both faces, and the eye that they share.

    All deal all rounds. A sender's rank makes its strokes and pays the biases that push it; a receiver's rank has the
    strokes sent, rasterises and judges them, and sends their gradients back. What all agents share (trunks, what
    biases learn) is on every rank, its gradients summed.
    """

    name = "agents"

    def __init__(self, run: Run, world: World) -> None:
        super().__init__(run, world)
        reason = in_the_way(run)
        if reason is None and run.config.community.executor == "loop":
            reason = "pairs are played one by one (community.executor: loop)"
        if reason is not None:
            raise InputError(f"agents cannot be on different ranks: {reason}", "train.ranks", "take games")
        community = run.community
        self.counts = {"senders": len(community.senders), "receivers": len(community.receivers)}
        if community.eyes:  # as many senders as receivers: both faces of an agent, and its eye, are on one rank
            self.counts["eyes"] = len(community.senders)
        if max(self.counts.values()) < world.size:
            told = f"{world.size} ranks, but {max(self.counts.values())} agents a side"
            raise InputError(told, "train.ranks", "start fewer ranks")
        self._whole: Run | None = None
        if world.first:
            self._whole = replace(run, community=run.build_community(run.config.seed))
        for name, member in community.members().items():
            if not self.holds(name):
                member.to("meta")  # shapes and configs stay, weights go
        self._meant: dict[int, tuple[Strokes, Leaves]] = {}
        self._came: dict[int, Leaves] = {}
        self._met: Meetings = []
        self._cuts: Sequence[bool] = ()

    def owner(self, side: str, slot: int) -> int:
        """The rank of an agent: blocks of slots, as equal as can be."""
        return slot * self.world.size // self.counts[side]

    def holds(self, member: str) -> bool:
        side, _, slot = member.partition(".")
        return side not in self.counts or self.owner(side, int(slot)) == self.world.rank

    def executor(self) -> Executor:
        return Batched(self.run, f"{self.world.size} ranks with agents of their own", self.holds)

    def play(self, executor: Executor, meetings: Meetings, rounds: Sequence[Round], cuts: Sequence[bool]) -> Here:
        assert isinstance(executor, Batched)
        rank, device = self.world.rank, self.run.gallery.device
        self._met, self._cuts = meetings, cuts
        sent_by = [self.owner("senders", sender) for sender, _ in meetings]
        judged_by = [self.owner("receivers", receiver) for _, receiver in meetings]
        rounds = [each.to(device) for each in rounds]
        noise = {n: rounds[n].generator() for n in range(len(meetings)) if rank in (sent_by[n], judged_by[n])}
        drawn = [n for n, owner in enumerate(sent_by) if owner == rank]
        strokes = executor.draw(*_of(drawn, meetings, rounds), [noise[n] for n in drawn]) if drawn else []
        self._meant = {
            n: (each, Leaves(each, [name for name, x in each._tensors().items() if x.requires_grad]))
            for n, each in zip(drawn, strokes, strict=True)
        }
        parcels = [
            _sealed({n: self._meant[n][1] for n in drawn if judged_by[n] == other != rank}, noise, device)
            for other in range(self.world.size)
        ]
        self._came = {}
        for parcel in self.world.exchange(parcels, "strokes"):
            self._came |= _opened(parcel, noise)
        leaves = {n: each for n, (_, each) in self._meant.items()} | self._came
        judged = [n for n, owner in enumerate(judged_by) if owner == rank]
        pushed = [n for n in drawn if self._costs(meetings[n][0])]
        order = [judged[place] for place in executor.order([meetings[n] for n in judged])]
        others = [n for n in pushed if judged_by[n] != rank]
        here = Here()
        if not order and not others:
            return here
        # What is judged here comes first, in the order in which its receivers look at it.
        whole = executor.ink([leaves[n].strokes for n in (*order, *others)])
        games = len(whole) // len(order + others)
        ink, rest = whole.split([games * len(order), games * len(others)])
        if judged:
            strokes, own = [leaves[n].strokes for n in judged], [noise[n] for n in judged]
            plays = executor.judge(*_of(judged, meetings, rounds), own, strokes, ink, [cuts[n] for n in judged])
            here.judged = dict(zip(judged, plays, strict=True))
        unjudged = dict(zip(others, rest.unflatten(0, (len(others), games)).unbind(), strict=True))
        for n in pushed:
            here.pushed[n] = here.judged.get(n) or self._unjudged(rounds[n], leaves[n].strokes, unjudged[n])
        return here

    def _costs(self, sender: int) -> bool:
        """Whether a bias that pushes a sender has a cost."""
        return any(self.run.biases[number].costs() for number in self.run.community.pushed_by("senders", sender))

    def _unjudged(self, round: Round, strokes: Strokes, ink: Tensor) -> Play:
        """A play for the biases of its sender alone: its scores are known where its receiver is."""
        gallery, games = self.run.gallery, len(ink)
        nothing = ink.new_zeros(games)
        return Play(round, round.photo(gallery), strokes, ink, nothing.new_zeros(games, 0), nothing, gallery.trunks)

    def backward(self, total: Tensor | None) -> None:
        super().backward(total)
        # What came from a rank goes back to it: of each meeting that is not cut, all tensors that have a gradient.
        size, rank = self.world.size, self.world.rank
        back: list[list[Tensor]] = [[] for _ in range(size)]
        for n, leaves in sorted(self._came.items()):
            if not self._cuts[n]:
                back[self.owner("senders", self._met[n][0])] += [_gradient(leaves.tensors[k]) for k in leaves.moved]
        awaited: list[list[Tensor]] = [[] for _ in range(size)]
        for n, (_, leaves) in sorted(self._meant.items()):
            receiver = self.owner("receivers", self._met[n][1])
            if receiver != rank and not self._cuts[n]:
                awaited[receiver] += [leaves.tensors[name] for name in leaves.moved]
        device = self.run.gallery.device
        parcels = [_bytes_of(each, device) for each in back]
        sizes = [sum(x.numel() * x.element_size() for x in each) for each in awaited]
        for parcel, tensors in zip(self.world.exchange(parcels, "gradients of strokes", sizes), awaited, strict=True):
            for leaf, gradient in zip(tensors, _tensors_in(parcel, tensors), strict=True):
                leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient
        roots, gradients = [], []
        for strokes, leaves in self._meant.values():
            made = strokes._tensors()
            for name in leaves.moved:
                if leaves.tensors[name].grad is not None:
                    roots.append(made[name])
                    gradients.append(leaves.tensors[name].grad)
        if roots:
            torch.autograd.backward(roots, gradients)
        self._meant, self._came = {}, {}

    def sum(self, members: Mapping[str, nn.Module], met: Meetings) -> bool:
        common = [each for name, each in members.items() if name.partition(".")[0] not in self.counts]
        self._sum([parameter for each in common for parameter in each.parameters()])
        return False

    def made_by_holder(self, member: str, make: Callable[[], T]) -> T:
        side, _, slot = member.partition(".")
        return self.world.made_by(self.owner(side, int(slot)), lambda: each_tensor(make(), lambda x: x.cpu()))

    def at_first(self, named: dict[str, Any]) -> dict[str, Any]:
        # Copies: a row of a stack would take the whole stack along.
        told = self.world.gather_first(each_tensor(named, lambda x: x.detach().cpu().clone()))
        found = {name: value for own in told for name, value in own.items()}
        order = {member: place for place, member in enumerate(self.run.community.members())}
        # In the order of one process, so that the file is the same.
        return dict(sorted(found.items(), key=lambda each: order[".".join(each[0].split(".")[:2])]))

    def shown(self) -> Run:
        return self._whole or self.run

    def look(self) -> None:
        weights = self.at_first(checkpoint.weights_of(self.run.community))
        if self._whole is not None:
            checkpoint.put(self._whole.community, weights, self.run.folder.path)
            self._whole.step = self.run.step
            self._whole.community.matrix = self.run.community.matrix
            self._whole.community.topology = self.run.community.topology

    def told(self) -> list[str]:
        return [f"{self.world.size} ranks ({self.world.backend}): each has its own agents"]


def _of(numbers: Sequence[int], meetings: Meetings, rounds: Sequence[Round]) -> tuple[Meetings, list[Round]]:
    return [meetings[n] for n in numbers], [rounds[n] for n in numbers]


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _bytes_of(tensors: Sequence[Tensor], device: torch.device) -> UInt8[Tensor, " n"]:
    """Tensors as they lie in memory, one after another."""
    parts = [each.detach().contiguous().flatten().view(torch.uint8).to(device) for each in tensors]
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.uint8, device=device)


def _tensors_in(data: UInt8[Tensor, " n"], like: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of ``_bytes_of``, by their shapes and dtypes; copies, for a view must begin at a multiple of 8."""
    parts = data.split([each.numel() * each.element_size() for each in like])
    return [part.clone().view(each.dtype).view(each.shape) for part, each in zip(parts, like, strict=True)]


def _sealed(
    leaves: Mapping[int, Leaves], noise: Mapping[int, torch.Generator], device: torch.device
) -> UInt8[Tensor, " n"]:
    """Strokes of some meetings as bytes: the length of a head, the head (JSON), and what it describes.

    With each meeting goes the state of its noise, of which its sender has used a part: the receiver goes on from there.
    """
    if not leaves:
        return _bytes_of([], device)
    head, body = [], []
    for n, each in leaves.items():
        named = [(name, list(x.shape), str(x.dtype).removeprefix("torch.")) for name, x in each.tensors.items()]
        state = noise[n].get_state()
        head.append([n, each.strokes.kind, each.strokes.knots, each.moved, named, len(state)])
        body += [*each.tensors.values(), state]
    told = torch.frombuffer(bytearray(json.dumps(head, separators=(",", ":")).encode()), dtype=torch.uint8)
    return _bytes_of([torch.tensor([len(told)]), told, *body], device)


def _opened(data: UInt8[Tensor, " n"], noise: Mapping[int, torch.Generator]) -> dict[int, Leaves]:
    """The strokes of ``_sealed``, by meeting; the ``noise`` of each is set to where its sender left it."""
    if not len(data):
        return {}
    length = int(data[:8].clone().view(torch.int64))
    head = json.loads(bytes(data[8 : 8 + length].cpu().tolist()))
    like: list[Tensor] = []
    for _, _, _, _, named, state in head:
        like += [torch.empty(shape, dtype=getattr(torch, dtype), device="meta") for _, shape, dtype in named]
        like.append(torch.empty(state, dtype=torch.uint8, device="meta"))
    tensors = iter(_tensors_in(data[8 + length :], like))
    found = {}
    for n, kind, knots, moved, named, _ in head:
        strokes = Strokes(kind=kind, knots=knots, **{name: next(tensors) for name, _, _ in named})
        noise[n].set_state(next(tensors).cpu())
        found[n] = Leaves(strokes, moved)
    return found
