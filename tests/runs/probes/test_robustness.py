"""What is left of the rate when drawings are damaged: the same games throughout, attacks beside noise, controls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games import correct
from games.play import Round
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.finding import Finding
from runs.probes import probes
from runs.probes import robustness as module
from runs.probes.robustness import SIZES, robustness, wrongness
from runs.run import Run, assemble

Make = Callable[..., Config]


@pytest.fixture(scope="module")
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 2)


@pytest.fixture(scope="module")
def found(evidence: Evidence) -> Finding:
    return robustness(evidence)


@given(st.integers(2, 6), st.integers(0, 2**31), st.booleans())
def test_a_game_is_lost_exactly_where_its_wrongness_is_above_nothing(k: int, seed: int, several: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(9, k, generator=generator)
    target = torch.randint(k, (9,), generator=generator)
    zero = torch.zeros(9, dtype=torch.long)
    targets = torch.rand(9, k, generator=generator) > 0.5 if several else None
    round = Round(torch.zeros(1, k, dtype=torch.long), target, zero, zero, "test", 0, targets=targets)
    assert torch.equal(wrongness(scores, round) < 0, correct(scores, round))


def test_whole_drawings_are_those_that_were_played(found: Finding, evidence: Evidence) -> None:
    # So few games that all of them are asked.
    assert found.n == evidence.n and found.baselines["whole"] == pytest.approx(evidence.rate())
    assert found.baselines.keys() >= {"blank", "shuffled", "untrained", "random", "ceiling"}
    assert all(curve.y[0] == pytest.approx(evidence.rate()) for curve in found.curves.values())
    assert all(len(curve.x) == 6 for curve in found.curves.values())


def test_the_value_is_the_mean_of_all_kinds_and_severities_without_attacks(found: Finding) -> None:
    assert found.table is not None and found.parts is not None
    rows = [row["rate"] for name, row in found.table.items() if "attack" not in name and "equal norm" not in name]
    assert len(rows) == 30 and found.value == pytest.approx(sum(rows) / 30)
    assert found.value == pytest.approx(sum(found.parts[kind] for kind in list(found.curves)[:6]) / 6)
    assert found.low <= found.value <= found.high


def test_no_attack_is_to_the_receiver_s_advantage(found: Finding) -> None:
    assert found.table is not None
    names = [name for name in found.table if name.startswith("attack")]
    assert len(names) == len(SIZES) + 1
    assert all(found.table[name]["rate"] <= found.baselines["whole"] for name in names)
    assert found.table[f"attack {SIZES[-1]:g}"]["rate"] < found.baselines["whole"]


def test_damaged_drawings_are_shown_with_what_came_of_them(found: Finding) -> None:
    captions = [each.caption for each in found.pictures]
    assert captions[0].startswith("whole: ") and any(each.startswith("attack 0.01: ") for each in captions)
    assert all(each.endswith((": found", ": lost")) for each in captions)
    assert len(captions) == 14 and all(each.photo is not None for each in found.pictures)


def test_the_same_comes_out_again(found: Finding, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZES", SIZES[:3])
    again = probes()["robustness"](evidence)
    assert (again.value, again.low, again.high) == (found.value, found.low, found.high)
    assert found.table is not None and again.table is not None
    assert all(found.table[name] == row for name, row in again.table.items())


def test_games_are_damaged_together_as_one_pool_at_a_time(
    found: Finding, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", 1)
    alone = robustness(evidence)
    assert alone.value == pytest.approx(found.value) and alone.parts == pytest.approx(found.parts)
    assert alone.table is not None and found.table is not None
    assert all(row == pytest.approx(found.table[name]) for name, row in alone.table.items())


@pytest.mark.parametrize(
    "changes",
    [
        {
            "game": {"kind": "referential", "candidates": 5, "targets": {"kind": "several", "most": 2}},
            "receiver": {"threshold": True},
        },
        {"game": {"kind": "pictionary", "candidates": 5, "turns": 2, "strokes": 2}},
    ],
    ids=["several targets", "turns"],
)
def test_games_of_other_kinds_are_damaged_too(changes: dict[str, Any], small: Make, tmp_path: Path) -> None:
    run = assemble(small(**changes), tmp_path, torch.device("cpu"))
    evidence = gather(run, run.game.parts[0], "test", 2)
    found = robustness(evidence)
    assert found.baselines["whole"] == pytest.approx(evidence.rate())
    assert found.table is not None
    assert all(row["rate"] <= found.baselines["whole"] for name, row in found.table.items() if name[:6] == "attack")
