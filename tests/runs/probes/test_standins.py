"""Networks in the place of people: whom they can name, and whether they agree."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from perception import OpenClipTrunk, TimmTrunk, Trunks, labels_named
from raster import InputError
from runs import sketches
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.probes import _standins as named
from runs.probes import probes
from runs.probes._standins import TEMPLATE, _by_label, _by_photos, _by_words, trunks_in
from runs.probes.standins import cohen_kappa, fleiss_kappa, standins
from runs.run import Run

Make = Callable[..., Config]
EYE = TimmTrunk(name="test_resnet", weights="random", size=32)


@pytest.fixture(autouse=True)
def _small_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network of random weights in the place of the judge and of the packaged trunk."""
    for module in (sketches, named):
        monkeypatch.setattr(module, "JUDGE", EYE)
    monkeypatch.setattr(named, "EYE", EYE)


@pytest.fixture
def evidence(untrained: Run) -> Evidence:
    return gather(untrained, untrained.game.parts[0], "test", 4)


# Kappa

ratings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30)


@given(ratings)
def test_cohen_s_kappa_is_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs).T
    found = cohen_kappa(one, other)
    if np.isnan(found):
        assert len(set(one) | set(other)) == 1
    else:
        assert found == pytest.approx(cohen_kappa_score(one, other))


def test_fleiss_kappa_is_that_of_a_worked_example() -> None:
    # Ten subjects, fourteen raters, five kinds: kappa is 0.210 (the example of Wikipedia's page on Fleiss' kappa).
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    answers = np.array([np.repeat(np.arange(5), row) for row in counts])
    assert fleiss_kappa(answers) == pytest.approx(0.210, abs=0.0005)
    assert fleiss_kappa(np.array([[0, 0], [1, 1]])) == 1.0 and np.isnan(fleiss_kappa(np.zeros((3, 2), dtype=int)))


# Who can be asked


def test_a_photo_is_called_by_the_class_of_photos_like_it(untrained: Run) -> None:
    gallery = untrained.gallery
    classes = gallery.label.unique()
    asked = torch.cat([(gallery.label == each).nonzero()[:6, 0] for each in classes])
    reader = _by_photos("eye", untrained, EYE, classes, asked, set())
    seen = reader.seen([gallery.view(asked).pixels()])
    right = (reader.classes[reader.scores(seen).argmax(dim=1)] == gallery.label[asked]).double().mean()
    assert float(right) > 0.3  # a tenth is chance; the network is random, digits are alike


def test_pictures_that_were_drawn_never_say_what_a_class_looks_like(
    untrained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = untrained.gallery
    looked: list[torch.Tensor] = []
    view = gallery.view
    monkeypatch.setattr(gallery, "view", lambda index: looked.append(index) or view(index))
    left_out = (gallery.label < 9).nonzero()[:, 0]
    left_out = left_out[torch.rand(len(left_out), generator=torch.Generator().manual_seed(0)) < 0.9]
    reader = _by_photos("eye", untrained, EYE, torch.arange(10), left_out, set())
    assert reader.classes.tolist() == list(range(10))
    assert not torch.isin(torch.cat(looked), left_out).any() and len(torch.cat(looked)) == 40
    nobody = _by_photos("eye", untrained, EYE, torch.arange(10), torch.arange(len(gallery.label)), set())
    assert len(nobody.classes) == 0


def test_a_label_is_a_class_s_whose_name_is_one_of_its_words(monkeypatch: pytest.MonkeyPatch, untrained: Run) -> None:
    assert labels_named(["Hot-Dog", "giant_panda", "dog", "", "no such thing"]) == {0: [934], 1: [388]}
    assert labels_named(["panda"]) == {0: [387, 388]}

    class Knows(torch.nn.Module):
        """Finds in each picture the label that its first pixel says."""

        def __init__(self, *_: Any) -> None:
            super().__init__()

        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot((rgb[:, 0, 0, 0] * 1000).round().long(), 1000).float()

    monkeypatch.setattr(named, "Classifier", Knows)
    reader = _by_label("judge", untrained, torch.tensor([3, 7]), [[934], [387, 388]], set())
    rgb = torch.tensor([0.934, 0.387, 0.388])[:, None, None, None].expand(3, 3, 4, 4)
    assert reader.classes[reader.scores(reader.seen([rgb])).argmax(dim=1)].tolist() == [3, 7, 7]


class Words(Trunks):
    """The least that reads pictures and words, whatever is asked for: a picture's first pixel is the word's number."""

    asked: tuple[str, ...] = ()

    def __getitem__(self, config: Any) -> Any:
        return self

    def embed_text(self, words: Sequence[str]) -> torch.Tensor:
        self.asked = tuple(words)
        return torch.eye(10)[: len(words)]

    def __call__(self, rgb: torch.Tensor, levels: Sequence[int]) -> list[torch.Tensor]:
        assert list(levels) == [0]
        return [torch.eye(10)[(rgb[:, 0, 0, 0] * 10).round().long()][:, :, None, None]]


def test_clip_is_asked_in_words_for_the_class(untrained: Run) -> None:
    words, clip = Words(), OpenClipTrunk(name="stand-in", weights="random")
    run = replace(untrained, trunks=words)
    reader = _by_words(run, clip, torch.tensor([2, 5, 8]), ["cat", "hot-dog", "tea_pot"], set())
    assert words.asked == tuple(TEMPLATE.format(each) for each in ("cat", "hot dog", "tea pot"))
    rgb = torch.tensor([0.2, 0.0, 0.1])[:, None, None, None].expand(3, 3, 4, 4)
    assert reader.classes[reader.scores(reader.seen([rgb])).argmax(dim=1)].tolist() == [8, 2, 5]
    assert reader.independent
    assert not _by_words(run, clip, torch.tensor([2, 5]), ["a", "b"], {"open_clip stand-in"}).independent


def test_a_network_that_the_run_used_is_not_independent(small: Make) -> None:
    assert list(trunks_in(small(measure={"clip": {"kind": "open_clip"}}))) == []  # who measures does not teach
    config = small(biases=[{"kind": "likeness", "trunk": {"kind": "timm", "name": "packaged", "size": 48}}])
    assert set(trunks_in(config)) == {"tf_efficientnet_lite0"}
    assert set(trunks_in(small(receiver={"reader": {"kind": "trunk"}, "trunk": {"kind": "timm"}}))) == {
        "tf_efficientnet_lite0"
    }


# The probe


def test_the_finding_is_the_mean_over_the_independent_with_their_controls(evidence: Evidence) -> None:
    found = probes()["standins"](evidence)
    assert found.table is not None and found.parts is not None
    assert list(found.table) == ["judge, by photos", "packaged, by photos"]  # digits are no labels of ImageNet
    assert found.value == pytest.approx(np.mean([row["rate"] for row in found.table.values()]))
    assert found.low <= found.value <= found.high and found.n == evidence.n
    classes = len(evidence.sketches.label.unique())
    assert found.chance == pytest.approx(1 / classes)
    assert set(found.baselines) == {"untrained", "random", "shuffled", "blank", "photos"}
    assert found.baselines["photos"] > found.chance
    # Both look with one network here, so they say the same; and what they say is all agreement there is.
    assert found.parts["kappa, judge, by photos and packaged, by photos"] <= 1
    assert found.parts["classes with an ImageNet label"] == 0
    assert all(each.caption.startswith("drawn: ") for each in found.pictures) and len(found.pictures) == 8
    assert standins(evidence) == found


def test_where_nobody_independent_knows_the_classes_it_says_so(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.probes.standins.stand_ins", lambda *_: [])
    with pytest.raises(InputError, match="no network that the run has not used knows two of the classes") as caught:
        standins(evidence)
    assert "\n" not in str(caught.value)
