"""What a config may say about pictures."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from games.scenes.world import WorldConfig

Axis = Literal["picture", "class", "artist"]
TorchvisionName = Literal[
    "mnist", "kmnist", "fashion-mnist", "omniglot", "cifar10", "cifar100", "stl10", "caltech101", "celeba"
]


class HeldOutArtists(BaseModel):
    """Artists kept from training, by name. Near twins (two versions of one hand) stay together."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    validation: tuple[str, ...] = ()
    """Artists that choices are made on."""
    test: tuple[str, ...] = ()
    """Artists that nobody sees until the end."""


class SplitConfig(BaseModel):
    """Which pictures are for learning, which for choosing (validation), which for the final figures (test)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    by: tuple[Axis, ...] | None = Field(None, min_length=1)
    """What is new in a test: ``picture`` (pictures of known classes), ``class`` (whole classes) and, beside either or
    alone, ``artist``. Left out: class and artist where there are several artists, class where classes are scenes with
    variants, else picture."""
    validation: float = Field(0.1, ge=0, lt=1)
    """The part held out for validation, of whatever is split."""
    test: float = Field(0.15, ge=0, lt=1)
    """The part held out for the test."""
    artists: HeldOutArtists | None = None
    """Artists to hold out. Left out: drawn by the seed, in the same parts, from those who drew nearly everything."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Draws the split. Its own, so that runs of several seeds are measured on the same pictures."""

    @model_validator(mode="after")
    def _makes_sense(self) -> "SplitConfig":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on: "
                "together they must stay below 1"
            )
        if self.by is not None:
            if len(set(self.by)) < len(self.by):
                raise ValueError(f"by names something twice: {', '.join(self.by)}")
            if {"picture", "class"} <= set(self.by):
                raise ValueError("by takes picture or class, not both: pictures of an unseen class are unseen anyway")
            if self.artists is not None and "artist" not in self.by:
                raise ValueError("artists are held out only where by names artist")
        return self


class _Common(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    size: int = Field(64, ge=8, le=1024)
    """Pictures are size x size pixels."""
    split: SplitConfig = SplitConfig()
    """Which pictures are for training, validation and test."""
    outlines: bool = False
    """Their outlines in place of the pictures: where brightness changes, black on white. What clothes and photographs
    need before lines can follow them."""
    views: int = Field(1, ge=1, le=16)
    """Versions of each training picture: the original, its mirror image, then ones turned, scaled and shifted a
    little. Their features are cached too, so they cost memory and a first pass, but no step becomes slower."""


class EmojiPictures(_Common):
    """853 things drawn by up to nine artists, in five groups. Fetched once (30 MB), then kept in the cache."""

    kind: Literal["emoji"] = "emoji"
    otherwise: str | None = None
    """A preset to run instead when these pictures cannot be had (no network on the first run)."""


class DigitPictures(_Common):
    """1,797 handwritten digits that come with scikit-learn: always there. Ten classes, no artists."""

    kind: Literal["digits"] = "digits"


class _Files(_Common):
    per_class: int | None = Field(None, ge=1)
    """At most this many pictures of a class, drawn by the split's seed; all when left out."""
    fit: Literal["crop", "pad"] = "crop"
    """How a picture becomes square: its middle is cut out, or it is set on white."""


class FolderPictures(_Files):
    """Your own pictures: one sub-folder a class, named like it."""

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    """The folder that holds the sub-folders; relative to where the command is run."""


class NpzPictures(_Files):
    """Arrays in a numpy file: pictures [n, h, w] or [n, h, w, 3] of bytes, label [n]; names and test if it has them."""

    kind: Literal["npz"] = "npz"
    path: str = Field(min_length=1)
    """The .npz file. Its ``test``, true or false for each picture, says which are the test; ``split.test`` then has no
    say."""
    negative: bool = False
    """Dark for light: writing that is light on dark becomes ink on paper."""


class QuickdrawPictures(_Common):
    """Drawings by people in QuickDraw's ndjson files: one file a class, named like it."""

    kind: Literal["quickdraw"] = "quickdraw"
    path: str = Field(min_length=1)
    """The .ndjson file, or a folder of them."""
    per_class: int | None = Field(1000, ge=1)
    """The first so many drawings of each file; null takes all."""
    width: float = Field(0.08, gt=0, le=2)
    """How wide they are drawn, canvas units: where ink falls to one half. A picture is 2 wide."""
    recognized: bool = True
    """Only drawings that the game recognised."""


class ScenePictures(_Common):
    """Scenes of objects as CLEVR has them, each with the set of its objects: made up once and kept in the cache, or
    from a folder in CLEVR's layout.
    """

    kind: Literal["scenes"] = "scenes"
    count: int = Field(2000, ge=1, le=1_000_000)
    """Scenes that are made up."""
    variants: int = Field(1, ge=1, le=16)
    """Pictures of each scene. With more than one each scene is a class, whose pictures differ in one object: it is
    gone, stands elsewhere, or has another colour, size, material or shape."""
    samples: int = Field(2, ge=1, le=8)
    """Rays a pixel along each side."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Makes the scenes up. (The run's own seed draws weights and rounds.)"""
    world: WorldConfig = WorldConfig()
    """The rules by which they are made up."""
    path: str | None = Field(None, min_length=1)
    """A folder in CLEVR's layout to take instead: CLEVR_v1.0, or what `lascaux scenes make` wrote. Its ``val`` is the
    test, if it has one."""
    limit: int | None = Field(None, ge=1)
    """Of a folder: the first so many scenes of each part; all when left out."""

    @model_validator(mode="after")
    def _what_a_scene_can_be(self) -> "ScenePictures":
        if self.views > 1:
            raise ValueError("views: the objects of a mirrored or turned scene stand elsewhere: leave views at 1")
        if self.path is not None and self.variants > 1:
            raise ValueError("variants: the scenes of a folder are as they are: leave out path or variants")
        if self.path is None and self.limit is not None:
            raise ValueError("limit is of a folder: say count for scenes that are made up")
        if self.path is None and self.world.most < 1:
            raise ValueError("world.most is 0: scenes without objects tell nothing")
        return self


class TorchvisionPictures(_Files):
    """A data set that torchvision knows, its own training and test pictures taken together and split anew."""

    kind: TorchvisionName
    per_class: int | None = Field(500, ge=1)
    """At most this many pictures of a class, drawn by the split's seed; null takes all."""
    classes: int | None = Field(None, ge=2)
    """At most this many classes, drawn by the split's seed; all when left out."""
    data_root: str | None = None
    """Where the data set lies or is downloaded to, unless the command line says it; else lascaux's cache folder."""
    download: bool = False
    """Download it when it is not there."""


PicturesConfig = Annotated[
    EmojiPictures
    | DigitPictures
    | FolderPictures
    | NpzPictures
    | QuickdrawPictures
    | ScenePictures
    | TorchvisionPictures,
    Field(discriminator="kind"),
]
