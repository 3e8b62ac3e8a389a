"""What a run writes down while it goes: plays as ids and strokes, curves and pictures for TensorBoard."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from games import Course, Play
from raster import on_paper
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


def _until_the_next_second(folder: Path) -> None:
    """Wait, a second at most, until a file of events that is begun now comes after those that are there.

    TensorBoard reads them in the order of their names: the second, and then a number that is read as a word, so that of
    two files of one second the 10th comes before the 9th and is passed over.
    """
    seconds = [int(each.name.split(".")[3]) for each in folder.glob("events.out.tfevents.[0-9]*")]
    wait = max(seconds, default=0) + 1 - time.time()
    if 0 < wait <= 1:
        time.sleep(wait)


class Journal:
    """The writer of one run's plays and TensorBoard events."""

    def __init__(self, run: Run, purge_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # seconds to import

        self.run = run
        _until_the_next_second(run.folder.path)
        self.writer: SummaryWriter = SummaryWriter(str(run.folder.path), purge_step=purge_step)

    def scalars(self, split: str, line: dict[str, Any]) -> None:
        """One metrics line as TensorBoard curves, tagged split/metric."""
        for key, value in line.items():
            if isinstance(value, float):
                self.writer.add_scalar(f"{split}/{key}", value, line["step"])

    def plays(self, step: int, records: list[Record]) -> None:
        """Write plays to the journal of their split."""
        for record in records:
            for line in play_lines(record, step):
                append_line(self.run.folder.journal(record.play.round.split), line)

    def pictures(self, step: int, records: list[Record]) -> None:
        """The fixed grid of each game: the first games of its first record, photo over sketch over guess."""
        first = {record.game: record.play for record in reversed(records)}
        for game, play in first.items():
            self.writer.add_image(f"validation/{game}", grid(self.run, play), step)

    def text(self, name: str, text: str) -> None:
        """A text for TensorBoard, verbatim."""
        self.writer.add_text(name, "    " + text.replace("\n", "\n    "))

    def hparams(self, summary: dict[str, Any]) -> None:
        """The run's place in TensorBoard's table of hyper-parameters (the same keys for every run)."""
        config = self.run.config
        asked = {
            "name": config.name,
            "seed": config.seed,
            "game": self.run.game.label,
            "biases": " ".join(each.kind for each in config.biases),
            "strokes": config.sender.strokes.count,
            "steps": config.train.steps,
        }
        keys = ("rate", "untrained", "ceiling", "mse", "AP_inf")
        metrics = {f"test/{key}": float(summary[key]) for key in keys if key in summary}
        self.writer.add_hparams(asked, metrics, run_name=".")

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()


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
