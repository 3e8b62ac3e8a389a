"""Pictures of which each is seen in one of several ways."""

from collections.abc import Callable, Sequence

import torch

from games.pictures.gallery import PictureView
from perception import FrozenTrunk
from raster.shapes import Float, Int, Tensor


class MixedView(PictureView):
    """B pictures, each as the one of several views shows it that ``choice`` says: see ``PictureView.mixed``."""

    def __init__(self, views: Sequence[PictureView], choice: Int[Tensor, " b"]) -> None:
        super().__init__(views[0].gallery, views[0].index)
        self._views, self._choice = views, choice.to(self.index.device)

    def __getitem__(self, item: int | slice | Tensor) -> "MixedView":
        """The view of some of its pictures; an int gives a view of one."""
        item = self._rows(item)
        return MixedView([view[item] for view in self._views], self._choice[item])

    def pixels(self) -> Float[Tensor, "b 3 h w"]:
        """The pictures, float32 in [0, 1], [B, 3, H, W]."""
        return self._chosen([view.pixels() for view in self._views])

    def features(self, trunk: FrozenTrunk, level: int) -> Float[Tensor, "b c h w"]:
        """One level of a frozen trunk's pyramid, float32 [B, C, h, w], from where each view has it."""
        return self._chosen([view.features(trunk, level) for view in self._views])

    def through(self, fn: Callable[[Tensor], Tensor], name: str | None = None) -> PictureView:
        """The same pictures, as they are seen, seen through ``fn`` (``PictureView.through``)."""
        if name is None:
            return super().through(fn)
        return MixedView([view.through(fn, name) for view in self._views], self._choice)

    def _chosen(self, several: Sequence[Float[Tensor, "b *rest"]]) -> Float[Tensor, "b *rest"]:
        # All are looked at and one is kept: picking rows by a mask would ask the device how many there are.
        found = several[0]
        for number, each in enumerate(several[1:], 1):
            mine = (self._choice == number).view(-1, *[1] * (each.ndim - 1))
            found = torch.where(mine, each, found)
        return found
