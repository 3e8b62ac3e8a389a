"""The picture of docs/plot.md: a photo, its drawing as the pen would leave it, and the way through the air.

    python benchmarks/plot_figure.py       # writes docs/plot.png

scikit-image's cat (CC0), 700 curves of a 0.5 mm pen on a sheet of 150 mm, optimised at 128 px through the body; the
sheet is drawn from the G-code, read again.
"""

from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.collections import LineCollection
from PIL import Image
from skimage import data

from agents.bodies import Body, GcodeOutput, Machine, Page, Pen, Planning, held, plan, replay, sheet, written
from raster import Strokes, rasterise
from raster.shapes import Float, Tensor

SIZE, COUNT, STEPS = 128, 700, 260
BODY = Body(page=Page(width=150, height=150, margins=5), pens=(Pen(name="black", width=0.5),), shortest=2, home=(0, 0))


def photo() -> Float[Tensor, "h w"]:
    """The cat's face, grey, ink 1."""
    rgb = torch.from_numpy(data.cat().copy()).float()[:300, 90:390] / 255
    grey = 1 - rgb @ torch.tensor([0.299, 0.587, 0.114])
    grey = F.interpolate(grey[None, None], (SIZE, SIZE), mode="area")[0, 0]
    low, high = grey.quantile(0.02), grey.quantile(0.98)
    return ((grey - low) / (high - low)).clamp(0, 1)


def blurred(ink: Float[Tensor, "1 h w"]) -> Float[Tensor, "1 h w"]:
    """As from some steps away."""
    return F.avg_pool2d(F.avg_pool2d(ink[None], 5, 1, 2), 3, 1, 1)[0]


def drawing(target: Float[Tensor, "h w"]) -> Strokes:
    """Curves that together are as dark as the photo, place by place: 0.75 of it at the darkest."""
    generator = torch.Generator().manual_seed(0)
    seeds = torch.multinomial(target.flatten() + 0.05, COUNT, replacement=True, generator=generator)
    middle = torch.stack([seeds % SIZE, seeds // SIZE], -1) * 2 / SIZE - 1  # [n 2]
    meant = (middle[None, :, None] + 0.05 * torch.randn(1, COUNT, 3, 2, generator=generator)).requires_grad_()
    optimiser = torch.optim.Adam([meant], lr=0.01)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 0.01 * (1 - 0.9 * step / STEPS)
        canvas = rasterise(held(Strokes(meant, "quadratic"), BODY), (SIZE, SIZE), check=False)
        loss = (blurred(canvas) - blurred(0.75 * target[None])).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return held(Strokes(meant.detach(), "quadratic"), BODY)[0]


def main() -> None:
    torch.set_num_threads(1)
    target = photo()
    strokes = drawing(target)
    planned, drawn = (
        plan(strokes, Machine(body=BODY, output=GcodeOutput(), planning=Planning(order=order, join=0)), as_seen=False)
        for order in ("travel", "drawn")
    )
    machine = planned.machine
    replayed = replay(written(planned), machine)
    figure, axes = plt.subplots(1, 4, figsize=(16, 4.3))
    axes[0].imshow(1 - target, cmap="gray", vmin=0, vmax=1)
    axes[1].imshow(sheet(replayed.lines, BODY, 6.0).permute(1, 2, 0))
    ways = (
        (drawn, f"as drawn, {drawn.report.travel / 1000:.1f} m"),
        (planned, f"as planned, {planned.report.travel / 1000:.1f} m"),
    )
    for axis, (each, title) in zip(axes[2:], ways, strict=True):
        travels = replay(written(each), each.machine).travels
        axis.add_collection(LineCollection(travels, colors="tab:red", linewidths=0.4))
        axis.set(
            xlim=(0, 150),
            ylim=(150, 0),
            aspect="equal",
            title=f"through the air {title}, {each.report.travel / 1000:.1f} m",
        )
    axes[0].set_title("photo, as the optimiser sees it")
    told = planned.report
    axes[1].set_title(f"sheet: {told.lines} lines, {told.ink / 1000:.1f} m, {told.seconds / 60:.0f} min")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    figure.tight_layout()
    buffer = BytesIO()
    figure.savefig(buffer, dpi=75)
    Image.open(buffer).convert("RGB").quantize(16).save(Path(__file__).parents[1] / "docs" / "plot.png", optimize=True)
    print(told)


if __name__ == "__main__":
    main()
