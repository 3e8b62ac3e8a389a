"""Games of several targets, of hard distractors, and among other numbers of candidates: trained, measured, written."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from perception import TimmTrunk
from raster import InputError
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.folder import lines, read_json
from runs.report import write_report
from runs.run import Run, assemble
from runs.start import launch
from runs.study import export
from runs.train import Learner
from tests.runs.pages import Page

CONTROLS = ("blank", "shuffled", "untrained", "random")

Make = Callable[..., Config]
SEVERAL = {"kind": "referential", "view": "class", "candidates": 6, "targets": {"kind": "several", "most": 2}}
TRUNK = TimmTrunk(weights="random").model_dump()


def several(small: Make, **changes: Any) -> Config:
    receiver = {"threshold": True, **changes.pop("receiver", {})}
    return small(**{"game": SEVERAL, "receiver": receiver, **changes})


@pytest.fixture(scope="module")
def done(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of several targets beside one, measured at other numbers of candidates too."""
    game = {"kind": "mixture", "of": [SEVERAL, {"kind": "referential", "view": "same", "candidates": 5}]}
    config = several(small, game=game, measure={"validation_pools": 1, "test_pools": 3, "candidates": [3, 5]})
    return launch(config, tmp_path_factory.mktemp("several") / "run", progress=False, device="cpu")


# Several targets


def test_what_several_targets_need_is_asked_for_in_a_line(small: Make) -> None:
    with pytest.raises(ValidationError, match=r"say receiver\.threshold: true"):
        small(game=SEVERAL)
    with pytest.raises(ValidationError, match=r"measure\.candidates: 2 targets leave no distractor among 2"):
        several(small, measure={"candidates": [5, 2]})


def test_a_threshold_is_learned_and_moves_all_scores(small: Make, tmp_path: Path) -> None:
    run = assemble(several(small), tmp_path, torch.device("cpu"))
    assert run.receiver.threshold is not None
    learner = Learner(run)
    for _ in range(3):
        (record,) = learner.step()
    assert record.play.round.targets is not None
    assert run.receiver.threshold.grad is not None and run.receiver.threshold.item() != 0
    play = gather(run, run.game.parts[0], "test", 1).plays[0]
    with torch.no_grad():
        run.receiver.threshold += 0.5
    moved = gather(run, run.game.parts[0], "test", 1).plays[0]
    assert torch.allclose(moved.scores, play.scores - 0.5, atol=1e-5)
    plain = assemble(small(), tmp_path, torch.device("cpu"))
    assert "threshold" not in dict(plain.receiver.named_parameters())


def test_the_chance_of_several_is_that_of_the_best_answer_without_a_drawing(small: Make, tmp_path: Path) -> None:
    run = assemble(several(small), tmp_path, torch.device("cpu"))
    evidence = gather(run, run.game.parts[0], "test", 12)
    won = 0
    for play in evidence.plays:
        answers = [tuple(row) for row in play.round.meant.tolist()]
        won += max(answers.count(answer) for answer in answers)
        assert len(play.round.pool) == 1
    assert evidence.n == sum(len(play.loss) for play in evidence.plays)
    assert evidence.chance == pytest.approx(won / evidence.n) and 0.1 < evidence.chance < 0.5
    found = evidence.balanced()
    assert found is not None and found.chance == 0.5 and found.n == 6 * evidence.n
    assert found.low <= found.value <= found.high
    # A blank canvas gets one answer a pool, whatever is meant: it cannot beat chance.
    assert evidence.controls()["blank"] <= evidence.chance + 1e-9
    assert set(found.baselines) == {"chance", *CONTROLS, "ceiling"}


def test_a_blind_judge_of_several_has_half_of_balanced_accuracy_and_a_seeing_one_all(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = assemble(several(small), tmp_path, torch.device("cpu"))
    evidence = gather(run, run.game.parts[0], "test", 6)

    class Judge:
        """Says no to all on a blank canvas, and what is meant where the drawing is the game's own."""

        number = -1

        def look(self, *_: object) -> torch.Tensor:
            return torch.zeros(1, 1, 1)

        def guess(self, canvas: torch.Tensor, *_: object) -> torch.Tensor:
            self.number = (self.number + 1) % len(evidence.plays)
            play = evidence.plays[self.number]
            own = torch.equal(canvas, play.canvas)
            return torch.where(play.round.meant & own, 1.0, -1.0)

        def guess_photo(self, *_: object) -> torch.Tensor:
            self.number = (self.number + 1) % len(evidence.plays)
            # All photos are alike: only another threshold tells them apart.
            return torch.where(evidence.plays[self.number].round.meant, 6.0, 4.0)

    judge = Judge()
    monkeypatch.setattr(run, "pair", lambda *_: judge)
    plays = [replace(play, scores=torch.where(play.round.meant, 1.0, -1.0)) for play in evidence.plays]
    watched = Evidence(run, evidence.game, "test", plays, evidence.pairs)
    found, controls = watched.balanced(), watched.controls()
    assert found is not None and found.value == found.baselines["ceiling"] == 1 and watched.rate() == 1
    assert controls["ceiling"] == 1
    none = sum(float((~play.round.meant.any(dim=1)).sum()) for play in plays) / watched.n
    for name in CONTROLS:  # no to all: right where nothing is meant, and half of judgements
        assert found.baselines[name] == 0.5 and controls[name] == pytest.approx(none)
    assert none <= watched.chance + 1e-9


def test_a_run_of_several_writes_what_was_meant_and_taken(done: Run) -> None:
    plays = [line for line in lines(done.folder.journal("test")) if line["game"] == "class-several"]
    pictures = read_json(done.folder.pictures)
    assert plays and not any("target" in line or "choice" in line for line in plays)
    for line in plays:
        games = len(line["targets"])
        assert games == len(line["taken"]) == len(line["shown"]) == len(line["scores"]) == len(line["strokes"])
        for meant, taken, shown, scores in zip(
            line["targets"], line["taken"], line["shown"], line["scores"], strict=True
        ):
            (concept,) = {pictures["label"][picture] for picture in shown}
            assert meant == [n for n, picture in enumerate(line["pool"]) if pictures["label"][picture] == concept]
            clear = [n for n, score in enumerate(scores) if abs(score) > 1e-3]  # scores are rounded
            assert [n for n in taken if n in clear] == [n for n in clear if scores[n] > 0]
    assert any("target" in line for line in lines(done.folder.journal("test")))


def test_balanced_accuracy_stands_in_metrics_summary_and_report(done: Run) -> None:
    summary = read_json(done.folder.summary)
    row = summary["splits"]["test"]["class-several"]["balanced"]
    assert {"balanced", "low", "high", "n", "chance", *CONTROLS, "ceiling"} == set(row)
    assert row["chance"] == 0.5 and row["low"] <= row["balanced"] <= row["high"]
    assert "balanced" not in summary["splits"]["test"]["same"]
    found = [line for line in lines(done.folder.metrics) if "balanced" in line]
    assert {line["split"] for line in found} == {"train", "validation"}
    text = Page(done.folder.report.read_text()).text
    assert "Balanced accuracy" in text and f"{100 * row['balanced']:.1f}" in text
    assert "another picture of the class, several targets or none" in text
    before = done.folder.report.read_text()
    write_report(done.folder.path)
    assert done.folder.report.read_text() == before


def test_a_study_takes_the_games_of_one_target_and_says_so_where_there_are_none(
    done: Run, small: Make, tmp_path: Path
) -> None:
    made = export(done.folder.path, tmp_path / "study", trials=4)
    assert made.game == "same" and made.trials == 4
    only = tmp_path / "only"
    only.mkdir()
    for path in done.folder.path.iterdir():
        if path.is_file():
            (only / path.name).write_bytes(path.read_bytes())
    (only / "plays").mkdir()
    kept = [line for line in lines(done.folder.journal("test")) if "targets" in line]
    (only / "plays/test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    with pytest.raises(InputError, match="several targets, and people are asked for one") as caught:
        export(only, tmp_path / "other", trials=4)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_killed_run_of_these_games_goes_on_bit_for_bit(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    near = {"kind": "nearest", "trunk": TRUNK, "level": 2, "about": "pool"}
    game = {
        "kind": "mixture",
        "of": [SEVERAL, {"kind": "referential", "candidates": 5, "loss": "info_nce", "distractors": near}],
    }
    config = several(small, game=game, pictures={"size": 32}, biases=[{"kind": "augment", "versions": 2}])
    whole, resumed = whole_and_resumed(config, 3)
    one, two = (dict(run.community.named_parameters()) for run in (whole, resumed))
    assert one.keys() == two.keys() and all(torch.equal(value, two[name]) for name, value in one.items())
    assert {**read_json(whole.folder.summary), "minutes": 0} == {**read_json(resumed.folder.summary), "minutes": 0}


# Hard distractors and augmentation in a step


@pytest.mark.parametrize("about", ["target", "pool"])
def test_no_photo_passes_a_trunk_in_a_step_of_hard_distractors(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, about: str
) -> None:
    monkeypatch.setenv("LASCAUX_CACHE", str(tmp_path / "cache"))
    game = {"kind": "referential", "candidates": 5, "distractors": {"kind": "nearest", "trunk": TRUNK, "about": about}}
    run = assemble(small(game=game, pictures={"size": 32}), tmp_path, torch.device("cpu"))
    assert run.trunks.passes >= len(run.gallery)  # prepared before the first step
    before = run.trunks.passes
    learner = Learner(run)
    for _ in range(2):
        (record,) = learner.step()
    assert run.trunks.passes == before
    assert len(record.play.round.pool) == (10 if about == "target" else 2)
    evidence = gather(run, run.game.parts[0], "test", 3)
    assert evidence.chance == 0.2 and evidence.n == 15


def test_the_judge_deals_no_distractors(small: Make) -> None:
    near = {"kind": "nearest", "trunk": {"kind": "timm", "name": "judge"}}
    with pytest.raises(ValidationError, match=r"game 0's distractors is the judge, which only probes may use"):
        small(game={"kind": "referential", "candidates": 5, "distractors": near})


def test_these_games_take_a_training_step_on_the_meta_device(small: Make, tmp_path: Path) -> None:
    near = {"kind": "nearest", "trunk": TRUNK, "level": 2}
    game = {"kind": "mixture", "of": [SEVERAL, {"kind": "referential", "candidates": 5, "distractors": near}]}
    config = several(
        small,
        game=game,
        pictures={"size": 32},
        canvas={"size": 32},
        sender={"trunk": TRUNK, "levels": [2], "pixels": True},
        receiver={"trunk": TRUNK, "levels": [2]},
        biases=[{"kind": "augment", "versions": 2}, {"kind": "likeness", "trunk": TRUNK}],
    )
    run = assemble(config, tmp_path, torch.device("meta"))
    learner = Learner(run)
    for _ in range(2):
        (record,) = learner.step()
        assert record.play.canvas.is_meta and record.play.loss.is_meta


# Other numbers of candidates


def test_the_test_is_played_among_other_numbers_of_candidates_with_every_control(done: Run) -> None:
    summary = read_json(done.folder.summary)
    for game in ("same", "class-several"):
        found = summary["splits"]["test"][game]["candidates"]
        assert set(found) == {"3", "5"}
        for number, row in found.items():
            assert {"rate", "low", "high", "n", "chance", "blank", "shuffled", "untrained", "ceiling"} <= set(row)
            assert ("balanced" in row) == (game == "class-several")
            if game == "same":
                assert row["chance"] == pytest.approx(1 / int(number)) and row["n"] == 3 * int(number)
    evidence = gather(done, done.game.parts[1].among(3), "test", 3)
    assert summary["splits"]["test"]["same"]["candidates"]["3"]["rate"] == evidence.rate()
    text = Page(done.folder.report.read_text()).text
    assert "Among other numbers of candidates" in text


def test_numbers_of_candidates_that_cannot_be_dealt_are_refused_before_anything_is_learned(
    small: Make, tmp_path: Path
) -> None:
    config = small(measure={"validation_pools": 1, "test_pools": 2, "candidates": [5, 11]})
    with pytest.raises(InputError, match=r"11 candidates, but only 10 classes .*\(measure.candidates, split 'test'\)"):
        launch(config, tmp_path / "run", progress=False, device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_plain_run_is_measured_as_ever(finished: Run) -> None:
    summary = read_json(finished.folder.summary)
    assert "candidates" not in summary and "balanced" not in summary
    assert "Among other numbers" not in finished.folder.report.read_text()
