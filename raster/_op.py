"""The raster as one torch operation: ``torch.compile``, ``torch.export``, ``vmap`` and the meta device see it whole.

Everything that is drawn has become polylines in pixel coordinates; what engines do is said in ``reference.render``.
An engine is a module with two functions, whose tensors lie on one device and are contiguous:

    forward(vertices, inverse_sigma2, weight, cover, height, width, compose, response, cut) -> (picture, kept)
    backward(upstream, vertices, inverse_sigma2, weight, cover, kept, compose, response, cut)
        -> (to_vertices, to_inverse, to_weight, to_cover)

``kept`` is all that the gradient needs of the drawing: for softor what paper is left, prod(1 - w I), which a picture
near 1 has lost; for max the number of the winning stroke (-1 for none); nothing otherwise. ``to_weight`` and
``to_cover`` are empty where there was no ``weight`` or ``cover``.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

_MODULES = {"tile": "raster._tile", "cpu": "raster._cpu", "gpu": "raster._gpu"}
_KINDS = (Tensor, torch.nn.Parameter)


def _engine(name: str) -> ModuleType:
    return import_module(_MODULES[name])


@torch.library.custom_op("lascaux::render", mutates_args=())
def render(
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    height: int,
    width: int,
    compose: str,
    response: str,
    cut: float,
    gradient_cut: float,
    engine: str,
) -> tuple[Tensor, Tensor]:
    """Picture [b c h w] of polylines [b n k 2], and what is kept for its gradient; see ``reference.render``.

    ``cut`` ends a stroke's ink, ``gradient_cut`` its gradient, both in d^2 / sigma^2.
    """
    found: tuple[Tensor, Tensor] = _engine(engine).forward(
        *_contiguous(vertices, inverse_sigma2, weight, cover), height, width, compose, response, cut
    )
    return found


@render.register_fake
def _(
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    height: int,
    width: int,
    compose: str,
    response: str,
    cut: float,
    gradient_cut: float,
    engine: str,
) -> tuple[Tensor, Tensor]:
    shape = (vertices.shape[0], 1 if weight is None else weight.shape[-1], height, width)
    picture = vertices.new_empty(shape)
    if compose == "softor":
        return picture, vertices.new_empty(shape)
    if compose == "max":
        return picture, vertices.new_empty(shape, dtype=torch.int32)
    return picture, vertices.new_empty((shape[0], 0))


@torch.library.custom_op("lascaux::render_backward", mutates_args=())
def render_backward(
    upstream: Tensor,
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    kept: Tensor,
    compose: str,
    response: str,
    cut: float,
    engine: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of ``render``'s picture for its four tensors, recomputed stroke by stroke."""
    tensors = _contiguous(vertices, inverse_sigma2, weight, cover)
    found: tuple[Tensor, Tensor, Tensor, Tensor] = _engine(engine).backward(
        upstream.contiguous(), *tensors, kept, compose, response, cut
    )
    return found


@render_backward.register_fake
def _(
    upstream: Tensor,
    vertices: Tensor,
    inverse_sigma2: Tensor,
    weight: Tensor | None,
    cover: Tensor | None,
    kept: Tensor,
    compose: str,
    response: str,
    cut: float,
    engine: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    b = vertices.shape[0]
    return (
        vertices.new_empty(vertices.shape),
        vertices.new_empty(inverse_sigma2.shape),
        vertices.new_empty((b, 0) if weight is None else weight.shape),
        vertices.new_empty((b, 0) if cover is None else cover.shape),
    )


def _contiguous(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    return tuple(None if tensor is None else tensor.contiguous() for tensor in tensors)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    vertices, inverse_sigma2, weight, cover, _, _, compose, response, _, cut, engine = inputs
    _, kept = output
    ctx.mark_non_differentiable(kept)
    ctx.set_materialize_grads(False)  # a map of zeros for ``kept`` would be made at every call
    ctx.save_for_backward(vertices, inverse_sigma2, weight, cover, kept)
    ctx.how = compose, response, cut, engine


def _backward(ctx: Any, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
    upstream = upstreams[0]  # the other is that of ``kept``
    if upstream is None:
        return (None,) * 11
    vertices, inverse_sigma2, weight, cover, kept = ctx.saved_tensors
    to = render_backward(upstream, vertices, inverse_sigma2, weight, cover, kept, *ctx.how)
    return to[0], to[1], None if weight is None else to[2], None if cover is None else to[3], *(None,) * 7


render.register_autograd(_backward, setup_context=_save)


_once = torch.autograd.function.once_differentiable(_backward)


def drawn(*args: Any) -> Tensor:
    """The picture of ``render``: for autograd, ``torch.func``, and a compiler, which wants the bare operation.

    Where nobody looks on, the engine is called at once: an operation's dispatch takes longer than a small picture.
    """
    if _plain(*args[:4]):
        found: Tensor = _Now.apply(*args)
        return found
    picture: Tensor = (render if torch.compiler.is_compiling() else _Render.apply)(*args)[0]
    return picture


def _plain(*tensors: Tensor | None) -> bool:
    """Whether these are numbers in memory, and no compiler, tracer, mode or transform of functions is at work."""
    return (
        all(each is None or type(each) in _KINDS for each in tensors)
        and not any(each is not None and each.is_meta for each in tensors)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._len_torch_dispatch_stack()
    )


class _Now(torch.autograd.Function):
    """``render`` without its dispatch."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        vertices, inverse_sigma2, weight, cover, height, width, compose, response, cut, gradient_cut, engine = args
        tensors = _contiguous(vertices, inverse_sigma2, weight, cover)
        picture: Tensor
        picture, kept = _engine(engine).forward(*tensors, height, width, compose, response, cut)
        ctx.save_for_backward(*tensors, kept)
        ctx.how = compose, response, gradient_cut, engine
        return picture

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        *tensors, kept = ctx.saved_tensors
        if _plain(upstream) and not torch._C._functorch.is_legacy_batchedtensor(upstream):
            *how, engine = ctx.how
            to = _engine(engine).backward(upstream.contiguous(), *tensors, kept, *how)
        else:  # a batch of gradients at once
            to = render_backward(upstream, *tensors, kept, *ctx.how)
        return (*(None if given is None else each for given, each in zip(tensors, to, strict=True)), *(None,) * 7)


class _Render(torch.autograd.Function):
    """``render`` for ``torch.func``, whose ``grad`` does not see the gradient that an operation registers."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*args: Any) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = render(*args)
        return found

    setup_context = staticmethod(_save)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return _once(ctx, *grad_outputs)


def _folded(op: Callable[..., tuple[Tensor, ...]]) -> Callable[..., Any]:
    """A rule for ``vmap``: its dimension joins the sketches', and leaves them afterwards."""

    def rule(info: Any, dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
        size = info.batch_size

        def fold(value: Any, dim: int | None) -> Any:
            if not isinstance(value, Tensor):
                return value
            front = value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
            return front.flatten(0, 1)

        found = op(*(fold(value, dim) for value, dim in zip(args, dims, strict=True)))
        return tuple(each.unflatten(0, (size, -1)) for each in found), (0,) * len(found)

    return rule


torch.library.register_vmap(render, _folded(render))
torch.library.register_vmap(render_backward, _folded(render_backward))
