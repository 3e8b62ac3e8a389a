"""The GPU engine's kernels (Triton): no atomics, so that the same input gives the same bits.

A program works on a square tile of the canvas at a time, its pixels in one flat block [P], channels beside them
[CP, P] (CP: the power of two from C on). Strokes are skipped by scalar tests, of their box and then, segment for
segment, of the distance of the tile's middle: a segment that is skipped is out of reach for every pixel of the tile,
so nothing is lost. Formulas are in ``raster.reference`` and in each kernel's head; ``e`` is a pixel less its nearest
point. It is kept as (beyond an end, across the line): the part along the line is then 0 and not the rounding error of
a difference, which is the same for all pixels of a line and would add up.

What a stroke is, is computed once (``prepare``): ``lines`` [b n s LINE], each segment's first end, direction, length,
1 / length; ``boxes`` [b n BOX], left, right, top, bottom and reach in pixels, grown by what float32 may err. A stroke
with a NaN or an infinity has a box of NaN: no tile touches it, and adding 0 * left poisons whoever adds it.

Integers are not specialised on, so that a new canvas or number of strokes compiles nothing.
"""
# mypy: disable-error-code="import-untyped, import-not-found, no-untyped-def"

import triton
import triton.language as tl

LEAST = tl.constexpr(2.0**-24)  # these are as in raster.reference
POINT = tl.constexpr(1e-6)
FAR = tl.constexpr(1e30)
TENT = tl.constexpr(2.772588722239781)
HALF = tl.constexpr(0.6931471805599453)
LINE = tl.constexpr(6)
BOX = tl.constexpr(5)

SHAPES = ["strokes", "segments", "corners", "height", "width", "total", "parts", "cut"]


@triton.jit(do_not_specialize=SHAPES)
def prepare(
    vertices, inverse, weight, cover, lines, boxes, corners, segments, cut,
    WEIGHTED: tl.constexpr, COVERED: tl.constexpr, C: tl.constexpr, CP: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Fills ``lines`` and ``boxes``; a program has one stroke."""
    stroke = tl.program_id(0).to(tl.int64)
    q = tl.load(inverse + stroke)
    poison = 0 * q
    if WEIGHTED:
        channel = tl.arange(0, CP)
        poison += tl.sum(0 * tl.load(weight + stroke * C + channel, mask=channel < C, other=0.0), 0)
    if COVERED:
        poison += 0 * tl.load(cover + stroke)
    left, right, top, bottom = FAR, -FAR, FAR, -FAR
    for first in range(0, segments, BLOCK):
        s = first + tl.arange(0, BLOCK)
        inside = s < segments
        a = vertices + (stroke * corners + s) * 2
        b = vertices + (stroke * corners + tl.minimum(s + 1, corners - 1)) * 2
        ax, ay = tl.load(a, mask=inside, other=0.0), tl.load(a + 1, mask=inside, other=0.0)
        bx, by = tl.load(b, mask=inside, other=0.0), tl.load(b + 1, mask=inside, other=0.0)
        poison += tl.sum(0 * ax + 0 * ay + 0 * bx + 0 * by, 0)
        dx, dy = bx - ax, by - ay
        scale = tl.maximum(tl.abs(dx), tl.abs(dy))
        point = scale <= POINT
        scale = tl.where(point, 1.0, scale)
        dx, dy = tl.where(point, 1.0, dx / scale), tl.where(point, 0.0, dy / scale)
        stretch = tl.sqrt(dx * dx + dy * dy)
        length = scale * stretch
        line = lines + (stroke * segments + s) * LINE
        tl.store(line, ax, mask=inside)
        tl.store(line + 1, ay, mask=inside)
        tl.store(line + 2, dx / stretch, mask=inside)
        tl.store(line + 3, dy / stretch, mask=inside)
        tl.store(line + 4, tl.where(point, 0.0, length), mask=inside)
        tl.store(line + 5, tl.where(point, 0.0, 1 / length), mask=inside)
        left = tl.minimum(left, tl.min(tl.where(inside, tl.minimum(ax, bx), FAR), 0))
        right = tl.maximum(right, tl.max(tl.where(inside, tl.maximum(ax, bx), -FAR), 0))
        top = tl.minimum(top, tl.min(tl.where(inside, tl.minimum(ay, by), FAR), 0))
        bottom = tl.maximum(bottom, tl.max(tl.where(inside, tl.maximum(ay, by), -FAR), 0))
    extent = tl.maximum(tl.maximum(tl.abs(left), tl.abs(right)), tl.maximum(tl.abs(top), tl.abs(bottom)))
    # Held below infinity: poison must come from bad numbers alone.
    reach = tl.minimum(1.001 * tl.sqrt(cut / q) + 0.01 + 1e-6 * extent, FAR)
    box = boxes + stroke * BOX
    tl.store(box, left - reach + poison)
    tl.store(box + 1, right + reach + poison)
    tl.store(box + 2, top - reach + poison)
    tl.store(box + 3, bottom + reach + poison)
    tl.store(box + 4, reach + poison)


@triton.jit
def _line(line):
    return tl.load(line), tl.load(line + 1), tl.load(line + 2), tl.load(line + 3), tl.load(line + 4)


@triton.jit
def _off(px, py, ax, ay, ux, uy, length):
    """How far places lie beyond the ends of a segment, how far across it, and where along it their nearest point is."""
    rx, ry = px - ax, py - ay
    along = rx * ux + ry * uy
    held = tl.minimum(tl.maximum(along, 0.0), length)
    return along - held, ry * ux - rx * uy, held


@triton.jit
def _near(first_x, first_y, reach, ax, ay, ux, uy, length, TILE: tl.constexpr):
    """Whether a segment is felt in a tile: a scalar test, from the tile's middle, that may say yes too often."""
    beyond, across, _ = _off(first_x + 0.5 * (TILE - 1), first_y + 0.5 * (TILE - 1), ax, ay, ux, uy, length)
    reach += 0.7072 * (TILE - 1)  # from the middle to a corner
    return beyond * beyond + across * across <= reach * reach


@triton.jit
def _nearest(lines, boxes, stroke, segments, px, py, first_x, first_y, TILE: tl.constexpr):
    """A stroke in a tile: squared distance [P] to the nearest segment, which that is (the first of a tie), if felt."""
    d2 = tl.zeros_like(px) + FAR
    winner = tl.zeros_like(px).to(tl.int32) - 1
    felt = 0
    box = boxes + stroke * BOX
    beside = (tl.load(box) <= first_x + TILE - 1) & (tl.load(box + 1) >= first_x)
    if beside & (tl.load(box + 2) <= first_y + TILE - 1) & (tl.load(box + 3) >= first_y):
        reach = tl.load(box + 4)
        for s in range(segments):
            ax, ay, ux, uy, length = _line(lines + (stroke * segments + s) * LINE)
            if _near(first_x, first_y, reach, ax, ay, ux, uy, length, TILE):
                beyond, across, _ = _off(px, py, ax, ay, ux, uy, length)
                square = beyond * beyond + across * across
                winner = tl.where(square < d2, s, winner)
                d2 = tl.minimum(square, d2)
                felt = 1
    return d2, winner, felt


@triton.jit
def _ink(d2, q, cut, RESPONSE: tl.constexpr):
    z = d2 * q
    if RESPONSE == "gaussian":
        ink = tl.exp(-z)
    elif RESPONSE == "linear":
        ink = tl.maximum(1 - tl.sqrt(z / TENT), 0.0)
    else:
        ink = tl.where(z <= HALF, 1.0, 0.0)
    return tl.where(z < cut, ink, 0.0)


@triton.jit
def _slope(d2, q, ink, RESPONSE: tl.constexpr):
    """dI/dz. Where a stroke is not felt its ink is 0, and so is this."""
    slope = -ink
    if RESPONSE != "gaussian":
        z = d2 * q
        felt = (ink > 0) & (z > 0)
        slope = tl.where(felt, -0.5 / tl.sqrt(tl.where(felt, z, 1.0) * TENT), 0.0)
    return slope


@triton.jit
def _weight(weight, stroke, WEIGHTED: tl.constexpr, C: tl.constexpr, CP: tl.constexpr):
    """A stroke's weights [CP, 1], 0 in channels that are none."""
    channel = tl.arange(0, CP)
    w = tl.full([CP], 1.0, tl.float32)
    if WEIGHTED:
        w = tl.load(weight + stroke * C + channel, mask=channel < C, other=0.0)
    return w[:, None]


@triton.jit
def _pixels(first_x, first_y, height, width, C: tl.constexpr, CP: tl.constexpr, TILE: tl.constexpr):
    """A tile's pixels: column and row as floats [P], place in a sketch's picture and whether it is one [CP, P]."""
    pixel = tl.arange(0, TILE * TILE)
    column, row = first_x + pixel % TILE, first_y + pixel // TILE
    channel = tl.arange(0, CP)
    plane = height.to(tl.int64) * width
    place = channel.to(tl.int64)[:, None] * plane + (row.to(tl.int64) * width + column)[None, :]
    inside = (channel < C)[:, None] & ((column < width) & (row < height))[None, :]
    return column.to(tl.float32), row.to(tl.float32), place, inside


@triton.jit(do_not_specialize=SHAPES)
def forward(
    lines, boxes, inverse, weight, cover, picture, kept, strokes, segments, height, width, cut,
    COMPOSE: tl.constexpr, RESPONSE: tl.constexpr, WEIGHTED: tl.constexpr, C: tl.constexpr, CP: tl.constexpr,
    TILE: tl.constexpr,
):  # fmt: skip
    """Fills ``picture`` and ``kept``; a program has one tile of one sketch."""
    across = tl.cdiv(width, TILE)
    tiles = across * tl.cdiv(height, TILE)
    sketch = (tl.program_id(0) // tiles).to(tl.int64)
    tile = tl.program_id(0) % tiles
    first_x, first_y = tile % across * TILE, tile // across * TILE
    px, py, place, inside = _pixels(first_x, first_y, height, width, C, CP, TILE)
    drawn = tl.full([CP, TILE * TILE], 1.0 if COMPOSE == "softor" else 0.0, tl.float32)
    number = tl.full([CP, TILE * TILE], -1, tl.int32)
    poison = 0.0
    for n in range(strokes):
        stroke = sketch * strokes + n
        poison += 0 * tl.load(boxes + stroke * BOX)
        d2, _, felt = _nearest(lines, boxes, stroke, segments, px, py, first_x, first_y, TILE)
        if felt:
            ink = _ink(d2, tl.load(inverse + stroke), cut, RESPONSE)
            each = _weight(weight, stroke, WEIGHTED, C, CP) * ink[None, :]
            if COMPOSE == "softor":
                drawn *= tl.maximum(1 - each, LEAST)
            elif COMPOSE == "over":
                drawn = each + (1 - tl.load(cover + stroke) * ink)[None, :] * drawn
            elif COMPOSE == "max":
                wins = (ink[None, :] > 0) & ((each > drawn) | (number < 0))
                drawn = tl.where(wins, each, drawn)
                number = tl.where(wins, n, number)
            else:
                drawn += each
    base = sketch * C * height * width
    drawn += poison
    if COMPOSE == "softor":
        tl.store(kept + base + place, drawn, mask=inside)
        drawn = 1 - drawn
    if COMPOSE == "max":
        tl.store(kept + base + place, number, mask=inside)
    tl.store(picture + base + place, drawn, mask=inside)


@triton.jit
def _pull(lines, first, last, winner, pull, px, py, first_x, first_y, reach, S: tl.constexpr, TILE: tl.constexpr):
    """Sums of pull * e over the pixels of segments first..last: beyond, across, and the same times t, each [S]."""
    zero = tl.zeros([S], tl.float32)
    u, v, ut, vt = zero, zero, zero, zero
    for s in range(first, last):
        ax, ay, ux, uy, length = _line(lines + s * LINE)
        if _near(first_x, first_y, reach, ax, ay, ux, uy, length, TILE):
            beyond, across, held = _off(px, py, ax, ay, ux, uy, length)
            own = tl.where(winner == s, pull, 0.0)
            own_t = own * (held * tl.load(lines + s * LINE + 5))
            here = tl.arange(0, S) == s - first
            u += tl.where(here, tl.sum(own * beyond, 0), 0.0)
            v += tl.where(here, tl.sum(own * across, 0), 0.0)
            ut += tl.where(here, tl.sum(own_t * beyond, 0), 0.0)
            vt += tl.where(here, tl.sum(own_t * across, 0), 0.0)
    return u, v, ut, vt


@triton.jit
def _keep(pointer, value, mask, ADD: tl.constexpr):
    if ADD:
        value += tl.load(pointer, mask=mask, other=0.0)
    tl.store(pointer, value, mask=mask)


@triton.jit
def _keep_ends(ends, lines, s, inside, u, v, ut, vt, factor, ADD: tl.constexpr):
    """From sums along and across segments to the gradients of their ends: ax, ay, bx, by."""
    ux = tl.load(lines + s * LINE + 2, mask=inside, other=0.0)
    uy = tl.load(lines + s * LINE + 3, mask=inside, other=0.0)
    u, v = u - ut, v - vt
    _keep(ends + s * 4, factor * (u * ux - v * uy), inside, ADD)
    _keep(ends + s * 4 + 1, factor * (u * uy + v * ux), inside, ADD)
    _keep(ends + s * 4 + 2, factor * (ut * ux - vt * uy), inside, ADD)
    _keep(ends + s * 4 + 3, factor * (ut * uy + vt * ux), inside, ADD)


@triton.jit
def _span(low, high, length, TILE: tl.constexpr):
    """The first tile that a stroke meets along an axis, and how many (clamped as floats: 1e30 is no int)."""
    end = length.to(tl.float32)
    low, high = tl.where(low == low, low, end), tl.where(high == high, high, -1.0)  # NaN: none
    first = tl.minimum(tl.maximum(low, 0.0), end).to(tl.int32) // TILE
    last = tl.minimum(tl.maximum(high, -1.0), end - 1)
    return first, tl.where(last < 0, 0, tl.maximum(last.to(tl.int32) // TILE - first + 1, 0))


@triton.jit(do_not_specialize=SHAPES)
def backward(
    upstream, kept, lines, boxes, inverse, weight, to_ends, to_inverse, to_weight,
    strokes, total, segments, height, width, parts, cut,
    COMPOSE: tl.constexpr, RESPONSE: tl.constexpr, WEIGHTED: tl.constexpr, C: tl.constexpr, CP: tl.constexpr,
    S: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Gradients of softor, max and sum; a program has one stroke, S of its segments, and each parts-th of its tiles.

    ``to_ends`` [parts b n s 4], ``to_inverse`` [parts b n], ``to_weight`` [parts b n c] are summed by the host.
    """
    stroke = tl.program_id(0).to(tl.int64)
    first, part = tl.program_id(1) * S, tl.program_id(2)
    sketch, number = stroke // strokes, (stroke % strokes).to(tl.int32)
    q = tl.load(inverse + stroke)
    w = _weight(weight, stroke, WEIGHTED, C, CP)
    own, box = lines + stroke * segments * LINE, boxes + stroke * BOX
    left, reach = tl.load(box), tl.load(box + 4)
    tile_x, columns = _span(left, tl.load(box + 1), width, TILE)
    tile_y, rows = _span(tl.load(box + 2), tl.load(box + 3), height, TILE)
    base = sketch * C * height * width
    spread = tl.zeros([TILE * TILE], tl.float32)
    to_w = tl.zeros([CP, TILE * TILE], tl.float32)
    # A stroke of one segment is summed pixel by pixel, to the end; one of several segment by segment, tile by tile.
    SUMS: tl.constexpr = TILE * TILE if S == 1 else S
    zero = tl.zeros([SUMS], tl.float32)
    u, v, ut, vt = zero, zero, zero, zero
    for tile in range(part, columns * rows, parts):
        first_x, first_y = (tile_x + tile % columns) * TILE, (tile_y + tile // columns) * TILE
        px, py, place, inside = _pixels(first_x, first_y, height, width, C, CP, TILE)
        d2, winner, felt = _nearest(lines, boxes, stroke, segments, px, py, first_x, first_y, TILE)
        if felt:
            ink = _ink(d2, q, cut, RESPONSE)
            g = tl.load(upstream + base + place, mask=inside, other=0.0)
            if COMPOSE == "softor":
                g = g * tl.load(kept + base + place, mask=inside, other=0.0)
                g = g / tl.maximum(1 - w * ink[None, :], LEAST)
            elif COMPOSE == "max":
                g = tl.where(tl.load(kept + base + place, mask=inside, other=-1) == number, g, 0.0)
            if WEIGHTED:
                to_w += g * ink[None, :]
            if RESPONSE != "hard":
                pull = tl.sum(g * w, 0) * _slope(d2, q, ink, RESPONSE)
                spread += pull * d2
                if S == 1:
                    ax, ay, ux, uy, length = _line(own)
                    beyond, across, held = _off(px, py, ax, ay, ux, uy, length)
                    du, dv = pull * beyond, pull * across
                    t = held * tl.load(own + 5)
                    dut, dvt = du * t, dv * t
                else:
                    last = tl.minimum(first + S, segments)
                    du, dv, dut, dvt = _pull(own, first, last, winner, pull, px, py, first_x, first_y, reach, S, TILE)
                u += du
                v += dv
                ut += dut
                vt += dvt
    s = first + tl.arange(0, S)
    if S == 1:
        u, v, ut, vt = tl.sum(u, 0), tl.sum(v, 0), tl.sum(ut, 0), tl.sum(vt, 0)
    stroke += part.to(tl.int64) * total
    poison = 0 * left
    _keep_ends(to_ends + stroke * segments * 4, own, s, s < segments, u, v, ut, vt, -2 * q + poison, False)
    if first == 0:
        tl.store(to_inverse + stroke, tl.sum(spread, 0) + poison)
        if WEIGHTED:
            channel = tl.arange(0, CP)
            tl.store(to_weight + stroke * C + channel, tl.sum(to_w, 1) + poison, mask=channel < C)


@triton.jit
def _plus(high, low, value):
    """A sum in two floats: what ``high`` rounds away is kept in ``low``."""
    total = high + value
    part = total - high
    return total, low + ((high - (total - part)) + (value - part))


@triton.jit(do_not_specialize=SHAPES)
def backward_over(
    upstream, lines, boxes, inverse, weight, cover, to_ends, to_inverse, to_weight, to_cover,
    strokes, total, segments, height, width, parts, cut,
    RESPONSE: tl.constexpr, WEIGHTED: tl.constexpr, C: tl.constexpr, CP: tl.constexpr, S: tl.constexpr,
    TILE: tl.constexpr,
):  # fmt: skip
    """Gradients of over; a program has each parts-th tile of one sketch, and its own sums [parts ...], zero at first.

    A stroke's gradient needs what is behind it and how much of it the strokes in front let through. Through the
    strokes from the back one needs a quotient for the latter, which opaque strokes make 0 / 0. So their logarithms
    are added up, and taken away again on the way to the front, in two floats and by the same arithmetic (the host
    forbids fused operations here, which might differ from place to place): what is left is exact to float32.
    """
    sketch = (tl.program_id(0) // parts).to(tl.int64)
    part = tl.program_id(0) % parts
    sums = part.to(tl.int64) * total
    across = tl.cdiv(width, TILE)
    base = sketch * C * height * width
    channel = tl.arange(0, CP)
    for tile in range(part, across * tl.cdiv(height, TILE), parts):
        first_x, first_y = tile % across * TILE, tile // across * TILE
        px, py, place, inside = _pixels(first_x, first_y, height, width, C, CP, TILE)
        g = tl.load(upstream + base + place, mask=inside, other=0.0)
        zero = tl.zeros([TILE * TILE], tl.float32)
        high, low = zero, zero
        for n in range(strokes):
            stroke = sketch * strokes + n
            d2, _, felt = _nearest(lines, boxes, stroke, segments, px, py, first_x, first_y, TILE)
            if felt:
                ink = _ink(d2, tl.load(inverse + stroke), cut, RESPONSE)
                high, low = _plus(high, low, tl.log(tl.maximum(1 - tl.load(cover + stroke) * ink, LEAST)))
        behind = tl.zeros([CP, TILE * TILE], tl.float32)
        for n in range(strokes):
            stroke = sketch * strokes + n
            d2, winner, felt = _nearest(lines, boxes, stroke, segments, px, py, first_x, first_y, TILE)
            if felt:
                q, covers = tl.load(inverse + stroke), tl.load(cover + stroke)
                w = _weight(weight, stroke, WEIGHTED, C, CP)
                ink = _ink(d2, q, cut, RESPONSE)
                high, low = _plus(high, low, -tl.log(tl.maximum(1 - covers * ink, LEAST)))
                front = tl.exp(high + low)
                own = sums + stroke
                if WEIGHTED:
                    to_w = tl.sum(g * (front * ink)[None, :], 1)
                    _keep(to_weight + own * C + channel, to_w, channel < C, True)
                hidden = tl.sum(g * behind, 0)
                _keep(to_cover + own, -tl.sum(front * ink * hidden, 0), True, True)
                if RESPONSE != "hard":
                    pull = front * (tl.sum(g * w, 0) - covers * hidden) * _slope(d2, q, ink, RESPONSE)
                    _keep(to_inverse + own, tl.sum(pull * d2, 0), True, True)
                    line, reach = lines + stroke * segments * LINE, tl.load(boxes + stroke * BOX + 4)
                    for first in range(0, segments, S):
                        last = tl.minimum(first + S, segments)
                        u, v, ut, vt = _pull(line, first, last, winner, pull, px, py, first_x, first_y, reach, S, TILE)
                        s = first + tl.arange(0, S)
                        ends = to_ends + own * segments * 4
                        _keep_ends(ends, line, s, s < segments, u, v, ut, vt, -2 * q, True)
                behind = w * ink[None, :] + (1 - covers * ink)[None, :] * behind
        tl.debug_barrier()  # the next tile adds to what this one stored
