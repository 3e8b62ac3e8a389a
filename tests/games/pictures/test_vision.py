"""torchvision's data sets, from tiny ones in their own formats."""

import gzip
import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from games.pictures import Gallery, PicturesUnavailable, SplitConfig, TorchvisionPictures, load_album
from perception import Trunks
from raster.errors import InputError


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def write_mnist(root: Path, folder: str) -> None:
    """40 training and 20 test pictures; picture i of digit d has grey 10 d + i % 10."""
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 40), ("t10k", 20)):
        label = np.arange(count) % 10
        grey = 10 * label + np.arange(count) // 10
        pictures = np.broadcast_to(grey[:, None, None], (count, 28, 28))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pictures))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(label))


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    sums = {}
    for number, name in enumerate(["data_batch_1", "test_batch"]):
        planes = np.zeros((10, 3, 32, 32), dtype=np.uint8)
        planes[:, 0] = 100 + number  # red
        content = pickle.dumps({"data": planes.reshape(10, -1), "labels": list(range(10))})
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    words = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    meta = pickle.dumps({"label_names": words})
    (folder / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    names = {"filename": "batches.meta", "key": "label_names", "md5": hashlib.md5(meta).hexdigest()}
    monkeypatch.setattr(datasets.CIFAR10, "meta", names)


def write_omniglot(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = 0
    for folder, alphabet in (("images_background", "Greek"), ("images_evaluation", "Runes")):
        for character in ("character01", "character02"):
            number += 1
            for writer in (1, 2, 3):
                path = root / "omniglot-py" / folder / alphabet / character / f"{number:04d}_{writer:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("1", (105, 105), writer == 1).save(path)
    monkeypatch.setattr(datasets.Omniglot, "_check_integrity", lambda self: True)


def write_caltech101(root: Path) -> None:
    for name, colour in (("ant", "red"), ("beaver", "blue")):
        folder = root / "caltech101" / "101_ObjectCategories" / name
        folder.mkdir(parents=True)
        for number in (1, 2, 3):
            Image.new("RGB", (30 + number, 40), colour).save(folder / f"image_{number:04d}.jpg")
    (root / "caltech101" / "101_ObjectCategories" / "BACKGROUND_Google").mkdir()
    (root / "caltech101" / "Annotations").mkdir()


def config(kind: str, root: Path, **more: Any) -> TorchvisionPictures:
    return TorchvisionPictures.model_validate({"kind": kind, "data_root": str(root), "size": 16, **more})


@pytest.mark.parametrize(
    ("kind", "folder", "first", "inverted"),
    [
        ("mnist", "MNIST", "zero", True),
        ("kmnist", "KMNIST", "o", True),
        ("fashion-mnist", "FashionMNIST", "T-shirt/top", False),
    ],
)
def test_grey_sets_come_whole_with_names_and_ink_on_paper(
    tmp_path: Path, kind: str, folder: str, first: str, inverted: bool
) -> None:
    write_mnist(tmp_path, folder)
    album = load_album(config(kind, tmp_path))
    assert album.classes[0] == first and len(album.classes) == 10
    assert np.bincount(album.label).tolist() == [6] * 10  # training and test together
    grey = album.pixels[album.label == 3][:, :, 8, 8]
    wanted = np.array([30, 31, 32, 33, 30, 31])[:, None]
    assert (grey == (255 - wanted if inverted else wanted)).all()


def test_cifar10_comes_with_its_colours_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    album = load_album(config("cifar10", tmp_path))
    assert album.classes[8] == "ship" and album.pixels.shape == (20, 3, 16, 16)
    assert album.pixels[album.label == 8][:, :, 5, 5].tolist() == [[100, 0, 0], [101, 0, 0]]


def test_omniglot_has_alphabets_and_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_omniglot(tmp_path, monkeypatch)
    album = load_album(config("omniglot", tmp_path))
    assert list(album.classes) == [f"{a}/character0{n}" for a in ("Greek", "Runes") for n in (1, 2)]
    assert list(album.groups) == ["Greek", "Greek", "Runes", "Runes"]
    assert list(album.artists) == ["writer-01", "writer-02", "writer-03"]
    assert album.label.tolist() == [number for number in range(4) for _ in range(3)]
    white = album.pixels.reshape(12, -1).min(axis=1) == 255
    assert (white == (album.artist == 0)).all()
    gallery = Gallery(album, SplitConfig(by=("artist",)), Trunks())
    assert len(gallery.artist[gallery.splits["test"].shown].unique()) == 1


def test_caltech101_reads_pictures_of_any_size(tmp_path: Path) -> None:
    write_caltech101(tmp_path)
    album = load_album(config("caltech101", tmp_path))
    assert list(album.classes) == ["ant", "beaver"] and album.label.tolist() == [0, 0, 0, 1, 1, 1]
    assert album.pixels[0, 0].min() > 200 and album.pixels[5, 2].min() > 200


def test_some_classes_and_some_pictures_can_be_taken(tmp_path: Path) -> None:
    write_mnist(tmp_path, "MNIST")
    album = load_album(config("mnist", tmp_path, classes=4, per_class=2))
    assert len(album.classes) == 4 and np.bincount(album.label).tolist() == [2] * 4
    grey = 255 - album.pixels[:, 0, 8, 8].astype(int)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert [names[tens] for tens in (grey // 10).tolist()] == [album.classes[number] for number in album.label]


def test_the_data_root_of_the_command_goes_before_that_of_the_config(tmp_path: Path) -> None:
    write_mnist(tmp_path / "a", "MNIST")
    assert load_album(config("mnist", tmp_path / "b"), tmp_path / "a").place == tmp_path / "a"
    assert load_album(config("mnist", tmp_path / "a")).place == tmp_path / "a"
    bare = TorchvisionPictures(kind="mnist", size=16)
    assert load_album(bare, tmp_path / "a").place == tmp_path / "a"


@pytest.mark.parametrize(
    "kind", ["mnist", "kmnist", "fashion-mnist", "omniglot", "cifar10", "cifar100", "stl10", "caltech101", "celeba"]
)
def test_a_missing_set_is_one_line_that_says_how_to_get_it(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match="download: true") as told:
        load_album(config(kind, tmp_path))
    assert kind in str(told.value) and str(tmp_path) in str(told.value) and "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["mnist", "cifar10", "stl10"])
def test_a_set_that_cannot_be_downloaded_is_unavailable(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(PicturesUnavailable, match="cannot be downloaded") as told:
        load_album(config(kind, tmp_path, download=True))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("cut", [0, 3, 10, 2000])
def test_a_cut_off_set_is_told(tmp_path: Path, cut: int) -> None:
    write_mnist(tmp_path, "MNIST")
    file = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"mnist.*damaged") as told:
        load_album(config("mnist", tmp_path))
    assert str(tmp_path) in str(told.value)


def test_a_changed_set_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    file = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    file.write_bytes(pickle.dumps({"data": [], "labels": []}))
    monkeypatch.setattr(pickle, "load", lambda *args, **options: pytest.fail("a strange pickle was opened"))
    with pytest.raises(InputError, match="not there, or not whole"):
        load_album(config("cifar10", tmp_path))


def test_a_picture_of_a_set_that_is_damaged_is_told(tmp_path: Path) -> None:
    write_caltech101(tmp_path)
    file = tmp_path / "caltech101" / "101_ObjectCategories" / "ant" / "image_0002.jpg"
    file.write_bytes(gzip.compress(b"no picture"))
    with pytest.raises(InputError, match=r"caltech101 is damaged.*image_0002\.jpg"):
        load_album(config("caltech101", tmp_path))


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    write_mnist(tmp_path, "MNIST")
    before = torch.random.get_rng_state()
    load_album(config("mnist", tmp_path, per_class=2))
    assert torch.equal(torch.random.get_rng_state(), before)
