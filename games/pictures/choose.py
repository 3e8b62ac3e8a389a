"""Take some pictures of a large set."""

import numpy as np
import torch
from numpy.typing import NDArray


def choose(
    label: NDArray[np.int64], per_class: int | None, classes: int | None, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the chosen pictures (class by class, rising within each), and the chosen classes (rising).

    Args:
        label: class of each picture.
        per_class: at most this many of a class; None for all.
        classes: at most this many classes; None for all.
        seed: draws them.
    """
    generator = torch.Generator().manual_seed(seed)
    there = np.unique(label)
    if classes is not None and classes < len(there):
        there = np.sort(there[torch.randperm(len(there), generator=generator)[:classes].numpy()])
    order = np.argsort(label, kind="stable")
    first, last = np.searchsorted(label[order], there, "left"), np.searchsorted(label[order], there, "right")
    taken = []
    for start, stop in zip(first.tolist(), last.tolist(), strict=True):
        own = order[start:stop]
        if per_class is not None and per_class < len(own):
            own = own[torch.randperm(len(own), generator=generator)[:per_class].numpy()]
        taken.append(np.sort(own))
    return np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64), there
