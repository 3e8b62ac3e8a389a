"""The diagnostic that finds an inner step and tells how far elements move."""

import logging

import pytest
import torch
from torch import Tensor

from perception.sets import DSPN, FSPoolEncoder, ImplicitDSPN, tune_rate
from raster.errors import InputError

LATENT, SLOTS, CHANNELS = 32, 5, 4


def case(kind: type[DSPN | ImplicitDSPN]) -> tuple[DSPN | ImplicitDSPN, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = kind(LATENT, SLOTS, CHANNELS, FSPoolEncoder(CHANNELS, LATENT, (32,)), rate=1e-4)
    sets = torch.rand(16, SLOTS, CHANNELS, generator=torch.Generator().manual_seed(0))
    return decoder, decoder.encoder(sets).detach()


@pytest.mark.parametrize("kind", [DSPN, ImplicitDSPN])
def test_it_finds_a_step_that_moves_the_elements_and_sets_it(kind: type[DSPN | ImplicitDSPN]) -> None:
    decoder, z = case(kind)
    with torch.no_grad():
        before = decoder(z)
    tuning = tune_rate(decoder, z, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        after = decoder(z)
    assert float(decoder.rate) == tuning.rate
    assert float(before.moved.sum(0).mean()) < 0.01 < 0.1 < float(after.moved.sum(0).mean())
    assert float(decoder.gap(after.sets, z).detach().mean()) < 0.5 * float(decoder.gap(before.sets, z).detach().mean())
    # What it says is what the decoder does, and nothing that it tried closes much more.
    chosen = next(trial for trial in tuning.trials if trial.rate == tuning.rate)
    closed = [t.before - t.after for t in tuning.trials if t.after == t.after]
    assert chosen.before - chosen.after >= 0.95 * max(closed) > 0
    smaller = [t for t in tuning.trials if t.rate < tuning.rate]
    assert all(t.before - t.after < 0.95 * max(closed) for t in smaller)


def test_what_it_tells_of_the_chosen_step_is_what_happens() -> None:
    decoder, z = case(DSPN)
    tuning = tune_rate(decoder, z, rates=[0.5, 4.0, 1e6])
    with torch.no_grad():
        walk = decoder(z)
    trial = next(trial for trial in tuning.trials if trial.rate == tuning.rate)
    assert trial.first == pytest.approx(float(walk.moved[0].mean()))
    assert trial.last == pytest.approx(float(walk.moved[-1].mean()))
    assert trial.before == pytest.approx(float(walk.gaps[0].mean()))
    assert trial.after == pytest.approx(float(decoder.gap(walk.sets, z).detach().mean()))
    assert trial.total == pytest.approx(float((walk.sets - walk.trace[0]).norm(dim=-1).mean()))


def test_it_logs_a_table_with_the_chosen_row_marked(caplog: pytest.LogCaptureFixture) -> None:
    decoder, z = case(DSPN)
    with caplog.at_level(logging.INFO, "lascaux.perception"):
        tuning = tune_rate(decoder, z, rates=[0.5, 1.0, 4.0])
    assert str(tuning) in caplog.text
    rows = str(tuning).splitlines()
    assert len(rows) == 4
    marked = [row for row in rows if row.startswith("*")]
    assert len(marked) == 1 and float(marked[0][1:].split()[0]) == tuning.rate


def test_where_no_step_helps_the_old_one_stays() -> None:
    decoder, z = case(ImplicitDSPN)
    tuning = tune_rate(decoder, z, rates=[1e30])
    assert tuning.rate == float(decoder.rate) == pytest.approx(1e-4)


def test_every_step_is_tried_from_the_same_random_start() -> None:
    decoder, z = case(ImplicitDSPN)
    tuning = tune_rate(decoder, z, generator=torch.Generator().manual_seed(3), rates=[1.0, 2.0, 3.0])
    assert len({trial.before for trial in tuning.trials}) == 1


@pytest.mark.parametrize("rates", [[], [1.0, 0.0]])
def test_no_rates_are_refused(rates: list[float]) -> None:
    decoder, z = case(DSPN)
    with pytest.raises(InputError, match="each above 0"):
        tune_rate(decoder, z, rates=rates)
