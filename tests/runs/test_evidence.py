"""What is measured and how sure it is: intervals by pool, controls beside each rate, probes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from games import Referential
from perception import TimmTrunk, uses_judge
from runs import sketches
from runs.config import Config
from runs.evidence import Evidence, bootstrap_by_pool, gather
from runs.probes import probes
from runs.probes.iconicity import iconicity, own_photo_found
from runs.probes.prefix import prefix
from runs.probes.rate import rate
from runs.run import Run, assemble

Make = Callable[..., Config]


@pytest.fixture(scope="module")
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 40)


# Intervals


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    # Pools differ (beta-binomial): an interval that took games for independent would hold it far less often.
    rng = np.random.default_rng(0)
    held, naive = 0, 0
    for _ in range(100):
        rates = rng.beta(3, 2, 24)
        pools = [torch.from_numpy(rng.random(16) < each) for each in rates]
        low, high = bootstrap_by_pool(pools)
        held += low <= 0.6 <= high
        mean = float(torch.cat(pools).double().mean())
        half = 1.96 * (mean * (1 - mean) / (24 * 16)) ** 0.5
        naive += abs(mean - 0.6) <= half
    assert held >= 87  # 95 expected, a little less with 24 pools; 87 is four deviations away
    assert naive < 80


@given(st.integers(1, 40), st.integers(0, 8))
def test_pools_that_all_agree_leave_room_for_doubt(pools: int, right: int) -> None:
    each = torch.arange(8) < right
    low, high = bootstrap_by_pool([each] * pools)
    assert 0 <= low <= right / 8 <= high <= 1
    assert high - low > 0.5 / (pools + 1)


def test_an_interval_is_the_same_each_time_and_weighs_pools_by_their_games() -> None:
    large, little = torch.ones(90, dtype=torch.bool), torch.zeros(10, dtype=torch.bool)
    assert bootstrap_by_pool([large, little]) == bootstrap_by_pool([large, little]) == (0.0, 1.0)
    low, high = bootstrap_by_pool([large, little] * 30)
    assert low < 0.9 < high


# Evidence and its controls


def test_the_same_rounds_are_played_each_time(untrained: Run, evidence: Evidence) -> None:
    again = gather(untrained, untrained.game.parts[0], "test", 40)
    for one, other in zip(evidence.plays, again.plays, strict=True):
        assert torch.equal(one.round.pool, other.round.pool)
        assert torch.equal(one.strokes.points, other.strokes.points)
        assert torch.equal(one.scores, other.scores)
    assert evidence.n == 200 and evidence.chance == 0.2
    assert all(sorted(play.round.target.tolist()) == list(range(5)) for play in evidence.plays)


def test_agents_that_never_learned_are_near_chance_but_know_a_photo_again(evidence: Evidence) -> None:
    controls = evidence.controls()
    assert set(controls) == {"chance", "blank", "shuffled", "untrained", "random", "ceiling"}
    assert controls["blank"] == pytest.approx(0.2)  # one answer a pool, and each candidate is once the target
    for name in ("shuffled", "untrained"):
        assert abs(controls[name] - 0.2) < 0.15, name  # 200 games: five standard deviations
    assert controls["ceiling"] == 1.0  # the same photo


def test_only_its_own_drawing_helps_a_receiver_that_knows_each(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = evidence.run
    answers: dict[float, dict[int, int]] = {}  # by the drawing's ink: pool to target
    for number, play in enumerate(evidence.plays):
        for game in range(5):
            answers.setdefault(float(play.canvas[game].sum()), {})[number] = int(play.round.target[game])

    class Oracle:
        looks = 0

        def look(self, pool: object, pools: int, _: object) -> torch.Tensor:
            self.looks += 1
            return torch.full((1, 5, 1), self.looks - 1.0)  # which pool it is

        def guess(self, canvas: torch.Tensor, photos: torch.Tensor, pool_of: torch.Tensor) -> object:
            scores = torch.zeros(len(canvas), 5)
            for game, ink in enumerate(canvas):
                scores[game, answers.get(float(ink.sum()), {}).get(int(photos[0, 0, 0]), 0)] = 1
            return scores

        def guess_photo(self, shown: object, photos: torch.Tensor, pool_of: torch.Tensor, _: object) -> object:
            return torch.ones(len(pool_of), 5)

    oracle = Oracle()
    watched = Evidence(run, evidence.game, "test", evidence.plays, evidence.pairs)
    with monkeypatch.context() as patch:
        patch.setattr(run, "pair", lambda *_: oracle)
        own = watched.scored(lambda _, play: play.canvas)
        controls = watched.controls()
    assert torch.cat(own).all()
    assert oracle.looks == len(evidence.plays)  # at each pool once, for all controls
    assert controls["blank"] == controls["ceiling"] == pytest.approx(0.2)
    for name in (
        "shuffled",
        "untrained",
        "random",
    ):  # a photo may be shown on two pools, so that another's drawing helps
        assert abs(controls[name] - 0.2) < 0.12, name


def test_pairs_of_a_community_are_measured_in_turn(small: Make, tmp_path: Path) -> None:
    run = assemble(small(community={"senders": 2, "receivers": 3}), tmp_path, torch.device("cpu"))
    assert gather(run, run.game.parts[0], "test", 4).pairs == [(0, 0), (1, 1), (0, 1), (1, 2)]
    assert len(set(gather(run, run.game.parts[0], "test", 6).pairs)) == 6  # all of them, once each


def test_only_pairs_that_can_meet_are_measured_and_their_mean_is_told(small: Make, tmp_path: Path) -> None:
    community = {"senders": 4, "receivers": 4, "topology": {"kind": "bipartite"}}
    run = assemble(small(community=community), tmp_path, torch.device("cpu"))
    found = gather(run, run.game.parts[0], "test", 12)
    assert set(found.pairs) == {(s, r) for s in range(4) for r in range(4) if (s < 2) != (r < 2)}
    by_pair = found.by_pair()
    played = list(zip(found.pairs, found.plays, strict=True))
    right = {pair: torch.cat([play.correct for own, play in played if own == pair]) for pair in set(found.pairs)}
    rates = [float(each.double().mean()) for each in right.values()]
    assert by_pair["pairs"] == 8 and by_pair["rate"] == pytest.approx(sum(rates) / 8)
    assert min(rates) <= by_pair["low"] <= by_pair["rate"] <= by_pair["high"] <= max(rates)


# Probes


def test_the_rate_stands_beside_its_controls_and_by_class(evidence: Evidence) -> None:
    found = rate(evidence)
    assert found.value == evidence.rate() and found.low <= found.value <= found.high
    assert found.n == 200 and found.chance == 0.2
    assert found.parts is not None and set(found.parts) <= {str(digit) for digit in range(10)}
    counts = dict.fromkeys(found.parts, 0)
    for play in evidence.plays:
        for label in evidence.run.gallery.label[play.round.shown].tolist():
            counts[str(label)] += 1
    whole = sum(found.parts[name] * counts[name] for name in counts) / found.n
    assert whole == pytest.approx(found.value)


def test_the_prefix_curve_ends_at_the_rate(evidence: Evidence) -> None:
    short = replace(evidence, plays=evidence.plays[:6], pairs=evidence.pairs[:6])
    found = prefix(short)
    assert found.parts is not None and list(found.parts) == ["1", "2", "3", "4"]
    assert found.parts["4"] == found.baselines["full"] == pytest.approx(short.rate())
    assert found.value == pytest.approx(sum(found.parts.values()) / 4)
    assert found.low <= found.value <= found.high
    assert prefix(short) == found


def test_the_judge_looks_at_sketch_and_photo(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    # A small eye with random weights in the judge's place: what is asked of it stays the same.
    monkeypatch.setattr(sketches, "JUDGE", TimmTrunk(name="test_resnet", weights="random", size=32))
    monkeypatch.setattr(sketches, "PLACES", 2)
    some = replace(evidence, plays=evidence.plays[:10], pairs=evidence.pairs[:10])
    found = iconicity(some)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (
        found.n == 50 and found.chance == 0.2 and set(found.baselines) == {"untrained", "shuffled", "random", "chance"}
    )
    assert iconicity(some) == found


def test_the_eye_of_iconicity_is_the_judge_that_a_config_refuses_to_agents() -> None:
    assert uses_judge(sketches.JUDGE) and probes()["iconicity"].ask is iconicity


def test_own_photos_are_found_however_sketches_differ_from_photos_as_a_whole() -> None:
    photos = torch.eye(5) + 3
    assert own_photo_found(photos, photos).all()
    assert own_photo_found(photos * 0.1 - 100 * torch.ones(5), photos).all()  # pale, and all off in one way
    assert own_photo_found(photos.roll(1, 0), photos).sum() == 0
    assert own_photo_found(torch.ones(5, 5), photos).sum() == 1  # a blank sheet finds one: chance
    swapped = photos[[1, 0, 2, 3, 4]]
    assert own_photo_found(swapped, photos).tolist() == [False, False, True, True, True]


def test_a_class_game_can_be_measured(untrained: Run) -> None:
    found = rate(gather(untrained, Referential(view="class", candidates=4), "test", 3))
    assert found.n == 12 and found.baselines["ceiling"] <= 1
