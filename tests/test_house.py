"""The plan of the house, held: which room may import which, what is public, and what no file may hold."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]

# What each room may import of the others.
ROOMS: dict[str, set[str]] = {
    "raster": set(),
    "perception": {"raster"},
    "agents": {"raster", "perception"},
    "games": {"raster", "perception"},
    "runs": {"raster", "perception", "agents", "games"},
}
TOP = {*ROOMS, "tests", "docs", "benchmarks", "pyproject.toml"} | {
    "README.md",
    "LICENSE",
    "Makefile",
    "constraints.txt",
    ".ci",
    ".gitignore",
}

# Imported, but brought in by a declared dependency that promises them.
COMPANIONS = {
    "pydantic_core": "pydantic",
    "markupsafe": "jinja2",
    "click": "typer",
    "llvmlite": "numba",
    "triton": "torch",  # on Linux; without it the GPU engine is not taken
}
# Declared, but not named in an import of ours.
UNNAMED = {
    "tensorboard": "torch.utils.tensorboard imports it",
}
# Extras that a room may import if it also works without them.
GUARDED = {
    ("raster/shapes.py", "jaxtyping"): "shapes are transparent where it is missing",
    ("perception/_open_clip.py", "open_clip"): "the extra clip; without it one line says what to install",
    ("games/envs/__init__.py", "pettingzoo"): "the extra rl; without it one line says what to install",
    ("runs/study/browser.py", "playwright"): "drives a simulated study; without it one line says what to install",
    ("games/envs/parallel.py", "pettingzoo"): "imported by the line above only",
}

LONGEST = 400
LONG = {
    "tests/runs/test_loading.py": "one case after another of what a person can write wrongly, each a few lines",
}


@cache
def tracked() -> list[Path]:
    """Every file that git tracks or would track, but for the pictures: text."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and relative(path).split("/")[0] in folders]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at its top or inside a function, with the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((each.name, node.lineno) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: imports are written in full, from the room on"
            assert node.module is not None
            yield node.module, node.lineno
            # `from games import pictures` names a module too, but the same room: its first word is enough here.


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call by its dotted name, as written."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@cache
def declared(extra: str | None = None) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    found = {plain(requirement.name): requirement for requirement in map(Requirement, lines)}
    found.pop("lascaux", None)  # an extra that holds another one
    return found


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_top_level_is_the_plan() -> None:
    assert {relative(path).split("/")[0] for path in tracked()} == TOP


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    files = modules(room)
    assert files
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for path in files
        for name, line in imported(path)
        if (first := name.split(".")[0]) in {*ROOMS, "tests", "benchmarks"} and first not in {room, *ROOMS[room]}
    ]
    assert not wrong, "\n".join(wrong)


def test_private_modules_stay_in_their_room() -> None:
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for path in modules(*ROOMS)
        for name, line in imported(path)
        if name.split(".")[0] in ROOMS and name.split(".")[0] != relative(path).split("/")[0]
        if any(part.startswith("_") for part in name.split("."))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_third_party_import_is_declared() -> None:
    homes = packages_distributions()
    core, dev = set(declared()), set(declared()) | set(declared("dev"))
    wrong = []
    for path in modules(*ROOMS, "tests", "benchmarks"):
        where = relative(path)
        known = core if where.split("/")[0] in ROOMS else dev
        for name, line in imported(path):
            first = name.split(".")[0]
            if first in sys.stdlib_module_names or first in {*ROOMS, "tests"} or (where, first) in GUARDED:
                continue
            if (path.parent / f"{first}.py").is_file() and where.startswith("benchmarks/"):
                continue  # scripts that share a file
            brought = {COMPANIONS[first]} if first in COMPANIONS else {plain(home) for home in homes.get(first, [])}
            # pytest brings packaging, which reads requirements here.
            if not brought & known and not (first == "packaging" and known is dev):
                wrong.append(f"{where}:{line} imports {first}")
    assert not wrong, "\n".join(wrong)


def test_every_core_dependency_is_used() -> None:
    homes = packages_distributions()
    named = {name.split(".")[0] for path in modules(*ROOMS) for name, _ in imported(path)}
    text = "\n".join(path.read_text(encoding="utf-8") for path in modules(*ROOMS))
    used = {plain(home) for name in named for home in homes.get(name, [])}
    # Weight packages are found, not imported.
    used |= {name for name in declared() if re.search(rf"""["']{name.replace("-", "_")}["']""", text)}
    assert set(declared()) - used == set(UNNAMED)


def test_every_dependency_tells_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if re.match(r'    "[A-Za-z0-9-]+[<>=]', line)]
    assert len(listed) == len(declared()) + len(declared("dev")) + len(declared("clip")) + len(declared("rl"))
    bare = [line.strip() for line in listed if not re.search(r",\s+# \S", line)]
    assert not bare, "\n".join(bare)


def test_the_pins_lie_within_the_ranges() -> None:
    pins = {
        plain(line.split("==")[0]): line.split("==")[1].strip()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    for name, requirement in {**declared(), **declared("dev"), **declared("clip"), **declared("rl")}.items():
        assert name in pins, f"{name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(Version(pins[name])), f"{name} {pins[name]} is outside {requirement}"


@pytest.mark.parametrize("room", ROOMS)
def test_each_package_says_what_is_public(room: str) -> None:
    packages = [path.parent for path in modules(room) if path.name == "__init__.py"]
    assert ROOT / room in packages
    for package in packages:
        dotted = relative(package).replace("/", ".")
        public = getattr(importlib.import_module(dotted), "__all__", None)
        assert public is not None, f"{dotted} has no __all__"
        assert len(set(public)) == len(public), f"{dotted}.__all__ names something twice"
        for name in public:
            assert not name.startswith("_"), f"{dotted}.__all__ names the private {name}"
            assert hasattr(importlib.import_module(dotted), name), f"{dotted}.__all__ names {name}, which is not there"


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_code_is_a_package(room: str) -> None:
    folders = {path.parent for path in modules(room)}
    assert not {relative(folder) for folder in folders if not (folder / "__init__.py").is_file()}


def test_a_file_fits_in_one_reading() -> None:
    long = {
        relative(path)
        for path in modules(*ROOMS, "tests", "benchmarks")
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert long == set(LONG)


# What no room may call, and why.
NEVER = {
    r"(torch|np\.random|numpy\.random|random)\.(manual_)?seed(_all)?|torch\.cuda\.manual_seed.*": (
        "nothing touches the global seed"
    ),
    r"torch\.set_default_.*": "torch's global state is the caller's",
    r"pickle\.loads?|joblib\.load": "a file from a stranger runs no code",
    r"eval|exec|breakpoint": "no text is run as code",
}


def test_no_room_calls_what_none_may() -> None:
    wrong = [
        f"{relative(path)}:{call.lineno} calls {name}: {why}"
        for path in modules(*ROOMS)
        for name, call in calls(path)
        for pattern, why in NEVER.items()
        if re.fullmatch(pattern, name)
    ]
    assert not wrong, "\n".join(wrong)


def test_weights_are_loaded_without_running_code() -> None:
    loads = [(path, call) for path in modules(*ROOMS) for name, call in calls(path) if name == "torch.load"]
    assert loads
    for path, call in loads:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("weights_only") == "True", f"{relative(path)}:{call.lineno}"


def test_agents_hold_nothing_that_mixes_a_batch_or_makes_noise() -> None:
    wrong = [
        f"{relative(path)}:{call.lineno} makes {name}: masks are dealt with the round, neighbours stay apart"
        for path in [*modules("agents"), ROOT / "perception/convnet.py"]
        for name, call in calls(path)
        if re.search(
            r"\b(Sync|Lazy)?BatchNorm|\b(Alpha|Feature)?Dropout|\b(nn|F|functional|torch)\.(dropout|batch_norm)", name
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_shapes_and_models_are_real_annotations() -> None:
    """With postponed annotations the shape checker would see words, and pydantic would have to look them up."""
    for path in modules(*ROOMS):
        names = {name for name, _ in imported(path)}
        if names & {"pydantic", "raster.shapes", "jaxtyping"}:
            assert "__future__" not in names, f"{relative(path)} postpones its annotations"


# Hosts of package registries (a content network that a study may fall back on is none), and folders of one machine.
REGISTRIES = ["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)", "yarnpkg" + r"\.com"]
FOLDERS = [rf"(?<![\w.~/-])/{folder}/\w" for folder in ["work", "root", "home", "Users", "mnt"]]
FORBIDDEN = re.compile("|".join(REGISTRIES + FOLDERS))


def test_no_file_names_a_registry_or_this_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{relative(path)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if FORBIDDEN.search(line)
        ]
    assert not found, "\n".join(found)


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    found = [
        f"{relative(path)}:{number}"
        for path in tracked()
        if path.suffix in {".py", ".md", ".yaml", ".html", ".j2", ".toml"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_command_is_installed_and_answers_without_torch() -> None:
    command = next(each for each in entry_points(group="console_scripts") if each.name == "lascaux")
    assert command.value == "runs.cli:main"
    code = (
        "import sys; sys.argv = ['lascaux', '--help']\n"
        "from runs.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: lascaux" in done.stdout


def test_a_run_is_begun_without_torchs_compiler() -> None:
    # torchvision and timm bring it: seconds at the beginning of every command that needs none of the three.
    code = "import sys, runs.start; print({'torch._dynamo', 'torchvision', 'timm'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "set()\n", done.stdout + done.stderr


def test_ci_may_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
