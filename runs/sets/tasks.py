"""What a set is predicted from, and what the set is: the tasks of `lascaux run sets/...`, as a config says them."""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from games.scenes import WorldConfig
from perception.sets import CLEVR, Fields

Gives = Literal["vector", "set", "picture"]
"""What a task tells: a vector [B, D], a set [B, M, C], or a picture [B, 3, H, W]."""


class _Task(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @property
    def gives(self) -> Gives:
        """What is told."""
        return "set"

    @property
    def repeats(self) -> bool:
        """Whether what is told is the set that is wanted: auto-encoding."""
        return self.gives == "set"

    @property
    @abstractmethod
    def fields(self) -> Fields:
        """What the channels of a wanted element mean."""

    @property
    def channels(self) -> int:
        """Numbers of a vector that is told, or channels of a set's elements."""
        return self.fields.channels


class PolygonsTask(_Task):
    """The turn of a regular polygon to the set of its corners: the responsibility problem (FSPool, section 3)."""

    kind: Literal["polygons"] = "polygons"
    slots: int = Field(8, ge=2, le=512)
    """Corners."""

    @property
    def gives(self) -> Gives:
        """The turn, as cosine and sine."""
        return "vector"

    @property
    def channels(self) -> int:
        """Two."""
        return 2

    @property
    def fields(self) -> Fields:
        """Where a corner is, x and y, on the unit circle."""
        return Fields(2)


class MultisetsTask(_Task):
    """Random multisets, encoded and decoded again (iDSPN, section 4.2)."""

    kind: Literal["multisets"] = "multisets"
    slots: int = Field(8, ge=1, le=512)
    """Elements."""
    numbers: int = Field(8, ge=1, le=256)
    """Numbers of each element, from N(0, 1)."""
    copies: int = Field(1, ge=1)
    """How often each element is there."""

    @property
    def fields(self) -> Fields:
        """Numbers."""
        return Fields(self.numbers)

    @model_validator(mode="after")
    def _copies_divide(self) -> "MultisetsTask":
        if self.slots % self.copies:
            raise ValueError(
                f"{self.slots} slots, each element {self.copies} times: slots must be a multiple of copies"
            )
        return self


class NumberingTask(_Task):
    """Class-specific numbering: of each class, elements get the numbers 0, 1, 2, ... (iDSPN, section 4.1)."""

    kind: Literal["numbering"] = "numbering"
    slots: int = Field(8, ge=1, le=256)
    """Elements; 64 in the paper."""
    classes: int = Field(4, ge=1, le=64)
    """Classes."""

    @property
    def repeats(self) -> bool:
        """No: what is told lacks the numbers."""
        return False

    @property
    def channels(self) -> int:
        """A class, one-hot, and presence."""
        return self.classes + 1

    @property
    def fields(self) -> Fields:
        """A class and a number."""
        return Fields(0, (self.classes, self.slots))


class _Held(_Task):
    held: float = Field(0.1, gt=0, lt=0.5)
    """Part that is kept for validation, and again for the test."""


class PointsTask(_Held):
    """Digits as sets of their inked pixels, encoded and decoded again (DSPN, section 5.1)."""

    kind: Literal["points"] = "points"
    pictures: Literal["digits", "mnist"] = "digits"
    """``digits``: 8 x 8 pixels, they come with scikit-learn. ``mnist``: 28 x 28, under --data-root or downloaded."""
    slots: int = Field(40, ge=1, le=1024)
    """Elements; MNIST needs 342. Of more inked pixels every so many is left out."""
    threshold: int = Field(63, ge=0, le=254)
    """A pixel belongs to the set above this much ink."""
    download: bool = False
    """Download MNIST when it is not there."""

    @property
    def fields(self) -> Fields:
        """x and y in [0, 1]."""
        return Fields(2)


class _Objects(_Task):
    slots: int = Field(10, ge=1, le=32)
    """Objects at most."""

    @property
    def fields(self) -> Fields:
        """CLEVR's: coordinates, material, colour, shape, size."""
        return CLEVR


class ObjectsTask(_Objects):
    """The objects of a scene, of which no picture is made, encoded and decoded again."""

    kind: Literal["objects"] = "objects"
    count: int = Field(18000, ge=1)
    """Scenes to learn from."""
    held: int = Field(2000, ge=2)
    """Scenes for validation, and again for the test."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Of the scenes. (The run's own seed draws weights and batches.)"""
    world: WorldConfig = WorldConfig()
    """The rules by which they are made up."""

    @model_validator(mode="after")
    def _room(self) -> "ObjectsTask":
        _fits(self.world, self.slots)
        return self


class FolderScenes(BaseModel):
    """A folder in CLEVR's layout: CLEVR_v1.0 itself, or what `lascaux scenes make` wrote."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    """The folder that holds images/ and scenes/."""
    train: str = "train"
    """The split that is learned from; its last scenes are kept for validation."""
    test: str = "val"
    """The split of the test. (CLEVR's own test says nothing of its objects.)"""
    validation: int = Field(1000, ge=1)
    """Scenes that are kept for validation."""
    limit: int | None = Field(None, ge=2)
    """The first so many scenes of each split; all when left out."""
    width: int = Field(128, ge=4, le=1024)
    """Pictures are squeezed to this many pixels across ..."""
    height: int = Field(128, ge=4, le=1024)
    """... and this many down."""

    @model_validator(mode="after")
    def _held_out(self) -> "FolderScenes":
        if self.train == self.test:
            raise ValueError(f"train and test are both the split {self.train}: what is learned cannot be the test")
        return self


class MadeScenes(BaseModel):
    """Scenes that are made up and rendered once, then kept in the cache."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["made"] = "made"
    count: int = Field(20000, ge=1)
    """Scenes to learn from."""
    held: int = Field(1000, ge=2)
    """Scenes for validation, and again for the test."""
    width: int = Field(64, ge=4, le=1024)
    """Pixels across."""
    height: int = Field(64, ge=4, le=1024)
    """Pixels down. (The view is 3 : 2 whatever they are.)"""
    samples: int = Field(2, ge=1, le=8)
    """Rays a pixel along each side."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Of the scenes. (The run's own seed draws weights and batches.)"""
    world: WorldConfig = WorldConfig()
    """The rules by which they are made up."""


ScenesConfig = Annotated[MadeScenes | FolderScenes, Field(discriminator="kind")]


class _Seen(_Objects):
    scenes: ScenesConfig = MadeScenes()
    """Which scenes."""

    @property
    def gives(self) -> Gives:
        """Pictures, as bytes or as what a frozen network makes of them."""
        return "picture"

    @property
    def channels(self) -> int:
        """Red, green, blue."""
        return 3

    @model_validator(mode="after")
    def _room(self) -> "_Seen":
        if isinstance(self.scenes, MadeScenes):
            _fits(self.scenes.world, self.slots)
        return self


class StateTask(_Seen):
    """A picture to the objects in it: where they are and what they are."""

    kind: Literal["state"] = "state"


class BoxesTask(_Seen):
    """A picture to the boxes around the objects in it."""

    kind: Literal["boxes"] = "boxes"

    @property
    def fields(self) -> Fields:
        """x0, y0, x1, y1 as parts of the picture."""
        return Fields(4)


Task = PolygonsTask | MultisetsTask | NumberingTask | PointsTask | ObjectsTask | StateTask | BoxesTask
TaskConfig = Annotated[Task, Field(discriminator="kind")]


def _fits(world: WorldConfig, slots: int) -> None:
    if world.most > slots:
        raise ValueError(
            f"world.most is {world.most}, slots {slots}: scenes may hold more objects than there are slots"
        )
