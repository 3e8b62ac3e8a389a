"""Which differences drawings tell: pairs of a target and a distractor, counted the slow way."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from games.scenes import CHANGES
from runs.changes import KINDS, by_change, of_pairs
from runs.config import Config
from runs.evidence import gather
from runs.folder import read_json
from runs.run import Run
from runs.start import launch

Make = Callable[..., Config]
SCENES: dict[str, Any] = {
    "pictures": {
        "kind": "scenes",
        "count": 12,
        "variants": 8,
        "size": 16,
        "samples": 1,
        "world": {"least": 1, "most": 2, "visible": 0.0},
    },
    "game": {"kind": "referential", "pool": "class", "candidates": 8},
}


@pytest.fixture(scope="module")
def done(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = small(**SCENES, train={"games": 8}, measure={"test_pools": 6})
    return launch(config, tmp_path_factory.mktemp("differ") / "run", progress=False, device="cpu")


def test_a_pair_differs_in_one_way_or_in_several() -> None:
    changes = torch.tensor([[0, 1, 2, 3, 3]]).expand(5, -1)
    found = of_pairs(changes, torch.arange(5))
    assert found.tolist() == [
        [0, 1, 2, 3, 3],
        [1, 0, 7, 7, 7],
        [2, 7, 0, 7, 7],
        [3, 7, 7, 0, 3],
        [3, 7, 7, 3, 0],
    ]
    assert KINDS[0] == CHANGES[1] and KINDS[6] == "several"


def test_the_rate_of_each_kind_is_that_of_its_pairs(done: Run) -> None:
    evidence = gather(done, done.game.parts[0], "test", 6)
    found = by_change(evidence)
    names = done.gallery.names
    slow: dict[str, list[float]] = {}
    for play in evidence.plays:
        for game in range(len(play.scores)):
            pool = play.round.pool[0]
            own = names(pool[play.round.target[game], None])[0].split("/")[1]
            for place, other in enumerate(names(pool)):
                kind = other.split("/")[1]
                if place == play.round.target[game]:
                    continue
                name = kind if own == "none" else own if kind in ("none", own) else "several"
                mine, theirs = play.scores[game, play.round.target[game]], play.scores[game, place]
                slow.setdefault(name, []).append(1.0 if mine > theirs else 0.5 if mine == theirs else 0.0)
    assert found.keys() == slow.keys() >= set(CHANGES[1:])
    for name, each in slow.items():
        assert found[name]["n"] == len(each)
        assert found[name]["told"] == pytest.approx(sum(each) / len(each))
        assert found[name]["low"] <= found[name]["told"] <= found[name]["high"]


def test_a_blank_sheet_tells_no_difference(done: Run) -> None:
    """Of each pair both are the target once, and a blank sheet has the same scores for both games."""
    row = by_change(gather(done, done.game.parts[0], "test", 6))
    for each in row.values():
        assert each["blank"] == pytest.approx(0.5)
        assert {"shuffled", "untrained", "ceiling"} <= each.keys()


def test_summary_and_report_hold_the_table(done: Run) -> None:
    summary = read_json(done.folder.summary)
    assert summary["game"] == "same-within" and set(CHANGES[1:]) <= set(summary["changes"])
    page = done.folder.report.read_text(encoding="utf-8")
    assert "Which differences are drawn" in page and "among pictures of its class" in page
