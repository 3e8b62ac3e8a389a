"""The pictures of docs/raster.md, and accuracy against cost.

    python benchmarks/raster_figures.py       # writes docs/raster-*.svg and results/raster_accuracy.json

Accuracy: cubics with points anywhere on 128 px, sigma2 5e-4, against 1,024 pieces in float64; CPU time of one thread,
forward and backward, B = 8, N = 20.
"""

import time
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from _cases import HERE, Case, about, milliseconds, spread, write
from matplotlib.axes import Axes

from raster import Strokes, rasterise
from raster.curves import flatten, steps_for

DOCS = HERE.parent / "docs"
mpl.rcParams.update({"svg.hashsalt": "raster", "font.size": 8, "svg.fonttype": "none"})


def save(name: str) -> None:
    plt.savefig(DOCS / f"raster-{name}.svg", metadata={"Date": None})
    plt.close()


def show(axis: Axes, picture: torch.Tensor, title: str) -> None:
    """Ink as black on white; three channels as the colours that they are."""
    if picture.ndim == 2:
        axis.imshow(1 - picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axis.imshow(picture.movedim(0, -1).clamp(0, 1), interpolation="nearest")
    axis.set_title(title)
    axis.set_axis_off()


def responses() -> None:
    """One line's ink across it, and its picture, by response."""
    _, axes = plt.subplots(1, 4, figsize=(9, 2.4), constrained_layout=True, width_ratios=[1.6, 1, 1, 1])
    width = 0.35
    d = torch.linspace(-0.8, 0.8, 801)
    for response in ("gaussian", "linear", "hard"):
        across = Strokes(torch.stack([torch.zeros(1, 801), d[None]], -1).movedim(0, 1)[:, :, None], "point")
        across = Strokes(across.points, "point", width=torch.tensor(width))
        # Each of 801 sketches is one dot at another distance from the middle pixel.
        ink = rasterise(across, (63, 63), response=response)[:, 31, 31]
        axes[0].plot(d, ink, label=response)
    axes[0].axvline(-width / 2, color="0.8", lw=0.8)
    axes[0].axvline(width / 2, color="0.8", lw=0.8)
    axes[0].set(xlabel="distance, canvas units", ylabel="ink")
    axes[0].legend(frameon=False, fontsize=7)
    line = Strokes(torch.tensor([[[-0.6, 0.3], [0.5, -0.4]]]), width=torch.tensor(width))
    for axis, response in zip(axes[1:], ("gaussian", "linear", "hard"), strict=True):
        show(axis, rasterise(line, (32, 32), response=response), response)
    save("responses")


def compositions() -> None:
    """Three crossing strokes by composition: ink above, colour below."""
    _, axes = plt.subplots(2, 4, figsize=(7.2, 3.8), constrained_layout=True)
    points = torch.tensor([[[-0.8, -0.5], [0.8, 0.3]], [[-0.6, 0.7], [0.4, -0.8]], [[-0.8, 0.25], [0.8, 0.25]]])
    width = torch.tensor([0.25, 0.25, 0.25])
    colour = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.4, 0.9], [1.0, 0.8, 0.1]])
    for column, compose in enumerate(("softor", "over", "max", "sum")):
        grey = Strokes(points, width=width, opacity=torch.full((3,), 0.6))
        show(axes[0, column], rasterise(grey, (64, 64), compose=compose).clamp(max=1), compose)
        paper = 1.0 if compose == "over" else None
        drawn = rasterise(Strokes(points, width=width, colour=colour), (64, 64), compose=compose, background=paper)
        show(axes[1, column], drawn, "on white" if compose == "over" else "on black")
    save("compositions")


def gradient_field() -> None:
    """Where each pixel, wanting more ink, pulls a line's first end, and its middle."""
    _, axes = plt.subplots(1, 3, figsize=(9, 3.1), constrained_layout=True)
    size, sigma2 = 24, 0.05
    points = torch.tensor([[[-0.5, 0.25], [0.45, -0.3]]], requires_grad=True)
    ink = rasterise(Strokes(points), (size, size), sigma2=sigma2)
    pull = torch.stack([torch.autograd.grad(each, points, retain_graph=True)[0][0] for each in ink.flatten()])
    centres = (torch.arange(size) + 0.5) * 2 / size - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    line = points.detach()[0]
    for axis, which, title in zip(
        axes, (pull[:, 0], pull[:, 1], pull.sum(1)), ("its left end", "its right end", "all of it"), strict=True
    ):
        axis.imshow(1 - ink.detach(), cmap="gray", vmin=-1.5, vmax=1, extent=(-1, 1, 1, -1))
        axis.quiver(x, y, which[:, 0], which[:, 1], angles="xy", color="C3", width=0.004)
        axis.plot(*line.T, color="k", lw=1)
        axis.set_title(f"pull on {title}")
        axis.set_axis_off()
    save("gradient")


def accuracy() -> dict[str, Any]:
    case = Case("cubic", 128, 8, 20)
    points = case.points()
    strokes = Strokes(points, "cubic")
    fine = Strokes(flatten(strokes.to(torch.float64), 1024), "polyline")
    exact = rasterise(fine, (128, 128), engine="tile")
    leaf = points.clone().requires_grad_()
    upstream = torch.randn(8, 128, 128, generator=torch.Generator().manual_seed(1))
    torch.set_num_threads(1)
    rows = []
    for tolerance in (1.0, 0.5, 0.2, 0.1, None, 0.02, 0.01, 0.005):
        for reach in ("lossless", 3.0):

            def both(tolerance: float | None = tolerance, reach: Any = reach) -> None:
                leaf.grad = None
                drawn = rasterise(Strokes(leaf, "cubic"), (128, 128), tolerance=tolerance, reach=reach, check=False)
                drawn.backward(upstream)

            drawn = rasterise(strokes, (128, 128), tolerance=tolerance, reach=reach)
            rows.append(
                {
                    "tolerance": tolerance,
                    "reach": reach,
                    "pieces": steps_for(strokes, (5e-4) ** 0.5 * 64, 128, tolerance)[0],
                    "ink off by at most": float(f"{(drawn - exact).abs().max():.3g}"),
                    "ms": spread([milliseconds(both, time.process_time, 5) for _ in range(5)]),
                }
            )
            print(rows[-1], flush=True)
    _, axis = plt.subplots(figsize=(4.5, 3), constrained_layout=True)
    for reach, mark in (("lossless", "o-"), (3.0, "s--")):
        mine = [row for row in rows if row["reach"] == reach]
        axis.plot(
            [r["ms"]["median"] for r in mine], [r["ink off by at most"] for r in mine], mark, ms=4, label=f"{reach}"
        )
        for row in mine:
            axis.annotate(str(row["pieces"]), (row["ms"]["median"], row["ink off by at most"]), fontsize=6)
    axis.set(xlabel="CPU ms, forward and backward (B = 8, N = 20, 128 px)", ylabel="ink off by at most", yscale="log")
    axis.axhline(0.03, color="0.8", lw=0.8)
    axis.legend(title="reach; figures: pieces", frameon=False, fontsize=7, title_fontsize=7)
    save("accuracy")
    return {"about": about(), "rows": rows}


def main() -> None:
    responses()
    compositions()
    gradient_field()
    write("raster_accuracy.json", accuracy())


if __name__ == "__main__":
    main()
