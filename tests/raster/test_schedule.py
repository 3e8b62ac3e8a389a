import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from raster import CanvasConfig, Schedule

numbers = st.floats(-1e6, 1e6)
LINEAR = {"from": 2.0, "to": 1.0, "over": 100, "start": 50}


@given(numbers, st.integers(0, 10**9))
def test_a_bare_number_is_the_same_at_every_step(value: float, step: int) -> None:
    assert Schedule.of(value).at(step) == value
    assert Schedule.of(value).constant


@pytest.mark.parametrize(("step", "value"), [(0, 2.0), (50, 2.0), (75, 1.75), (100, 1.5), (150, 1.0), (10**6, 1.0)])
def test_a_linear_schedule_waits_moves_and_stays(step: int, value: float) -> None:
    assert Schedule.model_validate(LINEAR).at(step) == value


@given(numbers, numbers, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**7))
def test_a_schedule_never_leaves_its_ends(first: float, last: float, over: int, start: int, step: int) -> None:
    schedule = Schedule(**{"from": first, "to": last, "over": over, "start": start})
    assert min(first, last) - 1e-9 <= schedule.at(step) <= max(first, last) + 1e-9
    assert schedule.at(start) == first
    assert schedule.at(start + over) == last


@pytest.mark.parametrize(
    "wrong",
    [
        math.nan,
        math.inf,
        "fast",
        None,
        True,
        [1, 2],
        {"from": 1.0, "to": 2.0},
        {**LINEAR, "over": 0},
        {**LINEAR, "start": -1},
        {**LINEAR, "to": math.nan},
        {**LINEAR, "till": 3},
    ],
)
def test_what_is_no_schedule_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Schedule).validate_python(wrong)


def test_schedules_are_keys_and_do_not_change() -> None:
    schedule = Schedule.model_validate(LINEAR)
    assert {schedule: 1}[Schedule.model_validate(LINEAR)] == 1
    with pytest.raises(ValidationError):
        schedule.to = 3.0  # type: ignore[misc]


@pytest.mark.parametrize("written", [5e-4, LINEAR])
def test_a_saved_schedule_reads_as_it_was_written(written: object) -> None:
    class Holder(BaseModel):
        weight: Schedule

    assert Holder.model_validate({"weight": written}).model_dump() == {"weight": written}


def test_the_schema_allows_a_number_or_a_line() -> None:
    options = Schedule.model_json_schema()["anyOf"]
    assert {"type": "number"} in options
    assert any("from" in option.get("properties", {}) for option in options)


@pytest.mark.parametrize("sigma2", [0, -1e-3, math.nan, {"from": 1e-3, "to": 0.0, "over": 5}])
def test_a_canvas_without_width_of_ink_is_refused(sigma2: object) -> None:
    with pytest.raises(ValidationError, match="sigma2"):
        CanvasConfig.model_validate({"sigma2": sigma2})


@pytest.mark.parametrize("wrong", [{"size": 4}, {"size": 5000}, {"compose": "under"}, {"reach": 0}, {"sise": 64}])
def test_a_canvas_says_which_key_is_wrong(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CanvasConfig.model_validate(wrong)


def test_canvas_configs_are_keys() -> None:
    assert len({CanvasConfig(), CanvasConfig(), CanvasConfig(size=28)}) == 2
