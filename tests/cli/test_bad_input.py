"""What a person gets wrong is told in one line that says what, where and what to do; earlier results stay whole."""

import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from games.pictures.images import read_picture
from raster import InputError
from runs.cli import app

SMALL = ["--set", "train.steps=2", "--set", "train.games=10", "--set", "measure={validation_pools: 2, test_pools: 2}"]


def lascaux(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.stderr.strip()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad") / "base"
    code, said = lascaux("run", "tiny", *SMALL, "--out", folder)
    assert code == 0, said
    return folder


@pytest.fixture
def unfinished(base: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(base, folder)
    status = folder / "status.json"
    status.write_text(status.read_text().replace("finished", "interrupted"))
    return folder


def refused(*words: str | Path) -> str:
    code, said = lascaux(*words)
    assert code == 2, said
    assert "\n" not in said
    assert "Traceback" not in said
    return said


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_state_that_would_run_code_is_refused_and_not_run(unfinished: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    state = unfinished / "checkpoints" / "last.state"
    state.write_bytes(pickle.dumps(Bomb(mark)))
    before = files(unfinished)
    said = refused("run", "tiny", *SMALL, "--out", unfinished, "--resume")
    assert "damaged checkpoint" in said
    assert "weights_only" not in said
    assert not mark.exists()
    assert files(unfinished) == before


@pytest.mark.parametrize("name", ["last.state", "last.safetensors"])
def test_a_cut_off_checkpoint_is_named(unfinished: Path, name: str) -> None:
    path = unfinished / "checkpoints" / name
    path.write_bytes(path.read_bytes()[:1000])
    said = refused("run", "tiny", *SMALL, "--out", unfinished, "--resume")
    assert str(path) in said
    assert "delete it" in said


@pytest.mark.parametrize("rest", [{}, {"optimisers": {}, "generators": {}, "window": {}, "seconds": 0.0}])
def test_a_state_without_its_parts_is_no_defect_of_lascaux(unfinished: Path, rest: dict[str, object]) -> None:
    torch.save({"step": 2, **rest}, unfinished / "checkpoints" / "last.state")
    before = files(unfinished)
    assert "last.state" in refused("run", "tiny", *SMALL, "--out", unfinished, "--resume")
    assert files(unfinished) == before


def test_a_state_with_moments_of_other_shapes_is_refused(unfinished: Path) -> None:
    path = unfinished / "checkpoints" / "last.state"
    state = torch.load(path, weights_only=True)
    next(iter(state["optimisers"]["senders.0"]["state"].values()))["exp_avg"] = torch.zeros(3, 5)
    torch.save(state, path)
    assert "another config" in refused("run", "tiny", *SMALL, "--out", unfinished, "--resume")


def test_a_damaged_list_of_pictures_is_named_by_report(unfinished: Path) -> None:
    (unfinished / "pictures.json").write_text("{}")
    assert "pictures.json" in refused("report", unfinished)


def test_a_folder_given_as_config_says_where_the_config_is(base: Path) -> None:
    assert str(base / "config.yaml") in refused("run", base)


def test_a_folder_below_a_file_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in refused("run", "tiny", "--out", tmp_path / "file" / "below")


def test_a_numbered_cpu_is_no_device(tmp_path: Path) -> None:
    assert "no device 'cpu:7'" in refused("run", "tiny", *SMALL, "--out", tmp_path / "run", "--device", "cpu:7")


def test_a_pipe_among_the_pictures_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="not a file"):
        read_picture(tmp_path / "pipe.png", 32)


def test_probing_without_probes_says_so(unfinished: Path) -> None:
    config = unfinished / "config.yaml"
    text = config.read_text()
    assert "probes: [rate]" in text or "probes:\n" in text
    config.write_text(text[: text.index("probes:")] + "probes: []\n")
    assert "--names" in refused("probe", unfinished)


def test_the_probe_table_names_its_games_on_a_narrow_terminal(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["probe", str(base), "--names", "rate"])
    assert done.exit_code == 0
    assert "same" in done.stdout
    assert "class" in done.stdout
