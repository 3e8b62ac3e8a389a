"""From a config and pictures to the strokes that an optimisation begins with."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from agents.biases._blur import blur
from agents.biases._grey import luminance
from agents.biases._slopes import slopes
from agents.eye import View
from agents.free import FreeConfig
from agents.heads.hand import laid
from agents.starts.config import EdgeStart, RandomStart, SaliencyStart, StartConfig, SvgStart
from agents.starts.places import planted, tangents
from perception import Trunks
from raster import InputError, Strokes, from_svg
from raster.shapes import Float, Tensor


def begin(
    config: StartConfig,
    strokes: FreeConfig,
    view: View,
    trunks: Trunks,
    seeds: Sequence[int],
    tell: Callable[[str], None] = lambda line: None,
) -> Strokes:
    """Where the drawings of B pictures begin, S seeds each: points [B * S, N, P, 2], picture by picture.

    The noise of a seed is the same for every picture, so that no drawing hangs on what is drawn beside it.

    Args:
        config: the start.
        strokes: what a drawing is made of.
        view: the pictures.
        trunks: the run's trunks, for saliency.
        seeds: one number a seed.
        tell: is given a line about what an SVG file held that is not read.

    Raises:
        InputError: an SVG file that is missing or damaged, or a trunk whose weights are not at hand.
    """
    if isinstance(config, SvgStart):
        return _of_svg(config, strokes, view, seeds, tell)
    pictures = view.pixels()  # [B, 3, H, W]
    found = [_ends(config, strokes, pictures, trunks, torch.Generator().manual_seed(seed)) for seed in seeds]
    ends = torch.stack(found, 1).flatten(0, 1)  # [B * S, N, 2, 2]
    points = laid(ends, strokes.kind, strokes.control_points)
    made = Strokes(points, strokes.kind)
    if strokes.colour:
        made = coloured(made, pictures.repeat_interleave(len(seeds), 0))
    return made


def coloured(strokes: Strokes, pictures: Float[Tensor, "m 3 h w"]) -> Strokes:
    """Strokes [M, N] in the ink of their pictures where the middle of their points lies."""
    middle = strokes.points.detach().mean(-2)  # [M, N, 2]
    seen = torch.nn.functional.grid_sample(
        pictures.to(middle.dtype), middle[:, None], padding_mode="border", align_corners=False
    )  # [M, 3, 1, N]
    return replace(strokes, colour=1 - seen[:, :, 0].mT)


def _ends(
    config: RandomStart | EdgeStart | SaliencyStart,
    strokes: FreeConfig,
    pictures: Float[Tensor, "b 3 h w"],
    trunks: Trunks,
    generator: torch.Generator,
) -> Float[Tensor, "b n 2 2"]:
    if isinstance(config, RandomStart):
        centre, turn, size = torch.rand(4, strokes.count, generator=generator).split([2, 1, 1])
        half = config.length * (0.5 + size[0]) / 2  # [N]
        step = torch.stack([(torch.pi * turn[0]).cos() * half, (torch.pi * turn[0]).sin() * half], -1)
        middle = (centre.T * 2 - 1) * strokes.spread  # [N, 2]
        ends = torch.stack([middle - step, middle + step], -2)
        return ends.to(pictures).expand(len(pictures), -1, -1, -1)
    grey = luminance(pictures)[:, 0]  # [B, H, W]
    half_side = min(grey.shape[-2:]) / 2  # pixels a canvas unit
    softened = blur(grey, (config.sigma if isinstance(config, EdgeStart) else 0.03) * half_side)
    density = slopes(softened[:, None]).square().sum(1).sqrt()
    if isinstance(config, SaliencyStart):
        looked = blur(saliency(pictures, trunks, config), config.sigma * half_side)
        density = looked * density if config.edges else looked
    return planted(density, tangents(softened), strokes.count, config.length, generator, config.flat)


def saliency(pictures: Float[Tensor, "b 3 h w"], trunks: Trunks, config: SaliencyStart) -> Float[Tensor, "b h w"]:
    """How much each pixel moves a trunk's deepest features: the gradient of their squared length, over all colours."""
    trunk = trunks[config.trunk]
    with torch.enable_grad():
        seen = pictures.detach().clone().requires_grad_()
        (deepest,) = trunk(seen, [trunk.deepest])
        (gradient,) = torch.autograd.grad(deepest.square().sum(), seen)
    return gradient.abs().sum(1)


def _of_svg(
    config: SvgStart, strokes: FreeConfig, view: View, seeds: Sequence[int], tell: Callable[[str], None]
) -> Strokes:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read, _ = from_svg(Path(config.path).expanduser(), colours=strokes.colour)
    for each in told:
        tell(str(each.message))
    if not read.count:
        raise InputError("no strokes in it", config.path, "give an SVG with stroked paths, or another start")
    if read.colour is not None:
        read = replace(read, colour=1 - read.colour[..., :3])  # a file's colours are seen ones; ours are ink
    like = view.pixels()
    several = []
    for seed in seeds:
        noise = torch.randn(read.points.shape, generator=torch.Generator().manual_seed(seed))
        several.append(replace(read, points=read.points.float() + config.jitter * noise))
    one = Strokes.cat([_alone(each) for each in several])
    return one[torch.arange(len(seeds)).repeat(len(like))].to(like)


def _alone(strokes: Strokes) -> Strokes:
    """One sketch as a batch of one."""
    named = {name: getattr(strokes, name) for name in ("sigma2", "width", "opacity", "colour", "presence")}
    batched = {name: value[None].float() for name, value in named.items() if value is not None}
    return replace(strokes, points=strokes.points[None], **batched)
