"""What a run writes down while it goes: plays as ids and strokes, curves and pictures for TensorBoard."""

from dataclasses import dataclass
from typing import Any

import torch

from games import Course, Play
from raster import on_paper
from runs.board import Board
from runs.drawings import written
from runs.folder import append_line
from runs.run import Run

SHOWN = 16
"""Games in TensorBoard's fixed grid."""


@dataclass(frozen=True)
class Record:
    """A play with who played it and what the game is called."""

    game: str
    play: Play
    sender: int
    receiver: int


def play_lines(record: Record, step: int) -> list[dict[str, Any]]:
    """A play as JSON lines, one a pool: ids, strokes and scores, never pixels (docs/files.md)."""
    play, round = record.play, record.play.round
    found = []
    for number, pool in enumerate(round.pool.cpu()):
        mine = (round.pool_of == number).nonzero()[:, 0]
        found.append(
            {
                "step": step,
                "split": round.split,
                "game": record.game,
                "sender": record.sender,
                "receiver": record.receiver,
                "pool": pool.tolist(),
                **(_judged(play, mine) if play.chosen else {"shown": round.shown[mine].tolist()}),
                **{name: _rounded(value[mine], 5) for name, value in play.figures.items()},
                **_turns(play.course, mine),
                **({} if play.said is None else {"said": _rounded(play.said[mine], 3)}),
                **written(play.strokes[mine]),
            }
        )
    return found


def _judged(play: Play, mine: torch.Tensor) -> dict[str, Any]:
    """What was meant, shown and taken in some of a play's games; lists of positions where there may be several."""
    round = play.round
    sure = {"probability": _rounded(play.probability[mine], 4), "scores": _rounded(play.scores[mine], 3)}
    if round.targets is None or round.also is None:
        found = {"target": round.target, "shown": round.shown, "choice": play.choice}
        return {key: each[mine].tolist() for key, each in found.items()} | sure
    shown = torch.cat([round.shown[:, None], round.also], dim=1)[mine].tolist()
    return {
        "targets": [row.nonzero()[:, 0].tolist() for row in round.targets[mine].cpu()],
        "shown": [[picture for picture in row if picture >= 0] for row in shown],
        "taken": [row.nonzero()[:, 0].tolist() for row in play.taken[mine].cpu()],
        **sure,
    }


def _turns(course: Course | None, mine: torch.Tensor) -> dict[str, Any]:
    """What a line says of a game of turns: the turn of the answer (from 1); each turn's choice and decision."""
    if course is None:
        return {}
    return {
        "turn": (course.taken[mine] + 1).tolist(),
        "choices": course.choices[mine].tolist(),
        "answer": _rounded(course.answer[mine], 4),
    }


def _rounded(values: torch.Tensor, digits: int) -> Any:
    return values.detach().double().cpu().numpy().round(digits).tolist()


class Journal(Board):
    """The writer of one run's plays and TensorBoard events."""

    def __init__(self, run: Run, resumed: int | None) -> None:
        super().__init__(run.folder, resumed)
        self.run = run

    def plays(self, step: int, records: list[Record]) -> None:
        """Write plays to the journal of their split."""
        for record in records:
            for line in play_lines(record, step):
                append_line(self.run.folder.journal(record.play.round.split), line)

    def pictures(self, step: int, records: list[Record]) -> None:
        """The fixed grid of each game: the first games of its first record, photo over sketch over guess."""
        first = {record.game: record.play for record in reversed(records)}
        for game, play in first.items():
            self.image(f"validation/{game}", grid(self.run, play), step)

    def summary(self, found: dict[str, Any]) -> None:
        """The run's place in TensorBoard's table of hyper-parameters."""
        config = self.run.config
        asked: dict[str, str | int] = {
            "name": config.name,
            "seed": config.seed,
            "game": self.run.game.label,
            "biases": " ".join(each.kind for each in config.biases),
            "strokes": config.sender.strokes.count,
            "steps": config.train.steps,
        }
        keys = ("rate", "untrained", "ceiling", "mse", "AP_inf")
        self.hparams(asked, {key: float(found[key]) for key in keys if key in found})


def grid(run: Run, play: Play) -> torch.Tensor:
    """Photos over sketches over guesses for the first games of a play, [3, 3 H, SHOWN W] in [0, 1]; without the guesses
    where nobody chose.
    """
    count = min(SHOWN, len(play.loss))
    photo = play.photo[:count].pixels().cpu()
    size = photo.shape[-1]
    paper = on_paper(play.canvas[:count].detach().float().cpu()).clamp(0, 1)
    sketch = torch.nn.functional.interpolate(paper, size=(size, size))
    shown = [photo, sketch]
    if play.chosen:
        guessed = play.round.pool[play.round.pool_of[:count], play.choice[:count]]
        shown.append(run.gallery.view(guessed).pixels().cpu())
    rows = [torch.cat(list(row), dim=-1) for row in shown]
    return torch.cat(rows, dim=-2)
