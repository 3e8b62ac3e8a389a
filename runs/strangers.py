"""The agents of another run, who are to come into a community: read without running code, and checked."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from torch import nn

from agents.groups import configs_of
from raster import InputError
from raster.shapes import Tensor
from runs import checkpoint
from runs.config import Config
from runs.folder import Folder
from runs.loading import diff
from runs.loading import load as load_config


@dataclass(frozen=True)
class Stranger:
    """An agent of another run.

    Attributes:
        name: its name there (``senders.3``).
        config: what it is.
        weights: all of its tensors by name, on the CPU.
    """

    name: str
    config: BaseModel
    weights: dict[str, Tensor]

    @property
    def slot(self) -> int:
        """Its number there."""
        return int(self.name.partition(".")[2])

    def other_than(self, agent: nn.Module) -> str | None:
        """What is different in the architecture of ``agent``, in a few words; None where it can take these weights."""
        if self.config != agent.config:
            return "; ".join(diff(agent.config, self.config)[:2])  # type: ignore[arg-type]
        own = agent.state_dict()
        if own.keys() != self.weights.keys():
            return f"it has no {min(own.keys() ^ self.weights.keys())}, or is the only one that has"
        for key, value in own.items():
            if value.shape != self.weights[key].shape:
                return f"{key}: {tuple(value.shape)} -> {tuple(self.weights[key].shape)}"
        return None


@dataclass(frozen=True)
class Strangers:
    """All agents of another run that lived when it was last saved, slot by slot.

    Attributes:
        senders: those who draw.
        receivers: those who look.
        content: a hash (SHA-256) of their names and weights.
    """

    senders: list[Stranger]
    receivers: list[Stranger]
    content: str


def strangers_of(path: Path) -> Strangers:
    """Read the agents of a run from its newest checkpoint: tensors and YAML, nothing that runs.

    Raises:
        InputError: no run there, no checkpoint, a damaged one, or a config that does not fit it.
    """
    folder = Folder.of_run(path)
    config = load_config(Config, folder.config, []).config
    found = checkpoint.load(folder.checkpoints)
    if found is None:
        raise InputError("the run has no checkpoint", path, "let it run to its first one, or name another run")
    weights, state = found
    community, content = config.community, hashlib.sha256()
    partner = config.partner
    kinds: dict[str, Sequence[BaseModel]] = {
        "senders": configs_of(community.groups, config.sender, community.senders),
        "receivers": [] if partner is None else configs_of(community.groups, partner, community.receivers),
    }
    by_agent: dict[str, dict[str, Tensor]] = {}
    for key, value in sorted(weights.items()):
        side, slot, name = [*key.split(".", 2), "", ""][:3]
        by_agent.setdefault(f"{side}.{slot}", {})[name] = value
        content.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        content.update(value.numpy().tobytes())
    members: dict[str, list[Stranger]] = {}
    for side, configs in kinds.items():
        try:
            there = state["life"]["present"][side].tolist()
        except (KeyError, TypeError, AttributeError):
            raise InputError(
                "the state says nothing of who lives there", folder.checkpoints, checkpoint.DAMAGED
            ) from None
        members[side] = [
            Stranger(f"{side}.{slot}", each, by_agent[f"{side}.{slot}"])
            for slot, each in enumerate(configs)
            if slot < len(there) and there[slot] and f"{side}.{slot}" in by_agent
        ]
    return Strangers(members["senders"], members["receivers"], content.hexdigest())
