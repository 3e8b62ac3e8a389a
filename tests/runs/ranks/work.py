"""Ranks of a test: one launch after another in each, as a file of cases says (``cases.ranks`` writes and reads it).

They are forked from one process that has imported everything, for an import costs more than a tiny run; what torchrun
would tell them stands in their environment. What torchrun itself does is tried with docs/distributed.md.
"""

# ruff: noqa: E402  # shapes are checked here, too, which begins with the first import of ours
import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import_module("tests.conftest")

from torch.distributed import TCPStore

import runs.start
from raster import InputError
from runs.cli import main as lascaux
from runs.config import Config
from runs.ranks import joined
from runs.train import Learner

STEP = Learner.step


def does(case: dict[str, Any]) -> str:
    """Launch one case; what came of it."""
    patch_step(case.get("signal"))
    keys = {"resume": case.get("resume", False), "device": case.get("device", "cpu")}
    try:
        runs.start.launch(Config.model_validate(case["config"]), case["out"], progress=False, **keys)
    except InputError as error:
        return str(error)
    except KeyboardInterrupt:
        return "stopped"
    return "done"


def patch_step(asked: dict[str, Any] | None) -> None:
    """Let something befall one rank in the step after so many: a signal, or an error."""

    def step(self: Learner) -> object:
        if asked is not None and self.run.step == asked["step"] and asked["rank"] == int(os.environ["RANK"]):
            if asked["name"] == "drift":
                next(self.run.community.parameters()).data += 1e-9
            else:
                os.kill(os.getpid(), getattr(signal, asked["name"]))
        return STEP(self)

    Learner.step = step  # type: ignore[assignment, method-assign]


def rank(number: int, group: dict[str, Any], file: Path, port: int) -> NoReturn:
    """The whole life of a rank."""
    told = os.open(f"{file}.err", os.O_WRONLY | os.O_CREAT)
    os.dup2(told, 2)
    names = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": group["ranks"], "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in names.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    with joined("cpu"):
        file.write_text(json.dumps([does(case) for case in group["launches"]]))
    patch_step(group.get("signal"))
    sys.argv = ["lascaux", *group["command"]]
    try:
        lascaux()
    except SystemExit as done:
        os._exit(done.code if isinstance(done.code, int) else 1)
    os._exit(0)


def main() -> None:
    runs.start.write_report = lambda *_: Path()  # half of a small run's time, and tested elsewhere
    codes = []
    for place, group in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        children = []
        for number in range(group["ranks"]):
            child = os.fork()
            if child == 0:
                rank(number, group, Path(f"{sys.argv[1]}.{place}.{number}"), port)
            children.append(child)
        # As torchrun does it: a store that outlives every rank. Made after the forks, which are to have no threads.
        store = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
        codes.append([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
        del store
    print(json.dumps(codes))


if __name__ == "__main__":
    main()
