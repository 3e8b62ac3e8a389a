"""Vectors of words from a file that a person brings, or of a model that reads text: what names mean, as numbers."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from perception import OpenClipTrunk, Trunks
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor

FORMS = "an .npz with 'names' and one array of vectors, or a text file with a word and its numbers on each line"
WIDEST = 20_000
"""Numbers of a vector: more, and the file is something else."""


def word_vectors(
    source: str | Path | OpenClipTrunk, names: Sequence[str], trunks: Trunks, key: str | None = None
) -> tuple[Float[Tensor, "n d"], Bool[Tensor, " n"]]:
    """A vector for each name, [N, D], and which names have one, [N]; the others are 0.

    A name is looked up as it is, then without capitals and signs; where it is not there, it gets the mean of its
    words' vectors, if all of them are.

    Args:
        source: a file (``FORMS``), or CLIP's reader of text, which has a vector for every name.
        names: of classes.
        trunks: the run's frozen trunks.
        key: which array of an .npz; the first beside ``names`` if left out.

    Raises:
        InputError: no such file, or it does not hold vectors of words.
    """
    if isinstance(source, OpenClipTrunk):
        found = trunks[source].embed_text(list(names)).double().cpu()
        return found, torch.ones(len(names), dtype=torch.bool)
    path = Path(source)
    if not path.is_file():
        raise InputError("no such file", path, f"give {FORMS}")
    wanted = {form for name in names for form in (name, _plain(name), *_plain(name).split())}
    table = _of_npz(path, key) if zipfile.is_zipfile(path) else _of_text(path, wanted)
    plain = {_plain(word): vector for word, vector in table.items()} | table
    vectors = [_vector(name, plain) for name in names]
    width = len(next(iter(table.values())))
    rows = [np.zeros(width) if each is None else each for each in vectors]
    return torch.from_numpy(np.stack(rows)), torch.tensor([each is not None for each in vectors])


def _plain(name: str) -> str:
    """A name without capitals and signs: ``Red_apple (fruit)`` is ``red apple fruit``."""
    return " ".join(re.findall(r"\w+", name.lower().replace("_", " ")))


def _vector(name: str, table: dict[str, np.ndarray]) -> np.ndarray | None:
    for form in (name, _plain(name)):
        if form in table:
            return table[form]
    words = _plain(name).split()
    if words and all(word in table for word in words):
        return np.asarray(np.mean([table[word] for word in words], axis=0))
    return None


def _of_npz(path: Path, key: str | None) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:  # a file from a stranger runs no code
            keys = list(file.keys())
            others = [each for each in keys if each != "names"]
            chosen = key or (others[0] if others else "")
            if "names" not in keys or chosen not in others:
                told = f"it has {', '.join(keys)}" if key is None else f"it has no {key!r}, but {', '.join(others)}"
                raise InputError(f"no vectors of words: {told}", path, f"give {FORMS}")
            names, vectors = file["names"], file[chosen]
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"not readable: {str(error).splitlines()[0][:100]}", path, f"give {FORMS}") from None
    if vectors.ndim != 2 or names.shape != vectors.shape[:1] or names.dtype.kind != "U" or vectors.dtype.kind != "f":
        told = f"names {names.dtype} {list(names.shape)}, {chosen} {vectors.dtype} {list(vectors.shape)}"
        raise InputError(f"no vectors of words: {told}", path, "give words [n] and numbers [n, d]")
    return _checked(dict(zip(names.tolist(), vectors.astype(np.float64), strict=True)), path)


def _of_text(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Of a file as GloVe's, word2vec's or fastText's: only words that are wanted are kept, for such files are large."""
    table: dict[str, np.ndarray] = {}
    width = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            parts = line.rstrip().split(" ")
            if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                continue  # word2vec's head: how many words, how many numbers
            if len(parts) < 2:
                continue
            width = width or _width(parts)
            if not 0 < width < WIDEST or len(parts) <= width:
                told = f"line {number} is no word with {width or 'its'} numbers"
                raise InputError(told, path, f"give {FORMS}")
            word = " ".join(parts[:-width])
            if word in wanted or not table:
                try:
                    table[word] = np.array([float(part) for part in parts[-width:]])
                except ValueError:
                    told = f"line {number} is no word with {width} numbers"
                    raise InputError(told, path, f"give {FORMS}") from None
    return _checked(table, path)


def _width(parts: Sequence[str]) -> int:
    """How many numbers end a line."""
    count = 0
    for part in reversed(parts[1:]):
        try:
            float(part)
        except ValueError:
            break
        count += 1
    return count


def _checked(table: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    if not table:
        raise InputError("no vectors of words in it", path, f"give {FORMS}")
    if not all(np.isfinite(each).all() for each in table.values()):
        raise InputError("a vector holds a number that is not finite", path, "mend the file")
    return table
