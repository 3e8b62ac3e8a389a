"""The same picture as several networks would have it drawn: one sheet, the same strokes and seed for all.

After Perceptions (Mihai & Hare 2021): what differs between two drawings is only who looks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agents.biases import Likeness
from perception import FrozenTrunk, OpenClipTrunk, TimmTrunk, TorchvisionTrunk, Trunks, numbered, uses_judge
from raster import InputError
from raster.shapes import Tensor, UInt8
from runs.draw.config import DrawConfig
from runs.draw.start import Drawn, default_folder, draw, photos_at
from runs.draw.studio import album_of
from runs.folder import Folder, write_atomic
from runs.start import choose_device

SHEET = "seen.png"
"""The contact sheet's name."""
_HOW = "NAME[@WEIGHTS][:LEVEL[+LEVEL...]], such as vgg16, packaged:2 or resnet50@random:layer3"
_LABEL = 22  # pixels of a line of words


@dataclass(frozen=True)
class Eye:
    """Who looks: a network, and the levels of it that compare.

    >>> eye = Eye.of("packaged:1+2")
    >>> eye.trunk.name, eye.levels
    ('packaged', (1, 2))
    """

    word: str
    trunk: FrozenTrunk
    levels: tuple[int | str, ...] | None

    @classmethod
    def of(cls, word: str) -> "Eye":
        """Read NAME[@WEIGHTS][:LEVEL[+LEVEL...]].

        ``vgg16`` and ``resnet50`` are torchvision's, ``clip`` is open_clip's, any other a name of timm's. Without
        levels those of the config's likeness are compared, or of torchvision's networks all five.

        Raises InputError for a word that is not of this form, a level that there is not, and the judge.
        """
        found = re.fullmatch(r"([^@:]+)(?:@([^:]+))?(?::([^:]+))?", word.strip())
        if found is None:
            raise InputError(f"cannot read the network {word!r}", "--as-seen-by", f"say {_HOW}")
        name, weights, levels = found[1], found[2], found[3]
        given = {} if weights is None else {"weights": weights}
        trunk: FrozenTrunk
        if name in ("vgg16", "resnet50"):
            trunk = TorchvisionTrunk.model_validate({"name": name, **given})
        elif name == "clip":
            trunk = OpenClipTrunk.model_validate(given)
        else:
            trunk = TimmTrunk.model_validate({"name": name, **given})
        if uses_judge(trunk):
            raise InputError(f"{name} is the judge, which only probes may use", "--as-seen-by", "take another network")
        chosen: tuple[int | str, ...] | None = None
        if levels is not None:
            chosen = tuple(int(each) if each.isdecimal() else each for each in levels.split("+"))
            numbered(trunk, chosen)
        return cls(word.strip(), trunk, chosen)

    @property
    def folder(self) -> str:
        """A name for its folder."""
        return re.sub(r"[^A-Za-z0-9.+-]+", "-", self.word).strip("-.") or "network"

    def config(self, config: DrawConfig) -> DrawConfig:
        """The same config with this network in every ``likeness``; with one, where there is none."""
        biases = [self._likeness(each) if isinstance(each, Likeness) else each for each in config.biases]
        if not any(isinstance(each, Likeness) for each in biases):
            biases.append(self._likeness(Likeness()))
        return config.model_copy(update={"biases": tuple(biases)})

    def _likeness(self, like: Likeness) -> Likeness:
        levels: tuple[int | str, ...]
        if self.levels is not None:
            levels = self.levels
        elif isinstance(self.trunk, TorchvisionTrunk):
            levels = (0, 1, 2, 3, 4)
        elif isinstance(self.trunk, OpenClipTrunk):
            levels = (0,)
        else:
            levels = like.levels
        weights = like.weights if like.weights is not None and len(like.weights) == len(levels) else None
        return like.model_copy(update={"trunk": self.trunk, "levels": levels, "weights": weights})


def as_seen_by(
    config: DrawConfig,
    pictures: Sequence[Path | str],
    eyes: Sequence[Eye],
    out: Path | str | None = None,
    *,
    resume: bool = False,
    watch: Path | str | None = None,
    device: str = "auto",
    progress: bool = True,
    plugins: tuple[str, ...] = (),
) -> Path:
    """Draw pictures once for each network, in a folder each, and lay them side by side: ``seen.png``, whose path is
    returned.

    Arguments and errors as ``draw``; the networks are built first, so that one whose weights are not at hand is told
    before anything is drawn. Ctrl-C leaves a sheet of what there is.
    """
    doubles = {each.folder for each in eyes if sum(each.folder == other.folder for other in eyes) > 1}
    if doubles or not eyes:
        what = f"the network {min(doubles)!r} stands twice" if doubles else "no network"
        raise InputError(what, "--as-seen-by", f"give each once: {_HOW}")
    files = [Path(each) for each in pictures]
    trunks = Trunks(choose_device(device))
    for eye in eyes:
        _check_levels(eye, eye.config(config), trunks)
    album = album_of(files, config.canvas.size, config.fit)
    folder = Folder(Path(out) if out is not None else default_folder(config, album))
    folder.check_place()
    if folder.used() and not resume:
        raise InputError("the folder is not empty", folder.path, "--resume goes on in it, --out takes another")
    found: list[Drawn] = []
    try:
        for eye in eyes:
            mine = eye.config(config)
            where = folder.path / eye.folder
            found.append(
                draw(mine, files, where, resume=resume, watch=watch, device=device, progress=progress,
                     plugins=plugins, trunks=trunks)
            )  # fmt: skip
    finally:
        if found:
            size = min(256, config.picture)
            save_sheet(photos_at(album, size), [each.word for each in eyes], found, folder.path / SHEET)
    return folder.path / SHEET


def _check_levels(eye: Eye, config: DrawConfig, trunks: Trunks) -> None:
    """Build a network, and see that it has the levels."""
    trunk = trunks[eye.trunk]
    for each in config.biases:
        if isinstance(each, Likeness):
            for level in numbered(eye.trunk, each.levels):
                if level > trunk.deepest:
                    do = f"it has {trunk.deepest + 1}, 0 to {trunk.deepest}"
                    raise InputError(f"{eye.word} has no level {level}", "--as-seen-by", do)


def save_sheet(
    photos: UInt8[Tensor, "b 3 size size"], words: Sequence[str], drawn: Sequence[Drawn], path: Path, gap: int = 8
) -> None:
    """Write the sheet: a row a picture, first the photo, then a column a network with its name above."""
    size = photos.shape[-1]
    columns = [list(photos), *([sheet.pixels(size) for sheet in each.sheets.values()] for each in drawn)]
    wide, tall = len(columns) * (size + gap) + gap, len(photos) * (size + gap) + gap + _LABEL
    sheet = Image.new("RGB", (wide, tall), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for across, (word, column) in enumerate(zip(["photo", *words], columns, strict=False)):
        x = gap + across * (size + gap)
        pen.text((x + size // 2, _LABEL // 2 + 2), _short(word, size), fill="black", font=font, anchor="mm")
        for down, picture in enumerate(column):
            pixels: np.ndarray = picture.permute(1, 2, 0).contiguous().cpu().numpy()
            sheet.paste(Image.fromarray(pixels), (x, _LABEL + down * (size + gap)))
    write_atomic(path, lambda temporary: sheet.save(temporary, format="PNG"))


def _short(word: str, size: int) -> str:
    most = max(6, size // 8)
    return word if len(word) <= most else word[: most - 3] + "..."
