"""A number that may change as training goes on."""

import math
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue

_EXPECTED = "expected a number, or {from: number, to: number, over: steps, start: step}"


class Schedule(BaseModel):
    """A number by step: constant, or linear between two numbers.

    In YAML a bare number is constant; ``{from: 2e-3, to: 5e-4, over: 1000, start: 0}`` stays at ``from``
    until step ``start``, reaches ``to`` after ``over`` steps, and stays there. Frozen and hashable.
    NaN and infinity are refused.

    >>> Schedule.of(0.5).at(10_000)
    0.5
    >>> Schedule.model_validate({"from": 1.0, "to": 0.0, "over": 100}).at(25)
    0.75
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    from_: float = Field(alias="from", description="the value up to step `start`")
    to: float = Field(description="the value from step `start + over` on")
    over: int = Field(ge=1, description="steps from one to the other")
    start: int = Field(default=0, ge=0, description="the step at which it begins to change")

    @classmethod
    def of(cls, value: float) -> "Schedule":
        """A constant."""
        return cls.model_validate(value)

    @property
    def constant(self) -> bool:
        """Whether every step has the same value."""
        return self.from_ == self.to

    @property
    def ends(self) -> tuple[float, float]:
        """The first value and the last; all others lie between."""
        return self.from_, self.to

    def at(self, step: int) -> float:
        """The value at a step (0 is the first)."""
        share = min(max((step - self.start) / self.over, 0.0), 1.0)
        # Written so that both ends are met exactly.
        return self.from_ if share == 0.0 else self.to if share == 1.0 else self.from_ + share * (self.to - self.from_)

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | dict | Schedule):
            raise ValueError(f"{_EXPECTED}; got {value!r}")
        if isinstance(value, dict) and "from" in value and value["from"] == value.get("to"):
            value = {**value, "over": 1, "start": 0}  # one way to say a constant, so that equal ones are equal
        if not isinstance(value, int | float):
            return value
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number; got {value!r}")
        return {"from": value, "to": value, "over": 1}

    @model_serializer(mode="wrap")
    def _to_number(self, handler: Callable[[Any], dict[str, Any]]) -> float | dict[str, Any]:
        """As it is written in YAML, so that a saved config reads like the one that was given."""
        if self.constant:
            return self.from_
        return {"from": self.from_, "to": self.to, "over": self.over, "start": self.start}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> JsonSchemaValue:
        linear = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "number"}, linear], "title": "Schedule"}
