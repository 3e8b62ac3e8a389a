"""A run in which nobody chooses: trained, resumed, measured with controls, written, shown."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from games.tracing import bce, mse
from raster import InputError
from runs.config import Config
from runs.folder import lines, read_json
from runs.report import write_report
from runs.run import Run, assemble
from runs.start import launch, load
from runs.study import export
from runs.tracing import Traces, classifier_of, readable, trace_split
from runs.tracing.measures import row
from runs.tracing.traces import CONTROLS, ink_of, ratio
from runs.train import Learner
from tests.runs.pages import Page

Make = Callable[..., Config]
TRACING: dict[str, Any] = {
    "game": {"kind": "tracing"},
    "sender": {
        "trunk": {"kind": "mlp", "hidden": [32], "size": 8},
        "hidden": 16,
        "dropout": 0.1,
        "strokes": {"count": 4},
    },
    "probes": ["readable"],
    "measure": {"pictures": 200},
}


def tracing(small: Make, **changes: Any) -> Config:
    return small(**{**TRACING, **changes})


@pytest.fixture(scope="module", autouse=True)
def _a_reader_of_less_school() -> Iterator[None]:
    """The classifier learns these 16 px digits in a third of its steps."""
    from runs.tracing import classifier

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "FEWEST", 130)
        patch.setattr(classifier, "EPOCHS", 6)
        yield


@pytest.fixture(scope="module")
def done(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two senders, hard presence among what they choose."""
    sender = TRACING["sender"] | {"strokes": {"count": 4, "presence": "hard", "width": {"low": 0.1, "high": 0.5}}}
    config = tracing(small, sender=sender, community={"senders": 2}, probes=["readable", "one_shot"])
    return launch(config, tmp_path_factory.mktemp("tracing") / "run", progress=False, device="cpu")


# Learning


def test_no_receiver_is_built_and_every_sender_learns(small: Make, tmp_path: Path) -> None:
    run = assemble(
        tracing(small, community={"senders": 2, "receivers": 3, "meetings": 4}), tmp_path, torch.device("cpu")
    )
    assert len(run.community.receivers) == 0
    assert sorted(run.community.members()) == ["senders.0", "senders.1"]
    learner = Learner(run)
    before = {name: each.clone() for name, each in run.community.state_dict().items() if name.endswith("head.weight")}
    seen = {record.sender for _ in range(3) for record in learner.step()}
    assert seen == {0, 1} and len(before) == 2
    assert all(not torch.equal(each, run.community.state_dict()[name]) for name, each in before.items())
    means = learner.flush()
    assert "rate" not in means and means["loss"] == pytest.approx(means["mse"]) and means["bce"] > 0 and "ink" in means


def test_a_run_learns_to_trace(small: Make, tmp_path: Path) -> None:
    train = {"steps": 240, "lr": 5e-3, "games": 32}
    sender = TRACING["sender"] | {"hidden": 64, "dropout": 0, "strokes": {"count": 5}}
    config = tracing(small, sender=sender, biases=[], train=train, canvas={"sigma2": 2e-2}, probes=[])
    run = assemble(config, tmp_path, torch.device("cpu"))
    first = trace_split(run, "test").means()["mse"]
    learner = Learner(run)
    while run.step < config.train.steps:
        learner.step()
    found = row(trace_split(run, "test"))
    assert found["mse"] < 0.5 * first
    assert found["mse"] < min(found["controls"][each]["mse"] for each in CONTROLS)


def test_a_killed_run_goes_on_bit_for_bit(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    one, two = whole_and_resumed(tracing(small), 5)
    for name, value in one.community.state_dict().items():
        assert torch.equal(value, two.community.state_dict()[name]), name
    kept = [read_json(run.folder.summary) for run in (one, two)]
    assert [each | {"minutes": 0} for each in kept[:1]] == [each | {"minutes": 0} for each in kept[1:]]


def test_every_bias_works_as_in_any_game(small: Make, tmp_path: Path) -> None:
    biases = [{"kind": "ink", "weight": 0.1}, {"kind": "likeness", "levels": [0], "share": 0.5}, {"kind": "tremor"}]
    run = assemble(tracing(small, biases=biases), tmp_path, torch.device("cpu"))
    learner = Learner(run)
    learner.step()
    means = learner.flush()
    assert means["ink"] > 0 and means["likeness"] > 0


@pytest.mark.parametrize("device", ["meta"])
def test_a_step_has_the_right_shapes_on_a_device_without_numbers(small: Make, tmp_path: Path, device: str) -> None:
    run = assemble(tracing(small), tmp_path, torch.device(device))
    (record,) = Learner(run).step()
    assert record.play.canvas.is_meta and record.play.loss.shape == (10,)


# Config


def test_probes_of_a_choice_are_refused_where_nobody_chooses_and_the_other_way_round(small: Make) -> None:
    with pytest.raises(
        ValidationError, match=r"rate cannot be asked of a game of kind tracing: say probes: \[one_shot, readable"
    ):
        tracing(small, probes=["rate"])
    with pytest.raises(ValidationError, match=r"readable cannot be asked of a game of kind mixture"):
        small(probes=["readable"])


def test_classes_that_nobody_can_know_are_refused_before_anything_is_learned(small: Make, tmp_path: Path) -> None:
    pictures = {"split": {"by": ["class"], "validation": 0.1, "test": 0.3}}
    with pytest.raises(InputError, match=r"3 of 3 classes are in no training picture.*ask one_shot"):
        launch(tracing(small, pictures=pictures), tmp_path / "run", progress=False, device="cpu")
    assert not (tmp_path / "run").exists()


# Measures


def test_traces_are_every_picture_once(done: Run) -> None:
    traces = trace_split(done, "test")
    there = done.gallery.splits["test"].shown.nonzero()[:, 0]
    assert traces.n == min(200, len(there)) and len(set(traces.index.tolist())) == traces.n
    assert set(traces.index.tolist()) <= set(there.tolist())
    assert set(traces.pairs) == {(0, 0), (1, 0)}
    assert torch.equal(trace_split(done, "test").canvas, traces.canvas)
    with torch.no_grad():
        one = traces.plays[1]
        again = done.pair(1, 0).draw(done.gallery.view(one.round.shown), torch.Generator().manual_seed(9))
    torch.testing.assert_close(again.points, one.strokes.points)


def test_every_error_is_that_of_canvas_against_picture(done: Run) -> None:
    traces = trace_split(done, "test")
    found = row(traces)
    wanted = ink_of(done, traces.index)
    assert found["mse"] == pytest.approx(float(mse(traces.canvas, wanted).mean()), rel=1e-5)
    assert found["controls"]["blank"]["mse"] == pytest.approx(float(wanted.square().mean()), rel=1e-5)
    slow = [float(bce(traces.canvas[n - 1 : n or None], wanted[n : n + 1])) for n in range(traces.n)]
    assert found["controls"]["shuffled"]["bce"] == pytest.approx(float(np.mean(slow)), rel=1e-4)
    for name in ("mse", "bce", "ink", "strokes"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"], name
    assert traces.strokes.presence is not None
    assert found["strokes"] == pytest.approx(float(traces.strokes.presence.sum(-1).mean()))


def test_a_perfect_trace_is_read_as_the_picture_is(done: Run) -> None:
    traces = trace_split(done, "test")
    plays, at = [], 0
    for play in traces.plays:
        plays.append(replace(play, canvas=traces.wanted[at : at + len(play.loss)]))
        at += len(play.loss)
    perfect = Traces(done, traces.game, "test", plays, traces.pairs)
    assert perfect.means()["mse"] == 0
    found = readable(perfect)
    assert found.value == found.baselines["pictures"] > 0.85
    assert found.baselines["of_pictures"] == found.baselines["of_pictures_low"] == 1
    assert found.baselines["blank"] <= found.chance and found.baselines["shuffled"] < 0.3
    assert found.parts is not None and set(found.parts) == set("0123456789")
    assert sum(found.parts.values()) / 10 == pytest.approx(found.value, abs=0.05)


def test_the_classifier_is_learned_once_and_a_damaged_file_is_learned_again(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.tracing import classifier

    monkeypatch.setattr(classifier, "FEWEST", 2)
    monkeypatch.setattr(classifier, "EPOCHS", 0)
    monkeypatch.setenv("LASCAUX_CACHE", str(tmp_path / "cache"))
    run = assemble(tracing(small), tmp_path, torch.device("cpu"))
    first = classifier_of(run).state_dict()
    (path,) = (tmp_path / "cache" / "classifiers").iterdir()
    before = path.read_bytes()
    learn, calls = classifier._learn, []
    monkeypatch.setattr(classifier, "_learn", lambda *args: (calls.append(1), learn(*args)))
    other = assemble(tracing(small, seed=7, sender={"hidden": 8}), tmp_path, torch.device("cpu"))
    assert all(torch.equal(each, classifier_of(other).state_dict()[name]) for name, each in first.items())
    assert not calls  # another sender and seed: the same reader
    path.write_bytes(before[:100])
    assert all(torch.equal(each, classifier_of(run).state_dict()[name]) for name, each in first.items())
    assert calls and path.read_bytes() == before
    light = assemble(tracing(small, game={"kind": "tracing", "ink": "light"}), tmp_path, torch.device("cpu"))
    classifier_of(light)
    assert len(list(path.parent.iterdir())) == 2


def test_a_ratio_of_means_and_its_interval() -> None:
    generator = torch.Generator().manual_seed(0)
    below = (torch.rand(400, generator=generator) > 0.1).double()
    above = below * (torch.rand(400, generator=generator) > 0.2)
    value, low, high = ratio(above, below)
    assert value == pytest.approx(float(above.sum() / below.sum()))
    assert low < value < high and high - low == pytest.approx(4 * (0.8 * 0.2 / 360) ** 0.5, rel=0.2)
    assert ratio(above, below) == (value, low, high)
    assert np.isnan(ratio(above, torch.zeros(400))[0])


# What is written


def test_the_summary_is_whole_and_the_journal_has_the_traces(done: Run) -> None:
    summary = read_json(done.folder.summary)
    assert summary["game"] == "tracing" and summary["n"] == 200 and "rate" not in summary
    assert set(summary["controls"]) == set(CONTROLS)
    assert {"rate", "low", "high", "n", "chance", "pictures", "of_pictures"} <= set(summary["readable"])
    assert {"rate", "low", "high", "n", "chance", "pixels", "untrained"} <= set(summary["one_shot"])
    written = list(lines(done.folder.journal("test")))
    assert sum(len(line["shown"]) for line in written) == 200
    first = written[0]
    assert first["game"] == "tracing" and first["pool"] == [] and "target" not in first and "scores" not in first
    assert len(first["strokes"]) == len(first["mse"]) == len(first["shown"])
    every = [value for line in written for value in line["mse"]]
    assert np.mean(every) == pytest.approx(summary["mse"], abs=1e-4)
    steps = [line for line in lines(done.folder.metrics) if line["split"] == "validation"]
    assert steps and all({"mse", "bce"} <= set(line) and "rate" not in line for line in steps)
    json.dumps(summary, allow_nan=False)


def test_the_page_shows_pictures_traces_and_what_lies_between(done: Run) -> None:
    page = Page(done.folder.report.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("svg") == 32 + 4 * 7 and tags.count("img") == 32 + 4 * 2 + 1
    for words in ("Between two pictures", "Errors and controls", "One-shot classes", "What a reader reads"):
        assert words in page.text
    assert "http" not in page.text.replace("http://www.w3.org", "")
    before = done.folder.report.read_bytes()
    assert write_report(done.folder.path).read_bytes() == before  # from the folder alone, the same page


def test_a_run_that_was_stopped_early_has_a_page_too(small: Make, tmp_path: Path) -> None:
    done = launch(
        tracing(small, train={"steps": 3, "validate_every": 3}), tmp_path / "run", progress=False, device="cpu"
    )
    done.folder.summary.unlink()
    done.folder.journal("test").unlink()
    for path in done.folder.checkpoints.iterdir():
        path.unlink()
    page = Page(write_report(done.folder.path).read_text(encoding="utf-8"))
    assert "Pictures and traces" in page.text and "Errors and controls" not in page.text
    assert "Between two pictures" not in page.text


def test_it_opens_again_and_draws_the_same(done: Run) -> None:
    again = load(done.folder.path)
    assert torch.equal(trace_split(again, "test").canvas, trace_split(done, "test").canvas)


def test_what_needs_a_choice_says_so(done: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody chooses in a run of the game tracing"):
        export(done.folder.path, tmp_path / "study", trials=3)
    from runs.envs import env_from

    with pytest.raises(InputError, match="tracing is no referential game"):
        env_from(done, "sender")
