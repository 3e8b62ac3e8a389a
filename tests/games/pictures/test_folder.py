"""A person's own pictures: whatever they are, read rightly or refused in one line."""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from games.pictures import FolderPictures, SplitConfig, load_album, load_gallery
from games.pictures.choose import choose
from games.pictures.images import read_picture
from perception import Trunks
from raster.errors import InputError

RED = (255, 0, 0)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four pictures."""
    root = tmp_path / "mine"
    for number, (name, colour) in enumerate((("apples", RED), ("plums", (60, 0, 160)))):
        for view in range(4):
            save(root / name / f"{view}.png", Image.new("RGB", (20 + view, 16 + number), colour))
    return root


def load(folder: Path, **more: object) -> np.ndarray:
    return load_album(FolderPictures.model_validate({"path": str(folder), "size": 16, "kind": "folder", **more})).pixels


def test_a_sub_folder_is_a_class(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "apples" / ".DS_Store").write_bytes(b"not a picture")
    split = SplitConfig(by=("picture",), validation=0.25, test=0.25)
    gallery = load_gallery(FolderPictures(path=str(folder), size=16, split=split), Trunks())
    assert gallery.classes == ["apples", "plums"] and gallery.label.tolist() == [0] * 4 + [1] * 4
    assert (gallery.pixels[:4] == np.array(RED)[:, None, None]).all()
    assert gallery.place == folder and str(folder) in gallery.source


def test_the_order_of_pictures_is_that_of_their_names(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for path in sorted(folder.rglob("*.png"), reverse=True):  # written the other way round
        target = other / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    one, two = (load_album(FolderPictures(path=str(root), size=16)) for root in (folder, other))
    assert one.content() == two.content()


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("1", 0, 0),
        ("L", 128, 128),
        ("LA", (128, 255), 128),
        ("LA", (0, 0), 255),
        ("P", 3, None),
        ("RGB", RED, RED),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), 255),
        ("RGBA", (255, 0, 0, 128), (255, 127, 127)),
        ("CMYK", (0, 255, 255, 0), RED),
        ("YCbCr", (76, 85, 255), (254, 0, 0)),
        ("HSV", (0, 255, 255), RED),
        ("LAB", (255, 128, 128), 255),
        ("I;16", 32896, 128),
        ("I;16B", 32896, 128),
        ("I", 32896, 128),
        ("I", 128, 128),
        ("F", 0.5, 128),
        ("F", 128.0, 128),
    ],
)
def test_every_mode_of_picture_is_seen_as_it_looks_on_white(
    tmp_path: Path, mode: str, colour: object, seen: object
) -> None:
    image = Image.new(mode, (12, 12), colour)  # type: ignore[arg-type]
    if mode == "P":
        image.putpalette([0, 0, 0] * 3 + [10, 200, 30])
        seen = (10, 200, 30)
    kind = {"HSV": None, "YCbCr": "jpg", "CMYK": "tif", "LAB": "tif", "F": "tif", "I": "tif", "I;16B": "tif"}
    suffix = kind.get(mode, "png")
    if suffix is None:  # no file format keeps it
        image, suffix = image.convert("RGB"), "png"
    pixels = read_picture(save(tmp_path / f"one.{suffix}", image), 16)
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - np.broadcast_to(np.array(seen), (16, 16, 3))).max() <= 2


def test_a_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (12, 12), 1)
    image.putpalette([0, 0, 0, 9, 9, 9])
    for transparency in (1, bytes([255, 0])):
        pixels = read_picture(save(tmp_path / "one.png", image, transparency=transparency), 16)
        assert (pixels == 255).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(tmp_path: Path, turn: int) -> None:
    upright = Image.new("RGB", (16, 16), "white")
    upright.paste(RED, (0, 0, 8, 4))
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    lying = upright.transpose(back[turn]) if turn in back else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    pixels = read_picture(save(tmp_path / "one.png", lying, exif=exif), 16)
    assert np.array_equal(pixels, np.asarray(upright))


def test_broken_exif_is_no_reason_to_refuse_a_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "one.png", Image.new("RGB", (16, 16), RED), exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
    assert (read_picture(path, 16) == RED).all()


def test_crop_takes_the_middle_and_pad_keeps_all(tmp_path: Path) -> None:
    wide = Image.new("RGB", (48, 16), "white")
    wide.paste(RED, (16, 0, 32, 16))
    path = save(tmp_path / "one.png", wide)
    assert (read_picture(path, 16, "crop") == RED).all()
    padded = read_picture(path, 48, "pad")
    assert (padded[:16] == 255).all() and (padded[32:] == 255).all() and (padded[18:30, 18:30] == RED).all()


def test_the_first_picture_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 0, 255))]
    path = save(tmp_path / "one.gif", frames[0], save_all=True, append_images=frames[1:])
    assert (read_picture(path, 16) == RED).all()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is large; decoding it would fail or fill the memory."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def truncated() -> bytes:
    import io

    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "jpeg")
    return file.getvalue()[:1500]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tiny.png", png_header(1, 1), "1x1 pixels"),
        ("huge.png", png_header(20_000, 20_000), "too many pixels"),
        ("large.png", png_header(9_300, 9_300), "too many pixels"),
        ("panorama.png", png_header(20_000, 4_100), "20,000x4,100"),
        ("cut.jpg", truncated(), "damaged"),
        ("cut.png", png_header(64, 64), "damaged"),
        ("notes.txt", b"milk, eggs", "not a picture"),
        ("empty.png", b"", "not a picture"),
    ],
)
def test_a_file_that_is_no_usable_picture_is_named(folder: Path, name: str, content: bytes, message: str) -> None:
    path = folder / "plums" / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as told:
        load(folder)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"GIF89a", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"RIFF....WEBP"])
)
def test_no_bytes_make_reading_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(head + tail)
    with contextlib.suppress(InputError):
        assert read_picture(path, 16).shape == (16, 16, 3)


def test_a_folder_that_is_not_laid_out_in_classes_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="a file, not a folder"):
        load(folder / "apples" / "0.png")
    with pytest.raises(InputError, match="no sub-folders"):
        load(folder / "apples")
    loose = save(folder / "loose.png", Image.new("RGB", (16, 16)))
    with pytest.raises(InputError, match=r"beside the classes.*loose\.png"):
        load(folder)
    loose.unlink()
    (folder / "pears").mkdir()
    with pytest.raises(InputError, match=r"'pears' is empty.*pears"):
        load(folder)
    (folder / "pears" / "green").mkdir()
    with pytest.raises(InputError, match=r"sub-folder of its own.*green"):
        load(folder)


def test_more_pictures_than_memory_holds_are_refused_before_they_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("games.pictures.album.MOST_BYTES", 7 * 3 * 16 * 16)
    (folder / "apples" / "broken.png").write_bytes(b"never opened")
    with pytest.raises(InputError, match=r"9 pictures.*per_class"):
        load(folder)


def test_per_class_takes_some_and_the_same_again(folder: Path) -> None:
    assert len(load(folder, per_class=3)) == 6
    assert np.array_equal(load(folder, per_class=3), load(folder, per_class=3))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 5), st.integers(0, 9))
def test_choose_takes_so_many_of_so_many_classes(labels: list[int], per_class: int, classes: int, seed: int) -> None:
    label = np.array(labels)
    chosen, there = choose(label, per_class, classes, seed)
    counts = {one: labels.count(one) for one in set(labels)}
    assert len(there) == min(classes, len(counts)) and set(there.tolist()) <= set(counts)
    assert len(set(chosen.tolist())) == len(chosen)
    taken = label[chosen].tolist()
    assert taken == sorted(taken)
    for one, own in itertools.groupby(chosen.tolist(), key=lambda position: labels[position]):
        positions = list(own)
        assert len(positions) == min(per_class, counts[one]) and positions == sorted(positions)
    everything, _ = choose(label, None, None, seed)
    assert sorted(everything.tolist()) == list(range(len(labels)))
