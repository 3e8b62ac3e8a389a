"""Who stands beside the target: anybody, or those that are hardest to tell from it."""

from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from games._cards import one_of
from perception import FrozenTrunk, Level, TimmTrunk, numbered
from raster.shapes import Bool, Float, Int, Tensor


class RandomDistractors(BaseModel):
    """Candidates are drawn at random."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["random"] = "random"


class NearestDistractors(BaseModel):
    """Candidates that look most like the target to a frozen trunk (hard negatives).

    Pictures are compared by the cosine of their features: standardised a channel by the training pictures and averaged
    over places, so that what is in a picture counts and not where. They come from the gallery's cache; no photo passes
    the trunk in a step.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["nearest"] = "nearest"
    trunk: FrozenTrunk = TimmTrunk()
    """Whose features say what is alike."""
    level: Level = 3
    """Which level of its pyramid, by number (0 is the finest) or, where levels have names, by name."""
    share: float = Field(1.0, ge=0, le=1)
    """Part of the K - 1 distractors that are the nearest (rounded); the rest are drawn at random."""
    about: Literal["target", "pool"] = "target"
    """``target``: each game has a pool of its own, built round its target; it costs K photos a game instead of one, and
    the target is what its pool has in common, which may be found out without any drawing: look at the control
    ``blank``. ``pool``: games share a pool that is built round one of its pictures, and each candidate is a target
    once: as cheap as random ones, and where the target stands says nothing."""

    @property
    def number(self) -> int:
        """The level's number."""
        return numbered(self.trunk, (self.level,))[0]

    def hard(self, candidates: int) -> int:
        """How many of ``candidates`` - 1 distractors are the nearest."""
        return round(self.share * (candidates - 1))


DistractorConfig = Annotated[RandomDistractors | NearestDistractors, Field(discriminator="kind")]


def hardest(
    embeddings: Float[Tensor, "n c"],
    picture: Int[Tensor, "r w"],
    allowed: Bool[Tensor, "r w"],
    order: Int[Tensor, " r2"],
    hard: int,
    candidates: int,
    generator: torch.Generator,
) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
    """A random candidate, the ``hard`` ones nearest to it, nearest first, and random ones up to ``candidates``.

    Args:
        embeddings: of all pictures, of length 1 each.
        picture: pictures by rows (a class, or a single photo), -1 where there is none; one is taken of a row.
        allowed: which of them may be taken.
        order: all rows with something allowed, at random; K at least.
        hard: how many are to be near, below K.
        candidates: K.
        generator: draws one of a row's pictures, where nothing else says which.

    Returns:
        Rows and columns, [K] each.
    """
    first = order[:1]
    column = one_of(allowed[first], generator)  # [1]
    centre = embeddings[picture[first, column]][0]
    alike = (embeddings @ centre)[picture.clamp(min=0)].masked_fill(~allowed, -torch.inf)  # [R, W]
    best, nearest = alike.max(dim=1)  # of each row
    best[first] = -torch.inf
    near = best.argsort(descending=True, stable=True)[:hard]
    others = order[1:]
    others = others[~torch.isin(others, near)][: candidates - 1 - hard]
    rows = torch.cat([first, near, others])
    return rows, torch.cat([column, nearest[near], one_of(allowed[others], generator)])
