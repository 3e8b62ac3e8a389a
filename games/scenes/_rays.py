"""The ray caster's kernels (numba)."""

import math

import numpy as np

from raster.compiling import kernel

SPHERE, CUBE, CYLINDER = 0.0, 1.0, 2.0  # as in the vocabulary
METAL = 1.0
FAR = 1e30
CLOSE = 1e-6
#: Of the key, fill and back lamp: how bright, and how large (for soft shadows).
POWER = np.array([0.62, 0.26, 0.34])
WIDE = np.array([0.45, 0.6, 0.6])
AMBIENT = 0.16
PAPER = 0.36  # the ground's light
SKY_LOW, SKY_HIGH = 0.42, 0.75


def _compiled(**options):
    return kernel(error_model="numpy", fastmath={"contract", "nsz", "arcp"}, **options)


@_compiled(inline="always")
def _misses(thing, ox, oy, oz, dx, dy, dz, reach):
    """Whether a ray passes by the ball around an object, or ends before it."""
    x, y, z = thing[0] - ox, thing[1] - oy, thing[2] - oz
    ball = thing[8]
    along = x * dx + y * dy + z * dz
    off2 = x * x + y * y + z * z - along * along
    return off2 > ball * ball or along + ball < 0.0 or along - ball > reach


@_compiled()
def _meet(thing, ox, oy, oz, dx, dy, dz):
    """Where a ray (of unit direction) first meets an object from outside: distance (FAR: nowhere), normal."""
    r = thing[3]
    x, y, z = ox - thing[0], oy - thing[1], oz - thing[2]
    if thing[4] == SPHERE:
        b = x * dx + y * dy + z * dz
        c = x * x + y * y + z * z - r * r
        inside = b * b - c
        if inside <= 0.0:
            return FAR, 0.0, 0.0, 0.0
        t = -b - math.sqrt(inside)
        if t < CLOSE:
            return FAR, 0.0, 0.0, 0.0
        return t, (x + t * dx) / r, (y + t * dy) / r, (z + t * dz) / r
    cos, sin = thing[5], thing[6]
    px, py = x * cos + y * sin, y * cos - x * sin  # in the object's own axes
    qx, qy = dx * cos + dy * sin, dy * cos - dx * sin
    if thing[4] == CUBE:
        enter, leave, face = -FAR, FAR, 0
        for axis in range(3):
            p = px if axis == 0 else py if axis == 1 else z
            q = qx if axis == 0 else qy if axis == 1 else dz
            if abs(q) < 1e-12:
                if abs(p) > r:
                    return FAR, 0.0, 0.0, 0.0
                continue
            near, far = (-r - p) / q, (r - p) / q
            if near > far:
                near, far = far, near
            if near > enter:
                enter, face = near, axis
            leave = min(leave, far)
        if enter > leave or enter < CLOSE:
            return FAR, 0.0, 0.0, 0.0
        if face == 2:
            return enter, 0.0, 0.0, -1.0 if dz > 0.0 else 1.0
        nx = (-1.0 if qx > 0.0 else 1.0) if face == 0 else 0.0
        ny = (-1.0 if qy > 0.0 else 1.0) if face == 1 else 0.0
        return enter, nx * cos - ny * sin, nx * sin + ny * cos, 0.0
    found, nx, ny, nz = FAR, 0.0, 0.0, 0.0
    a = qx * qx + qy * qy
    if a > 1e-12:
        b = px * qx + py * qy
        inside = b * b - a * (px * px + py * py - r * r)
        if inside > 0.0:
            t = (-b - math.sqrt(inside)) / a
            if t >= CLOSE and abs(z + t * dz) <= r:
                found, nx, ny = t, (px + t * qx) / r, (py + t * qy) / r
    if abs(dz) > 1e-12:
        t = ((-r if dz > 0.0 else r) - z) / dz
        ex, ey = px + t * qx, py + t * qy
        if CLOSE <= t < found and ex * ex + ey * ey <= r * r:
            found, nx, ny, nz = t, 0.0, 0.0, -1.0 if dz > 0.0 else 1.0
    return found, nx * cos - ny * sin, nx * sin + ny * cos, nz


@_compiled()
def _shaded(things, x, y, z, lx, ly, lz, reach):
    """Whether anything stands between a point and a lamp that is `reach` away."""
    for n in range(things.shape[0]):
        if not _misses(things[n], x, y, z, lx, ly, lz, reach):
            t = _meet(things[n], x, y, z, lx, ly, lz)[0]
            if t < reach:
                return True
    return False


@_compiled()
def _light(things, lamps, x, y, z, nx, ny, nz, vx, vy, vz, shine, shadows):
    """Diffuse and mirrored light at a point whose normal is n, seen from v.

    `shine` is how sharp highlights are; with 0 there are none.
    """
    diffuse, glint = AMBIENT * (0.75 + 0.25 * nz), 0.0
    for lamp in range(3):
        lx, ly, lz = lamps[lamp, 0] - x, lamps[lamp, 1] - y, lamps[lamp, 2] - z
        reach = math.sqrt(lx * lx + ly * ly + lz * lz)
        lx, ly, lz = lx / reach, ly / reach, lz / reach
        facing = nx * lx + ny * ly + nz * lz
        if facing <= 0.0:
            continue
        if shadows and _shaded(things, x, y, z, lx, ly, lz, reach):
            continue
        strong = POWER[lamp]
        diffuse += strong * facing
        if shine == 0.0:
            continue
        hx, hy, hz = lx + vx, ly + vy, lz + vz
        half = math.sqrt(hx * hx + hy * hy + hz * hz)
        if half > CLOSE:
            cosine = (nx * hx + ny * hy + nz * hz) / half
            if cosine > 0.0:
                glint += strong * cosine**shine
    return diffuse, glint


@_compiled()
def _nearest(things, ox, oy, oz, dx, dy, dz):
    """The object that a ray meets first (-1: none), how far, and the normal there."""
    best, found, nx, ny, nz = FAR, -1, 0.0, 0.0, 0.0
    for n in range(things.shape[0]):
        if not _misses(things[n], ox, oy, oz, dx, dy, dz, best):
            t, ax, ay, az = _meet(things[n], ox, oy, oz, dx, dy, dz)
            if t < best:
                best, found, nx, ny, nz = t, n, ax, ay, az
    return found, best, nx, ny, nz


@_compiled()
def _around(things, colours, lamps, x, y, z, dx, dy, dz, into):
    """What metal mirrors: the nearest object, plainly lit; the ground; or a sky that is brighter above."""
    found, far, nx, ny, nz = _nearest(things, x, y, z, dx, dy, dz)
    if found >= 0:
        hx, hy, hz = x + far * dx, y + far * dy, z + far * dz
        diffuse = _light(things, lamps, hx, hy, hz, nx, ny, nz, -dx, -dy, -dz, 0.0, False)[0]
        for channel in range(3):
            into[channel] = colours[found, channel] * diffuse
    elif dz < -CLOSE:
        far = -z / dz
        hx, hy = x + far * dx, y + far * dy
        diffuse = _light(things, lamps, hx, hy, 1e-4, 0.0, 0.0, 1.0, -dx, -dy, -dz, 0.0, True)[0]
        fade = 1.0 / (1.0 + 0.02 * far * far)
        for channel in range(3):
            into[channel] = PAPER * diffuse * fade + SKY_LOW * (1.0 - fade) * 0.6
    else:
        height = math.sqrt(max(dz, 0.0))
        for channel in range(3):
            into[channel] = SKY_LOW + (SKY_HIGH - SKY_LOW) * height


@_compiled()
def cast(things, boxes, colours, eye, axes, focal_x, focal_y, lamps, samples, pixels, owner, first, any_):
    """Fills ``pixels`` [h w 3] and ``owner`` [h w]; counts the rays that meet an object first and at all, [n].

    ``things`` [n 9]: centre, radius, shape, cosine and sine of its turn, material, radius of the ball around it.
    ``boxes`` [n 4]: first and last row and column of pixels where it may be seen. ``colours`` [n 3], linear.
    """
    height, width, count = owner.shape[0], owner.shape[1], things.shape[0]
    light, mirrored = np.zeros(3), np.zeros(3)
    votes = np.zeros(count + 1, np.int64)
    # Each ray of a pixel sees its lamps elsewhere on their surfaces: together they make shadows soft.
    spread = np.empty((samples * samples, 3, 3))
    for sample in range(samples * samples):
        for lamp in range(3):
            turn = 2.399963 * (sample + 0.5 * lamp)
            off = WIDE[lamp] * math.sqrt((sample + 0.5) / (samples * samples)) if samples > 1 else 0.0
            spread[sample, lamp, 0] = lamps[lamp, 0] + off * math.cos(turn)
            spread[sample, lamp, 1] = lamps[lamp, 1] + off * math.sin(turn)
            spread[sample, lamp, 2] = lamps[lamp, 2]
    circles = np.zeros((samples * samples, 3, count, 3))
    for sample in range(samples * samples):
        _shadows(things, spread[sample], circles[sample])
    for row in range(height):
        for column in range(width):
            light[:] = 0.0
            votes[:] = 0
            for sample in range(samples * samples):
                i, j = sample // samples, sample % samples
                u = ((column + (j + 0.5) / samples) / width - 0.5) / focal_x
                v = (0.5 - (row + (i + 0.5) / samples) / height) / focal_y
                dx = u * axes[0, 0] + v * axes[1, 0] - axes[2, 0]
                dy = u * axes[0, 1] + v * axes[1, 1] - axes[2, 1]
                dz = u * axes[0, 2] + v * axes[1, 2] - axes[2, 2]
                length = math.sqrt(dx * dx + dy * dy + dz * dz)
                dx, dy, dz = dx / length, dy / length, dz / length
                placed = spread[sample]
                best, found, nx, ny, nz = FAR, -1, 0.0, 0.0, 0.0
                for n in range(count):
                    if row < boxes[n, 0] or row > boxes[n, 1] or column < boxes[n, 2] or column > boxes[n, 3]:
                        continue
                    if not _misses(things[n], eye[0], eye[1], eye[2], dx, dy, dz, FAR):
                        t, ax, ay, az = _meet(things[n], eye[0], eye[1], eye[2], dx, dy, dz)
                        if t < FAR:
                            any_[n] += 1
                        if t < best:
                            best, found, nx, ny, nz = t, n, ax, ay, az
                votes[found + 1] += 1
                if found < 0:
                    _ground(things, placed, circles[sample], eye, dx, dy, dz, light)
                    continue
                first[found] += 1
                x, y, z = eye[0] + best * dx, eye[1] + best * dy, eye[2] + best * dz
                x, y, z = x + 1e-4 * nx, y + 1e-4 * ny, z + 1e-4 * nz
                metal = things[found, 7] == METAL
                shine = 120.0 if metal else 12.0
                diffuse, glint = _light(things, placed, x, y, z, nx, ny, nz, -dx, -dy, -dz, shine, True)
                if metal:
                    facing = -(nx * dx + ny * dy + nz * dz)
                    back = 2.0 * facing
                    _around(
                        *(things, colours, placed, x, y, z),
                        *(dx + back * nx, dy + back * ny, dz + back * nz, mirrored),
                    )
                    edge = (1.0 - min(max(facing, 0.0), 1.0)) ** 5
                    for channel in range(3):
                        own = colours[found, channel]
                        mirror = own + (1.0 - own) * (0.12 + 0.88 * edge)
                        light[channel] += 0.35 * own * diffuse + 0.8 * mirror * mirrored[channel] + 0.9 * glint
                else:
                    for channel in range(3):
                        light[channel] += colours[found, channel] * diffuse * 1.05 + 0.06 * glint
            for channel in range(3):
                pixels[row, column, channel] = _byte(light[channel] / (samples * samples))
            winner = 0
            for n in range(1, count + 1):
                if votes[n] > votes[winner]:
                    winner = n
            owner[row, column] = winner


@_compiled()
def _shadows(things, lamps, circles):
    """Fills ``circles`` [3 n 3] with x, y and radius^2 around the shadow that each object throws from each lamp.

    The ball around an object throws an ellipse. Its long axis points away from the lamp, between the rays that touch
    the ball in the upright plane through both; a circle on that axis covers it. FAR: a shadow without end.
    """
    for lamp in range(3):
        for n in range(things.shape[0]):
            x, y = things[n, 0] - lamps[lamp, 0], things[n, 1] - lamps[lamp, 1]
            down, ball = lamps[lamp, 2] - things[n, 2], things[n, 8]
            away = math.sqrt(x * x + y * y)
            far = math.sqrt(away * away + down * down)
            circles[lamp, n, 2] = FAR
            if far <= ball:
                continue
            tilt, half = math.atan2(away, down), math.asin(ball / far)
            if tilt + half >= 0.5 * math.pi - 1e-3:
                continue
            near, end = lamps[lamp, 2] * math.tan(tilt - half), lamps[lamp, 2] * math.tan(tilt + half)
            middle = 0.5 * (near + end)
            along_x, along_y = (x / away, y / away) if away > CLOSE else (1.0, 0.0)
            circles[lamp, n, 0] = lamps[lamp, 0] + middle * along_x
            circles[lamp, n, 1] = lamps[lamp, 1] + middle * along_y
            circles[lamp, n, 2] = (0.5 * (end - near) * 1.001 + 1e-3) ** 2


@_compiled()
def _ground(things, lamps, circles, eye, dx, dy, dz, light):
    """Adds the light of the ground, or of the sky, where a ray meets no object."""
    if dz > -1e-3:
        for channel in range(3):
            light[channel] += SKY_LOW
        return
    far = -eye[2] / dz
    x, y = eye[0] + far * dx, eye[1] + far * dy
    diffuse = AMBIENT
    for lamp in range(3):
        lx, ly, lz = lamps[lamp, 0] - x, lamps[lamp, 1] - y, lamps[lamp, 2] - 1e-4
        reach = math.sqrt(lx * lx + ly * ly + lz * lz)
        lx, ly, lz = lx / reach, ly / reach, lz / reach
        lit = True
        for n in range(things.shape[0]):
            off_x, off_y = x - circles[lamp, n, 0], y - circles[lamp, n, 1]
            if off_x * off_x + off_y * off_y > circles[lamp, n, 2]:
                continue
            if _meet(things[n], x, y, 1e-4, lx, ly, lz)[0] < reach:
                lit = False
                break
        if lit:
            diffuse += POWER[lamp] * lz
    for channel in range(3):
        light[channel] += PAPER * diffuse


@_compiled(inline="always")
def _byte(value):
    """Linear light to sRGB, 0..255; what is too bright bends over rather than being cut."""
    value = value / (1.0 + 0.15 * value) if value < 1.0 else 1.0 - 0.13 / value
    value = min(max(value, 0.0), 1.0)
    if value <= 0.0031308:
        coded = 12.92 * value
    else:
        coded = 1.055 * value ** (1.0 / 2.4) - 0.055
    return np.uint8(255.0 * coded + 0.5)
