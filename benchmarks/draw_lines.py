"""Two hundred lines at 64 px against two other ways to place them: error on ten photos.

    python benchmarks/draw_lines.py            # writes benchmarks/results/draw-lines.json and prints a table

Photos: the middle squares of scikit-learn's and scikit-image's, as grey. The error is the mean squared difference of
ink and darkness. *ours* is the preset draw/lines. *textbook* is random lines, a constant sigma2 and Adam on the same
cost, with the same rates, for as much CPU time as ours took. *greedy* places line after line, each the best of 200
random ones. All three may do with a line what the preset lets a line be: with ``--opaque`` black and of one width.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about, spread, write  # noqa: E402
from PIL import Image  # noqa: E402
from torch import Tensor  # noqa: E402

from raster import Strokes, rasterise  # noqa: E402
from runs.draw import DrawConfig  # noqa: E402
from runs.draw.search import Search  # noqa: E402
from runs.draw.studio import Studio, album_of  # noqa: E402
from runs.loading import load  # noqa: E402

PHOTOS = ["astronaut", "brick", "camera", "cat", "clock", "coffee", "coins", "moon", "rocket"]
DRAWS = 200
OPAQUE = ["strokes.opacity=false", "strokes.width=null"]


def photos(folder: Path) -> list[Path]:
    """Ten photos as files: nine of scikit-image's that need no download, and the flower of scikit-learn's."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    found = []
    for name in PHOTOS:
        Image.fromarray(getattr(skimage.data, name)()).convert("L").save(folder / f"{name}.png")
        found.append(folder / f"{name}.png")
    Image.fromarray(load_sample_image("flower.jpg")).convert("L").save(folder / "flower.png")
    return [*found, folder / "flower.png"]


def greedy(dark: Tensor, config: DrawConfig, seed: int) -> Tensor:
    """Error of each photo, [B], after as many lines as the config has, each the best of 200 drawn at random.

    A line that makes it worse is not placed: one that is seen counts as much as one that is not.
    """
    generator = torch.Generator().manual_seed(seed)
    ink = torch.zeros_like(dark)  # [B, H, W]
    strokes, size = config.strokes, config.canvas.size
    for _ in range(strokes.count):
        ends = torch.rand(DRAWS, 1, 2, 2, generator=generator) * 2 - 1
        width = opacity = None
        if strokes.width is not None:
            low, high = strokes.width.low, strokes.width.high
            width = low * (high / low) ** torch.rand(DRAWS, 1, generator=generator)
        if strokes.opacity:
            opacity = torch.rand(DRAWS, 1, generator=generator)
        one = rasterise(
            Strokes(ends, width=width, opacity=opacity), (size, size), sigma2=config.canvas.sigma2.ends[1], check=False
        )  # [draws, H, W]
        for number, (mine, aim) in enumerate(zip(ink, dark, strict=True)):
            tried = mine + one * (1 - mine)
            errors = (tried - aim).square().mean((1, 2))
            best = int(errors.argmin())
            if float(errors[best]) < float((mine - aim).square().mean()):
                ink[number] = tried[best]
    return (ink - dark).square().mean((1, 2))


def textbook(config: DrawConfig, dark: Tensor, seconds: float, seed: int) -> tuple[Tensor, int]:
    """Error of each photo, [B], after ``seconds`` of CPU time of Adam from random lines; and the steps taken."""
    generator = torch.Generator().manual_seed(seed)
    count, size, sigma2 = config.strokes.count, config.canvas.size, config.canvas.sigma2.ends[1]
    leaves = {"points": torch.rand(len(dark), count, 2, 2, generator=generator) * 2 - 1}
    if config.strokes.width is not None:
        leaves["width"] = torch.zeros(len(dark), count)
    if config.strokes.opacity:
        leaves["opacity"] = torch.zeros(len(dark), count)
    groups = [{"params": [leaf.requires_grad_()], "lr": getattr(config.lr, name)} for name, leaf in leaves.items()]
    optimiser = torch.optim.Adam(groups, fused=True)

    def error() -> Tensor:
        width = opacity = None
        if config.strokes.width is not None:
            low, high = config.strokes.width.low, config.strokes.width.high
            width = low * (high / low) ** torch.sigmoid(leaves["width"])
        if config.strokes.opacity:
            opacity = torch.sigmoid(leaves["opacity"])
        made = Strokes(leaves["points"], width=width, opacity=opacity)
        return (rasterise(made, (size, size), sigma2=sigma2, check=False) - dark).square().mean((1, 2))

    began, steps = time.process_time(), 0
    while time.process_time() - began < seconds:
        optimiser.zero_grad(set_to_none=True)
        error().sum().backward()
        optimiser.step()
        steps += 1
    with torch.no_grad():
        return error(), steps


def ours(config: DrawConfig, files: list[Path]) -> tuple[Tensor, Tensor, float]:
    """Error of each photo by the preset, [B]; its darkness, [B, H, W]; CPU seconds."""
    studio = Studio(config, album_of(files, config.canvas.size, config.fit), torch.device("cpu"))
    search = Search(studio)
    began = time.process_time()
    search.look()
    while not search.done:
        search.advance()
    spent = time.process_time() - began
    strokes, _ = search.drawn()
    dark = 1 - studio.gallery.pixels.float().mean(1) / 255
    ink = config.canvas.draw(strokes, 2**31)
    return (ink - dark).square().mean((1, 2)), dark, spent


def measured(files: list[Path], sets: list[str], seed: int) -> dict[str, Any]:
    config = load(DrawConfig, "draw/lines", [*sets, f"seed={seed}", "film.format=none"]).config
    mine, dark, spent = ours(config, files)
    book, steps = textbook(config, dark, spent, seed)
    placed = greedy(dark, config, seed)
    return {
        "seed": seed,
        "ours": mine.tolist(),
        "textbook": book.tolist(),
        "greedy": placed.tolist(),
        "cpu_seconds": round(spent, 1),
        "textbook_steps": steps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="of the preset; nothing is written then")
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "draw-lines.json"
    done: dict[str, Any] = json.loads(path.read_text()) if path.is_file() and not options.set else {}
    with tempfile.TemporaryDirectory() as folder:
        files = photos(Path(folder))
        for name, sets in (("as the preset", []), ("opaque, one width", OPAQUE)):
            rows = done.setdefault(name, {"rounds": []})["rounds"]
            for seed in range(len(rows), options.seeds):
                rows.append(measured(files, [*sets, *options.set], seed))
                done[name] |= summary(rows)
                done["photos"] = [each.stem for each in files]
                done["about"] = about() | {"threads": 1}
                if not options.set:
                    write(path.name, done)
            print(name, json.dumps({key: value for key, value in done[name].items() if key != "rounds"}))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over photos and seeds, and ours by theirs: of the means, and photo by photo."""
    flat = {way: [each for row in rows for each in row[way]] for way in ("ours", "textbook", "greedy")}
    found: dict[str, Any] = {way: spread(values) | {"mean": sum(values) / len(values)} for way, values in flat.items()}
    for other in ("textbook", "greedy"):
        each = [mine / theirs for mine, theirs in zip(flat["ours"], flat[other], strict=True)]
        found[f"ours by {other}"] = spread(each) | {"of means": found["ours"]["mean"] / found[other]["mean"]}
    return found


if __name__ == "__main__":
    main()
