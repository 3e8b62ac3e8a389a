"""BatchNorm of a frozen network, folded into the convolutions before it."""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from raster.shapes import Float, Tensor


def fold_batch_norms(net: nn.Module, picture: Float[Tensor, "1 3 h w"], tolerance: float = 1e-3) -> int:
    """Folds in place every BatchNorm that directly follows a convolution; returns how many were folded.

    `net` is in eval mode and gives a list of tensors for `picture`. Which norm follows which convolution is seen by
    running it, not guessed from names; a second run must give the same to `tolerance` of each tensor's largest
    value, or everything is put back (0 folded): networks that use a convolution's output twice stay as they are.
    """
    from timm.layers import BatchNormAct2d

    kinds = (nn.BatchNorm2d, BatchNormAct2d)
    norms = {m for m in net.modules() if isinstance(m, nn.BatchNorm2d) and type(m) in kinds and not m.training}
    if not norms:
        return 0
    pairs, before = _watch(net, picture, norms)
    undo = []
    for norm, convolution in pairs.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        parent, name = next((p, n) for p in net.modules() for n, child in p.named_children() if child is norm)
        undo.append((parent, name, norm, convolution, convolution.weight, convolution.bias))
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        # setattr would refuse a Parameter slot that was None; _modules keeps the order of a Sequential.
        parent._modules[name] = norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()
    if not _same(before, _run(net, picture), tolerance):
        for parent, name, norm, convolution, weight, bias in undo:
            parent._modules[name] = norm
            convolution.weight, convolution.bias = weight, bias
        return 0
    return len(undo)


def _watch(
    net: nn.Module, picture: Tensor, norms: set[nn.BatchNorm2d]
) -> tuple[dict[nn.BatchNorm2d, nn.Conv2d], list[Tensor]]:
    """Each norm that is fed the very tensor that a convolution gave, each of the two running once; and the output."""
    gave: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # the tensor is kept so that its id stays its own
    fed: dict[nn.BatchNorm2d, nn.Conv2d] = {}
    runs: dict[nn.Module, int] = {}

    def after_convolution(module: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        runs[module] = runs.get(module, 0) + 1
        gave[id(output)] = (module, output)

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        runs[module] = runs.get(module, 0) + 1
        if id(inputs[0]) in gave:
            fed[module] = gave[id(inputs[0])][0]

    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    handles = [m.register_forward_hook(after_convolution) for m in convolutions]
    handles += [m.register_forward_pre_hook(before_norm) for m in norms]
    try:
        output = [tensor.clone() for tensor in _run(net, picture)]
    finally:
        for handle in handles:
            handle.remove()
    once = {
        norm: conv
        for norm, conv in fed.items()
        if runs[norm] == runs[conv] == 1 and isinstance(norm.running_var, Tensor)  # None: it uses the batch's own
    }
    shared = [conv for conv in once.values() if list(once.values()).count(conv) > 1]
    return {norm: conv for norm, conv in once.items() if conv not in shared}, output


def _run(net: nn.Module, picture: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return list(net(picture))


def _same(before: list[Tensor], after: list[Tensor], tolerance: float) -> bool:
    return len(before) == len(after) and all(
        bool((a - b).abs().max() <= tolerance * b.abs().max().clamp_min(1e-12))
        for a, b in zip(after, before, strict=True)
    )
