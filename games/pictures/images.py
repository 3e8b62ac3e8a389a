"""One picture file to a small RGB square, whatever it was."""

import contextlib
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from raster.errors import InputError

Fit = Literal["crop", "pad"]
SMALLEST, MOST_PIXELS = 8, 80_000_000
_REPLACE = "replace it, or take it out of the folder"


def read_picture(path: Path, size: int, fit: Fit = "crop") -> NDArray[np.uint8]:
    """A picture file as [size, size, 3], upright (EXIF), transparent parts on white, the first frame of several.

    Raises:
        InputError: it is no picture, damaged, smaller than 8 pixels a side or larger than 80 million pixels.
    """
    return _read(path, (size, size), lambda rgb: square(rgb, size, fit))


def read_squeezed(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """The whole of a picture file as [height, width, 3], squeezed to that shape; otherwise as `read_picture`."""
    resized = (width, height)
    return _read(
        path,
        resized,
        lambda rgb: rgb if rgb.size == resized else rgb.resize(resized, Image.Resampling.BILINEAR, reducing_gap=3.0),
    )


def _read(path: Path, size: tuple[int, int], fitted: Callable[[Image.Image], Image.Image]) -> NDArray[np.uint8]:
    if not path.is_file():  # a pipe would be waited for without end
        raise InputError("this is not a file, or a link to nowhere", path, _REPLACE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata and the like: what matters is whether it can be read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                _check_sides(picture.width, picture.height, path)
                picture.draft("RGB", (2 * size[0], 2 * size[1]))  # lets JPEGs be decoded small; others ignore it
                picture.load()
                upright: Image.Image = picture
                # Broken EXIF is no reason to refuse a picture: it stays as it lies.
                with contextlib.suppress(struct.error, SyntaxError, ValueError, TypeError, KeyError, OSError):
                    upright = ImageOps.exif_transpose(picture)
                return np.asarray(fitted(to_rgb(upright)))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise _too_large(path) from error
        except UnidentifiedImageError as error:
            raise InputError("this file is not a picture", path, _REPLACE) from error
        except InputError:
            raise
        except MemoryError as error:
            raise _too_large(path) from error
        except Exception as error:  # decoders raise whatever the bytes lead them to
            raise InputError(f"the picture is damaged ({str(error)[:100]})", path, _REPLACE) from error


def _check_sides(width: int, height: int, path: Path) -> None:
    if min(width, height) < SMALLEST:
        what = f"the picture has {width}x{height} pixels, too few to see anything"
        raise InputError(what, path, f"take one of at least {SMALLEST}x{SMALLEST}")
    if width * height > MOST_PIXELS:
        raise _too_large(path, f" ({width:,}x{height:,})")


def _too_large(path: Path, sides: str = "") -> InputError:
    what = f"the picture has too many pixels{sides}"
    return InputError(what, path, f"make it smaller: {MOST_PIXELS // 10**6} million pixels at most")


def to_rgb(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes to RGB: 16 bits to 8, palettes and CMYK to colours, transparency to white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8)).convert("RGB")
    if image.mode in {"I", "F"}:
        return Image.fromarray(_to_bytes(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.mode == "LAB":
        made = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert made is not None  # only None when changed in place
        return made
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in {"RGBA", "RGBa", "LA", "PA"} or "transparency" in image.info:
        return on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _to_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """32-bit pixels to bytes: [0, 1], [0, 255] and [0, 65535] are taken as such, other ranges are stretched."""
    if not np.isfinite(values).all():
        raise ValueError("pixels that are no numbers")
    low, high = float(values.min()), float(values.max())
    for top in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= top:
            return np.rint(values * (255 / top)).astype(np.uint8)
    return np.rint((values - low) * (255 / (high - low))).astype(np.uint8)


def on_white(rgba: Image.Image) -> Image.Image:
    """What a transparent picture looks like on paper."""
    paper = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, rgba).convert("RGB")


def square(rgb: Image.Image, size: int, fit: Fit) -> Image.Image:
    """The middle of a picture (crop), or all of it on white (pad), size x size."""
    if fit == "crop":
        return ImageOps.fit(rgb, (size, size), Image.Resampling.LANCZOS)
    return ImageOps.pad(rgb, (size, size), Image.Resampling.LANCZOS, color=(255, 255, 255))
