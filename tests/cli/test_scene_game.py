"""The scene game as one types it wrongly: one line that says what to do, and nothing is written."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from runs.cli import app

FEW = ["pictures.count=30", "pictures.size=16", "pictures.samples=1", "canvas.size=16"]
SPLIT = "pictures.split={validation: 0.1, test: 0.2}"
CASES = {
    "pictures without sets": (
        "scenes/describe",
        ["pictures={kind: digits}"],
        "nobody knows which objects are in pictures of kind digits",
    ),
    "more objects than slots": (
        "scenes/describe",
        [*FEW, SPLIT, "describer.slots=2"],
        "scenes hold up to 3 objects, but describers tell of 2 (describer.slots): give it as many",
    ),
    "too few variants": (
        "scenes/differ",
        [*FEW, SPLIT, "pictures.variants=4"],
        "8 candidates, but only 4 pictures of one class can be played",
    ),
    "no folder of scenes": (
        "scenes/describe",
        ["pictures.path=nowhere"],
        "there are no scenes of the split 'train' (nowhere/scenes/CLEVR_train_scenes.json)",
    ),
    "a probe of choices": ("scenes/describe", ["probes=[rate]"], "say probes: []"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_in_a_line(case: str, tmp_path: Path) -> None:
    preset, sets, line = CASES[case]
    words = [word for each in sets for word in ("--set", each)]
    told = CliRunner().invoke(app, ["run", preset, *words, "--out", str(tmp_path / "run")])
    assert told.exit_code == 2
    assert line in " ".join(told.output.split())
    assert "Traceback" not in told.output
    assert not (tmp_path / "run").exists()
