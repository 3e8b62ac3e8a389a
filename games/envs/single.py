"""A game for one, as ``gymnasium.Env``: the other role is played by a partner."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from pydantic import BaseModel

from games.envs.rules import Rules, pictures_of
from games.envs.scripted import Scripted
from games.envs.table import Role, Seen, Table, checked_role
from games.pictures import Gallery
from games.play import Players
from raster import InputError


class DrawingEnv(gymnasium.Env[Seen, Any]):
    """One game after another, in one role; a step is a move of this role that counts.

    A **receiver** is reset to a canvas on which the partner has drawn its first turn; it picks a candidate, or waits
    and sees the next turn. A **sender** is reset to a photo and a blank canvas; each step adds its strokes, and the
    partner picks or waits. Who picks ends the game: 1 for the target, 0 for another, less ``rules.price`` a look. After
    ``rules.turns`` looks without a pick the game is truncated.

    Observations are a ``Dict`` of float32 in [0, 1]: ``canvas`` [1 or 3, S, S] (ink: 0 is paper), ``turn`` (how many
    turns have been drawn), and ``photo`` [3, H, W] or ``candidates`` [K, 3, H, W]. The info of a last step holds
    ``target``, ``choice`` and ``right``; other infos are empty.

    Args:
        game: ``referential`` or ``pictionary``: whose usual rules.
        role: ``receiver`` or ``sender``: which of the two this is.
        rules: changes of these rules, key by key, or all of them.
        pictures: a gallery, or what a config says under ``pictures``; 32 px digits when left out.
        partner: who plays the other role; a ``Scripted`` one when left out.
        sure: a partner that may wait picks once its probability of one candidate is this high, and at the last turn.
        split: of the pictures; ``reset(options={"split": ...})`` takes another for one game.
        dtype: precision of the partner.
        render_mode: ``rgb_array`` or None.

    Raises:
        InputError: a wrong key, role or split, or more candidates than there are.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012 (gymnasium's own form)

    def __init__(
        self,
        game: str = "referential",
        role: str = "receiver",
        rules: Rules | Mapping[str, Any] | None = None,
        pictures: Gallery | Mapping[str, Any] | BaseModel | None = None,
        partner: Players | None = None,
        sure: float = 0.5,
        split: str = "train",
        dtype: torch.dtype = torch.float32,
        render_mode: str | None = None,
    ) -> None:
        self.role: Role = checked_role(role)
        self.render_mode, self.split = checked_mode(render_mode), split
        self.table = table_for(game, rules, pictures, partner, sure, 1, dtype)
        self.observation_space: spaces.Space[Seen] = self.table.space(self.role)
        self.action_space: spaces.Space[Any] = self.table.action(self.role)
        self._over = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """A new game. ``options["split"]`` says from which pictures; other options are ignored."""
        super().reset(seed=seed)
        split = (options or {}).get("split", self.split)
        self.table.deal([0], [seed_of(self.np_random)], split)
        if self.role == "receiver":
            self.table.plan_drawings([0])
            self.table.draw_as_planned([0])
        self._over = False
        return self.table.seen_in(self.role), {}

    def step(self, action: Any) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """One move. Raises InputError for an action outside the action space, and once the game is over."""
        if self._over:
            raise InputError("this game is over", "step", "reset the environment")
        if self.role == "sender":
            self.table.draw(checked_strokes(action, self.table.action("sender"))[None])
            choice = self.table.choose()
        else:
            choice = torch.tensor([checked_choice(action, self.action_space)])
        reward, ended, cut = self.table.judge(choice)
        self._over = bool(ended) or bool(cut)
        if self.role == "receiver" and not self._over:
            self.table.draw_as_planned([0])
        told = self.table.told() if self._over else {}
        return self.table.seen_in(self.role), float(reward), bool(ended), bool(cut), told

    def render(self) -> np.ndarray | None:
        """The game as a picture, uint8 [H, W, 3]; None without a render mode."""
        return self.table.shot() if self.render_mode == "rgb_array" else None


def table_for(
    game: str,
    rules: Rules | Mapping[str, Any] | None,
    pictures: Gallery | Mapping[str, Any] | BaseModel | None,
    partner: Players | None,
    sure: float,
    games: int,
    dtype: torch.dtype,
) -> Table:
    """The table of an environment, with a scripted partner where none is given."""
    whole = Rules.of(game, rules)
    if partner is None:
        partner = Scripted(strokes=whole.hand.count * whole.turns)
    return Table(pictures_of(pictures), whole, games, partner, sure, dtype)


def seed_of(rng: np.random.Generator) -> int:
    """The seed of one game, from an environment's generator."""
    return int(rng.integers(2**62))


def checked_mode(mode: str | None) -> str | None:
    """A render mode that there is."""
    if mode not in (None, "rgb_array"):
        raise InputError(f"no render mode {mode!r}", "render_mode", "rgb_array, or none")
    return mode


def checked_strokes(action: Any, space: spaces.Space[Any]) -> np.ndarray:
    """A sender's action of the right shape, finite; what is beyond [-1, 1] is clipped when it is drawn."""
    given = np.asarray(action, dtype=np.float64)
    if given.shape != space.shape:
        raise InputError(f"strokes of shape {list(given.shape)}", "step", f"expected {list(space.shape or ())}")
    if not np.isfinite(given).all():
        raise InputError("strokes that are not all numbers", "step", "look for nan in the policy")
    return given


def checked_choice(action: Any, space: spaces.Space[Any]) -> int:
    """A receiver's action that is one of its candidates, or to wait."""
    given = np.asarray(action)
    if given.ndim or given.dtype.kind not in "iu" or not space.contains(np.int64(given)):
        raise InputError(f"no choice {action!r}", "step", f"expected an action of {space}")
    return int(given)
