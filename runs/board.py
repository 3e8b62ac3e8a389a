"""What a run writes for TensorBoard: curves, pictures, its config, its place in the table of hyper-parameters."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from raster.shapes import Float, Tensor
from runs.folder import Folder


def _until_the_next_second(folder: Path) -> None:
    """Wait, a second at most, until a file of events that is begun now comes after those that are there.

    TensorBoard reads them in the order of their names: the second, and then a number that is read as a word, so that of
    two files of one second the 10th comes before the 9th and is passed over.
    """
    seconds = [int(each.name.split(".")[3]) for each in folder.glob("events.out.tfevents.[0-9]*")]
    wait = max(seconds, default=0) + 1 - time.time()
    if 0 < wait <= 1:
        time.sleep(wait)


class Board:
    """The writer of one run's events. As a context it is closed at the end of it."""

    def __init__(self, folder: Folder, resumed: int | None) -> None:
        """Begin a file of events.

        Args:
            folder: of the run.
            resumed: the step that the run goes on from, after which what was shown does not count; None from anew.
        """
        from torch.utils.tensorboard import SummaryWriter  # seconds to import

        _until_the_next_second(folder.path)
        self._writer: SummaryWriter = SummaryWriter(str(folder.path), purge_step=0 if resumed is None else resumed + 1)

    def scalars(self, split: str, line: Mapping[str, Any]) -> None:
        """One metrics line as curves, tagged split/metric."""
        for key, value in line.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{split}/{key}", value, line["step"])

    def image(self, tag: str, picture: Float[Tensor, "3 h w"], step: int) -> None:
        """A picture in [0, 1]."""
        self._writer.add_image(tag, picture, step)

    def text(self, name: str, text: str) -> None:
        """A text, verbatim."""
        self._writer.add_text(name, "    " + text.replace("\n", "\n    "))

    def hparams(self, asked: Mapping[str, bool | str | float | int], found: Mapping[str, float]) -> None:
        """The run's place in the table of hyper-parameters: the same keys for every run of a kind."""
        metrics = {f"test/{key}": value for key, value in found.items()}
        self._writer.add_hparams(dict(asked), metrics, run_name=".")

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()

    def __enter__(self) -> "Board":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
