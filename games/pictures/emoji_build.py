"""Join the sets of emoji drawings by what they show, and rasterise them."""

import io
import json
from typing import Any, NamedTuple

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from games.pictures.emoji_sources import BASE, COMPLETE, GROUPS, SOURCES, Source
from games.pictures.fetch import Files, say
from games.pictures.images import on_white
from games.pictures.store import Arrays


class Thing(NamedTuple):
    """One class: its name, its code point(s) as ``1f43b`` or ``1f43b-200d-2744``, its group."""

    name: str
    code: str
    group: str


def build(files: Files, size: int) -> Arrays:
    """All drawings of all things; needs no network.

    Args:
        files: what ``fetch`` gave. Sets without drawings are left out; the base set's names must be there.
        size: pixels a side.

    Returns:
        pictures uint8 [n, size, size, 3] on white, label [n], artist [n], names [T], groups [T], artists [A]; sorted
        by thing, then artist.
    """
    say(f"drawing them at {size} pixels")
    sets = {source.artist: _Set(source, files[source.artist]) for source in SOURCES if source.artist in files}
    artists = [name for name, one in sets.items() if one.drawings]
    found = things(sets)
    pictures, label, artist = [], [], []
    for number, thing in enumerate(found):
        for position, name in enumerate(artists):
            drawing = sets[name].find(thing)
            if drawing is not None:
                pictures.append(sets[name].draw(drawing, size))
                label.append(number)
                artist.append(position)
    return {
        "pictures": np.stack(pictures),
        "label": np.array(label, dtype=np.int16),
        "artist": np.array(artist, dtype=np.int8),
        "names": np.array([thing.name for thing in found]),
        "groups": np.array([thing.group for thing in found]),
        "artists": np.array(artists),
    }


def things(sets: dict[str, "_Set"]) -> list[Thing]:
    """The things of the five groups that all of the complete sets know, in the base set's order."""
    base = sets[BASE]
    group = {name: group for group in GROUPS for name in base.categories.get(group, ())}
    known = [sets[name].codes for name in COMPLETE]
    every = [Thing(name, code, group[name]) for code, name in base.codes.items() if name in group]
    return [thing for thing in every if all(thing.code in codes for codes in known)]


class _Set:
    """One artist's drawings, as the package lays them out.

    icons.json: ``{"icons": {name: {"body", "width"?, "height"?, "left"?, "top"?}}, "aliases": {name: {"parent"}}}``;
    chars.json: ``{"1f408": "cat"}``; metadata.json: ``{"categories": {group: [names]}}``; or a webp a drawing.
    """

    def __init__(self, source: Source, files: dict[str, bytes]) -> None:
        self.source = source
        icons: dict[str, Any] = json.loads(files.get("icons.json", b"{}"))
        self.defaults = icons
        self.drawings: dict[str, Any] = icons.get("icons", {})
        self.aliases: dict[str, Any] = icons.get("aliases", {})
        self.codes: dict[str, str] = json.loads(files.get("chars.json", b"{}"))
        self.categories: dict[str, list[str]] = json.loads(files.get("metadata.json", b"{}")).get("categories", {})
        if source.join == "file":
            webps = {name: data for name, data in files.items() if name.endswith(".webp")}
            self.drawings = {name.rpartition("/")[2].removesuffix(".webp"): data for name, data in webps.items()}

    def find(self, thing: Thing) -> str | None:
        """The drawing of a thing; None where this artist did not draw it."""
        names = {
            "code": self.codes.get(thing.code),
            "name": thing.name,
            "letters": thing.name.replace("-", ""),
            # To the letter: 118 files with a variation selector in their name (1f5a8-fe0f) stay out, so that these are
            # the pictures that all figures were measured on.
            "file": thing.code,
        }
        name = names[self.source.join]
        for _ in range(5):  # an alias may lead to an alias
            if name is None or name in self.drawings:
                break
            name = self.aliases.get(name, {}).get("parent")
        return name if name in self.drawings else None

    def draw(self, name: str, size: int) -> NDArray[np.uint8]:
        """A drawing in the middle of a white square, [size, size, 3]."""
        drawing = self.drawings[name]
        if isinstance(drawing, bytes):
            with Image.open(io.BytesIO(drawing)) as picture:
                rgba = picture.convert("RGBA")
            if max(rgba.size) < size:  # thumbnail only makes smaller
                rgba = rgba.resize(
                    [round(side * size / max(rgba.size)) for side in rgba.size], Image.Resampling.LANCZOS
                )
            rgba.thumbnail((size, size), Image.Resampling.LANCZOS)
            square = Image.new("RGBA", (size, size))
            square.paste(rgba, ((size - rgba.width) // 2, (size - rgba.height) // 2))
            return np.asarray(on_white(square))

        left, top, width, height = (
            drawing.get(key, self.defaults.get(key, usual))
            for key, usual in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        )
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{size}" height="{size}" viewBox="{left} {top} {width} {height}">{drawing["body"]}</svg>'
        )
        png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
        with Image.open(io.BytesIO(bytes(png))) as picture:
            return np.asarray(on_white(picture.convert("RGBA")))
