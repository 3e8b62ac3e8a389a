"""A Python that has imported the libraries already: each command is a process of its own, without their seconds.

``serve FOLDER`` listens there until its input ends. It writes two commands into the folder, ``lascaux`` and ``python``,
which hand over their words, folder, environment and streams. For each it forks, and the child does what the real
command does: the tests' commands import torch once, and not a hundred times. Nothing of the house is imported
beforehand, so that whatever a command or a page's script fails to import is missed as it would be by its reader. What
a signal does to a command, or what it imports, is tried with the real one.
"""

import array
import importlib
import json
import os
import runpy
import select
import shlex
import socket
import sys
from contextlib import suppress
from pathlib import Path

# What commands of this house spend their first seconds on.
LIBRARIES = [
    "jinja2", "matplotlib.pyplot", "numba", "PIL.Image", "pydantic", "rich", "safetensors.torch", "scipy.optimize",
    "scipy.stats", "sklearn.datasets", "sklearn.linear_model", "timm", "torch", "torch.utils.tensorboard",
    "torchvision", "typer", "yaml",
]  # fmt: skip

SCRIPT = """#!/bin/sh
exec {python} -IS {warm} call {address} {name} "$@"
"""


def call(address: str, words: list[str]) -> int:
    """In the process of a command: has the warm Python carry it out. Its exit status, as a shell tells it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
        talk.connect(address)
        told = json.dumps([words, str(Path.cwd()), dict(os.environ)]).encode()
        streams = array.array("i", [0, 1, 2])
        talk.sendmsg([len(told).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        talk.sendall(told)
        code = talk.recv(1)
    if not code:
        sys.exit("the warm Python is gone")
    return code[0]


def received(talk: socket.socket) -> tuple[list[str], str, dict[str, str], list[int]]:
    """Words, folder, environment and streams of a command."""
    streams = array.array("i")
    length, extra, _, _ = talk.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    for _, _, data in extra:
        streams.frombytes(data)
    told = b""
    while len(told) < int.from_bytes(length, "big"):
        told += talk.recv(1 << 16)
    words, folder, environment = json.loads(told)
    return words, folder, environment, list(streams)


def next_command(listener: socket.socket) -> list[str]:
    """Never returns in the parent; in a child with the words of its command, in its folder, environment and streams."""
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:  # nothing is ever written there: whoever started this is gone
            os._exit(0)
        talk, _ = listener.accept()
        if os.fork():  # the parent waits for nobody: a command may be the one side of a pipe
            talk.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            continue
        listener.close()
        words, folder, environment, streams = received(talk)
        child = os.fork()
        if child:
            for stream in streams:
                os.close(stream)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            talk.sendall(bytes([code if code >= 0 else 128 - code]))
            os._exit(0)
        talk.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        return words


def do(words: list[str], installed: list[str]) -> None:
    """What the real command does with these words, with the modules that its environment and an install give it."""
    name, *rest = words
    found = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]

    def stand(argv: list[str], first: str) -> None:
        sys.argv, sys.path[:] = argv, [first, *found, *installed]

    if name == "lascaux":
        stand(words, str(Path(sys.executable).parent))
        from runs.cli import main

        main()
    elif rest[0] == "-c":
        stand(["-c", *rest[2:]], "")
        sys.modules["__main__"] = made = type(sys)("__main__")
        exec(compile(rest[1], "<string>", "exec"), made.__dict__)
    else:
        stand(rest, str(Path(rest[0]).parent))
        runpy.run_path(rest[0], run_name="__main__")


def serve(folder: Path) -> None:
    """Listen in a folder; returns in the children, when their command is done."""
    for name in LIBRARIES:
        importlib.import_module(name)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    installed = [each for each in sys.path[1:] if each not in given]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        address = folder / "socket"
        listener.bind(str(address))
        listener.listen()
        for name in ("lascaux", "python"):
            where = {"python": sys.executable, "warm": __file__, "address": str(address)}
            script = SCRIPT.format(name=name, **{key: shlex.quote(each) for key, each in where.items()})
            (folder / name).write_text(script, encoding="utf-8")
            (folder / name).chmod(0o755)
        print("ready", flush=True)
        words = next_command(listener)
    do(words, installed)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]))
    else:
        sys.exit(call(sys.argv[2], sys.argv[3:]))
