"""The scripts of docs/envs.md that need the extra rl: one plays for two, one has another library train a receiver."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def ran(name: str, tmp_path: Path, *words: str) -> str:
    page = (ROOT / "docs/envs.md").read_text(encoding="utf-8")
    found = re.search(rf"```python\n(# {re.escape(name)}\n.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / name).write_text(found[1], encoding="utf-8")
    command = [sys.executable, "-W", "error", name, *words]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_play_by_pettingzoo(tmp_path: Path) -> None:
    pytest.importorskip("pettingzoo", reason="the extra rl is not installed")
    assert "'right':" in ran("play_two.py", tmp_path)


@pytest.mark.slow
def test_another_library_trains_a_receiver(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3", reason="the extra rl is not installed")
    lines = ran("train_receiver.py", tmp_path, "512").splitlines()  # one round of PPO; the page tells of many
    assert [line.split(": ")[0] for line in lines] == ["before", "after"]
    assert 0.1 < float(lines[0].split(": ")[1]) < 0.3  # chance is 0.2
