"""Agents that draw and look: two faces, and the eye that they share."""

from torch import nn

from agents.receiver import ReceiverConfig
from agents.sender import SenderConfig


def one_eye(draws: SenderConfig, looks: ReceiverConfig) -> bool:
    """Whether two faces would have equal eyes."""
    mine, theirs = ((each.trunk, each.levels, each.hidden, each.dropout) for each in (draws, looks))
    return mine == theirs


def lent(agent: nn.Module, eye: nn.Module | None = None) -> nn.Module:
    """Take an agent's eye out of its parameters, and give it ``eye`` where there is one; returns what it sees with."""
    own = agent._modules.pop("eye")
    assert own is not None
    agent.__dict__["eye"] = found = own if eye is None else eye
    return found
