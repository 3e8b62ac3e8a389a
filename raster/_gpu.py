"""The GPU engine: Triton kernels over tiles, float32. The contract of an engine is in ``raster._op``.

It has been compiled for sm_80 and sm_90, and run in Triton's interpreter on a CPU (tests/raster/test_gpu_engine.py
does both). It has never run on a GPU: block sizes and numbers of warps are reasoned, not measured.

Nothing here waits for the GPU, and nothing depends on values: launches follow from shapes alone.
"""

import torch
from torch import Tensor

from raster import _gpu_kernels as kernels

#: Pixels along a side of a tile. Square, since a line crosses fewer square tiles than long ones of the same area.
TILE = 16
#: Segments that a program of the gradient sums in registers; a polyline of more has several programs.
SUMS = 64
#: Programs that keep a large GPU busy: fewer strokes or sketches than these are cut into parts, whose sums are added.
BUSY = 2048
#: Numbers that parts may take together beyond the first (256 MB).
SCRATCH = 2**26


def forward(
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    height: int,
    width: int,
    compose: str,
    response: str,
    cut: float,
) -> tuple[Tensor, Tensor]:
    """Picture [b c h w] and what is kept of it; see ``raster._op``."""
    b, n, k, _ = vertices.shape
    c = 1 if weight is None else weight.shape[-1]
    picture = vertices.new_empty((b, c, height, width))
    if compose == "softor":
        kept = torch.empty_like(picture)
    elif compose == "max":
        kept = torch.empty_like(picture, dtype=torch.int32)
    else:
        kept = vertices.new_empty((b, 0))
    if b == 0:
        return picture, kept
    with torch.cuda.device_of(vertices):
        lines, boxes = _prepared(vertices, inverse_sigma2, weight, cover, cut)
        kernels.forward[(b * _tiles(height, width),)](
            lines,
            boxes,
            inverse_sigma2,
            _given(weight, boxes),
            _given(cover, boxes),
            picture,
            kept if kept.numel() else picture,
            n,
            max(1, k - 1),
            height,
            width,
            cut,
            COMPOSE=compose,
            RESPONSE=response,
            WEIGHTED=weight is not None,
            C=c,
            CP=_power(c),
            TILE=TILE,
            num_warps=4,
        )
    return picture, kept


def backward(
    upstream: Tensor,
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    kept: Tensor,
    compose: str,
    response: str,
    cut: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of the picture for its four tensors; see ``raster._op``."""
    b, n, k, _ = vertices.shape
    c, height, width = upstream.shape[1:]
    if b == 0 or n == 0:
        empty = vertices.new_empty((b, 0))
        return (
            torch.zeros_like(vertices),
            torch.zeros_like(inverse_sigma2),
            empty if weight is None else torch.zeros_like(weight),
            empty.clone() if cover is None else torch.zeros_like(cover),
        )
    segments, over = max(1, k - 1), compose == "over"
    tiles, own = _tiles(height, width), 4 * segments + c + 2  # numbers of a stroke
    chunks = -(-segments // SUMS)
    parts = min(tiles, max(1, BUSY // (b if over else b * n * chunks)), 1 + SCRATCH // (b * n * own))
    # The kernel of over adds to what it finds, the other one stores.
    new = vertices.new_zeros if over else vertices.new_empty
    to_ends = new((parts, b, n, segments, 2, 2))
    to_inverse = new((parts, b, n))
    to_weight = new((parts, b, 0) if weight is None else (parts, *weight.shape))
    to_cover = new((parts, b, n) if over else (parts, b, 0))
    with torch.cuda.device_of(vertices):
        lines, boxes = _prepared(vertices, inverse_sigma2, weight, cover, cut)
        ours = lines, boxes, inverse_sigma2, _given(weight, boxes)
        theirs = to_ends, to_inverse, to_weight if weight is not None else to_inverse
        numbers = n, b * n, segments, height, width, parts, cut
        how = {
            "RESPONSE": response,
            "WEIGHTED": weight is not None,
            "C": c,
            "CP": _power(c),
            "S": 1 if segments == 1 else SUMS,
            "TILE": TILE,
        }
        if over:
            # No fused multiply-add: the kernel's head says why.
            kernels.backward_over[(b * parts,)](
                upstream, *ours, cover, *theirs, to_cover, *numbers, **how, num_warps=2, enable_fp_fusion=False
            )
        else:
            kernels.backward[(b * n, chunks, parts)](
                upstream,
                kept if kept.numel() else upstream,
                *ours,
                *theirs,
                *numbers,
                COMPOSE=compose,
                **how,
                num_warps=4 if segments == 1 else 2,
            )
    # 0, or NaN for strokes with a NaN or an infinity; the other kernel has done it.
    poison = 0 * boxes[..., 0] if over else None
    return (
        _joined(_summed(to_ends, poison), k),
        _summed(to_inverse, poison),
        _summed(to_weight, poison if weight is not None else None),
        _summed(to_cover, poison),
    )


def _prepared(
    vertices: Tensor, inverse_sigma2: Tensor, weight: Tensor | None, cover: Tensor | None, cut: float
) -> tuple[Tensor, Tensor]:
    """What each segment [b n s LINE] and each stroke [b n BOX] is, as ``_gpu_kernels`` tells."""
    b, n, k, _ = vertices.shape
    segments, c = max(1, k - 1), 1 if weight is None else weight.shape[-1]
    lines = vertices.new_empty((b, n, segments, kernels.LINE.value))
    boxes = vertices.new_empty((b, n, kernels.BOX.value))
    if n:
        kernels.prepare[(b * n,)](
            vertices,
            inverse_sigma2,
            _given(weight, boxes),
            _given(cover, boxes),
            lines,
            boxes,
            k,
            segments,
            cut,
            WEIGHTED=weight is not None,
            COVERED=cover is not None,
            C=c,
            CP=_power(c),
            BLOCK=1 if segments == 1 else 32,
            num_warps=1,
        )
    return lines, boxes


def _joined(ends: Tensor, corners: int) -> Tensor:
    """From the gradients of segments' ends [b n s 2 2] to those of vertices [b n k 2]."""
    if corners == 1:
        return ends[:, :, 0, 0].contiguous()[:, :, None]
    if corners == 2:
        return ends[:, :, 0]
    vertices = ends.new_zeros((*ends.shape[:2], corners, 2))
    vertices[:, :, :-1] = ends[..., 0, :]
    vertices[:, :, 1:] += ends[..., 1, :]
    return vertices


def _summed(parts: Tensor, poison: Tensor | None) -> Tensor:
    """The sum of all parts, in an order that is always the same, and ``poison`` [b n]."""
    total = parts[0] if parts.shape[0] == 1 else parts.sum(0)
    return total if poison is None else total + poison[(..., *(None,) * (total.ndim - 2))]


def _given(tensor: Tensor | None, instead: Tensor) -> Tensor:
    """A kernel wants a pointer, even one that it never follows."""
    return instead if tensor is None else tensor


def _tiles(height: int, width: int) -> int:
    return -(-height // TILE) * -(-width // TILE)


def _power(c: int) -> int:
    """The power of two from c on."""
    return 1 << (c - 1).bit_length()
