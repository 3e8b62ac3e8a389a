"""The pictures of an experiment, once, on the device; and how agents get to see them."""

import copy
import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch

from games.pictures.album import Album
from games.pictures.config import SplitConfig
from games.pictures.copies import add_copies, training_splits
from games.pictures.splits import Split, make_splits
from games.scenes.variants import CHANGES
from perception import FeatureCache, FrozenTrunk, Trunks
from raster.shapes import Bool, Float, Int, Tensor

_CHUNK = 1024  # pictures at a time where float32 features are needed


class PictureView:
    """B pictures of a gallery, looked at only when asked: whoever wants features touches no pixel.

    Attributes:
        gallery: whose pictures.
        index: which ones, [B], on the gallery's device.
    """

    def __init__(self, gallery: "Gallery", index: Int[Tensor, " b"], look: Callable[[], Tensor] | None = None) -> None:
        """``look`` gives the pixels of a view that shows the pictures changed; None for the pictures as they are."""
        self.gallery, self.index, self._look = gallery, index.to(gallery.device), look
        self._seen: Tensor | None = None

    def __len__(self) -> int:
        return self.index.shape[0]

    def __getitem__(self, item: int | slice | Tensor) -> "PictureView":
        """The view of some of its pictures; an int gives a view of one."""
        item = self._rows(item)
        look = None if self._look is None else (lambda: self.pixels()[item])
        return PictureView(self.gallery, self.index[item], look)

    def _rows(self, item: int | slice | Tensor) -> slice | Tensor:
        """What was asked for as something that keeps the first dimension, on the gallery's device."""
        if isinstance(item, int):
            if not -len(self) <= item < len(self):
                raise IndexError(f"picture {item} of a view of {len(self)}")
            return slice(item, item + 1 if item != -1 else None)
        return item.to(self.index.device) if isinstance(item, Tensor) else item

    def pixels(self) -> Float[Tensor, "b 3 h w"]:
        """The pictures, float32 in [0, 1], [B, 3, H, W]."""
        if self._look is None:
            return self.gallery.pixels[self.index].float() / 255
        if self._seen is None:  # once: fn may be random, and all who look at this view must see the same
            self._seen = self._look()
        return self._seen

    def features(self, trunk: FrozenTrunk, level: int) -> Float[Tensor, "b c h w"]:
        """One level of a frozen trunk's pyramid, float32 [B, C, h, w]: from the cache, unless seen ``through``."""
        if self._look is None:
            return self.gallery.features(trunk, level)[self.index].float()
        with torch.no_grad():
            (features,) = self.gallery.trunks[trunk](self.pixels(), [level])
            return features

    @property
    def label(self) -> Int[Tensor, " b"]:
        """Class of each picture, [B], on the gallery's device."""
        return self.gallery.label_there[self.index]

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``fn`` makes of the pixels, [B, ...]; the mean over them where a view shows several pictures as one."""
        return fn(self.pixels())

    def through(self, fn: Callable[[Tensor], Tensor], name: str | None = None) -> "PictureView":
        """The same pictures seen through ``fn``, pixels [B, 3, H, W] in [0, 1] to the same.

        Without a name ``fn`` is called once, for the whole view, when pixels or features are first asked for;
        features are then computed anew and not cached. With one, ``fn`` must be a pure function of each picture
        alone, and the name must say all that it does (``blur-0.1``): the whole gallery is changed once, and features
        are cached under the name. So a change with k views is k names, and costs k passes of each photo in all.
        """
        if name is not None and self._look is None:
            return PictureView(self.gallery.changed(fn, name), self.index)
        return PictureView(self.gallery, self.index, lambda: fn(self.pixels()))

    def mixed(self, views: Sequence["PictureView"], choice: Int[Tensor, " b"]) -> "PictureView":
        """Each of these pictures as one of several views of them shows it; ``choice`` says which, [B].

        Views seen ``through`` names have their features cached, so a mixture of them costs no pass of a trunk.
        """
        from games.pictures.mixed import MixedView  # it builds on this file

        return MixedView(views, choice)


class Gallery:
    """All pictures of an experiment. ``load_gallery`` makes one.

    Pixels and features lie on ``device``; what rounds are dealt from (labels, artists, splits) stays on the CPU.

    Attributes:
        pixels: uint8 [n, 3, H, W] RGB.
        label: class of each picture, [n].
        artist: artist of each picture, [n]; all 0 where there are none.
        hand: like ``artist``, but artists whose drawings are near twins share a hand, [n].
        classes: names of the classes.
        groups: the group of each class; "" for none.
        artists: names of the artists; [] for none.
        content: SHA-256 of pictures, labels and artists in their order; the same in every process.
        source: one line for a person.
        licences: one line a licence that must be shown with the pictures.
        place: the file or folder that they came from, if any.
        splits: by name, see ``Split``.
        training_splits: names of those that training deals from: "train", and one for each set of copies.
        trunks: the run's frozen trunks.
        device: where the pixels lie.
        size: H = W of the pictures.
        sets: what is in each picture (``Album.sets``), [n, N, C] on the device; None where nobody knows.
        changes: in what each differs from the first of its class (``Album.changes``), [n]; None where nobody knows.
    """

    def __init__(
        self,
        album: Album,
        split: SplitConfig,
        trunks: Trunks,
        cache: FeatureCache | None = None,
        device: torch.device | str = "cpu",
        views: int = 1,
    ) -> None:
        """``cache`` keeps features from run to run; None keeps them in memory only. ``views``: see ``add_copies``."""
        self.device = torch.device(device)
        label, artist = torch.from_numpy(album.label), torch.from_numpy(album.artist)
        hands = torch.tensor(list(album.hands) or list(range(max(1, len(album.artists)))))
        self.splits: dict[str, Split] = make_splits(
            label,
            artist,
            hands[artist],
            album.artists,
            split,
            album.absent,
            None if album.test is None else torch.from_numpy(album.test),
        )
        if views > 1:
            album, self.splits = add_copies(album, self.splits, views, split.seed)
        self.training_splits = training_splits(self.splits)
        self.content = album.content()
        self.pixels: Tensor = torch.from_numpy(album.pixels).to(self.device)
        self.label: Tensor = torch.from_numpy(album.label)
        self.artist: Tensor = torch.from_numpy(album.artist)
        self.hand: Tensor = hands[self.artist]
        self.classes, self.groups, self.artists = list(album.classes), list(album.groups), list(album.artists)
        self.source, self.licences = album.source, list(album.licences)
        self.place: Path | None = album.place
        self.sets: Tensor | None = None if album.sets is None else torch.from_numpy(album.sets).to(self.device)
        self.changes: Tensor | None = None if album.changes is None else torch.from_numpy(album.changes)
        self.size = int(album.pixels.shape[-1])
        self.trunks = trunks
        self._cache = cache if cache is not None else FeatureCache(None)
        self._features: dict[tuple[str, int], Tensor] = {}
        self._standard: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}
        self._changed: dict[str, Gallery] = {}
        self._embeddings: dict[tuple[str, int], Tensor] = {}

    @cached_property
    def label_there(self) -> Int[Tensor, " n"]:
        """``label`` on the gallery's device, for those who ask in the middle of a step."""
        return self.label.to(self.device)

    def changed(self, fn: Callable[[Tensor], Tensor], name: str) -> "Gallery":
        """The same gallery with every picture seen through ``fn``; made once a name. See ``PictureView.through``."""
        if name not in self._changed:
            made = copy.copy(self)
            made.pixels = torch.empty_like(self.pixels)
            for start in range(0, len(self), _CHUNK):
                part = fn(self.pixels[start : start + _CHUNK].float() / 255)
                made.pixels[start : start + _CHUNK] = (part.clamp(0, 1) * 255).round().to(torch.uint8)
            made.content = hashlib.sha256(f"{self.content} {name}".encode()).hexdigest()
            made._features, made._standard, made._changed, made._embeddings = {}, {}, {}, {}
            self._changed[name] = made
        return self._changed[name]

    def __len__(self) -> int:
        return self.label.shape[0]

    def view(self, index: Int[Tensor, " b"]) -> PictureView:
        """Pictures by position, [B]; nothing is touched until the view is asked."""
        return PictureView(self, index)

    def names(self, index: Int[Tensor, " b"]) -> list[str]:
        """``class/artist`` of each picture; ``class`` alone where there are no artists; of scenes with variants
        ``class/change``.
        """
        index = index.cpu()
        if self.changes is not None:
            pairs = zip(self.label[index].tolist(), self.changes[index].tolist(), strict=True)
            return [f"{self.classes[label]}/{CHANGES[change]}" for label, change in pairs]
        if not self.artists:
            return [self.classes[label] for label in self.label[index].tolist()]
        both = zip(self.label[index].tolist(), self.artist[index].tolist(), strict=True)
        return [f"{self.classes[label]}/{self.artists[artist]}" for label, artist in both]

    def by_class(self, mask: Bool[Tensor, " n"]) -> tuple[Int[Tensor, "t m"], Int[Tensor, " t"]]:
        """The pictures of ``mask`` class by class, for dealing.

        Returns:
            table: picture positions, a row for each class that has any, padded with -1, [T, M].
            classes: which class each row is, rising, [T].
        """
        chosen = mask.cpu().nonzero()[:, 0]
        order = self.label[chosen].argsort(stable=True)
        chosen = chosen[order]
        classes, row, counts = self.label[chosen].unique_consecutive(return_inverse=True, return_counts=True)
        table = torch.full((len(classes), int(counts.max()) if len(counts) else 0), -1, dtype=torch.long)
        column = torch.arange(len(chosen)) - (counts.cumsum(0) - counts)[row]
        table[row, column] = chosen
        return table, classes

    def features(self, trunk: FrozenTrunk, level: int) -> Float[Tensor, "n c h w"]:
        """One level of a frozen trunk's pyramid for all pictures, float16 [n, C, h, w] on the gallery's device.

        Computed once, in chunks and without gradients, and kept under the content hash.
        """
        return self.prepare(trunk, [level])[0]

    def prepare(self, trunk: FrozenTrunk, levels: Sequence[int]) -> list[Float[Tensor, "n _ _ _"]]:
        """``features`` of several levels; what is missing is computed in one pass of each picture."""
        net = self.trunks[trunk]
        missing = [level for level in dict.fromkeys(levels) if (net.key, level) not in self._features]
        if missing and self.device.type == "meta":
            for level, shape in zip(missing, net.shapes(missing, self.size, self.size), strict=True):
                empty = torch.empty((len(self), *shape), dtype=torch.float16, device=self.device)
                self._features[net.key, level] = empty
        elif missing:
            keys = [f"{self.content}-{net.key}-{level}" for level in missing]
            for level, found in zip(
                missing, self._cache.get_many(keys, lambda: net.extract(self.pixels, missing)), strict=True
            ):
                self._features[net.key, level] = found.to(self.device)
        return [self._features[net.key, level] for level in levels]

    def standardisation(self, trunk: FrozenTrunk, level: int) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
        """Mean and standard deviation of each channel over the training pictures and their places, [C] each.

        A channel that never changes gets deviation 1, so dividing by it is safe.
        """
        features = self.features(trunk, level)
        key = (self.trunks[trunk].key, level)
        if key not in self._standard:
            train = self.splits["train"]
            chosen = (train.shown | train.pool).nonzero()[:, 0].to(self.device)
            total = torch.zeros(2, features.shape[1], dtype=torch.float32, device=self.device)
            parts = chosen.split(_CHUNK)
            places = len(chosen) * features.shape[2] * features.shape[3]
            for part in parts:
                total[0] += features[part].float().sum(dim=(0, 2, 3))
            mean = total[0] / places
            for part in parts:  # a second pass: the square of a large mean would swallow a small deviation
                total[1] += (features[part].float() - mean[:, None, None]).square().sum(dim=(0, 2, 3))
            std = (total[1] / places).sqrt()
            self._standard[key] = (mean, torch.where(std > 1e-4, std, torch.ones_like(std)))
        return self._standard[key]

    def embeddings(self, trunk: FrozenTrunk, level: int) -> Float[Tensor, "n c"]:
        """Each picture as one vector of length 1, float32 [n, C] on the CPU, for dealing: products are cosines.

        Its features, standardised a channel and averaged over places.
        """
        key = (self.trunks[trunk].key, level)
        if key not in self._embeddings:
            mean, std = self.standardisation(trunk, level)
            features = self.features(trunk, level)
            parts = [part.float().mean(dim=(2, 3)) for part in features.split(_CHUNK)]
            vectors = torch.nn.functional.normalize((torch.cat(parts) - mean) / std, dim=-1)
            # The meta device has shapes only: there all pictures are equally near.
            self._embeddings[key] = torch.zeros(vectors.shape) if vectors.is_meta else vectors.cpu()
        return self._embeddings[key]
