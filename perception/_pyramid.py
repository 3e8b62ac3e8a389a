"""A timm feature network, run no further than the deepest level that is asked for."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from raster.shapes import Tensor


class _EnoughError(Exception):
    """Raised inside a network whose remaining layers nobody asked for."""


class Pyramid(nn.Module):
    """``pyramid(x, levels) -> list of [B, C, h, w]``, in the order of `levels`, for any timm ``features_only`` network.

    A network that timm presents as a list of parts is walked to the deepest part that is needed; a getter is told to
    stop early; in any other the deepest level's module, once it has run, breaks off the rest.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        info: Any = net.feature_info
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.strides: tuple[int, ...] = tuple(info.reduction())
        self._nhwc = str(getattr(getattr(net, "output_fmt", None), "value", "NCHW")) == "NHWC"

    def forward(self, x: Tensor, levels: Sequence[int]) -> list[Tensor]:
        """Features of `x` [B, 3, H, W], already normalised, at `levels`."""
        chain = self._chain()
        if chain is not None:
            found = self._walk(x, max(levels), *chain)
        elif hasattr(self.net, "model") and hasattr(self.net.model, "forward_intermediates"):
            found = self._ask(x, max(levels))
        else:
            found = self._break_off(x, max(levels))
        if self._nhwc:
            found = [feature.permute(0, 3, 1, 2) for feature in found]
        return [found[level] for level in levels]

    def _chain(self) -> tuple[list[nn.Module], set[int]] | None:
        """The parts in order and after which of them a level is taken, or None for a network of another build."""
        from timm.models._features import FeatureListNet

        net: Any = self.net
        if isinstance(net, FeatureListNet):
            names = list(net)
            return list(net.values()), {names.index(name) for name in net.return_layers}
        stages = getattr(net, "_stage_out_idx", None)  # EfficientNet and MobileNetV3, of timm's own feature classes
        if stages is None or net.feature_hooks is not None:
            return None
        children = dict(net.named_children())
        if list(children) not in (["conv_stem", "bn1", "blocks"], ["conv_stem", "bn1", "act1", "blocks"]):
            return None
        stem = [child for name, child in children.items() if name != "blocks"]
        return [*stem, *net.blocks], {len(stem) - 1 + stage for stage in stages}

    def _walk(self, x: Tensor, deepest: int, parts: list[nn.Module], taps: set[int]) -> list[Tensor]:
        found: list[Tensor] = []
        state: Any = x  # some networks hand several tensors from part to part; timm's feature is then the first
        for index, part in enumerate(parts):
            state = part(state)
            if index in taps:
                found.append(state[0] if isinstance(state, (tuple, list)) else state)
                if len(found) > deepest:
                    break
        return found

    def _ask(self, x: Tensor, deepest: int) -> list[Tensor]:
        net: Any = self.net
        indices = list(net.out_indices) if isinstance(net.out_indices, (tuple, list)) else None
        if indices is None or sorted(i for i in indices if i >= 0) != indices:
            return list(net(x))
        return list(
            net.model.forward_intermediates(
                x,
                indices=indices[: deepest + 1],
                norm=net.norm,
                output_fmt="NCHW",
                stop_early=True,
                intermediates_only=True,
            )
        )

    def _break_off(self, x: Tensor, deepest: int) -> list[Tensor]:
        net: Any = self.net
        last = self._module_of(deepest) if hasattr(net, "hooks") else None
        if last is None:
            return list(net(x))

        def enough(*_: object) -> None:
            raise _EnoughError

        # Registered after timm's own hook on that module, so timm has its tensor by the time ours runs.
        before = net.feature_info.get_dicts()[deepest].get("hook_type") == "forward_pre"
        handle = last.register_forward_pre_hook(enough) if before else last.register_forward_hook(enough)
        try:
            return list(net(x))
        except _EnoughError:
            return list(net.hooks.get_output(x.device).values())
        finally:
            handle.remove()

    def _module_of(self, level: int) -> nn.Module | None:
        """The module whose output (or input) is the level, under any of the names that timm's rewriting gives it."""
        info: Any = self.net.feature_info
        name = info.module_name(level)
        modules = dict(self.net.named_modules())
        return next((modules[n] for n in (f"body.{name}", name, name.replace(".", "_", 1)) if n in modules), None)
