"""``over`` in tiles: each pixel's strokes one behind another.

The pairs of a block of tiles are laid out place by place in the tiles' lists: first every tile's hindmost stroke, then
the second of those that have two, and so on, tiles with the longest lists first. So a step from place to place is one
operation on all tiles that reach so far, there is no padding, and nothing is ever divided by 1 - cover I.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from raster._tile_band import Bands, Response, Sums, add_rows, all_channels, each_channel
from raster._tile_pairs import Pairs, Segments

#: A block holds this many times the pairs that are drawn at a time: a step should be worth its call.
_BLOCK = 16


@dataclass(frozen=True)
class _Block:
    """Tiles worked on at a time.

    Attributes:
        tiles: their numbers [t], those with the longest lists first.
        places: where the pairs of each place of the lists are; as many as tiles have so long a list.
        pairs: the pairs [p] as ``Bands`` takes them.
        order: place by place, as all of the above, to the order of ``pairs``; and ``back`` again.
    """

    tiles: Tensor
    places: list[slice]
    pairs: Pairs
    order: Tensor
    back: Tensor


def forward(
    tiles: Tensor, found: Segments, pairs: Pairs, amount: Tensor, covers: Tensor, kind: Response, drawn: int
) -> None:
    """Fills the tiles [t c 64] that the pairs of this chunk meet; ``amount`` is [b n, c], ``covers`` [b n, 1]."""
    chunk = Bands(found, pairs, kind)
    for block in _blocks(pairs, found.strokes, drawn * _BLOCK):
        bands = chunk.only(block.pairs)
        ink = torch.cat([bands.ink(bands.depth(part).depth) for part in bands.slices(drawn)]).index_select(
            0, block.back
        )
        stroke = block.pairs.stroke[block.back]
        each, through = each_channel(ink, amount[stroke]), (1 - ink * covers[stroke])[:, None]
        picture = tiles.new_zeros((block.tiles.shape[0], *tiles.shape[1:]))
        for place in block.places:
            picture[: place.stop - place.start].mul_(through[place]).add_(each[place])
        tiles[block.tiles] = picture


def backward(
    given: Tensor,
    found: Segments,
    pairs: Pairs,
    amount: Tensor,
    covers: Tensor,
    kind: Response,
    sums: Sums,
    drawn: int,
) -> None:
    """Adds up the gradients of this chunk from that of the tiles, ``given`` [t c 64]."""
    chunk = Bands(found, pairs, kind)
    for block in _blocks(pairs, found.strokes, drawn * _BLOCK):
        bands = chunk.only(block.pairs)
        parts = list(bands.slices(drawn))
        drawings = [bands.depth(part) for part in parts]
        inks = [bands.ink(band.depth) for band in drawings]
        ink, stroke = torch.cat(inks).index_select(0, block.back), block.pairs.stroke[block.back]
        weight, cover = amount[stroke], covers[stroke]
        each, through = each_channel(ink, weight), 1 - ink * cover
        # What lies behind each stroke, back to front; and how much of it is seen, front to back.
        picture = given.new_zeros((block.tiles.shape[0], *given.shape[1:]))
        behind, seen = torch.empty_like(each), torch.empty_like(ink)
        for place in block.places:
            under = picture[: place.stop - place.start]
            behind[place] = under
            under.mul_(through[place][:, None]).add_(each[place])
        left = torch.ones_like(picture[:, 0])
        for place in reversed(block.places):
            over = left[: place.stop - place.start]
            seen[place] = over
            over.mul_(through[place])
        to_each = given.index_select(0, block.pairs.tile[block.back]).mul_(seen[:, None])
        add_rows(sums.weight, stroke, (to_each * ink[:, None]).sum(2))
        hidden = behind.mul_(to_each).sum(1)
        add_rows(sums.cover, stroke, (hidden * ink).sum(1, keepdim=True).neg_())
        to_ink = (all_channels(to_each, weight) - hidden.mul_(cover)).index_select(0, block.order)
        for part, band, own in zip(parts, drawings, inks, strict=True):
            bands.pull(part, band, own, to_ink[part], sums)


def _blocks(pairs: Pairs, strokes: int, most: int) -> Iterator[_Block]:
    """Blocks of tiles with lists of like length, ``most`` pairs or one tile each."""
    ordered = (pairs.tile * strokes + pairs.stroke % strokes).sort().indices
    tiles, length = torch.unique_consecutive(pairs.tile[ordered], return_counts=True)
    begin = length.cumsum(0) - length
    length, longest = length.sort(descending=True, stable=True)
    tiles, begin = tiles[longest], begin[longest]
    lengths: list[int] = length.tolist()
    start = 0
    while start < len(lengths):
        stop = min(start + max(1, most // lengths[start]), len(lengths))
        place = torch.arange(lengths[start], device=length.device)[:, None]
        there = place < length[start:stop]  # [places, tiles]
        listed = ordered[(begin[start:stop] + place)[there]]
        places, last = [], 0
        for count in there.sum(1).tolist():
            places.append(slice(last, last + count))
            last += count
        yield _block(pairs, tiles[start:stop], listed, places)
        start = stop


def _block(pairs: Pairs, tiles: Tensor, listed: Tensor, places: list[slice]) -> _Block:
    """The block of some of a chunk's pairs, ``listed`` place by place."""
    own, order = listed.sort()  # as in the chunk, those with most segments come first
    back = torch.empty_like(order)
    back[order] = torch.arange(order.shape[0], device=order.device)
    deep = torch.searchsorted(own, torch.tensor(pairs.deep, device=own.device)).tolist()
    chosen = Pairs(pairs.stroke[own], pairs.tile[own], pairs.first[own], deep, pairs.segment, pairs.along, pairs.across)
    return _Block(tiles, places, chosen, order, back)
