"""What a drawing costs as it grows: with the ink drawn, not with strokes times pixels.

    python benchmarks/raster_growth.py [--rounds 3]     # writes results/raster_growth.json and docs/raster-growth.svg

One sketch of N lines, N = 5 to 1,000, on canvases of 28 to 1,024 pixels, sigma of one pixel, forward and backward,
CPU time of one thread. Lines are a tenth of the canvas long or have their ends anywhere. Beside it stand two floors:
bytes that must be written (picture, what is kept and its gradient) at the speed of a copy, and arithmetic inside the
bands at the speed of multiply-and-add (raster_speed.py).
"""

import argparse
import time
from typing import Any

import torch
from _cases import HERE, Case, about, milliseconds, spread, write
from raster_speed import FLOPS, gigaflops

from raster import Strokes, rasterise
from raster.drawing import LOSSLESS

COUNTS = (5, 20, 100, 300, 1000)
CANVASES = (28, 64, 128, 256, 512, 1024)
SHORT = 0.2  # canvas units: a tenth of the side


def points(case: Case, short: bool) -> torch.Tensor:
    found = case.points()
    if not short:
        return found
    return found[..., :1, :] + found[..., 1:, :] * torch.tensor([[[[0.0], [SHORT]]]])


def copy_gigabytes() -> float:
    """Bytes a second that a copy writes."""
    source, target = torch.ones(1 << 24), torch.empty(1 << 24)
    best = min(milliseconds(lambda: target.copy_(source), time.process_time, 5) for _ in range(3))
    return 4 * (1 << 24) / best / 1e6


def measure(rounds: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    speed, bandwidth = gigaflops(), copy_gigabytes()
    rows = []
    for short in (True, False):
        for canvas in CANVASES:
            for count in COUNTS:
                sigma2 = (2 / canvas) ** 2
                case = Case("line", canvas, 1, count, sigma2)
                leaf = points(case, short).requires_grad_()
                upstream = torch.ones(1, canvas, canvas)

                def both(leaf: Any = leaf, canvas: int = canvas, sigma2: float = sigma2, up: Any = upstream) -> None:
                    leaf.grad = None
                    drawn = rasterise(Strokes(leaf), (canvas, canvas), sigma2=sigma2, check=False, engine="cpu")
                    drawn.backward(up)

                ours = spread([milliseconds(both, time.process_time, 5) for _ in range(rounds)])
                pairs = []
                for cut in LOSSLESS[torch.float32]:
                    # Hard ink ends where d^2 = sigma2 ln 2, so this counts the band of ``cut`` exactly.
                    band = Strokes(leaf.detach(), sigma2=torch.tensor(sigma2 * cut / 0.6931471805599453))
                    ink = rasterise(band, (canvas, canvas), response="hard", compose="sum", engine="cpu")
                    pairs.append(int(ink.sum(dtype=torch.float64)))
                row = {
                    "lines": "short" if short else "long",
                    "canvas": canvas,
                    "strokes": count,
                    "ms": ours,
                    "bytes floor ms": round(4 * 3 * canvas**2 / bandwidth / 1e6, 5),
                    "arithmetic floor ms": round((24 * pairs[0] + FLOPS * pairs[1]) / speed / 1e6, 5),
                    "pairs in bands": pairs[1],
                    "pairs in all": count * canvas**2,
                }
                rows.append(row)
                print(*row.values(), flush=True)
    return {"GFLOP/s": round(speed, 1), "copy GB/s": round(bandwidth, 1), "rows": rows}


def figure(found: dict[str, Any]) -> None:
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, constrained_layout=True)
    for axis, kind in zip(axes, ("short", "long"), strict=True):
        for number, canvas in enumerate(CANVASES):
            rows = [row for row in found["rows"] if (row["lines"], row["canvas"]) == (kind, canvas)]
            x = [row["strokes"] for row in rows]
            colour = f"C{number}"
            axis.plot(x, [row["ms"]["median"] for row in rows], "o-", ms=3, color=colour, label=f"{canvas} px")
            floor = [max(row["bytes floor ms"], row["arithmetic floor ms"]) for row in rows]
            axis.plot(x, floor, ":", color=colour)
        axis.set(xscale="log", yscale="log", xlabel="lines", title=f"{kind} lines")
    axes[0].set_ylabel("CPU ms, forward and backward")
    axes[0].legend(title="measured (dots: the higher floor)", fontsize=7, title_fontsize=7)
    fig.savefig(HERE.parent / "docs" / "raster-growth.svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    found = {"about": about(), **measure(parser.parse_args().rounds)}
    write("raster_growth.json", found)
    figure(found)


if __name__ == "__main__":
    main()
