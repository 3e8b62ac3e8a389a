"""``lascaux meet``: the swap matrix of several runs, its controls, and what drawings have in common."""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from games import Referential
from raster import InputError
from raster.shapes import Float, Tensor
from runs.drawings import written
from runs.folder import Folder, write_json, write_text
from runs.meeting.ease import Ease, ease_of
from runs.meeting.people import Party, parties_of
from runs.meeting.report import write_meeting
from runs.meeting.swap import (
    FEW,
    Drawn,
    Swap,
    across,
    intelligibility,
    over_pairs,
    own_advantage,
    partners,
    swapped,
    within,
)
from runs.meeting.variation import compared

SIDES: tuple[Literal["receiver", "sender"], ...] = ("receiver", "sender")


@dataclass(frozen=True)
class Meeting:
    """Who met, and what was found.

    Attributes:
        parties: the communities.
        game: what they played.
        swap: the swap matrix.
        drawn: what was drawn, and taken for what.
        findings: everything as plain data, as meeting.json holds it.
    """

    parties: list[Party]
    game: Referential
    swap: Swap
    drawn: Drawn
    findings: dict[str, Any]


def meet(
    folders: Sequence[Path | str],
    out: Path | str | None = None,
    split: str = "test",
    pools: int = 16,
    judge: bool = True,
    newcomers: int = 0,
    steps: int = 200,
    device: str = "cpu",
) -> Meeting:
    """Let every sender play with every receiver, within and across runs, on common rounds.

    Args:
        folders: of two runs or more, of the same pictures, splits, game and canvas.
        out: a new folder for the matrix, the findings, the journal and a page; nothing is written when left out.
        split: of the pictures.
        pools: rounds of one pool of K candidates; a pair plays K games in each.
        judge: also compare drawings with each other and with their pictures.
        newcomers: of each side and community, who then learn among its natives (``Ease``).
        steps: that each of them learns.
        device: where to compute.

    Raises:
        InputError: runs that cannot meet (``parties_of``), a split that is not there, a folder that is not empty.
    """
    files = None if out is None else Folder(Path(out))
    if files is not None:
        files.check_place()
        if files.used():
            raise InputError("the folder is not empty", files.path, "give another --out")
    parties, game = parties_of(folders, device)
    gallery = parties[0].run.gallery
    if split not in gallery.splits:
        raise InputError(f"no split {split!r}", "--split", f"take one of {', '.join(gallery.splits)}")
    swap, drawn = swapped(parties, game, split, pools)
    findings = _about(parties, game, swap, split) | _understood(parties, swap)
    if judge:
        findings |= _alike(parties, swap, drawn)
    if newcomers:
        findings["ease"] = {
            side: _eased([ease_of(party, game, side, newcomers, steps) for party in parties]) for side in SIDES
        }
    findings = _plain(findings)
    met = Meeting(parties, game, swap, drawn, findings)
    if files is not None:
        _write(files.path, met)
    return met


def _about(parties: Sequence[Party], game: Referential, swap: Swap, split: str) -> dict[str, Any]:
    gallery = parties[0].run.gallery
    return {
        "game": game.label,
        "candidates": game.candidates,
        "split": split,
        "pictures": gallery.content,
        "n": swap.n,
        "chance": swap.chance,
        "communities": [
            {
                "name": each.name,
                "senders": len(each.senders),
                "receivers": len(each.receivers),
                "step": each.run.step,
                "seed": each.run.config.seed,
            }
            for each in parties
        ],
        "few": len(parties) < FEW,
    }


def _understood(parties: Sequence[Party], swap: Swap) -> dict[str, Any]:
    """Rates within and across communities, with their controls."""
    count = len(parties)

    def blocks(matrix: Tensor) -> Float[Tensor, "p p"]:
        return over_pairs(count, lambda i, j: float(swap.of(matrix, i, j).mean()))

    own = [swap.of(swap.rates, number, number) for number in range(count)]
    met = [party.met().cpu() for party in parties]
    identity = [float(each[who].mean()) for each, who in zip(own, met, strict=True)]
    unmet = [float(each[~who].mean()) if not who.all() else None for each, who in zip(own, met, strict=True)]
    table = blocks(swap.rates)
    controls = {name: blocks(each) for name, each in swap.controls.items()}
    crowd = {name: _crowd(swap, each, count) for name, each in swap.votes.items()}
    return {
        "blocks": table.tolist(),
        "within": asdict(within(identity)),
        "within_unmet": asdict(within(unmet)),
        "zmi": asdict(across(table)),
        "relative": asdict(intelligibility(table, identity, swap.chance)),
        "advantage": asdict(
            within([own_advantage(each, partners(party)) for each, party in zip(own, parties, strict=True)])
        ),
        "controls": {
            name: {"within": asdict(within(each.diagonal().tolist())), "zmi": asdict(across(each))}
            for name, each in controls.items()
        },
        "votes": {
            name: {"within": asdict(within(each.diagonal().tolist())), "zmi": asdict(across(each))}
            for name, each in crowd.items()
        },
    }


def _crowd(swap: Swap, votes: Float[Tensor, "s p"], count: int) -> Float[Tensor, "p p"]:
    """The rate of votes of every community's receivers on every community's drawings."""
    return over_pairs(count, lambda i, j: float(votes[_rows(swap, i), j].mean()))


def _rows(swap: Swap, party: int) -> Tensor:
    return torch.tensor([one == party for one, _ in swap.senders])


def _alike(parties: Sequence[Party], swap: Swap, drawn: Drawn) -> dict[str, Any]:
    variation, grounding = compared(parties, swap, drawn)

    def both(table: Float[Tensor, "p p"], other: float) -> dict[str, Any]:
        inside = [None if math.isnan(each) else each for each in table.diagonal().tolist()]
        return {"in_group": asdict(within(inside)), "cross_group": asdict(across(table)), "other_pictures": other}

    return {
        "variation": {
            "features": both(variation.features, variation.others[0]),
            "strokes": both(variation.strokes, variation.others[1]),
            "pictures": variation.pictures,
        },
        "grounding": {
            name: asdict(within(getattr(grounding, name)))
            | {"controls": {key: asdict(within(each[name])) for key, each in grounding.controls.items()}}
            for name in ("iconicity", "rsa")
        }
        | {"chance": grounding.chance, "pictures": grounding.pictures},
    }


def _eased(found: Sequence[Ease]) -> dict[str, Any]:
    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    curves = torch.tensor([each.rates for each in found], dtype=torch.float64)
    return {
        "games": found[0].games,
        "rates": curves.mean(dim=0).tolist(),
        "area": asdict(within([mean(each.area) for each in found])),
        "untrained": asdict(within([mean(each.untrained) for each in found])),
        "natives": asdict(within([each.natives for each in found])),
        "newcomers": len(found[0].area),
    }


def _plain(value: Any) -> Any:
    """The same with None for what is no number, as JSON has none."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(folder: Path, met: Meeting) -> None:
    """meeting.json, matrix.csv, plays.jsonl, the picture, and the page: the page last."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "matrix.csv", matrix_csv(met.parties, met.swap))
    write_text(folder / "plays.jsonl", "".join(f"{line}\n" for line in _journal(met)))
    write_json(folder / "meeting.json", met.findings)
    write_meeting(folder, met.parties, met.swap, met.drawn, met.findings)


def matrix_csv(parties: Sequence[Party], swap: Swap) -> str:
    """The swap matrix as CSV: a line a sender, a column a receiver; ``run:slot`` names both."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["sender", *(f"{parties[party].name}:{slot}" for party, slot in swap.receivers)])
    for (party, slot), row in zip(swap.senders, swap.rates.tolist(), strict=True):
        writer.writerow([f"{parties[party].name}:{slot}", *(f"{each:.6g}" for each in row)])
    return out.getvalue()


def _journal(met: Meeting) -> list[str]:
    """A line a round and sender: what it drew, and what every receiver took it for (positions in the pool)."""
    found = []
    for number, (round, strokes, choices) in enumerate(
        zip(met.drawn.rounds, met.drawn.strokes, met.drawn.choices, strict=True)
    ):
        for row, (party, slot) in enumerate(met.swap.senders):
            line = {
                "round": number,
                "run": met.parties[party].name,
                "sender": slot,
                "pool": round.pool[0].tolist(),
                "shown": round.shown.tolist(),
                "target": round.target.tolist(),
                "choices": choices[row].tolist(),
                **written(strokes[row]),
            }
            found.append(json.dumps(line))
    return found
