"""What a step of `lascaux draw` costs with a network looking: the raster beside the trunk, and many photos beside one.

    python benchmarks/draw_likeness.py         # writes benchmarks/results/draw-likeness.json and prints it

100 cubics at 224 px, likeness at levels 0 to 3 of the packaged trunk (the preset `draw`), after as many steps of it as
``--after`` says, so that strokes lie as they do. CPU milliseconds of one process, forward and backward of each part on
the same strokes, in turns, round after round; and of whole steps with 1 photo and with 16 in a batch.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import RESULTS, about, spread, write  # noqa: E402
from draw_lines import photos  # noqa: E402

from agents.biases import Likeness  # noqa: E402
from runs.draw import DrawConfig  # noqa: E402
from runs.draw.search import Search  # noqa: E402
from runs.draw.studio import Studio, album_of  # noqa: E402
from runs.loading import load  # noqa: E402

MANY = 16
Clock = Callable[[], float]


def search_of(count: int, files: list[Path], after: int) -> Search:
    """A search for ``count`` photos (the ten, again and again) that has taken some steps."""
    sets = ["film.format=none", "coarse=[]", f"steps={max(after, 1) + 10_000}", "relocate=null"]
    config = load(DrawConfig, "draw", sets).config
    chosen = [files[number % len(files)] for number in range(count)]
    search = Search(Studio(config, album_of(chosen, config.canvas.size, config.fit), torch.device("cpu")))
    search.look()
    for _ in range(after):
        search.advance()
    return search


def raster(search: Search) -> Callable[[], None]:
    """The raster's forward and backward pass of one step."""
    config, studio = search.config, search.studio
    strokes = studio.free.strokes().detach()
    upstream = torch.randn(1, config.canvas.size, config.canvas.size, generator=torch.Generator().manual_seed(0))

    def call() -> None:
        points = strokes.points.clone().requires_grad_()
        config.canvas.draw(replace(strokes, points=points), search.step).backward(upstream.expand(len(points), -1, -1))

    return call


def trunk(search: Search) -> Callable[[], None]:
    """The trunk's forward and backward pass of one step, from the canvas on; the comparison is not counted."""
    config, studio = search.config, search.studio
    like = next(each for each in studio.biases if isinstance(each, Likeness))
    canvas = config.canvas.draw(studio.free.strokes().detach(), search.step)
    net, levels = studio.trunks[like.trunk], [int(level) for level in like.levels]

    def call() -> None:
        rgb = (1 - canvas)[:, None].expand(-1, 3, -1, -1).clone().requires_grad_()
        found = net(rgb, levels)
        torch.autograd.backward(found, [torch.ones_like(each) for each in found])

    return call


def rounds(calls: dict[str, Callable[[], object]], count: int, clock: Clock) -> dict[str, list[float]]:
    """Milliseconds of each call, in turns; the first round is to warm up."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(count + 1):
        for name, call in calls.items():
            began = clock()
            call()
            if number:
                found[name].append(1e3 * (clock() - began))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--after", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    path = RESULTS / "draw-likeness.json"
    done: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        files = photos(Path(folder))
        torch.set_num_threads(1)
        one, many = search_of(1, files, options.after), search_of(MANY, files, 2)
        for threads in options.threads:
            torch.set_num_threads(threads)
            for word, clock in (("cpu", time.process_time), ("wall", time.perf_counter)):
                parts = rounds({"raster": raster(one), "trunk": trunk(one)}, options.rounds, clock)
                steps = rounds({"1": one.advance, str(MANY): many.advance}, max(3, options.rounds // 3), clock)
                share = [a / b for a, b in zip(parts["raster"], parts["trunk"], strict=True)]
                times = [b / a for a, b in zip(steps["1"], steps[str(MANY)], strict=True)]
                done[f"{threads} threads, {word}"] = {
                    "raster ms": spread(parts["raster"]),
                    "trunk ms": spread(parts["trunk"]),
                    "raster by trunk": spread(share),
                    "step of 1 photo, ms": spread(steps["1"]),
                    f"step of {MANY} photos, ms": spread(steps[str(MANY)]),
                    f"{MANY} photos by 1": spread(times),
                }
                done["about"] = about() | {"rounds": options.rounds, "steps before": options.after}
                write(path.name, done)
    print(json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
