"""Learning: idle agents stay, a killed run goes on exactly, a step needs no real device, photos are not seen twice."""

import itertools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import runs
from perception import TimmTrunk
from runs import checkpoint
from runs.config import Config, TrainConfig
from runs.folder import Folder, lines, read_json
from runs.run import Run, assemble
from runs.start import launch
from runs.steps import lr_at
from runs.train import Learner

Make = Callable[..., Config]


def snapshot(run: Run) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in checkpoint.weights_of(run.community).items()}


def test_idle_agents_do_not_move(small: Make, tmp_path: Path) -> None:
    config = small(community={"senders": 3, "receivers": 2, "meetings": 1}, train={"weight_decay": 0.5})
    run = assemble(config, tmp_path, torch.device("cpu"))
    learner = Learner(run)
    for _ in range(12):
        before = snapshot(run)
        (met,) = learner.step()
        after = snapshot(run)
        moved = {".".join(key.split(".")[:2]) for key in after if not torch.equal(after[key], before[key])}
        assert moved == {f"senders.{met.sender}", f"receivers.{met.receiver}"}


def test_a_shared_convnet_is_one_and_learns(small: Make, tmp_path: Path) -> None:
    shared = {"kind": "convnet", "channels": [8, 8], "shared": True}
    run = assemble(small(sender={"trunk": shared}, receiver={"trunk": shared}), tmp_path, torch.device("cpu"))
    assert len(run.community.shared) == 1
    assert not any("net" in name for name, _ in run.sender.named_parameters())
    before = snapshot(run)
    Learner(run).step()
    after = snapshot(run)
    assert any(not torch.equal(after[key], before[key]) for key in after if key.startswith("shared.0"))


def _same_files(first: Path, second: Path) -> None:
    for name in ("metrics.jsonl", "plays/train.jsonl", "plays/validation.jsonl", "plays/test.jsonl"):
        one, two = list(lines(first / name)), list(lines(second / name))
        for line in (*one, *two):
            line.pop("seconds", None), line.pop("games_per_second", None)
        assert one == two, name
    weights, _ = checkpoint.load_weights(first / "checkpoints/last.safetensors")
    others, _ = checkpoint.load_weights(second / "checkpoints/last.safetensors")
    assert weights.keys() == others.keys()
    assert all(torch.equal(value, others[key]) for key, value in weights.items())


class _Killed(BaseException):
    """What SIGKILL leaves: nothing is saved on the way out."""


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_a_killed_run_goes_on_bit_for_bit(
    small: Make, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = launch(small(), tmp_path / "whole", progress=False, device="cpu")
    step = Learner.step

    def dying(self: Learner) -> object:
        if self.run.step == at:
            raise _Killed
        return step(self)

    monkeypatch.setattr(Learner, "step", dying)
    with pytest.raises(_Killed):
        launch(small(), tmp_path / "killed", progress=False, device="cpu")
    monkeypatch.undo()
    resumed = launch(small(), tmp_path / "killed", resume=True, progress=False, device="cpu")
    assert resumed.step == whole.step == 6
    _same_files(whole.folder.path, resumed.folder.path)
    one, two = read_json(whole.folder.summary), read_json(resumed.folder.summary)
    assert {**one, "minutes": 0} == {**two, "minutes": 0}


def test_ctrl_c_saves_at_once_and_resume_is_exact(small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = launch(small(), tmp_path / "whole", progress=False, device="cpu")
    step = Learner.step

    def interrupted(self: Learner) -> object:
        if self.run.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self)

    monkeypatch.setattr(Learner, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch(small(), tmp_path / "stopped", progress=False, device="cpu")
    monkeypatch.undo()
    assert read_json(tmp_path / "stopped/status.json") == {"state": "interrupted", "step": 4, "steps": 6}
    launch(small(), tmp_path / "stopped", resume=True, progress=False, device="cpu")
    _same_files(whole.folder.path, tmp_path / "stopped")


def test_a_run_works_outside_the_main_thread(small: Make, tmp_path: Path) -> None:
    done: list[Run] = []
    thread = threading.Thread(
        target=lambda: done.append(launch(small(), tmp_path / "run", progress=False, device="cpu"))
    )
    thread.start()
    thread.join()
    assert done[0].step == 6


def test_resuming_a_finished_run_does_nothing(small: Make, tmp_path: Path) -> None:
    launch(small(), tmp_path / "run", progress=False, device="cpu")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    again = launch(small(), tmp_path / "run", resume=True, progress=False, device="cpu")
    assert again.step == 6
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}


def test_a_loaded_run_plays_like_the_one_that_was_trained(small: Make, tmp_path: Path) -> None:
    trained = launch(small(), tmp_path / "run", progress=False, device="cpu")
    loaded = runs.load(tmp_path / "run")
    assert loaded.step == 6
    view = trained.gallery.view(torch.arange(5))
    drawn = [run.pair(0, 0).draw(view, torch.Generator()).points for run in (trained, loaded)]
    assert torch.equal(*drawn)


def test_global_randomness_neither_matters_nor_changes(small: Make, tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = launch(small(), tmp_path / "one", progress=False, device="cpu")
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(2)
    launch(small(), tmp_path / "two", progress=False, device="cpu")
    _same_files(first.folder.path, tmp_path / "two")


def test_seeds_differ(small: Make, tmp_path: Path) -> None:
    one, two = (assemble(small(seed=seed), tmp_path, torch.device("cpu")) for seed in (0, 1))
    assert not torch.equal(one.sender.head.weight, two.sender.head.weight)


def test_a_whole_training_step_runs_on_the_meta_device(small: Make, tmp_path: Path) -> None:
    packaged = TimmTrunk(weights="random")
    config = small(
        sender={"trunk": packaged.model_dump(), "levels": [2]},
        receiver={
            "trunk": packaged.model_dump(),
            "levels": [2],
            "reader": {"kind": "trunk", "trunk": packaged.model_dump()},
        },
        pictures={"size": 32},
        canvas={"size": 32},
        biases=[{"kind": "likeness", "trunk": packaged.model_dump()}, {"kind": "ink"}],
    )
    run = assemble(config, tmp_path, torch.device("meta"))
    learner = Learner(run)
    (record,) = learner.step()
    assert run.step == 1
    assert record.play.canvas.is_meta and record.play.loss.is_meta
    assert all(p.is_meta and p.grad is not None for p in run.sender.parameters() if p.requires_grad)


def test_no_photo_passes_a_frozen_trunk_in_a_step(small: Make, tmp_path: Path) -> None:
    trunk = TimmTrunk(weights="random").model_dump()
    config = small(
        sender={"trunk": trunk, "levels": [2]},
        receiver={"trunk": trunk, "levels": [2]},
        pictures={"size": 32},
        canvas={"size": 32},
        biases=[{"kind": "likeness", "trunk": trunk, "share": 0.5}],
    )
    run = assemble(config, tmp_path, torch.device("cpu"))
    learner = Learner(run)
    photos = run.trunks.passes
    assert photos >= len(run.gallery)
    for _ in range(3):
        learner.step()
    sketches = 3 * 5  # half of ten games a step
    assert run.trunks.passes == photos + sketches


def test_receiver_and_likeness_share_one_pass_over_the_sketches(small: Make, tmp_path: Path) -> None:
    trunk = TimmTrunk(weights="random").model_dump()
    config = small(
        receiver={"trunk": trunk, "levels": [3], "reader": {"kind": "trunk", "trunk": trunk, "level": 3}},
        pictures={"size": 32},
        canvas={"size": 32},
        biases=[{"kind": "likeness", "trunk": trunk, "levels": [0, 1, 2]}],
    )
    run = assemble(config, tmp_path, torch.device("cpu"))
    learner = Learner(run)
    before = run.trunks.passes
    learner.step()
    assert run.trunks.passes == before + 10  # ten games


def test_float64_runs(small: Make, tmp_path: Path) -> None:
    run = assemble(small(train={"dtype": "float64"}), tmp_path, torch.device("cpu"))
    (record,) = Learner(run).step()
    assert record.play.canvas.dtype == record.play.loss.dtype == torch.float64


def test_learning_rate_rises_stays_and_falls() -> None:
    train = TrainConfig(steps=100, warmup=10, flat=0.3, lr=1.0, floor=0.1)
    rates = [lr_at(train, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[29] == 1.0
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[29:]))
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_learning_learns(small: Make, tmp_path: Path) -> None:
    config = small(train={"steps": 120, "games": 20, "lr": 5e-3, "validate_every": 1000, "log_every": 20})
    launch(config, tmp_path / "run", progress=False, device="cpu")
    rates = [line["rate"] for line in lines(Folder(tmp_path / "run").metrics) if line["split"] == "train"]
    assert rates[-1] > rates[0] + 0.1  # chance is 0.2; these agents are tiny
