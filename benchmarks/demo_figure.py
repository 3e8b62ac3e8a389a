"""docs/demo.png from a demo run: a random sample of its test plays of the other-artist game.

python benchmarks/demo_figure.py out/demo
"""

import argparse
import random
from pathlib import Path

from _sheet import SIDE, at, blank, drawing, photo
from PIL import ImageDraw

from runs.drawings import one_of, strokes_of
from runs.folder import Folder, lines, read_json
from runs.start import pictures_of

SHOWN = 12
RIGHT, WRONG = (45, 125, 70), (179, 55, 43)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "demo.png")
    options = parser.parse_args()
    folder = Folder.of_run(options.run)
    game = read_json(folder.summary)["game"]
    pixels = pictures_of(folder).pixels
    plays = [line for line in lines(folder.journal("test")) if line["split"] == "test" and line["game"] == game]
    every = [(line, number) for line in plays for number in range(len(line["target"]))]
    chosen = random.Random(1).sample(every, SHOWN)  # one draw, by a fixed seed: nothing is picked by hand
    sheet = blank(SHOWN, 3)
    draw = ImageDraw.Draw(sheet)
    for column, (line, number) in enumerate(chosen):
        guess = line["pool"][line["choice"][number]]
        right = line["choice"][number] == line["target"][number]
        sheet.paste(photo(pixels[line["shown"][number]]), at(column, 0))
        sheet.paste(drawing(strokes_of(one_of(line, number)), 1e-3), at(column, 1))
        sheet.paste(photo(pixels[guess]), at(column, 2))
        left, top = at(column, 2)
        draw.rectangle((left - 3, top - 3, left + SIDE + 2, top + SIDE + 2), outline=RIGHT if right else WRONG, width=3)
    sheet.save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
