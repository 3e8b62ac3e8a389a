"""Drawings beside their controls: whose canvas is whose, what the judge is asked, strokes that say nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from perception import TimmTrunk
from raster import CanvasConfig, Strokes
from runs import sketches
from runs.config import Config
from runs.evidence import Evidence, gather
from runs.run import Run
from runs.sketches import CONTROLS, random_strokes

Make = Callable[..., Config]


@pytest.fixture
def evidence(untrained: Run, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """With a small eye of random weights in the judge's place."""
    monkeypatch.setattr(sketches, "JUDGE", TimmTrunk(name="test_resnet", weights="random", size=32))
    return gather(untrained, untrained.game.parts[0], "test", 3)


def test_games_stand_pool_after_pool_in_all_that_is_said_of_them(evidence: Evidence) -> None:
    found, gallery = evidence.sketches, evidence.run.gallery
    shown = torch.cat([play.round.shown for play in evidence.plays])
    assert torch.equal(found.shown, shown) and torch.equal(found.label, gallery.label[shown])
    assert found.pool_of.tolist() == [0] * 5 + [1] * 5 + [2] * 5 and found.sizes == [5, 5, 5]
    assert (found.group == -1).all() and (found.artist == 0).all()
    assert torch.equal(found.strokes.points, torch.cat([play.strokes.points for play in evidence.plays]))
    for control in CONTROLS:
        assert found.canvas(control).shape == (15, 16, 16), control


def test_shuffled_drawings_are_those_of_another_pool_and_blank_ones_nothing(evidence: Evidence) -> None:
    found = evidence.sketches
    for number in range(3):
        assert torch.equal(found.canvases("shuffled")[number], evidence.plays[number - 1].canvas)
    assert not found.canvas("blank").any()


def test_pools_of_several_sizes_are_shuffled_too(evidence: Evidence) -> None:
    first = evidence.plays[0]
    dealt = first.round
    two = replace(dealt, target=dealt.target[:2], pool_of=dealt.pool_of[:2], shown=dealt.shown[:2])
    short = replace(
        first,
        round=two,
        strokes=first.strokes[:2],
        canvas=first.canvas[:2],
        loss=first.loss[:2],
        scores=first.scores[:2],
    )
    found = replace(evidence, plays=[short, *evidence.plays[1:]]).sketches
    assert [len(each) for each in found.canvases("shuffled")] == [2, 5, 5]
    assert torch.equal(found.canvases("shuffled")[1], first.canvas[[0, 1, 0, 1, 0]])


def test_the_judge_sees_each_canvas_as_it_is(evidence: Evidence) -> None:
    found = evidence.sketches
    trunk = evidence.run.trunks[sketches.JUDGE]
    before = trunk.passes
    own = found.looks("drawings")
    assert trunk.passes == before + len({each.numpy().tobytes() for each in found.canvas("drawings")})
    white = 1 - found.canvas("drawings")[:, None].expand(-1, 3, -1, -1).float()
    places, whole = trunk(white, [sketches.PLACES, sketches.WHOLE])
    assert torch.allclose(own.places, places.flatten(1), atol=1e-5)
    assert torch.allclose(own.whole, whole.mean(dim=(2, 3)), atol=1e-5)
    before = trunk.passes
    assert torch.equal(found.looks("shuffled").whole[5:10], own.whole[:5])
    assert trunk.passes == before
    blank = found.looks("blank").whole
    assert len(blank) == 15 and torch.equal(blank, blank[:1].expand_as(blank))
    assert trunk.passes == before + 1


def test_the_judge_looks_at_each_photo_once(evidence: Evidence) -> None:
    trunk = evidence.run.trunks[sketches.JUDGE]
    before = trunk.passes
    photos = evidence.sketches.photos
    shown = evidence.sketches.shown
    assert trunk.passes == before + len(shown.unique())
    again = trunk(evidence.run.gallery.view(shown).pixels(), [sketches.WHOLE])[0].mean(dim=(2, 3))
    assert torch.allclose(photos.whole, again, atol=1e-5)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", ["line", "cubic"])
def test_random_strokes_are_as_many_and_of_as_much_ink_but_elsewhere(kind: str, colour: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(12, 6, {"line": 2, "cubic": 4}[kind], 2, generator=generator) * 1.2 - 0.6
    shade = torch.rand(12, 6, 3, generator=generator) if colour else None
    presence = (torch.rand(12, 6, generator=generator) > 0.3).float()
    strokes = Strokes(points, kind, presence=presence, colour=shade)
    canvas = CanvasConfig(size=48, sigma2=1e-3)
    drawn = canvas.draw(strokes)
    found = random_strokes(strokes, drawn, canvas, 0, torch.Generator().manual_seed(2))
    assert found.points.shape == points.shape and found.kind == kind
    assert found.presence is not None and torch.equal(found.presence, presence)
    ink, wanted = (each.flatten(1).mean(1) for each in (canvas.draw(found), drawn))
    assert ((ink - wanted).abs() / wanted).median() < 0.03
    assert abs(float(ink.mean() / wanted.mean()) - 1) < 0.05
    assert float(torch.corrcoef(torch.stack([found.points.flatten(), points.flatten()]))[0, 1].abs()) < 0.2
    again = random_strokes(strokes, drawn, canvas, 0, torch.Generator().manual_seed(2))
    assert torch.equal(again.points, found.points)


def test_more_ink_than_random_strokes_ever_leave_is_met_as_nearly_as_can_be() -> None:
    strokes = Strokes(torch.rand(2, 2, 2, 2, generator=torch.Generator().manual_seed(0)))
    canvas = CanvasConfig(size=16, sigma2=1e-3)
    for ink in (torch.ones(2, 16, 16), torch.zeros(2, 16, 16)):
        found = random_strokes(strokes, ink, canvas, 0, torch.Generator().manual_seed(0))
        assert found.points.isfinite().all()
