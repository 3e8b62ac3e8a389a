"""Plotting: the way that planning saves on ten photos' drawings, how long it takes, how true its files are.

    python benchmarks/plot.py              # writes benchmarks/results/plot.json
    python benchmarks/plot.py --pictures DIR    # also the sheets of the first photos, as PNG

A drawing is 200 strokes optimised for one photo at 64 px: a random start, Adam, mean squared error of the blurred
canvas, through a body (a sheet of 100 mm, a pen of 1 mm), which makes of every stroke one that it can draw. The drawn
order is that of the random start. The photos are eight that scikit-image ships and two of scikit-learn's.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from _cases import about, spread, write
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

from agents.bodies import (
    Arm,
    Body,
    GcodeOutput,
    HpglOutput,
    Machine,
    Page,
    Pen,
    Plan,
    SvgOutput,
    _tour,
    deviation,
    held,
    plan,
    replay,
    sheet,
    written,
)
from raster import Strokes, rasterise
from raster.shapes import Float, Tensor

SIZE, COUNT, STEPS = 64, 200, 250
POSTCARD = Body(
    page=Page(width=100, height=100, margins=5), pens=(Pen(name="black", width=1.0),), shortest=2, home=(0, 0)
)
ARM = Body(
    page=Page(width=100, height=100, margins=5),
    pens=(Pen(name="black", width=0.8),),
    reach=Arm(x=50, y=110, inner=30, outer=100),
)


def photos() -> Float[Tensor, "10 64 64"]:
    """Ten photos, the square in the middle of each, grey, ink 1."""
    named = (
        data.astronaut,
        data.camera,
        data.cat,
        data.coffee,
        data.coins,
        data.hubble_deep_field,
        data.moon,
        data.rocket,
    )
    found = []
    for picture in (*(each() for each in named), *load_sample_images().images):
        rgb = torch.from_numpy(picture.copy()).float() / 255
        grey = 1 - (rgb @ torch.tensor([0.299, 0.587, 0.114]) if rgb.ndim == 3 else rgb)
        side = min(grey.shape)
        top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
        crop = grey[top : top + side, left : left + side]
        found.append(F.interpolate(crop[None, None], (SIZE, SIZE), mode="area")[0, 0])
    grey = torch.stack(found)
    low, high = grey.amin((1, 2), keepdim=True), grey.amax((1, 2), keepdim=True)
    return (grey - low) / (high - low) * 0.8  # lines on paper hardly get darker


def drawings(kind: str, points: int, seed: int) -> Strokes:
    """200 strokes for each photo [10, 200], as they were drawn by the body."""
    generator = torch.Generator().manual_seed(seed)
    target = photos()
    middle = torch.rand(len(target), COUNT, 1, 2, generator=generator) * 1.8 - 0.9
    meant = (middle + 0.1 * torch.randn(len(target), COUNT, points, 2, generator=generator)).requires_grad_()
    optimiser = torch.optim.Adam([meant], lr=0.02)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = 0.02 * (1 - 0.9 * step / STEPS)
        canvas = rasterise(held(Strokes(meant, kind), POSTCARD), (SIZE, SIZE), check=False)
        # What an eye at arm's length sees: single lines blend.
        loss = (_blurred(canvas) - _blurred(target)).square().mean((1, 2)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return held(Strokes(meant.detach(), kind), POSTCARD)


def _blurred(ink: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    return F.avg_pool2d(F.avg_pool2d(ink[:, None], 3, 1, 1), 3, 1, 1)[:, 0]


def travel(seeds: int, folder: Path | None) -> dict[str, object]:
    """Travel after planning as a part of the drawn order's, and what else a plan tells, over photos and seeds."""
    machine = Machine(body=POSTCARD)
    found: dict[str, object] = {}
    for kind, points in (("line", 2), ("cubic", 4)):
        reports, nearest = [], []
        for seed in range(seeds):
            several = drawings(kind, points, seed)
            for number in range(len(several.points)):
                planned = plan(several[number], machine, as_seen=False)
                reports.append(planned.report)
                nearest.append(_nearest(planned) / planned.report.travel_drawn)
                if folder is not None and seed == 0 and number in (0, 2, 9):
                    lines = replay(written(planned), machine).lines
                    pixels = (sheet(lines, POSTCARD, 6.0) * 255).round().byte().permute(1, 2, 0).numpy()
                    Image.fromarray(pixels).save(folder / f"{kind}-{number}.png")
        found[kind] = {
            "drawings": len(reports),
            "travel_percent": spread([100 * each.travel / each.travel_drawn for each in reports]),
            "nearest_percent": spread([100 * each for each in nearest]),
            "travel_drawn_m": spread([each.travel_drawn / 1000 for each in reports]),
            "travel_m": spread([each.travel / 1000 for each in reports]),
            "ink_m": spread([each.ink / 1000 for each in reports]),
            "minutes_drawn": spread([each.seconds_drawn / 60 for each in reports]),
            "minutes": spread([each.seconds / 60 for each in reports]),
            "left_out": sum(sum(each.left_out.values()) for each in reports),
            "cut_mm": max(each.cut for each in reports),
        }
        print(kind, found[kind], flush=True)
    return found


def _nearest(planned: Plan) -> float:
    """mm of travel if the pen went on to the nearest end each time, and no more was done."""
    lines = planned.layers[0].lines
    ends, home = np.stack([line[side] for line in lines for side in (0, -1)]), np.zeros((2, 2))
    return float(_tour.length(ends, home, *_tour.nearest(ends, home)))


def scribbles(count: int, seed: int, kind: str = "cubic") -> Strokes:
    """Short strokes all over a canvas, and a little beyond it."""
    generator = torch.Generator().manual_seed(seed)
    points = {"line": 2, "cubic": 4, "catmull-rom": 6, "polyline": 5, "quadratic": 3, "point": 1}[kind]
    middle = torch.rand(count, 1, 2, generator=generator) * 2.2 - 1.1
    return Strokes(middle + 0.05 * torch.randn(count, points, 2, generator=generator), kind)


def planning(rounds: int) -> dict[str, object]:
    """CPU seconds of ``plan`` for short cubics, after a first call; and how much of the travel is left."""
    machine, found = Machine(), {}
    plan(scribbles(10, 0), machine)
    for count in (200, 1000, 5000):
        took, clock, part = [], [], []
        for number in range(rounds):
            strokes, began = scribbles(count, number), time.perf_counter()
            cpu = time.process_time()
            part.append(plan(strokes, machine).report)
            took.append(time.process_time() - cpu)
            clock.append(time.perf_counter() - began)
        left = spread([100 * each.travel / each.travel_drawn for each in part])
        found[str(count)] = {"cpu_s": spread(took), "wall_s": spread(clock), "travel_percent": left}
        print(count, found[str(count)], flush=True)
    return found


def files(seeds: int) -> dict[str, object]:
    """The furthest that any replayed file lies from its plan, in widths of the pen, and beyond reach, mm."""
    found = {}
    for name, body in (("page", Body()), ("arm", ARM)):
        for output in (SvgOutput(), GcodeOutput(), HpglOutput()):
            machine, widths, out = Machine(body=body, output=output), [], []
            for kind in ("point", "line", "polyline", "quadratic", "cubic", "catmull-rom"):
                for seed in range(seeds):
                    planned = plan(scribbles(60, seed, kind), machine)
                    measured = deviation(planned, replay(written(planned), machine))
                    widths.append(measured.widths)
                    out.append(measured.outside)
            found[f"{name} {output.kind}"] = {
                "drawings": len(widths), "widths": spread(widths), "outside_mm": max(out)
            }  # fmt: skip
            print(name, output.kind, found[f"{name} {output.kind}"], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = about()
    found["planning"] = planning(options.rounds)
    found["files"] = files(options.seeds)
    found["travel"] = travel(options.seeds, options.pictures)
    write("plot.json", found)


if __name__ == "__main__":
    main()
