"""Who can meet whom: graphs over places, on which senders and receivers are spread evenly.

Every shipped topology is a graph of ``n = min(S, R)`` places. Sender ``i`` of ``S`` lives at place ``i n // S``,
receiver ``j`` of ``R`` at place ``j n // R``; the two can meet where the graph joins their places. With as many
senders as receivers each place is a pair, and where there are more of one side several share a place: nobody is left
out by rounding.
"""

import json
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from raster import InputError
from raster.shapes import Bool, Float, Int, Tensor

WHERE = "community.topology"


class Places(BaseModel, ABC):
    """A graph over places; ``places`` is what each kind says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @abstractmethod
    def places(self, count: int) -> Float[Tensor, "n n"]:
        """Weights of meeting between the sender of one place and the receiver of another, [N, N], 0 or above."""

    def matrix(self, senders: int, receivers: int) -> Float[Tensor, "s r"]:
        """Weights of meeting, float64 [S, R], 0 or above.

        Raises:
            InputError: this kind does not fit so many agents.
        """
        count = min(senders, receivers)
        place = self.places(count).double()
        return place[_homes(senders, count)[:, None], _homes(receivers, count)]

    def islands(self, agents: int, others: int) -> Int[Tensor, " agents"]:
        """The island that each of ``agents`` on one side lives on, with ``others`` on the other side, [agents].

        All are on one, but for a topology of islands.
        """
        return torch.zeros(agents, dtype=torch.long)


def _homes(agents: int, places: int) -> Int[Tensor, " a"]:
    return torch.arange(agents) * places // agents


class Full(Places):
    """Everybody meets everybody, equally often."""

    kind: Literal["full"] = "full"

    def places(self, count: int) -> Float[Tensor, "n n"]:
        return torch.ones(count, count)


class Pairs(Places):
    """Everybody has one partner for life: as many lone pairs as there are places."""

    kind: Literal["pair"] = "pair"

    def places(self, count: int) -> Float[Tensor, "n n"]:
        return torch.eye(count)


class Ring(Places):
    """Places in a circle: who lives there meets those at its own place and those at most ``neighbours`` away."""

    kind: Literal["ring"] = "ring"
    neighbours: int = Field(1, ge=0)
    """How far, in places, to either side."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        return _ring(count, self.neighbours)


def _ring(count: int, neighbours: int) -> Float[Tensor, "n n"]:
    place = torch.arange(count)
    apart = (place[:, None] - place).abs()
    return (torch.minimum(apart, count - apart) <= neighbours).double()


class SmallWorld(Places):
    """A ring with some of its links led elsewhere (Watts & Strogatz 1998): near circles, and short ways between them.

    Every link of the ring to another place is led, with probability ``rewire``, from its sender to any place that it
    has no link to yet. Who lives at one place always meets.
    """

    kind: Literal["small_world"] = "small_world"
    neighbours: int = Field(2, ge=1)
    """How far the links of the ring reach, in places, to either side."""
    rewire: float = Field(0.1, ge=0, le=1)
    """Probability that a link is led elsewhere."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Of the links."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        generator = torch.Generator().manual_seed(self.seed)
        link = _ring(count, self.neighbours)
        for one, other in link.nonzero().tolist():
            if one == other or float(torch.rand((), generator=generator)) >= self.rewire:
                continue
            free = (link[one] == 0).nonzero()[:, 0]
            if len(free):
                link[one, other] = 0
                link[one, free[torch.randint(len(free), (1,), generator=generator)]] = 1
        return link


class Blocks(Places):
    """Communities that never meet: places are cut into equal blocks, and all within a block meet."""

    kind: Literal["blocks"] = "blocks"
    count: int = Field(2, ge=1)
    """How many blocks."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        return _same_block(count, self.count, self.kind)

    def islands(self, agents: int, others: int) -> Int[Tensor, " agents"]:
        """The block of each agent."""
        return _blocks_of(agents, others, self.count, self.kind)


class Islands(Places):
    """Blocks with a leak: now and then somebody meets a stranger from another island."""

    kind: Literal["islands"] = "islands"
    count: int = Field(2, ge=1)
    """How many islands."""
    leak: float = Field(0.01, ge=0, le=1)
    """Weight of a meeting across islands; within one it is 1."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        same = _same_block(count, self.count, self.kind)
        return same + (1 - same) * self.leak

    def islands(self, agents: int, others: int) -> Int[Tensor, " agents"]:
        """The island of each agent."""
        return _blocks_of(agents, others, self.count, self.kind)


class Bipartite(Places):
    """Two camps that talk to each other only: who lives in one half meets those who live in the other."""

    kind: Literal["bipartite"] = "bipartite"

    def places(self, count: int) -> Float[Tensor, "n n"]:
        return 1 - _same_block(count, 2, self.kind)


class Star(Places):
    """One place in the middle: it meets everybody, and everybody else meets only it."""

    kind: Literal["star"] = "star"
    hub: int = Field(0, ge=0)
    """The place in the middle."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        if self.hub >= count:
            raise InputError(f"no place {self.hub} among {count}", f"{WHERE}.hub", f"take 0 to {count - 1}")
        link = torch.zeros(count, count)
        link[self.hub], link[:, self.hub] = 1, 1
        return link


class ScaleFree(Places):
    """Few with many acquaintances, many with few: preferential attachment (Barabási & Albert 1999).

    Place after place joins, with ``links`` links to earlier ones, each chosen in proportion to the links that it
    has. Who lives at one place always meets.
    """

    kind: Literal["scale_free"] = "scale_free"
    links: int = Field(2, ge=1)
    """Links that each place brings."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Of the links."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        generator = torch.Generator().manual_seed(self.seed)
        link = torch.eye(count)
        for new in range(1, count):
            wanted = min(self.links, new)
            # Its own place counts as one link: the first places could not be chosen else.
            degree = link[:new, :new].sum(dim=1)
            for old in torch.multinomial(degree, wanted, generator=generator).tolist():
                link[new, old] = link[old, new] = 1
        return link


class Grid(Places):
    """Places in rows: who lives there meets its own place and those at most ``reach`` away, along rows and columns.

    The world has edges; who lives at one has fewer neighbours.
    """

    kind: Literal["grid"] = "grid"
    columns: int | None = Field(None, ge=1)
    """Places in a row; as near to a square as can be when left out."""
    reach: int = Field(1, ge=0)
    """How far, in steps along rows and columns together (Manhattan distance)."""

    def places(self, count: int) -> Float[Tensor, "n n"]:
        columns = self.columns or math.isqrt(count - 1) + 1
        place = torch.arange(count)
        row, column = place // columns, place % columns
        apart = (row[:, None] - row).abs() + (column[:, None] - column).abs()
        return (apart <= self.reach).double()


class FromFile(BaseModel):
    """Any weights, from a JSON file: a list of S rows of R numbers, each 0 or above."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["file"] = "file"
    path: Path
    """The file."""

    def matrix(self, senders: int, receivers: int) -> Float[Tensor, "s r"]:
        """Weights of meeting, float64 [S, R].

        Raises:
            InputError: the file is missing or no JSON, or holds another shape or a number that is no weight.
        """
        try:
            rows = json.loads(self.path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", self.path, f"set {WHERE}.path") from None
        except (ValueError, RecursionError):
            raise InputError("no JSON", self.path, f"write [[1, 0], [0, 1]]: {senders} rows of {receivers}") from None
        shaped = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
        found = [len(rows), *sorted({len(row) for row in rows})] if shaped else type(rows).__name__
        if found != [senders, receivers]:
            what = f"{found} where {senders} senders and {receivers} receivers are"
            raise InputError(what, self.path, f"write {senders} rows of {receivers} numbers")
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if not number or not math.isfinite(value) or value < 0:
                    raise InputError(f"row {i}, column {j} is {value!r}", self.path, "a weight is a number, 0 or above")
        return checked(torch.tensor(rows, dtype=torch.float64), self.path)

    def islands(self, agents: int, others: int) -> Int[Tensor, " agents"]:
        """All on one."""
        return torch.zeros(agents, dtype=torch.long)


Topology = Annotated[
    Full | Pairs | Ring | SmallWorld | Blocks | Islands | Bipartite | Star | ScaleFree | Grid | FromFile,
    Field(discriminator="kind"),
]
"""Who meets whom, by ``kind``."""


def same_place(senders: int, receivers: int) -> Bool[Tensor, "s r"]:
    """Which senders and receivers live at one place, [S, R]."""
    count = min(senders, receivers)
    return _homes(senders, count)[:, None] == _homes(receivers, count)


def checked(matrix: Float[Tensor, "s r"], where: object) -> Float[Tensor, "s r"]:
    """The matrix itself, if somebody can meet.

    Raises:
        InputError: all weights are 0, a weight is negative or not finite.
    """
    if not bool(torch.isfinite(matrix).all()) or bool((matrix < 0).any()):
        raise InputError("a weight of meeting is negative or not finite", where, "a weight is a number, 0 or above")
    if not bool((matrix > 0).any()):
        raise InputError("nobody meets anybody: all weights are 0", where, "give some pair a weight above 0")
    return matrix


def _same_block(count: int, blocks: int, kind: str) -> Float[Tensor, "n n"]:
    block = _block_of_place(count, blocks, kind)
    return (block[:, None] == block).double()


def _block_of_place(count: int, blocks: int, kind: str) -> Int[Tensor, " n"]:
    if blocks > count:
        what = f"{kind} of {count} places cannot be {blocks}"
        raise InputError(what, WHERE, f"take at most {count}, or more senders and receivers")
    return torch.arange(count) * blocks // count


def _blocks_of(agents: int, others: int, blocks: int, kind: str) -> Int[Tensor, " a"]:
    count = min(agents, others)
    return _block_of_place(count, blocks, kind)[_homes(agents, count)]
