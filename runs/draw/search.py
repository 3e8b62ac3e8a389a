"""The search for drawings, step by step. Everything that the next steps depend on is in its ``state``."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from agents.heads.hand import laid
from agents.starts import coloured, idle, planted, tangents, wanting, worth
from raster import Strokes
from raster.shapes import Bool, Float, Tensor
from runs import checkpoint
from runs.draw.studio import Look, Studio


class Search:
    """Adam on every stroke of every drawing at once; the best look at each is kept.

    Attributes:
        step: steps done.
        best: what each drawing cost at its best look, [M]; infinity before the first.
        costs: the same by bias, [M] each.
        kept: the parameters at that look, by name, [M, ...].
        frames: the strokes at some steps (``frames_at``), for the film: (step, parameters by name).
        newest: the newest numbers, means over pictures of their best seed.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio, self.config = studio, studio.config
        self.step = 0
        # One kernel for all parameters where there is one.
        fused = studio.device.type in {"cpu", "cuda"}
        self.names = list(studio.free.raw)
        groups: list[dict[str, Any]] = [{"params": [studio.free.raw[name]]} for name in self.names]
        learned = list(studio.kept.parameters())
        groups += [{"params": learned}] if learned else []
        self.rates = [getattr(self.config.lr, name) for name in self.names] + [self.config.lr.kept] * bool(learned)
        self.optimiser = torch.optim.Adam(groups, lr=self.config.lr.points, fused=fused)
        self.dealing = torch.Generator().manual_seed(self.config.seed)
        count = studio.drawings
        self.best = torch.full((count,), math.inf, device=studio.device)
        self.costs: dict[str, Tensor] = {}
        self.kept = {name: value.detach().clone() for name, value in studio.free.raw.items()}
        self.bettered = 0
        self.frames: list[tuple[int, dict[str, Tensor]]] = []
        self.newest: dict[str, float] = {}
        self.seconds = 0.0

    def lr_at(self, step: int) -> float:
        """The step size at a step as a part of its height: flat, then a cosine down to ``floor``."""
        config = self.config
        start = int(config.flat * config.steps)
        if step < start:
            return 1.0
        done = (step - start) / max(1, config.steps - start)
        return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * done))

    @property
    def done(self) -> bool:
        """Whether all steps are taken, or nothing has become better for long."""
        config = self.config
        return self.step >= config.steps or self.step - max(self.bettered, config.settled) >= config.patience

    def advance(self) -> None:
        """One step, and every ``look_every`` a look; strokes that do nothing are moved. Look before the first."""
        config, studio = self.config, self.studio
        if self.step in self._frames_at:
            self.frames.append((self.step, {name: value.detach().clone() for name, value in studio.free.raw.items()}))
        look = studio.look(self.step, self.dealing)
        self.optimiser.zero_grad(set_to_none=True)
        if look.total.requires_grad:  # lines have no bends: alone, ``smooth`` asks nothing of them
            look.total.sum().backward()
        studio.trunks.forget()
        share = self.lr_at(self.step)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.optimiser.step()
        studio.free.keep()
        studio.remember(look.play)
        self.step += 1
        moving = config.relocate
        if moving is not None and self.step % moving.every == 0 and self.step <= moving.until * config.steps:
            self._relocate()
        if self.step % config.look_every == 0 or self.step == config.steps:
            self.look()

    @torch.no_grad()
    def look(self) -> None:
        """Look at all drawings as they would be kept, and keep those that are better than ever."""
        studio = self.studio
        # Always the same noise: a drawing is not better because its crops were kind.
        found = studio.look(self.step, torch.Generator().manual_seed(self.config.seed), final=True)
        studio.trunks.forget()
        better = found.total < self.best
        clearly = found.total < self.best * (1 - self.config.tolerance)
        self.costs = {name: torch.where(better, cost, self.costs.get(name, cost)) for name, cost in found.costs.items()}
        self.best = torch.where(better, found.total, self.best)
        for name, value in studio.free.raw.items():
            rows = better.reshape(-1, *([1] * (value.ndim - 1)))
            self.kept[name] = torch.where(rows, value.detach(), self.kept[name])
        if bool(clearly.any()):
            self.bettered = self.step
        chosen = self.chosen()
        self.newest = {"cost": float(self.best[chosen].mean())}
        self.newest |= {name: float(cost[chosen].mean()) for name, cost in self.costs.items()}

    def chosen(self) -> Tensor:
        """The number of the best drawing of each picture, [B]."""
        seeds = self.config.seeds
        best = self.best.reshape(-1, seeds).argmin(1)
        return best + seeds * torch.arange(len(best), device=best.device)

    @torch.no_grad()
    def drawn(self) -> tuple[Strokes, Tensor | None]:
        """The best drawing of each picture, points [B, N, P, 2], and the ink of its paper (``Free.paper``).

        Where the order of strokes does not matter to the canvas, those that are worth most come first.
        """
        free, chosen = self.studio.free, self.chosen()
        with _set_to(free.raw, self.kept):
            strokes, paper = free.strokes(training=False).detach(), free.paper()
            order = self._order() if self.config.canvas.compose != "over" else None
        found = strokes[chosen]
        if order is not None:
            found = reordered(found, order[chosen])
        return found, None if paper is None else paper[chosen]

    def film(self) -> list[tuple[int, Strokes, Tensor | None]]:
        """The chosen drawings at each frame, and the last: (step, strokes, paper)."""
        free, chosen = self.studio.free, self.chosen()
        found = []
        for step, values in [*self.frames, (self.step, self.kept)]:
            with torch.no_grad(), _set_to(free.raw, values):
                paper = free.paper()
                strokes = free.strokes(training=False).detach()[chosen]
                found.append((step, strokes, None if paper is None else paper[chosen]))
        return found

    def state(self) -> dict[str, Any]:
        """Everything beside the parameters that the next steps depend on, and what was found so far."""
        return {
            "optimiser": self.optimiser.state_dict(),
            "dealing": self.dealing.get_state(),
            "best": self.best,
            "costs": self.costs,
            "kept": self.kept,
            "bettered": self.bettered,
            "frames": [[step, values] for step, values in self.frames],
            "newest": self.newest,
            "seconds": self.seconds,
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        """Go back to a ``state`` that was saved after ``step`` steps.

        Raises KeyError, TypeError or ValueError for a state that is damaged or of other drawings.
        """
        checkpoint.restore_optimiser(self.optimiser, state["optimiser"])
        if {name: value.shape for name, value in state["kept"].items()} != {
            name: value.shape for name, value in self.kept.items()
        } or state["best"].shape != self.best.shape:
            raise ValueError("drawings of another shape")
        self.dealing.set_state(state["dealing"])
        device = self.studio.device
        self.best = state["best"].to(device)
        self.costs = {name: value.to(device) for name, value in state["costs"].items()}
        self.kept = {name: value.to(device) for name, value in state["kept"].items()}
        self.bettered, self.seconds = state["bettered"], state["seconds"]
        frames = state["frames"]
        self.frames = [(at, {name: value.to(device) for name, value in values.items()}) for at, values in frames]
        self.newest = state["newest"]
        self.step = step

    @property
    def _frames_at(self) -> frozenset[int]:
        """Steps at which a frame is taken: closer together at the beginning, where the drawing changes fast."""
        film = self.config.film
        if film.format == "none":
            return frozenset()
        last = film.frames - 1
        return frozenset(int(self.config.steps * (number / last) ** 2) for number in range(last))

    def _relocate(self) -> None:
        """Take strokes that do nothing to where ink is wanted, lying along it, with no momentum."""
        moving, studio, free = self.config.relocate, self.studio, self.studio.free
        assert moving is not None
        look = studio.look(self.step, self.dealing, weigh=True)
        which, density = self._moved(look)
        studio.trunks.forget()
        ends = planted(density, tangents(density), which.shape[1], moving.length, self.dealing)
        points = free.raw["points"]
        fresh = Strokes(laid(ends, free.kind, points.shape[2]).to(points), free.kind, knots=free.knots)
        if self.config.strokes.colour:
            fresh = coloured(fresh, look.play.photo.pixels())
        free.replant(which, fresh)
        for name in self.names:
            if name != "paper":
                state = self.optimiser.state.get(free.raw[name], {})  # none where no cost has moved it yet
                for moment in state.keys() & {"exp_avg", "exp_avg_sq"}:
                    state[moment][which] = 0.0

    def _moved(self, look: Look) -> tuple[Bool[Tensor, "m n"], Float[Tensor, "m h w"]]:
        moving = self.config.relocate
        assert moving is not None
        assert look.weights is not None
        which = idle(worth(look.total, look.weights), moving.share, moving.idle)
        return which, wanting(look.total, look.play.canvas)

    def _order(self) -> Tensor:
        """Strokes of each drawing by what they are worth, most first, [M, N]."""
        with torch.enable_grad():
            seed = torch.Generator().manual_seed(self.config.seed)
            look = self.studio.look(self.step, seed, final=True, weigh=True)
            assert look.weights is not None
            value = worth(look.total, look.weights)
        self.studio.trunks.forget()
        return value.argsort(dim=1, descending=True, stable=True)


def reordered(strokes: Strokes, order: Tensor) -> Strokes:
    """Each sketch's strokes in an order of its own, [B, N]."""
    return Strokes.cat([strokes[row : row + 1].select(own) for row, own in enumerate(order)])


@contextmanager
def _set_to(raw: nn.ParameterDict, values: dict[str, Tensor]) -> Iterator[None]:
    """Other values in the parameters for a while."""
    own = {name: value.detach().clone() for name, value in raw.items()}
    try:
        with torch.no_grad():
            for name, value in raw.items():
                value.copy_(values[name])
        yield
    finally:
        with torch.no_grad():
            for name, value in raw.items():
                value.copy_(own[name])
