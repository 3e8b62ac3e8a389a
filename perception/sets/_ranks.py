"""The place of each value of a set in its channel, compiled: for few elements many times cheaper than a sort."""

import numpy as np

from raster.compiling import kernel


@kernel()
def ranked(x, places):
    """Writes to `places` [B, N, C] how many values of its set and channel come before each value of `x`.

    Larger ones do, and equal ones of an earlier slot. Every pair of elements is compared, with its channels side by
    side, which the machine does many at a time.
    """
    batch, slots, channels = x.shape
    for b in range(batch):
        for slot in range(slots):
            for c in range(channels):
                places[b, slot, c] = 0
        for later in range(slots):
            for earlier in range(later):
                for c in range(channels):
                    before = np.uint8(x[b, earlier, c] >= x[b, later, c])
                    places[b, later, c] += before
                    places[b, earlier, c] += np.uint8(1) - before


@kernel()
def picked(values, places, found):
    """Writes to `found` [B, N, C] what `values` [N, C] have at each place."""
    batch, slots, channels = places.shape
    for b in range(batch):
        for slot in range(slots):
            for c in range(channels):
                found[b, slot, c] = values[places[b, slot, c], c]


@kernel()
def gathered(given, places, sums):
    """Adds each number of `given` [B, N, C] to `sums` [N, C] at its place: the transpose of `picked`."""
    batch, slots, channels = places.shape
    for b in range(batch):
        for slot in range(slots):
            for c in range(channels):
                sums[places[b, slot, c], c] += given[b, slot, c]
