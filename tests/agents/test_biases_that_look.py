"""Biases on what drawings and photos look like: likeness (learned, or of one image), clip, copy, shape."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import gaussian_blur, rgb_to_grayscale

from agents import Moment
from agents.biases import Clip, Copy, Likeness, Shape
from agents.biases._blur import blur
from agents.biases.copy import _gaussian, _laplacian
from agents.biases.likeness import LevelWeights
from games.pictures import Gallery
from perception import TimmTrunk
from raster import InputError, Strokes

Play = Callable[..., Any]
Moments = Callable[..., Moment]
TRUNK = TimmTrunk(name="test_resnet", weights="random")


def lines(games: int = 3, seed: int = 0, **more: Any) -> Strokes:
    noise = torch.rand(games, 5, 2, 2, generator=torch.Generator().manual_seed(seed))
    return Strokes(noise * 1.6 - 0.8, **more)


def colourful(games: int = 3) -> Strokes:
    return lines(games, colour=torch.rand(games, 5, 3, generator=torch.Generator().manual_seed(3)))


# likeness


def test_learned_level_weights_start_as_given_and_have_length_one() -> None:
    assert LevelWeights((3.0, 4.0))().tolist() == pytest.approx([0.6, 0.8])
    assert LevelWeights((2.0, -1.0))().tolist() == [1.0, 0.0]


def test_learned_level_weights_end_on_the_level_that_is_nearest() -> None:
    weights = LevelWeights((1.0, 1.0, 1.0))
    optimiser = torch.optim.AdamW(weights.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(1000):
        optimiser.zero_grad()
        (weights() * torch.tensor([0.5, 0.2, 0.9])).sum().backward()
        optimiser.step()
    assert weights().tolist() == pytest.approx([0, 1, 0], abs=1e-3)


def test_likeness_learns_through_what_it_keeps(play: Play) -> None:
    one = Likeness(trunk=TRUNK, learn=True, weights=(1.0, 2.0, 2.0))
    kept = one.keeps()
    assert isinstance(kept, LevelWeights)
    game = play(lines(), kept=kept)
    fixed = Likeness(trunk=TRUNK, weights=(1 / 3, 2 / 3, 2 / 3)).cost(game)
    assert torch.allclose(one.cost(game), fixed, rtol=1e-5)
    one.cost(game).mean().backward()
    assert kept.raw.grad is not None and kept.raw.grad.norm() > 0
    assert Likeness(trunk=TRUNK).keeps() is None


def test_learned_weights_that_could_never_move_are_refused() -> None:
    with pytest.raises(ValueError, match="must start above 0"):
        Likeness(learn=True, weights=(0.0, 0.0, 0.0))


@pytest.fixture
def dog(tmp_path: Path, gallery: Gallery) -> str:
    """A picture file: the gallery's second picture."""
    pixels = gallery.pixels[1].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "dog.png")
    return str(tmp_path / "dog.png")


def test_likeness_of_an_image_compares_every_drawing_with_that_image(play: Play, gallery: Gallery, dog: str) -> None:
    one = Likeness(trunk=TRUNK, image=dog)
    all_of_it = play(lines(), photo=gallery.view(torch.tensor([1, 1, 1])))
    usual = Likeness(trunk=TRUNK).cost(all_of_it)
    gallery.trunks.forget()
    before = gallery.trunks.passes
    found = one.cost(all_of_it)
    assert torch.allclose(found, usual, rtol=1e-2)  # cached features are float16
    assert one.reads() == ()
    one.cost(all_of_it)
    assert gallery.trunks.passes - before == 3 + 1  # the sketches once for all who ask, the image once


@pytest.mark.parametrize(("name", "told"), [("gone.png", "no such picture"), ("text.png", "damaged, or none")])
def test_an_image_that_cannot_be_read_is_told_in_a_line(play: Play, tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "text.png").write_text("words")
    with pytest.raises(InputError, match=rf"{told}.*{name}") as caught:
        Likeness(trunk=TRUNK, image=str(tmp_path / name)).cost(play(lines()))
    assert "\n" not in str(caught.value)


# clip


def test_clip_without_change_is_the_cosine_of_the_embeddings(play: Play, gallery: Gallery) -> None:
    game = play(lines())
    trunk = gallery.trunks[TRUNK]
    paper = (1 - game.canvas)[:, None].expand(-1, 3, -1, -1)
    embedded = [trunk(x, [trunk.deepest])[0].mean((2, 3)) for x in (paper, game.photo.pixels())]
    expected = 1 - torch.cosine_similarity(*embedded)
    found = Clip(trunk=TRUNK, copies=1, distortion=0, crop=(1, 1)).cost(game)
    assert torch.allclose(found, expected, atol=1e-3)


def test_clip_changes_all_games_of_a_round_alike_and_each_copy_anew() -> None:
    ink = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0)).expand(3, -1, -1)
    generator = torch.Generator().manual_seed(4)
    first, second = (Clip()._changed(ink, generator) for _ in range(2))
    assert first.shape == (3, 3, 32, 32)
    assert torch.equal(first[0], first[2])
    assert not torch.allclose(first, second)
    blank = Clip()._changed(torch.zeros(1, 32, 32), generator)
    assert torch.equal(blank, torch.ones(1, 3, 32, 32))  # what comes in from outside is paper


def test_clip_repeats_itself_when_a_round_is_replayed(play: Play) -> None:
    one = Clip(trunk=TRUNK)
    assert torch.equal(one.cost(play(lines())), one.cost(play(lines())))
    other = play(lines(), generator=lambda word: torch.Generator().manual_seed(99))
    assert not torch.equal(one.cost(play(lines())), one.cost(other))


def test_a_share_of_clip_compares_the_first_games_for_all(play: Play) -> None:
    whole, half = (Clip(trunk=TRUNK, share=share).cost(play(lines(4))) for share in (1.0, 0.5))
    assert torch.allclose(half, torch.tensor([2.0, 2.0, 0.0, 0.0]) * whole, rtol=1e-4)


def test_clip_asks_for_the_photo_s_deepest_level_and_reads_words_only_by_open_clip() -> None:
    assert Clip(trunk=TRUNK).reads() == ((TRUNK, None),)
    with pytest.raises(ValueError, match=r"a trunk of kind timm reads no text: take trunk: \{kind: open_clip\}"):
        Clip(text="a dog")
    assert Clip.model_validate({"text": "a dog", "trunk": {"kind": "open_clip"}}).reads() == ()
    with pytest.raises(ValueError, match=r"a crop keeps a part from above 0 up to 1, got 0\.9 to 0\.7"):
        Clip(crop=(0.9, 0.7))


# copy


def test_copy_is_the_mean_square_of_ink_less_darkness(play: Play) -> None:
    game = play(lines())
    dark = 1 - rgb_to_grayscale(game.photo.pixels())[:, 0]
    assert torch.allclose(Copy().cost(game), (game.canvas - dark).square().mean((1, 2)), atol=1e-6)
    assert torch.allclose(Copy(invert=True).cost(game), (game.canvas - 1 + dark).square().mean((1, 2)), atol=1e-6)
    bce = Copy(by="bce").cost(game)
    sure = 0.01 + 0.98 * game.canvas
    expected = -(dark * sure.log() + (1 - dark) * (1 - sure).log()).mean((1, 2))
    assert torch.allclose(bce, expected, atol=1e-5)


def test_coloured_drawings_copy_colours(play: Play) -> None:
    game = play(colourful())
    assert game.canvas.shape == (3, 3, 32, 32)
    assert torch.allclose(
        Copy().cost(game), (1 - game.canvas - game.photo.pixels()).square().mean((1, 2, 3)), atol=1e-6
    )


@pytest.mark.parametrize("by", ["mse", "gaussian", "laplacian", "dog", "bce"])
def test_a_perfect_copy_costs_least_and_ink_off_it_is_drawn_towards_it(play: Play, gallery: Gallery, by: Any) -> None:
    dark = (1 - rgb_to_grayscale(gallery.view(torch.arange(3)).pixels())[:, 0]).requires_grad_()
    other = (1 - dark.detach()).requires_grad_()
    perfect, wrong = (Copy(by=by).cost(play(canvas=canvas)) for canvas in (dark, other))
    assert (perfect < wrong).all()
    (slope,) = torch.autograd.grad(wrong.sum(), other)
    assert float((slope * (dark.detach() - other.detach())).sum()) < 0


def test_copies_of_any_two_sizes_are_compared_at_the_canvas_s(play: Play) -> None:
    for size in (8, 20, 64):
        for by in ("mse", "gaussian", "laplacian", "dog", "bce"):
            found = Copy(by=by, scales=12).cost(play(lines(), size=size))  # type: ignore[arg-type]
            assert found.shape == (3,) and found.isfinite().all()


def test_a_gaussian_pyramid_halves_and_a_laplacian_one_holds_all_of_the_picture() -> None:
    x = torch.rand(2, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert [each.shape[-1] for each in _gaussian(x, 4)] == [32, 16, 8, 4]
    assert len(_gaussian(x, 12)) == 4
    whole: Any = 0
    for part in reversed(_laplacian(x, 4)):
        size = part.shape[-2:]
        whole = part + (torch.nn.functional.interpolate(whole, size, mode="bilinear") if torch.is_tensor(whole) else 0)
    assert torch.allclose(whole, x)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_the_blur_is_that_of_torchvision(sigma: float) -> None:
    x = torch.rand(2, 3, 20, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    taps = 2 * math.ceil(3 * sigma) + 1
    assert torch.allclose(blur(x, sigma), gaussian_blur(x, [taps, taps], [sigma, sigma]))
    assert torch.equal(blur(x, 0), x)


def test_even_greys_do_not_matter_to_differences_of_gaussians(play: Play) -> None:
    pale, deep = (play(canvas=torch.full((3, 32, 32), shade)) for shade in (0.1, 0.8))
    assert torch.allclose(Copy(by="dog").cost(pale), Copy(by="dog").cost(deep), atol=1e-5)
    assert not torch.allclose(Copy().cost(pale), Copy().cost(deep), atol=1e-2)


# shape


@pytest.mark.parametrize("show", ["grey", "blur", "edges"])
def test_shape_takes_away_texture_once_a_picture_and_caches_its_features(
    gallery: Gallery, moment: Moments, show: Any
) -> None:
    one, view = Shape(show=show, sigma=0.1), gallery.view(torch.tensor([4, 2]))
    seen = one.see(view, moment())
    assert seen.pixels().shape == (2, 3, 32, 32)
    assert not torch.allclose(seen.pixels(), view.pixels(), atol=0.05)
    colours = seen.pixels().std(1).max()
    assert (colours > 0.01) == (show == "blur")
    seen.features(TRUNK, 0)
    before = gallery.trunks.passes
    again = one.see(gallery.view(torch.tensor([7, 8, 9])), moment(role="receiver", training=True))
    assert again.features(TRUNK, 0).shape[0] == 3
    assert gallery.trunks.passes == before


def test_shape_is_for_the_eyes_that_it_names(gallery: Gallery, moment: Moments) -> None:
    view = gallery.view(torch.arange(2))
    one = Shape(eyes="sender")
    assert one.see(view, moment(role="receiver")) is view
    assert one.see(view, moment(role="sender")) is not view


def test_edges_are_dark_where_luminance_changes_and_nowhere_else() -> None:
    step = torch.ones(1, 3, 32, 32) * 0.8
    step[..., 16:] = 0.2
    seen = Shape(sigma=0)._seen(torch.cat([step, torch.full_like(step, 0.5)]))
    assert seen[0, 0, :, 15:17].max() < 1e-5
    assert (seen[0, :, :, :14] > 0.999).all() and (seen[0, :, :, 18:] > 0.999).all()
    assert (seen[1] > 0.999).all()


def test_grey_of_two_settings_is_cached_as_one_and_a_blur_as_two(gallery: Gallery, moment: Moments) -> None:
    view = gallery.view(torch.arange(2))
    names = {Shape(show="grey", sigma=sigma).see(view, moment()).gallery.content for sigma in (0.1, 0.2)}  # type: ignore[attr-defined]
    blurs = {Shape(show="blur", sigma=sigma).see(view, moment()).gallery.content for sigma in (0.1, 0.2)}  # type: ignore[attr-defined]
    assert len(names) == 1 and len(blurs) == 2
    with pytest.raises(ValueError, match="a blur of sigma 0 changes nothing"):
        Shape(show="blur", sigma=0)


def test_an_image_stands_upright_on_white_in_a_square(tmp_path: Path) -> None:
    from agents.biases._picture import read

    pixels = np.zeros((20, 40, 4), dtype=np.uint8)  # transparent, wide
    pixels[:, 20:, 3] = 255  # its right half black
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = read(str(tmp_path / "wide.png"), 16)
    assert found.shape == (3, 16, 16)
    assert found[:, :, :7].min() == 1 and found[:, :, 9:].max() == 0
    assert math.isclose(float(found.mean()), 0.5, abs_tol=0.05)
