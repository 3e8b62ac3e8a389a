"""Confidence held against what came of it: errors by hand and by a slow reference, temperature, absence."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from raster import InputError
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.probes import probes
from runs.probes.calibration import (
    area,
    best_temperature,
    brier,
    calibration,
    calibration_error,
    error_of_the_calibrated,
    judged,
    log_loss,
    without,
)
from runs.run import Run, assemble

Make = Callable[..., Config]


@pytest.fixture(scope="module")
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 4)


def scored(evidence: Evidence, make: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Evidence:
    """The same games with other scores of their drawings, made of the scores and the targets."""
    plays = [replace(play, scores=make(play.scores, play.round.target)) for play in evidence.plays]
    return replace(evidence, plays=plays)


# By hand


def test_the_error_of_four_games_by_hand() -> None:
    # Bins of a tenth: {0.95, 0.95} half right, apart 0.45; {0.35} wrong, apart 0.35; {0.65} right, apart 0.35.
    sure, right = np.array([0.95, 0.95, 0.35, 0.65]), np.array([1.0, 0.0, 0.0, 1.0])
    assert calibration_error(sure, right, 10) == pytest.approx(0.5 * 0.45 + 0.25 * 0.35 + 0.25 * 0.35)
    # One bin: the mean confidence is 0.725, half were right.
    assert calibration_error(sure, right, 1) == pytest.approx(0.225)


def test_the_brier_score_of_two_games_by_hand() -> None:
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log()
    # (0.5 - 1)^2 + 0.3^2 + 0.2^2 = 0.38, and 0.1^2 + (0.1 - 1)^2 + 0.8^2 = 1.46
    assert brier(scores, torch.tensor([0, 1])) == pytest.approx((0.38 + 1.46) / 2)
    assert brier(torch.zeros(4, 5), torch.tensor([0, 1, 2, 3])) == pytest.approx(1 - 1 / 5)
    assert brier(torch.tensor([[50.0, 0.0]]), torch.tensor([1])) == pytest.approx(2.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_the_error_is_that_of_a_slow_reference(games: list[tuple[float, bool]], bins: int) -> None:
    sure = np.array([each for each, _ in games])
    right = np.array([float(each) for _, each in games])
    expected = 0.0
    for number in range(bins):
        own = [
            place
            for place, each in enumerate(sure)
            if np.ceil(each * bins) == number + 1 or (number == 0 and np.ceil(each * bins) == 0)
        ]
        if own:
            expected += len(own) / len(games) * abs(np.mean(sure[own]) - np.mean(right[own]))
    assert calibration_error(sure, right, bins) == pytest.approx(expected, abs=1e-12)


def test_a_receiver_that_is_right_as_often_as_it_says_has_the_error_of_the_calibrated() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.2, 1, 400)
    errors = [calibration_error(sure, (rng.random(400) < sure).astype(float)) for _ in range(100)]
    assert error_of_the_calibrated(sure) == pytest.approx(float(np.mean(errors)), abs=0.004)
    assert error_of_the_calibrated(np.tile(sure, 50)) < error_of_the_calibrated(sure) / 4


# Temperature


@pytest.mark.parametrize("factor", [0.2, 1.0, 6.0])
def test_the_temperature_undoes_what_scores_were_multiplied_by(factor: float) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(4000, 8, generator=generator)
    target = torch.multinomial(scores.softmax(dim=1), 1, generator=generator)[:, 0]
    found = best_temperature(factor * scores, target)
    assert found == pytest.approx(factor, rel=0.06)
    least = log_loss(factor * scores / found, target)
    assert all(least <= log_loss(factor * scores / (found * other), target) + 1e-9 for other in (0.9, 0.99, 1.01, 1.1))
    for one, other in zip(judged(scores, target)[1], judged(factor * scores, target)[1], strict=True):
        assert one == other  # who is right is not changed


def test_the_temperature_comes_from_validation_and_not_from_the_games_it_is_measured_on(evidence: Evidence) -> None:
    validation = gather(evidence.run, evidence.game, "validation", len(evidence.plays))
    scores = torch.cat([play.scores for play in validation.plays])
    expected = best_temperature(scores, torch.cat([play.round.target for play in validation.plays]))
    found = calibration(evidence)
    assert found.parts is not None and found.table is not None
    assert found.parts["temperature"] == pytest.approx(expected)
    other = calibration(scored(evidence, lambda scores, _: 7 * scores))
    assert other.parts is not None and other.parts["temperature"] == pytest.approx(expected)
    of_itself = calibration(validation)
    assert of_itself.parts is not None and "temperature" not in of_itself.parts
    assert "at that temperature" not in of_itself.curves


# Absence


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_the_area_is_scikit_learn_s(present: list[int], absent: list[int]) -> None:
    truth = [1] * len(present) + [0] * len(absent)
    expected = roc_auc_score(truth, present + absent)
    assert area(np.array(present), np.array(absent)) == pytest.approx(expected)


def test_one_candidate_of_each_game_is_taken_out() -> None:
    scores = torch.arange(12.0).reshape(3, 4)
    left = without(scores, torch.tensor([0, 3, 1]))
    assert left.tolist() == [[1, 2, 3], [4, 5, 6], [8, 10, 11]]


def test_who_knows_the_target_notices_that_it_is_gone_and_who_guesses_does_not(evidence: Evidence) -> None:
    knows = calibration(
        scored(evidence, lambda scores, target: 9.0 * torch.nn.functional.one_hot(target, scores.shape[1]))
    )
    assert knows.parts is not None and knows.parts["absence noticed"] == 1.0
    assert knows.parts["confidence, target absent"] == pytest.approx(1 / 4)  # one of the four that are left
    guesses = calibration(scored(evidence, lambda scores, _: torch.zeros_like(scores)))
    assert guesses.parts is not None and guesses.parts["absence noticed"] == 0.5


# The probe


def test_a_receiver_that_thinks_all_alike_is_calibrated(evidence: Evidence) -> None:
    found = calibration(scored(evidence, lambda scores, _: torch.zeros_like(scores)))
    assert found.value == pytest.approx(0, abs=1e-12)  # a fifth sure, and each candidate is the target once
    assert found.parts is not None
    assert found.parts["Brier score"] == pytest.approx(found.parts["Brier score of chance"]) == pytest.approx(0.8)
    assert found.parts["log loss"] == pytest.approx(np.log(5))


def test_the_finding_has_its_interval_its_controls_and_its_diagram(evidence: Evidence) -> None:
    found = probes()["calibration"](evidence)
    assert 0 <= found.low <= found.value <= found.high <= 1 and found.n == evidence.n and found.chance is None
    assert set(found.baselines) == {"blank", "shuffled", "untrained", "random", "ceiling", "calibrated"}
    assert found.table is not None and found.table["drawings"]["ECE"] == found.value
    assert found.table["drawings"]["rate"] == pytest.approx(evidence.rate())
    curve = found.curves["receiver"]
    assert curve.x == sorted(curve.x) and curve.low is not None and curve.high is not None
    assert all(0 <= each <= 1 for each in curve.y)
    assert sum(found.curves["part of the games"].y) == pytest.approx(1)
    assert calibration(evidence) == found


def test_games_of_several_targets_are_refused_in_a_line(small: Make, tmp_path_factory: pytest.TempPathFactory) -> None:
    game = {"kind": "referential", "candidates": 5, "targets": {"kind": "several", "most": 2}}
    config = small(game=game, receiver={"threshold": True})
    run = assemble(config, tmp_path_factory.mktemp("several"), torch.device("cpu"))
    with pytest.raises(InputError, match="probe calibration: it asks about one target a game, and there are several"):
        probes()["calibration"](gather(run, run.game, "test", 2))
