"""One run on many processes (``torchrun``): ranks that share a step's games, or have agents of their own."""

from runs.ranks.agents import Agents
from runs.ranks.sharing import Games, Here, Sharing, agree
from runs.ranks.world import TellsElsewhere, World, joined, started, taking_turns, world
from runs.run import Run

__all__ = [
    "Agents",
    "Games",
    "Here",
    "Sharing",
    "TellsElsewhere",
    "World",
    "agree",
    "joined",
    "sharing",
    "started",
    "taking_turns",
]


def sharing(run: Run) -> Sharing:
    """How this process shares the steps of a run, as ``train.ranks`` says; alone where it has joined no others.

    Raises:
        InputError: there is not enough to share, or agents of this run cannot be on different ranks.
    """
    here = world()
    if here is None:
        return Sharing(run)
    return Agents(run, here) if run.config.train.ranks == "agents" else Games(run, here)
