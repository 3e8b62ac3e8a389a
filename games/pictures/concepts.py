"""Several pictures seen as one: what they have in common, as far as a mean tells."""

from collections.abc import Callable, Sequence

import torch

from games.pictures.gallery import Gallery, PictureView
from perception import FrozenTrunk
from raster.shapes import Float, Int, Tensor


class ConceptView(PictureView):
    """B concepts, each shown by 1 to S pictures: its features are the mean of theirs.

    That holds for what a learned convnet makes of them too (``averaged``). Whoever asks for pixels gets each concept's
    first picture, for a mean of pixels shows nothing.

    Attributes:
        index: the first picture of each concept, [B].
    """

    def __init__(self, gallery: Gallery, several: Int[Tensor, "b s"], each: PictureView | None = None) -> None:
        """``several``: the pictures, -1 where a concept has fewer; the first is always there. ``each``: how all of
        them are seen, B x S; None for the pictures as they are.
        """
        several = several.to(gallery.device)
        super().__init__(gallery, several[:, 0])
        there = several >= 0
        self._several = several
        # Where there is none, the first stands in and does not count: so shapes do not hang on the numbers.
        self._each = each or gallery.view(torch.where(there, several, several[:, :1]).flatten())
        self._weight = there / there.sum(dim=1, keepdim=True)  # [B, S]

    def __getitem__(self, item: int | slice | Tensor) -> "ConceptView":
        """The view of some of its concepts; an int gives a view of one."""
        if isinstance(item, int):
            if not -len(self) <= item < len(self):
                raise IndexError(f"concept {item} of a view of {len(self)}")
            item = slice(item, item + 1 if item != -1 else None)
        if isinstance(item, Tensor):
            item = item.to(self.index.device)
        places = torch.arange(self._several.numel(), device=self.index.device).view(self._several.shape)
        return ConceptView(self.gallery, self._several[item], self._each[places[item].flatten()])

    def pixels(self) -> Float[Tensor, "b 3 h w"]:
        """The first picture of each concept, float32 in [0, 1], [B, 3, H, W]."""
        return self._each[:: self._several.shape[1]].pixels()

    def features(self, trunk: FrozenTrunk, level: int) -> Float[Tensor, "b c h w"]:
        """The mean of one level of a frozen trunk's pyramid over each concept's pictures, float32 [B, C, h, w]."""
        return self._mean(self._each.features(trunk, level))

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """The mean of what ``fn`` makes of the pixels over each concept's pictures, [B, ...]."""
        return self._mean(fn(self._each.pixels()))

    def through(self, fn: Callable[[Tensor], Tensor], name: str | None = None) -> "ConceptView":
        """The same concepts, each picture seen through ``fn`` (``PictureView.through``)."""
        return ConceptView(self.gallery, self._several, self._each.through(fn, name))

    def mixed(self, views: Sequence[PictureView], choice: Int[Tensor, " b"]) -> "ConceptView":
        """The same concepts, all pictures of each as one of several views of these concepts shows them."""
        each = [view._each for view in views if isinstance(view, ConceptView)]
        every = choice.repeat_interleave(self._several.shape[1])
        return ConceptView(self.gallery, self._several, self._each.mixed(each, every))

    def _mean(self, x: Float[Tensor, "bs *rest"]) -> Float[Tensor, "b *rest"]:
        x = x.unflatten(0, tuple(self._several.shape))  # [B, S, ...]
        return torch.einsum("bs...,bs->b...", x, self._weight.to(x.dtype))
