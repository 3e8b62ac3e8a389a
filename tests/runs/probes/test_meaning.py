"""Iconicity, symbolicity, semanticity and drift: held to oracles and to drawings whose answer is known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from perception import TimmTrunk
from raster.errors import InputError
from runs import sketches
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.folder import lines
from runs.probes import probes
from runs.probes._similarity import agreement, cosine_distances, spearman
from runs.probes.drift import drift
from runs.probes.iconicity import iconicity, margin
from runs.probes.semanticity import _partial, semanticity
from runs.probes.symbolicity import held_out, separability, symbolicity
from runs.run import Run
from runs.sketches import Looks, Sketches

Make = Callable[..., Config]
EYE = TimmTrunk(name="test_resnet", weights="random", size=32)


@pytest.fixture
def evidence(untrained: Run, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """Twelve pools, looked at by a small eye of random weights in the judge's place."""
    monkeypatch.setattr(sketches, "JUDGE", EYE)
    return gather(untrained, untrained.game.parts[0], "test", 12)


def seen_as(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, drawings: torch.Tensor, photos: torch.Tensor
) -> Evidence:
    """The same evidence, the judge seeing what is said of drawings and photos, [n, D], and noise in the controls."""
    found = replace(evidence)
    generator = torch.Generator().manual_seed(9)

    def looks(self: Sketches, control: str = "drawings") -> Looks:
        if control == "drawings":
            return Looks(drawings, drawings)
        noise = torch.randn(drawings.shape, generator=generator)
        return Looks(noise, noise)

    monkeypatch.setattr(Sketches, "looks", looks)
    monkeypatch.setattr(Sketches, "photos", Looks(photos, photos))
    return found


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Distances


@settings(max_examples=20)
@given(st.integers(0, 2**20), st.integers(5, 12))
def test_distances_and_their_rank_correlation_are_scipy_s(seed: int, count: int) -> None:
    one, other = noise(seed, count, 4), noise(seed + 1, count, 3)
    tables = [cosine_distances(each) for each in (one, other)]
    for table, rows in zip(tables, (one, other), strict=True):
        centred = (rows.double() - rows.double().mean(0)).numpy()
        assert np.allclose(table, squareform(pdist(centred, "cosine")), atol=1e-9)
    pairs = [squareform(each, checks=False) for each in tables]
    expected = spearmanr(*pairs).statistic
    assert spearman(*tables) == pytest.approx(expected) == agreement(*tables, samples=2).rho


def test_mantel_s_p_is_small_for_what_agrees_and_even_for_what_does_not() -> None:
    rows = noise(0, 20, 4)
    same = agreement(cosine_distances(rows), cosine_distances(rows + 0.1 * noise(1, 20, 4)))
    assert same.p == 0.001 and same.low > 0.6 and same.low <= same.rho <= 1
    ps = [agreement(cosine_distances(noise(2 * k, 12, 4)), cosine_distances(noise(2 * k + 1, 12, 4)), samples=2).p
          for k in range(40)]  # fmt: skip
    assert 0.3 < np.mean(ps) < 0.7 and sum(p <= 0.05 for p in ps) <= 6  # 2 expected; 6 is three deviations away


def test_distances_without_differences_agree_with_nothing() -> None:
    blank = cosine_distances(torch.ones(5, 3))
    assert np.isnan(agreement(blank, cosine_distances(noise(0, 5, 3))).rho)
    assert np.isnan(spearman(blank, blank))


# Iconicity


def test_drawings_that_look_like_their_photos_are_icons(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = evidence.sketches.shown
    photos = noise(3, 2000, 16)[shown]
    found = iconicity(seen_as(evidence, monkeypatch, photos + 0.1 * noise(4, len(shown), 16), photos))
    assert found.value == 1.0 and found.chance == 0.2 and found.parts is not None
    assert found.parts["margin"] > 0.9 and found.parts["similarity"] > 0.8 and found.parts["similarity, p"] == 0.001
    assert abs(found.parts["similarity, random"]) < 0.3
    assert found.baselines["random"] < 0.5 and found.baselines["untrained"] < 0.5
    assert found.table is not None and found.table["test"]["rate"] == evidence.rate() and "train" in found.table


def test_drawings_of_nothing_are_none(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = noise(3, 2000, 16)[evidence.sketches.shown]
    found = iconicity(seen_as(evidence, monkeypatch, noise(5, *photos.shape), photos))
    assert found.low <= 0.2 + 0.05 and found.parts is not None and found.parts["similarity, p"] > 0.02
    assert found.parts["margin, low"] < 0.1 < 1


def test_the_margin_is_own_minus_others() -> None:
    photos = torch.eye(4)
    assert torch.allclose(margin(photos, photos), torch.full((4,), 1 + 1 / 3))
    assert margin(torch.ones(4, 4), photos).abs().max() < 1e-6


# Symbolicity


def test_separability_is_fisher_s_ratio_by_hand() -> None:
    features = torch.tensor([[0.0], [2.0], [10.0], [12.0]])
    # Between: 4 drawings 5 from the middle; within: 4 drawings 1 from their class's.
    assert separability(features, torch.tensor([0, 0, 1, 1])) == pytest.approx(100 / 4)
    assert separability(torch.ones(4, 2), torch.tensor([0, 0, 1, 1])) == 0.0


def test_a_drawing_is_never_judged_by_who_learned_one_of_the_same_picture() -> None:
    # Features say which picture it is and nothing of its class: with the picture known, all would be right.
    picture = torch.arange(24).repeat_interleave(4)
    label = (torch.arange(24) % 3)[picture]
    own = torch.nn.functional.one_hot(picture, 24).float() + 0.01 * noise(0, 96, 24)
    assert held_out(own, label, picture).double().mean() < 0.6
    by_class = torch.nn.functional.one_hot(label, 3).float() + 0.01 * noise(1, 96, 3)
    assert held_out(by_class, label, picture).all()


def test_signs_are_told_better_than_their_photos_and_icons_as_well(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    label, shown = evidence.sketches.label, evidence.sketches.shown
    signs = torch.nn.functional.one_hot(label, 10).float() + 0.05 * noise(0, len(label), 10)
    photos = noise(1, 2000, 10)[shown]
    found = symbolicity(seen_as(evidence, monkeypatch, signs, photos))
    assert found.value > 0.95 and found.parts is not None and found.parts["above photos, low"] > 0.5
    assert found.parts["separability"] > 10 * found.parts["separability of photos"]
    assert found.parts["silhouette"] > 0.5 > found.parts["silhouette of photos"]
    assert found.chance is not None and found.baselines["random"] < 0.4
    same = symbolicity(seen_as(evidence, monkeypatch, photos, photos))
    assert same.parts is not None and same.parts["above photos"] == 0.0


def test_without_two_pictures_of_a_class_groups_are_told_or_it_says_so(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = evidence.n
    monkeypatch.setattr(Sketches, "label", torch.arange(count))
    monkeypatch.setattr(Sketches, "group", torch.full((count,), -1))
    with pytest.raises(InputError, match="no two classes or groups have two pictures each"):
        symbolicity(replace(evidence))
    monkeypatch.setattr(Sketches, "group", torch.arange(count) % 3)
    monkeypatch.setattr(Sketches, "shown", torch.arange(count))
    found = symbolicity(seen_as(evidence, monkeypatch, noise(0, count, 4), noise(1, count, 4)))
    assert found.parts is not None and found.parts["number of groups"] == 3


# Semanticity


def vectors(path: Path, names: list[str], rows: np.ndarray) -> Path:
    np.savez(path, names=np.array(names), own=rows)
    return path


def asked(evidence: Evidence, path: Path) -> Evidence:
    run = replace(evidence.run)
    measuring = run.config.measure.model_copy(update={"word_vectors": str(path)})
    run.config = run.config.model_copy(update={"measure": measuring})
    return replace(evidence, run=run)


def test_drawings_that_lie_as_names_do_are_semantic(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names, meaning = [str(digit) for digit in range(10)], noise(0, 10, 6).numpy()
    label = evidence.sketches.label
    drawings = torch.from_numpy(meaning)[label] + 0.1 * noise(1, len(label), 6)
    some = asked(
        seen_as(evidence, monkeypatch, drawings, noise(2, len(label), 6)), vectors(tmp_path / "v.npz", names, meaning)
    )
    found = probes()["semanticity"](some)
    assert found.value > 0.9 and found.n == len(label.unique()) and found.parts is not None
    assert found.parts["p"] == 0.001 and found.parts["beyond photos"] > 0.9
    assert abs(found.baselines["photos"]) < 0.5 and set(found.baselines) >= {"untrained", "shuffled", "blank", "random"}


def test_names_without_a_vector_are_left_out_and_too_few_are_told(evidence: Evidence, tmp_path: Path) -> None:
    names = [str(digit) for digit in range(3)]
    with pytest.raises(InputError, match=r"3 of \d+ classes have a vector"):
        semanticity(asked(evidence, vectors(tmp_path / "v.npz", names, noise(0, 3, 6).numpy())))


def test_a_partial_correlation_is_that_of_residuals() -> None:
    x, y, z = noise(0, 3, 500).double().numpy()
    x, y = x + z, y + z
    slope = [float((each - each.mean()) @ (z - z.mean()) / ((z - z.mean()) @ (z - z.mean()))) for each in (x, y)]
    rest = [each - k * z for each, k in zip((x, y), slope, strict=True)]
    r = np.corrcoef([x, y, z])
    assert _partial(r[0, 1], r[0, 2], r[1, 2]) == pytest.approx(np.corrcoef(rest)[0, 1])
    assert _partial(0.5, 1.0, 0.5) == 0.0


# Drift


def test_drift_is_nothing_where_drawings_stay_and_follows_them_where_they_move(
    finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.sketches.JUDGE", EYE)
    evidence = gather(finished, finished.game.parts[0], "test", 2)
    found = drift(evidence)
    curve = found.curves["since the moment before"]
    assert curve.x == [6.0] and curve.y == [found.value] and found.n == 5 and found.over == "step"
    assert found.low <= found.value <= found.high and 0 < found.value < found.baselines["another"] * 1.5
    own = list(lines(finished.folder.journal("validation")))
    still = [{**line, "strokes": own[0]["strokes"]} for line in own if line["game"] == "same"]
    monkeypatch.setattr("runs.probes.drift.lines", lambda _: iter(still))
    assert drift(evidence).value == pytest.approx(0.0, abs=1e-6)


def test_one_moment_has_no_drift(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.probes.drift.lines", lambda _: iter(()))
    evidence = gather(finished, finished.game.parts[0], "test", 2)
    with pytest.raises(InputError, match=r"drawings of 0 moments.*validate twice"):
        drift(evidence)
