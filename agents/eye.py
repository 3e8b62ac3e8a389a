"""How an agent sees a photo: a trunk's features, or a small learned convnet, made into one vector."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from agents.moment import Moment
from perception import FrozenTrunk, Linear, OpenClipTrunk, ScratchTrunk, TrunkConfig, as_frozen, is_learned, numbered
from raster.shapes import Float, Tensor


@runtime_checkable
class Sighted(Protocol):
    """A batch of pictures as eyes see it: no agent asks for more."""

    def __len__(self) -> int: ...

    def pixels(self) -> Tensor:
        """The pictures, [B, 3, H, W] in [0, 1]."""
        ...

    def features(self, trunk: FrozenTrunk, level: int) -> Tensor:
        """One level of a frozen trunk's pyramid, [B, C, h, w]."""
        ...

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``fn`` makes of the pixels, [B, ...]; the mean over them where a view shows several pictures as one."""
        ...


@runtime_checkable
class View(Sighted, Protocol):
    """A batch of pictures that is looked at only when asked (``games.pictures.PictureView`` is one), and that biases
    can change before anybody looks.
    """

    def __getitem__(self, item: slice | Tensor) -> "View": ...

    def through(self, fn: Callable[[Tensor], Tensor], name: str | None = None) -> "View":
        """The same pictures, each seen through ``fn`` (pixels [B, 3, H, W] to the same).

        With a ``name``, which must say all that it does, a pure ``fn`` is worked out and cached once a picture.
        """
        ...

    def mixed(self, views: "Sequence[Any]", choice: Tensor) -> "View":
        """Each picture as one of several views of it shows it, which ones says ``choice``, [B]."""
        ...


@runtime_checkable
class Pictures(Protocol):
    """What an eye must know of the pictures before it is built (``games.pictures.Gallery`` is one)."""

    size: int

    def view(self, index: Tensor) -> View: ...

    def standardisation(self, trunk: FrozenTrunk, level: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel over the training pictures, [C] each."""
        ...


class Eye(nn.Module):
    """Photo -> vector [B, width], by way of feature maps that can be had too (``maps``).

    A frozen trunk's features are standardised a channel (mean and deviation of the training pictures, kept
    with the weights), thinned by dropout and projected; those of a trunk that is learned on likewise, so that it starts
    as the frozen one; a learned convnet's or perceptron's are flattened and projected. ``shapes`` has (C, h, w) of each
    map.

    Args:
        trunk: whose features; frozen trunks are read from the gallery's cache, never run here.
        levels: which levels of the pyramid (0 is the finest), or their names; what is learned from nothing has none.
        width: length of the vector.
        dropout: rate on the features, in [0, 1).
        pictures: the gallery, asked for shapes and statistics only.
        learn: gives the module of a trunk that is learned: a new one, or the community's shared one.
    """

    def __init__(
        self,
        trunk: TrunkConfig,
        levels: Sequence[int | str],
        width: int,
        dropout: float,
        pictures: Pictures,
        learn: Callable[[TrunkConfig], nn.Module],
    ) -> None:
        super().__init__()
        self.trunk, self.levels, self.dropout = trunk, numbered(trunk, levels), dropout
        self.net, self._borrowed = own_or_borrowed(trunk, learn)
        if isinstance(trunk, ScratchTrunk):
            net = self.net or self._borrowed[0]
            with torch.no_grad():
                size = pictures.size
                probe = next(net.parameters()).new_zeros(1, 3, size, size)
                shapes = [net(probe).shape[1:]]
        else:
            one, still = pictures.view(torch.zeros(1, dtype=torch.long)), as_frozen(trunk)
            shapes = []
            for level in self.levels:
                mean, std = pictures.standardisation(still, level)
                self.register_buffer(f"mean{level}", mean.clone())
                self.register_buffer(f"std{level}", std.clone())
                shapes.append(one.features(still, level).shape[1:])
        self.shapes = [(int(c), int(h), int(w)) for c, h, w in shapes]
        self.project = Linear(sum(c * h * w for c, h, w in self.shapes), width)

    def maps(self, view: Sighted) -> list[Float[Tensor, "b _ _ _"]]:
        """What ``view`` of B pictures looks like, place by place: one [B, C, h, w] a level (``shapes``)."""
        if isinstance(self.trunk, ScratchTrunk):
            net = self.net if self.net is not None else self._borrowed[0]
            return [view.averaged(lambda rgb: net(rgb.to(self.project.weight.dtype) - 0.5))]
        if is_learned(self.trunk):
            flat = view.averaged(self._learned_levels)  # [B, all of them]
            parts = flat.split([math.prod(shape) for shape in self.shapes], dim=1)
            found = [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]
        else:
            found = [view.features(self.trunk, level) for level in self.levels]
        seen = []
        for level, features in zip(self.levels, found, strict=True):  # [B, C, h, w]
            mean, std = self.get_buffer(f"mean{level}"), self.get_buffer(f"std{level}")
            seen.append((features.to(mean.dtype) - mean[:, None, None]) / std[:, None, None])
        return seen

    def _learned_levels(self, rgb: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n f"]:
        net = self.net if self.net is not None else self._borrowed[0]
        return torch.cat([each.flatten(1) for each in net(rgb.to(self.project.weight.dtype), self.levels)], dim=1)

    def vector(self, maps: Sequence[Float[Tensor, "b _ _ _"]], moment: Moment) -> Float[Tensor, "b d"]:
        """One vector [B, width] of what ``maps`` gave."""
        x = torch.cat([each.flatten(1) for each in maps], dim=1)  # [B, sum of C h w]
        return self.project(moment.dropout(x, self.dropout))

    def forward(self, view: Sighted, moment: Moment) -> Float[Tensor, "b d"]:
        """See ``view`` of B pictures; returns [B, width]."""
        return self.vector(self.maps(view), moment)


def own_or_borrowed(
    trunk: TrunkConfig, learn: Callable[[TrunkConfig], nn.Module]
) -> tuple[nn.Module | None, list[nn.Module]]:
    """The module of a trunk that is learned: one's own; or in a list, so that it is no part of whoever borrows it.

    A shared one belongs to the community and must stay out of each agent's parameters. A frozen one is neither.
    """
    if isinstance(trunk, OpenClipTrunk) or not is_learned(trunk):
        return None, []
    net = learn(trunk)
    return (None, [net]) if trunk.shared else (net, [])
