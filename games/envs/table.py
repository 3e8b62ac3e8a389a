"""B games of an environment side by side: what lies on the table, what each side sees, what a move does."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from gymnasium import spaces

from games.envs.rules import Rules, strokes_a_turn
from games.pictures import Gallery
from games.play import Players
from raster import InputError, on_paper
from raster.shapes import Bool, Float, Int, Tensor

Role = Literal["sender", "receiver"]
Seen = dict[str, Any]
"""An observation: arrays by name."""


class Table:
    """B games by the same rules, each with its own pool. Tensors on the gallery's device, observations in numpy.

    Args:
        gallery: the pictures.
        rules: of the game.
        games: B.
        partner: who plays the role that the environment's user does not; None where users play both.
        sure: a partner that may wait picks once its probability of one candidate is this high, and at the last turn.
        dtype: precision of the canvas.
    """

    def __init__(
        self,
        gallery: Gallery,
        rules: Rules,
        games: int = 1,
        partner: Players | None = None,
        sure: float = 0.5,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.gallery, self.rules, self.games, self.partner, self.sure = gallery, rules, games, partner, sure
        device, k, side = gallery.device, rules.game.candidates, rules.canvas.size
        self.pool = torch.zeros(games, k, dtype=torch.long, device=device)
        self.target, self.shown, self.turn, self.seed = (
            torch.zeros(games, dtype=torch.long, device=device) for _ in range(4)
        )
        self.canvas = torch.zeros(games, *((3,) if rules.hand.colour else ()), side, side, dtype=dtype, device=device)
        self.plan: Tensor | None = None  # [T, B, ...]: the canvases that a partner who draws will have made
        self.choice = torch.full((games,), -1, device=device)

    def space(self, role: Role) -> spaces.Space[Any]:
        """What this role sees: pictures and ink in [0, 1], float32."""
        size, side = self.gallery.size, self.rules.canvas.size
        inks = 3 if self.rules.hand.colour else 1
        seen: dict[str, spaces.Space[Any]] = {"canvas": _unit(inks, side, side)}
        if role == "sender":
            seen["photo"] = _unit(3, size, size)
        else:
            seen["candidates"] = _unit(self.rules.game.candidates, 3, size, size)
        return spaces.Dict({**seen, "turn": spaces.Discrete(self.rules.turns + 1)})

    def action(self, role: Role) -> spaces.Space[Any]:
        """What this role does: N strokes of D numbers, or one of K candidates (and K: wait)."""
        hand = self.rules.hand
        if role == "sender":
            return spaces.Box(-1.0, 1.0, (hand.count, hand.numbers), np.float32)
        return spaces.Discrete(self.rules.game.candidates + self.rules.may_wait)

    @torch.no_grad()
    def deal(self, which: Sequence[int], seeds: Sequence[int], split: str) -> None:
        """New games at these places, each from a seed of its own: a game does not hang on its neighbours."""
        rows = torch.tensor(list(which), device=self.gallery.device)
        for row, seed in zip(which, seeds, strict=True):
            dealt = self.rules.game.deal(self.gallery, split, 1, torch.Generator().manual_seed(seed))
            self.pool[row] = dealt.pool[0].to(self.pool.device)
            self.target[row], self.shown[row] = int(dealt.target[0]), int(dealt.shown[0])
            self.seed[row] = dealt.seed
        self.turn[rows], self.choice[rows], self.canvas[rows] = 0, -1, 0.0

    @torch.no_grad()
    def plan_drawings(self, which: Sequence[int]) -> None:
        """Let the partner draw these games' photos now, to be laid down turn by turn."""
        assert self.partner is not None
        rows = torch.tensor(list(which), device=self.gallery.device)
        # The noise of a partner's biases is one for all that are dealt at once, as it is in a run.
        drawing = self.partner.draw(self.gallery.view(self.shown[rows]), self._noise(int(rows[0])))
        if self.plan is None:
            self.plan = self.canvas.new_zeros(self.rules.turns, *self.canvas.shape)
        canvas: Tensor | None = None
        step = strokes_a_turn(drawing.count, self.rules.turns)
        for turn in range(self.rules.turns):
            order = torch.arange(drawing.count, device=rows.device)[turn * step : (turn + 1) * step]
            if len(order):
                canvas = self.rules.canvas.draw(drawing.select(order), 0, upon=canvas)
            assert canvas is not None
            # A partner that knows no colours draws in black where others draw in colour.
            coloured = self.canvas.ndim == 4 and canvas.ndim == 3
            self.plan[turn, rows] = canvas[:, None].expand(-1, 3, -1, -1) if coloured else canvas

    @torch.no_grad()
    def draw_as_planned(self, which: Sequence[int]) -> None:
        """The partner's next turn."""
        assert self.plan is not None
        rows = torch.tensor(list(which), device=self.gallery.device)
        self.canvas[rows] = self.plan[self.turn[rows], rows]
        self.turn[rows] += 1

    @torch.no_grad()
    def draw(self, action: np.ndarray) -> None:
        """A turn of the sender in every game: ``action`` [B, N, D] in [-1, 1]."""
        given = torch.as_tensor(np.asarray(action), device=self.canvas.device).to(self.canvas.dtype)
        self.canvas = self.rules.canvas.draw(self.rules.hand.strokes(given), 0, upon=self.canvas)
        self.turn = self.turn + 1

    @torch.no_grad()
    def choose(self) -> Int[Tensor, " b"]:
        """What the partner does as a receiver in every game: a candidate, or K to wait until it is sure."""
        assert self.partner is not None
        k = self.rules.game.candidates
        game = torch.arange(self.games, device=self.pool.device)
        pool = self.gallery.view(self.pool.flatten())
        scores = self.partner.score(self.canvas, pool, self.games, game, self._noise(0))  # [B, K]
        likely, best = scores.softmax(dim=-1).max(dim=-1)
        return torch.where((likely < self.sure) & (self.turn < self.rules.turns), k, best)

    def judge(self, choice: Int[Tensor, " b"]) -> tuple[Float[Tensor, " b"], Bool[Tensor, " b"], Bool[Tensor, " b"]]:
        """Rewards of looking once and doing ``choice``, and which games end by a pick, and by waiting too long."""
        self.choice = choice.to(self.pool.device)
        waits = self.choice == self.rules.game.candidates
        reward = (self.choice == self.target).double() - self.rules.price
        return reward, ~waits, waits & (self.turn >= self.rules.turns)

    def seen(self, role: Role) -> Seen:
        """What this role sees of all games, arrays [B, ...]."""
        ink = self.canvas.clamp(0, 1).float()
        ink = ink if self.rules.hand.colour else ink[:, None]
        found = {"canvas": ink, "turn": self.turn}
        if role == "sender":
            found["photo"] = self.gallery.pixels[self.shown].float() / 255
        else:
            found["candidates"] = self.gallery.pixels[self.pool].float() / 255
        return {name: each.cpu().numpy().copy() for name, each in found.items()}

    def seen_in(self, role: Role, game: int = 0) -> Seen:
        """What this role sees of one game."""
        return one_of(self.seen(role), game)

    def told(self, game: int = 0) -> dict[str, Any]:
        """How a game ended: the target, the choice (K: waited too long), whether it was right."""
        target, choice = int(self.target[game]), int(self.choice[game])
        return {"target": target, "choice": choice, "right": target == choice}

    def shot(self, game: int = 0) -> np.ndarray:
        """Photo, canvas, candidates for a person, uint8 [H, W, 3]: the target is framed green, a wrong pick red."""
        side = max(self.gallery.size, self.rules.canvas.size)
        paper = on_paper(self.canvas[game : game + 1].clamp(0, 1).float())
        pixels = self.gallery.pixels[torch.cat([self.shown[game : game + 1], self.pool[game]])].float() / 255
        grown = [torch.nn.functional.interpolate(each, (side, side)) for each in (pixels[:1], paper, pixels[1:])]
        tiles = (torch.cat(grown).permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()  # [2 + K, S, S, 3]
        framed = np.full((len(tiles), side + 4, side + 4, 3), 255, np.uint8)
        told = self.told(game)
        if 0 <= told["choice"] < self.rules.game.candidates:
            framed[2 + told["choice"]] = (208, 48, 48)
        framed[2 + told["target"]] = (32, 160, 64)
        framed[:, 2:-2, 2:-2] = tiles
        return np.concatenate(list(framed), axis=1)

    def _noise(self, game: int) -> torch.Generator:
        return torch.Generator().manual_seed(int(self.seed[game]))


def checked_role(role: str) -> Role:
    """The role, or an InputError that names both."""
    if role not in get_args(Role):
        raise InputError(f"no role {role!r}", "role", "sender or receiver")
    return "sender" if role == "sender" else "receiver"


def one_of(seen: Seen, game: int) -> Seen:
    """One game's part of what is seen of all."""
    return {name: int(each[game]) if name == "turn" else each[game] for name, each in seen.items()}


def _unit(*shape: int) -> spaces.Box:
    return spaces.Box(0.0, 1.0, shape, np.float32)
