"""The CPU engine's kernels (numba), what all of them share: written as C would be, for LLVM to make vectors of.

Everything is done in stages over a flat batch of pixels: where they are (rows of a line's band in ``_cpu_lines``,
tiles in ``_cpu_polylines``), squared distance, ink (``respond``), and what becomes of the canvas (``paint``) or of the
gradient (``share``, ``steepen``). So a response and a composition are a loop each, not a kernel for each pair.

Pixels come in blocks of eight of a row, ``places`` saying where a block begins in a flat canvas with margins, whose
rows are wide enough for a block to begin in any pixel. What lies beyond the canvas or the band is computed as well:
ink is 0 from the cut on, and margins are looked at by nobody.
"""

import math

import numpy as np

from raster._cpu_lanes import CONTRACT, LANES, SUMS, compiled, copy8

SOFTOR, OVER, MAX, SUM = range(4)
GAUSSIAN, LINEAR, HARD = range(3)
LEAST = np.float32(2.0**-24)  # as in raster.reference
POINT = 1e-6  # as in raster.reference
FAR = np.float32(1e30)  # as in raster.reference
TENT = np.float32(4 * math.log(2))  # as in raster.reference
HALF = np.float32(math.log(2))  # as in raster.reference
SMALLEST = np.float32(1.1754944e-38)  # below it numbers are denormal, slow for whoever computes with them
BATCH = 1024  # pixels worked on at a time: their buffers stay in the first-level cache
WHOLE = 32  # batches are filled up to a multiple of so many pixels: loops over them then have no scalar rest
STRIP = 64  # rows of a canvas that are drawn at a time

ZERO, ONE = np.float32(0), np.float32(1)
_LAST = np.float32(87.0)
_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(i)) for i in range(2, 7))
_HALF = np.float32(0.5)
_ROOT = np.float32(1 / math.sqrt(4 * math.log(2)))
_NEVER = np.float32(-math.inf)


@compiled(fastmath=CONTRACT, inline="always")
def _exp_minus(z):
    """Gives exp(-z) for 0 <= z < 87 to 2e-7; some number elsewhere."""
    held = z if z < _LAST else _LAST
    n = np.floor(_HALF - held * _LOG2E)
    r = -held - n * _LN2_HIGH - n * _LN2_LOW
    series = ONE + r * (ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return series * power


@compiled(inline="always")
def normal(value):
    """Float32, with 0 for what would be denormal."""
    return ZERO if abs(value) < SMALLEST else np.float32(value)


@compiled()
def prepare(vertices, inverse_sigma2, weight, cover, cut, height, width, lines, reach, box, first, last):
    """What is computed once a stroke, for strokes first..last of all b * n.

    ``lines`` [b n 6 s]: each segment's first end (x, y), direction (x, y), length and 1 / length (0 for a point), the
    last again where s is larger;
    ``reach`` [b n]: how far, in pixels, the stroke is felt, or a little more; ``box`` [b n 4]: rows and columns where
    it is felt, first and last + 1, and -1 for all where one of its numbers is NaN or infinite.
    """
    count, corners, slots = vertices.shape[1], vertices.shape[2], lines.shape[3]
    segments = max(1, corners - 1)
    for task in range(first, last):
        b, n = task // count, task % count
        inverse = float(inverse_sigma2[b, n])
        check = 0.0 * inverse + 0.0 * cover[b, n]
        for channel in range(weight.shape[2]):
            check += 0.0 * weight[b, n, channel]
        low_x = low_y = math.inf
        high_x = high_y = -math.inf
        for k in range(corners):
            x, y = float(vertices[b, n, k, 0]), float(vertices[b, n, k, 1])
            check += 0.0 * x + 0.0 * y
            low_x, high_x, low_y, high_y = min(low_x, x), max(high_x, x), min(low_y, y), max(high_y, y)
        if check != 0.0:
            for i in range(4):
                box[b, n, i] = -1
            continue
        for k in range(segments):
            after = min(k + 1, corners - 1)
            ax, ay = float(vertices[b, n, k, 0]), float(vertices[b, n, k, 1])
            dx, dy = float(vertices[b, n, after, 0]) - ax, float(vertices[b, n, after, 1]) - ay
            length = math.sqrt(dx * dx + dy * dy)
            lines[b, n, 0, k], lines[b, n, 1, k] = ax, ay
            if length <= POINT:
                lines[b, n, 2, k], lines[b, n, 3, k], lines[b, n, 4, k], lines[b, n, 5, k] = 1.0, 0.0, 0.0, 0.0
            else:
                lines[b, n, 2, k], lines[b, n, 3, k] = dx / length, dy / length
                lines[b, n, 4, k], lines[b, n, 5, k] = length, 1.0 / length
        for k in range(segments, slots):
            for i in range(6):
                lines[b, n, i, k] = lines[b, n, i, segments - 1]
        # The cut itself decides, pixel by pixel: the reach only must not be short of it by rounding.
        radius = math.sqrt(cut / inverse) * 1.0001 + 1e-3 if inverse > 0.0 else math.inf
        reach[b, n] = radius
        box[b, n, 0], box[b, n, 1] = _within(low_y - radius, high_y + radius, height)
        box[b, n, 2], box[b, n, 3] = _within(low_x - radius, high_x + radius, width)


@compiled()
def _within(low, high, length):
    """Whole numbers from low to high within 0..length, the first and the last + 1."""
    if not (high >= 0.0 and low <= length - 1.0):
        return 0, 0
    return int(math.ceil(max(low, 0.0))), int(math.floor(min(high, length - 1.0))) + 1


@compiled(fastmath=CONTRACT)
def respond(response, d2, inverse, cut, ink, count):
    """Ink of ``count`` pixels from their squared distances."""
    if response == GAUSSIAN:
        for i in range(count):
            z = d2[i] * inverse
            value = _exp_minus(z)
            ink[i] = value if z < cut else ZERO
    elif response == LINEAR:
        for i in range(count):
            z = d2[i] * inverse
            value = ONE - math.sqrt(z) * _ROOT
            ink[i] = value if z < cut and value > ZERO else ZERO
    else:
        for i in range(count):
            z = d2[i] * inverse
            ink[i] = ONE if z < cut and z <= HALF else ZERO


@compiled(fastmath=SUMS)
def steepen(response, d2, inverse, ink, to_ink, count):
    """Puts -dL/dz in place of dL/dI, and gives the sum of d^2 times it."""
    total = ZERO
    if response == GAUSSIAN:
        for i in range(count):
            to_ink[i] *= ink[i]
            total += to_ink[i] * d2[i]
    elif response == LINEAR:
        for i in range(count):
            z = d2[i] * inverse
            inside = ink[i] > ZERO and z > ZERO
            slope = _HALF * _ROOT / math.sqrt(z if inside else ONE)
            to_ink[i] *= slope if inside else ZERO
            total += to_ink[i] * (d2[i] if inside else ZERO)
    else:
        for i in range(count):
            to_ink[i] = ZERO
    return total


@compiled()
def paint(compose, n, weight, cover, ink, count, places, blocks, canvas, winners, held, whose):
    """Puts the ink of stroke n on the canvas, [c pixels]; ``weight`` [c]. ``held``, ``whose``: room for a batch."""
    for channel in range(weight.shape[0]):
        plane = canvas[channel]
        for m in range(blocks):
            copy8(held, m * LANES, plane, places[m])
        if compose == MAX:
            leading = winners[channel]
            for m in range(blocks):
                copy8(whose, m * LANES, leading, places[m])
            _lift(n, weight[channel], ink, held, whose, count)
            for m in range(blocks):
                copy8(leading, places[m], whose, m * LANES)
        else:
            _mix(compose, weight[channel], cover, ink, held, count)
        for m in range(blocks):
            copy8(plane, places[m], held, m * LANES)


@compiled(fastmath=CONTRACT)
def _mix(compose, weight, cover, ink, held, count):
    if compose == SOFTOR:  # what paper is left
        for i in range(count):
            through = ONE - weight * ink[i]
            value = held[i] * (through if through > LEAST else LEAST)
            held[i] = value if value >= SMALLEST else ZERO
    elif compose == OVER:
        for i in range(count):
            value = weight * ink[i] + (ONE - cover * ink[i]) * held[i]
            held[i] = value if abs(value) >= SMALLEST else ZERO
    else:
        for i in range(count):
            held[i] += weight * ink[i]


@compiled(fastmath=CONTRACT)
def _lift(n, weight, ink, held, whose, count):
    number = np.int32(n)
    for i in range(count):
        value = weight * ink[i]
        wins = ink[i] > ZERO and value > held[i]
        held[i] = value if wins else held[i]
        whose[i] = number if wins else whose[i]


@compiled()
def poisoned(box):
    """Whether one of a sketch's strokes, [n 4], has a number that is none."""
    for n in range(box.shape[0]):
        if box[n, 0] < 0:
            return True
    return False


@compiled()
def clear(compose, canvas, winners):
    """A canvas before the first stroke."""
    paper = ONE if compose == SOFTOR else _NEVER if compose == MAX else ZERO
    for channel in range(canvas.shape[0]):
        for i in range(canvas.shape[1]):
            canvas[channel, i] = paper
        for i in range(winners.shape[1]):
            winners[channel, i] = -1


@compiled()
def show(compose, canvas, winners, stride, top, end, picture, left, winner):
    """Copies rows top..end of a sketch from its canvas to the results [c h w]."""
    for channel in range(picture.shape[0]):
        for row in range(top, end):
            place = (row - top) * stride
            for column in range(picture.shape[2]):
                value = canvas[channel, place + column]
                if compose == SOFTOR:
                    left[channel, row, column] = value
                    picture[channel, row, column] = ONE - value
                elif compose == MAX:
                    which = winners[channel, place + column]
                    winner[channel, row, column] = which
                    picture[channel, row, column] = normal(value) if which >= 0 else ZERO
                else:
                    picture[channel, row, column] = normal(value)


@compiled()
def spoil(compose, top, end, picture, left, winner):
    """NaN in rows top..end of a sketch."""
    for channel in range(picture.shape[0]):
        for row in range(top, end):
            for column in range(picture.shape[2]):
                picture[channel, row, column] = np.nan
                if compose == SOFTOR:
                    left[channel, row, column] = np.nan
                elif compose == MAX:
                    winner[channel, row, column] = -1


@compiled()
def lose(b, n, to_vertices, to_inverse, to_weight):
    """NaN in the gradients of a stroke."""
    for k in range(to_vertices.shape[2]):
        to_vertices[b, n, k, 0] = to_vertices[b, n, k, 1] = np.nan
    to_inverse[b, n] = np.nan
    for channel in range(to_weight.shape[2]):
        to_weight[b, n, channel] = np.nan


@compiled()
def widen(compose, upstream, left, winner, wide, owner, first, last):
    """Upstream gradients with margins of 0, [b c h' w'], rows first..last of all b * c * h'.

    For softor they are multiplied by what paper is left; for max, winners get margins of -1 (``owner``).
    """
    channels, height, width = upstream.shape[1], upstream.shape[2], upstream.shape[3]
    for task in range(first, last):
        plane, row = task // wide.shape[2], task % wide.shape[2]
        b, channel = plane // channels, plane % channels
        filled = width if row < height else 0
        if compose == SOFTOR:
            for column in range(filled):
                wide[b, channel, row, column] = normal(
                    upstream[b, channel, row, column] * left[b, channel, row, column]
                )
        else:
            for column in range(filled):
                wide[b, channel, row, column] = upstream[b, channel, row, column]
        for column in range(filled, wide.shape[3]):
            wide[b, channel, row, column] = ZERO
        if compose == MAX:
            for column in range(filled):
                owner[b, channel, row, column] = winner[b, channel, row, column]
            for column in range(filled, wide.shape[3]):
                owner[b, channel, row, column] = -1


@compiled()
def share(compose, n, weight, ink, count, places, blocks, wide, owner, got, whose, to_ink, to_weight):
    """Fills ``to_ink`` with dL/dI of stroke n and adds to ``to_weight`` [c]; ``wide`` and ``owner`` [c pixels].

    ``got``, ``whose``: room for a batch. Pixels of the batch past its blocks get 0.
    """
    for i in range(blocks * LANES, count):
        got[i] = ZERO
    for channel in range(weight.shape[0]):
        plane = wide[channel]
        for m in range(blocks):
            copy8(got, m * LANES, plane, places[m])
        if compose == MAX:
            owners = owner[channel]
            for m in range(blocks):
                copy8(whose, m * LANES, owners, places[m])
            for i in range(count):
                got[i] = got[i] if whose[i] == n else ZERO
        to_weight[channel] += _share(compose == SOFTOR, weight[channel], ink, got, to_ink, count, channel > 0)


@compiled(fastmath=SUMS)
def _share(softor, weight, ink, got, to_ink, count, adds):
    total = ZERO
    if softor:
        for i in range(count):
            through = ONE - weight * ink[i]
            got[i] /= through if through > LEAST else LEAST
    if adds:
        for i in range(count):
            to_ink[i] += weight * got[i]
            total += got[i] * ink[i]
    else:
        for i in range(count):
            to_ink[i] = weight * got[i]
            total += got[i] * ink[i]
    return total
