"""Traced pictures as evidence: every picture of a split beside its drawing, and the same with each control."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from games import Tracing, as_ink
from games.tracing import bce, mse
from raster import Strokes
from raster.shapes import Float, Int, Tensor
from runs.alone import Alone, play_alone
from runs.evidence import bootstrap_of_mean
from runs.run import Run

CHUNK = 128
"""Pictures drawn at once."""
CONTROLS = ("blank", "mean", "shuffled", "untrained")
"""``blank``: an empty canvas for each picture; ``mean``: the mean of all traces for each; ``shuffled``: the trace of
another picture; ``untrained``: what a sender that never learned draws of it."""
ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": mse, "bce": bce}
"""How a canvas is compared with its picture, pixel by pixel."""


@dataclass(frozen=True)
class Traces(Alone):
    """Pictures of one split, each traced once, in plays of up to ``CHUNK``; no picture twice, so they are independent.

    Attributes:
        game: what was played.
    """

    game: Tracing

    @cached_property
    def label(self) -> Int[Tensor, " n"]:
        """Their classes, [n], on the CPU."""
        return self.run.gallery.label[self.index]

    @cached_property
    def strokes(self) -> Strokes:
        """What was drawn, points [n, N, P, 2]."""
        return Strokes.cat([play.strokes for play in self.plays])

    @cached_property
    def canvas(self) -> Float[Tensor, "n *inks h w"]:
        """The drawings as ink."""
        return torch.cat([play.canvas for play in self.plays])

    @cached_property
    def wanted(self) -> Float[Tensor, "n *inks h w"]:
        """The pictures as ink."""
        return ink_of(self.run, self.index)

    @cached_property
    def fresh(self) -> Strokes:
        """What senders that never learned draw of the same pictures (another seed's fresh weights)."""
        run = self.run
        community = run.build_community(run.config.seed + 1)
        drawn = []
        with torch.no_grad():
            for play, (sender, _) in zip(self.plays, self.pairs, strict=True):
                pair = community.pair(sender, 0, run.biases, run.step, training=False)
                drawn.append(pair.draw(run.gallery.view(play.round.shown), play.round.generator()))
        return Strokes.cat(drawn)

    @cached_property
    def untrained(self) -> Float[Tensor, "n *inks h w"]:
        """``fresh`` as ink."""
        with torch.no_grad():
            return self.run.config.canvas.draw(self.fresh, self.run.step)

    def control(self, name: str) -> Float[Tensor, "n *inks h w"]:
        """What stands in the place of each drawing under a control of ``CONTROLS``."""
        if name == "untrained":
            return self.untrained
        if name == "blank":
            return torch.zeros_like(self.canvas)
        if name == "mean":
            return self.canvas.mean(dim=0, keepdim=True).expand_as(self.canvas)
        return self.canvas.roll(1, dims=0)

    def errors(self, canvas: Float[Tensor, "n *inks h w"] | None = None) -> dict[str, Float[Tensor, " n"]]:
        """Each error of each picture, of its trace or of another canvas in its place."""
        drawn = self.canvas if canvas is None else canvas
        return {name: each(drawn, self.wanted) for name, each in ERRORS.items()}

    def means(self) -> dict[str, float]:
        """The mean of each error over the pictures."""
        return {name: float(each.double().mean()) for name, each in self.errors().items()}

    def interval(self, values: Float[Tensor, " n"]) -> tuple[float, float]:
        """95 % interval of the mean of a number each picture has (percentile bootstrap over pictures)."""
        return bootstrap_of_mean([each[None] for each in values.detach().cpu()])


def ink_of(run: Run, index: Int[Tensor, " n"]) -> Float[Tensor, "n *inks h w"]:
    """Pictures of a run's gallery as the canvas that a perfect trace of them would be."""
    assert isinstance(run.game, Tracing)
    rgb = run.gallery.view(index.to(run.gallery.device)).pixels()
    dtype = torch.float64 if run.config.train.dtype == "float64" else torch.float32
    colour = run.config.sender.strokes.colour
    return as_ink(rgb.to(dtype), run.game.ink, run.config.canvas.size, colour)


def trace_split(run: Run, split: str) -> Traces:
    """Trace the pictures of a split (at most ``measure.pictures``, a fixed random sample), without learning.

    Args:
        run: who draws; of several senders those who can play take turns, chunk by chunk.
        split: of the gallery.
    """
    game = run.game
    assert isinstance(game, Tracing)
    return Traces(run, game, split, *play_alone(run, split, CHUNK))


def ratio(of: Float[Tensor, " n"], to: Float[Tensor, " n"], seed: int = 0) -> tuple[float, float, float]:
    """The mean of one number over the mean of another, both of the same pictures, with its 95 % interval (percentile
    bootstrap over pictures); NaN where the second is 0 throughout.
    """
    pairs = np.stack([of.double().cpu().numpy(), to.double().cpu().numpy()])  # [2, n]
    count = pairs.shape[1]
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), 2000)  # [2000, n]
    above, below = pairs @ weights.T
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = np.nanquantile(above / below, [0.025, 0.975]) if below.any() else (np.nan, np.nan)
        value = pairs[0].mean() / pairs[1].mean() if pairs[1].any() else np.nan
    return float(value), float(low), float(high)
