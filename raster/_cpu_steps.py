"""Where a curve has its vertices, so that few do: a kernel (numba), written as C would be."""

import math

import numpy as np

from raster._cpu_lanes import CONTRACT, compiled

QUARTERS = 4  # parts of a curve, each of equal steps
_TOUCH = 1e-12  # as good as no length, pixels squared


@compiled(fastmath=CONTRACT, inline="always")
def _across2(x, y, way_x, way_y):
    """Squared length of the part of a vector that is square to a way; all of it where the way has no length."""
    cross = x * way_y - y * way_x
    way2 = way_x * way_x + way_y * way_y
    return cross * cross / way2 if way2 > _TOUCH else x * x + y * y


@compiled(fastmath=CONTRACT)
def _stray(curve, begin, step, count):
    """A bound of how far any of ``count`` chords of a curve is from it, the first from ``begin`` on.

    A chord strays by at most max |A| h^2 / 8 for a step h of the parameter, A being the part of the second derivative
    that is square to the chord. It is largest at an end of the step, since the second derivative lies on a line between
    them. Where the curve may turn back, and so leave the chord beyond its end, all of the second derivative counts.
    """
    ax, bx, cx, ay, by, cy = curve
    worst2 = x = y = vx = vy = sx = sy = 0.0
    for i in range(count + 1):
        t = begin + i * step
        last_x, last_y, last_vx, last_vy, last_sx, last_sy = x, y, vx, vy, sx, sy
        x, y = ((ax * t + bx) * t + cx) * t, ((ay * t + by) * t + cy) * t
        vx, vy = (3.0 * ax * t + 2.0 * bx) * t + cx, (3.0 * ay * t + 2.0 * by) * t + cy
        sx, sy = 6.0 * ax * t + 2.0 * bx, 6.0 * ay * t + 2.0 * by
        if i == 0:
            continue
        to_x, to_y = x - last_x, y - last_y
        turns = abs(ax * to_x + ay * to_y) * 0.75 * step * step
        if last_vx * to_x + last_vy * to_y < turns or vx * to_x + vy * to_y < turns:
            worst2 = max(worst2, sx * sx + sy * sy, last_sx * last_sx + last_sy * last_sy)
        else:
            worst2 = max(worst2, _across2(sx, sy, to_x, to_y), _across2(last_sx, last_sy, to_x, to_y))
    return math.sqrt(worst2) * step * step / 8.0


@compiled(makes_arrays=True)
def place(control, allowed, equal, counts, steps, first, last):
    """For curves first..last of ``control`` [n c 2], of degree 2 or 3 and in pixels: ``counts`` [n] of pieces, and
    ``steps`` [n v], the parameters of their ends, from 0 to 1 and then 1 again.

    Each quarter of the parameter has equal steps, as few as keep every chord within ``allowed`` [n]; ``equal`` [n], a
    multiple of 4, are enough for all of the curve, and what is no number has so many. The steps do not move with the
    curve but where a number of them changes, so that the gradient of what is drawn is that of its vertices alone.
    """
    mine = np.empty(QUARTERS, np.int64)
    for n in range(first, last):
        degree = control.shape[1] - 1
        x0, x1, x2 = control[n, 0, 0], control[n, 1, 0], control[n, 2, 0]
        y0, y1, y2 = control[n, 0, 1], control[n, 1, 1], control[n, 2, 1]
        # a t^3 + b t^2 + c t; where the curve begins does not matter
        cx, cy = degree * (x1 - x0), degree * (y1 - y0)
        bx, by, ax, ay = x0 - 2.0 * x1 + x2, y0 - 2.0 * y1 + y2, 0.0, 0.0
        if degree == 3:
            ax, ay = control[n, 3, 0] - 3.0 * (x2 - x1) - x0, control[n, 3, 1] - 3.0 * (y2 - y1) - y0
            bx, by = 3.0 * bx, 3.0 * by
        curve = ax, bx, cx, ay, by, cy
        total, most = 0, equal[n] // QUARTERS
        for quarter in range(QUARTERS):
            count = 1
            while count < most:
                step = 1.0 / (QUARTERS * count)
                times = _stray(curve, quarter / QUARTERS, step, count) / allowed[n]
                if times <= 1.0:
                    break
                # With the square of the steps, or nearly: not past the least number that will do.
                more = count * math.sqrt(times) * 0.9
                count = min(most, max(count + 1, int(more))) if more < most else most
            mine[quarter] = count
            total += count
        counts[n] = total
        i = 0
        for quarter in range(QUARTERS):
            for part in range(mine[quarter]):
                steps[n, i] = (quarter + part / mine[quarter]) / QUARTERS
                i += 1
        for k in range(i, steps.shape[1]):
            steps[n, k] = 1.0
