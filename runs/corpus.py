"""A run's drawings as corpora for others' tools: QuickDraw's lines, and utterances of whole numbers with metadata.

The second is what collections of emergent languages hold (ELCC, Boldt & Mortensen 2024) and what XferBench reads:
JSON lines, an array of integers each. An utterance is a drawing, a word is a stroke, by what kind of stroke it is.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sklearn.cluster import KMeans

from raster import Strokes, to_quickdraw
from raster.errors import InputError
from raster.shapes import Bool, Float, Int, Tensor
from runs.config import Config
from runs.drawings import strokes_of
from runs.folder import Folder, lines, read_json, write_text
from runs.loading import load
from runs.strict_yaml import to_yaml

Tokens = Literal["strokes", "places"]
"""``strokes``: a number a stroke, its kind in a vocabulary made of the run's own strokes; ``places``: a number a
control point, the cell of a grid that it lies in, and one more number at the end of each stroke."""
FITTED = 20_000
"""Strokes that a vocabulary is made of, at most; a fixed random sample of more."""


@dataclass(frozen=True)
class Corpus:
    """Drawings as tokens.

    Attributes:
        utterances: one array a drawing.
        vocabulary: how many tokens there are.
        codebook: the stroke that each token stands for, [V, P, 2]; None of places.
        error: root mean square distance of control points from their token's, canvas units.
    """

    utterances: list[list[int]]
    vocabulary: int
    codebook: Float[Tensor, "v p 2"] | None
    error: float


def export_corpus(
    folder: Path, out: Path, split: str = "test", tokens: Tokens = "strokes", vocabulary: int = 64
) -> dict[str, Any]:
    """Write the newest drawings of a split that a run's journal holds, and give what metadata.yaml says of them.

    ``drawings.ndjson`` has them in QuickDraw's simplified form, ``corpus.jsonl`` as tokens, ``referents.jsonl`` what
    each was of and who drew it; the three have a line a drawing, in one order. Points off the canvas are moved to its
    edge, for none of the formats has a place for them.

    Args:
        folder: of the run.
        out: where to; made if it is not there.
        split: ``train``, ``validation`` or ``test``.
        tokens: what a word is.
        vocabulary: kinds of strokes, or cells of the grid (a square number).

    Raises:
        InputError: no run, no drawings of that split, a used folder, or a vocabulary that does not fit.
    """
    files = Folder.of_run(folder)
    Folder(out).check_place()
    if Folder(out).used():
        raise InputError("the folder is not empty", out, "give another --out")
    config = load(Config, files.config, []).config
    pictures = read_json(files.pictures)
    played = [line for line in lines(files.journal(split)) if line["split"].split("/")[0] == split]
    if not played:
        do = (
            "let the run go on, or say another --split"
            if split != "test"
            else "let it finish, or say --split validation"
        )
        raise InputError(f"the run has no drawings of the split {split} yet", files.journal(split), do)
    newest = max(line["step"] for line in played)
    kept = [line for line in played if line["step"] == newest]
    drawn = [strokes_of(line) for line in kept]
    moved = sum(int((each.points.abs() > 1).flatten(1).any(dim=1).sum()) for each in drawn)
    inside = Strokes.cat([_inside(each) for each in drawn])
    referents = [each for line in kept for each in _referents(line, pictures)]
    corpus = tokenise(inside, tokens, vocabulary)
    said = _metadata(files, config, corpus, tokens, kept, moved, len(referents))
    words = [each["class"] for each in referents]
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "drawings.ndjson", to_quickdraw(inside, words))
    write_text(out / "corpus.jsonl", "".join(f"{json.dumps(each)}\n" for each in corpus.utterances))
    write_text(out / "referents.jsonl", "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in referents))
    write_text(out / "metadata.yaml", to_yaml(said))
    return said


def _inside(strokes: Strokes) -> Strokes:
    """Strokes with every point on the canvas."""
    return Strokes(strokes.points.clamp(-1, 1), strokes.kind, presence=strokes.presence, knots=strokes.knots)


def _referents(line: Mapping[str, Any], pictures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each drawing of a journal line was of, and who drew it."""
    found = []
    for shown in line["shown"]:
        index = shown[0] if isinstance(shown, list) else shown
        name = pictures["classes"][pictures["label"][index]]
        found.append(
            {"picture": index, "name": pictures["names"][index], "class": name, "sender": line["sender"],
             "game": line["game"], "split": line["split"]}
        )  # fmt: skip
    return found


def tokenise(strokes: Strokes, tokens: Tokens, vocabulary: int) -> Corpus:
    """Drawings [B, N] as tokens; strokes of presence below a half are not there.

    Raises:
        InputError: a vocabulary that is no square (places), or larger than there are different strokes.
    """
    there = torch.ones(strokes.points.shape[:2], dtype=torch.bool)
    if strokes.presence is not None:
        there = strokes.presence >= 0.5
    return _of_places(strokes, there, vocabulary) if tokens == "places" else _of_strokes(strokes, there, vocabulary)


def _of_places(strokes: Strokes, there: Bool[Tensor, "b n"], vocabulary: int) -> Corpus:
    side = round(vocabulary**0.5)
    if side < 2 or side * side != vocabulary:
        do = "say a square number, such as 64 for 8 x 8 places"
        raise InputError(f"a grid of {vocabulary} cells is no square", "--vocabulary", do)
    cell = ((strokes.points + 1) / 2 * side).floor().clamp(0, side - 1)  # [B, N, P, 2]
    place = (cell[..., 1] * side + cell[..., 0]).long()
    utterances = [
        [token for stroke, present in zip(drawing, own, strict=True) if present for token in [*stroke, vocabulary]]
        for drawing, own in zip(place.tolist(), there.tolist(), strict=True)
    ]
    middle = (cell + 0.5) * 2 / side - 1
    return Corpus(utterances, vocabulary + 1, None, _spread(strokes.points - middle, there))


def _of_strokes(strokes: Strokes, there: Bool[Tensor, "b n"], vocabulary: int) -> Corpus:
    points = _one_way(strokes.points.double())
    rows = points[there].flatten(1).numpy()  # [strokes, P * 2]
    different = len(np.unique(rows, axis=0))
    if not 2 <= vocabulary <= different:
        do = f"say 2 to {different}"
        raise InputError(f"{different} different strokes give no vocabulary of {vocabulary}", "--vocabulary", do)
    order = np.random.default_rng(0).permutation(len(rows))[:FITTED]
    fitted = KMeans(vocabulary, n_init=1, random_state=0).fit(rows[order])
    # The commonest kind is 0, so that numbers say something.
    kind: Int[Tensor, " s"] = torch.from_numpy(fitted.predict(rows)).long()
    rank = kind.bincount(minlength=vocabulary).argsort(descending=True, stable=True)
    number = torch.empty_like(rank)
    number[rank] = torch.arange(vocabulary)
    codebook = torch.from_numpy(fitted.cluster_centers_)[rank].unflatten(1, points.shape[2:])
    tokens = torch.full(there.shape, -1)
    tokens[there] = number[kind]
    utterances = [[token for token in row if token >= 0] for row in tokens.tolist()]
    return Corpus(utterances, vocabulary, codebook, _spread(points - codebook[tokens.clamp(min=0)], there))


def _one_way(points: Float[Tensor, "b n p 2"]) -> Float[Tensor, "b n p 2"]:
    """Each stroke begun at its upper end (of two equally high, the left): the end it was drawn from leaves no trace."""
    first, last = points[..., 0, :], points[..., -1, :]
    turn = (first[..., 1] > last[..., 1]) | ((first[..., 1] == last[..., 1]) & (first[..., 0] > last[..., 0]))
    return torch.where(turn[..., None, None], points.flip(-2), points)


def _spread(apart: Float[Tensor, "b n p 2"], there: Bool[Tensor, "b n"]) -> float:
    return float(apart[there].square().sum(dim=-1).mean().sqrt()) if there.any() else 0.0


def _metadata(
    files: Folder, config: Config, corpus: Corpus, tokens: Tokens, kept: list[dict[str, Any]], moved: int, count: int
) -> dict[str, Any]:
    """What ELCC says of a corpus: where it comes from, what the game was, what the numbers mean, and what there is."""
    counts = Counter(token for each in corpus.utterances for token in each)
    total = sum(counts.values())
    shares = np.array([each / total for each in counts.values()]) if total else np.ones(1)
    lengths = [len(each) for each in corpus.utterances]
    said: dict[str, Any] = {
        "origin": {
            "software": f"lascaux {_version()}",
            "run": config.name,
            "seed": config.seed,
            "step": kept[0]["step"],
            "splits": sorted({line["split"] for line in kept}),
        },
        "system": {
            "game_type": "signalling",
            "game_subtype": config.game.kind,
            "games": sorted({line["game"] for line in kept}),
            "data_source": config.pictures.kind,
            "observation_type": "image",
            "channel": "drawing",
            "senders": config.community.senders,
            "receivers": config.community.receivers,
            "strokes": {"kind": config.sender.strokes.kind, "most": config.sender.strokes.count},
        },
        "tokens": {
            "of": tokens,
            "vocabulary_size": corpus.vocabulary,
            "root_mean_square_error": round(corpus.error, 5),
        },
        "analysis": {
            "utterances": count,
            "tokens": total,
            "tokens_used": len(counts),
            "mean_length": round(float(np.mean(lengths)), 4),
            "unigram_entropy_bits": round(float(-(shares * np.log2(shares)).sum()), 4) + 0.0,
            "different_utterances": len({tuple(each) for each in corpus.utterances}),
            "drawings_moved_onto_the_canvas": moved,
        },
        "files": {
            "corpus.jsonl": "a drawing a line, an array of tokens in the order of drawing",
            "drawings.ndjson": "the same drawings in QuickDraw's simplified form",
            "referents.jsonl": "what each was of, and who drew it",
        },
    }
    if corpus.codebook is not None:
        said["tokens"]["codebook"] = corpus.codebook.flatten(1).numpy().round(4).tolist()
    else:
        said["tokens"]["end_of_stroke"] = corpus.vocabulary - 1
    return said


def _version() -> str:
    try:
        return metadata.version("lascaux")
    except metadata.PackageNotFoundError:
        return "of an unknown version"
