"""Probes by their name: what a probe may need of a run, and the word that configs and the command line know it by.

    @probe("left-handed", needs=["classes"], cheap=True)
    def left_handed(evidence):
        '''How much of the ink lies on the left.'''
        ink = evidence.sketches.canvas("drawings")                     # [n, H, W]
        ...
        return Finding(value, low, high, evidence.n, chance=0.5, baselines={...})

A shipped probe is a file of ``runs/probes``; it is imported when probes are first asked for, so that this file, which
configs stand on, brings nothing with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from agents.entry_points import load_missing
from raster.errors import InputError

if TYPE_CHECKING:
    from games import Game
    from runs.finding import Finding
    from runs.run import Run

Of = Literal["choices", "traces"]
"""What a probe is asked of: games in which somebody chooses (``runs.evidence.Evidence``), or drawings that are traces
of pictures (``runs.tracing.Traces``)."""


@dataclass(frozen=True)
class Probe:
    """A question to a run's drawings.

    Attributes:
        name: its word.
        ask: evidence (``Evidence``, or ``Traces``) to what was found.
        of: which of the two it takes.
        needs: what the run must have, words of ``NEEDS``.
        cheap: whether it may be asked again and again while agents learn.
        about: the first line of its docstring.
    """

    name: str
    ask: "Callable[[Any], Finding]"
    of: Of
    needs: tuple[str, ...]
    cheap: bool
    about: str

    def fits(self, game: "Game") -> bool:
        """Whether it can be asked of a game of this kind at all."""
        return game.chooses if self.of == "choices" else not (game.chooses or game.describes)

    def check(self, run: "Run", part: "Game", split: str) -> None:
        """See that a run has what the probe needs.

        Args:
            run: whose drawings.
            part: the game of the run that is probed.
            split: of the gallery.

        Raises:
            InputError: it has not; the message says what is missing.
        """
        for need in self.needs:
            told = NEEDS[need](run, part, split)
            if told is not None:
                raise InputError(f"probe {self.name}: {told[0]}", f"{run.folder}, split {split!r}", told[1])

    def __call__(self, evidence: Any) -> "Finding":
        """What it finds in ``evidence``.

        Raises:
            InputError: the run has not what the probe needs.
        """
        from threadpoolctl import threadpool_limits

        self.check(evidence.run, evidence.game, evidence.split)
        # OpenBLAS's threads spin while they wait for each other: where somebody else has the other core, the many small
        # products of a probe take many times as long with two threads as with one. torch's own threads sleep.
        with threadpool_limits(1, user_api="blas"):
            return self.ask(evidence)


GROUP = "lascaux.probes"
"""Entry points by which other packages bring probes."""
_PROBES: dict[str, Probe] = {}
_Ask = TypeVar("_Ask", bound="Callable[[Any], Finding]")


def probe(name: str, *, of: Of = "choices", needs: Iterable[str] = (), cheap: bool = False) -> Callable[[_Ask], _Ask]:
    """Register a function as the probe that configs (``probes: [NAME]``) and ``lascaux probe`` know by ``name``.

    Args:
        name: its word.
        of: ``choices`` for a function of ``Evidence``, ``traces`` for one of ``Traces``.
        needs: what a run must have, words of ``NEEDS``; whoever asks it of another run is told in a line.
        cheap: it may be asked while agents learn, on a schedule: it takes a second or two for a few pools.

    Raises:
        InputError: the name is taken by another function, or a need is none.
    """
    wanted = tuple(needs)
    for need in wanted:
        if need not in NEEDS:
            raise InputError(f"probe {name}: nobody knows the need {need!r}", None, f"there are {', '.join(NEEDS)}")

    def register(ask: _Ask) -> _Ask:
        known = _PROBES.get(name)
        if known is not None and _home(known.ask) != _home(ask):
            where = f"{_home(known.ask)[0]} and {_home(ask)[0]}"
            raise InputError(f"two probes are called {name!r}", where, "rename one")
        first = " ".join((ask.__doc__ or "").strip().split("\n\n")[0].split())
        _PROBES[name] = Probe(name, ask, of, wanted, cheap, first)
        return ask

    return register


def _home(function: Callable[..., Any]) -> tuple[str, str]:
    return function.__module__, function.__qualname__


@cache
def _import_shipped() -> None:
    package = __name__.rpartition(".")[0]
    path = import_module(package).__path__
    for module in sorted(each.name for each in iter_modules(path)):
        if not module.startswith("_"):
            import_module(f"{package}.{module}")
    import_module("runs.tracing.measures")  # those of traces stand with what they measure


def probes() -> dict[str, Probe]:
    """Every probe by name; those of other packages (entry points ``lascaux.probes``) included."""
    _import_shipped()
    load_missing(GROUP, "probe", _PROBES)
    return dict(sorted(_PROBES.items()))


def probes_of(game: "Game") -> list[str]:
    """The names of the probes that can be asked of a game of this kind."""
    return [name for name, each in probes().items() if each.fits(game)]


class _Known:
    """Makes pydantic take the word of a probe, among those registered when it is read, and no other."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_known, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        return {"type": "string", "enum": list(probes())}


def _known(word: str) -> str:
    if word not in probes():
        expected = " or ".join(", ".join(repr(each) for each in probes()).rsplit(", ", 1))
        raise PydanticKnownError("literal_error", {"expected": expected})
    return word


ProbeName = Annotated[str, _Known]
"""A field of this type is the name of any registered probe."""


Lack = Callable[["Run", "Game", str], tuple[str, str] | None]
"""A run, one of its games and a split to what is missing and what to do about it; None where nothing is."""


def _labels(run: "Run", split: str) -> Any:
    return run.gallery.label[run.gallery.splits[split].shown]


def _classes(run: "Run", _: "Game", split: str) -> tuple[str, str] | None:
    found = len(_labels(run, split).unique())
    return None if found > 1 else (f"it compares classes, and there is {found}", "split so that it has two or more")


def _several(run: "Run", _: "Game", split: str) -> tuple[str, str] | None:
    counts = _labels(run, split).unique(return_counts=True)[1]
    if int((counts > 1).sum()) > 1:
        return None
    return "it needs two classes with two pictures each", "split by picture, or take pictures with more of each"


def _groups(run: "Run", _: "Game", split: str) -> tuple[str, str] | None:
    found = {run.gallery.groups[label] for label in _labels(run, split).tolist()} - {""}
    return (
        None if len(found) > 1 else ("it compares groups of classes, and there are none", "take pictures with groups")
    )


def _artists(run: "Run", _: "Game", split: str) -> tuple[str, str] | None:
    found = run.gallery.artist[run.gallery.splits[split].shown].unique()
    if run.gallery.artists and len(found) > 1:
        return None
    return "it compares artists, and there are none, or one", "take pictures by several, and hold no artist out alone"


def _scenes(run: "Run", _: "Game", __: str) -> tuple[str, str] | None:
    return None if run.gallery.sets is not None else ("nobody knows what is in its pictures", "take pictures of scenes")


def _one_target(_: "Run", part: "Game", __: str) -> tuple[str, str] | None:
    targets = getattr(part, "targets", None)
    several = targets is not None and getattr(targets, "kind", "one") != "one"
    return ("it asks about one target a game, and there are several", "ask another probe") if several else None


def _strokes(run: "Run", _: "Game", __: str) -> tuple[str, str] | None:
    count = run.config.sender.strokes.count
    return None if count > 1 else ("it compares strokes, and a drawing has one", "raise sender.strokes.count")


def _word_vectors(run: "Run", _: "Game", __: str) -> tuple[str, str] | None:
    source = run.config.measure.word_vectors
    if source is None:
        do = "say measure.word_vectors, or lascaux probe --word-vectors FILE"
        return "nothing says what the names of classes mean", do
    if isinstance(source, str) and not Path(source).is_file():
        return f"there are no word vectors {source}", "check the path: it counts from the current folder"
    return None


NEEDS: dict[str, Lack] = {
    "classes": _classes,
    "several of a class": _several,
    "groups": _groups,
    "artists": _artists,
    "scenes": _scenes,
    "one target": _one_target,
    "strokes": _strokes,
    "word vectors": _word_vectors,
}
"""What a probe may need of a run, by the word that ``@probe(needs=[...])`` takes."""


def asked(names: Sequence[str], evidence: Any) -> "dict[str, Finding | str]":
    """What several probes find in the same evidence, by name; where one refuses, the line in which it says why."""
    known = probes()
    found: dict[str, Finding | str] = {}
    for name in names:
        try:
            found[name] = known[name](evidence)
        except InputError as error:
            found[name] = str(error)
    return found


def ask_all(names: Sequence[str], evidence: Any) -> "dict[str, Finding]":
    """What several probes find in the same evidence, by name."""
    known = probes()
    return {name: known[name](evidence) for name in names}
