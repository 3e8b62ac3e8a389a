"""Saving and restoring a run exactly: weights as safetensors, the rest as plain tensors. Loading runs no code."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from raster import InputError
from runs.folder import write_atomic

KEEP = 2
"""Numbered checkpoints that are kept beside ``last``."""


@runtime_checkable
class Members(Protocol):
    """Whose weights are saved: an ``agents.Community``, or the strokes of ``runs.draw``."""

    def members(self) -> dict[str, nn.Module]:
        """Every module by the name that its tensors begin with."""
        ...


def weights_of(community: Members) -> dict[str, torch.Tensor]:
    """Every tensor of every agent by name (``senders.0.head.weight``), on the CPU; of those that another rank holds
    (``runs.ranks``) nothing.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, module in community.members().items():
        for key, value in module.state_dict().items():
            if not value.is_meta:
                tensors[f"{name}.{key}"] = value.detach().cpu().contiguous()
    return tensors


def save(folder: Path, community: Members, step: int, state: dict[str, Any]) -> None:
    """Write ``step-N`` and then ``last``, each under a temporary name first.

    Args:
        folder: the run's ``checkpoints``.
        community: whose weights.
        step: steps done.
        state: everything else, of plain types and tensors.
    """
    write(folder, weights_of(community), step, state)


def write(folder: Path, weights: dict[str, torch.Tensor], step: int, state: dict[str, Any]) -> None:
    """The same with the ``weights`` as they are to stand in the file."""
    state = {"step": step, **state}
    for stem in (f"step-{step:08d}", "last"):
        # The state goes last: a crash between the two leaves a pair that disagrees about its step.
        write_atomic(folder / f"{stem}.safetensors", lambda path: save_file(weights, path, {"step": str(step)}))
        write_atomic(folder / f"{stem}.state", lambda path: _save_state(state, path))
    for old in sorted(folder.glob("step-*.state"))[:-KEEP]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def _save_state(state: dict[str, Any], path: Path) -> None:
    # Through a file of Python's: given a path, torch hides a full disk behind an error about positions.
    with path.open("wb") as file:
        torch.save(state, file)


def load(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The newest whole checkpoint as (weights, state); None when there is none.

    Raises:
        InputError: a file of it is damaged or of another kind.
    """
    for stem in ("last", *(path.stem for path in sorted(folder.glob("step-*.state"), reverse=True))):
        weights_file, state_file = folder / f"{stem}.safetensors", folder / f"{stem}.state"
        if not (weights_file.exists() and state_file.exists()):
            continue
        weights, step = load_weights(weights_file)
        state = _load_state(state_file)
        if state["step"] == step:
            return weights, state
    return None


def load_weights(path: Path) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors of a weight file and the step they belong to.

    Raises:
        InputError: the file is missing, cut off, or not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            step = int((file.metadata() or {})["step"])
            return {key: file.get_tensor(key) for key in file.keys()}, step  # noqa: SIM118 (no plain dict)
    except FileNotFoundError:
        raise InputError("no checkpoint", path, "the run was stopped before its first one") from None
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(f"damaged checkpoint: {str(error).splitlines()[0]}", path, DAMAGED) from None


DAMAGED = "delete it; --resume then goes on from the newest whole checkpoint beside it, or from the start"
"""What to do about a damaged checkpoint."""


def _load_state(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of a foreign pickle; it is refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not isinstance(state.get("step"), int):
            raise ValueError("it is not the state of a run")
    except Exception as error:  # noqa: BLE001 (garbage makes an unpickler raise whatever it likes)
        # Of torch's long explanations only the first sentence; its advice for a refused pickle is to run it.
        what = (str(error).splitlines() or ["it is empty"])[0].split(". ")[0][:160]
        if isinstance(error, pickle.UnpicklingError):
            what = "it holds other things than tensors, numbers and words, which are never loaded"
        raise InputError(f"damaged checkpoint: {what}", path, DAMAGED) from None
    return state


def go_on(folder: Path, community: Members, restore: Callable[[int, dict[str, Any]], None]) -> int | None:
    """Put the newest whole checkpoint into the agents and whoever trains them; its step, None when there is none.

    Args:
        folder: the run's ``checkpoints``.
        community: whose weights.
        restore: takes the step and the state that were saved.

    Raises:
        InputError: it is damaged, or of another config.
    """
    return take_up(load(folder), folder, community, restore)


def take_up(
    found: tuple[dict[str, torch.Tensor], dict[str, Any]] | None,
    folder: Path,
    community: Members,
    restore: Callable[[int, dict[str, Any]], None],
) -> int | None:
    """The same with a checkpoint that was ``found`` (``load``), if any was."""
    if found is None:
        return None
    weights, state = found
    put(community, weights, folder)
    step: int = state["step"]
    try:
        restore(step, state)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError("the state is damaged or of another config", folder / "last.state", DAMAGED) from error
    return step


def restore_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Put a saved state into an optimiser.

    Raises KeyError, TypeError or ValueError for one that is damaged, or of parameters of other shapes (torch looks at
    their number only).
    """
    optimiser.load_state_dict(state)
    for parameter, moments in optimiser.state.items():
        if moments["exp_avg"].shape != parameter.shape:
            raise ValueError("moments of another shape")


def put(community: Members, weights: dict[str, torch.Tensor], where: Path) -> None:
    """Put loaded weights into the agents.

    Raises:
        InputError: they belong to another configuration (names the first difference).
    """
    rest = set(weights)
    for name, module in community.members().items():
        own = module.state_dict()
        mine = {}
        for key, value in own.items():
            full = f"{name}.{key}"
            if full not in weights or weights[full].shape != value.shape:
                found = f"shape {tuple(weights[full].shape)}" if full in weights else "nothing"
                raise InputError(
                    f"the checkpoint is of another config: {full} should be {tuple(value.shape)}, found {found}",
                    where,
                    "use the config that it was trained with",
                )
            rest.discard(full)
            mine[key] = weights[full]
        if not any(value.is_meta for value in own.values()):  # another rank holds it
            module.load_state_dict(mine)
    if rest:
        raise InputError(
            f"the checkpoint is of another config: it also holds {min(rest)}",
            where,
            "use the config that it was trained with",
        )
