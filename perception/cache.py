"""Features are computed once, and kept."""

import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from raster.shapes import Float, Tensor

_log = logging.getLogger("lascaux.perception")
_HALF = torch.finfo(torch.float16)


def cache_folder() -> Path:
    """The user's cache of lascaux: LASCAUX_CACHE, else XDG_CACHE_HOME/lascaux, else ~/.cache/lascaux. Not created."""
    if own := os.environ.get("LASCAUX_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "lascaux"
    return Path.home() / ".cache" / "lascaux"


class FeatureCache:
    """Tensors by key: float16 on the CPU, one .safetensors file a key in `folder`; None keeps them in memory.

    Files are written under a temporary name and then renamed, so two processes may share a folder and a kill leaves
    no half file. A damaged file is made again. A folder that cannot be written (a full disk) costs a line in the log,
    and the tensor stays in memory. What comes from a file is mapped, not read: memory holds the pages in use.
    """

    def __init__(self, folder: Path | str | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._memory: dict[str, Tensor] = {}

    @classmethod
    def of_user(cls) -> "FeatureCache":
        """The cache under the user's cache folder."""
        return cls(cache_folder() / "features")

    def get(self, key: str, make: Callable[[], Float[Tensor, "..."]]) -> Float[Tensor, "..."]:
        """The tensor of `key`, from the cache or else from `make()`; values beyond float16 are clamped."""
        return self.get_many([key], lambda: [make()])[0]

    def get_many(
        self, keys: Sequence[str], make: Callable[[], Sequence[Float[Tensor, "..."]]]
    ) -> list[Float[Tensor, "..."]]:
        """The tensors of `keys`; if any is missing, ``make()`` makes all (levels of one pass belong together)."""
        found = [self._load(key) for key in keys]
        if all(tensor is not None for tensor in found):
            return [tensor for tensor in found if tensor is not None]
        made = make()
        if len(made) != len(keys):
            raise ValueError(f"make gave {len(made)} tensors for {len(keys)} keys")
        return [
            self._store(key, fresh) if old is None else old for key, old, fresh in zip(keys, found, made, strict=True)
        ]

    def path(self, key: str) -> Path | None:
        """Where the tensor of `key` is kept; None for a cache in memory."""
        if self.folder is None:
            return None
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", key)
        if name != key or len(name) > 150:  # keep names apart that look alike when cleaned or cut
            name = f"{name[:100]}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        return self.folder / f"{name}.safetensors"

    def _load(self, key: str) -> Tensor | None:
        if key in self._memory:
            return self._memory[key]
        path = self.path(key)
        if path is None or not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("key") != key:
                    raise ValueError("it is of another key")
                return file.get_tensor("features")
        except (SafetensorError, OSError, ValueError) as error:
            _log.warning("the cached features in %s cannot be read (%s); they are computed again", path, error)
            return None

    def _store(self, key: str, tensor: Tensor) -> Tensor:
        half = tensor.detach().clamp(_HALF.min, _HALF.max).to("cpu", torch.float16).contiguous()
        path = self.path(key)
        if path is not None and self._write(path, key, half):
            mapped = self._load(key)
            if mapped is not None:
                return mapped
        self._memory[key] = half
        return half

    def _write(self, path: Path, key: str, tensor: Tensor) -> bool:
        temporary: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=".safetensors")
            temporary = Path(name)
            os.close(handle)
            save_file({"features": tensor}, temporary, metadata={"key": key})
            temporary.replace(path)
            return True
        except (OSError, SafetensorError) as error:
            _log.warning("features cannot be kept in %s (%s); they stay in memory for this run", path.parent, error)
            return False
        finally:  # also on Ctrl-C; nothing is left of it after the rename
            if temporary is not None:
                temporary.unlink(missing_ok=True)
