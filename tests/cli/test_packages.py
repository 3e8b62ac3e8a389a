"""lascaux's packages have plain names: another distribution's package in their place is named, never run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LATE = "import sys; sys.path.append(sys.argv.pop(1)); from runs.cli import main; sys.argv[0] = 'lascaux'; main()"


def started(first: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """`lascaux --version` where another folder comes before lascaux's own on the path."""
    env = {**os.environ, "PYTHONPATH": str(first)}
    command = [sys.executable, "-c", LATE, str(ROOT), "--version"]
    return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def test_the_package_of_another_distribution_is_named_and_not_run(other: Path, tmp_path: Path) -> None:
    (other / "games").mkdir()
    (other / "games" / "__init__.py").write_text("raise RuntimeError('it was run')\n")
    info = other / "games_kit-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: games-kit\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("games\n")
    (info / "RECORD").write_text("games/__init__.py,,\n")
    done = started(other, tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"another package called 'games' is found before lascaux's ({other / 'games'}, of games-kit): "
        "pip uninstall games-kit, or give lascaux an environment of its own\n"
    )


def test_a_module_of_ones_own_in_the_way_is_named(other: Path, tmp_path: Path) -> None:
    (other / "agents.py").write_text("raise RuntimeError('it was run')\n")
    done = started(other, tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"another package called 'agents' is found before lascaux's ({other / 'agents.py'}, of no installed "
        f"distribution): take {other} off PYTHONPATH, or start from another folder\n"
    )


def test_a_plain_folder_of_that_name_is_no_harm(other: Path, tmp_path: Path) -> None:
    (other / "games").mkdir()
    (tmp_path / "runs").mkdir()
    done = started(other, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("lascaux")
