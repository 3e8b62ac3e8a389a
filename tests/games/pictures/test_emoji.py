"""The same things by many artists: joined rightly, kept whole, told when damaged."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from games.pictures import EmojiPictures, PicturesUnavailable, SplitConfig, describe, emoji, load_album, load_gallery
from games.pictures.emoji_build import build
from games.pictures.emoji_sources import COMPLETE, SOURCES, pins
from games.pictures.fetch import Files
from perception import Trunks
from raster.errors import InputError

CODES = {"1f408": "cat", "1f989": "owl", "1fa86": "nesting-dolls", "1f600": "grin", "1f5a8": "printer"}
GROUPS = {
    "Animals & Nature": ["cat", "owl"],
    "Objects": ["nesting-dolls", "printer"],
    "Smileys & Emotion": ["grin"],
}


def icon(colour: str, **more: Any) -> dict[str, Any]:
    return {"body": f'<rect width="10" height="10" fill="{colour}"/>', **more}


def webp(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (width, height), (0, 0, 255, 255)).save(file, "webp", lossless=True)
    return file.getvalue()


def icons(names: dict[str, dict[str, Any]], **more: Any) -> bytes:
    return json.dumps({"icons": names, "width": 10, "height": 10, **more}).encode()


@pytest.fixture
def files() -> Files:
    """Tiny sets laid out like the real ones."""
    names = list(CODES.values())
    chars = json.dumps(CODES).encode()
    found: Files = {
        name: {"icons.json": icons({n: icon("red") for n in names}), "chars.json": chars} for name in COMPLETE
    }
    found["noto"]["metadata.json"] = json.dumps({"categories": GROUPS}).encode()
    found["twemoji"]["chars.json"] = json.dumps({code: name for code, name in CODES.items() if name != "owl"}).encode()
    found["openmoji"]["icons.json"] = icons({n: icon("lime", width=20) for n in names})
    found["noto-v1"] = {"icons.json": icons({"dolls": icon("red")}, aliases={"nesting-dolls": {"parent": "dolls"}})}
    found["fxemoji"] = {"icons.json": icons({"nestingdolls": icon("black"), "cat": icon("black", left=5)})}
    found["emojione"] = {"icons.json": icons({})}
    found["emojione-v1"] = {"icons.json": icons({"cat": icon("red")})}
    found["fluent-emoji-3d"] = {
        "assets/1f408.webp": webp(32, 32),
        "assets/1fa86.webp": webp(32, 64),
        "assets/1f5a8-fe0f.webp": webp(32, 32),
    }
    return found


def who_drew(arrays: dict[str, Any], thing: str) -> list[str]:
    own = arrays["label"] == arrays["names"].tolist().index(thing)
    return [str(arrays["artists"][a]) for a in arrays["artist"][own]]


def picture(arrays: dict[str, Any], thing: str, artist: str) -> np.ndarray:
    label, number = arrays["names"].tolist().index(thing), arrays["artists"].tolist().index(artist)
    (found,) = arrays["pictures"][(arrays["label"] == label) & (arrays["artist"] == number)]
    return found


def test_drawings_are_joined_by_code_point_name_or_letters(files: Files) -> None:
    arrays = build(files, 16)
    assert arrays["names"].tolist() == ["cat", "nesting-dolls", "printer"]  # twemoji has no owl; no faces
    assert arrays["groups"].tolist() == ["Animals & Nature", "Objects", "Objects"]
    assert who_drew(arrays, "cat") == [*COMPLETE[:3], "emojione-v1", "fxemoji", COMPLETE[3], "fluent-emoji-3d"]
    assert who_drew(arrays, "nesting-dolls") == [
        "noto",
        "noto-v1",
        *COMPLETE[1:3],
        "fxemoji",
        COMPLETE[3],
        "fluent-emoji-3d",
    ]
    assert who_drew(arrays, "printer") == list(COMPLETE)
    assert np.all(np.diff(arrays["label"]) >= 0)


def test_drawings_lie_in_the_middle_of_white_squares(files: Files) -> None:
    arrays = build(files, 16)
    assert (picture(arrays, "cat", "noto") == [255, 0, 0]).all()
    wide = picture(arrays, "cat", "openmoji")  # 10 of 20 units wide: a strip between white
    assert (wide[:4] == 255).all() and (wide[12:] == 255).all()
    assert (wide[5:11, :7] == [0, 255, 0]).all() and (wide[5:11, 9:] == 255).all()
    moved = picture(arrays, "cat", "fxemoji")
    assert (moved[:, :7] == 0).all() and (moved[:, 9:] == 255).all()
    tall = picture(arrays, "nesting-dolls", "fluent-emoji-3d")
    assert (tall[:, :4] == 255).all() and (tall[:, 12:] == 255).all() and (tall[:, 5:11] == [0, 0, 255]).all()


@pytest.mark.parametrize("size", [16, 64, 100])
def test_any_size_can_be_drawn(files: Files, size: int) -> None:
    assert build(files, size)["pictures"].shape[1:] == (size, size, 3)


def test_without_the_base_sets_drawings_its_names_still_join_the_others(files: Files) -> None:
    del files["noto"]["icons.json"], files["fluent-emoji-3d"]
    arrays = build(files, 16)
    assert arrays["names"].tolist() == ["cat", "nesting-dolls", "printer"]
    assert not {"noto", "fluent-emoji-3d"} & set(arrays["artists"].tolist())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LASCAUX_CACHE", str(tmp_path))
    monkeypatch.delenv("LASCAUX_DATA", raising=False)
    return tmp_path / "pictures"


@pytest.fixture
def fetched(files: Files, cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fetching gives the tiny sets; the list grows by one each time."""
    calls: list[int] = []

    def fake(sources: object) -> Files:
        calls.append(len(calls))
        return files

    monkeypatch.setattr(emoji, "fetch", fake)
    return calls


def test_pictures_are_fetched_once_and_kept_in_one_file_with_licences(fetched: list[int], cache: Path) -> None:
    first = load_album(EmojiPictures(size=16))
    again = load_album(EmojiPictures(size=16))
    assert fetched == [0]
    assert first.content() == again.content()
    kept = cache / f"emoji16-{pins()}-without-emojione.npz"
    assert sorted(path.name for path in cache.iterdir()) == ["emoji-LICENCES.txt", kept.name]
    assert again.place == kept
    licences = (cache / "emoji-LICENCES.txt").read_text()
    for source in SOURCES:
        if source.artist != "emojione":
            assert source.line in licences and source.line in again.licences
    assert "emojione-v1: CC-BY-SA-4.0" in licences


def test_near_twins_share_a_hand(fetched: list[int]) -> None:
    gallery = load_gallery(EmojiPictures(size=16, split=SplitConfig(by=("picture",))), Trunks())
    hands = {name: int(gallery.hand[gallery.artist == number][0]) for number, name in enumerate(gallery.artists)}
    assert hands["fluent-emoji-flat"] == hands["fluent-emoji-3d"]
    assert len(set(hands.values())) == len(hands) - 1
    assert "emojione" in "\n".join(describe(gallery))


def test_the_whole_set_is_preferred_to_a_part_and_a_part_to_fetching(fetched: list[int], cache: Path) -> None:
    part = load_album(EmojiPictures(size=16)).place
    assert part is not None
    whole = cache / f"emoji16-{pins()}.npz"
    whole.write_bytes(part.read_bytes())
    assert load_album(EmojiPictures(size=16)).place == whole
    assert fetched == [0]


@pytest.mark.parametrize("harm", ["empty", "half", "text", "flipped", "no labels", "labels out of range", "pickle"])
def test_a_damaged_cache_is_one_line_that_names_it_and_is_left_as_it_is(
    fetched: list[int], cache: Path, harm: str
) -> None:
    path = load_album(EmojiPictures(size=16)).place
    assert path is not None
    whole = path.read_bytes()
    arrays = dict(np.load(path))
    if harm == "empty":
        path.write_bytes(b"")
    elif harm == "half":
        path.write_bytes(whole[: len(whole) // 2])
    elif harm == "text":
        path.write_text("no pictures here")
    elif harm == "flipped":
        middle = whole.index(b"pictures.npy") + 60
        path.write_bytes(
            whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 9]) + whole[middle + 9 :]
        )
    elif harm == "no labels":
        del arrays["label"]
        np.savez(path, **arrays)
    elif harm == "labels out of range":
        arrays["label"] = arrays["label"] + 1
        np.savez(path, **arrays)
    else:
        np.savez(path, **{**arrays, "names": np.array([{"a": 1}], dtype=object)})
    before = path.read_bytes()
    with pytest.raises(InputError, match="damaged") as told:
        load_album(EmojiPictures(size=16))
    assert str(path) in str(told.value) and "delete it" in str(told.value)
    assert path.read_bytes() == before and fetched == [0]
    path.unlink()
    assert load_album(EmojiPictures(size=16)).place == path


def test_nothing_half_written_is_left_when_writing_fails(
    fetched: list[int], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, **arrays: Any) -> None:
        file.write(b"some bytes")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match=rf"No space left.*{re.escape(str(cache))}"):
        load_album(EmojiPictures(size=16))
    assert [path.name for path in cache.iterdir()] == ["emoji-LICENCES.txt"]


def test_nothing_is_written_when_nothing_could_be_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sources: object) -> Files:
        raise PicturesUnavailable("no network")

    monkeypatch.setattr(emoji, "fetch", fail)
    with pytest.raises(PicturesUnavailable):
        load_album(EmojiPictures())
    assert not cache.exists()


def test_data_named_by_the_variable_must_be_there_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[int]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("LASCAUX_DATA", str(data))
    with pytest.raises(InputError, match=r"no such file.*emoji64\.npz"):
        load_album(EmojiPictures())
    (data / "emoji64.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match=r"damaged.*emoji64\.npz"):
        load_album(EmojiPictures())
    assert load_album(EmojiPictures(size=16)).pixels.shape[-1] == 16  # other sizes are made as ever
    assert fetched == [0]


def test_the_ready_made_pictures_are_853_things_by_nine_artists(data_folder: Path) -> None:
    gallery = load_gallery(EmojiPictures(), Trunks())
    assert (len(gallery), len(gallery.classes), len(gallery.artists)) == (6366, 853, 9)
    assert len(set(gallery.groups)) == 5
    assert gallery.place == data_folder / "emoji64.npz"
    for name in ("test", "test/unseen-artist", "validation", "validation/unseen-artist"):
        split = gallery.splits[name]
        both = set(gallery.label[split.shown].tolist())
        assert len(both) >= 64, f"{name} has too few classes for K = 64"
    # What the build from the packages gives, byte for byte (checked when the pins were made).
    assert gallery.content == "fb3af4e364347396117bd9e1b952f95be446c885b5a31eb0908f3c4ef5375d9d"
