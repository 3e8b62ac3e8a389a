"""A run on several processes is the run on one: agents, optimisers, life, metrics and plays; and it can be resumed."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from runs.config import Config
from runs.folder import lines, read_json
from runs.start import launch
from tests.runs.ranks.cases import BIASES, EVENTS, EYE, MLP, Make, apart, left, ranks, village

MODES = ("games", "agents")
TRUNK = {"kind": "timm", "name": "test_resnet", "weights": "random"}


def cases(small: Make, strangers: Path) -> dict[str, dict[str, Any]]:
    """Every case by its name; each is run by one process and by two ranks."""
    shared = {"trunk": {**MLP, "shared": True}}
    contact = {"kind": "contact", "at": 9, "run": str(strangers), "side": "senders", "who": [0, 3]}
    mixed = {
        "biases": [BIASES[0], {"kind": "likeness", "trunk": TRUNK, "levels": [1, 2], "learn": True, "weight": 0.1}],
        "sender": {**EYE, **shared, "strokes": {"count": 3}},
        "receiver": {**EYE, **shared, "dims": 6, "reader": {"kind": "patches", "size": 4}},
        "community": {
            "events": [],
            "groups": [
                {"senders": 2, "receivers": 2},
                {"senders": 2, "receivers": 1, "sender": {"strokes": {"count": 5}}, "biases": [], "learns": 0.5},
            ],
        },
        "train": {"steps": 6},
    }
    turns = {
        "game": {"kind": "pictionary", "turns": 2, "strokes": 2, "candidates": 4},
        "sender": {**EYE, "strokes": {"count": 4}},
        "community": {"events": []},
        "train": {"steps": 4},
    }
    matching = {"community": {"draw": "matching", "meetings": None, "events": [], "senders": 2, "receivers": 2}}
    return {
        "games": village(small),
        "agents": village(small, train={"ranks": "agents"}, community={"events": [*EVENTS, contact]}),
        "games, loop": village(small, community={"executor": "loop"}, train={"steps": 9}),
        "games, shared trunks, learned biases, groups": village(small, **mixed),
        "agents, shared trunks, learned biases, groups": village(
            small, **{**mixed, "train": {"steps": 6, "ranks": "agents"}}
        ),
        "games of turns": village(small, **turns),
        "agents, as many ranks as pairs": village(small, **matching, train={"steps": 6, "ranks": "agents"}),
    }


class Made(NamedTuple):
    """Runs of one process and of two ranks, folder by folder, and what was told."""

    one: Path
    two: Path
    told: dict[str, list[str]]
    lines: list[str]
    code: int


REFUSED = {
    "more ranks than meetings": ({"community": {"meetings": 1}}, "2 ranks, but 1 meeting a step (community.meetings)"),
    "agents by a loop": (
        {"community": {"executor": "loop"}, "train": {"ranks": "agents"}},
        "agents cannot be on different ranks: pairs are played one by one",
    ),
    "agents in a game of turns": (
        {
            "game": {"kind": "pictionary", "turns": 2, "strokes": 2, "candidates": 4},
            "sender": {**EYE, "strokes": {"count": 4}},
            "train": {"ranks": "agents"},
        },
        "agents cannot be on different ranks: the game same is played pair by pair",
    ),
}


@pytest.fixture(scope="module")
def made(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Made:
    where = tmp_path_factory.mktemp("ranks")
    one, two = where / "one", where / "two"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runs.start.write_report", lambda *_: Path())
        strangers = one / "games"
        configs = cases(small, strangers)
        for name, config in configs.items():
            launch(Config.model_validate(config), one / name, progress=False, device="cpu")
        for mode in MODES:  # the first leg of a run that goes on with two ranks and ends with three
            _begin(configs[mode], two / f"chain {mode}")
    launches = [{"config": config, "out": str(two / name)} for name, config in configs.items()]
    stop = {"rank": 1, "step": 7, "name": "SIGINT"}
    launches += [
        {"config": configs[mode], "out": str(two / f"chain {mode}"), "resume": True, "signal": stop} for mode in MODES
    ]
    launches += [{"config": village(small, **keys), "out": str(two / name)} for name, (keys, _) in REFUSED.items()]
    launches += [
        {"config": configs["games"], "out": str(two / "games")},
        {"config": configs["games"], "out": str(two / "games"), "resume": True},
        {"config": configs["games"], "out": str(two / "elsewhere"), "device": "cuda:1"},
    ]
    names = [*configs, *(f"chain {mode}" for mode in MODES), *REFUSED, "used", "finished", "device"]
    wrong = ["run", "tiny", "--set", "train.lr=fast", "--out", str(two / "wrong"), "--device", "cpu"]
    told, done = ranks(2, {"launches": launches, "command": wrong}, where)
    by_name = dict(zip(names, map(list, zip(*told, strict=True)), strict=True))
    return Made(one, two, by_name, done.stderr.splitlines(), done.returncode)


def _begin(config: dict[str, Any], folder: Path) -> None:
    """Four steps in one process, and then a Ctrl-C."""
    with pytest.MonkeyPatch.context() as patch:
        from runs.train import Learner

        step = Learner.step
        patch.setattr(Learner, "step", lambda self: step(self) if self.run.step < 4 else _interrupt(self, step))
        with pytest.raises(KeyboardInterrupt):
            launch(Config.model_validate(config), folder, progress=False, device="cpu")
    assert read_json(folder / "status.json")["step"] == 5


def _interrupt(learner: Any, step: Any) -> Any:
    import signal

    signal.raise_signal(signal.SIGINT)
    return step(learner)


NAMES = [
    "games",
    "agents",
    "games, loop",
    "games, shared trunks, learned biases, groups",
    "agents, shared trunks, learned biases, groups",
    "games of turns",
    "agents, as many ranks as pairs",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_are_one_process(made: Made, name: str) -> None:
    assert made.told[name] == ["done", "done"]
    mine, theirs = left(made.one / name), left(made.two / name)
    assert apart(mine, theirs) == []
    assert mine["plays/train.jsonl"]  # of all ranks' meetings
    assert read_json(made.two / name / "env.json")["ranks"] == {
        "count": 2,
        "share": name.split(",")[0].split()[0],
        "backend": "gloo",
    }


@pytest.mark.slow
def test_much_happened_in_those_lives(made: Made) -> None:
    for mode in MODES:
        kinds = {event["kind"] for event in lines(made.two / mode / "events.jsonl")}
        expected = {event["kind"] for event in EVENTS} | ({"contact"} if mode == "agents" else set())
        assert kinds == expected


@pytest.mark.slow
def test_a_signal_to_one_rank_stops_all_after_the_same_step(made: Made) -> None:
    for mode in MODES:
        assert made.told[f"chain {mode}"] == ["stopped", "stopped"]
        assert read_json(made.two / f"chain {mode}" / "status.json") == {"state": "interrupted", "step": 8, "steps": 12}


@pytest.mark.slow
def test_what_ranks_cannot_share_is_refused_in_one_line(made: Made) -> None:
    for name, (_, told) in REFUSED.items():
        assert all(line.startswith(told) for line in made.told[name]), made.told[name]
    assert all("the folder is not empty" in line for line in made.told["used"])
    assert made.told["finished"] == ["done", "done"]
    assert all(line.startswith("cuda:1 for every rank (--device)") for line in made.told["device"])


@pytest.mark.slow
def test_a_wrong_config_is_told_once(made: Made) -> None:
    assert len([line for line in made.lines if "train.lr" in line]) == 1
    assert made.code != 0 and not (made.two / "wrong").exists()


@pytest.mark.slow
def test_a_run_goes_on_with_three_ranks_and_a_rank_that_dies_is_named(made: Made, small: Make, tmp_path: Path) -> None:
    """Begun by one process, gone on with two ranks (``made``), ended by three: the run of one. Then one dies."""
    configs = cases(small, made.one / "games")
    launches = [{"config": configs[mode], "out": str(made.two / f"chain {mode}"), "resume": True} for mode in MODES]
    file = tmp_path / "games.json"
    file.write_text(json.dumps({**configs["games"]}))
    dying = {
        "launches": launches,
        "command": ["run", str(file.with_suffix(".yaml")), "--out", str(tmp_path / "dead"), "--device", "cpu"],
        "signal": {"rank": 1, "step": 7, "name": "SIGKILL"},
    }
    from runs.loading import dump

    file.with_suffix(".yaml").write_text(dump(Config.model_validate(configs["games"])))
    told, done = ranks(3, dying, tmp_path)
    assert told == [["done"] * 2] * 3
    for mode in MODES:
        assert apart(left(made.one / mode), left(made.two / f"chain {mode}")) == []
        assert read_json(made.two / f"chain {mode}" / "env.json")["ranks"]["count"] == 3

    assert done.returncode != 0
    word = "rank 1 died without a word: the run goes on from its last checkpoint with --resume"
    own = [line for line in done.stderr.splitlines() if "died" in line]
    assert sorted(own) == [word, f"rank 2: {word}"]
    assert "Traceback" not in done.stderr.split("ChildFailedError")[0].split("torchrun")[0]
    assert torch.distributed.is_available() and read_json(tmp_path / "dead/status.json")["state"] == "running"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runs.start.write_report", lambda *_: Path())
        again = Config.model_validate(configs["games"])
        launch(again, tmp_path / "dead", resume=True, progress=False, device="cpu")
    assert apart(left(made.one / "games"), left(tmp_path / "dead")) == []
