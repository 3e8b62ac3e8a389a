"""The game for two, as PettingZoo's ``ParallelEnv``. Imported by ``games.envs.parallel_env``: it needs the extra rl."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.utils import seeding
from pettingzoo import ParallelEnv
from pydantic import BaseModel

from games.envs.rules import Rules
from games.envs.single import checked_choice, checked_mode, checked_strokes, seed_of, table_for
from games.envs.table import Role, Seen
from games.pictures import Gallery
from raster import InputError

AGENTS: tuple[Role, ...] = ("sender", "receiver")


class DrawingParallelEnv(ParallelEnv[str, Seen, Any]):
    """Sender and receiver, both live in each tick: both act on what they see, then the canvas changes.

    In tick t the receiver sees t turns of the sender. At tick 0 there is nothing to see yet, and what it does is
    ignored; so is what the sender does in the tick after its last turn. A referential game is therefore two ticks: one
    to draw, one to pick. Both get the same reward (see ``DrawingEnv``), and both leave together.

    Args:
        game: ``referential`` or ``pictionary``: whose usual rules.
        rules: changes of these rules, key by key, or all of them.
        pictures: a gallery, or what a config says under ``pictures``; 32 px digits when left out.
        split: of the pictures; ``reset(options={"split": ...})`` takes another for one game.
        render_mode: ``rgb_array`` or None.

    Raises:
        InputError: a wrong key or split, or more candidates than there are.
    """

    metadata = {"name": "lascaux_v0", "render_modes": ["rgb_array"], "render_fps": 2, "is_parallelizable": True}  # noqa: RUF012

    def __init__(
        self,
        game: str = "referential",
        rules: Rules | Mapping[str, Any] | None = None,
        pictures: Gallery | Mapping[str, Any] | BaseModel | None = None,
        split: str = "train",
        render_mode: str | None = None,
    ) -> None:
        self.table = table_for(game, rules, pictures, None, 0.5, 1, torch.float32)
        self.render_mode, self.split = checked_mode(render_mode), split
        self.possible_agents: list[str] = list(AGENTS)
        self.agents: list[str] = []
        self.observation_spaces: dict[str, spaces.Space[Seen]] = {role: self.table.space(role) for role in AGENTS}
        self.action_spaces: dict[str, spaces.Space[Any]] = {role: self.table.action(role) for role in AGENTS}
        self._rng: np.random.Generator | None = None

    def observation_space(self, agent: str) -> spaces.Space[Seen]:
        """What this agent sees: the same object at each call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What this agent does: the same object at each call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Seen], dict[str, dict[str, Any]]]:
        """A new game. ``options["split"]`` says from which pictures; other options are ignored."""
        if seed is not None or self._rng is None:
            self._rng = seeding.np_random(seed)[0]
        self.table.deal([0], [seed_of(self._rng)], (options or {}).get("split", self.split))
        self.agents = list(AGENTS)
        return self._seen(), {role: {} for role in AGENTS}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Seen], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One tick. Raises InputError for an action that is missing or outside its space."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        missing = [role for role in AGENTS if role not in actions]
        if missing:
            raise InputError(f"no action of the {' and the '.join(missing)}", "step", "both act in each tick")
        strokes = checked_strokes(actions["sender"], self.action_spaces["sender"])
        choice = checked_choice(actions["receiver"], self.action_spaces["receiver"])
        turn = int(self.table.turn)
        reward, ended, cut = 0.0, False, False
        if turn > 0:
            judged = self.table.judge(torch.tensor([choice]))
            reward, ended, cut = float(judged[0]), bool(judged[1]), bool(judged[2])
        over = ended or cut
        if not over:
            self.table.draw(strokes[None])
        told = self.table.told() if over else {}
        self.agents = [] if over else list(AGENTS)
        return (
            self._seen(),
            dict.fromkeys(AGENTS, reward),
            dict.fromkeys(AGENTS, ended),
            dict.fromkeys(AGENTS, cut),
            {role: dict(told) for role in AGENTS},
        )

    def render(self) -> np.ndarray | None:
        """The game as a picture, uint8 [H, W, 3]; None without a render mode."""
        return self.table.shot() if self.render_mode == "rgb_array" else None

    def _seen(self) -> dict[str, Seen]:
        return {role: self.table.seen_in(role) for role in AGENTS}
