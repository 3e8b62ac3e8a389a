"""Many games side by side are the same games one by one, and no step is wasted between them."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from games.envs import IDS, DrawingEnv, DrawingVectorEnv
from games.pictures import Gallery
from raster import InputError

SMALL: dict[str, Any] = {"game": {"candidates": 3}, "canvas": {"size": 10}, "hand": {"count": 2}}


def close(one: Any, other: Any) -> bool:
    """Equal, but for the last digits of ink: the rasteriser may add a batch up in another order."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(close(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray) and one.dtype == object:
        return len(one) == len(other) and all(close(*each) for each in zip(one, other, strict=True))
    if isinstance(one, np.ndarray) and one.dtype.kind == "f":
        return np.shape(one) == np.shape(other) and np.allclose(one, other, atol=1e-5)
    return data_equivalence(one, other) or bool(np.array_equal(one, other))


@pytest.mark.parametrize("role", ["sender", "receiver"])
@pytest.mark.parametrize("game", IDS.values())
def test_side_by_side_is_one_by_one(gallery: Gallery, game: str, role: str) -> None:
    keys: dict[str, Any] = {"game": game, "role": role, "rules": SMALL, "pictures": gallery}
    ours = DrawingVectorEnv(5, **keys)
    slow = SyncVectorEnv([lambda: DrawingEnv(**keys)] * 5, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.observation_space == slow.observation_space and ours.action_space == slow.action_space
    ours.action_space.seed(1)
    (seen, info), (expected, other) = ours.reset(seed=7), slow.reset(seed=7)
    assert close(seen, expected) and info == other == {}
    ends = 0
    for _ in range(12):
        actions = ours.action_space.sample()
        found, wanted = ours.step(actions), slow.step(actions)
        assert found[0] in ours.observation_space
        for one, two in zip(found, wanted, strict=True):
            assert close(one, two), (one, two)
        ends += int((found[2] | found[3]).sum())
    assert ends >= 12


def test_gymnasium_makes_them_by_their_names() -> None:
    for name in IDS:
        envs = gymnasium.make_vec(name, num_envs=4, vectorization_mode="vector_entry_point", role="sender")
        assert isinstance(envs, DrawingVectorEnv) and envs.num_envs == 4
        assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        seen, _ = envs.reset(seed=0)
        assert seen["photo"].shape == (4, 3, 32, 32)


def test_a_game_of_one_move_ends_at_every_step(gallery: Gallery) -> None:
    envs = DrawingVectorEnv(6, rules=SMALL, pictures=gallery)
    envs.reset(seed=0)
    for _ in range(4):
        targets = envs.table.target.numpy().copy()
        _, reward, ended, cut, infos = envs.step(targets)
        assert ended.all() and not cut.any() and (reward == 1).all()
        assert infos["_final_info"].all() and infos["final_info"]["right"].all()
        assert np.array_equal(infos["final_info"]["target"], targets)


def test_only_those_that_are_asked_for_begin_anew(gallery: Gallery) -> None:
    envs = DrawingVectorEnv(3, "pictionary", rules=SMALL, pictures=gallery)
    envs.reset(seed=0)
    envs.step(np.array([3, 3, 3]))
    before = envs.table.seen("receiver")
    seen, _ = envs.reset(seed=[9, 8, 9], options={"reset_mask": np.array([True, False, True])})
    assert seen["turn"].tolist() == [1, 2, 1]
    assert np.array_equal(seen["candidates"][1], before["candidates"][1])
    assert np.array_equal(seen["candidates"][0], seen["candidates"][2])  # of one seed


def test_a_split_holds_until_the_next_reset(gallery: Gallery) -> None:
    envs = DrawingVectorEnv(4, rules=SMALL, pictures=gallery)
    test = gallery.splits["test"].pool
    envs.reset(seed=0, options={"split": "test"})
    for _ in range(3):
        assert test[envs.table.pool].all()
        envs.step(np.zeros(4, dtype=np.int64))
    envs.reset()
    assert not test[envs.table.pool].any()


def test_what_cannot_be_played_is_refused(gallery: Gallery) -> None:
    envs = DrawingVectorEnv(2, rules=SMALL, pictures=gallery)
    with pytest.raises(InputError, match="no game has begun"):
        envs.step(np.zeros(2, dtype=np.int64))
    with pytest.raises(InputError, match="3 seeds for 2 games"):
        envs.reset(seed=[1, 2, 3])
    with pytest.raises(InputError, match="reset_mask"):
        envs.reset(seed=0, options={"reset_mask": np.array([False, False])})
    envs.reset(seed=0)
    with pytest.raises(InputError, match="no choices"):
        envs.step(np.array([0, 3]))
    with pytest.raises(InputError, match=r"0 games.*at least 1"):
        DrawingVectorEnv(0, pictures=gallery)


def test_each_game_is_shown(gallery: Gallery) -> None:
    envs = DrawingVectorEnv(2, rules=SMALL, pictures=gallery, render_mode="rgb_array")
    envs.reset(seed=0)
    shots = envs.render()
    assert shots is not None and [shot.shape for shot in shots] == [(16, 80, 3)] * 2
    assert not np.array_equal(*shots)
