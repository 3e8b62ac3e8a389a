"""A run that the system kills at any moment, resumed, is bit for bit the run that was not killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runs.folder import lines

HERE = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
def test_runs_with_turnover_and_imitation_survive_sigkill(tmp_path: Path) -> None:
    kept, results = tmp_path / "runs", tmp_path / "killed.json"
    words = ["--moments", "3", "--results", str(results), "--keep", str(kept)]
    command = [sys.executable, str(HERE / "benchmarks/killed.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text())["moments"]
    assert [row["exit"] for row in found] == [-signal.SIGKILL] * 3
    assert [row["differs"] for row in found] == [[]] * 3
    for number, row in enumerate(found):
        # The script's word is not taken for it: the weights are the same file, and each event stands there once.
        one, two = kept / f"whole-{row['executor']}", kept / f"killed-{number}"
        files = [folder / "checkpoints/last.safetensors" for folder in (one, two)]
        assert files[0].read_bytes() == files[1].read_bytes()
        events = [list(lines(folder / "events.jsonl")) for folder in (one, two)]
        assert events[0] == events[1]
        assert {each["kind"] for each in events[0]} == {"replace", "imitate"}
