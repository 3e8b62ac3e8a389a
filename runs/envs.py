"""A run's game as an environment in which one of its agents plays the partner."""

from typing import Any

import torch

from games import Referential
from games.envs import DrawingEnv, DrawingVectorEnv, Hand, Rules
from games.envs.rules import strokes_a_turn
from raster import InputError, Schedule
from runs.run import Run


def env_from(
    run: Run,
    role: str,
    *,
    turns: int = 1,
    price: float = 0.0,
    envs: int | None = None,
    part: int = 0,
    partner: int = 0,
    sure: float = 0.5,
    split: str = "test",
    render_mode: str | None = None,
) -> Any:
    """The game of a run for one learner of another kind, who takes ``role`` opposite a trained agent.

    Pictures, candidates, canvas and strokes are the run's; the agent plays as it was last saved and does not learn.

    Args:
        run: what ``runs.load`` or ``runs.launch`` gave.
        role: whom the environment's user plays; the run's agents play the other.
        turns: over how many turns a drawing is laid down; with more than one the receiver may wait.
        price: what each look costs, see ``games.envs.Rules``.
        envs: that many games side by side (``DrawingVectorEnv``); one ``DrawingEnv`` when left out.
        part: which game of a mixture.
        partner: the number of the sender or receiver who is the partner.
        sure: a receiver that may wait picks once it gives one candidate this probability, and at the last turn.
        split: of the pictures; the test's when left out.
        render_mode: ``rgb_array`` or None.

    Raises:
        InputError: no such role, agent, part or split, or a part that is no referential game.
    """
    parts = run.game.parts
    if not 0 <= part < len(parts):
        raise InputError(f"no part {part} of the game", "part", f"it has {len(parts)}, from 0")
    game = parts[part]
    if not isinstance(game, Referential):
        raise InputError(f"{game.label} is no referential game", "part", "choose another part of the run's game")
    others = run.community.senders if role == "receiver" else run.community.receivers
    if not 0 <= partner < len(others):
        raise InputError(f"no agent {partner} to play with", "partner", f"there are {len(others)}, from 0")
    strokes = run.config.sender.strokes
    canvas = run.config.canvas
    hand = Hand(
        kind=strokes.kind,
        count=strokes_a_turn(strokes.count, max(turns, 1)),
        points=strokes.control_points,
        width=None if strokes.width is None else (strokes.width.low, strokes.width.high),
        opacity=strokes.opacity,
        colour=strokes.colour,
        presence=strokes.presence,
    )
    # The ink of the step that the agents have come to.
    drawn_on = canvas.model_copy(update={"sigma2": Schedule.of(canvas.sigma2.at(run.step))})
    changes = {"game": game, "hand": hand, "canvas": drawn_on, "turns": turns, "price": price}
    rules = Rules.of("referential", changes)
    keys: dict[str, Any] = {
        "role": role,
        "rules": rules,
        "pictures": run.gallery,
        "partner": run.pair(partner, 0) if role == "receiver" else run.pair(0, partner),
        "sure": sure,
        "split": split,
        "dtype": torch.float64 if run.config.train.dtype == "float64" else torch.float32,
        "render_mode": render_mode,
    }
    return DrawingEnv(**keys) if envs is None else DrawingVectorEnv(envs, **keys)
