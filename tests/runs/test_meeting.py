"""Strangers meet: the matrix is what plays of each pair give, formulas by hand, who cannot meet is told."""

import csv
import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

import runs
from raster import InputError
from runs import checkpoint
from runs.cli import app
from runs.loading import dump
from runs.meeting.ease import ease_of
from runs.meeting.people import parties_of
from runs.meeting.swap import across, intelligibility, own_advantage, swapped, within
from runs.meeting.variation import apart
from tests.runs.test_executors import Make, village


def grown(small: Make, where: Path, seed: int = 1, **changes: Any) -> Path:
    """A community that has played a little and is saved."""
    where.mkdir(parents=True)
    learner = village(small, where, "loop", seed=seed, **changes)
    learner.run.folder.config.write_text(dump(learner.run.config))
    learner.run.folder.pictures.write_text(json.dumps({"content": learner.run.gallery.content}))
    learner.step(), learner.step()
    learner.save()
    return where


@pytest.fixture(scope="module")
def two(small: Make, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two communities of 4 senders and 3 receivers, and of 2 and 2. Look, do not write."""
    where = tmp_path_factory.mktemp("meeting")
    few = {"senders": 2, "receivers": 2, "meetings": 2}
    return [grown(small, where / "one", 1), grown(small, where / "other", 2, community=few)]


def test_the_matrix_is_what_plays_of_each_pair_give(two: list[Path]) -> None:
    parties, game = parties_of(two)
    swap, drawn = swapped(parties, game, "test", pools=2)
    assert swap.rates.shape == (6, 5)
    assert swap.n == 2 * game.candidates
    for row, (draws, sender) in enumerate(swap.senders):
        for column, (looks, receiver) in enumerate(swap.receivers):
            right = []
            for round in drawn.rounds:
                whose = parties[draws].run
                pair = whose.pair(sender, 0)
                pair = replace(pair, receiver=parties[looks].run.pair(0, receiver).receiver)
                with torch.no_grad():
                    play = game.play(pair, round, whose.gallery, whose.config.canvas, whose.step)
                right.append(play.correct.double())
            assert float(swap.rates[row, column]) == pytest.approx(float(torch.cat(right).mean()))


def test_a_meeting_does_not_hang_on_who_else_is_there(two: list[Path]) -> None:
    parties, game = parties_of(two)
    swap, _ = swapped(parties, game, "test", pools=1)
    back, _ = swapped(parties[::-1], game, "test", pools=1)
    assert torch.equal(swap.of(swap.rates, 0, 1), back.of(back.rates, 1, 0))
    assert torch.equal(swap.of(swap.controls["ceiling"], 0, 1), back.of(back.controls["ceiling"], 1, 0))


def test_a_blank_canvas_is_a_guess_and_a_vote_of_equals_is_each(two: list[Path]) -> None:
    parties, game = parties_of(two)
    for party in parties:  # every receiver of a community the same
        for slot in party.receivers[1:]:
            first = party.run.community.receivers[party.receivers[0]]
            party.run.community.receivers[slot].load_state_dict(first.state_dict())
    swap, _ = swapped(parties, game, "test", pools=2)
    # It answers alike whatever was drawn, and every candidate of a pool is meant once.
    assert swap.controls["blank"].flatten().tolist() == pytest.approx([swap.chance] * 5)
    for vote in swap.votes.values():
        for number in range(2):
            column = swap.receivers.index((number, parties[number].receivers[0]))
            assert vote[:, number].tolist() == pytest.approx(swap.rates[:, column].tolist())


def test_relative_intelligibility_by_hand() -> None:
    blocks = torch.tensor([[0.8, 0.2], [0.4, 0.6]], dtype=torch.float64)
    found = intelligibility(blocks, [0.8, 0.6], 0.1)
    assert found.value == pytest.approx((0.3 - 0.1) / (0.7 - 0.1))
    assert across(blocks).value == pytest.approx(0.3)
    assert intelligibility(blocks, [0.1, 0.1], 0.1).value is None  # they do not understand themselves
    assert (found.low, found.high, found.n) == (None, None, 2)  # two communities give no interval


def test_intervals_resample_communities() -> None:
    same = torch.full((4, 4), 0.25, dtype=torch.float64)
    assert (across(same).low, across(same).high) == pytest.approx((0.25, 0.25))
    spread = within([0.2, 0.4, None, 0.6])
    assert (spread.value, spread.n) == (pytest.approx(0.4), 3)
    assert spread.low == pytest.approx(0.2) and spread.high == pytest.approx(0.6)  # 1 in 27 resamples is all of one
    assert within([None]).value is None
    # The diagonal, which is no meeting of strangers, counts for nothing.
    for other in (9.0, float("nan")):
        assert across(same.clone().fill_diagonal_(other)).high == pytest.approx(0.25)


def test_partners_know_each_other_by_hand() -> None:
    block = torch.tensor([[0.9, 0.5], [0.3, 0.7]], dtype=torch.float64)
    assert own_advantage(block, torch.eye(2, dtype=torch.bool)) == pytest.approx(0.8 - 0.4)
    assert own_advantage(block[:1, :1], torch.ones(1, 1, dtype=torch.bool)) is None


some_strokes = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(2), st.just(2)), elements=st.floats(-1, 1))


@given(some_strokes, some_strokes)
def test_strokes_are_a_set_without_direction(one: np.ndarray, other: np.ndarray) -> None:
    assert apart(one, other) == pytest.approx(apart(other, one))
    assert apart(one[::-1, ::-1], other) == pytest.approx(apart(one, other))
    assert apart(one, one[::-1]) == pytest.approx(0)
    few, many = sorted((one, other), key=len)

    def cost(a: np.ndarray, b: np.ndarray) -> float:
        return min(1.0, *(float(np.hypot(*(a - way).T).mean()) for way in (b, b[::-1])))

    best = min(
        sum(cost(few[i], many[j]) for i, j in enumerate(order)) for order in permutations(range(len(many)), len(few))
    )
    assert apart(one, other) == pytest.approx((best + len(many) - len(few)) / len(many))


@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_newcomers_learn_and_natives_do_not(two: list[Path], side: Any) -> None:
    parties, game = parties_of(two)
    before = {key: value.clone() for key, value in checkpoint.weights_of(parties[0].run.community).items()}
    found = ease_of(parties[0], game, side, newcomers=2, steps=8)
    after = checkpoint.weights_of(parties[0].run.community)
    assert all(torch.equal(value, before[key]) for key, value in after.items())
    assert all(each.grad is None for each in parties[0].run.community.parameters())
    assert found.games == [7 * step for step in range(9)]
    assert len(found.rates) == 9 and len(found.area) == len(found.untrained) == 2
    assert found == ease_of(parties[0], game, side, newcomers=2, steps=8)


def test_meeting_writes_all_of_it_and_leaves_runs_alone(two: list[Path], tmp_path: Path) -> None:
    held = {path: path.read_bytes() for run in two for path in run.rglob("*") if path.is_file()}
    done = runs.meet(two, tmp_path / "met", pools=2, judge=False, newcomers=1, steps=2)
    assert held == {path: path.read_bytes() for run in two for path in run.rglob("*") if path.is_file()}
    assert {each.name for each in (tmp_path / "met").iterdir()} == {
        "matrix.csv", "matrix.png", "matrix.svg", "meeting.json", "plays.jsonl", "report.html"
    }  # fmt: skip
    table = list(csv.reader((tmp_path / "met/matrix.csv").read_text().splitlines()))
    assert table[0][1:] == ["one:0", "one:1", "one:2", "other:0", "other:1"]
    assert [float(each) for each in table[-1][1:]] == pytest.approx(done.swap.rates[-1].tolist(), abs=1e-5)
    found = json.loads((tmp_path / "met/meeting.json").read_text())
    assert found == done.findings
    page = (tmp_path / "met/report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    lines = [json.loads(line) for line in (tmp_path / "met/plays.jsonl").read_text().splitlines()]
    assert len(lines) == 2 * 6
    won = np.mean([np.array(line["choices"]) == line["target"] for line in lines if line["run"] == "other"])
    assert won == pytest.approx(float(done.swap.rates[4:].mean()))
    with pytest.raises(InputError, match="the folder is not empty"):
        runs.meet(two, tmp_path / "met")


def refused(*words: object) -> str:
    result = CliRunner().invoke(app, ["meet", *map(str, words)])
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    return line


def test_who_cannot_meet_is_told_in_a_line(
    small: Make, two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "two runs at least" in refused(two[0])
    assert "named twice" in refused(*two, two[0])
    assert "no run here" in refused(two[0], "nowhere")
    assert "no split 'tset'" in refused(*two, "--split", "tset")
    game = {"kind": "referential", "candidates": 4}
    canvas = {"size": 15, "sigma2": 5e-3}
    pictures = {"kind": "digits", "size": 17, "split": {"by": ["picture"], "validation": 0.15, "test": 0.2}}
    reader = {"trunk": {"kind": "mlp", "hidden": [8], "size": 16}, "hidden": 8, "dims": 6}
    reads = {**reader, "reader": {"kind": "patches", "size": 3}}
    assert "its game is not that of" in refused(two[0], grown(small, tmp_path / "k", game=game))
    other = grown(small, tmp_path / "c", canvas=canvas, receiver=reads)
    assert "its canvas is not that of" in refused(two[0], other)
    assert "canvas.size: 16 -> 15" in refused(two[0], other)
    assert "its pictures are others" in refused(two[0], grown(small, tmp_path / "p", pictures=pictures))
    parted = {**pictures, "size": 16, "split": {**pictures["split"], "test": 0.1}}  # type: ignore[dict-item]
    assert "its split is not that of" in refused(two[0], grown(small, tmp_path / "s", pictures=parted))
    bare = grown(small, tmp_path / "bare")
    for each in (bare / "checkpoints").iterdir():
        each.unlink()
    assert "the run has no checkpoint" in refused(two[0], bare)
    assert not (tmp_path / "out").exists()
