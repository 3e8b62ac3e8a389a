"""The fixed reader of traces: a small convnet that learned the pictures and never saw a drawing by an agent."""

import hashlib
import json
import logging
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from perception import cache_folder
from raster.shapes import Float, Int, Tensor
from runs.folder import write_atomic
from runs.run import Run
from runs.tracing.traces import ink_of

_log = logging.getLogger("lascaux.runs")

EPOCHS, BATCH, LR = 20, 64, 2e-3
"""How it learns; ``FEWEST`` steps at least, ``MOST`` at most."""
FEWEST, MOST = 400, 4000
CHUNK = 256
"""Pictures read at once."""
_VERSION = 1


class Classifier(nn.Module):
    """Ink to classes: three 3x3 convolutions with ReLU, halved after each of the first two, and one linear layer.

    Args:
        inks: channels of a canvas, 1 or 3.
        classes: how many there are.
    """

    def __init__(self, inks: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inks, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 32, 3, padding=1)
        self.third = nn.Conv2d(32, 64, 3, padding=1)
        self.out = nn.Linear(64 * 16, classes)

    def forward(self, canvas: Float[Tensor, "b *inks h w"]) -> Float[Tensor, "b classes"]:
        """Logits, [B, classes], of canvases [B, H, W] or [B, 3, H, W]."""
        x = canvas.float() if canvas.ndim == 4 else canvas.float()[:, None]
        x = F.max_pool2d(torch.relu(self.first(x)), 2)
        x = F.max_pool2d(torch.relu(self.second(x)), 2)
        x = F.adaptive_avg_pool2d(torch.relu(self.third(x)), 4)
        return self.out(x.flatten(1))

    @torch.no_grad()
    def read(self, canvas: Float[Tensor, "n *inks h w"]) -> Int[Tensor, " n"]:
        """The class of each canvas, [n], on the CPU."""
        return torch.cat([self(some).argmax(dim=1) for some in canvas.split(CHUNK)]).cpu()


def classifier_of(run: Run) -> Classifier:
    """The classifier of a run's training pictures, as ink at the size of its canvas: from the cache, or learned now.

    It depends on the pictures and on how they become ink, not on the run: runs of other senders and seeds are read by
    the same one. It is kept under the user's cache folder by the hash of all that it was made of.
    """
    train = run.gallery.splits["train"].shown.nonzero()[:, 0]
    inks, classes = run.config.sender.strokes.inks, len(run.gallery.classes)
    path = cache_folder() / "classifiers" / f"{_key(run, train)}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        made = Classifier(inks, classes)
    if not _restored(made, path):
        _learn(made, ink_of(run, train).float().cpu(), run.gallery.label[train])
        try:
            write_atomic(path, lambda temporary: save_file(made.state_dict(), temporary))
        except OSError as error:  # a full disk: it is there, and is learned again the next time
            _log.warning("the classifier cannot be kept in %s (%s)", path.parent, error)
    return made.to(run.gallery.device).requires_grad_(False)


def _key(run: Run, train: Int[Tensor, " n"]) -> str:
    assert run.game.chooses is False
    made_of = {
        "content": run.gallery.content,
        "train": hashlib.sha256(train.numpy().tobytes()).hexdigest(),
        "canvas": run.config.canvas.size,
        "ink": getattr(run.game, "ink", None),
        "inks": run.config.sender.strokes.inks,
        "learned": [EPOCHS, BATCH, LR, FEWEST, MOST, _VERSION],
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def _restored(made: Classifier, path: Path) -> bool:
    """Whether its weights could be had from a file; a damaged one is as good as none."""
    try:
        made.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError, ValueError):
        return False
    return True


def _learn(made: Classifier, ink: Float[Tensor, "n *inks h w"], label: Int[Tensor, " n"]) -> None:
    """Cross-entropy by Adam under a cosine, batches shifted by up to a fourteenth of a side: writers do not centre."""
    generator = torch.Generator().manual_seed(0)
    steps = min(MOST, max(FEWEST, EPOCHS * len(label) // BATCH))
    optimiser = torch.optim.Adam(made.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    most = max(1, round(ink.shape[-1] / 14))
    order = torch.zeros(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < min(BATCH, len(label)):
            order = torch.randperm(len(label), generator=generator)
        some, order = order[:BATCH], order[BATCH:]
        across, down = (int(each) - most for each in torch.randint(2 * most + 1, (2,), generator=generator))
        seen = F.pad(ink[some], (across, -across, down, -down))  # what leaves on one side is paper on the other
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(made(seen), label[some]).backward()
        optimiser.step()
        schedule.step()
