"""A run that predicts sets: what it writes, how it goes on, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from perception.sets import DSPN
from perception.sets.dspn import InnerLoop
from raster import InputError
from runs.folder import lines, read_json
from runs.sets import SetsConfig, SetsRun, launch, load, write_report
from runs.sets.data import load_data
from runs.sets.learner import SetLearner
from runs.sets.model import SetPredictor

Small = Callable[..., SetsConfig]
CPU = torch.device("cpu")


def ran(config: SetsConfig, out: Path, **how: Any) -> SetsRun:
    return launch(config, out, device="cpu", progress=False, **how)


def test_a_run_writes_what_a_folder_holds(small: Small, tmp_path: Path) -> None:
    run = ran(small(), tmp_path / "out")
    wanted = {"config.yaml", "env.json", "status.json", "metrics.jsonl", "summary.json", "pictures.json", "report.html"}
    names = {each.name for each in (tmp_path / "out").iterdir()}
    events = {name for name in names if name.startswith("events.out.tfevents.")}
    assert events
    assert names - events == wanted | {"checkpoints"}
    assert read_json(run.folder.status) == {"state": "finished", "step": 6, "steps": 6}
    told = list(lines(run.folder.metrics))
    assert [(each["step"], each["split"]) for each in told] == [
        (2, "train"),
        (3, "validation"),
        (4, "train"),
        (6, "train"),
        (6, "validation"),
    ]
    summary = read_json(run.folder.summary)
    assert summary["n"] == 20
    assert summary["headline"]["name"] == "worst"
    assert set(summary["inner"]) == {"2", "3", "5"}
    for steps, row in summary["inner"].items():
        assert len(row["moved"]) == len(row["gap"]) == int(steps)
    assert set(summary["controls"]) == {"mean set", "shuffled", "untrained"}
    loss = summary["inner"]["3"]["measures"]["loss"]
    assert loss["low"] <= loss["value"] <= loss["high"]


def test_tensorboard_has_the_curves_of_a_run_the_config_and_what_it_is_judged_by(small: Small, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = ran(small(), tmp_path / "out")
    events = EventAccumulator(str(run.folder.path), size_guidance={"scalars": 0})
    events.Reload()
    told = [line["loss"] for line in lines(run.folder.metrics) if line["split"] == "train"]
    assert [each.step for each in events.Scalars("train/loss")] == [2, 4, 6]
    assert [each.value for each in events.Scalars("train/loss")] == pytest.approx(told)
    assert [each.step for each in events.Scalars("validation/held-out worst")] == [3, 6]
    assert "config/text_summary" in events.Tags()["tensors"]
    judged = read_json(run.folder.summary)["headline"]["value"]
    assert [each.value for each in events.Scalars("test/worst")] == pytest.approx([judged])


def test_an_opened_run_predicts_what_the_run_predicted(small: Small, tmp_path: Path) -> None:
    run = ran(small(), tmp_path / "out")
    again = load(tmp_path / "out")
    given = again.data.held("test", 4).given
    assert torch.equal(
        again.model.decode(again.model.encode(given)).sets, run.model.decode(run.model.encode(given)).sets
    )
    page = run.folder.report.read_text()
    write_report(tmp_path / "out")
    assert run.folder.report.read_text() == page  # written again, it is the same


class _Killed(BaseException):
    """What SIGKILL leaves."""


CASES: dict[str, dict[str, Any]] = {
    "dspn": {},
    "random starts": {
        "task": {"kind": "multisets", "slots": 4, "numbers": 2, "copies": 2},
        "encoder": {"kind": "own"},
        "decoder": {"kind": "idspn", "encoder": {"kind": "fspool", "hidden": [8]}, "steps": 3},
        "train": {"late_steps": 4},
    },
    "a vector that is standardised": {"norm": "batch"},
    "batch norm": {"encoder": {"kind": "resnet", "name": "resnet18", "head": "grid"}},
}


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=[pytest.mark.slow] if name == "batch norm" else []) for name in CASES]
)
def test_killed_and_resumed_it_is_the_same_bit_for_bit(
    case: str, small: Small, pictures: Small, tmp_path: Path
) -> None:
    config = pictures(**CASES[case]) if case == "batch norm" else small(**CASES[case])
    whole = ran(config, tmp_path / "whole")
    advance = SetLearner.advance

    def dying(self: SetLearner) -> None:
        if self.step == 5:
            raise _Killed
        advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SetLearner, "advance", dying)
        with pytest.raises(_Killed):
            ran(config, tmp_path / "killed")
    assert read_json(tmp_path / "killed" / "status.json")["state"] == "interrupted"
    resumed = ran(config, tmp_path / "killed", resume=True)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name

    def figures(folder: Path) -> list[Any]:
        told = [{k: v for k, v in each.items() if k != "seconds"} for each in lines(folder / "metrics.jsonl")]
        summary = read_json(folder / "summary.json")
        summary.pop("seconds")
        return [told, summary]

    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")


def test_the_steps_are_adams_on_the_loss_and_a_tenth_of_the_representation(small: Small) -> None:
    """Against a loop that is written out."""
    config = small(train={"flat": 1.0})
    data = load_data(config.task, config.encoder, config.seed, CPU)
    model, other = (SetPredictor(config, (2,)) for _ in range(2))
    learner = SetLearner(config, model, data)
    for _ in range(3):
        learner.advance()
    optimiser = torch.optim.AdamW(other.parameters(), 1e-3, weight_decay=0.0)
    dealing, decoder = torch.Generator().manual_seed(config.seed), other.decoder
    assert isinstance(decoder, DSPN)
    assert other.eye is not None
    for _ in range(3):
        pairs = data.train(4, dealing)
        z = other.eye(pairs.given)
        total = torch.zeros(())
        for step in decoder(z).trace:  # every step has the loss, the start too
            for said, true in zip(step, pairs.wanted, strict=True):
                costs = torch.nn.functional.smooth_l1_loss(
                    said[:, None].expand(-1, 3, -1), true[None].expand(3, -1, -1), reduction="none"
                ).mean(-1)
                orders = [torch.tensor(o) for o in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]]
                total = total + min(costs[torch.arange(3), order].mean() for order in orders) / (4 * 4)
        gap = torch.nn.functional.smooth_l1_loss(decoder.encoder(pairs.wanted), z)
        optimiser.zero_grad()
        (total + 0.1 * gap).backward()
        optimiser.step()
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_it_learns(small: Small, tmp_path: Path) -> None:
    config = small(
        latent=16,
        decoder={"kind": "mlp", "hidden": [32]},
        train={"steps": 150, "batch": 32, "lr": 5e-3, "log_every": 10, "validate_every": 150, "checkpoint_every": 150},
        measure={"inner": [], "sets": 100},
    )
    ran(config, tmp_path / "out")
    summary = read_json(tmp_path / "out" / "summary.json")
    assert set(summary["inner"]) == {"none"}
    distance = summary["inner"]["none"]["measures"]["distance"]["value"]
    controls = {name: row["distance"]["value"] for name, row in summary["controls"].items()}
    assert distance < 0.5 * min(controls["mean set"], controls["untrained"])
    assert controls["mean set"] == pytest.approx(1.0, abs=0.05)  # corners are 1 from their middle


def test_nothing_hangs_on_the_global_generator_nor_moves_it(small: Small, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    first = ran(small(), tmp_path / "first")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    second = ran(small(), tmp_path / "second")
    other = ran(small(seed=1), tmp_path / "other")
    pairs = list(zip(first.model.parameters(), second.model.parameters(), other.model.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two, _ in pairs)
    assert any(not torch.equal(one, three) for one, _, three in pairs)


def test_the_inner_step_can_be_chosen_first_and_is_kept(small: Small, tmp_path: Path) -> None:
    ran(small(tune=True), tmp_path / "out")
    rate = load(tmp_path / "out").model.decoder.rate
    assert float(rate) != 50.0  # three small layers ask for another
    assert ran(small(tune=True), tmp_path / "out", resume=True).model.decoder.rate == rate


@pytest.mark.parametrize("kind", ["dspn", "idspn"])
def test_a_standardised_vector_and_encodings_of_true_sets_are_alike_at_the_first_step(small: Small, kind: str) -> None:
    config = small(norm="batch", decoder={"kind": kind, "encoder": {"kind": "fspool", "hidden": [8]}, "steps": 3})
    data = load_data(config.task, config.encoder, config.seed, CPU)
    model = SetPredictor(config, (2,))
    pairs = data.train(500, torch.Generator().manual_seed(7))
    assert isinstance(model.decoder, InnerLoop)
    with torch.no_grad():
        assert float(model.decoder.encode(pairs.wanted).std(0).mean()) < 0.3  # as it comes
        SetLearner(config, model, data).prepare()
        for vectors in (model.encode(pairs.given), model.decoder.encode(pairs.wanted)):
            torch.testing.assert_close(vectors.mean(0), torch.zeros(8), atol=0.2, rtol=0)
            torch.testing.assert_close(vectors.std(0), torch.ones(8), atol=0.2, rtol=0)


def test_ctrl_c_saves_and_goes_on(small: Small, tmp_path: Path) -> None:
    import signal

    config = small()
    advance = SetLearner.advance

    def stopping(self: SetLearner) -> None:
        advance(self)
        if self.step == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SetLearner, "advance", stopping)
        with pytest.raises(KeyboardInterrupt):
            ran(config, tmp_path / "out")
    assert read_json(tmp_path / "out" / "status.json") == {"state": "interrupted", "step": 3, "steps": 6}
    assert load(tmp_path / "out").model is not None
    assert ran(config, tmp_path / "out", resume=True).folder.summary.exists()


def test_a_used_folder_another_config_and_other_sets_are_refused(small: Small, clevr: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran(small(), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="not empty"):
        ran(small(), out)
    with pytest.raises(InputError, match=r"another config: latent: 8 -> 9"):
        ran(small(latent=9), out, resume=True)
    ran(small(), out, resume=True)  # finished: nothing is done
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    told = json.loads((out / "pictures.json").read_text())
    (out / "pictures.json").write_text(json.dumps({**told, "content": "other"}))
    (out / "status.json").write_text('{"state": "interrupted", "step": 2, "steps": 6}')
    with pytest.raises(InputError, match="of other sets"):
        ran(small(), out, resume=True)


def test_a_loss_that_is_not_finite_ends_in_a_line(small: Small, tmp_path: Path) -> None:
    config = small(decoder={"kind": "mlp"}, measure={"inner": []}, train={"lr": 9.9, "steps": 400, "log_every": 1})
    with pytest.MonkeyPatch.context() as patch:
        step = SetPredictor.encode
        patch.setattr(SetPredictor, "encode", lambda self, given: step(self, given) * float("nan"))
        with pytest.raises(InputError, match="not finite"):
            ran(config, tmp_path / "out")
    assert read_json(tmp_path / "out" / "status.json")["state"] == "interrupted"
