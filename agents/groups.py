"""Agents that differ: groups with configs of their own on top of the run's."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from agents.bias import AnyBias, Bias
from agents.describer import DescriberConfig
from agents.receiver import ReceiverConfig
from agents.sender import SenderConfig

Agent = TypeVar("Agent", bound=SenderConfig | ReceiverConfig | DescriberConfig)


class Group(BaseModel):
    """Agents that are alike, and unlike those of other groups. The first group has the first slots, and so on."""

    # Deferred, for its schema asks for every bias, and those of other packages import this one.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)

    senders: int = Field(0, ge=0)
    """How many senders are of this group."""
    receivers: int = Field(0, ge=0)
    """How many receivers."""
    sender: dict[str, Any] = Field(default_factory=dict)
    """What its senders have instead of the run's ``sender``: some of its keys. Another ``kind`` replaces what stands
    under it whole."""
    receiver: dict[str, Any] = Field(default_factory=dict)
    """Likewise, of its receivers, or of its describers where the game has those."""
    biases: tuple[AnyBias, ...] | None = None
    """What pushes them, in place of the run's ``biases``: what its agents see, what its senders' hands do, and what
    their drawings cost. [] for none; the run's when left out."""
    lr: float = Field(1.0, gt=0, le=100)
    """Their step size, as a part of the run's."""
    learns: float = Field(1.0, ge=0, le=1)
    """Probability that one of them learns from a step in which it plays: how fast it is (Rita et al. 2022, whose speeds
    are such probabilities)."""


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested keys with some of them changed; where ``kind`` becomes another one nothing of the old stays beside it.

    >>> merged({"hidden": 4, "head": {"kind": "set", "width": 8}}, {"head": {"width": 2}})
    {'hidden': 4, 'head': {'kind': 'set', 'width': 2}}
    >>> merged({"head": {"kind": "set", "width": 8}}, {"head": {"kind": "onepass"}})
    {'head': {'kind': 'onepass'}}
    """
    found = dict(base)
    for key, value in changes.items():
        old = found.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            kind = old.get("kind")
            value = merged(old if value.get("kind", kind) == kind else {}, value)
        found[key] = value
    return found


def configs_of(groups: Sequence[Group], base: Agent, count: int) -> list[Agent]:
    """The config of each of ``count`` senders, or receivers, slot by slot; ``base`` for all where there are no groups.

    Raises:
        ValueError: a group's keys are none of an agent's (pydantic says which).
    """
    senders = isinstance(base, SenderConfig)
    found: list[Agent] = []
    for group in groups:
        changes = group.sender if senders else group.receiver
        own = cast(Agent, type(base).model_validate(merged(base.model_dump(), changes))) if changes else base
        found += [own] * (group.senders if senders else group.receivers)
    return found or [base] * count


def group_of(groups: Sequence[Group], senders: bool, slot: int) -> Group:
    """The group of a slot; where there are none, one in which nothing is special."""
    upto = 0
    for group in groups:
        upto += group.senders if senders else group.receivers
        if slot < upto:
            return group
    return Group()


def all_biases(groups: Sequence[Group], base: Sequence[Bias]) -> list[Bias]:
    """Every bias of a run, in the order of their numbers: the run's own, then each group's."""
    return [*base, *(each for group in groups for each in group.biases or ())]


def numbers_of(groups: Sequence[Group], base: int, senders: bool, slot: int) -> list[int]:
    """The numbers in ``all_biases`` of what pushes the agent of a slot.

    Args:
        groups: of the community.
        base: how many biases the run itself has.
        senders: whether the slot is a sender's.
        slot: of the agent.

    >>> numbers_of([Group(senders=1), Group(senders=1, biases=())], 2, True, 0)
    [0, 1]
    >>> numbers_of([Group(senders=1), Group(senders=1, biases=())], 2, True, 1)
    []
    """
    upto, first = 0, base
    for group in groups:
        upto += group.senders if senders else group.receivers
        own = len(group.biases or ())
        if slot < upto:
            return list(range(base)) if group.biases is None else list(range(first, first + own))
        first += own
    return list(range(base))
