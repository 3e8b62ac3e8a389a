"""The nine sets of emoji drawings: where they come from, exactly which files, under which licence."""

import hashlib
from dataclasses import dataclass, field

GROUPS = ("Animals & Nature", "Food & Drink", "Objects", "Travel & Places", "Activities")
"""Groups of things; people, faces, flags and signs are left out."""


@dataclass(frozen=True)
class Source:
    """One artist's npm package, pinned.

    Attributes:
        artist: the artist's name in a gallery.
        package: npm package.
        version: its version.
        licence: SPDX name of the licence of the art.
        by: whom the licence wants named, and where the art lives.
        files: SHA-256 of each file used; ``*`` stands for the whole package file.
        join: how its drawings find their thing: by ``code`` point, by ``name``, by ``letters`` (the name without
            hyphens) or by ``file`` (a file a drawing, named by code point).
        hand: sets of one hand are near twins.
    """

    artist: str
    package: str
    version: str
    licence: str
    by: str
    files: dict[str, str] = field(hash=False)
    join: str
    hand: str

    @property
    def single_files(self) -> bool:
        """Whether the few files used can be fetched one by one."""
        return "*" not in self.files

    @property
    def line(self) -> str:
        """The licence line that goes with the pictures."""
        return f"{self.artist}: {self.licence}, {self.by} (npm {self.package} {self.version})"


SOURCES = (
    Source(
        "noto",
        "@iconify-json/noto",
        "1.2.9",
        "Apache-2.0",
        "Google Inc., github.com/googlefonts/noto-emoji",
        {
            "icons.json": "9eac6ef4e7ec122b6f0e7ac281d61008afdbc720d0ce861e398b939daaa347c6",
            "chars.json": "91485653ca890bff640f2a6c2d7be62d625a90527b6b4d816b41593675bf5c8f",
            "metadata.json": "2c2aa0df0fc8371d08cb6183f8f45eec0d73dce85fc4bbc8e17980ba024c4d5c",
        },
        "code",
        "noto",
    ),
    Source(
        "noto-v1",
        "@iconify-json/noto-v1",
        "1.2.5",
        "Apache-2.0",
        "Google Inc., github.com/googlefonts/noto-emoji",
        {"icons.json": "ce70d8aa90345cf389875c3571ecd245bd943401822a0c5a0f62336bf8487333"},
        "name",
        "noto-v1",
    ),
    Source(
        "twemoji",
        "@iconify-json/twemoji",
        "1.2.5",
        "CC-BY-4.0",
        "Twitter Inc. and contributors, github.com/jdecked/twemoji",
        {
            "icons.json": "5d5d820790565b764f2728675d487c9ee4c1fc83916d8567d5aca8ba7527c242",
            "chars.json": "8e6a83d5a3ac185b2446154b9c4ee07c983bd4a5b2a21aa4b9ff04af9831eefe",
        },
        "code",
        "twemoji",
    ),
    Source(
        "openmoji",
        "@iconify-json/openmoji",
        "1.2.29",
        "CC-BY-SA-4.0",
        "OpenMoji, github.com/hfg-gmuend/openmoji",
        {
            "icons.json": "7075331faab544067dbff4236471dd378bb5410aa05799a8a343c9ebf5c5984c",
            "chars.json": "8583c4c65723c22c043a50a27038c43d3d12de336ad409872b23356f4c3e3825",
        },
        "code",
        "openmoji",
    ),
    Source(
        "emojione",
        "@iconify-json/emojione",
        "1.2.3",
        "CC-BY-4.0",
        "Emoji One, github.com/EmojiTwo/emojitwo",
        {"icons.json": "e9a865faed523a7c3535b5319ae533d09fac1a62b4e96920eb178bb60e707e80"},
        "name",
        "emojione",
    ),
    Source(
        "emojione-v1",
        "@iconify-json/emojione-v1",
        "1.2.3",
        "CC-BY-SA-4.0",
        "Emoji One, github.com/joypixels/emojione-legacy",
        {"icons.json": "7209a500c5607daff4969e5d5ae25da710ab1877c29efec6199d3611a8d5c942"},
        "name",
        "emojione-v1",
    ),
    Source(
        "fxemoji",
        "@iconify-json/fxemoji",
        "1.2.2",
        "Apache-2.0",
        "Mozilla, github.com/mozilla/fxemoji",
        {"icons.json": "d8ef67b94a32d0abcd314d1c35db56178eaa8fa8ad71130e312f3460e307c2bf"},
        "letters",
        "fxemoji",
    ),
    Source(
        "fluent-emoji-flat",
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "MIT",
        "Microsoft Corporation, github.com/microsoft/fluentui-emoji",
        {
            "icons.json": "f5f4cf457c0db2ad5a2e42e033e02e0c87d10e43d0164cfffb3bb84914970a63",
            "chars.json": "7f084c5a95807edb4702a7c9f6f18e74d59026d1c34ceb8cae85df0b9a9f0a10",
        },
        "code",
        "fluent",
    ),
    Source(
        "fluent-emoji-3d",
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "MIT",
        "Microsoft Corporation, github.com/microsoft/fluentui-emoji; packed by LobeHub",
        {"*": "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58"},
        "file",
        "fluent",
    ),
)

BASE = "noto"
"""Gives the things their names, order and groups."""
COMPLETE = ("noto", "twemoji", "openmoji", "fluent-emoji-flat")
"""A thing counts when each of these drew it."""


def pins() -> str:
    """A short mark of exactly these files: another pin, another cache file."""
    every = [f"{s.package} {s.version} {name} {sha}" for s in SOURCES for name, sha in sorted(s.files.items())]
    return hashlib.sha256("\n".join(every).encode()).hexdigest()[:8]


def licences(artists: tuple[str, ...] | list[str]) -> list[str]:
    """The licence lines of these artists."""
    return [source.line for source in SOURCES if source.artist in artists]
