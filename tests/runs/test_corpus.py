"""Drawings as corpora for others' tools: a line a drawing in every file, tokens that mean what the metadata says."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from raster import Strokes, from_quickdraw
from raster.errors import InputError
from runs.cli import app
from runs.corpus import export_corpus, tokenise
from runs.folder import lines, read_json
from runs.run import Run


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def exported(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "c"
    export_corpus(finished.folder.path, out, vocabulary=8)
    return out


def test_the_three_files_have_a_line_a_drawing_in_one_order(finished: Run, exported: Path) -> None:
    played = list(lines(finished.folder.journal("test")))
    shown = [index for line in played for index in line["shown"]]
    referents, utterances = rows(exported / "referents.jsonl"), rows(exported / "corpus.jsonl")
    drawings = list(from_quickdraw(exported / "drawings.ndjson"))
    assert len(shown) == len(referents) == len(utterances) == len(drawings) == 40
    pictures = read_json(finished.folder.pictures)
    assert [each["picture"] for each in referents] == shown
    assert [each.word for each in drawings] == [pictures["classes"][pictures["label"][index]] for index in shown]
    inked = torch.tensor([point for line in played for game in line["strokes"] for point in game]).clamp(-1, 1)
    read = torch.cat([each.strokes.points for each in drawings if each.strokes.points.shape[-2] == 2])
    if len(read) == len(inked):  # no stroke shrank to a point
        assert torch.allclose(read, inked, atol=1.01 / 255)


def test_every_token_is_the_nearest_stroke_of_the_codebook_and_the_commonest_is_0(
    finished: Run, exported: Path
) -> None:
    said = yaml.safe_load((exported / "metadata.yaml").read_text(encoding="utf-8"))
    codebook = torch.tensor(said["tokens"]["codebook"])  # [8, 4]
    utterances = rows(exported / "corpus.jsonl")
    drawn = [game for line in lines(finished.folder.journal("test")) for game in line["strokes"]]
    for tokens, game in zip(utterances, drawn, strict=True):
        points = torch.tensor(game).clamp(-1, 1)
        points = torch.stack(
            [each if tuple(each[0].flip(0)) <= tuple(each[1].flip(0)) else each.flip(0) for each in points]
        )
        nearest = torch.cdist(points.flatten(1), codebook)
        assert len(tokens) == len(points) == 4
        own = nearest[torch.arange(4), torch.tensor(tokens)]
        assert (own <= nearest.amin(dim=1) + 1e-3).all()
    counts = torch.tensor([token for each in utterances for token in each]).bincount(minlength=8)
    assert (counts.diff() <= 0).all()
    shares = counts[counts > 0].double() / counts.sum()
    analysis = said["analysis"]
    assert analysis["unigram_entropy_bits"] == pytest.approx(float(-(shares * shares.log2()).sum()), abs=1e-3)
    assert analysis["tokens"] == 160 and analysis["mean_length"] == 4 and said["tokens"]["vocabulary_size"] == 8
    assert said["system"]["game_subtype"] == "mixture" and said["origin"]["step"] == 6


@given(st.integers(2, 12), st.integers(0, 2**20))
def test_places_give_each_point_back_within_a_cell(side: int, seed: int) -> None:
    points = torch.rand(3, 4, 2, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    found = tokenise(Strokes(points), "places", side * side)
    assert found.vocabulary == side * side + 1
    for drawing, tokens in zip(points, found.utterances, strict=True):
        assert len(tokens) == 4 * 3 and tokens[2::3] == [side * side] * 4
        place = torch.tensor(tokens).view(4, 3)[:, :2]
        middle = (torch.stack([place % side, place // side], dim=-1) + 0.5) * 2 / side - 1
        assert ((drawing - middle).abs() <= 1 / side + 1e-6).all()


def test_strokes_that_are_not_there_are_no_words() -> None:
    points = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    presence = torch.tensor([[1.0, 0.2, 0.9], [0.0, 0.0, 0.0]])
    for kind, words in (("strokes", [2, 0]), ("places", [6, 0])):
        size = 2 if kind == "strokes" else 16
        found = tokenise(Strokes(points, presence=presence), kind, size)  # type: ignore[arg-type]
        assert [len(each) for each in found.utterances] == words


def test_from_which_end_a_stroke_was_drawn_makes_no_other_word() -> None:
    points = torch.rand(6, 3, 2, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    there, back = (tokenise(Strokes(each), "strokes", 5).utterances for each in (points, points.flip(2)))
    assert there == back


def test_the_command_says_how_much_it_wrote_and_refuses_a_used_folder(finished: Run, tmp_path: Path) -> None:
    words = ["corpus", str(finished.folder), "--split", "validation", "--tokens", "places", "--vocabulary", "16"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "c")])
    assert done.exit_code == 0 and "10 drawings" in done.stdout
    before = sorted((tmp_path / "c").iterdir())
    again = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "c")])
    assert again.exit_code == 2 and "not empty" in again.stderr and sorted((tmp_path / "c").iterdir()) == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"tokens": "places", "vocabulary": 10}, "no square"),
        ({"vocabulary": 4000}, "different strokes give no vocabulary of 4000"),
        ({"split": "other"}, "no drawings of the split other"),
    ],
)
def test_what_gives_no_corpus_is_told_and_leaves_nothing(
    finished: Run, tmp_path: Path, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        export_corpus(finished.folder.path, tmp_path / "c", **more)
    assert not (tmp_path / "c").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run here"):
        export_corpus(tmp_path, tmp_path / "c")
