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

from collections.abc import Callable
from importlib import metadata
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializeAsAny
from pydantic_core import CoreSchema, core_schema

from agents.eye import View
from agents.moment import Moment
from perception import TimmTrunk, Trunks
from raster import InputError, Schedule, Strokes
from raster.shapes import Float, Tensor


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
        """Ink in [0, 1], [B, H, W]."""
        ...

    @property
    def trunks(self) -> Trunks:
        """The run's frozen trunks, built once each."""
        ...


class Bias(BaseModel):
    """Base of every bias: three hooks, each optional.

    ``weight`` multiplies the cost; it may be a schedule (``{from: 1, to: 0.1, over: 2000}``).
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

    def reads(self) -> tuple[tuple[TimmTrunk, int], ...]:
        """Levels of frozen trunks whose photo features the cost asks for, so that one pass makes them all."""
        return ()

    def costs(self) -> bool:
        """Whether this bias has a cost of its own."""
        return type(self).cost is not Bias.cost


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
    for entry in metadata.entry_points(group="lascaux.biases"):
        if entry.name not in _BIASES:
            entry.load()
    return dict(_BIASES)


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
