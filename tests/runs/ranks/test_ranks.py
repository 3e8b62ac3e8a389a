"""A run on several processes is the run on one: agents, optimisers, life, metrics and plays; and it can be resumed."""

import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runs.config import Config
from runs.folder import lines, read_json
from runs.loading import dump
from runs.start import launch
from runs.train import Learner
from tests.runs.ranks.cases import BIASES, EVENTS, EYE, MLP, Group, Make, apart, left, ranks, village

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="ranks are forked, which is safe on Linux"),
]
MODES = ("games", "agents")
TRUNK = {"kind": "timm", "name": "test_resnet", "weights": "random"}
TURNS = {
    "game": {"kind": "pictionary", "turns": 2, "strokes": 2, "candidates": 4},
    "sender": {**EYE, "strokes": {"count": 4}},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "more ranks than meetings": ({"community": {"meetings": 1}}, "2 ranks, but 1 meeting a step (community.meetings)"),
    "agents by a loop": (
        {"community": {"executor": "loop"}, "train": {"ranks": "agents"}},
        "agents cannot be on different ranks: pairs are played one by one",
    ),
    "agents in a game of turns": (
        {**TURNS, "train": {"ranks": "agents"}},
        "agents cannot be on different ranks: the game same is played pair by pair",
    ),
}


def cases(small: Make, strangers: Path) -> dict[str, dict[str, Any]]:
    """Every case by its name; each is run by one process and by two ranks."""
    eye = {**EYE, "trunk": {**MLP, "shared": True}}
    contact = {"kind": "contact", "at": 9, "run": str(strangers), "side": "senders", "who": [0, 3]}
    free = {"senders": 2, "receivers": 1, "sender": {"strokes": {"count": 5}}, "biases": [], "learns": 0.5}
    likeness = {"kind": "likeness", "trunk": TRUNK, "levels": [1, 2], "learn": True, "weight": 0.1}
    events = [{key: value for key, value in each.items() if key != "side"} for each in EVENTS]
    both = {"receivers": 4, "both": True, "events": events}
    whole = {"receivers": 4, "events": [], "draw": "matching", "meetings": None, "topology": {"kind": "full"}}
    return {
        "games": village(small),
        "agents": village(small, train={"ranks": "agents"}, community={"events": [*EVENTS, contact]}),
        "agents, shared trunks, learned biases, groups": village(
            small,
            biases=[BIASES[0], likeness],
            sender={**eye, "strokes": {"count": 3}},
            receiver={**eye, "dims": 6, "reader": {"kind": "patches", "size": 4}},
            community={"events": [], "groups": [{"senders": 2, "receivers": 2}, free]},
            train={"steps": 5, "ranks": "agents"},
        ),
        "games, turn by turn in a loop": village(
            small, **TURNS, community={"events": [], "draw": "matching", "meetings": None}, train={"steps": 4}
        ),
        "games, who draws looks, too": village(small, community=both, train={"steps": 8}),
        "agents, who draws looks, too": village(small, community=both, train={"steps": 8, "ranks": "agents"}),
        "games, everybody in one step": village(small, community={**whole, "reach": 1.0}, train={"steps": 4}),
    }


class Made(NamedTuple):
    """Runs of one process and of ranks, folder by folder, and what was told of the two groups of ranks."""

    one: Path
    many: Path
    two: Group
    three: Group
    names: list[str]
    configs: dict[str, dict[str, Any]]

    def told(self, name: str) -> list[str]:
        """What the two ranks said of a launch."""
        return self.two.told[self.names.index(name)]


@pytest.fixture(scope="module")
def made(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Made:
    where = tmp_path_factory.mktemp("ranks")
    one, many = where / "one", where / "many"
    configs = cases(small, one / "games")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runs.start.write_report", lambda *_: Path())
        for name, config in configs.items():
            launch(Config.model_validate(config), one / name, progress=False, device="cpu")
        for mode in MODES:  # the first part of a run that goes on with two ranks and ends with three
            _begun(configs[mode], many / f"chain {mode}")

    def begins(config: dict[str, Any], name: str, **keys: Any) -> dict[str, Any]:
        return {"config": config, "out": str(many / name), **keys}

    stop = {"rank": 1, "step": 7, "name": "SIGINT"}
    launches = {name: begins(config, name) for name, config in configs.items()}
    launches |= {f"chain {mode}": begins(configs[mode], f"chain {mode}", resume=True, signal=stop) for mode in MODES}
    launches |= {name: begins(village(small, **keys), name) for name, (keys, _) in REFUSED.items()}
    launches["used"] = begins(configs["games"], "games")
    launches["finished"] = begins(configs["games"], "games", resume=True)
    launches["drift"] = begins(configs["games"], "drift", signal={"rank": 1, "step": 4, "name": "drift"})
    ends = [begins(configs[mode], f"chain {mode}", resume=True) for mode in MODES]
    preset = where / "games.yaml"
    preset.write_text(dump(Config.model_validate(configs["games"])))
    wrong = ["run", "tiny", "--set", "train.lr=fast", "--out", str(many / "wrong"), "--device", "cpu"]
    right = ["run", str(preset), "--out", str(many / "dead"), "--device", "cpu"]
    groups = [
        {"ranks": 2, "launches": list(launches.values()), "command": wrong},
        {"ranks": 3, "launches": ends, "command": right, "signal": {"rank": 1, "step": 7, "name": "SIGKILL"}},
    ]
    return Made(one, many, *ranks(groups, where), list(launches), configs)


def _begun(config: dict[str, Any], folder: Path) -> None:
    """Five steps in one process, and then a Ctrl-C."""
    step = Learner.step

    def interrupted(self: Learner) -> object:
        if self.run.step == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            launch(Config.model_validate(config), folder, progress=False, device="cpu")
    assert read_json(folder / "status.json")["step"] == 5


@pytest.mark.parametrize(
    "name",
    [
        *MODES,
        "agents, shared trunks, learned biases, groups",
        "games, turn by turn in a loop",
        "games, who draws looks, too",
        "agents, who draws looks, too",
        "games, everybody in one step",
    ],
)
def test_two_ranks_are_one_process(made: Made, name: str) -> None:
    assert made.told(name) == ["done", "done"]
    mine, theirs = left(made.one / name), left(made.many / name)
    assert apart(mine, theirs) == []
    assert mine["plays/train.jsonl"]  # of all ranks' meetings
    told = read_json(made.many / name / "env.json")["ranks"]
    assert told == {"count": 2, "share": name.split(",")[0], "backend": "gloo"}


def test_much_happened_in_those_lives(made: Made) -> None:
    for mode, more in (("games", set()), ("agents", {"contact"})):
        kinds = {event["kind"] for event in lines(made.many / mode / "events.jsonl")}
        assert kinds == {event["kind"] for event in EVENTS} | more


@pytest.mark.parametrize("mode", MODES)
def test_a_signal_to_one_rank_stops_all_after_the_same_step(made: Made, mode: str) -> None:
    assert made.told(f"chain {mode}") == ["stopped", "stopped"]
    gone_on = [line["step"] for line in lines(made.many / f"chain {mode}" / "metrics.jsonl")]
    assert gone_on == [line["step"] for line in lines(made.one / mode / "metrics.jsonl")]


@pytest.mark.parametrize("mode", MODES)
def test_begun_by_one_process_gone_on_with_two_ranks_and_ended_by_three_is_the_run_of_one(
    made: Made, mode: str
) -> None:
    assert made.three.told == [["done"] * 3] * 2
    assert apart(left(made.one / mode), left(made.many / f"chain {mode}")) == []
    assert read_json(made.many / f"chain {mode}" / "env.json")["ranks"]["count"] == 3


def test_what_ranks_cannot_share_is_refused_in_one_line(made: Made) -> None:
    for name, (_, told) in REFUSED.items():
        assert [line.startswith(told) for line in made.told(name)] == [True, True], made.told(name)
    assert ["the folder is not empty" in line for line in made.told("used")] == [True, True]
    assert made.told("finished") == ["done", "done"]


def test_ranks_whose_agents_have_come_apart_stop(made: Made) -> None:
    told = "rank 1 has come to other agents than rank 0 by step 5 (train.ranks)"
    assert [line.startswith(told) for line in made.told("drift")] == [True, True], made.told("drift")


def test_a_wrong_config_is_told_once(made: Made) -> None:
    assert made.two.codes == [2, 2]
    assert len(made.two.lines[0]) == 1 and "train.lr" in made.two.lines[0][0]
    assert made.two.lines[1] == []
    assert not (made.many / "wrong").exists()


def test_the_others_name_a_rank_that_dies_and_the_run_goes_on(made: Made) -> None:
    word = "rank 1 died without a word: the run goes on from its last checkpoint with --resume"
    assert made.three.codes == [2, -signal.SIGKILL, 2]
    assert made.three.lines[0][-1] == word
    assert made.three.lines[2] == [f"rank 2: {word}"]
    config = Config.model_validate(made.configs["games"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runs.start.write_report", lambda *_: Path())
        launch(config, made.many / "dead", resume=True, progress=False, device="cpu")
    assert apart(left(made.one / "games"), left(made.many / "dead")) == []
