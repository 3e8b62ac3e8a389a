"""Many games for one, side by side, as ``gymnasium.vector.VectorEnv``: one rasteriser call and one partner's a step."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from pydantic import BaseModel

from games.envs.rules import Rules
from games.envs.single import checked_mode, checked_role, checked_strokes, seed_of, table_for
from games.envs.table import Role, Seen, one_of
from games.pictures import Gallery
from games.play import Players
from raster import InputError


class DrawingVectorEnv(gymnasium.vector.VectorEnv[Seen, np.ndarray, np.ndarray]):
    """``num_envs`` games of ``DrawingEnv`` at once, each the same as that environment with its seed would play.

    A game that ends is followed by the next in the same step (``AutoresetMode.SAME_STEP``; games are so short that
    a step apart would waste up to half of them): observations are then those of the new game, ``infos["final_obs"]``
    and ``infos["final_info"]`` tell the end of the old one.

    Args:
        num_envs: how many games, B.
        game: and all that follows: see ``DrawingEnv``.
    """

    metadata = {  # noqa: RUF012 (gymnasium's own form)
        "render_modes": ["rgb_array"],
        "render_fps": 2,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
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
        if num_envs < 1:
            raise InputError(f"{num_envs} games", "num_envs", "at least 1")
        self.num_envs, self.role, self.render_mode = num_envs, checked_role(role), checked_mode(render_mode)
        self.split, self._split = split, split
        self.table = table_for(game, rules, pictures, partner, sure, num_envs, dtype)
        role_is: Role = self.role
        self.single_observation_space = self.table.space(role_is)
        self.single_action_space = self.table.action(role_is)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._rngs: list[np.random.Generator] | None = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        """New games everywhere, or where ``options["reset_mask"]`` (bool [B]) says so.

        ``seed`` seeds game after game: a number, the first of B, or one each. ``options["split"]`` holds until the next
        reset, for the games that follow by themselves too.
        """
        options = options or {}
        if seed is None or isinstance(seed, (int, np.integer)):
            seeds = [None if seed is None else int(seed) + number for number in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise InputError(f"{len(seeds)} seeds for {self.num_envs} games", "reset", "give one each")
        if self._rngs is None:
            self._rngs = [gymnasium.utils.seeding.np_random()[0] for _ in seeds]
        mask = options.get("reset_mask")
        if mask is not None and (np.shape(mask) != (self.num_envs,) or not np.any(mask)):
            raise InputError("a reset_mask of another shape, or all False", "reset", f"bool [{self.num_envs}]")
        which = [number for number in range(self.num_envs) if mask is None or bool(mask[number])]
        for number in which:
            if (own := seeds[number]) is not None:
                self._rngs[number] = gymnasium.utils.seeding.np_random(own)[0]
        self._split = options.get("split", self.split)
        self._deal(which)
        return self.table.seen(self.role), {}

    def step(self, actions: Any) -> tuple[Seen, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """A move in every game. Raises InputError for actions outside the action space, and before the first reset."""
        if self._rngs is None:
            raise InputError("no game has begun", "step", "reset the environment")
        if self.role == "sender":
            self.table.draw(checked_strokes(actions, self.action_space))
            choice = self.table.choose()
        else:
            given = np.asarray(actions)
            if not self.action_space.contains(given.astype(np.int64) if given.dtype.kind in "iu" else given):
                raise InputError(f"no choices {actions!r}", "step", f"expected actions of {self.action_space}")
            choice = torch.from_numpy(given.astype(np.int64))
        reward, ended, cut = (each.cpu().numpy() for each in self.table.judge(choice))
        over = ended | cut
        infos: dict[str, Any] = {}
        if over.any():
            last = self.table.seen(self.role)
            for number in over.nonzero()[0].tolist():
                final = {"final_obs": one_of(last, number), "final_info": self.table.told(number)}
                infos = self._add_info(infos, final, number)
        if self.role == "receiver" and not over.all():
            self.table.draw_as_planned((~over).nonzero()[0].tolist())
        if over.any():
            self._deal(over.nonzero()[0].tolist())
        return self.table.seen(self.role), reward, ended, cut, infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """A picture of each game, uint8 [H, W, 3]; None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self.table.shot(number) for number in range(self.num_envs))

    def _deal(self, which: Sequence[int]) -> None:
        assert self._rngs is not None
        self.table.deal(which, [seed_of(self._rngs[number]) for number in which], self._split)
        if self.role == "receiver":
            self.table.plan_drawings(which)
            self.table.draw_as_planned(which)
