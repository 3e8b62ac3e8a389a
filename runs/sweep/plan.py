"""What a sweep runs: every combination of what is varied, with every seed, each in a folder of its own."""

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from raster.errors import InputError
from runs.folder import Folder, read_json
from runs.loading import load, says

LONGEST = 100
"""Characters of a folder's name; a longer one is cut, and ends in a hash."""


class SlurmConfig(BaseModel):
    """What each run asks a cluster for (``--slurm``)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    partition: str | None = None
    """Where; the cluster's default when left out."""
    minutes: int = Field(60, ge=1)
    """Time limit. A run that reaches it is put into the queue again, and goes on where it was last saved."""
    cpus: int = Field(1, ge=1)
    """Cores a run."""
    gpus: int = Field(0, ge=0)
    """GPUs a run."""
    memory_gb: float = Field(4.0, gt=0)
    """Main memory a run."""
    at_once: int = Field(100, ge=1)
    """Runs at one time, at most."""


class SweepConfig(BaseModel):
    """A sweep: one run, what is varied in it, and the seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field("sweep", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the sweep; its folder is out/NAME unless --out says otherwise."""
    run: str
    """A preset, or a config file (ends in .yaml; its path counts from the sweep's file)."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Keys that all runs have other than ``run`` says: ``{train.steps: 100}``."""
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Values of keys: every combination is run."""
    list: tuple[dict[str, Any], ...] = ()
    """Sets of keys that belong together: each is run, with every combination of ``grid``."""
    seeds: int | tuple[int, ...] = 1
    """How many, from 0, or which."""
    slurm: SlurmConfig = SlurmConfig()
    """What a run asks a cluster for."""

    @field_validator("seeds")
    @classmethod
    def _some(cls, given: int | tuple[int, ...]) -> int | tuple[int, ...]:
        seeds = range(given) if isinstance(given, int) else given
        if not seeds or min(seeds) < 0 or len({*seeds}) < len(seeds):
            raise ValueError("expected a number from 1, or different seeds from 0")
        return given

    @field_validator("grid")
    @classmethod
    def _values(cls, given: Mapping[str, tuple[Any, ...]]) -> Mapping[str, tuple[Any, ...]]:
        for key, values in given.items():
            if not values:
                raise ValueError(f"{key} has no value: give at least one, or leave it out")
        return given


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        cell: what is varied, as the name of a folder; runs that differ in their seed alone share it.
        varied: the same by key.
        seed: the run's.
        source: a preset or a file.
        sets: words ``key=value``, as ``--set`` takes them.
        path: the run's own folder.
    """

    cell: str
    varied: Mapping[str, Any]
    seed: int
    source: str
    sets: tuple[str, ...]
    path: Path

    @property
    def state(self) -> str:
        """What its folder says: ``finished``, ``interrupted``, ``running`` (or killed), or ``missing``."""
        status = Folder(self.path).status
        return str(read_json(status).get("state")) if status.exists() else "missing"


def plan_of(source: Path, out: Path | None = None) -> tuple[SweepConfig, Path, list[Point]]:
    """Read a sweep and check the config of each of its runs; nothing is written.

    Args:
        source: the YAML file.
        out: the sweep's folder; out/NAME when left out.

    Returns:
        The sweep, its folder, and its runs in order.

    Raises:
        InputError: whatever is wrong with it, or with the config of a run, one line each.
    """
    config = load(SweepConfig, source).config
    folder = out or Path("out") / config.name
    run = str(source.parent / config.run) if config.run.endswith((".yaml", ".yml")) else config.run
    seeds = range(config.seeds) if isinstance(config.seeds, int) else config.seeds
    several = [dict(zip(config.grid, values, strict=True)) for values in itertools.product(*config.grid.values())]
    points = []
    for listed, gridded in itertools.product(config.list or ({},), several):
        twice = sorted({*listed} & {*gridded})
        if twice:
            raise InputError(f"{twice[0]} stands in both list and grid", source, "leave it out of one")
        varied = {**listed, **gridded}
        cell = _named(varied)
        for seed in seeds:
            keys = {**config.set, **varied, "seed": seed}
            sets = tuple(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())
            points.append(Point(cell, varied, seed, run, sets, folder / cell / f"seed-{seed}"))
    paths = [each.path for each in points]
    for each in points:
        if "seed" in each.varied or "seed" in config.set:
            raise InputError("seed is not varied by hand", source, "say which in seeds")
        if paths.count(each.path) > 1:
            raise InputError(f"{each.cell} stands there twice", source, "leave one out")
    _check(points, source)
    return config, folder, points


def _check(points: list[Point], source: Path) -> None:
    """See that every cell is a config; what several of them have wrong is said once."""
    from runs.config import Config

    model: type[BaseModel] = Config
    if says(points[0].source, "task"):
        from runs.sets import SetsConfig

        model = SetsConfig
    problems: dict[str, None] = {}
    for each in {each.cell: each for each in points}.values():
        try:
            load(model, each.source, each.sets)
        except InputError as error:
            told = str(error)
            for word in each.sets:
                told = told.replace(f"(--set {word})", f"({source})")
            problems |= dict.fromkeys(told.splitlines())
    if problems:
        raise InputError("\n".join(problems))


def _named(varied: Mapping[str, Any]) -> str:
    """A folder's name of what is varied: the last word of each key where that is clear."""
    last = [key.split(".")[-1] for key in varied]
    short = [word if last.count(word) == 1 else key for key, word in zip(varied, last, strict=True)]
    whole = ",".join(f"{key}={_word(value)}" for key, value in zip(short, varied.values(), strict=True)) or "all"
    name = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", whole).strip("-.")
    if name == whole and len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
