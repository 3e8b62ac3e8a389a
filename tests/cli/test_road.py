"""From `lascaux run` to a report, through the real commands, and what each refuses on the way."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runs.cli import app
from runs.cli._probing import MOST_PARTS, show

SMALL = ["--set", "train.steps=4", "--set", "train.games=20", "--set", "measure.test_pools=2", "--device", "cpu"]
SMALL += ["--set", "measure.validation_pools=1"]


def called(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def refused(*words: str) -> str:
    result = called(*words)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().split("\n")
    return line


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_the_road_from_run_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = called("run", "tiny", *SMALL, "--out", "o")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith("o")
    run = Path("o")
    summary = json.loads((run / "summary.json").read_text())
    assert {"rate", "chance", "blank", "shuffled", "untrained", "ceiling", "n", "low", "high", "same"} <= set(summary)

    # What is there stays whole, whatever is asked next.
    before = contents(run)
    assert "the folder is not empty (o)" in refused("run", "tiny", *SMALL, "--out", "o")
    assert "train.steps: 4 -> 5" in refused("run", "tiny", *SMALL, "--set", "train.steps=5", "--out", "o", "--resume")
    assert called("run", "tiny", *SMALL, "--out", "o", "--resume").exit_code == 0
    assert "did you mean 'train'?" in refused("run", "tiny", "--set", "trian.steps=1", "--out", "o", "--resume")
    assert contents(run) == before

    # The saved config is complete: it gives the same config again.
    saved = (run / "config.yaml").read_text()
    assert called("config", "show", "o/config.yaml").stdout == saved

    # Probes and report read it again.
    found = json.loads(called("probe", "o", "--names", "rate", "--json").stdout)
    assert found["rate"]["same"]["value"] == pytest.approx(summary["same"]["rate"])
    assert "ceiling" in called("probe", "o", "--names", "rate").stdout
    (run / "report.html").unlink()
    assert called("report", "o").stdout.strip() == "o/report.html"
    assert (run / "report.html").stat().st_size > 1000

    # Checkpoints that are cut off or another's are refused, and a run without one says so.
    weights = run / "checkpoints" / "last.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "damaged checkpoint" in refused("probe", "o", "--names", "rate")
    weights.write_bytes(whole)
    (run / "config.yaml").write_text(saved.replace("count: 8", "count: 9"))
    assert str(weights) in refused("probe", "o", "--names", "rate")
    shutil.rmtree(run / "checkpoints")
    assert "no checkpoint" in refused("probe", "o", "--names", "rate")


def test_of_very_many_parts_the_best_and_the_worst_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    many = 3 * MOST_PARTS
    row = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10, "chance": 0.1, "baselines": {"chance": 0.1, "blank": 0.2}}
    show({"rate": {"[same]": {**row, "parts": {f"class{number}": number / many for number in range(many)}}}})
    text = capsys.readouterr().out
    assert "[same]" in text
    assert "class0 " in text and f"class{many - 1} " in text
    assert f"class{many // 2} " not in text
    assert f"{2 * MOST_PARTS} between" in text
    assert "blank" in text and text.count("chance") == 1
