"""`lascaux study score` and `lascaux study serve`, as they are typed."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runs.cli import app
from tests.cli.telling import refused
from tests.runs.study.rooms import Maker, Room


def called(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    maker = Maker()
    maker.add("name")
    maker.add("pick", 1)
    return maker.room(tmp_path)


def sat(room: Room, name: str = "anna") -> Path:
    path: Path = room.file(name, lambda id, target, many: "kitty" if target is None else target)
    return path


def test_scores_are_printed_and_written_with_a_users_own_words(room: Room) -> None:
    words = room.folder / "words.yaml"
    words.write_text("cat: [kitty]\n")
    result = called("study", "score", str(room.study.path), str(sat(room)), "--synonyms", str(words))
    assert result.exit_code == 0, result.output
    assert "pick the picture" in result.output
    assert "correct ~ 1 + (1|participant) + (1|sketch)" in result.output
    assert "name(s) fit nothing" not in result.output
    assert (room.folder / "study-scores" / "report.html").is_file()


def test_wrong_files_are_told_in_a_line_and_write_nothing(room: Room) -> None:
    study, answers = str(room.study.path), str(sat(room))
    none = str(room.folder / "none.csv")
    for option, why in {
        "--synonyms": "no such file",
        "--coded": "coded names cannot be read",
        "--stand-ins": "scores cannot be read",
        "--key": "no answer key",
    }.items():
        assert why in refused(called("study", "score", study, answers, option, none))
    assert "not a simulated run" in refused(called("study", "score", study, answers, "--simulated"))
    assert not (room.folder / "study-scores").exists()


def test_what_cannot_be_served_is_told_in_a_line(room: Room) -> None:
    line = refused(called("study", "serve", str(room.folder / "nowhere")))
    assert "no study here" in line
    line = refused(called("study", "serve", str(room.study.path), "--host", "no.such.host.invalid", "--port", "0"))
    assert "cannot serve" in line
    line = refused(called("study", "serve", str(room.study.path), "--out", str(room.study.path / "answers")))
    assert "inside the folder" in line


def test_a_server_says_where_it_is_and_ends_with_control_c(room: Room) -> None:
    command = [sys.executable, "-m", "runs.cli", "study", "serve", str(room.study.path), "--port", "0"]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as served:
        assert served.stdout is not None
        line = served.stdout.readline()
        url = re.match(r"http://127\.0\.0\.1:\d+/", line)
        assert url, line
        with urllib.request.urlopen(url.group() + "stimuli/d0.svg", timeout=20) as answer:
            assert answer.read().startswith(b"<svg")
        served.send_signal(signal.SIGINT)
        rest, _ = served.communicate(timeout=20)
    assert served.returncode == 0, rest
    assert "ended; 0 file(s)" in rest
