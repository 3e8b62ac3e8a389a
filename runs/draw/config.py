"""What `lascaux draw` may be told."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents import AnyBias, FreeConfig
from agents.biases import Likeness
from agents.starts import EdgeStart, SaliencyStart, StartConfig
from perception import FrozenTrunk, uses_judge
from raster import CanvasConfig
from runs.config import trunks_of


class Rates(BaseModel):
    """Adam's step sizes at their height, each for one part of a stroke."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    points: float = Field(0.01, gt=0, le=1)
    """Of control points, canvas units a step."""
    width: float = Field(0.05, gt=0, le=10)
    """Of the raw width, before the sigmoid that makes it."""
    opacity: float = Field(0.05, gt=0, le=10)
    """Of the raw opacity."""
    colour: float = Field(0.05, gt=0, le=10)
    """Of the raw colour."""
    presence: float = Field(0.05, gt=0, le=10)
    """Of the raw presence."""
    paper: float = Field(0.02, gt=0, le=10)
    """Of the raw colour of the paper."""
    kept: float = Field(0.01, gt=0, le=10)
    """Of what a bias learns."""


class Coarse(BaseModel):
    """Steps that are taken on a smaller canvas first: there they are cheap, and strokes feel further."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    size: int = Field(ge=8, le=4096)
    """Pixels on a side."""
    steps: int = Field(ge=1)
    """Steps on it."""


class Relocation(BaseModel):
    """Strokes that do nothing are put where the drawing lacks ink."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    every: int = Field(25, ge=1)
    """Steps between two times."""
    until: float = Field(0.6, ge=0, le=1)
    """Part of all steps after which strokes stay where they are."""
    share: float = Field(0.1, gt=0, le=1)
    """The most strokes of a drawing that are moved at once, as a part of all."""
    idle: float = Field(0.1, ge=0, le=1)
    """What counts as nothing: a stroke that is worth less than this part of what strokes are worth on average."""
    length: float = Field(0.1, gt=0, le=2)
    """Length of a stroke that is put anew, canvas units."""


class Film(BaseModel):
    """Two films of each picture: the drawing as it was found, and as it is drawn, stroke by stroke."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    format: Literal["webp", "gif", "none"] = "webp"
    """File format; none makes no films."""
    frames: int = Field(48, ge=2, le=500)
    """Frames of a film at most. They stand closer together where the drawing changes fast, at the beginning."""
    size: int = Field(224, ge=16, le=2048)
    """Pixels on a side."""
    seconds: float = Field(4.0, gt=0, le=120)
    """How long it runs before the last picture, which stands still."""


class DrawConfig(BaseModel):
    """Pictures drawn by optimisation: strokes are free, and biases pull them."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field("draw", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run; its folder is out/NAME/PICTURE unless --out says otherwise."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seeds everything that is drawn by chance."""
    seeds: int = Field(1, ge=1, le=256)
    """Drawings of each picture, from different starts, in one batch; the best is kept."""
    fit: Literal["crop", "pad"] = "crop"
    """A picture that is not square loses its ends (crop), or gets white ones (pad)."""
    strokes: FreeConfig = FreeConfig(kind="cubic")
    """What a drawing is made of."""
    start: StartConfig = EdgeStart()
    """Where strokes begin."""
    canvas: CanvasConfig = CanvasConfig(size=224)
    """What is drawn on; photos are brought to its size."""
    coarse: tuple[Coarse, ...] = ()
    """Smaller canvases first, each for some of the steps."""
    biases: tuple[AnyBias, ...] = (Likeness(),)
    """What pulls: at least one that costs."""
    steps: int = Field(400, ge=1)
    """Steps, those on smaller canvases included."""
    lr: Rates = Rates()
    """How far a step goes."""
    flat: float = Field(0.5, ge=0, le=1)
    """Part of the steps in which lr stays at its height; a cosine takes it down from there."""
    floor: float = Field(0.05, ge=0, le=1)
    """Where the cosine ends, as a part of lr."""
    relocate: Relocation | None = Relocation()
    """Strokes that do nothing are moved; null: never."""
    look_every: int = Field(25, ge=1)
    """Steps between two looks at the drawings as they would be kept: on the whole canvas, with the last sigma2, weights
    and one noise, so that two looks compare. The best one is what is kept."""
    patience: int = Field(100, ge=1)
    """Steps without a better look after which it stops, once sigma2, canvas and strokes have settled."""
    tolerance: float = Field(1e-3, ge=0, lt=1)
    """How much better a look must be to count, as a part of the cost."""
    checkpoint_every: int = Field(50, ge=1)
    """Steps between two checkpoints, from which --resume goes on."""
    threads: int | None = Field(None, ge=1, le=256)
    """CPU threads of torch; as it comes when left out."""
    picture: int = Field(512, ge=16, le=4096)
    """Pixels on a side of the PNG that is written."""
    film: Film = Film()
    """Films of the drawing."""

    @model_validator(mode="after")
    def _something_pulls(self) -> "DrawConfig":
        if not any(each.costs() for each in self.biases):
            kinds = ", ".join(each.kind for each in self.biases) or "none"
            raise ValueError(f"biases: nothing pulls the strokes ({kinds}): give one with a cost, such as likeness")
        return self

    @model_validator(mode="after")
    def _coarse_comes_before(self) -> "DrawConfig":
        sizes = [each.size for each in self.coarse] + [self.canvas.size]
        if sizes != sorted(sizes):
            raise ValueError(f"coarse: canvases must grow, got {' then '.join(map(str, sizes))}")
        spent = sum(each.steps for each in self.coarse)
        if self.coarse and spent >= self.steps:
            raise ValueError(f"coarse: {spent} of {self.steps} steps leave none for the whole canvas")
        return self

    @model_validator(mode="after")
    def _the_judge_judges_only(self) -> "DrawConfig":
        trunks: dict[str, FrozenTrunk] = dict(trunks_of(self.biases))
        if isinstance(self.start, SaliencyStart):
            trunks["start.trunk"] = self.start.trunk
        for where, trunk in trunks.items():
            if uses_judge(trunk):
                raise ValueError(f"{where} is the judge, which only probes may use: take another trunk")
        return self

    def size_at(self, step: int) -> int:
        """Pixels on a side of the canvas at a step."""
        for each in self.coarse:
            if step < each.steps:
                return each.size
            step -= each.steps
        return self.canvas.size

    @property
    def settled(self) -> int:
        """The step from which on nothing changes any more by itself: sigma2, weights, canvas, strokes put anew."""
        schedules = [self.canvas.sigma2, *(each.weight for each in self.biases)]
        ends = [0 if each.constant else each.start + each.over for each in schedules]
        moved = 0 if self.relocate is None else int(self.relocate.until * self.steps)
        return max([sum(each.steps for each in self.coarse), moved, *ends])
