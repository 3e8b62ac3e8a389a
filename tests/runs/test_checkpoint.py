"""What is saved comes back exactly; what is damaged, foreign or wicked is refused in a line."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raster import InputError
from runs import checkpoint
from runs.config import Config
from runs.folder import write_atomic
from runs.run import Run, assemble
from runs.train import Learner

Make = Callable[..., Config]


@pytest.fixture(scope="module")
def saved(small: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Agents after two steps, saved after each."""
    run = assemble(small(), tmp_path_factory.mktemp("saved"), torch.device("cpu"))
    learner = Learner(run)
    for _ in range(2):
        learner.step()
        learner.save()
    return run


@pytest.fixture
def folder(saved: Run, tmp_path: Path) -> Path:
    """A copy of its checkpoints, to be spoiled."""
    for path in saved.folder.checkpoints.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def line_of(caught: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_saved_comes_back_exactly(saved: Run, folder: Path) -> None:
    found = checkpoint.load(folder)
    assert found is not None
    weights, state = found
    own = checkpoint.weights_of(saved.community)
    assert state["step"] == 2 and own.keys() == weights.keys()
    assert all(torch.equal(value, weights[key]) for key, value in own.items())


def test_only_the_newest_checkpoints_are_kept(saved: Run, tmp_path: Path) -> None:
    for step in range(5):
        checkpoint.save(tmp_path, saved.community, step, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "last.safetensors",
        "last.state",
        "step-00000003.safetensors",
        "step-00000003.state",
        "step-00000004.safetensors",
        "step-00000004.state",
    ]


@pytest.mark.parametrize("name", ["last.safetensors", "last.state"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_cut_off_file_is_named(folder: Path, name: str, keep: float) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InputError) as caught:
        checkpoint.load(folder)
    line = line_of(caught)
    assert "damaged checkpoint" in line and str(folder / name) in line and "delete it" in line
    (folder / name).unlink()  # as the line says: the copy beside it is whole
    found = checkpoint.load(folder)
    assert found is not None and found[1]["step"] == 2


@given(garbage=st.binary(max_size=60), start=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02}"]))
def test_garbage_is_refused(tmp_path_factory: pytest.TempPathFactory, garbage: bytes, start: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "garbage"
    folder.mkdir(exist_ok=True)
    for name, load in (("last.safetensors", checkpoint.load_weights), ("last.state", checkpoint._load_state)):
        (folder / name).write_bytes(start + garbage)
        with pytest.raises(InputError, match="damaged checkpoint") as caught:
            load(folder / name)  # type: ignore[operator]
        line_of(caught)


class _Wicked:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_checkpoint_runs_no_code(folder: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.chdir(folder)
    state = {"step": 2, "optimisers": _Wicked()}
    with (folder / "last.state").open("wb") as file:
        pickle.dump(state, file) if how == "pickle" else torch.save(state, file)
    with pytest.raises(InputError, match="damaged checkpoint") as caught:
        checkpoint.load(folder)
    line_of(caught)
    assert not (folder / "ran").exists()


def test_a_state_of_something_else_is_refused(folder: Path) -> None:
    torch.save([1, 2], folder / "last.state")
    with pytest.raises(InputError, match="not the state of a run"):
        checkpoint.load(folder)


def test_a_crash_between_the_two_files_falls_back(folder: Path, saved: Run) -> None:
    # The weights of step 3 stand beside the state of step 2.
    newer = checkpoint.weights_of(saved.community)
    write_atomic(folder / "last.safetensors", lambda path: checkpoint.save_file(newer, path, {"step": "3"}))
    found = checkpoint.load(folder)
    assert found is not None and found[1]["step"] == 2
    write_atomic(folder / "step-00000002.safetensors", lambda path: checkpoint.save_file(newer, path, {"step": "3"}))
    found = checkpoint.load(folder)
    assert found is not None and found[1]["step"] == 1


def test_no_checkpoint_is_none_or_said(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None
    with pytest.raises(InputError, match="no checkpoint"):
        checkpoint.load_weights(tmp_path / "last.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sender": {"strokes": {"count": 5}}},
            r"senders\.0\.head\.weight should be \(20, 16\), found shape \(16, 16\)",
        ),
        ({"sender": {"pixels": True}}, r"senders\.0\.glance\.\S+ should be .* found nothing"),
        ({"community": {"senders": 2}}, r"senders\.1\.\S+ should be .* found nothing"),
    ],
)
def test_a_checkpoint_of_another_config_is_refused_and_nothing_is_loaded(
    small: Make, folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    other = assemble(small(**changes), tmp_path / "other", torch.device("cpu"))
    weights, _ = checkpoint.load_weights(folder / "last.safetensors")
    with pytest.raises(InputError, match=message) as caught:
        checkpoint.put(other.community, weights, folder / "last.safetensors")
    assert "the checkpoint is of another config" in line_of(caught)


def test_weights_that_nobody_asked_for_are_another_config_too(saved: Run, folder: Path) -> None:
    weights, _ = checkpoint.load_weights(folder / "last.safetensors")
    with pytest.raises(InputError, match=re.escape("it also holds senders.9.x")):
        checkpoint.put(saved.community, {**weights, "senders.9.x": torch.zeros(1)}, folder)
