"""Pictures of numpy files, QuickDraw's drawings as pictures, and outlines."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from games.pictures import Album, DigitPictures, NpzPictures, QuickdrawPictures, load_album, load_gallery
from games.pictures.edges import outlined
from perception import Trunks
from raster import InputError


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.fixture
def arrays(tmp_path: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (30, 12, 12), dtype=np.uint8)
    return {"pictures": pictures, "label": np.repeat([0, 2, 5], 10)}


def config(path: Path, **more: Any) -> NpzPictures:
    return NpzPictures.model_validate({"path": str(path), "size": 12, "split": {"by": ["picture"]}, **more})


# Numpy files


def test_pictures_come_as_they_are_or_as_their_negatives(tmp_path: Path, arrays: dict[str, Any]) -> None:
    path = write(tmp_path / "a.npz", **arrays)
    album = load_album(config(path))
    assert np.array_equal(album.pixels, np.repeat(arrays["pictures"][:, None], 3, axis=1))
    assert list(album.classes) == ["0", "2", "5"] and album.label.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert np.array_equal(load_album(config(path, negative=True)).pixels, 255 - album.pixels)
    colour = write(
        tmp_path / "b.npz", pictures=np.repeat(arrays["pictures"][..., None], 3, axis=3), label=arrays["label"]
    )
    assert np.array_equal(load_album(config(colour)).pixels, album.pixels)
    named = write(tmp_path / "c.npz", **arrays, names=np.array(["a", "b", "c", "d", "e", "f"]))
    assert list(load_album(config(named)).classes) == ["a", "c", "f"]
    assert len(load_album(config(path, per_class=4)).label) == 12


def test_a_test_of_its_own_is_the_test(tmp_path: Path, arrays: dict[str, Any]) -> None:
    test = np.zeros(30, dtype=bool)
    test[[8, 9, 18, 19, 28, 29]] = True
    path = write(tmp_path / "a.npz", **arrays, test=test)
    gallery = load_gallery(config(path, split={"by": ["picture"], "validation": 0.25, "test": 0.5}), Trunks())
    shown = {name: split.shown for name, split in gallery.splits.items()}
    assert torch.equal(shown["test"], torch.from_numpy(test))
    assert shown["validation"].sum() == 6 and shown["train"].sum() == 18  # a quarter of what is left
    assert not (shown["validation"] & shown["test"]).any() and not (shown["train"] & shown["validation"]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": None}, "holds no pictures"),
        ({"label": None}, "holds no label"),
        ({"pictures": np.zeros((30, 12, 12))}, r"pictures of float64 \[30, 12, 12\]"),
        ({"pictures": np.zeros((30, 12), np.uint8)}, r"pictures of uint8 \[30, 12\]"),
        ({"pictures": np.zeros((30, 4, 12), np.uint8)}, "8 pixels or more"),
        ({"pictures": np.zeros((0, 12, 12), np.uint8), "label": np.zeros(0, int)}, r"pictures of uint8 \[0, 12, 12\]"),
        ({"label": np.zeros(29, int)}, r"label of int64 \[29\] for 30 pictures"),
        ({"label": np.zeros(30)}, "label of float64"),
        ({"label": np.full(30, -1)}, "label of int64"),
        ({"test": np.zeros(30, int)}, "test of int64"),
        ({"names": np.array(["a"])}, "1 names, but a label 5"),
        ({"label": np.array([{}] * 30)}, "not a readable .npz file"),  # an object array: it would run code
    ],
)
def test_what_does_not_fit_is_told_in_a_line(
    tmp_path: Path, arrays: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "a.npz", **{key: value for key, value in (arrays | change).items() if value is not None})
    with pytest.raises(InputError, match=message) as error:
        load_album(config(path))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_none_and_one_that_claims_the_world(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_album(config(tmp_path / "none.npz"))
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="not a readable"):
        load_album(config(tmp_path / "text.npz"))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("pictures", "label", "test"):
            file.writestr(f"{name}.npy", b"\x00" * 10)
    with pytest.raises(InputError, match="holds no pictures and label"):  # of another format
        load_album(config(tmp_path / "bomb.npz"))
    data = bytearray((tmp_path / "bomb.npz").read_bytes())
    for entry in re.finditer(b"PK\x01\x02", bytes(data)):  # the unpacked sizes in the central directory
        data[entry.start() + 24 : entry.start() + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    (tmp_path / "bomb.npz").write_bytes(bytes(data))
    with pytest.raises(InputError, match="the file holds 12 GiB"):
        load_album(config(tmp_path / "bomb.npz"))


def test_an_array_that_is_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 1000, 1000)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("pictures.npy", header.getvalue() + b"12")
    with pytest.raises(InputError, match="not a readable"):
        load_album(config(tmp_path / "a.npz"))


def test_the_shared_digits_are_read_with_their_test(data_folder: Path) -> None:
    gallery = load_gallery(config(data_folder / "mnist_5k.npz", size=28, negative=True), Trunks())
    test = gallery.splits["test"].shown
    assert len(gallery) == 5000 and gallery.label[test].bincount().tolist() == [100] * 10
    assert gallery.pixels.float().mean() > 180  # dark ink on paper


# QuickDraw


def lines(*drawings: list[Any], **more: Any) -> str:
    return "".join(json.dumps({"word": "x", "recognized": True, "drawing": each, **more}) + "\n" for each in drawings)


CROSS = [[[0, 100], [50, 50]], [[50, 50], [0, 100]]]


def drawn(path: Path, **more: Any) -> QuickdrawPictures:
    return QuickdrawPictures.model_validate({"path": str(path), "size": 20, **more})


def test_drawings_stand_in_the_middle_nine_tenths_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "cross.ndjson").write_text(lines(CROSS, [[[10, 10], [0, 200]]], [[[5], [7]]]))
    album = load_album(drawn(tmp_path / "cross.ndjson"))
    assert list(album.classes) == ["cross"] and album.pixels.shape == (3, 3, 20, 20)
    ink = 1 - album.pixels[:, 0].astype(float) / 255
    for one in ink:  # symmetric about the middle
        assert np.abs(one - one[::-1]).max() < 0.02 and np.abs(one - one[:, ::-1]).max() < 0.02
    assert ink[0, 9:11, 2:18].min() > 0.3 and ink[0, :, :].max() > 0.5
    assert ink[0, 9, 0] < 0.15 and ink[1, 1:19, 9:11].min() > 0.3  # a tenth stays free
    assert 0 < ink[2].sum() < 6  # a dot


def test_one_file_a_class_and_only_what_was_recognised(tmp_path: Path) -> None:
    (tmp_path / "cat.ndjson").write_text(lines(CROSS, CROSS) + lines(CROSS, recognized=False) + lines([]))
    (tmp_path / "bat.ndjson").write_text(lines(*[CROSS] * 5))
    (tmp_path / "readme.txt").write_text("not a drawing")
    album = load_album(drawn(tmp_path))
    assert list(album.classes) == ["bat", "cat"] and np.bincount(album.label).tolist() == [5, 2]
    assert np.bincount(load_album(drawn(tmp_path, recognized=False, per_class=3)).label).tolist() == [3, 3]


def test_wrong_drawings_are_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_album(drawn(tmp_path / "none.ndjson"))
    with pytest.raises(InputError, match=r"no \.ndjson file in this folder"):
        load_album(drawn(tmp_path))
    (tmp_path / "a.ndjson").write_text(lines([]))
    with pytest.raises(InputError, match="no drawing in this file"):
        load_album(drawn(tmp_path))
    (tmp_path / "a.ndjson").write_text(lines(CROSS) + "{broken\n")
    with pytest.raises(InputError, match=r"not a line of JSON \(a\.ndjson, line 2\)"):
        load_album(drawn(tmp_path))


# Outlines


def test_outlines_are_where_brightness_changes(make_album: Callable[..., Album]) -> None:
    pixels = np.full((3, 3, 32, 32), 255, dtype=np.uint8)
    pixels[0, :, 8:24, 8:24] = 40  # dark on light
    pixels[1] = 255 - pixels[0]  # light on dark: the same outlines
    album = make_album(classes=3, artists=0, pixels=pixels, label=np.arange(3), artist=np.zeros(3, dtype=np.int64))
    found = outlined(album).pixels
    assert (found[2] == 255).all()  # nothing changes there
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1
    ink = 1 - found[0, 0].astype(float) / 255
    assert ink[7:9, 12:20].min() > 0.7 and ink[12:20, 23:25].min() > 0.7
    assert ink[14:18, 14:18].max() < 0.05 and ink[:4].max() < 0.05
    assert outlined(album).content() != album.content()


def test_any_pictures_can_be_outlines() -> None:
    one, two = (load_album(DigitPictures(size=16, outlines=outlines)) for outlines in (False, True))
    assert one.pixels.shape == two.pixels.shape and not np.array_equal(one.pixels, two.pixels)
    assert two.source.endswith("outlines")
