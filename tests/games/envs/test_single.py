"""One game for one: gymnasium's checker, what is seen, what is paid, when it ends, and what is refused."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from games.envs import IDS, DrawingEnv, register
from games.pictures import Gallery
from raster import InputError

SMALL: dict[str, Any] = {"game": {"candidates": 3}, "canvas": {"size": 10}, "hand": {"count": 2}}
ROLES = ["sender", "receiver"]


def env_of(gallery: Gallery, game: str = "referential", role: str = "receiver", **keys: Any) -> DrawingEnv:
    rules = {**SMALL, **keys.pop("rules", {})}
    return DrawingEnv(game, role, rules=rules, pictures=gallery, **keys)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", IDS)
def test_gymnasium_s_checker_passes_without_a_warning(name: str, role: str) -> None:
    check_env(gymnasium.make(name, role=role).unwrapped)
    rich = {"hand": {"kind": "cubic", "colour": True, "width": (0.05, 0.2), "presence": "soft"}}
    check_env(gymnasium.make(name, role=role, rules=rich, render_mode="rgb_array").unwrapped)


def test_registering_twice_changes_nothing() -> None:
    before = {name: gymnasium.registry[name] for name in IDS}
    register()
    assert all(gymnasium.registry[name] is spec for name, spec in before.items())
    assert isinstance(gymnasium.make("games.envs:lascaux/Referential-v0").unwrapped, DrawingEnv)


@pytest.mark.parametrize("role", ROLES)
def test_both_roles_of_the_referential_game_move_once(gallery: Gallery, role: str) -> None:
    env = env_of(gallery, role=role)
    assert env.action_space == (
        gymnasium.spaces.Discrete(3) if role == "receiver" else gymnasium.spaces.Box(-1, 1, (2, 4), np.float32)
    )
    seen, info = env.reset(seed=0)
    assert info == {} and seen["turn"] == (role == "receiver")
    assert set(seen) == {"canvas", "turn", "photo" if role == "sender" else "candidates"}
    assert bool(seen["canvas"].any()) == (role == "receiver")  # a sender begins on blank paper
    env.action_space.seed(0)
    seen, reward, ended, cut, info = env.step(env.action_space.sample())
    assert ended and not cut and seen in env.observation_space
    assert info["right"] == (info["target"] == info["choice"]) == (reward == 1)
    with pytest.raises(InputError, match="this game is over"):
        env.step(env.action_space.sample())


@given(seed=st.integers(0, 2**31), waits=st.integers(0, 3), right=st.booleans())
def test_a_receiver_is_paid_for_the_target_and_pays_for_each_look(
    gallery: Gallery, seed: int, waits: int, right: bool
) -> None:
    env = env_of(gallery, "pictionary", rules={"price": 0.125, "turns": 4})
    assert env.action_space == gymnasium.spaces.Discrete(4)
    seen, _ = env.reset(seed=seed)
    paid, inks = 0.0, [seen["canvas"].sum()]
    for turn in range(waits):
        assert seen["turn"] == turn + 1
        seen, reward, ended, cut, info = env.step(3)
        assert (ended, cut, info) == (False, False, {})
        paid += reward
        inks.append(seen["canvas"].sum())
    target = int(env.table.target)
    choice = target if right else (target + 1) % 3
    _, reward, ended, cut, info = env.step(choice)
    assert (ended, cut) == (True, False)
    assert info == {"target": target, "choice": choice, "right": right}
    assert paid + reward == right - 0.125 * (waits + 1)
    assert inks == sorted(inks)  # what was drawn stays


def test_who_waits_at_the_last_turn_is_cut_off(gallery: Gallery) -> None:
    env = env_of(gallery, "pictionary", rules={"turns": 2, "price": 0.25})
    env.reset(seed=0)
    assert env.step(3)[1:4] == (-0.25, False, False)
    _, reward, ended, cut, info = env.step(3)
    assert (reward, ended, cut) == (-0.25, False, True)
    assert info["choice"] == 3 and info["right"] is False


@pytest.mark.parametrize("view", ["same", "class"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_seen_is_what_was_dealt(gallery: Gallery, view: str, split: str) -> None:
    env = env_of(gallery, rules={"game": {"candidates": 3, "view": view}})
    for seed in range(5):
        seen, _ = env.reset(seed=seed, options={"split": split})
        pool, shown = env.table.pool[0], env.table.shown[0]
        assert gallery.splits[split].pool[pool].all() and gallery.splits[split].shown[shown]
        assert np.array_equal(seen["candidates"], gallery.pixels[pool].numpy().astype(np.float32) / 255)
        photo = env.table.seen_in("sender")["photo"]
        assert np.array_equal(photo, gallery.pixels[shown].numpy().astype(np.float32) / 255)
        target = pool[env.table.target[0]]
        assert gallery.label[target] == gallery.label[shown] and (target == shown) == (view == "same")


@pytest.mark.parametrize("compose", ["softor", "over"])
def test_turn_by_turn_draws_what_all_strokes_at_once_would(gallery: Gallery, compose: str) -> None:
    class Patient:
        """A partner that never knows."""

        def draw(self, view: Any, generator: torch.Generator) -> Any:
            raise AssertionError("the sender is not the partner")

        def score(self, canvas: torch.Tensor, *_: Any) -> torch.Tensor:
            return torch.zeros(len(canvas), 3)

    env = env_of(gallery, "pictionary", "sender", partner=Patient(), rules={"canvas": {"size": 10, "compose": compose}})
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(3)]
    for action in actions:
        seen, reward, ended, _, _ = env.step(action)
        assert reward == -0.05 and not ended
    rules = env.table.rules
    whole = rules.canvas.draw(rules.hand.strokes(torch.from_numpy(np.concatenate(actions))[None]))
    assert np.allclose(seen["canvas"], whole.numpy(), atol=1e-5)
    assert env.step(actions[0])[2]  # at the last turn it picks all the same


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("game", IDS.values())
def test_a_seed_says_every_game_that_follows(gallery: Gallery, game: str, role: str) -> None:
    def played(seed: int) -> list[Any]:
        env = env_of(gallery, game, role)
        env.action_space.seed(5)
        found: list[Any] = [env.reset(seed=seed)[0]]
        for _ in range(6):
            seen, reward, ended, cut, info = env.step(env.action_space.sample())
            found += [seen, reward, info]
            if ended or cut:
                found.append(env.reset()[0])
        return found

    state = torch.random.get_rng_state()
    assert repr(played(3)) == repr(played(3)) != repr(played(4))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("role", "action", "line"),
    [
        ("receiver", 3, "no choice 3.*Discrete"),
        ("receiver", -1, "no choice -1"),
        ("receiver", 0.5, "no choice"),
        ("sender", np.zeros((2, 3)), r"strokes of shape \[2, 3\].*expected \[2, 4\]"),
        ("sender", np.full((2, 4), np.nan), "not all numbers"),
    ],
)
def test_a_wrong_action_is_told_in_one_line(gallery: Gallery, role: str, action: Any, line: str) -> None:
    env = env_of(gallery, role=role)
    env.reset(seed=0)
    with pytest.raises(InputError, match=line) as caught:
        env.step(action)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_played_is_refused(gallery: Gallery) -> None:
    with pytest.raises(InputError, match=r"no role 'painter'.*sender or receiver"):
        env_of(gallery, role="painter")
    with pytest.raises(InputError, match="no render mode 'human'"):
        env_of(gallery, render_mode="human")
    with pytest.raises(InputError, match="no split 'exam'"):
        env_of(gallery, split="exam").reset(seed=0)
    with pytest.raises(InputError, match="9 candidates, but only 8 classes"):
        env_of(gallery, rules={"game": {"candidates": 9}}).reset(seed=0)
    with pytest.raises(InputError, match="this game is over"):
        env_of(gallery).step(0)


def test_a_game_is_shown_with_the_target_framed(gallery: Gallery) -> None:
    env = env_of(gallery, render_mode="rgb_array")
    env.reset(seed=0)
    target = int(env.table.target)
    env.step((target + 1) % 3)
    shot = env.render()
    assert shot is not None and shot.dtype == np.uint8 and shot.shape == (16, 5 * 16, 3)  # photo, canvas, 3 candidates
    frames = shot[0, 8::16].tolist()
    assert frames[2 + target] == [32, 160, 64] and frames[2 + (target + 1) % 3] == [208, 48, 48]
    assert np.array_equal(shot[2:14, 2:14], gallery.pixels[int(env.table.shown)].permute(1, 2, 0).numpy())
    assert env_of(gallery).render() is None
