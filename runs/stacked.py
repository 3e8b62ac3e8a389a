"""A step of AdamW of all agents of a stack in one call, where all of them learn."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from agents.stack import Stack
from raster.shapes import Float, Tensor
from runs.steps import adamw_of


class StackedAdamW:
    """AdamW (Loshchilov & Hutter 2019) of equal agents on their stacked parameters [n, ...].

    What it remembers stands row by row in tensors [n, ...], and the state of each agent's own optimiser is made of
    views of its row: checkpoints, lessons, newcomers and steps of single agents find it where it always was. Whoever
    puts something else there says so (``forget``), and it is taken over before the next step of all.

    Args:
        names: of the members, row by row.
        stack: the agents.
        optimisers: a fused AdamW of each, alike but for their step size.
    """

    def __init__(self, names: Sequence[str], stack: Stack, optimisers: Sequence[torch.optim.Optimizer]) -> None:
        self.names, self.stack, self._optimisers = list(names), stack, list(optimisers)
        self._means = {key: torch.zeros_like(tensor) for key, tensor in stack.tensors.items()}
        self._squares = {key: torch.zeros_like(tensor) for key, tensor in stack.tensors.items()}
        first = next(iter(stack.tensors.values()))
        self._steps = torch.zeros((len(self.names), len(stack.tensors)), dtype=torch.float32, device=first.device)
        self._first = dict(zip(stack.tensors, self._steps[0].unbind(), strict=True))
        self._known = self._even = False
        self._begun: set[str] = set()
        """Parameters of which every agent's optimiser remembers something."""

    def forget(self, moved: Iterable[str] | None = None) -> None:
        """Agents have another state than after the last step of all; None for any, or those who took a step alone.

        Where all of them took it, all are as far as each other still.
        """
        if moved is None or 0 < len(set(moved) & set(self.names)) < len(self.names):
            self._known = False

    def ready(self) -> bool:
        """Whether a step can be taken for all at once: all have gradients, and have taken equally many steps."""
        if self.stack.gradients is None:
            return False
        if not self._known:
            self._take_over()
        return self._even

    def _take_over(self) -> None:
        """Make the state of every agent's optimiser a view of its row, whatever it was."""
        self._begun = set(self.stack.tensors)
        columns = zip(self.stack.tensors, self._steps.unbind(1), strict=True)
        for key, steps in columns:
            for row, (optimiser, parameter) in enumerate(zip(self._optimisers, self.stack.own(key), strict=True)):
                mine = {"step": steps[row], "exp_avg": self._means[key][row], "exp_avg_sq": self._squares[key][row]}
                state = optimiser.state.get(parameter)
                if not state:
                    self._begun.discard(key)
                for name, view in mine.items():
                    if not state:
                        view.zero_()
                    elif state[name].data_ptr() != view.data_ptr():
                        state[name] = view.copy_(state[name])
        self._even = bool((self._steps == self._steps[0]).all())
        self._known = True

    def _begin(self, key: str) -> None:
        """Each optimiser remembers something of this parameter from now on."""
        column = list(self.stack.tensors).index(key)
        for row, (optimiser, parameter) in enumerate(zip(self._optimisers, self.stack.own(key), strict=True)):
            optimiser.state[parameter] = {
                "step": self._steps[row, column],
                "exp_avg": self._means[key][row],
                "exp_avg_sq": self._squares[key][row],
            }
        self._begun.add(key)

    @torch.no_grad()
    def step(self, lr: float, clip: float) -> None:
        """Clip each agent's gradients to the norm ``clip``, and take a step of size ``lr`` with all."""
        assert self.stack.gradients is not None
        gradients: Mapping[str, Tensor] = self.stack.gradients
        for key in [key for key in gradients if key not in self._begun]:
            self._begin(key)
        flat = [each.reshape(len(each), -1) for each in gradients.values()]
        norms = torch.stack([torch.linalg.vector_norm(each, dim=1) for each in flat])  # [tensors, n]
        scale: Float[Tensor, " n"] = (clip / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
        for each in flat:
            each.mul_(scale[:, None])
        adamw_of(
            self._optimisers[0],
            [self.stack.tensors[key] for key in gradients],
            list(gradients.values()),
            [self._means[key] for key in gradients],
            [self._squares[key] for key in gradients],
            [self._first[key] for key in gradients],
            lr,
        )
        self._steps[1:] = self._steps[0]
