"""The page of a run that predicts sets: what is drawn is what the sets say."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from games.scenes import LAMPS, Camera, Scene, Thing, render, to_sets
from perception.sets import Fields
from runs.sets import SetsConfig, launch, show

Small = Callable[..., SetsConfig]
RED = Thing("cube", "large", "rubber", "red", (1.0, -1.0, 0.7))
BLUE = Thing("sphere", "small", "metal", "blue", (-1.5, 0.5, 0.35))


ENDS = {"kind": "idspn", "encoder": {"kind": "fspool", "hidden": [8]}, "steps": 3, "trace": "ends"}


def element(*things: Thing) -> torch.Tensor:
    return to_sets([Scene(things, {})], slots=3)[0]


def test_a_scene_is_drawn_as_the_set_says_it() -> None:
    markup = show.scene(element(RED, BLUE))
    (data,) = re.findall(r'base64,([^"]+)"', markup)
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    wanted = render(Scene((RED, BLUE), {}), Camera.at(), np.array(LAMPS), 180, 120)
    assert np.abs(drawn.astype(int) - wanted.pixels).mean() < 1


def test_wrong_words_are_marked_and_nothing_else() -> None:
    said = element(BLUE, Thing("cube", "large", "metal", "red", (1.0, -0.8, 0.7)))
    first, second = show.objects(said, element(RED, BLUE))
    assert first.cells[0].text == "rubber red cube large at 1.0, -1.0"
    assert [cell.text for cell in first.cells if not cell.right] == ["metal"]
    assert "0.20 away" in [cell.text for cell in first.cells]
    assert all(cell.right for cell in second.cells)


def test_what_is_said_and_not_there_and_what_is_there_and_not_said_are_marked() -> None:
    extra = show.objects(element(RED, BLUE), element(RED))
    assert [row.cells[0].text for row in extra][1] == "nothing"
    assert not any(cell.right for cell in extra[1].cells)
    (missed,) = show.objects(torch.zeros(3, 19), element(RED))
    assert not missed.cells[-1].right  # presence 0.00
    assert show.objects(torch.zeros(3, 19), torch.zeros(3, 19)) == []


def test_numbers_that_are_double_or_missing_are_marked() -> None:
    fields = Fields(0, (2, 3))
    true = torch.tensor([[1, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1]]).float()
    said = true.clone()
    said[1] = said[0]
    first, second = show.numbers(said, true, fields)
    assert [(cell.text, cell.right) for cell in first.cells] == [("class 0", True), ("0", True), ("0", False)]
    assert first.note == "missing 1"
    assert [(cell.text, cell.right) for cell in second.cells] == [("class 1", True), ("0", True)]


def test_points_stand_where_they_are() -> None:
    said = torch.tensor([[0.0, 1.0, 1.0], [0.5, 0.25, 0.2], [7.0, 0.0, 1.3], [0.4, 0.4, 0.0]])
    for down, heights in ((True, [120, 30, 0]), (False, [0, 90, 120])):
        markup = show.points(said, said[:1], (0.0, 0.0), (1.0, 1.0), down)
        circles = [(float(x), float(y)) for x, y in re.findall(r'cx="([-\d.]+)" cy="([-\d.]+)" r="2"', markup)]
        assert circles == list(zip([0, 60, 120], heights, strict=True))  # one of presence 0 is none
        assert markup.count('r="4.5"') == 1


@pytest.mark.parametrize(
    ("changes", "images", "marks"),
    [
        ({}, 0, "<circle"),
        ({"task": {"kind": "multisets", "slots": 3, "numbers": 1}, "encoder": {"kind": "own"}}, 0, "<circle"),
        ({"decoder": ENDS}, 0, 'colspan="5"'),
        ({"task": {"kind": "numbering", "slots": 3, "classes": 2}, "encoder": {"kind": "fspool"}}, 0, "class 1"),
        ({"task": {"kind": "boxes"}}, 2 * 5, "<rect"),
        ({"task": {"kind": "state"}}, 2 * 6, "presence"),
    ],
    ids=["polygons", "multisets", "ends", "numbering", "boxes", "state"],
)
def test_the_page_shows_examples_step_by_step(
    small: Small, pictures: Small, tmp_path: Path, changes: dict[str, Any], images: int, marks: str
) -> None:
    kind = changes.get("task", {}).get("kind")
    if kind in {"boxes", "state"}:
        config = pictures(task={**pictures().task.model_dump(), "kind": kind})
    else:
        config = small(**changes)
    run = launch(config, tmp_path / "out", device="cpu", progress=False)
    page = run.folder.report.read_text()
    assert marks in page
    # Of pictures: what was told, the start, three steps, the truth (drawn over the picture or rendered).
    assert page.count("data:image/png") >= images
    if kind != "numbering":
        assert page.count("<figcaption>start</figcaption>") == 2
        assert page.count("<figcaption>step 3</figcaption>") == 2
        assert page.count("<figcaption>true</figcaption>") == 2
    outside = page.replace("http://www.w3.org", "")
    assert "http://" not in outside
    assert "https://" not in outside
    assert "3 inner steps" in page
    assert "shuffled" in page
