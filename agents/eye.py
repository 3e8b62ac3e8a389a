"""How an agent sees a photo: a trunk's features, or a small learned convnet, made into one vector."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from agents.moment import Moment
from perception import Convnet, ConvnetTrunk, FrozenTrunk, TrunkConfig
from raster.shapes import Float, Tensor


@runtime_checkable
class View(Protocol):
    """A batch of pictures that is looked at only when asked (``games.pictures.PictureView`` is one)."""

    def __len__(self) -> int: ...

    def __getitem__(self, item: slice | Tensor) -> "View": ...

    def pixels(self) -> Tensor:
        """The pictures, [B, 3, H, W] in [0, 1]."""
        ...

    def features(self, trunk: FrozenTrunk, level: int) -> Tensor:
        """One level of a frozen trunk's pyramid, [B, C, h, w]."""
        ...

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``fn`` makes of the pixels, [B, ...]; the mean over them where a view shows several pictures as one."""
        ...

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
    with the weights), thinned by dropout and projected; a learned convnet's are flattened and projected.
    ``shapes`` has (C, h, w) of each map.

    Args:
        trunk: whose features; frozen trunks are read from the gallery's cache, never run here.
        levels: which levels of the pyramid (0 is the finest); a learned convnet has only its last.
        width: length of the vector.
        dropout: rate on the features, in [0, 1).
        pictures: the gallery, asked for shapes and statistics only.
        convnet: gives the module of a learned trunk: a new one, or the community's shared one.
    """

    def __init__(
        self,
        trunk: TrunkConfig,
        levels: Sequence[int],
        width: int,
        dropout: float,
        pictures: Pictures,
        convnet: Callable[[ConvnetTrunk], Convnet],
    ) -> None:
        super().__init__()
        self.trunk, self.levels, self.dropout = trunk, tuple(levels), dropout
        if isinstance(trunk, ConvnetTrunk):
            net = convnet(trunk)
            # A shared convnet belongs to the community, not to this eye: keep it out of the agent's parameters.
            self.net: Convnet | None = None if trunk.shared else net
            self._borrowed = [net] if trunk.shared else []
            with torch.no_grad():
                size = pictures.size
                probe = next(net.parameters()).new_zeros(1, 3, size, size)
                shapes = [net(probe).shape[1:]]
        else:
            one = pictures.view(torch.zeros(1, dtype=torch.long))
            shapes = []
            for level in self.levels:
                mean, std = pictures.standardisation(trunk, level)
                self.register_buffer(f"mean{level}", mean.clone())
                self.register_buffer(f"std{level}", std.clone())
                shapes.append(one.features(trunk, level).shape[1:])
        self.shapes = [(int(c), int(h), int(w)) for c, h, w in shapes]
        self.project = nn.Linear(sum(c * h * w for c, h, w in self.shapes), width)

    def maps(self, view: View) -> list[Float[Tensor, "b _ _ _"]]:
        """What ``view`` of B pictures looks like, place by place: one [B, C, h, w] a level (``shapes``)."""
        if isinstance(self.trunk, ConvnetTrunk):
            net = self.net if self.net is not None else self._borrowed[0]
            return [view.averaged(lambda rgb: net(rgb.to(self.project.weight.dtype) - 0.5))]
        seen = []
        for level in self.levels:
            mean, std = self.get_buffer(f"mean{level}"), self.get_buffer(f"std{level}")
            features = view.features(self.trunk, level).to(mean.dtype)  # [B, C, h, w]
            seen.append((features - mean[:, None, None]) / std[:, None, None])
        return seen

    def vector(self, maps: Sequence[Float[Tensor, "b _ _ _"]], moment: Moment) -> Float[Tensor, "b d"]:
        """One vector [B, width] of what ``maps`` gave."""
        x = torch.cat([each.flatten(1) for each in maps], dim=1)  # [B, sum of C h w]
        return self.project(moment.dropout(x, self.dropout))

    def forward(self, view: View, moment: Moment) -> Float[Tensor, "b d"]:
        """See ``view`` of B pictures; returns [B, width]."""
        return self.vector(self.maps(view), moment)
