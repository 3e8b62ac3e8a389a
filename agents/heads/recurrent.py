"""``recurrent``: stroke after stroke, seeing the picture's places and the canvas so far."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from agents.heads.config import RecurrentHead, StrokesConfig
from agents.heads.hand import numbers, start, to_strokes
from agents.heads.sight import Attention, Places, Sight
from agents.moment import Moment
from raster import CanvasConfig, Strokes
from raster.shapes import Float, Tensor

#: Pixels on a side of the squares that a look at the canvas begins with.
PATCH = 4


class Look(nn.Module):
    """The canvas so far to a vector [B, width]: a small convnet and a layer upon it.

    The first convolution is over squares that do not overlap, each a row of one matrix product: torch's own, of
    squares that do, costs a CPU more than all else in a drawing (its gradient above all), and it would be paid at
    every step. The others are 3x3 with stride 2. A canvas of another size than a multiple of the square ends in paper.
    """

    def __init__(self, inks: int, size: int, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.first = nn.Linear(inks * PATCH**2, channels[0])
        self.rest = nn.ModuleList(nn.Conv2d(before, after, 3, 2, 1) for before, after in itertools.pairwise(channels))
        side = -(-size // PATCH)
        self.over = side * PATCH - size
        for _ in self.rest:
            side = (side - 1) // 2 + 1
        self.out = nn.Linear(channels[-1] * side**2, width)

    def forward(self, canvas: Float[Tensor, "b inks h w"]) -> Float[Tensor, "b d"]:
        """What B canvases look like."""
        squares = F.pad(canvas, (0, self.over, 0, self.over)).unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))
        rows = squares.permute(0, 2, 4, 1, 3, 5).flatten(3)  # [B, h / 4, w / 4, inks 16]
        x = torch.relu(self.first(rows)).permute(0, 3, 1, 2)
        for each in self.rest:
            x = torch.relu(each(x))
        return torch.relu(self.out(x.flatten(1)))


@dataclass(frozen=True)
class Midway:
    """A drawing that a recurrent hand has begun.

    Attributes:
        memory: keys and values of the picture's places, projected once.
        state: the cell's, [B, width].
        drawn: strokes that stand already.
    """

    memory: tuple[Tensor, Tensor]
    state: Float[Tensor, "b width"]
    drawn: int


class Recurrent(nn.Module):
    """A recurrent cell (GRU) that looks, draws ``per_step`` strokes, and looks again.

    At each step its state attends to the places of the picture, a small convnet sees the canvas as it is, and both
    move the state, from which the next strokes come. It learns where its earlier strokes went through the canvas
    alone, and all of it is differentiable: a stroke is also judged by what it makes the later ones do. It sees the
    strokes as they were meant; what a bias does to the hand (``Bias.move``) is done to the whole drawing afterwards.

    The canvas is the run's, and the new strokes are drawn upon it, so a drawing costs its strokes once, and a look at
    the canvas for each step.

    Args:
        config: the head.
        strokes: what it draws with.
        shapes: (C, h, w) of each map of a ``Sight``.
        vector: length of its vector.
        canvas: what it draws on.
        hears: numbers that it is told before it goes on with a drawing; 0 where nobody tells it anything.
    """

    attends = True

    def __init__(
        self,
        config: RecurrentHead,
        strokes: StrokesConfig,
        shapes: list[tuple[int, int, int]],
        vector: int,
        canvas: CanvasConfig,
        hears: int = 0,
    ) -> None:
        super().__init__()
        self.config, self.strokes, self.canvas = config, strokes, canvas
        width = config.width
        self.places = Places(shapes, vector, width)
        self.begin = nn.Linear(vector, width)
        self.attention = Attention(width, config.heads)
        self.look = Look(strokes.inks, canvas.size, config.channels, width)
        self.cell = nn.GRUCell(2 * width, width)
        self.out = nn.Linear(width, config.per_step * numbers(strokes), bias=False)  # `start` is a bias a stroke
        with torch.no_grad():
            self.out.weight.mul_(0.5)
        self.start = nn.Parameter(start(strokes))
        self.ear = (
            nn.Linear(hears, width, bias=False) if hears else None
        )  # last, so that without it all else starts the same

    def draw(self, sight: Sight, moment: Moment) -> Strokes:
        """Strokes [B, N] of B pictures, in the order in which they were drawn."""
        return self.more(self.set_out(sight), None, self.strokes.count, moment)[0]

    def set_out(self, sight: Sight) -> Midway:
        """Look at B pictures, with the pen in the air."""
        return Midway(self.attention.remember(self.places(sight)), torch.tanh(self.begin(sight.vector)), 0)

    def more(
        self,
        at: Midway,
        canvas: Float[Tensor, "b *ink h w"] | None,
        count: int,
        moment: Moment,
        heard: Float[Tensor, "b hears"] | None = None,
    ) -> tuple[Strokes, Midway]:
        """The next ``count`` strokes (fewer where N is reached) upon a canvas as it stands, and where that leaves it.

        Args:
            at: what ``set_out`` or the last ``more`` gave.
            canvas: what is on the paper, whoever put it there; None: nothing.
            count: how many strokes, 1 or more.
            moment: schedules and noise.
            heard: what it is told now, for a head that ``hears``; nothing is like being told zeros.
        """
        until, state = min(at.drawn + count, self.strokes.count), at.state
        if canvas is None:
            channels = (3,) if self.strokes.colour else ()
            canvas = state.new_zeros(len(state), *channels, self.canvas.size, self.canvas.size)
        told = None if self.ear is None or heard is None else self.ear(heard)  # [B, width]
        drawn = []
        for first in range(at.drawn, until, self.config.per_step):
            found = self.attention(state[:, None], at.memory)[:, 0]  # [B, width]
            look = self.look(canvas if self.strokes.colour else canvas[:, None])  # [B, width]
            state = self.cell(torch.cat([found, look if told is None else look + told], dim=-1), state)
            raw = self.out(state).unflatten(-1, (self.config.per_step, -1))
            own = self.start[first : min(first + self.config.per_step, until)]  # fewer at the end of a turn, perhaps
            strokes = to_strokes(raw[:, : len(own)] + own, self.strokes, moment)
            drawn.append(strokes)
            if first + self.config.per_step < until:  # nobody looks after the last
                canvas = self.canvas.draw(strokes, moment.step, upon=canvas)
        return Strokes.cat(drawn, dim=1), Midway(at.memory, state, until)
