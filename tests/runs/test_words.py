"""Vectors of words: the forms they come in, how names find theirs, and what is no such file."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from perception import OpenClipTrunk, Trunks
from raster.errors import InputError
from runs.words import word_vectors

NAMES = ["red apple", "Dog_(face)", "cat", "nothing like it"]
WORDS = {"red": [1.0, 0.0], "apple": [0.0, 1.0], "dog": [2.0, 0.0], "face": [0.0, 2.0], "cat": [3.0, 3.0]}


def of(path: Path, key: str | None = None) -> tuple[list[list[float]], list[bool]]:
    found, there = word_vectors(path, NAMES, Trunks(), key)
    return found.tolist(), there.tolist()


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def text(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


EXPECTED = ([[0.5, 0.5], [1.0, 1.0], [3.0, 3.0], [0.0, 0.0]], [True, True, True, False])


def test_names_get_their_own_vector_or_the_mean_of_their_words(tmp_path: Path) -> None:
    path = npz(tmp_path / "v.npz", names=np.array(list(WORDS)), own=np.array(list(WORDS.values()), dtype=np.float16))
    assert of(path) == EXPECTED
    whole = npz(tmp_path / "w.npz", names=np.array(["red apple", "red", "apple"]), own=np.eye(3))
    assert of(whole)[0][0] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("head", [[], ["5 2"]])
def test_text_as_glove_and_word2vec_have_it_is_read(tmp_path: Path, head: list[str]) -> None:
    lines = head + [f"{word} {' '.join(map(str, vector))}" for word, vector in WORDS.items()]
    assert of(text(tmp_path / "v.txt", lines)) == EXPECTED


def test_the_array_of_an_npz_can_be_named(tmp_path: Path) -> None:
    path = npz(tmp_path / "v.npz", names=np.array(["cat"]), one=np.ones((1, 2)), other=np.full((1, 2), 5.0))
    assert of(path)[0][2] == [1.0, 1.0] and of(path, "other")[0][2] == [5.0, 5.0]
    with pytest.raises(InputError, match="it has no 'third', but one, other"):
        of(path, "third")


def test_the_word_vectors_of_the_data_folder_know_the_emoji(data_folder: Path) -> None:
    _, there = word_vectors(data_folder / "name_vectors.npz", ["airplane", "abacus", "Alarm_clock"], Trunks())
    assert there.all()


def test_a_clip_reads_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = torch.nn.Conv2d(3, 6, 8, stride=8)
            self.words = torch.nn.Embedding(50, 6)
            told: dict[str, Any] = {"image_size": (16, 16), "output_dim": 6, "image_mean": (0.5,) * 3}
            for name, value in {**told, "image_std": (0.5,) * 3}.items():
                setattr(self.visual, name, value)

        def encode_image(self, x: torch.Tensor) -> torch.Tensor:
            return self.visual(x).mean((2, 3))

        def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.words(tokens).mean(1)

    module: Any = ModuleType("open_clip")
    module.create_model = lambda *_, **__: Net()
    module.get_tokenizer = lambda _: lambda words: torch.tensor([[ord(c) % 50 for c in w.ljust(4)[:4]] for w in words])
    monkeypatch.setitem(sys.modules, "open_clip", module)
    found, there = word_vectors(OpenClipTrunk(name="stand-in", weights="random"), NAMES, Trunks())
    assert found.shape == (4, 6) and there.all()


def bad(folder: Path) -> dict[str, tuple[Path, str]]:
    pickled = folder / "pickled.npz"
    np.savez(pickled, names=np.array(["cat"], dtype=object), own=np.ones((1, 2)))
    cut = npz(folder / "whole.npz", names=np.array(["cat"] * 500), own=np.ones((500, 20))).read_bytes()
    (folder / "cut.npz").write_bytes(cut[: len(cut) // 2])
    return {
        "a file that is not there": (folder / "no.npz", "no such file"),
        "objects": (pickled, "not readable"),
        "no names": (npz(folder / "n.npz", own=np.ones((1, 2))), "it has own"),
        "numbers as names": (
            npz(folder / "f.npz", names=np.ones(1), own=np.ones((1, 2))),
            "no vectors of words: names",
        ),
        "other lengths": (
            npz(folder / "l.npz", names=np.array(["a", "b"]), own=np.ones((1, 2))),
            "no vectors of words",
        ),
        "nan": (npz(folder / "x.npz", names=np.array(["cat"]), own=np.full((1, 2), np.nan)), "not finite"),
        "prose": (text(folder / "p.txt", ["This is a letter.", "Yours"]), "line 1 is no word"),
        "a short line": (text(folder / "s.txt", ["cat 1 2 3", "dog 1 2"]), "line 2 is no word with 3 numbers"),
        "no number": (text(folder / "t.txt", ["cat 1 2", "dog x y"]), "line 2 is no word with 2 numbers"),
        "nothing": (text(folder / "e.txt", []), "no vectors of words in it"),
        "a zip cut off": (folder / "cut.npz", "is no word|not readable"),
    }


CASES = (
    "a file that is not there", "objects", "no names", "numbers as names", "other lengths", "nan", "prose",
    "a short line", "no number", "nothing", "a zip cut off",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_file_of_vectors_is_told_in_a_line(tmp_path: Path, case: str) -> None:
    path, told = bad(tmp_path)[case]
    with pytest.raises(InputError, match=told) as caught:
        of(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
