"""What a run leaves behind: the page, the summary, the journal and TensorBoard's events."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raster import CanvasConfig, Strokes
from runs.board import _until_the_next_second
from runs.config import Config
from runs.evidence import gather
from runs.folder import lines, read_json
from runs.journal import grid, play_lines
from runs.probes import probes
from runs.report import write_report
from runs.report.figures import confusion
from runs.run import Run
from runs.start import launch
from runs.train import Learner
from tests.runs.pages import Page, report_of

Make = Callable[..., Config]


# The page


def test_a_report_needs_no_network_and_runs_nothing(finished: Run) -> None:
    html = (finished.folder.path / "report.html").read_text()
    page = Page(html)
    used = [value for _, given in page.tags for key, value in given.items() if key in ("src", "href", "srcset", "data")]
    assert len(used) > 10 and all((value or "").startswith("data:") for value in used)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"@import|url\(", html)
    assert not any(key.startswith("on") for _, given in page.tags for key in given)


def test_a_report_shows_the_run(finished: Run) -> None:
    page, summary = report_of(finished.folder.path), read_json(finished.folder.path / "summary.json")
    assert "finished at step 6 of 6" in page.text
    for key in ("rate", "low", "high", "blank", "shuffled", "untrained", "ceiling"):
        assert f"{100 * summary[key]:.1f}" in page.text
    assert "lascaux run" in page.text and "sigma2: 0.005" in page.text
    assert "confusion by class" in {given.get("alt") for _, given in page.tags}
    drawn = [given for tag, given in page.tags if tag == "svg"]
    assert len(drawn) == 2 * 18  # the gallery of both games


def test_a_report_written_again_is_the_same(finished: Run) -> None:
    path = finished.folder.path / "report.html"
    before = path.read_text()
    assert write_report(finished.folder.path) == path
    assert path.read_text() == before


HOSTILE = ["<script>alert(1)</script>", '"><img src=http://x>', "a $\\bad{ b$", "猫", "&amp;"]


def test_names_of_classes_are_shown_as_they_are(finished: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("config.yaml", "env.json", "status.json", "metrics.jsonl", "summary.json", "pictures.json"):
        (folder / name).write_bytes((finished.folder.path / name).read_bytes())
    (folder / "plays").mkdir()
    (folder / "plays/test.jsonl").write_bytes((finished.folder.path / "plays/test.jsonl").read_bytes())
    pictures = read_json(folder / "pictures.json")
    pictures["classes"] = [HOSTILE[number % 5] for number in range(10)]
    pictures["names"] = [pictures["classes"][label] for label in pictures["label"]]
    (folder / "pictures.json").write_text(json.dumps(pictures))
    write_report(folder)
    page = report_of(folder)
    assert "script" not in {tag for tag, _ in page.tags}
    assert all((given.get("src") or "data:").startswith("data:") for _, given in page.tags)
    assert all(name in page.text for name in HOSTILE)


@settings(max_examples=8)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12), min_size=2, max_size=3
    )
)
def test_any_names_fit_the_confusion_matrix(names: list[str]) -> None:
    counts = torch.eye(len(names), dtype=torch.long).numpy()
    assert confusion(counts, names).startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize("at", [0, 1, 4])
def test_an_unfinished_run_gives_a_report(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    step = Learner.step

    def stopped(self: Learner) -> object:
        if self.run.step == at:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Learner, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        launch(small(), tmp_path / "run", progress=False, device="cpu")
    write_report(tmp_path / "run")
    page = report_of(tmp_path / "run")
    assert f"interrupted at step {at} of 6" in page.text
    assert ("No plays yet." in page.text) == (at < 3)  # validated every third step
    assert "Results and controls" not in page.text


# The summary


def test_the_summary_holds_every_key(finished: Run) -> None:
    summary = read_json(finished.folder.path / "summary.json")
    rates = {"rate", "chance", "blank", "shuffled", "untrained", "ceiling", "n", "low", "high"}
    assert rates | {"steps", "minutes", "name", "seed", "fallback", "game", "split", "same", "splits"} <= set(summary)
    assert rates <= set(summary["same"])
    assert (summary["game"], summary["split"], summary["chance"], summary["n"]) == ("class", "test", 0.2, 20)
    assert summary["same"] == summary["splits"]["test"]["same"]
    assert summary["low"] <= summary["rate"] <= summary["high"]
    assert summary["same"]["ceiling"] == 1 and summary["fallback"] is None and summary["minutes"] > 0


def test_the_summary_has_the_prefix_curve_that_was_asked_for(finished: Run) -> None:
    summary = read_json(finished.folder.path / "summary.json")
    assert list(summary["curve"]) == ["1", "2", "3", "4"] and summary["curve"]["4"] == pytest.approx(summary["rate"])


def test_the_summary_has_the_judge_s_view_where_it_was_asked(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.finding import Finding
    from runs.probes._registry import _PROBES

    judged: list[str] = []

    def stand_in(evidence: Any) -> Finding:
        judged.append(f"{evidence.split} {evidence.game.label}")
        return Finding(
            0.5, 0.4, 0.6, evidence.n, 0.2, {"untrained": 0.2, "shuffled": 0.1, "random": 0.1, "chance": 0.2}
        )

    monkeypatch.setitem(_PROBES, "iconicity", replace(probes()["iconicity"], ask=stand_in))
    config = small(probes=["rate", "iconicity"], train={"steps": 2})
    launch(config, tmp_path / "run", progress=False, device="cpu")
    summary = read_json(tmp_path / "run/summary.json")
    assert [each for each in judged if each.startswith("test")] == ["test same", "test class"]  # the test split once
    assert summary["iconicity"] == summary["same"]["iconicity"] == 0.5
    assert summary["iconicity_untrained"] == 0.2


# The journal


def test_the_journal_tells_every_test_game(finished: Run) -> None:
    plays = list(lines(finished.folder.path / "plays/test.jsonl"))
    assert [line["game"] for line in plays] == ["same"] * 4 + ["class"] * 4
    pictures = read_json(finished.folder.path / "pictures.json")
    assert pictures["content"] == finished.gallery.content and len(pictures["names"]) == len(finished.gallery)
    summary = read_json(finished.folder.path / "summary.json")
    for game in ("same", "class"):
        mine = [line for line in plays if line["game"] == game]
        right = [
            choice == target for line in mine for choice, target in zip(line["choice"], line["target"], strict=True)
        ]
        assert sum(right) / len(right) == pytest.approx(summary["splits"]["test"][game]["rate"])
    for line in plays:
        assert len(line["pool"]) == 5 and len(line["target"]) == 5
        for scores, choice in zip(line["scores"], line["choice"], strict=True):
            assert scores[choice] == max(scores)
        for target, shown in zip(line["target"], line["shown"], strict=True):
            same = line["pool"][target] == shown
            assert same == (line["game"] == "same")
            assert pictures["label"][line["pool"][target]] == pictures["label"][shown]


def test_a_play_drawn_again_from_the_journal_is_the_same_canvas(finished: Run) -> None:
    (evidence,) = [gather(finished, finished.game.parts[0], "test", 4)]
    told = [line for line in lines(finished.folder.path / "plays/test.jsonl") if line["game"] == "same"]
    for record, line in zip(evidence.records(), told, strict=True):
        again = finished.config.canvas.draw(Strokes(points=torch.tensor(line["strokes"])), line["step"])
        assert (again - record.play.canvas).abs().max() < 1 / 255


def test_thin_lines_drawn_again_from_the_journal_are_the_same_canvas(finished: Run) -> None:
    from dataclasses import replace

    (record,) = gather(finished, finished.game.parts[0], "test", 1).records()
    points = torch.rand(5, 20, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    (line,) = play_lines(replace(record, play=replace(record.play, strokes=Strokes(points=points))), 0)
    canvas = CanvasConfig(size=64)  # the default: sigma2 5e-4
    again = canvas.draw(Strokes(points=torch.tensor(line["strokes"])), 0)
    assert (again - canvas.draw(Strokes(points=points), 0)).abs().max() < 1 / 255


def test_training_is_journalled_in_the_rhythm_that_was_asked_for(finished: Run) -> None:
    found = list(lines(finished.folder.path / "plays/train.jsonl"))
    assert [(line["step"], line["game"]) for line in found] == [
        (step, game) for step, game in ((2, "class"), (4, "class"), (6, "class")) for _ in range(2)
    ]  # ten games on two pools; an even step comes after an odd turn
    metrics = [line for line in lines(finished.folder.metrics) if line["split"] == "train"]
    assert [line["step"] for line in metrics] == [2, 4, 6]
    assert {"rate", "rate/same", "rate/class", "loss", "ink", "lr", "seconds"} <= set(metrics[0])


# TensorBoard


def test_tensorboard_reads_one_run_with_curves_pictures_text_and_hparams(finished: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = finished.folder.path
    assert {path.parent for path in folder.rglob("events.out.tfevents.*")} == {folder}
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    assert {"train/rate", "train/loss", "train/ink", "validation/rate", "validation/rate/class"} <= set(tags["scalars"])
    assert [each.step for each in events.Scalars("train/rate")] == [2, 4, 6]
    told = [line["rate"] for line in lines(finished.folder.metrics) if line["split"] == "train"]
    assert [each.value for each in events.Scalars("train/rate")] == pytest.approx(told)
    assert set(tags["images"]) == {"validation/same", "validation/class"}
    assert [each.step for each in events.Images("validation/same")] == [3, 6]
    assert "config/text_summary" in tags["tensors"]
    assert "_hparams_/session_start_info" in events.summary_metadata
    assert [each.value for each in events.Scalars("test/rate")] == pytest.approx(
        [read_json(folder / "summary.json")["rate"]]
    )


def test_the_grid_shows_photo_over_sketch_over_guess(finished: Run) -> None:
    (record,) = gather(finished, finished.game.parts[0], "test", 1).records()
    picture, play = grid(finished, record.play), record.play
    assert picture.shape == (3, 3 * 16, 5 * 16) and picture.min() >= 0 and picture.max() <= 1
    photo, sketch, guess = picture[:, :, 16:32].split(16, dim=1)
    assert torch.equal(photo, finished.gallery.view(play.round.shown[1:2]).pixels()[0])
    assert torch.allclose(sketch, (1 - play.canvas[1]).expand(3, -1, -1))
    assert torch.equal(guess, finished.gallery.view(play.round.pool[0, play.choice[1:2]]).pixels()[0])


def test_events_of_a_new_sitting_come_after_those_that_are_there(tmp_path: Path) -> None:
    last = int(time.time())
    (tmp_path / f"events.out.tfevents.{last}.here.1.9").touch()
    _until_the_next_second(tmp_path)
    assert int(time.time()) > last
    (tmp_path / f"events.out.tfevents.{last + 1000}.here.1.9").touch()  # a clock that was wrong is not waited for
    began = time.monotonic()
    _until_the_next_second(tmp_path)
    assert time.monotonic() - began < 500


def test_an_early_death_leaves_no_second_curve(small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Killed(BaseException):
        pass

    step = Learner.step

    def dying(self: Learner) -> object:
        if self.run.step == 3:
            raise Killed
        return step(self)

    config = small(train={"log_every": 1, "checkpoint_every": 5})  # none is written before the death
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", dying)
        with pytest.raises(Killed):
            launch(config, tmp_path / "run", progress=False, device="cpu")
    launch(config, tmp_path / "run", resume=True, progress=False, device="cpu")
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0})
    events.Reload()
    assert [each.step for each in events.Scalars("train/rate")] == [1, 2, 3, 4, 5, 6]
