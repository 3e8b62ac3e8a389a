"""What a preset or a config file configures: a run with agents, a run that predicts sets, or `lascaux draw`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


def model_of(source: str) -> "type[BaseModel]":
    """The model of a preset or file: by the preset's name for drawings, by the key ``task`` for sets, else a run.

    Raises:
        InputError: the file, or one that it is based on, is missing or damaged.
    """
    from runs.loading import says

    if source.split("/")[0] == "draw":
        return model_named("draw")
    return model_named("sets" if says(source, "task") else "run")


def model_named(name: str) -> "type[BaseModel]":
    """The model of ``run``, ``sets`` or ``draw``; only that one's packages are imported."""
    if name == "draw":
        from runs.draw import DrawConfig

        return DrawConfig
    if name == "sets":
        from runs.sets import SetsConfig

        return SetsConfig
    from runs.config import Config

    return Config
