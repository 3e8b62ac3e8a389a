"""What README and docs tell a person to type is typed here, as it stands, page by page and from the top.

How a page writes its blocks:

- ``bash``: commands. ``console``: ``$ command`` and, if shown, what it prints, where ``...`` stands for anything.
- ``python``: run as a script. ``yaml`` and ``python`` whose first line is ``# name.yaml`` or ``# name.py``: a file that
  the next commands use.
- Without a language, or as ``text``: a picture of a screen; it may hold no command.

All blocks of a page share one folder, in which a reader's own things lie already (`OWN`).
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))] if path.is_file()]
LANGUAGES = {"bash", "console", "python", "yaml", "toml", "json", "text", ""}

# Commands that are not typed here, by how they begin, each with its reason.
ELSEWHERE = {
    "make demo": "takes minutes and fetches pictures; its figures are measured by hand",
    "make test": "would run this test again",
    "make fast": "would run this test again",
    "make bench": "takes minutes",
    "git clone": "needs a network, and an address",
    "cd lascaux": "follows git clone",
    "lascaux run demo": "takes minutes and fetches pictures; tests/presets runs it small",
    "lascaux run another-hand": "takes minutes and fetches pictures; tests/presets runs it small",
    "lascaux study score": "needs people's answers; tests/runs/study makes some",
    "lascaux study serve": "serves until it is stopped; tests/cli/test_studies.py stops it",
    "lascaux study stand-ins": "needs a study; tests/runs/study/test_study_stand_ins.py makes some",
    "lascaux study simulate": "needs a browser; tests/runs/study/test_study_simulate.py has one",
    "python play_two.py": "needs the extra rl; tests/games/envs/test_page.py runs it where that is",
    "python train_receiver.py": "needs the extra rl; tests/games/envs/test_page.py runs it for a few steps",
    "torchrun --nnodes 2": "needs two machines",
    "tensorboard": "serves until it is stopped",
    "python -m http.server": "serves until it is stopped",
}
# Runs that are made shorter here, by how their command begins. A page tells a reader of minutes; here it is shown that
# the commands work and lead into one another, and what a run learns is shown elsewhere.
SHORTER = {
    "lascaux run tiny": ["train.steps=20", "measure.test_pools=3"],  # a study asks for 30 targets
    "lascaux run pictionary-tiny": ["train.steps=20", "measure.test_pools=2"],
    "lascaux run sketches.yaml": ["train.steps=10", "measure.test_pools=2"],
    "lascaux run several.yaml": ["train.steps=5", "measure.test_pools=2"],
    "lascaux run hard.yaml": ["train.steps=5", "measure.test_pools=2"],
    "lascaux run attention.yaml": ["train.steps=5", "measure.test_pools=2"],
    "lascaux run one-eye.yaml": ["train.steps=5", "measure.test_pools=2"],
    "lascaux run heads.yaml": ["train.steps=5", "measure.test_pools=2"],
    "torchrun --nproc-per-node 2 -m runs.cli run village": [
        "train.steps=6",
        "measure.test_pools=12",
        "community.events=[]",
    ],
    "lascaux run tracing/lines": ["train.steps=10", "pictures.views=1", "probes=[]"],
    "lascaux run edges.yaml": ["train.steps=10", "pictures.views=1"],
}
# The first run of a reader is made whole.
WHOLE = [("README.md", "lascaux run tiny --out out/tiny")]
# Parts of a command that this machine may lack.
LACKING = {"--device cuda": "needs a GPU"}

SECONDS = 300


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line of its first fence."""

    language: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    r"""The fenced blocks of a page, in order.

    >>> list(blocks("so:\n\n```bash\nls\n```\n"))
    [Block(language='bash', text='ls\n', line=3)]
    """
    lines = page.splitlines(keepends=True)
    start, held = None, ""
    for number, line in enumerate(lines, 1):
        if fence := re.match(r" {0,3}(```+|~~~+)\s*([\w-]*)", line):
            if start is None:
                start, language, mark, held = number, fence[2], fence[1], ""
                continue
            if fence[1].startswith(mark) and not fence[2]:
                yield Block(language, held, start)
                start = None
                continue
        if start is not None:
            held += line
    assert start is None, f"the block at line {start} is not closed"


def commands(text: str) -> list[str]:
    r"""Commands of a bash block, with those that go on over a backslash in one piece.

    >>> commands("# first\nls \\\n  -l\n\npwd  # where\n")
    ['ls \\\n  -l', 'pwd  # where']
    """
    joined = re.findall(r"(?:.*\\\n)*.*", text)
    return [each for each in joined if each.strip() and not each.lstrip().startswith("#")]


def exchanges(text: str) -> list[tuple[str, str]]:
    r"""What is typed and what is printed, of a console block.

    >>> exchanges("$ echo a\na\n$ pwd\n")
    [('echo a', 'a\n'), ('pwd', '')]
    """
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    return [(command, shown) for command, shown in found]


def left_out(command: str) -> str | None:
    """Why a command is not typed here, or None."""
    for start, why in ELSEWHERE.items():
        if command.strip() == start or command.strip().startswith(start + " "):
            return why
    return next((why for part, why in LACKING.items() if part in command), None)


def shorter(command: str, page: str) -> str:
    """A command of a page as it is typed here.

    >>> shorter("lascaux run several.yaml --out o  # so", "games.md")
    'lascaux run several.yaml --out o --set train.steps=5 --set measure.test_pools=2'
    """
    if (page, command.strip()) in WHOLE:
        return command
    sets = next((sets for start, sets in SHORTER.items() if command.startswith(start + " ")), [])
    plain = re.sub(r"\s+#.*$", "", command) if sets else command
    return " ".join([plain, *(f"--set {each}" for each in sets)])


def file_name(block: Block) -> str | None:
    """The file that a yaml or python block is, by its first line."""
    named = re.match(r"# ([\w./-]+\.(?:yaml|py))\s*\n", block.text)
    return named[1] if named and block.language in {"yaml", "python"} else None


def own_things(folder: Path) -> None:
    """What a page takes a reader to have: three classes of pictures of their own, and a consent form."""
    digits = load_digits()
    for digit, thing in enumerate(["boats", "cups", "keys"]):
        (folder / "my-pictures" / thing).mkdir(parents=True)
        for index, picture in enumerate(digits.images[digits.target == digit][:30]):
            grey = Image.fromarray((255 - picture * 15.9).astype(np.uint8)).resize((64, 64))
            grey.save(folder / "my-pictures" / thing / f"{index:02}.png")
    (folder / "consent.txt").write_text("I take part of my own free will.\n", encoding="utf-8")


OWN = ["my-pictures/<class>/<nn>.png", "consent.txt"]


@pytest.fixture
def folder(warm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_things(tmp_path)
    # The command and the packages of this checkout, a screen of known width, and no user's settings.
    monkeypatch.setenv("PATH", f"{warm}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    return tmp_path


def typed(command: list[str], folder: Path, where: str) -> tuple[int, str]:
    """Exit status and everything printed."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"{where}: took more than {SECONDS} s")
    return done.returncode, done.stdout


def try_bash(block: Block, folder: Path, where: str) -> None:
    page = where.split(":")[0]
    kept = [shorter(each, page) for each in commands(block.text) if left_out(each) is None]
    if kept:
        code, printed = typed(["bash", "-euo", "pipefail", "-c", "\n".join(kept)], folder, where)
        assert code == 0, f"{where}: exit status {code}\n{printed}"


def try_console(block: Block, folder: Path, where: str) -> None:
    pairs = exchanges(block.text)
    assert pairs, f"{where}: a console block begins with '$ '"
    for command, shown in pairs:
        if left_out(command) is not None:
            continue
        code, printed = typed(["bash", "-euo", "pipefail", "-c", command], folder, where)
        # A page may show how a wrong input is told: then it shows the words.
        assert code == 0 or (code == 2 and shown), f"{where}: exit status {code}\n{printed}"
        same = doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert same or not shown, f"{where}: {command}\nthe page shows\n{shown}\nit printed\n{printed}"


def try_python(block: Block, folder: Path, where: str) -> None:
    code, printed = typed(["python", "-c", block.text], folder, where)
    assert code == 0, f"{where}: exit status {code}\n{printed}"


TRIES = {"bash": try_bash, "console": try_console, "python": try_python}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_to_type_works(page: Path, folder: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        if name := file_name(block):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(block.text, encoding="utf-8")
        elif block.language in TRIES:
            TRIES[block.language](block, folder, where)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_a_block_that_is_not_run(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        assert block.language in LANGUAGES, f"{where}: no block is written as {block.language!r}"
        if block.language in {"text", ""}:
            hidden = re.search(r"^(\$ )?(lascaux|make|python3?|pip|git|npm) .*", block.text, re.MULTILINE)
            assert hidden is None, f"{where}: {hidden[0] if hidden else ''!r} belongs in a bash or console block"


def test_the_first_page_has_the_two_commands() -> None:
    typed_there = []
    for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")):
        if block.language == "bash":
            typed_there += commands(block.text)
        elif block.language == "console":
            typed_there += [command for command, _ in exchanges(block.text)]
    assert {"make demo", "make test"} <= {command.split("  #")[0].strip() for command in typed_there}
    assert any(left_out(command) is None for command in typed_there), "README has no command that is tried"


def test_every_local_link_leads_somewhere() -> None:
    prose = {page: re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL) for page in PAGES}
    broken = [
        f"{page.name}: {target}"
        for page, text in prose.items()
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text)
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)
