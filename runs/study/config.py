"""DESIGN.yaml: what a study asks, of whose drawings, and how answers come back."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "SCORED",
    "Completion",
    "Exclusion",
    "PartConfig",
    "SaveConfig",
    "SaveToDataPipe",
    "SaveToFile",
    "SaveToJatos",
    "SaveToServer",
    "StudyConfig",
    "TrialKind",
]

TrialKind = Literal["pick", "class", "name", "rate", "compare", "draw", "catch"]
SCORED: tuple[TrialKind, ...] = ("pick", "class", "name", "rate", "compare", "draw")
"""What a participant is asked, attention checks (``catch``) aside."""
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Part(_Model):
    trials: int = Field(10, ge=1, le=1000)
    """Questions of this part that one participant answers."""
    game: str | None = Field(None, pattern=r"^(same|class|artist)(-nearest)?$")
    """Which logged games the drawings come from: same, class or artist; each run's own when left out."""
    question: Text | None = None
    """The words above each drawing; the house's own when left out."""


class Pick(_Part):
    """Pick the picture: a drawing, and the receiver's own candidates."""

    kind: Literal["pick"] = "pick"
    choices: int | None = Field(None, ge=2)
    """Candidates that people see; all that the receiver saw when left out."""


class PickClass(_Part):
    """Pick the class: a drawing, and the names of classes, those of the receiver's candidates."""

    kind: Literal["class"] = "class"
    choices: int | None = Field(None, ge=2)
    """Names that people see; those of all the receiver's candidates when left out."""


class Name(_Part):
    """Name it freely: a drawing, and a line to write on."""

    kind: Literal["name"] = "name"


class Rate(_Part):
    """Rate likeness: a drawing beside the picture that it was made for."""

    kind: Literal["rate"] = "rate"
    points: int = Field(7, ge=2, le=11)
    """Steps of the scale; 1 is not at all alike."""


class Compare(_Part):
    """Two drawings side by side."""

    kind: Literal["compare"] = "compare"
    asks: Literal["likeness", "shows"] = "likeness"
    """``likeness``: which is more like this picture? ``shows``: which shows a cat? (the class of the target)"""
    against: Literal["run", "other"] | None = None
    """``run``: the same target drawn by two runs, neither is right. ``other``: the second is the same run's drawing of
    a target of another class, so one is right. Left out: ``run`` where there are several runs."""


class DrawIt(_Part):
    """Draw it yourself: a canvas, and the strokes come back."""

    kind: Literal["draw"] = "draw"
    shows: Literal["picture", "word"] = "picture"
    """What is to be drawn: the picture that the sender saw, or the name of its class."""


PartConfig = Annotated[Pick | PickClass | Name | Rate | Compare | DrawIt, Field(discriminator="kind")]


class Exclusion(_Model):
    """Whose answers are left out, fixed before there are any. It decides what is counted, never who is paid."""

    catch_missed: int | None = Field(1, ge=1)
    """Left out is who misses at least so many attention checks; null leaves out nobody for that."""
    median_rt_below: int | None = Field(None, ge=1)
    """Left out is whose median time of an answer is below so many milliseconds."""


class SaveToFile(_Model):
    """A file in the participant's hands, which they send to you. Every other way falls back on it."""

    kind: Literal["file"] = "file"


class SaveToServer(_Model):
    """Posted as JSON to a server of yours (``lascaux study serve`` needs no such entry: it tells the page itself)."""

    kind: Literal["server"] = "server"
    url: str = Field(min_length=1, max_length=2000)
    """Where to: a path from the page (``answers``), or an https address."""


class SaveToDataPipe(_Model):
    """Sent by DataPipe to an OSF component."""

    kind: Literal["datapipe"] = "datapipe"
    experiment: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The experiment id that DataPipe shows."""
    url: str = Field("https://pipe.jspsych.org/api/data/", max_length=2000)
    """DataPipe's address."""


class SaveToJatos(_Model):
    """Kept by the JATOS server that the study runs on; exported with a ``.jzip`` beside the folder."""

    kind: Literal["jatos"] = "jatos"


SaveConfig = Annotated[SaveToFile | SaveToServer | SaveToDataPipe | SaveToJatos, Field(discriminator="kind")]


class Completion(_Model):
    """Where participants go in the end, once their answers are saved."""

    url: str | None = Field(None, pattern=r"^https://", max_length=2000)
    """The completion address of the recruiting service (Prolific's has the code in it)."""
    code: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """A code to show; otherwise the one that is in the answers' file name."""


class StudyConfig(_Model):
    """A study. Parts come in the order in which they stand here."""

    title: Text = "Drawings and pictures"
    """The heading of the first page. Participants read it: it should not give the question away."""
    seed: int = 0
    """Decides which drawings, lists, candidates, places and file names."""
    shown: Literal["raster", "vector"] = "raster"
    """What people see: the canvas as the receiver saw it, or the strokes as clean paths."""
    consent: Path | None = None
    """A text file, its path from this file on; a loud placeholder when left out."""
    labels: tuple[Text, ...] | None = None
    """What each run stands for, in the order of the command line (its bias, say); several runs may share one, as seeds
    do. Their names when left out."""
    targets: Literal["shared", "own"] = "shared"
    """``shared``: every run draws the same targets, which list shows whose is a Latin square. ``own``: each run brings
    targets of its own, in equal parts: the only way for runs on different pictures."""
    lists: int | None = Field(None, ge=1, le=500)
    """How many different lists of questions; a multiple of the number of runs where targets are shared. One for each
    run when left out."""
    parts: tuple[PartConfig, ...] = Field((Pick(trials=30),), min_length=1, max_length=20)
    """What is asked, in this order."""
    catch: int = Field(2, ge=0, le=20)
    """Attention checks: a picture in place of the drawing, to be picked among others."""
    exclude: Exclusion = Exclusion()
    """The rule of exclusion, written into the study."""
    save: SaveConfig = SaveToFile()
    """How answers come back."""
    complete: Completion = Completion()
    """Where participants go afterwards."""

    @model_validator(mode="after")
    def _naming_first(self) -> "StudyConfig":
        kinds = [part.kind for part in self.parts]
        telling = next((number for number, kind in enumerate(kinds) if kind not in ("name", "draw")), len(kinds))
        if "name" in kinds[telling:]:
            raise ValueError(f"a part of kind name stands after one of kind {kinds[telling]}, which shows the answers")
        return self

    @model_validator(mode="after")
    def _a_rule_that_can_hold(self) -> "StudyConfig":
        missed = self.exclude.catch_missed
        if missed is not None and self.catch and missed > self.catch:
            raise ValueError(f"exclude.catch_missed is {missed}, but there are {self.catch} attention checks")
        return self
