"""Where free strokes begin, as a config says it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from perception import FrozenTrunk, TimmTrunk


class _Short(BaseModel):
    """What starts share that lay short straight strokes."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    length: float = Field(0.15, gt=0, le=2)
    """How long strokes are on average, canvas units; each between half and one and a half of it."""


class RandomStart(_Short):
    """Anywhere, in any direction."""

    kind: Literal["random"] = "random"


class EdgeStart(_Short):
    """On edges, along them: places are drawn in proportion to how much luminance changes there (Sobel's filters)."""

    kind: Literal["edges"] = "edges"
    sigma: float = Field(0.03, ge=0, le=1)
    """Width of the Gaussian that blurs the picture before, canvas units: what is finer counts for nothing."""
    flat: float = Field(0.05, ge=0, le=1)
    """Part of the strokes that is strewn anywhere, edge or not."""


class SaliencyStart(_Short):
    """Where a trunk looks: places in proportion to the gradient of its deepest features in the picture (as Simonyan et
    al. 2013 take a class's), times the edges there, as CLIPasso (Vinker et al. 2022) multiplies attention by edges.
    """

    kind: Literal["saliency"] = "saliency"
    trunk: FrozenTrunk = TimmTrunk()
    """Who looks."""
    sigma: float = Field(0.06, ge=0, le=1)
    """Width of the Gaussian that blurs the gradient, canvas units."""
    edges: bool = True
    """Multiply by the edges; false takes the gradient alone."""
    flat: float = Field(0.05, ge=0, le=1)
    """Part of the strokes that is strewn anywhere."""


class SvgStart(BaseModel):
    """The strokes of an SVG file, for every picture and seed alike: kind and number are the file's."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["svg"] = "svg"
    path: str = Field(min_length=1)
    """The file. What in it is no stroke is left out, and told."""
    jitter: float = Field(0.0, ge=0, le=1)
    """Standard deviation of what is added to every coordinate, canvas units: seeds then differ."""


StartConfig = Annotated[RandomStart | EdgeStart | SaliencyStart | SvgStart, Field(discriminator="kind")]
