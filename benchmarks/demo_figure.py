"""docs/demo.png from a demo run: a random sample of its test plays of the other-artist game.

python benchmarks/demo_figure.py out/demo
"""

import argparse
import io
import random
from pathlib import Path

import resvg_py
import torch
from PIL import Image, ImageDraw

from raster import in_sight, to_svg
from runs.drawings import one_of, strokes_of
from runs.folder import Folder, lines, read_json
from runs.start import pictures_of

SIDE, GAP, SHOWN = 96, 8, 12
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
    cell = SIDE + GAP
    sheet = Image.new("RGB", (cell * SHOWN + GAP, cell * 3 + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (line, number) in enumerate(chosen):
        left = GAP + column * cell
        svg = to_svg(in_sight(strokes_of(one_of(line, number))), (SIDE, SIDE), sigma2=1e-3)
        guess = line["pool"][line["choice"][number]]
        right = line["choice"][number] == line["target"][number]
        sheet.paste(picture(pixels[line["shown"][number]]), (left, GAP))
        drawing = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))))
        sheet.paste("white", (left, GAP + cell, left + SIDE, GAP + cell + SIDE))
        sheet.paste(drawing.convert("RGB"), (left, GAP + cell), drawing.convert("RGBA").getchannel("A"))
        sheet.paste(picture(pixels[guess]), (left, GAP + 2 * cell))
        frame = (left - 3, GAP + 2 * cell - 3, left + SIDE + 2, GAP + 2 * cell + SIDE + 2)
        draw.rectangle(frame, outline=RIGHT if right else WRONG, width=3)
    sheet.save(options.out, optimize=True)
    print(options.out)


def picture(rgb: torch.Tensor) -> Image.Image:
    return Image.fromarray(rgb.permute(1, 2, 0).numpy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
