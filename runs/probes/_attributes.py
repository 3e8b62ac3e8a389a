"""What there is to say of a picture: class, group, hand, and what can be measured in it; scenes by what is in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from games.pictures import Gallery
from games.scenes.vocabulary import ATTRIBUTES
from perception.sets import CLEVR
from raster import InputError
from raster.shapes import Bool, Float, Int, Tensor
from runs.evidence import Evidence
from runs.intervals import bootstrap_of

FEW = 4
"""Fewer pictures than these of a value say nothing: they are left out."""
APART = 0.15
"""How far a pixel must be from the background's colour, in any channel, to belong to the thing."""
PALE = 0.15
"""A colour whose channels differ by less than this is a grey."""
THIRD = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")
GREYS = ("dark", "grey", "light")
THIRDS = {"size": ("small", "middling", "large"), "x": ("left", "middle", "right"), "y": ("high", "middle", "low")}


@dataclass(frozen=True)
class Attribute:
    """One thing that differs between pictures.

    Attributes:
        name: its word.
        values: the value of each picture, [n], as a position in ``names``; -1 where it has none, or one of too few.
        names: what the values are called.
    """

    name: str
    values: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which pictures have one."""
        return self.values >= 0


def attributes(gallery: Gallery, shown: Int[Tensor, " n"]) -> list[Attribute]:
    """All attributes of some pictures that take two values or more, each of which ``FEW`` different pictures have.

    ``class``, ``group`` and ``artist`` as the gallery knows them; of scenes ``number`` (of objects) and ``color``,
    ``size``, ``shape`` and ``material`` of most of their objects; of other pictures what can be measured: ``colour``
    of the thing, ``size`` (the part of the picture that it fills), ``x`` and ``y`` of its middle, in thirds of all
    pictures. The thing is whatever differs from the colour of most of the border: clear for an emoji, crude for a
    photo.

    Args:
        gallery: the pictures.
        shown: which, [n]; a picture may stand there several times.
    """
    index, place = shown.cpu().unique(return_inverse=True)
    label = gallery.label[index].numpy()
    found: list[tuple[str, NDArray[np.int64], Sequence[str]]] = [("class", label, gallery.classes)]
    groups = sorted(set(gallery.groups) - {""})
    if groups:
        numbers = {name: number for number, name in enumerate(groups)} | {"": -1}
        found.append(("group", np.array([numbers[gallery.groups[each]] for each in label]), groups))
    if gallery.artists:
        found.append(("artist", gallery.artist[index].numpy(), gallery.artists))
    if gallery.sets is not None:
        found += _of_scenes(gallery.sets[index.to(gallery.sets.device)].cpu())
    else:
        found += _measured(gallery.view(index).pixels().cpu())
    kept = [_common(*each) for each in found]
    return [Attribute(each.name, each.values[place.numpy()], each.names) for each in kept if len(each.names) > 1]


def _common(name: str, values: NDArray[np.int64], names: Sequence[str]) -> Attribute:
    """The attribute with the values that enough pictures have, numbered anew."""
    often = np.bincount(values[values >= 0], minlength=len(names)) >= FEW
    number = np.where(often, often.cumsum() - 1, -1)
    kept = tuple(each for each, is_kept in zip(names, often, strict=True) if is_kept)
    return Attribute(name, np.where(values >= 0, number[values], -1), kept)


def _of_scenes(sets: Float[Tensor, "n m c"]) -> list[tuple[str, NDArray[np.int64], Sequence[str]]]:
    real = sets[..., -1] > 0.5
    counted = real.sum(1)
    found: list[tuple[str, NDArray[np.int64], Sequence[str]]] = [
        ("number", counted.numpy(), [str(each) for each in range(int(counted.max()) + 1)])
    ]
    for (name, words), where in zip(ATTRIBUTES.items(), CLEVR.attributes, strict=True):
        often = (sets[..., where] * real[..., None]).sum(1)  # [n, values]
        most = often.argmax(1).masked_fill(counted == 0, -1)
        found.append((name, most.numpy(), words))
    return found


def _measured(pixels: Float[Tensor, "n 3 h w"]) -> list[tuple[str, NDArray[np.int64], Sequence[str]]]:
    thing = things(pixels)
    area = thing.flatten(1).sum(1)
    there = area > 0
    colour = (pixels * thing[:, None]).sum((2, 3)) / area.clamp(min=1)[:, None]
    span = [torch.linspace(-1, 1, side) for side in pixels.shape[-2:]]
    y, x = (thing.sum(dim).float() @ line / area.clamp(min=1) for dim, line in ((2, span[0]), (1, span[1])))
    found: list[tuple[str, NDArray[np.int64], Sequence[str]]] = [
        ("colour", colour_names(colour).masked_fill(~there, -1).numpy(), (*GREYS, *HUES))
    ]
    for name, value in (("size", area), ("x", x), ("y", y)):
        value = value.double()
        cuts = torch.quantile(value[there], THIRD) if there.any() else value[:0]
        third = torch.bucketize(value, cuts)
        found.append((name, third.masked_fill(~there, -1).numpy(), THIRDS[name]))
    return found


def things(pixels: Float[Tensor, "n 3 h w"]) -> Bool[Tensor, "n h w"]:
    """Which pixels differ from the background: from the median colour of the border."""
    edge = torch.cat([pixels[..., 0, :], pixels[..., -1, :], pixels[..., 0], pixels[..., -1]], dim=-1)
    ground = edge.median(dim=-1).values  # [n, 3]
    return (pixels - ground[..., None, None]).abs().amax(1) > APART


def colour_names(rgb: Float[Tensor, "n 3"]) -> Int[Tensor, " n"]:
    """The nearest of three greys and six hues, [n], numbers of (*GREYS, *HUES)."""
    high, low = rgb.amax(1), rgb.amin(1)
    red, green, blue = rgb.unbind(1)
    hue = torch.atan2(3**0.5 * (green - blue), 2 * red - green - blue)  # 0 is red, a third of a turn green
    sixth = (hue / (torch.pi / 3)).round().long() % 6
    grey = ((high + low) / 2 * 3).long().clamp(max=2)
    return torch.where(high - low < PALE, grey, len(GREYS) + sixth)


def different_drawings(evidence: Evidence) -> Int[Tensor, " n"]:
    """Positions, among all games, of the first drawing that each sender made of each picture.

    A picture is shown on several pools, and its sender draws it alike each time: for what is asked of drawings, and not
    of games, that is one drawing.
    """
    sketches = evidence.sketches
    sender = torch.tensor([sender for sender, _ in evidence.pairs])[sketches.pool_of]
    both = torch.stack([sender, sketches.shown], dim=1).numpy()
    return torch.from_numpy(np.sort(np.unique(both, axis=0, return_index=True)[1]))


def bootstrap_by_picture(
    statistic: Callable[[NDArray[np.int64]], float], shown: Int[Tensor, " n"]
) -> tuple[float, float]:
    """95 % interval of a statistic of drawings by a bootstrap that resamples pictures, with all their drawings.

    Args:
        statistic: positions of drawings, some of them several times, to the number.
        shown: the picture of each drawing, [n].
    """
    order = shown.argsort(stable=True)
    sizes = shown[order].unique_consecutive(return_counts=True)[1].tolist()
    return bootstrap_of(lambda index: statistic(order.numpy()[index]), sizes)


def need_attributes(name: str, found: Sequence[Attribute]) -> None:
    """See that there is anything to ask of pictures.

    Raises:
        InputError: they do not differ in anything that is known.
    """
    if not found:
        what = f"probe {name}: the pictures do not differ in anything that is known of them"
        do = f"probe more of them (measure.test_pools): a value counts that {FEW} pictures have"
        raise InputError(what, "attributes of the pictures", do)
