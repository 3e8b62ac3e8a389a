"""Learning to predict sets, step by step. Everything that a step depends on is in ``state``."""

from typing import Any

import torch
from torch import nn

from perception.sets import DSPN, ImplicitDSPN, SetLoss, build_set_loss, over_steps, tune_rate
from raster.shapes import Tensor
from runs import checkpoint
from runs.sets.config import SetsConfig
from runs.sets.data import Data
from runs.sets.model import SetPredictor
from runs.steps import lr_at

FIRST = 1024
"""True sets by whose encodings the inner loop is standardised before the first step."""


def set_loss(config: SetsConfig) -> SetLoss:
    """The loss that a config says: prediction and target to one number a set."""
    return build_set_loss(config.loss, config.task.fields)


class SetLearner:
    """Adam on encoder and decoder, batch after batch."""

    def __init__(self, config: SetsConfig, model: SetPredictor, data: Data) -> None:
        self.config, self.model, self.data = config, model, data
        self.loss = set_loss(config)
        fused = data.device.type in {"cpu", "cuda"}  # one kernel for all parameters where there is one
        train = config.train
        self.optimiser = torch.optim.AdamW(model.parameters(), train.lr, weight_decay=train.weight_decay, fused=fused)
        self.dealing = torch.Generator().manual_seed(config.seed)
        self.starting = torch.Generator().manual_seed(config.seed + 1)
        self.window: dict[str, list[Tensor]] = {}
        self.step = 0
        self.seconds = 0.0

    def prepare(self) -> str | None:
        """What comes before the first step: vectors and encodings of one scale (`SetPredictor.meet`), and with ``tune``
        the inner step, chosen on a batch. What was found of it, None where there is nothing to choose.
        """
        decoder, seed = self.model.decoder, self.config.seed
        if self.model.norm is not None:
            self.model.meet(self.data.train(FIRST, torch.Generator().manual_seed(seed)).wanted)
        if not self.config.tune or not isinstance(decoder, DSPN | ImplicitDSPN):
            return None
        pairs = self.data.train(self.config.train.batch, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            z = self.model.encode(pairs.given)
        return str(tune_rate(decoder, z, None, torch.Generator().manual_seed(seed)))

    def inner_steps(self, step: int) -> int | None:
        """Inner steps of the decoder at a step; None: its own number."""
        late = self.config.train.late_steps
        return late if late is not None and 2 * step >= self.config.train.steps else None

    def advance(self) -> None:
        """Learn from one batch."""
        config, model = self.config, self.model
        model.train()
        pairs = self.data.train(config.train.batch, self.dealing)
        z = model.encode(pairs.given)
        decoded = model.decode(z, self.starting, self.inner_steps(self.step))
        loss = over_steps(self.loss, decoded.supervised, pairs.wanted).mean()
        self._note("loss", loss)
        represented = model.represented(pairs.wanted, z)
        if represented is not None:
            self._note("representation", represented.mean())
            loss = loss + config.represent * represented.mean()
        if len(decoded.gaps):
            self._note("inner gap, first", decoded.gaps[0].mean())
            self._note("inner gap, last", decoded.gaps[-1].mean())
            self._note("moved", decoded.moved.sum(0).mean())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if config.train.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), config.train.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = lr_at(config.train, self.step)
        self.optimiser.step()
        self.step += 1

    def flush(self) -> dict[str, float]:
        """The means since the last flush."""
        means = {key: float(total / count) for key, (total, count) in self.window.items()}
        self.window = {}
        return means

    def state(self) -> dict[str, Any]:
        """Everything beside the weights that the next steps depend on: plain types and tensors."""
        return {
            "optimiser": self.optimiser.state_dict(),
            "generators": {"dealing": self.dealing.get_state(), "starting": self.starting.get_state()},
            "window": self.window,
            "seconds": self.seconds,
        }

    def restore(self, step: int, state: dict[str, Any]) -> None:
        """Go back to a ``state`` that was saved after ``step`` steps.

        Raises KeyError, TypeError or ValueError for a state that is damaged or of another model.
        """
        checkpoint.restore_optimiser(self.optimiser, state["optimiser"])
        self.dealing.set_state(state["generators"]["dealing"])
        self.starting.set_state(state["generators"]["starting"])
        self.window, self.seconds, self.step = state["window"], state["seconds"], step

    def _note(self, key: str, value: Tensor) -> None:
        """Add to the window's sum and count, on the device: no step waits for a number to be printed."""
        value = value.detach().double()
        total, count = self.window.get(key, [torch.zeros_like(value), torch.zeros_like(value)])
        self.window[key] = [total + value, count + 1]
