"""Figures of predicted sets: perfect ones, wrong ones, controls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from perception.sets import average_precision
from runs.folder import read_json
from runs.sets import SetsConfig, answer, launch, load_data, measured
from runs.sets.model import SetPredictor

Small = Callable[..., SetsConfig]
CPU = torch.device("cpu")
OBJECTS: dict[str, Any] = {
    "task": {"kind": "objects", "slots": 4, "count": 30, "held": 12, "world": {"least": 1, "most": 3}},
    "encoder": {"kind": "own"},
}
NUMBERING: dict[str, Any] = {"task": {"kind": "numbering", "slots": 4, "classes": 2}, "encoder": {"kind": "fspool"}}


def test_a_perfect_answer_is_perfect_whatever_the_order(small: Small, pictures: Small) -> None:
    boxes = pictures(task={**pictures().task.model_dump(), "kind": "boxes"})
    for config in (small(), small(**OBJECTS), small(**NUMBERING), pictures(), boxes):
        data = load_data(config.task, config.encoder, 0, CPU)
        pairs = data.held("test", 8)
        found = measured(config, pairs.wanted.flip(1), pairs, samples=20)
        for name, value in found.items():
            best = 0.0 if name in {"loss", "distance", "worst"} else 100.0
            assert value["value"] == pytest.approx(best, abs=1e-4), (config.task.kind, name)


def test_what_is_wrong_lowers_what_speaks_of_it_alone(small: Small) -> None:
    config = small(**OBJECTS)
    pairs = load_data(config.task, config.encoder, 0, CPU).held("test", 12)
    said = pairs.wanted.clone()
    colour = config.task.fields.attributes[1]
    said[0, 0, colour] = said[0, 0, colour].roll(1)
    found = measured(config, said, pairs, samples=20)
    assert found["color"]["value"] < 100
    assert found["material"]["value"] == found["shape"]["value"] == found["size"]["value"] == 100
    assert found["count"]["value"] == 100
    assert found["AP_inf"]["value"] < 100
    moved = pairs.wanted.clone()
    moved[..., 0] += 0.4 / 3  # 0.4 in the world
    found = measured(config, moved, pairs, samples=20)
    assert found["AP_0.5"]["value"] == 100
    assert found["AP_0.25"]["value"] < 100
    assert found["AP_0.5"]["value"] == average_precision(moved, pairs.wanted, config.task.fields, scale=3.0)[0.5]


def test_the_worst_polygon_is_the_furthest(small: Small) -> None:
    config = small()
    pairs = load_data(config.task, config.encoder, 0, CPU).held("test", 5)
    said = pairs.wanted.clone()
    said[3, :, :2] += torch.tensor([0.3, 0.4])
    found = measured(config, said, pairs, samples=20)
    assert found["worst"] == {"value": pytest.approx(0.5, abs=1e-5)}
    assert found["distance"]["value"] == pytest.approx(0.1, abs=1e-5)
    assert found["distance"]["low"] <= 0.1 <= found["distance"]["high"]


def test_a_number_given_twice_is_not_exact(small: Small) -> None:
    config = small(**NUMBERING)
    pairs = load_data(config.task, config.encoder, 0, CPU).held("test", 10)
    said = pairs.wanted.clone()
    said[:4, 1] = said[:4, 0]
    assert measured(config, said, pairs, samples=20)["exact"]["value"] == pytest.approx(60.0)


def test_answers_do_not_hang_on_how_many_are_asked_at_once(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small()
    pairs = load_data(config.task, config.encoder, 0, CPU).held("test", 7)
    model = SetPredictor(config, (2,))
    whole = answer(model, pairs, 4)
    monkeypatch.setattr("runs.sets.measure.CHUNK", 3)
    parts = answer(model, pairs, 4)
    assert torch.allclose(whole.sets, parts.sets, atol=1e-6)
    assert whole.gaps == pytest.approx(parts.gaps)
    assert whole.moved == pytest.approx(parts.moved)
    assert len(whole.moved) == 4


def test_untrained_and_shuffled_stand_beside_the_answer(small: Small, tmp_path: Path) -> None:
    """Shuffled answers come from the same model: as many, and to other questions."""
    run = launch(small(), tmp_path / "out", device="cpu", progress=False)
    summary = read_json(run.folder.summary)
    pairs = run.data.held("test", 20)
    sets = answer(run.model, pairs, 3).sets
    for name, said in (
        ("shuffled", sets.roll(1, 0)),
        ("untrained", answer(SetPredictor(run.config, (2,), 1), pairs, 3).sets),
    ):
        assert summary["controls"][name]["loss"]["value"] == pytest.approx(
            measured(run.config, said, pairs)["loss"]["value"]
        )
