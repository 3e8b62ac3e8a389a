"""Agents as participants: what a run's receiver, or an encoder of pictures and words, makes of a study's pictures."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image

from games.pictures import PictureView
from perception import TimmTrunk
from raster import InputError, Strokes
from raster.shapes import Float, Tensor
from raster.vector import from_svg
from runs.looks import CHUNK
from runs.probes._standins import EYE, SOFT
from runs.run import Run
from runs.sketches import JUDGE

__all__ = ["PHOTOS_ALONE", "EncoderEye", "Eye", "ReceiverEye", "eye_of", "picture_of"]

PHOTOS_ALONE = {"judge": JUDGE, "packaged": EYE}
"""Networks that compare with photos and read no words."""
_OF_A_CLASS = 8
"""Pictures of a class that stand for its name before an eye that reads no words."""


@runtime_checkable
class Eye(Protocol):
    """Who sits a study in the place of a person. Scores are natural logs of odds: a softmax makes them choices."""

    vocabulary: tuple[str, ...]
    """Words that it knows, and names things with."""

    def alike(self, drawings: Sequence[Path], photos: Float[Tensor, "p 3 h w"]) -> Float[Tensor, "d p"]:
        """How well each drawing (PNG or SVG) fits each picture."""

    def fits(self, drawings: Sequence[Path], words: Sequence[str]) -> Float[Tensor, "d w"]:
        """How well each drawing fits each word; -inf for one that is not in the vocabulary."""

    def sketch(self, photo: Float[Tensor, "1 3 h w"] | None, word: str | None) -> Strokes | None:
        """Its own drawing of a picture, or of a word, [N]; None where it cannot draw that."""


def eye_of(
    who: str, sender: int = 0, receiver: int = 0, words: Path | None = None, drawings: Sequence[Path] = ()
) -> Eye:
    """A participant by name: the folder of a run; ``judge`` or ``packaged``, networks that know photos alone; or
    ``clip``, which names things with the words of a file.

    Args:
        who: the name.
        sender: of a run, which draws.
        receiver: of a run, which looks.
        words: that clip names things with.
        drawings: those of the study. ``judge`` and ``packaged`` see each beside the mean of all: drawings differ from
            photos all in one way, and that way says nothing about which is meant.

    Raises:
        InputError: no such run or agents, words that cannot be read or that only clip could use, or no CLIP.
    """
    if who != "clip" and words is not None:
        what = (
            f"{who} reads no words" if who in PHOTOS_ALONE else "a receiver names things by its own pictures' classes"
        )
        raise InputError(what, words, "leave --words out")
    if who in PHOTOS_ALONE:
        return _by_photos(PHOTOS_ALONE[who], drawings)
    if who != "clip":
        from runs.start import load

        return ReceiverEye(load(who), sender, receiver)
    from perception import OpenClipTrunk, Trunks

    try:
        lines = [] if words is None else words.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the words cannot be read", words, "give a text file, a word a line") from error
    trunk = Trunks(torch.device("cpu"))[OpenClipTrunk()]
    known = [line.strip() for line in lines if line.strip()]
    return EncoderEye(lambda rgb: trunk(rgb, [trunk.deepest])[0].flatten(1), trunk.embed_text, known)


def _by_photos(config: TimmTrunk, drawings: Sequence[Path]) -> "EncoderEye":
    from perception import build_trunk

    trunk = build_trunk(config)

    def pictures(rgb: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        with torch.no_grad():
            parts = [trunk(some, [trunk.deepest])[0].mean(dim=(2, 3)) for some in rgb.split(CHUNK)]
        return torch.cat(parts)

    eye = EncoderEye(pictures, sharpness=1 / SOFT)
    if drawings:
        eye.middle = torch.stack([eye.drawn([each])[0] for each in drawings]).mean(dim=0)
    return eye


def picture_of(path: Path) -> Float[Tensor, "3 h w"]:
    """A PNG as numbers from 0 to 1, whatever its size and mode.

    Raises:
        InputError: it is not there, or no picture.
    """
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    except (OSError, ValueError) as error:
        raise InputError(
            "a picture of the study is missing or damaged", path, "take the folder as it was exported"
        ) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


class ReceiverEye:
    """A run's receiver, of this study's drawings or of others; it draws as the run's sender does.

    What it sees of a raster is the canvas that was exported, brought to its own size; a vector it sees as its own
    canvas draws the strokes. Words it knows by its gallery: a class counts as some of its pictures together.

    Args:
        run: a run whose game has receivers that choose.
        sender: number of the sender that draws.
        receiver: number of the receiver that looks.

    Raises:
        InputError: a run without receivers that choose, or without these agents.
    """

    def __init__(self, run: Run, sender: int = 0, receiver: int = 0) -> None:
        if not run.game.chooses:
            what = f"nobody chooses in a run of the game {run.config.game.kind}, so none of it can sit a study"
            raise InputError(what, run.folder, "take a run of the referential game")
        agents = (len(run.community.senders), len(run.community.receivers))
        if not (0 <= sender < agents[0] and 0 <= receiver < agents[1]):
            raise InputError(
                f"no sender {sender} or no receiver {receiver}", run.folder, f"it has {agents[0]} and {agents[1]}"
            )
        self.run = run
        self.pair = run.pair(sender, receiver)
        self.vocabulary = tuple(run.gallery.classes)
        self._coloured = run.config.sender.strokes.inks == 3
        self._words: dict[str, Tensor] = {}

    def alike(self, drawings: Sequence[Path], photos: Float[Tensor, "p 3 h w"]) -> Float[Tensor, "d p"]:
        """The receiver's scores, as in a game whose candidates are ``photos``."""
        size = self.run.gallery.size
        seen = (
            torch.nn.functional.interpolate(photos, (size, size), mode="area") if photos.shape[-1] != size else photos
        )
        place = torch.zeros(len(photos), dtype=torch.long)
        return self._scores(drawings, PictureView(self.run.gallery, place, lambda: seen.to(self.run.gallery.device)))

    def fits(self, drawings: Sequence[Path], words: Sequence[str]) -> Float[Tensor, "d w"]:
        """Log-sum-exp of the scores of some pictures of each word's class, over how many they are."""
        known = [word for word in words if word in self.vocabulary]
        found = torch.full((len(drawings), len(words)), -torch.inf)
        if not known or not drawings:
            return found
        picked = [self._pictures_of(word) for word in dict.fromkeys(known)]
        scores = self._scores(drawings, self.run.gallery.view(torch.cat(picked)))
        parts = scores.split([len(each) for each in picked], dim=1)
        sums = {w: p.logsumexp(1) - np.log(p.shape[1]) for w, p in zip(dict.fromkeys(known), parts, strict=True)}
        for place, word in enumerate(words):
            if word in sums:
                found[:, place] = sums[word]
        return found

    def sketch(self, photo: Float[Tensor, "1 3 h w"] | None, word: str | None) -> Strokes | None:
        """What the sender draws of the picture, or of the first of its own of that class."""
        gallery = self.run.gallery
        if photo is not None:
            size = gallery.size
            seen = torch.nn.functional.interpolate(photo, (size, size), mode="area")
            view = PictureView(gallery, torch.zeros(1, dtype=torch.long), lambda: seen.to(gallery.device))
        elif word in self.vocabulary:
            view = gallery.view(self._pictures_of(str(word))[:1])
        else:
            return None
        with torch.no_grad():
            return self.pair.draw(view, _noise())[0].cpu()

    def _pictures_of(self, word: str) -> Tensor:
        if word not in self._words:
            every = (self.run.gallery.label == self.vocabulary.index(word)).nonzero()[:, 0]
            self._words[word] = every[:: -(-len(every) // _OF_A_CLASS)]
        return self._words[word]

    def _scores(self, drawings: Sequence[Path], view: PictureView) -> Float[Tensor, "d p"]:
        device = self.run.gallery.device
        canvas = torch.stack([self._canvas(path) for path in drawings]).to(device)
        with torch.no_grad():
            photos = self.pair.look(view, 1, _noise())
            pool_of = torch.zeros(len(canvas), dtype=torch.long, device=device)
            return self.pair.guess(canvas.to(photos.dtype), photos, pool_of).float().cpu()

    def _canvas(self, path: Path) -> Float[Tensor, "*ink h w"]:
        """The ink that this receiver is given: of its own size, and coloured or not, as it knows it."""
        config = self.run.config.canvas
        if path.suffix == ".svg":
            strokes, _ = from_svg(path, colours=self._coloured)
            if strokes.colour is not None:  # as it is seen on paper; ink is what it takes away from white
                strokes = replace(strokes, colour=1 - strokes.colour[..., :3])
            elif self._coloured:
                strokes = replace(strokes, colour=torch.ones(*strokes.points.shape[:-2], 3))
            with torch.no_grad():
                return config.draw(strokes, self.run.step)
        ink = 1 - picture_of(path)
        ink = ink if self._coloured else ink.mean(0, keepdim=True)
        if ink.shape[-1] != config.size:
            ink = torch.nn.functional.interpolate(ink[None], (config.size, config.size), mode="area")[0]
        return ink if self._coloured else ink[0]


class EncoderEye:
    """An encoder that puts pictures, and words if it reads any, into one space, as CLIP does: cosines, sharpened.

    Args:
        pictures: [n, 3, h, w] in [0, 1] to [n, d]; drawings come as black on white, 224 pixels a side.
        words: texts to [k, d]; None for an encoder that reads none.
        vocabulary: the words that it names things with.
        sharpness: what cosines are multiplied by (100 for CLIP: Radford et al. 2021, section 2.5).

    Attributes:
        middle: what is taken off what it makes of drawings, [d]; None for nothing.
    """

    def __init__(
        self,
        pictures: Callable[[Tensor], Tensor],
        words: Callable[[Sequence[str]], Tensor] | None = None,
        vocabulary: Sequence[str] = (),
        sharpness: float = 100.0,
    ) -> None:
        self._pictures, self._texts = pictures, words
        self.vocabulary = tuple(vocabulary)
        self.middle: Tensor | None = None
        self._sharpness = sharpness

    def alike(self, drawings: Sequence[Path], photos: Float[Tensor, "p 3 h w"]) -> Float[Tensor, "d p"]:
        """Cosines of drawings and pictures; drawings about ``middle`` and pictures about their own mean, if it is
        there.
        """
        seen, shown = self.drawn(drawings), self._pictures(photos)
        if self.middle is not None:
            seen, shown = seen - self.middle, shown - shown.mean(dim=0)
        return self._cosines(seen, shown)

    def fits(self, drawings: Sequence[Path], words: Sequence[str]) -> Float[Tensor, "d w"]:
        """Cosines of drawings and of "a drawing of a ..."."""
        if self._texts is None:
            return torch.full((len(drawings), len(words)), -torch.inf)
        texts = self._texts([f"a drawing of a {word}" for word in words])
        return self._cosines(self.drawn(drawings), texts)

    def sketch(self, photo: Float[Tensor, "1 3 h w"] | None, word: str | None) -> Strokes | None:
        """An encoder draws nothing."""
        return None

    def drawn(self, drawings: Sequence[Path]) -> Float[Tensor, "n d"]:
        """What it makes of drawings."""
        return self._pictures(torch.stack([_on_paper(path) for path in drawings]))

    def _cosines(self, one: Tensor, two: Tensor) -> Tensor:
        with torch.no_grad():
            unit = [torch.nn.functional.normalize(each.float().cpu(), dim=-1) for each in (one, two)]
            return self._sharpness * unit[0] @ unit[1].T


def _on_paper(path: Path, size: int = 224) -> Float[Tensor, "3 h w"]:
    """A drawing as a person sees it, larger."""
    if path.suffix == ".svg":
        from resvg_py import svg_to_bytes

        png = svg_to_bytes(svg_string=path.read_text(encoding="utf-8"), width=size, height=size, background="white")
        with Image.open(io.BytesIO(bytes(png))) as picture:
            return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)
    return torch.nn.functional.interpolate(picture_of(path)[None], (size, size), mode="nearest")[0]


def _noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)
