"""The game for two: PettingZoo's checkers, ticks, and one line where PettingZoo is not."""

import sys
from typing import Any

import numpy as np
import pytest

import games.envs
from games.pictures import Gallery
from raster import InputError

SMALL: dict[str, Any] = {"game": {"candidates": 3}, "canvas": {"size": 10}, "hand": {"count": 2}}


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(InputError) as caught:
        games.envs.parallel_env()
    assert str(caught.value) == (
        "an environment for two needs the package pettingzoo: "
        "pip install 'lascaux[rl]', or take gymnasium.make('lascaux/Referential-v0')"
    )


@pytest.fixture
def pettingzoo() -> Any:
    return pytest.importorskip("pettingzoo.test", reason="the extra rl is not installed")


@pytest.mark.parametrize("game", ["referential", "pictionary"])
def test_pettingzoo_s_checkers_pass_without_a_warning(pettingzoo: Any, game: str) -> None:
    pettingzoo.parallel_api_test(games.envs.parallel_env(game=game), num_cycles=100)
    pettingzoo.parallel_seed_test(lambda: games.envs.parallel_env(game=game))


def test_first_one_draws_then_the_other_picks(pettingzoo: Any, gallery: Gallery) -> None:
    env = games.envs.parallel_env(rules=SMALL, pictures=gallery, render_mode="rgb_array")
    seen, infos = env.reset(seed=0)
    assert env.agents == ["sender", "receiver"] and infos == {"sender": {}, "receiver": {}}
    assert not seen["receiver"]["canvas"].any() and seen["receiver"]["turn"] == 0
    target = int(env.table.target)
    env.action_space("sender").seed(0)
    strokes = env.action_space("sender").sample()
    wrong = (target + 1) % 3
    # At the first tick the receiver has seen nothing: even the right pick is no pick.
    seen, reward, ended, cut, _ = env.step({"sender": strokes, "receiver": target})
    assert reward == {"sender": 0.0, "receiver": 0.0} and not any(ended.values()) and not any(cut.values())
    for role in ("sender", "receiver"):
        assert seen[role]["turn"] == 1 and np.array_equal(seen[role]["canvas"], seen["sender"]["canvas"])
        assert seen[role] in env.observation_space(role)
    drawn = seen["sender"]["canvas"]
    assert drawn.any()
    seen, reward, ended, _, infos = env.step({"sender": -strokes, "receiver": wrong})
    assert reward == {"sender": 0.0, "receiver": 0.0} and all(ended.values()) and env.agents == []
    assert np.array_equal(seen["sender"]["canvas"], drawn)  # strokes of the tick of the pick come too late
    assert infos["sender"] == infos["receiver"] == {"target": target, "choice": wrong, "right": False}
    assert env.render().shape == (16, 80, 3)
    assert env.step({}) == ({}, {}, {}, {}, {})


def test_the_return_is_that_of_the_game_for_one(pettingzoo: Any, gallery: Gallery) -> None:
    rules = {**SMALL, "price": 0.125, "turns": 3}
    env = games.envs.parallel_env(game="pictionary", rules=rules, pictures=gallery)
    for looks in (1, 2, 3):
        env.reset(seed=looks)
        strokes, paid = env.action_space("sender").sample(), 0.0
        for tick in range(looks + 1):
            choice = int(env.table.target) if tick == looks else 3
            _, reward, ended, cut, _ = env.step({"sender": strokes, "receiver": choice})
            paid += reward["receiver"]
        assert all(ended.values()) and not any(cut.values())
        assert paid == 1 - 0.125 * looks
    env.reset(seed=0)
    for tick in range(4):
        _, reward, ended, cut, _ = env.step({"sender": strokes, "receiver": 3})
        assert not any(ended.values()) and all(cut.values()) == (tick == 3)


def test_a_seed_says_the_game_and_a_split_is_heeded(pettingzoo: Any, gallery: Gallery) -> None:
    env = games.envs.parallel_env(rules=SMALL, pictures=gallery)
    first, again, other = (env.reset(seed=seed)[0]["receiver"]["candidates"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    env.reset(seed=0, options={"split": "test"})
    assert gallery.splits["test"].pool[env.table.pool].all()


def test_both_must_act(pettingzoo: Any, gallery: Gallery) -> None:
    env = games.envs.parallel_env(rules=SMALL, pictures=gallery)
    env.reset(seed=0)
    with pytest.raises(InputError, match=r"no action of the receiver \(step\): both act in each tick"):
        env.step({"sender": env.action_space("sender").sample()})


def test_it_can_be_played_in_turns_of_one(pettingzoo: Any, gallery: Gallery) -> None:
    conversions = pytest.importorskip("pettingzoo.utils.conversions")
    env = conversions.parallel_to_aec(games.envs.parallel_env(rules=SMALL, pictures=gallery))
    env.reset(seed=0)
    moves = 0
    for agent in env.agent_iter():
        _, _, ended, cut, _ = env.last()
        env.step(None if ended or cut else env.action_space(agent).sample())
        moves += not (ended or cut)
    assert moves == 4  # two ticks of two
