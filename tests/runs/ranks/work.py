"""What each rank of a test does: one launch after another, as a file of cases says (see ``ranks`` in ``cases.py``).

torchrun --nproc-per-node 2 tests/runs/ranks/work.py CASES.json
"""

# ruff: noqa: E402  # shapes are checked here, too, which begins with the first import of ours
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import_module("tests.conftest")

import runs.start
from raster import InputError
from runs.config import Config
from runs.ranks import joined
from runs.train import Learner

RANK = int(os.environ.get("RANK", "0"))


def does(case: dict[str, Any]) -> str:
    """Launch one case; what came of it."""
    patch_step(case.get("signal"))
    try:
        config = Config.model_validate(case["config"])
        runs.start.launch(
            config, case["out"], resume=case.get("resume", False), progress=False, device=case.get("device", "cpu")
        )
    except InputError as error:
        return str(error)
    except KeyboardInterrupt:
        return "stopped"
    return "done"


def patch_step(asked: dict[str, Any] | None) -> None:
    """Let a signal come to one rank, in the step after so many."""

    def step(self: Learner) -> object:
        if asked is not None and self.run.step == asked["step"] and asked["rank"] == RANK:
            os.kill(os.getpid(), getattr(signal, asked["name"]))
        return STEP(self)

    Learner.step = step  # type: ignore[assignment, method-assign]


STEP = Learner.step


def main() -> None:
    cases = json.loads(Path(sys.argv[1]).read_text())
    runs.start.write_report = lambda *_: Path()  # half of a small run's time, and tested elsewhere
    with joined("cpu"):
        found = [does(case) for case in cases["launches"]]
    Path(f"{sys.argv[1]}.{RANK}").write_text(json.dumps(found))
    if "command" in cases:
        from runs.cli import main as lascaux

        patch_step(cases.get("signal"))
        sys.argv = ["lascaux", *cases["command"]]
        lascaux()


if __name__ == "__main__":
    main()
