"""A run of pictionary, from its config to its study: trained, resumed to the bit, measured, told, shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from games import Pictionary
from perception import TimmTrunk
from raster import InputError
from runs import checkpoint
from runs.config import Config
from runs.drawings import strokes_of
from runs.evidence import bootstrap_of_mean, gather
from runs.folder import lines, read_json
from runs.probes import probes
from runs.report import write_report
from runs.run import Run, assemble
from runs.start import launch
from runs.study import export
from runs.train import Learner
from runs.turns import by_turn, mean_turns

Make = Callable[..., Config]
GAME = {"kind": "pictionary", "view": "same", "candidates": 5, "turns": 3, "strokes": 2, "price": 0.1}
HEAD = {"kind": "recurrent", "per_step": 2, "width": 16, "heads": 2, "channels": [4]}


@pytest.fixture(scope="session")
def turns(small: Make) -> Make:
    """The small config with a game of turns; keys of the game by ``game``."""

    def make(game: dict[str, Any] | None = None, head: dict[str, Any] = HEAD, **changes: Any) -> Config:
        sender = {"strokes": {"count": 6}, "head": head, **changes.pop("sender", {})}
        return small(game={**GAME, **(game or {})}, sender=sender, **changes)

    return make


@pytest.fixture(scope="module")
def finished(turns: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that waits now and then, finished. Look, do not write."""
    # So dear a turn that in a few steps some games stop early: the table of controls is then not of one turn alone.
    config = turns({"price": 0.3}, train={"steps": 24, "lr": 5e-3}, measure={"test_pools": 6})
    return launch(config, tmp_path_factory.mktemp("pictionary") / "run", progress=False, device="cpu")


# Learning


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"game": {"sees_scores": True}},
        {"game": {"learn": {"kind": "reinforce"}}},
        {"head": {"kind": "onepass"}},
        {"game": {"view": "class", "loss": "hinge"}, "head": {"kind": "set", "width": 16, "heads": 2}},
    ],
    ids=["expected", "sees scores", "reinforce", "onepass", "set"],
)
def test_every_part_of_both_agents_learns(turns: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    config = turns(**changes, biases=[{"kind": "ink"}, {"kind": "tremor"}])
    run = assemble(config, tmp_path, torch.device("cpu"))
    learner = Learner(run)
    before = {name: value.detach().clone() for name, value in run.community.named_parameters()}
    # The decision's last layer starts at 0: what lies before it learns from the second step on, after the warm-up's.
    for _ in range(3):
        (record,) = learner.step()
    still = {name for name, value in run.community.named_parameters() if torch.equal(value, before[name])}
    assert not {name for name in still if not name.endswith("key.bias")}
    assert record.play.loss.isfinite().all() and record.play.course is not None
    means = learner.flush()
    assert 1 <= means["turns"] <= 3 and means["gradient/loss"] > 0 and means["gradient/ink"] > 0


def test_a_killed_run_goes_on_bit_for_bit_baseline_included(
    turns: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    config = turns({"learn": {"kind": "reinforce"}, "sees_scores": True, "price": {"from": 0, "to": 1, "over": 5}})
    whole, resumed = whole_and_resumed(config, 5)
    one, two = (checkpoint.weights_of(run.community) for run in (whole, resumed))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert float(one["receivers.0.patience.mean"]) != 0 and float(one["receivers.0.patience.count"]) == 6
    for name in ("train", "validation", "test"):
        assert list(lines(whole.folder.journal(name))) == list(lines(resumed.folder.journal(name)))


@pytest.mark.parametrize("learn", ["expected", "reinforce"])
def test_a_whole_step_runs_on_the_meta_device(turns: Make, tmp_path: Path, learn: str) -> None:
    packaged = TimmTrunk(weights="random").model_dump()
    config = turns(
        {"sees_scores": True, "learn": {"kind": learn}},
        pictures={"size": 32},
        canvas={"size": 32},
        sender={"trunk": packaged, "levels": [2]},
        biases=[{"kind": "likeness", "trunk": packaged}, {"kind": "tremor"}],
    )
    run = assemble(config, tmp_path, torch.device("meta"))
    (record,) = Learner(run).step()
    assert record.play.canvas.is_meta and record.play.loss.is_meta
    assert all(p.is_meta and p.grad is not None for p in run.community.parameters() if p.requires_grad)


def test_float64_runs(turns: Make, tmp_path: Path) -> None:
    config = turns({"learn": {"kind": "reinforce"}, "sees_scores": True}, train={"dtype": "float64"})
    (record,) = Learner(assemble(config, tmp_path, torch.device("cpu"))).step()
    assert record.play.canvas.dtype == record.play.loss.dtype == torch.float64


@pytest.mark.slow
def test_a_dear_turn_makes_receivers_answer_sooner(turns: Make, tmp_path: Path) -> None:
    used = []
    for price in (0.0, 2.0):
        train = {"steps": 60, "games": 10, "lr": 5e-3, "validate_every": 1000, "checkpoint_every": 1000}
        # Free turns are worth waiting for only once they are learned: first all explore, then all decide.
        game = {"price": price, "explore": {"from": 1, "to": 0.2, "over": 10, "start": 40}}
        run = assemble(turns(game, train=train), tmp_path, torch.device("cpu"))
        learner = Learner(run)
        for _ in range(60):
            learner.step()
        used.append(mean_turns(gather(run, run.game.parts[0], "validation", 8)))
    assert used[1] < used[0] - 0.5


# What is measured and told


def test_the_summary_tells_turns_beside_the_rate_and_its_controls(finished: Run) -> None:
    summary = read_json(finished.folder.path / "summary.json")
    assert summary["game"] == "same"
    assert {"rate", "chance", "blank", "shuffled", "untrained", "ceiling", "low", "high"} <= summary.keys()
    assert 1 <= summary["turns_low"] <= summary["turns"] <= summary["turns_high"] <= 3
    assert 1 <= summary["turns_untrained"] <= 3
    assert sum(summary["answered_at"]) == pytest.approx(1)
    mean = sum(turn * share for turn, share in enumerate(summary["answered_at"], 1))
    assert summary["turns"] == pytest.approx(mean)
    assert summary["strokes"] == pytest.approx(2 * mean)
    won = [s * (r or 0) for s, r in zip(summary["answered_at"], summary["rate_answered_at"], strict=True)]
    assert sum(won) == pytest.approx(summary["rate"])
    assert len(summary["rate_by_turn"]) == len(summary["rate_by_turn_untrained"]) == 3


def test_turns_are_counted_as_they_were_played(finished: Run) -> None:
    evidence = gather(finished, finished.game.parts[0], "test", 6)
    row = by_turn(evidence)
    for turn in range(3):
        right, n = 0, 0
        for play in evidence.plays:
            assert play.course is not None
            choice = play.course.scores[:, turn].argmax(-1)
            right, n = right + int((choice == play.round.target).sum()), n + len(choice)
        assert row["rate_by_turn"][turn] == pytest.approx(right / n)
    for play, strange, drawn in zip(evidence.plays, evidence.strangers, evidence.untrained, strict=True):
        assert torch.equal(play.round.pool, strange.round.pool)
        assert not torch.equal(play.strokes.points, strange.strokes.points)
        assert strange.strokes.points is drawn.points


def test_an_interval_of_a_mean_lies_around_it_and_is_a_point_where_nothing_differs() -> None:
    pools = [torch.full((4,), float(each)) for each in (1, 2, 2, 3, 5, 1)]
    low, high = bootstrap_of_mean(pools)
    assert 1 < low < 14 / 6 < high < 5
    assert bootstrap_of_mean(pools) == (low, high)
    assert bootstrap_of_mean([torch.full((3,), 2.5)] * 4) == (2.5, 2.5)


def test_metrics_tell_turns_in_training_and_validation(finished: Run) -> None:
    for split in ("train", "validation"):
        found = [line for line in lines(finished.folder.metrics) if line["split"] == split]
        assert found and all(1 <= line["turns"] <= 3 and 0 <= line["rate"] <= 1 for line in found)


def test_the_journal_tells_each_turn_and_the_drawing_as_it_was_answered(finished: Run) -> None:
    evidence = gather(finished, finished.game.parts[0], "test", 6)
    for play, line in zip(evidence.plays, lines(finished.folder.journal("test")), strict=True):
        assert play.course is not None
        assert line["turn"] == (play.course.taken + 1).tolist()
        assert line["choices"] == play.course.choices.tolist()
        assert torch.allclose(torch.tensor(line["answer"]), play.course.answer, atol=1e-4)
        for turn, choices, answers, choice in zip(
            line["turn"], line["choices"], line["answer"], line["choice"], strict=True
        ):
            assert choices[turn - 1] == choice and answers[2] == 1
            assert all(answer <= 0.5 for answer in answers[: turn - 1])
        again = finished.config.canvas.draw(strokes_of(line), line["step"])
        assert (again - play.canvas).abs().max() < 1 / 255


def test_the_report_shows_the_curve_and_drawings_as_they_grew(finished: Run, tmp_path: Path) -> None:
    html = write_report(finished.folder.path).read_text()
    assert 'alt="rate by turn"' in html and html.count('class="game strip') == 8
    line = next(lines(finished.folder.journal("test")))
    frames = html.count("of 3: ")
    assert 8 <= frames <= 24 and len(line["turn"]) == 5
    assert write_report(finished.folder.path).read_text() == html


def test_every_probe_but_the_judges_measures_turns(finished: Run) -> None:
    evidence = gather(finished, finished.game.parts[0], "test", 6)
    rate, prefix = probes()["rate"](evidence), probes()["prefix"](evidence)
    assert rate.value == evidence.rate() == pytest.approx(prefix.baselines["full"])
    assert rate.baselines["blank"] == pytest.approx(0.2)


def test_a_study_shows_people_what_the_receiver_answered_on(finished: Run, tmp_path: Path) -> None:
    made = export(finished.folder.path, tmp_path / "study", trials=5, offline=False)
    assert made.game == "same" and made.choices == 5
    assert len(list((made.path / "stimuli").glob("*.png"))) > 5


def test_a_run_opened_again_plays_the_same(finished: Run) -> None:
    from runs import load

    loaded = load(finished.folder.path)
    one, two = (gather(run, run.game.parts[0], "test", 2).plays for run in (finished, loaded))
    for mine, other in zip(one, two, strict=True):
        assert mine.course is not None and other.course is not None
        assert torch.equal(mine.course.wait, other.course.wait) and torch.equal(mine.scores, other.scores)


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sender": {"strokes": {"count": 5}}}, "3 turns of 2 strokes are 6, but sender.strokes.count is 5"),
        ({"game": {"sees_scores": True}, "head": {"kind": "set"}}, "sees_scores asks for sender.head.kind recurrent"),
    ],
)
def test_what_does_not_go_together_is_refused(turns: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((ValidationError, InputError), match=message):
        turns(**changes)


def test_too_many_candidates_are_refused_before_anything_is_learned(turns: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 candidates, but only 10 classes"):
        launch(turns({"candidates": 64}), tmp_path / "run", progress=False, device="cpu")


def test_a_mixture_is_of_referential_games(turns: Make) -> None:
    game = Pictionary.model_validate(GAME)
    with pytest.raises(ValidationError, match="referential"):
        Config.model_validate(
            {**turns().model_dump(), "game": {"kind": "mixture", "of": [game.model_dump()]}},
        )
