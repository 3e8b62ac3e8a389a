"""What can happen in the life of a community, and when: births, deaths, turnover, imitation, migration."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Who = Literal["oldest", "youngest", "random", "best"] | tuple[Annotated[int, Field(ge=0)], ...]
"""Whom an event meets: by a rule, or slots by number. ``best`` is by a moving average of the games won."""


class Happens(BaseModel):
    """When an event happens: before step ``at`` is played, or before every so many steps (``every``, 2 ``every``, ...).

    Steps are counted from 0, so ``at`` is also how many were played before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    at: int | None = Field(None, ge=0)
    """The step."""
    every: int | None = Field(None, ge=1)
    """Steps from one to the next."""

    @model_validator(mode="after")
    def _once_or_often(self) -> "Happens":
        if (self.at is None) == (self.every is None):
            raise ValueError("say when: at, or every, and not both")
        return self

    def due(self, step: int) -> bool:
        """Whether it happens before this step is played."""
        return step == self.at if self.every is None else step > 0 and step % self.every == 0

    @property
    def first(self) -> int:
        """The first step before which it happens."""
        return self.at if self.at is not None else self.every or 0


class Met(Happens):
    """An event that meets some agents."""

    side: Literal["senders", "receivers", "both"] = "both"
    """Whom it can meet."""
    who: Who = "random"
    """Which of them: a rule, or slots by number."""
    count: int = Field(1, ge=1)
    """How many of each side, by a rule; all that are there, if there are fewer."""


class Birth(Happens):
    """Newcomers: empty slots (``community.vacant``, or those of the dead), lowest first, get agents of new weights."""

    kind: Literal["birth"] = "birth"
    side: Literal["senders", "receivers", "both"] = "both"
    """Where."""
    count: int = Field(1, ge=1)
    """How many of each side; as many as there are empty slots, if there are fewer."""


class Death(Met):
    """Agents leave: their slots are empty, and nobody meets them."""

    kind: Literal["death"] = "death"
    who: Who = "oldest"
    """Which of them: a rule, or slots by number."""


class Replace(Met):
    """Turnover: agents leave, and newcomers with new weights take their slots at once."""

    kind: Literal["replace"] = "replace"
    who: Who = "oldest"
    """Which of them: a rule, or slots by number."""


class Freeze(Met):
    """Agents stop learning; they go on playing, and others learn from playing with them."""

    kind: Literal["freeze"] = "freeze"
    who: Who = "oldest"
    """Which of them: a rule, or slots by number."""


class Thaw(Met):
    """Frozen agents learn again."""

    kind: Literal["thaw"] = "thaw"
    count: int = Field(1024, ge=1)
    """How many of each side."""


class Lesson(Happens):
    """How a sender learns from another: it is shown pictures and the strokes that the teacher draws of them.

    Its cost is the mean squared distance between its points and the teacher's, stroke by stroke in their order, both
    as biases let them see and move their hands; the step size is its group's, the optimiser its own.
    """

    drawings: int = Field(64, ge=1)
    """Pictures of training whose drawings it sees: the bottleneck."""
    steps: int = Field(20, ge=1, le=100_000)
    """Optimiser steps on them."""


class Imitate(Lesson):
    """Senders draw after another: ``who`` are the pupils, each with a teacher among those of the same strokes."""

    kind: Literal["imitate"] = "imitate"
    who: Who = "youngest"
    """The pupils: a rule, or slots by number."""
    count: int = Field(1, ge=1)
    """How many, by a rule."""
    teacher: Literal["best", "random", "oldest"] = "best"
    """Whom they draw after."""


class Generation(Lesson):
    """A new generation (iterated learning: Kirby 2001): every agent that is not frozen is replaced, and each new sender
    sees ``drawings`` drawings of the one whose slot it takes. Receivers begin with nothing.
    """

    kind: Literal["generation"] = "generation"


class Migrate(Happens):
    """Agents of different islands and one architecture change places, with all that they know."""

    kind: Literal["migrate"] = "migrate"
    side: Literal["senders", "receivers", "both"] = "both"
    """Who travels."""
    count: int = Field(1, ge=1)
    """Exchanges of each side, one after another."""


class Contact(Happens):
    """Two grown communities meet: agents of another run, as it was last saved, take slots of those that are like them.

    They come with their weights and without their optimisers, unfrozen, as new as anybody who comes at that step.
    """

    kind: Literal["contact"] = "contact"
    run: str = Field(min_length=1)
    """The folder of the other run. Its agents must be of the architecture of those whose slots they take."""
    side: Literal["senders", "receivers", "both"] = "both"
    """Who comes."""
    who: Who | Literal["empty"] = "empty"
    """Whose slots they take: a rule, or slots by number; or those that are ``empty``, lowest first."""
    count: int = Field(1024, ge=1)
    """How many of each side, at most."""


Event = Annotated[
    Birth | Death | Replace | Freeze | Thaw | Imitate | Generation | Migrate | Contact,
    Field(discriminator="kind"),
]
"""What can happen, by ``kind``."""
