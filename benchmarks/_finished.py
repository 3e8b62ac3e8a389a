"""A run from its first step to its test, as results files keep it."""

from pathlib import Path
from typing import Any

import runs
from runs.config import Config
from runs.folder import read_json

KEPT = ("rate", "low", "high", "blank", "shuffled", "untrained", "ceiling", "n")


def finished(config: Config, out: Path) -> dict[str, Any]:
    """Trains, or goes on with what is in ``out``, and tells what its test says: rates and their controls by split and
    game; on the main split also what iconicity found.
    """
    runs.launch(config, out, resume=True, progress=False)
    summary = read_json(out / "summary.json")
    found: dict[str, Any] = {"steps": summary["steps"], "minutes": summary["minutes"]}
    for split, games in summary["splits"].items():
        for game, row in games.items():
            icons = [key for key in row if key.startswith("iconicity")] if split == "test" else []
            found[f"{split}: {game}"] = {key: row[key] for key in (*KEPT, *icons)}
    return found
