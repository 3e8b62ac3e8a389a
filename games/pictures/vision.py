"""Data sets that torchvision knows: found under a data root, or downloaded when asked."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from games.pictures.album import Album, check_room
from games.pictures.choose import choose
from games.pictures.config import TorchvisionPictures
from games.pictures.errors import PicturesUnavailable
from games.pictures.images import square, to_rgb
from perception import cache_folder
from raster.errors import InputError


@dataclass(frozen=True)
class _Found:
    """A data set, nothing decoded yet.

    Attributes:
        label: class of each picture, [n].
        picture: gives a picture by position.
        classes: names of the classes.
        groups: group of each class, [] for none.
        artist: artist of each picture, [n]; None where there are none.
        artists: their names.
    """

    label: NDArray[np.int64]
    picture: Callable[[int], Image.Image]
    classes: Sequence[str]
    groups: Sequence[str] = ()
    artist: NDArray[np.int64] | None = None
    artists: Sequence[str] = ()


def load_torchvision(config: TorchvisionPictures, data_root: Path | str | None = None) -> Album:
    """One of torchvision's data sets; its training and test pictures together, class by class.

    Raises:
        PicturesUnavailable: it was to be downloaded, and cannot be.
        InputError: it is not there, or damaged.
    """
    root = Path(data_root or config.data_root or cache_folder() / "datasets").expanduser()
    found = _open(config, root)
    chosen, classes = choose(found.label, config.per_class, config.classes, config.split.seed)
    check_room(len(chosen), config.size, root)
    pixels = np.empty((len(chosen), 3, config.size, config.size), dtype=np.uint8)
    for row, position in enumerate(chosen.tolist()):
        try:
            picture = to_rgb(found.picture(position))
        except Exception as error:  # decoders raise whatever the bytes lead them to
            raise _damaged(config, root, error) from error
        pixels[row] = np.asarray(square(picture, config.size, config.fit)).transpose(2, 0, 1)
    new = np.zeros(int(classes.max()) + 1, dtype=np.int64)  # old class number -> new
    new[classes] = np.arange(len(classes))
    artist = found.artist[chosen] if found.artist is not None else np.zeros(len(chosen), dtype=np.int64)
    groups = found.groups or [""] * len(found.classes)
    return Album(
        pixels=pixels,
        label=new[found.label[chosen]],
        artist=artist,
        classes=[found.classes[number] for number in classes.tolist()],
        groups=[groups[number] for number in classes.tolist()],
        artists=found.artists,
        hands=list(range(len(found.artists))),
        source=f"{config.kind} by torchvision, {config.size} px",
        place=root,
    )


def _open(config: TorchvisionPictures, root: Path) -> _Found:
    if config.download:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the folder cannot be made ({error.strerror})", root, "check pictures.data_root"
            ) from error
    try:
        return _READERS[config.kind](config, str(root))
    except ModuleNotFoundError as error:
        raise InputError(f"{config.kind} needs the package {error.name}", "pictures", "install it") from error
    except URLError as error:
        raise _unreachable(config, root, error) from error
    except (RuntimeError, OSError, ValueError, EOFError, AssertionError, KeyError, pickle.UnpicklingError) as error:
        if config.download and "download" in str(error).lower():
            raise _unreachable(config, root, error) from error
        if "not found" in str(error).lower() or isinstance(error, FileNotFoundError):
            raise InputError(
                f"{config.kind} is not there, or not whole",
                root,
                "say pictures.download: true, or put it there the way torchvision does",
            ) from error
        raise _damaged(config, root, error) from error


def _unreachable(config: TorchvisionPictures, root: Path, error: Exception) -> PicturesUnavailable:
    return PicturesUnavailable(
        f"{config.kind} cannot be downloaded ({_line(error)})", root, "check the network, or put it there yourself"
    )


def _damaged(config: TorchvisionPictures, root: Path, error: Exception) -> InputError:
    what = f"the data set {config.kind} is damaged ({_line(error)})"
    return InputError(what, root, "delete it there and say pictures.download: true")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _array(values: NDArray[np.uint8]) -> Callable[[int], Image.Image]:
    def picture(position: int) -> Image.Image:
        return Image.fromarray(values[position])

    return picture


def _grey(config: TorchvisionPictures, root: str) -> _Found:
    from torchvision import datasets

    makers = {"mnist": datasets.MNIST, "kmnist": datasets.KMNIST, "fashion-mnist": datasets.FashionMNIST}
    both = [makers[config.kind](root, train=train, download=config.download) for train in (True, False)]
    pictures = np.concatenate([one.data.numpy() for one in both])
    if config.kind != "fashion-mnist":
        pictures = 255 - pictures  # writing: dark ink on paper, like everything else here
    label = np.concatenate([one.targets.numpy() for one in both]).astype(np.int64)
    return _Found(label, _array(pictures), [_word(name) for name in both[0].classes])


def _cifar(config: TorchvisionPictures, root: str) -> _Found:
    from torchvision import datasets

    maker = datasets.CIFAR100 if config.kind == "cifar100" else datasets.CIFAR10
    both = [maker(root, train=train, download=config.download) for train in (True, False)]
    pictures = np.concatenate([one.data for one in both])
    label = np.concatenate([np.asarray(one.targets) for one in both]).astype(np.int64)
    return _Found(label, _array(pictures), both[0].classes)


def _stl10(config: TorchvisionPictures, root: str) -> _Found:
    from torchvision import datasets

    both = [datasets.STL10(root, split=split, download=config.download) for split in ("train", "test")]
    pictures = np.concatenate([one.data for one in both]).transpose(0, 2, 3, 1)
    label = np.concatenate([one.labels for one in both]).astype(np.int64)
    return _Found(label, _array(pictures), both[0].classes)


def _omniglot(config: TorchvisionPictures, root: str) -> _Found:
    """Characters of 50 alphabets; artist n is the n-th of the twenty people who wrote each alphabet."""
    from torchvision import datasets

    both = [datasets.Omniglot(root, background=first, download=config.download) for first in (True, False)]
    # torchvision lists folders as the disk gives them, in no order: (class, file, which half, position there), sorted.
    entries = sorted(
        (one._characters[character].replace("\\", "/"), file, half, position)
        for half, one in enumerate(both)
        for position, (file, character) in enumerate(one._flat_character_images)
    )
    names = sorted({name for name, *_ in entries})
    number = {name: place for place, name in enumerate(names)}
    artist = np.array([int(Path(file).stem.partition("_")[2]) - 1 for _, file, *_ in entries], dtype=np.int64)
    return _Found(
        label=np.array([number[name] for name, *_ in entries], dtype=np.int64),
        picture=lambda place: both[entries[place][2]][entries[place][3]][0],
        classes=names,
        groups=[name.partition("/")[0] for name in names],
        artist=artist,
        artists=[f"writer-{person + 1:02d}" for person in range(int(artist.max()) + 1)],
    )


def _caltech101(config: TorchvisionPictures, root: str) -> _Found:
    from torchvision import datasets

    if not config.download and not (Path(root) / "caltech101").is_dir():
        raise FileNotFoundError("not found")  # torchvision would make an empty folder first
    found = datasets.Caltech101(root, target_type="category", download=config.download)
    return _Found(np.asarray(found.y, dtype=np.int64), lambda position: found[position][0], found.categories)


def _celeba(config: TorchvisionPictures, root: str) -> _Found:
    """Faces; a class is a person."""
    from torchvision import datasets

    found = datasets.CelebA(root, split="all", target_type="identity", download=config.download)
    number = found.identity.numpy().reshape(-1)
    people, label = np.unique(number, return_inverse=True)
    names = [f"person-{person}" for person in people.tolist()]
    return _Found(label.astype(np.int64), lambda position: found[position][0], names)


def _word(name: str) -> str:
    """``7 - seven`` is ``seven``."""
    return name.rpartition(" - ")[2]


_READERS: dict[str, Callable[[TorchvisionPictures, str], _Found]] = {
    "mnist": _grey,
    "kmnist": _grey,
    "fashion-mnist": _grey,
    "omniglot": _omniglot,
    "cifar10": _cifar,
    "cifar100": _cifar,
    "stl10": _stl10,
    "caltech101": _caltech101,
    "celeba": _celeba,
}
