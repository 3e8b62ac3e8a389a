"""The same things drawn by up to nine artists."""

import os
from pathlib import Path

import numpy as np

from games.pictures.album import Album
from games.pictures.config import EmojiPictures
from games.pictures.emoji_build import build
from games.pictures.emoji_sources import SOURCES, licences, pins
from games.pictures.fetch import fetch
from games.pictures.store import Arrays, read_arrays, write_arrays, write_whole
from perception import cache_folder
from raster.errors import InputError

KEYS = ("pictures", "label", "artist", "names", "groups", "artists")
READY_MADE = "emoji64.npz"


def load_emoji(config: EmojiPictures) -> Album:
    """The emoji from the folder that LASCAUX_DATA names (64 px), else from the cache, else fetched and kept.

    Raises:
        PicturesUnavailable: they are not in the cache and cannot be fetched.
        InputError: a damaged file, a file that is not the pinned one, a cache that cannot be written.
    """
    data = os.environ.get("LASCAUX_DATA")
    if data and config.size == 64:
        path = Path(data).expanduser() / READY_MADE
        do = "put a whole one there, or unset LASCAUX_DATA to use lascaux's own"
        return _album(read_arrays(path, KEYS, do), path, config.size, do)
    for path in cached(config.size):
        do = "delete it, and it is made again"
        return _album(read_arrays(path, KEYS, do), path, config.size, do)
    arrays = build(fetch(SOURCES), config.size)
    path = _place(config.size, arrays)
    write_whole(path.parent / "emoji-LICENCES.txt", lambda file: file.write(licence_text(arrays).encode()))
    write_arrays(path, arrays)
    return _album(arrays, path, config.size, "")


def cached(size: int) -> list[Path]:
    """Files of these pictures in the cache, the most complete first."""
    folder = cache_folder() / "pictures"
    whole = folder / f"emoji{size}-{pins()}.npz"
    # Those built without npm lack artists; what was once built is kept, so that figures stay comparable.
    partial = sorted(folder.glob(f"emoji{size}-{pins()}-without-*.npz"), key=lambda path: (len(path.name), path.name))
    return [path for path in (whole, *partial) if path.exists()]


def _place(size: int, arrays: Arrays) -> Path:
    missing = _absent([str(name) for name in arrays["artists"]])
    without = f"-without-{'-and-'.join(missing)}" if missing else ""
    return cache_folder() / "pictures" / f"emoji{size}-{pins()}{without}.npz"


def _absent(artists: list[str]) -> list[str]:
    return [source.artist for source in SOURCES if source.artist not in artists]


def _album(arrays: Arrays, path: Path, size: int, do: str) -> Album:
    """Check that the arrays fit together, and turn them into an album."""
    pictures, label, artist = (arrays[key] for key in KEYS[:3])
    names, groups, artists = ([str(word) for word in arrays[key]] for key in KEYS[3:])
    hands = {source.artist: source.hand for source in SOURCES}
    n = len(label)
    fits = (
        pictures.dtype == np.uint8
        and pictures.shape == (n, size, size, 3)
        and n > 0
        and len(artist) == n
        and len(names) == len(groups)
        and label.dtype.kind in "iu"
        and artist.dtype.kind in "iu"
        and 0 <= int(label.min()) <= int(label.max()) < len(names)
        and 0 <= int(artist.min()) <= int(artist.max()) < len(artists)
        and set(artists) <= set(hands)
    )
    if not fits:
        raise InputError("the file is damaged (its parts do not fit together)", path, do)
    numbers = {hand: number for number, hand in enumerate(dict.fromkeys(hands[name] for name in artists))}
    missing = _absent(artists)
    return Album(
        pixels=np.ascontiguousarray(pictures.astype(np.uint8, copy=False).transpose(0, 3, 1, 2)),
        label=label.astype(np.int64),
        artist=artist.astype(np.int64),
        classes=names,
        groups=groups,
        artists=artists,
        hands=[numbers[hands[name]] for name in artists],
        absent=missing,
        source=f"emoji by {len(artists)} artists, {size} px" + (f" (without {', '.join(missing)})" if missing else ""),
        licences=licences(artists),
        place=path,
    )


def licence_text(arrays: Arrays) -> str:
    """What stands beside the cached pictures: whose drawings they are, and under which terms."""
    lines = licences([str(name) for name in arrays["artists"]])
    return "\n".join(
        [
            "The pictures in this folder are drawings by several artists, each under a licence of its own.",
            "They were rasterised on white by lascaux and are otherwise unchanged.",
            "",
            *lines,
            "",
            "Apache-2.0: https://www.apache.org/licenses/LICENSE-2.0",
            "CC-BY-4.0: https://creativecommons.org/licenses/by/4.0/",
            "CC-BY-SA-4.0: https://creativecommons.org/licenses/by-sa/4.0/",
            "MIT: https://github.com/microsoft/fluentui-emoji/blob/main/LICENSE",
            "",
        ]
    )
