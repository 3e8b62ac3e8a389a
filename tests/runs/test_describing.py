"""A run in which scenes are described: trained, resumed, measured with controls, written, shown."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from typer.testing import CliRunner

from games.scenes import to_sets
from games.scenes.scene import Scene, Thing
from raster import InputError
from runs.cli import app
from runs.config import Config
from runs.describing import describe_split, figures
from runs.describing.measures import by_place, row
from runs.folder import lines, read_json
from runs.report import write_report
from runs.run import Run, assemble
from runs.start import launch, load
from runs.strangers import strangers_of
from runs.study import export
from runs.train import Learner

Make = Callable[..., Config]
DESCRIBING: dict[str, Any] = {
    "pictures": {
        "kind": "scenes",
        "count": 60,
        "size": 16,
        "samples": 1,
        "world": {"least": 1, "most": 3, "visible": 0.0},
    },
    "game": {"kind": "description"},
    "describer": {
        "reader": {"kind": "convnet", "channels": [8, 8]},
        "hidden": 16,
        "latent": 16,
        "slots": 4,
        "decoder": {"kind": "mlp", "hidden": [16]},
    },
    "train": {"games": 6},
    "probes": [],
}
SEES = ["drawing", "picture", "blank"]


def describing(small: Make, **changes: Any) -> Config:
    merged = dict(DESCRIBING)
    for key, value in changes.items():
        merged[key] = {**merged[key], **value} if isinstance(merged.get(key), dict) else value
    return small(**merged)


@pytest.fixture(scope="module")
def done(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two senders and two describers, coloured strokes, an inner loop among what they have."""
    decoder = {"kind": "dspn", "encoder": {"kind": "fspool", "hidden": [8]}, "steps": 2}
    config = describing(
        small,
        sender={"strokes": {"count": 4, "colour": True}},
        describer={"decoder": decoder},
        community={"senders": 2, "receivers": 2},
    )
    return launch(config, tmp_path_factory.mktemp("describing") / "run", progress=False, device="cpu")


# Learning


def test_sender_and_describer_learn_from_what_was_said(small: Make, tmp_path: Path) -> None:
    run = assemble(describing(small), tmp_path, torch.device("cpu"))
    assert sorted(run.community.members()) == ["receivers.0", "senders.0"]
    learner = Learner(run)
    before = {name: each.clone() for name, each in run.community.state_dict().items()}
    (record,) = learner.step()
    moved = {name.split(".")[0] for name, each in run.community.state_dict().items() if not before[name].equal(each)}
    assert moved == {"senders", "receivers"}
    assert record.play.said is not None and record.play.said.shape == (6, 4, 19)
    means = learner.flush()
    assert "rate" not in means and means["loss"] > 0 and means["ink"] > 0


@pytest.mark.parametrize("sees", ["picture", "blank"])
def test_what_does_not_see_drawings_teaches_no_sender(small: Make, tmp_path: Path, sees: str) -> None:
    run = assemble(describing(small, game={"sees": sees}, biases=[]), tmp_path, torch.device("cpu"))
    before = {name: each.clone() for name, each in run.community.state_dict().items()}
    Learner(run).step()
    moved = {name.split(".")[0] for name, each in run.community.state_dict().items() if not before[name].equal(each)}
    assert moved == {"receivers"}


@pytest.mark.slow
def test_a_run_learns_to_describe_and_needs_its_drawings(small: Make, tmp_path: Path) -> None:
    """One object, of which the place alone counts: the describer tells it from the drawing, and not from a blank."""
    world = {"least": 1, "most": 1, "visible": 0.0}
    train = {"steps": 250, "games": 32, "lr": 4e-3, "warmup": 10}
    config = describing(
        small,
        pictures={"count": 400, "world": world},
        game={"loss": {"numbers": 10, "classes": 0.1}},
        sender={"hidden": 64, "dropout": 0.0},
        describer={"hidden": 64, "slots": 1},
        biases=[],
        train=train,
    )
    run = assemble(config, tmp_path, torch.device("cpu"))
    learner = Learner(run)
    while run.step < config.train.steps:
        learner.step()
    found = row(describe_split(run, "test"))
    mine, blank = found["measures"]["found"]["value"], found["controls"]["blank"]["found"]["value"]
    assert mine > blank + 15, found
    assert mine > found["controls"]["shuffled"]["found"]["value"] + 15


def test_a_killed_run_goes_on_bit_for_bit(
    small: Make, whole_and_resumed: Callable[[Config, int], tuple[Run, Run]]
) -> None:
    one, two = whole_and_resumed(describing(small), 5)
    for name, value in one.community.state_dict().items():
        assert torch.equal(value, two.community.state_dict()[name]), name
    kept = [read_json(run.folder.summary) | {"minutes": 0} for run in (one, two)]
    assert kept[0] == kept[1]


def test_every_bias_works_as_in_any_game(small: Make, tmp_path: Path) -> None:
    biases = [{"kind": "ink", "weight": 0.1}, {"kind": "likeness", "levels": [0], "share": 0.5}, {"kind": "tremor"}]
    run = assemble(describing(small, biases=biases), tmp_path, torch.device("cpu"))
    learner = Learner(run)
    learner.step()
    means = learner.flush()
    assert means["ink"] > 0 and means["likeness"] > 0


@pytest.mark.parametrize("sees", SEES)
def test_a_step_has_the_right_shapes_on_a_device_without_numbers(small: Make, tmp_path: Path, sees: str) -> None:
    run = assemble(describing(small, game={"sees": sees}), tmp_path, torch.device("meta"))
    (record,) = Learner(run).step()
    assert record.play.canvas.is_meta and record.play.loss.shape == (6,)


# Measuring


def scenes(*sets: list[tuple[str, float, float]]) -> torch.Tensor:
    """Sets of rubber cubes by colour and place."""
    made = [
        Scene(tuple(Thing("cube", "large", "rubber", colour, (x, y, 0.7)) for colour, x, y in each), {})  # type: ignore[arg-type]
        for each in sets
    ]
    return to_sets(made, 3)


def value(found: dict[str, Any], name: str) -> Any:
    return found[name]["value"]


def test_what_is_there_is_a_perfect_answer_in_any_order() -> None:
    wanted = scenes([("red", 0, 0), ("blue", 2, 2)], [("gray", -1, 1)], [])
    found = figures(wanted.flip(1), wanted)
    assert all(value(found, name) == 100 for name in found if not name.endswith("error"))
    assert value(found, "position_error") == pytest.approx(0, abs=1e-6) and value(found, "count_error") == 0


def test_what_is_wrong_lowers_what_speaks_of_it_alone() -> None:
    wanted = scenes([("red", 0, 0), ("blue", 2, 2)], [("gray", -1, 1)])
    said = scenes([("green", 0.3, 0.4), ("blue", 2, 2)], [("gray", -1, 1), ("red", -3, -3)])
    found = figures(said, wanted)
    assert value(found, "found") == 100
    assert value(found, "color") == pytest.approx(200 / 3)
    assert all(value(found, name) == 100 for name in ("size", "material", "shape"))
    assert value(found, "position_error") == pytest.approx(0.5 / 3)
    assert value(found, "count_error") == 0.5
    assert value(found, "AP_inf") < 100
    far = figures(scenes([("red", 0, 1.2), ("blue", 2, 2)], [("gray", -1, 1)]), wanted)
    assert value(far, "found") == pytest.approx(200 / 3) and value(far, "color") == 100
    assert value(far, "AP_inf") == 100 and value(far, "AP_1") < 100


def test_nothing_said_has_no_attribute_to_be_right() -> None:
    wanted = scenes([("red", 0, 0)], [("gray", -1, 1)])
    found = figures(torch.zeros_like(wanted), wanted)
    assert value(found, "found") == 0 and value(found, "AP_inf") == 0
    assert found["color"] == {"value": None, "low": None, "high": None}
    assert value(found, "count_error") == 1


def test_as_many_objects_are_found_as_can_be() -> None:
    """The nearest first would take the slot between two objects for the left one, and leave the right one alone."""
    wanted = scenes([("red", 0, 0), ("blue", 1.5, 0)])
    said = scenes([("red", 0.7, 0), ("blue", -0.8, 0)])
    _, distance, near = by_place(said, wanted)
    assert near[0, :2].all() and not near[0, 2:].any()
    assert distance[0, :2].tolist() == pytest.approx([0.8, 0.8])


def test_controls_stand_beside_what_is_said(small: Make, tmp_path: Path, done: Run) -> None:
    described = describe_split(done, "test")
    assert described.n == int(done.gallery.splits["test"].shown.sum())
    assert list(described.controls) == ["blank", "shuffled", "untrained", "mean set"]
    canvas = torch.cat([play.canvas for play in described.plays])
    pair = done.pair(0, 0)
    assert described.n <= 64  # one play: one pair
    generator = described.plays[0].round.generator()
    with torch.no_grad():
        again = pair.describe(canvas.roll(1, 0), generator).sets
    torch.testing.assert_close(described.controls["shuffled"], again)
    blank = described.controls["blank"]
    assert (blank - blank[:1]).abs().max() < 1e-5  # the same for every scene
    for sees, names in (("picture", ["blank", "shuffled", "mean set"]), ("blank", ["mean set"])):
        run = assemble(describing(small, game={"sees": sees}), tmp_path, torch.device("cpu"))
        assert list(describe_split(run, "test").controls) == names
        assert run.describer.reader is not None and run.game.label == f"description-{sees}"


# What is written, and what can be asked of it


def test_the_folder_says_what_was_said(done: Run) -> None:
    summary = read_json(done.folder.summary)
    assert summary["AP_inf"] == summary["measures"]["AP_inf"]["value"]
    assert summary["splits"]["test"]["description"]["controls"].keys() == {"blank", "shuffled", "untrained", "mean set"}
    (line, *_) = lines(done.folder.journal("test"))
    assert torch.tensor(line["said"]).shape == (len(line["shown"]), 4, 19) and "target" not in line
    held = [line for line in lines(done.folder.metrics) if line["split"] == "validation"]
    assert held and {"loss", "AP_inf", "AP_1", "found", "count_error"} <= held[-1].keys()


def test_the_report_shows_scenes_drawings_and_wrong_words(done: Run) -> None:
    page = done.folder.report.read_text(encoding="utf-8")
    assert page.count('class="described"') == min(16, summary_n(done))
    for words in ("as described", "true object", "wrong-word", "mean set", "position error", "Average precision"):
        assert words in page
    again = write_report(done.folder.path).read_text(encoding="utf-8")  # from the files alone
    assert again == page


def summary_n(run: Run) -> int:
    return int(read_json(run.folder.summary)["n"])


def test_a_loaded_run_says_the_same(done: Run) -> None:
    one, two = (describe_split(run, "test").said for run in (done, load(done.folder.path)))
    assert torch.equal(one, two)


def test_its_describers_can_come_to_a_run_like_it(done: Run) -> None:
    found = strangers_of(done.folder.path)
    for strangers, agents in ((found.senders, done.community.senders), (found.receivers, done.community.receivers)):
        assert [each.other_than(agent) for each, agent in zip(strangers, agents, strict=True)] == [None, None]


def test_who_is_not_there_is_not_measured(done: Run) -> None:
    community = load(done.folder.path).community
    community.arrange(0, torch.tensor([False, True]), torch.tensor([True, True]))
    described = describe_split(replace(done, community=community), "test")
    assert len(described.plays) == 1 and described.pairs == [(1, 1)]


def test_what_cannot_be_asked_of_it_is_told_in_a_line(done: Run, tmp_path: Path) -> None:
    where = str(done.folder)
    for words in (["probe", where], ["probe", where, "--names", "rate"]):
        told = CliRunner().invoke(app, words)
        assert told.exit_code == 2 and "no probe can be asked of a run of the game description" in told.output
    told = CliRunner().invoke(app, ["trace", where, "x.png"])
    assert told.exit_code == 2 and "draws to be understood, not to trace" in told.output
    with pytest.raises(InputError, match="nobody chooses in a run of the game description"):
        export(done.folder.path, tmp_path / "study", trials=2)
    assert CliRunner().invoke(app, ["report", where]).exit_code == 0


def test_wrong_configs_are_told_in_a_line(small: Make, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"pictures of kind digits: .* takes pictures: \{kind: scenes\}"):
        small(game={"kind": "description"}, probes=[])
    with pytest.raises(ValidationError, match=r"rate cannot be asked of a game of kind description: say probes: \[\]"):
        describing(small, probes=["rate"])
    with pytest.raises(InputError, match=r"up to 3 objects, but describers tell of 2 \(describer.slots\)"):
        assemble(describing(small, describer={"slots": 2}), tmp_path, torch.device("cpu"))
