"""What a good bias must pass: ``lascaux check-bias module:Name`` runs this on anybody's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from agents.bias import Bias
from agents.moment import Moment
from perception import TimmTrunk, Trunks
from raster import CanvasConfig, Strokes
from raster.shapes import Tensor

GAMES, STROKES, SIZE = 6, 5, 64


@dataclass(frozen=True)
class Result:
    """One check: its name, whether it passed, and what was seen."""

    name: str
    passed: bool
    seen: str


@dataclass(frozen=True)
class _View:
    """Pictures made of noise, seen like a gallery's."""

    rgb: Tensor
    trunks: Trunks

    def __len__(self) -> int:
        return len(self.rgb)

    def __getitem__(self, item: Any) -> "_View":
        return _View(self.rgb[item], self.trunks)

    def pixels(self) -> Tensor:
        return self.rgb

    def features(self, trunk: TimmTrunk, level: int) -> Tensor:
        return self.trunks[trunk](self.rgb, [level])[0]

    def through(self, fn: Callable[[Tensor], Tensor]) -> "_View":
        return _View(fn(self.rgb), self.trunks)


@dataclass(frozen=True)
class _Play:
    """A play with the drawings as leaves, so that gradients can be asked of them."""

    photo: _View
    strokes: Strokes
    canvas: Tensor
    trunks: Trunks

    def reordered(self, order: Tensor) -> "_Play":
        strokes = Strokes(points=self.strokes.points[order], kind=self.strokes.kind)
        return _Play(self.photo[order], strokes, self.canvas[order], self.trunks)


def _play(trunks: Trunks, seed: int) -> _Play:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(GAMES, STROKES, 2, 2, generator=generator) * 1.6 - 0.8
    strokes = Strokes(points=points.to(trunks.device).requires_grad_())
    photo = _View(torch.rand(GAMES, 3, SIZE, SIZE, generator=generator).to(trunks.device), trunks)
    return _Play(photo, strokes, CanvasConfig(size=SIZE).draw(strokes, 0), trunks)


def check_bias(kind: type[Bias], **keys: Any) -> list[Result]:
    """Try a bias on small random plays.

    Checks that its cost is one finite number a game with a finite gradient in the strokes, on the device of the
    play, that it does not depend on how the batch is ordered, that ``move`` and ``see`` keep shapes, that the
    same moment gives the same result, and that global randomness is left alone; and times it.

    Args:
        kind: the class.
        **keys: its fields, where it has some without a default.
    """
    each = kind(**keys)
    trunks = Trunks(torch.device("cpu"))
    results: list[Result] = []

    def check(name: str, test: Callable[[], tuple[bool, str]]) -> None:
        try:
            passed, seen = test()
        except Exception as error:  # noqa: BLE001 (whatever a stranger's bias raises is the finding)
            passed, seen = False, f"{type(error).__name__}: {error}"
        results.append(Result(name, passed, seen))

    before = torch.random.get_rng_state()
    play = _play(trunks, 0)
    if each.costs():

        def finite() -> tuple[bool, str]:
            cost = each.cost(play)
            return tuple(cost.shape) == (GAMES,) and bool(cost.isfinite().all()), f"shape {tuple(cost.shape)}, {cost}"

        def gradient() -> tuple[bool, str]:
            (found,) = torch.autograd.grad(each.cost(play).sum(), play.strokes.points, retain_graph=True)
            norm = float(found.norm())
            return bool(found.isfinite().all()) and norm > 0, f"gradient norm {norm:.3g}"

        def order() -> tuple[bool, str]:
            # Costs on a share of the games see other games after reordering; their mean over all orders agrees,
            # so a bias with a share is asked about the whole.
            whole = each.model_copy(update={"share": 1.0}) if "share" in type(each).model_fields else each
            turned = torch.arange(GAMES).flip(0)
            gap = float((whole.cost(play)[turned] - whole.cost(play.reordered(turned))).detach().abs().max())
            return gap < 1e-4, f"largest difference {gap:.2g}"

        def device() -> tuple[bool, str]:
            # On the meta device anything that is made elsewhere meets a tensor it cannot be combined with.
            found = each.cost(_play(Trunks(torch.device("meta")), 0)).device
            return found.type == "meta", f"cost of a play on meta is on {found}"

        check("cost is one finite number a game", finite)
        check("gradients reach the strokes", gradient)
        check("batch order does not matter", order)
        check("stays on its device", device)

    def moves() -> tuple[bool, str]:
        moved = [each.move(play.strokes, _moment()).points for _ in range(2)]
        same = torch.equal(moved[0], moved[1])
        whole = moved[0].shape[0] == GAMES and bool(moved[0].isfinite().all())
        return same and whole, f"{tuple(moved[0].shape)}, {'the same' if same else 'another'} at the same moment"

    def sees() -> tuple[bool, str]:
        seen = [each.see(play.photo, _moment()).pixels() for _ in range(2)]
        same = torch.equal(seen[0], seen[1])
        whole = seen[0].shape[:2] == play.photo.rgb.shape[:2] and bool(seen[0].isfinite().all())
        return same and whole, f"{tuple(seen[0].shape)}, {'the same' if same else 'another'} at the same moment"

    check("move keeps strokes whole and repeats itself", moves)
    check("see keeps pictures whole and repeats itself", sees)
    left = torch.equal(before, torch.random.get_rng_state())
    results.append(Result("global randomness is left alone", left, "untouched" if left else "it was used or reseeded"))
    check("cost in time", lambda: (True, _timed(each, trunks)))
    return results


def _moment() -> Moment:
    return Moment(0, "sender", torch.Generator().manual_seed(1))


def _timed(each: Bias, trunks: Trunks) -> str:
    """CPU milliseconds of one call with its backward pass, the best of three."""
    best = float("inf")
    for seed in range(3):
        play = _play(trunks, seed)
        began = time.process_time()
        cost = each.cost(play).sum()
        if cost.requires_grad:
            cost.backward()
        best = min(best, time.process_time() - began)
    return f"{1e3 * best:.1f} CPU ms for {GAMES} games, forward and backward"
