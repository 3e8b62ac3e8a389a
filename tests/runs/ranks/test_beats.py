"""Who lives, who died and who failed is told by a store, without any process of its own: ranks are threads here."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.distributed import PrefixStore, TCPStore

from raster import InputError
from runs.ranks import beats, started
from runs.ranks.beats import Beats
from runs.ranks.world import device_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Beats]]:
    """Three ranks that beat fast."""
    for name, seconds in (("BEAT", 0.02), ("SETTLED", 0.3), ("GRACE", 3.0), ("SILENCE", 1e9)):
        monkeypatch.setattr(beats, name, seconds)
    server = TCPStore("127.0.0.1", 0, is_master=True)
    clients = [TCPStore("127.0.0.1", server.port, is_master=False) for _ in range(3)]
    found = [Beats(PrefixStore("life", each), rank, 3) for rank, each in enumerate(clients)]
    for each in found:
        each.start()
    yield found
    for each in found:  # none may end this process
        each.leave()


def test_who_stops_beating_is_dead_and_nobody_else(three: list[Beats]) -> None:
    three[1].leave()
    three[2].tell("", own=False)  # it noticed, too, and is about to go
    three[2].leave()
    assert three[0].dead() == [1]
    assert three[0].failed() == {}


def test_who_lives_is_not_dead_and_who_is_done_is_not(three: list[Beats]) -> None:
    three[2].end()
    began = time.monotonic()
    assert three[0].dead() == []
    assert time.monotonic() - began >= 3.0  # rank 1 beats on and says nothing: it is given all the time there is


def test_who_failed_is_told_in_its_own_words(three: list[Beats]) -> None:
    three[1].tell("ValueError: something broke", own=True)
    three[1].leave()
    three[2].tell("", own=False)
    assert three[0].dead() == []
    assert three[0].failed() == {1: "ValueError: something broke"}
    assert three[1].failed() == {}  # its own is its own to tell


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("pass", "rank 0: rank 1 has been silent for 0 s: go on with --resume"),
        ("other.tell('it broke', own=True)", "rank 0: rank 1 failed: it broke: go on with --resume"),
    ],
)
def test_who_waits_for_a_rank_that_hangs_is_ended_with_its_name(act: str, told: str) -> None:
    """Where no connection breaks, the main thread is stuck in a library: here, asleep."""
    script = f"""
        import time
        from torch.distributed import PrefixStore, TCPStore
        from runs.ranks import beats
        beats.BEAT, beats.GRACE, beats.SILENCE = 0.02, 0.1, {0.3 if act == "pass" else 60.0}
        server = TCPStore("127.0.0.1", 0, is_master=True)
        one, other = (beats.Beats(server.clone(), rank, 2) for rank in range(2))
        {act}
        one.start()
        time.sleep(60)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (2, told)


def test_what_torchrun_says_is_read_and_nonsense_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started() == (0, 1, 0)
    given = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert started() == (1, 4, 1)
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(InputError, match="rank 4 of 4"):
        started()
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(InputError, match=r"RANK is 'first', no number \(environment\)"):
        started()


def test_ranks_take_the_gpu_of_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(device_of(name, 1, 5)) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    for name, local, told in (("cuda:0", 0, "for every rank"), ("mps", 0, "mps for"), ("auto", 2, "number 2 on its")):
        with pytest.raises(InputError, match=told):
            device_of(name, local, 5)


def test_other_commands_are_not_shared(tmp_path: Path) -> None:
    """``torchrun ... presets`` would print as often as there are ranks."""
    env = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "runs.cli", "presets"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "`presets` is done by one process (torchrun): leave torchrun out\n"
