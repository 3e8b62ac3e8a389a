"""docs/sets-state.png: what the runs of benchmarks/sets_state.py, seed 0, say of the first test scenes, as scenes.

python benchmarks/sets_figure.py    # their weights lie in out/sets-state

Rows: the picture, the true set as a scene (from the camera's mean place), MLP, DSPN, iDSPN, iDSPN from a frozen
network's feature maps.
"""

import argparse
from pathlib import Path

import torch
from _sheet import SIDE, at, blank, photo
from sets_state import config_of, kept

from raster.shapes import Float, Tensor
from runs import checkpoint
from runs.sets import Data, SetPredictor, answer, load_data
from runs.sets.show import imagined

SHOWN = 10
"""Test scenes: the first, not a selection. They are the same whatever number of scenes is learned from."""
#: Decoder, whether from the frozen network, minutes of learning, inner steps.
ROWS = [("mlp", False, 15, None), ("dspn", False, 15, 10), ("idspn", False, 15, 30), ("idspn", True, 60, 40)]


def said(decoder: str, trunk: bool, minutes: int, steps: int | None) -> tuple[Data, Float[Tensor, "n 10 19"]]:
    """The data of a run, and what it says of the first test scenes."""
    config = config_of(decoder, 0, trunk, [])
    data = load_data(config.task, config.encoder, 0, torch.device("cpu"), say=print)
    pairs = data.held("test", SHOWN)
    model = SetPredictor(config, pairs.given.shape[1:])
    name = ", ".join([decoder, *(["trunk"] if trunk else []), f"{minutes} minutes", "seed 0"])
    if checkpoint.go_on(kept(name), model, lambda step, state: None) is None:
        raise SystemExit(f"no weights of {name}: run benchmarks/sets_state.py first")
    return data, answer(model, pairs, steps).sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "sets-state.png")
    options = parser.parse_args()
    sheet = blank(SHOWN, 2 + len(ROWS))
    for row, which in enumerate(ROWS, start=2):
        data, sets = said(*which)
        told = {row: sets} if row > 2 else {1: data.held("test", SHOWN).wanted, row: sets}
        for where, each in told.items():
            for column, one in enumerate(each):
                sheet.paste(photo(imagined(one, SIDE, SIDE)), at(column, where))
        if row == 2 and (pictures := data.pixels("test", SHOWN)) is not None:
            for column, picture in enumerate(pictures):
                sheet.paste(photo(picture), at(column, 0))
    sheet.save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
