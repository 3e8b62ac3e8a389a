"""Games as environments of gymnasium and PettingZoo: for reinforcement learning, for its checkers, for other libraries.

Importing this registers ``lascaux/Referential-v0`` and ``lascaux/Pictionary-v0`` with gymnasium. An environment speaks
numpy, so no gradient passes through it: agents that draw through the rasteriser's gradient are trained by ``runs``.
"""

from typing import Any

from games.envs.registration import IDS, register
from games.envs.rules import Hand, Rules
from games.envs.scripted import Scripted
from games.envs.single import DrawingEnv
from games.envs.vector import DrawingVectorEnv
from raster import InputError

__all__ = ["IDS", "DrawingEnv", "DrawingVectorEnv", "Hand", "Rules", "Scripted", "parallel_env", "register"]

register()


def parallel_env(**keys: Any) -> Any:
    """The game for two as PettingZoo's ``ParallelEnv``: ``games.envs.parallel.DrawingParallelEnv(**keys)``.

    Raises:
        InputError: PettingZoo is not installed, or a key is wrong.
    """
    try:
        import pettingzoo  # noqa: F401
    except ImportError as error:
        do = "pip install 'lascaux[rl]', or take gymnasium.make('lascaux/Referential-v0')"
        raise InputError("an environment for two needs the package pettingzoo", None, do) from error
    from games.envs.parallel import DrawingParallelEnv

    return DrawingParallelEnv(**keys)
