"""What pushes how an agent sees, draws or is judged: the protocol, and the names that YAML knows.

A bias is a small pydantic model: its fields are its keys in YAML, its hooks do the work.

    @bias("upright")
    class Upright(Bias):
        '''Strokes lean towards the vertical.'''

        def cost(self, play):                       # [B]
            ends = play.strokes.points              # [B, N, 2, 2]
            along = ends[..., 1, :] - ends[..., 0, :]
            return along[..., 0].abs().mean(-1)
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializeAsAny
from pydantic_core import CoreSchema, core_schema
from torch import nn

from agents.entry_points import load_missing
from agents.eye import View
from agents.moment import Moment
from perception import FrozenTrunk, Trunks
from raster import InputError, Schedule, Strokes
from raster.shapes import Float, Int, Tensor


@runtime_checkable
class Played(Protocol):
    """What a cost may look at (``games.Play`` is one): B games as they were played."""

    @property
    def photo(self) -> View:
        """What the sender was shown, B pictures."""
        ...

    @property
    def strokes(self) -> Strokes:
        """What it drew: points [B, N, P, 2]."""
        ...

    @property
    def canvas(self) -> Tensor:
        """Ink in [0, 1], [B, H, W], or [B, 3, H, W] where strokes have a colour (``raster.on_paper`` shows either)."""
        ...

    @property
    def trunks(self) -> Trunks:
        """The run's frozen trunks, built once each."""
        ...

    @property
    def label(self) -> Int[Tensor, " b"]:
        """Class of what each sender was shown, [B]: for costs that compare drawings of one thing."""
        ...

    @property
    def kept(self) -> nn.Module | None:
        """What this bias ``keeps``; None where it keeps nothing, or nobody trains it."""
        ...

    def generator(self, word: str) -> torch.Generator:
        """Noise for a cost, on the CPU: seeded by the round and by ``word`` (the bias's kind), the same when replayed.

        A cost that draws one noise for all games does not depend on their order.
        """
        ...


class Bias(BaseModel):
    """Base of every bias: three hooks, each optional; and two more for one that learns or remembers.

    ``weight`` multiplies the cost; it may be a schedule (``{from: 1, to: 0.1, over: 2000}``). The bias itself is a
    config and never changes; what changes while agents learn is a module that it ``keeps``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    name: ClassVar[str] = ""

    kind: str = ""
    weight: Schedule = Schedule.of(1.0)

    def see(self, view: View, moment: Moment) -> View:
        """Change what an agent (``moment.role``) sees. A view of B pictures in, a view of B pictures out."""
        return view

    def move(self, strokes: Strokes, moment: Moment) -> Strokes:
        """Change what the hand does with the strokes that were meant."""
        return strokes

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        """What this drawing costs, one number a game, differentiable in ``play.strokes`` and ``play.canvas``."""
        return play.canvas.new_zeros(play.canvas.shape[0])

    def reads(self) -> tuple[tuple[FrozenTrunk, int | None], ...]:
        """Levels of frozen trunks whose photo features the cost asks for, so that one pass makes them all.

        None stands for the deepest level.
        """
        return ()

    def keeps(self) -> nn.Module | None:
        """What changes from step to step: parameters that are learned, buffers that are remembered.

        Made once a run. It is moved, trained and checkpointed with the agents, under the name ``biases.NUMBER``, and
        handed to ``cost`` and ``remember`` as ``play.kept``. ``cost`` must not change its buffers.
        """
        return None

    def remember(self, play: Played) -> None:
        """Put something of this play into ``play.kept``; called without gradients, once the step is done."""

    def costs(self) -> bool:
        """Whether this bias has a cost of its own."""
        return type(self).cost is not Bias.cost


GROUP = "lascaux.biases"
"""Entry points by which other packages bring biases."""
_BIASES: dict[str, type[Bias]] = {}
_Subclass = TypeVar("_Subclass", bound=type[Bias])


def bias(name: str) -> Callable[[_Subclass], _Subclass]:
    """Register a bias under the word that YAML uses for it: ``biases: [{kind: NAME, ...}]``.

    Raises:
        InputError: the name is taken by another class.
    """

    def register(cls: _Subclass) -> _Subclass:
        known = _BIASES.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InputError(
                f"two biases are called {name!r}", f"{known.__module__} and {cls.__module__}", "rename one"
            )
        cls.name = name
        cls.__pydantic_fields__["kind"].default = name
        cls.model_rebuild(force=True)
        _BIASES[name] = cls
        return cls

    return register


def biases() -> dict[str, type[Bias]]:
    """Every registered bias by name; those of other packages (entry points ``lascaux.biases``) included."""
    load_missing(GROUP, "bias", _BIASES)
    return dict(_BIASES)


def labels(several: Sequence[Bias]) -> list[str]:
    """A word for each of a run's biases in its metrics: the kind, with a number from the second of a kind on.

    >>> labels([Bias(kind="ink"), Bias(kind="clip"), Bias(kind="ink")])
    ['ink', 'clip', 'ink-2']
    """
    kinds = [each.kind for each in several]
    counts = [kinds[: number + 1].count(kind) for number, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}-{count}" for kind, count in zip(kinds, counts, strict=True)]


class _OfKind:
    """Makes pydantic choose the bias by its ``kind``, among those registered when the schema is built."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {name: handler.generate_schema(kind) for name, kind in biases().items()}
        return core_schema.tagged_union_schema(choices, discriminator=_kind_of)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        return handler(schema)


def _kind_of(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


AnyBias = Annotated[SerializeAsAny[Bias], _OfKind]
"""A field of this type is any registered bias, chosen by ``kind``."""
