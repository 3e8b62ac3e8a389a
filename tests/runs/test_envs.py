"""A run's agents as partners: what they play in an environment is what they play in the run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import runs
from games.envs import DrawingEnv, DrawingVectorEnv
from raster import InputError
from runs.config import Config
from runs.run import Run, assemble

Make = Callable[..., Config]


@pytest.mark.filterwarnings("ignore:.*alternative render modes.*")  # an environment of a run is in no registry
@pytest.mark.parametrize("turns", [1, 3])
@pytest.mark.parametrize("role", ["sender", "receiver"])
def test_a_run_s_environment_passes_gymnasium_s_checker(finished: Run, role: Any, turns: int) -> None:
    env = runs.env_from(finished, role, turns=turns)
    assert isinstance(env, DrawingEnv)
    check_env(env)


def test_a_receiver_is_shown_what_the_run_s_sender_draws(finished: Run) -> None:
    env = runs.env_from(finished, "receiver", envs=6)
    assert isinstance(env, DrawingVectorEnv)
    seen, _ = env.reset(seed=0)
    with torch.no_grad():
        strokes = finished.pair(0, 0).draw(finished.gallery.view(env.table.shown), torch.Generator())
        ink = finished.config.canvas.draw(strokes, finished.step)
    assert np.allclose(seen["canvas"][:, 0], ink.numpy(), atol=1e-5)
    assert finished.gallery.splits["test"].pool[env.table.pool].all()
    assert seen["candidates"].shape == (6, 5, 3, 16, 16)


def test_over_turns_the_last_canvas_is_the_whole_drawing(finished: Run) -> None:
    whole, _ = runs.env_from(finished, "receiver").reset(seed=4)
    env = runs.env_from(finished, "receiver", turns=3, price=0.1)  # 4 strokes: 2, 2, and none left
    seen, _ = env.reset(seed=4)
    inks = [seen["canvas"].sum()]
    for _ in range(2):
        seen, reward, *_ = env.step(5)
        assert reward == -0.1
        inks.append(seen["canvas"].sum())
    assert np.allclose(seen["canvas"], whole["canvas"], atol=1e-5)
    assert inks[0] < inks[1] == inks[2]


def test_a_sender_meets_the_run_s_receiver(finished: Run) -> None:
    env = runs.env_from(finished, "sender", envs=20)
    env.reset(seed=0)
    table, pair = env.table, finished.pair(0, 0)
    with torch.no_grad():
        strokes = pair.draw(finished.gallery.view(table.shown), torch.Generator())
        ink = finished.config.canvas.draw(strokes, finished.step)
        pool = finished.gallery.view(table.pool.flatten())
        chosen = pair.score(ink, pool, 20, torch.arange(20), torch.Generator()).argmax(dim=1)
    right = (chosen == table.target).numpy()
    _, reward, ended, _, infos = env.step(strokes.points.flatten(2).numpy())
    assert ended.all() and np.array_equal(reward == 1, right)
    assert np.array_equal(infos["final_info"]["choice"], chosen.numpy())


def test_in_double_precision_and_in_colour_too(small: Make, tmp_path: Any) -> None:
    rich = {"count": 3, "colour": True, "width": {"low": 0.05, "high": 0.3}, "presence": "hard"}
    config = small(
        train={"dtype": "float64"}, sender={"strokes": rich}, canvas={"sigma2": {"from": 1e-2, "to": 1e-3, "over": 4}}
    )
    run = assemble(config, tmp_path, torch.device("cpu"))
    for role in ("sender", "receiver"):
        env = runs.env_from(run, role, envs=2)
        seen, _ = env.reset(seed=0)
        assert seen["canvas"].shape == (2, 3, 16, 16) and seen["canvas"].dtype == np.float32
        assert env.step(env.action_space.sample())[2].all()
    assert runs.env_from(run, "sender").table.rules.canvas.sigma2.at(0) == 1e-2
    run.step = 9
    assert runs.env_from(run, "sender").table.rules.canvas.sigma2.at(0) == 1e-3


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"role": "judge"}, "no role 'judge'"),
        ({"part": 2}, "no part 2 of the game.*it has 2"),
        ({"partner": 1}, "no agent 1 to play with.*there are 1"),
        ({"turns": 0}, "turns: Input should be greater than or equal to 1"),
    ],
)
def test_what_a_run_has_not_is_refused(finished: Run, keys: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        runs.env_from(finished, **{"role": "receiver", **keys})
    assert "\n" not in str(caught.value)
