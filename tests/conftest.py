"""What every test stands on: shapes checked at each call, one thread, hypothesis without a clock."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# ruff: noqa: E402  # the order of the imports is what this file is about
# Before matplotlib, numba and torch are imported: no window, and one thread, since `make test` has a process a core.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning costs ten times (docs/raster.md)

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

PACKAGES = ["raster", "perception", "agents", "games", "runs"]

# Left as they are by the shape checker, each with its reason.
UNCHECKED = {
    "raster._cpu_kernels": "numba compiles these functions and must see them bare",
    "raster._gpu_kernels": "and so does Triton",
    "raster._cpu_lanes": "as are these",
    "raster._cpu_lines": "and these",
    "raster._cpu_over": "and these",
    "raster._cpu_polylines": "and these",
    "raster._cpu_steps": "and these",
    "raster._cpu_tiles": "and these",
    "raster._cpu_vectors": "and these",
    "games.scenes._rays": "and these",
    "perception.sets._ranks": "and this",
    "agents.bodies._tour": "and these",
}


class _AsWritten(MetaPathFinder):
    """Finds the modules of `UNCHECKED` before the shape checker does, and hands them over untouched."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, path, target) if fullname in UNCHECKED else None


early = sorted(name for name in sys.modules if name.split(".")[0] in PACKAGES)
if early:
    raise RuntimeError(f"imported before the shape checker: {', '.join(early)}")
# Not random: a list's first item is checked, and Python's global generator is left alone. An int is a float, as for
# mypy.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_random=False, is_pep484_tower=True))"
install_import_hook(PACKAGES, CHECKER)
sys.meta_path.insert(0, _AsWritten())

import torch

torch.set_num_threads(1)

# A loaded machine is slow, not wrong: no deadline. In CI the examples are the same each time.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features and pictures are cached in a folder of this test session, never in the user's; its workers share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "cache"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("LASCAUX_CACHE", str(folder))


@pytest.fixture(autouse=True)
def _torch_as_found() -> Iterator[None]:
    """A test that touches torch's global state fails here rather than in the next test."""
    state, threads, dtype = torch.random.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    yield
    assert torch.get_default_dtype() == dtype, "the default dtype was changed"
    assert torch.get_num_threads() == threads, "the number of threads was changed"
    torch.random.set_rng_state(state)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of ready-made pictures that LASCAUX_DATA names; a test that needs it is skipped without."""
    named = os.environ.get("LASCAUX_DATA")
    if not named:
        pytest.skip("LASCAUX_DATA names no folder of ready-made pictures")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"LASCAUX_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """The folder of a ``lascaux`` and a ``python`` that start at once (see `tests/warm.py`), where forks are safe.

    For tests of what a command does; those of how it starts or ends take the real one.
    """
    if sys.platform != "linux":
        yield Path(sys.executable).parent
        return
    with tempfile.TemporaryDirectory(prefix="warm") as found:  # a short path: a socket's has a hundred characters
        command = [sys.executable, str(Path(__file__).with_name("warm.py")), "serve", found]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, start_new_session=True) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == b"ready\n"
                yield Path(found)
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # and with it whatever a command that took too long has left
