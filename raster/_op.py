"""The raster as one torch operation: ``torch.compile``, ``torch.export`` and the meta device see it whole."""

import torch
from torch import Tensor

from raster import _pool


@torch.library.custom_op("lascaux::softor", mutates_args=())
def softor(vertices: Tensor, inverse_sigma2: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Ink [b h w] of polylines [b n k 2] in pixel coordinates, and what paper is left; see ``reference.transmission``.

    Float32 on the CPU. ``left`` is 1 - ink before rounding: the one map kept for the gradient, which ink near 1
    has lost. It has no gradient itself. Ink comes from the kernel and not from ``1 - left`` in torch, so that no
    torch operation runs over whole canvases (on a busy machine its threads wait longer than they work).
    """
    ink = torch.empty((vertices.shape[0], height, width), dtype=vertices.dtype)
    left = torch.empty_like(ink)
    _pool.forward(vertices, inverse_sigma2, ink, left)
    return ink, left


@softor.register_fake
def _(vertices: Tensor, inverse_sigma2: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    shape = (vertices.shape[0], height, width)
    return vertices.new_empty(shape), vertices.new_empty(shape)


@torch.library.custom_op("lascaux::softor_backward", mutates_args=())
def softor_backward(upstream: Tensor, vertices: Tensor, inverse_sigma2: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of ``softor``'s ink for vertices [b n k 2] and inverse_sigma2 [b n], recomputed stroke by stroke."""
    to_vertices = torch.empty(vertices.shape, dtype=vertices.dtype)
    to_inverse = torch.empty(inverse_sigma2.shape, dtype=vertices.dtype)
    _pool.backward(upstream, vertices, inverse_sigma2, left, to_vertices, to_inverse)
    return to_vertices, to_inverse


@softor_backward.register_fake
def _(upstream: Tensor, vertices: Tensor, inverse_sigma2: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    return vertices.new_empty(vertices.shape), inverse_sigma2.new_empty(inverse_sigma2.shape)


def _save(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # torch's own signature
    vertices, inverse_sigma2, _, _ = inputs
    _, left = output
    ctx.mark_non_differentiable(left)
    ctx.set_materialize_grads(False)  # a map of zeros for ``left`` would be made at every call
    ctx.save_for_backward(vertices, inverse_sigma2, left)


def _backward(ctx, upstream, _):  # type: ignore[no-untyped-def]  # torch's own signature
    if upstream is None:
        return None, None, None, None
    to_vertices, to_inverse = softor_backward(upstream, *ctx.saved_tensors)
    return to_vertices, to_inverse, None, None


softor.register_autograd(_backward, setup_context=_save)
