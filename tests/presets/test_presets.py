"""Every preset that ships is a whole experiment: it loads, is written back, and takes a step when made small."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from games.pictures import emoji
from runs.config import Config
from runs.loading import dump, load, preset_names
from runs.run import assemble
from runs.start import choose_device
from runs.train import Learner

SMALL = [
    "train.steps=1",
    "train.games=8",
    "train.threads=null",
    "pictures.size=32",
    "pictures.views=1",
    "canvas.size=32",
    "sender.strokes.count=3",
    "community.senders=1",
    "community.receivers=1",
    "community.events=[]",  # there is one step, and they would come after it
]
# Presets of single pictures (`lascaux draw`) are tried in tests/cli/test_draw.py, sets and scenes in files beside this.
RUNS = [name for name in preset_names() if name.split("/")[0] not in {"draw", "sets", "scenes"}]
TURNS = ["game.turns=3", "game.strokes=1"]  # as many turns as strokes are left


def test_tiny_ships() -> None:
    assert "tiny" in preset_names()


@pytest.mark.parametrize("name", RUNS)
def test_a_preset_loads_and_is_written_back(name: str, tmp_path: Path) -> None:
    config = load(Config, name).config
    assert config.name == name.replace("/", "-")  # the folder that it runs in
    (tmp_path / "again.yaml").write_text(dump(config))
    assert load(Config, tmp_path / "again.yaml").config == config
    otherwise = getattr(config.pictures, "otherwise", None)
    assert otherwise is None or otherwise in preset_names()


@pytest.fixture(scope="module", autouse=True)
def _emoji_are_read_once() -> Iterator[None]:
    """Eight presets show the same 17,000 pictures: seconds to unpack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emoji, "read_arrays", cache(emoji.read_arrays))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_preset_made_small_takes_a_step(name: str, tmp_path: Path) -> None:
    turns = TURNS if load(Config, name).config.game.kind == "pictionary" else []
    config = load(Config, name, [*SMALL, *turns]).config
    if config.pictures.kind == "emoji":
        config = load(
            Config, name, [*SMALL, *turns, "pictures.size=64", "canvas.size=64"]
        ).config  # as they lie ready-made
        if not os.environ.get("LASCAUX_DATA"):
            pytest.skip("LASCAUX_DATA names no folder of ready-made pictures")
    elif config.pictures.kind != "digits":
        pytest.skip(f"the pictures of {name} are not at hand: {config.pictures.kind}")
    # Thousands of emoji through a frozen trunk would take half a minute: there the shapes must do.
    device = choose_device("cpu") if config.pictures.kind == "digits" else torch.device("meta")
    run = assemble(config, tmp_path, device)
    before = [each.detach().clone() for each in run.sender.parameters()]
    (record,) = Learner(run).step()
    assert run.step == 1
    assert record.play.canvas.shape == (8, config.canvas.size, config.canvas.size)
    if not record.play.canvas.is_meta:
        assert record.play.loss.isfinite().all()
        assert any(not torch.equal(a, b) for a, b in zip(run.sender.parameters(), before, strict=True))
