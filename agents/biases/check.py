"""What a good bias must pass: ``lascaux check-bias module:Name`` runs this on anybody's."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from agents.bias import Bias
from agents.moment import Moment
from perception import FrozenTrunk, Trunks
from raster import CanvasConfig, Strokes
from raster.shapes import Tensor

GAMES, STROKES, SIZE = 6, 5, 64
KINDS = {"line": 2, "point": 1, "polyline": 4, "quadratic": 3, "cubic": 4, "catmull-rom": 5}
"""Kinds of strokes that a bias is tried on, with their control points; lines first."""


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

    def features(self, trunk: FrozenTrunk, level: int) -> Tensor:
        return self.trunks[trunk](self.rgb, [level])[0]

    def averaged(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        return fn(self.rgb)

    def mixed(self, views: Sequence["_View"], choice: Tensor) -> "_View":
        each = torch.stack([view.rgb for view in views])  # [V, B, 3, H, W]
        return _View(each[choice.to(each.device), torch.arange(len(choice), device=each.device)], self.trunks)

    def through(self, fn: Callable[[Tensor], Tensor], name: str | None = None) -> "_View":
        return _View(fn(self.rgb), self.trunks)


@dataclass(frozen=True)
class _Play:
    """A play with the drawings as leaves, so that gradients can be asked of them."""

    photo: _View
    strokes: Strokes
    canvas: Tensor
    trunks: Trunks
    label: Tensor
    kept: nn.Module | None = None

    def generator(self, word: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(word))

    def reordered(self, order: Tensor) -> "_Play":
        return replace(
            self,
            photo=self.photo[order],
            strokes=self.strokes[order],
            canvas=self.canvas[order],
            label=self.label[order],
        )


def _play(trunks: Trunks, seed: int, kind: str = "line", rich: bool = False, spread: float = 0.8) -> _Play:
    """Random strokes over +-``spread`` of the canvas; ``rich`` ones also carry a width, colour, opacity, presence."""
    generator = torch.Generator().manual_seed(seed)
    points = (torch.rand(GAMES, STROKES, KINDS[kind], 2, generator=generator) * 2 - 1) * spread
    carried: dict[str, Any] = {}
    if rich:
        sizes = {"width": (), "opacity": (), "presence": (), "colour": (3,)}
        for name, more in sizes.items():
            value = torch.rand(GAMES, STROKES, *more, generator=generator) * 0.8 + 0.1
            carried[name] = (0.2 * value if name == "width" else value).to(trunks.device).requires_grad_()
    strokes = Strokes(points=points.to(trunks.device).requires_grad_(), kind=kind, **carried)
    photo = _View(torch.rand(GAMES, 3, SIZE, SIZE, generator=generator).to(trunks.device), trunks)
    label = (torch.arange(GAMES) // 2).to(trunks.device)
    return _Play(photo, strokes, CanvasConfig(size=SIZE).draw(strokes, 0), trunks, label)


def _with_kept(each: Bias, play: _Play) -> _Play:
    """The play in the hands of a trainer: with what the bias keeps, and another play remembered."""
    with torch.random.fork_rng(devices=[]):  # a module's first weights come from there, in a run as here
        kept = each.keeps()
    if kept is None:
        return play
    kept = kept.to(play.trunks.device)
    with torch.no_grad():
        each.remember(replace(_play(play.trunks, 7), kept=kept))
    return replace(play, kept=kept)


def check_bias(kind: type[Bias], **keys: Any) -> list[Result]:
    """Try a bias on small random plays.

    Checks that its cost is one finite number a game with a finite gradient in the strokes, on the device of the
    play, that it does not depend on how the batch is ordered, that ``move`` and ``see`` keep shapes, that the
    same moment gives the same result, that a cost leaves what it keeps as it is, and that global randomness is left
    alone; tells for which kinds of strokes it works; and times it.

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
    play = _with_kept(each, _play(trunks, 0))
    if each.costs():
        check("cost is one finite number a game", lambda: _finite(each, play))
        check("gradients reach the strokes", lambda: _gradients(each, play))
        check("batch order does not matter", lambda: _order(each, play))
        check("the same play costs the same", lambda: _repeats(each, play))
        check("stays on its device", lambda: _device(each))

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
    check("kinds of strokes", lambda: (True, _kinds(each, trunks)))
    check("cost in time", lambda: (True, _timed(each, trunks)))
    return results


def _finite(each: Bias, play: _Play) -> tuple[bool, str]:
    cost = each.cost(play)
    return tuple(cost.shape) == (GAMES,) and bool(cost.isfinite().all()), f"shape {tuple(cost.shape)}, {cost}"


def _gradients(each: Bias, play: _Play) -> tuple[bool, str]:
    """On lines within the canvas; else on cubics that bend and stick out, which some biases alone care about."""
    curves = _with_kept(each, _play(play.trunks, 0, "cubic", spread=1.2))
    norms = []
    for one in (play, curves):
        cost = each.cost(one).sum()
        if not cost.requires_grad:
            norms.append(0.0)
            continue
        found = torch.autograd.grad(
            cost, one.strokes.points, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        norms.append(float(found[0].norm()))
    finite = all(norm < float("inf") for norm in norms)
    return finite and max(norms) > 0, f"gradient norm {norms[0]:.3g} on lines, {norms[1]:.3g} on curves"


def _order(each: Bias, play: _Play) -> tuple[bool, str]:
    # Costs on a share of the games see other games after reordering; their mean over all orders agrees,
    # so a bias with a share is asked about the whole.
    whole = each.model_copy(update={"share": 1.0}) if "share" in type(each).model_fields else each
    turned = torch.arange(GAMES).flip(0)
    gap = float((whole.cost(play)[turned] - whole.cost(play.reordered(turned))).detach().abs().max())
    return gap < 1e-4, f"largest difference {gap:.2g}"


def _repeats(each: Bias, play: _Play) -> tuple[bool, str]:
    state = {} if play.kept is None else {key: value.clone() for key, value in play.kept.state_dict().items()}
    same = torch.equal(each.cost(play), each.cost(play))
    now = {} if play.kept is None else play.kept.state_dict()
    left = all(torch.equal(value, now[key]) for key, value in state.items())
    kept = "" if play.kept is None else f", what it keeps {'as it was' if left else 'changed (do that in remember)'}"
    return same and left, f"{'the same' if same else 'another cost'} a second time{kept}"


def _device(each: Bias) -> tuple[bool, str]:
    # On the meta device anything that is made elsewhere meets a tensor it cannot be combined with.
    found = each.cost(_with_kept(each, _play(Trunks(torch.device("meta")), 0))).device
    return found.type == "meta", f"cost of a play on meta is on {found}"


def _kinds(each: Bias, trunks: Trunks) -> str:
    """For which kinds of strokes, plain and with width, colour, opacity and presence, hooks give finite numbers."""
    bad = []
    for kind in KINDS:
        for rich in (False, True):
            word = f"{kind} in colour" if rich else kind
            try:
                play = _with_kept(each, _play(trunks, 1, kind, rich))
                moved = each.move(play.strokes, _moment()).points
                cost = each.cost(play)
                whole = moved.shape == play.strokes.points.shape and bool(moved.isfinite().all())
                if not (whole and bool(cost.isfinite().all())):
                    bad.append(word)
            except Exception as error:  # noqa: BLE001 (a bias may be for lines alone; that is told, not judged)
                bad.append(f"{word} ({type(error).__name__})")
    return f"all of {', '.join(KINDS)}, in colour too" if not bad else f"not {', '.join(bad)}"


def _moment() -> Moment:
    return Moment(0, "sender", torch.Generator().manual_seed(1))


def _timed(each: Bias, trunks: Trunks) -> str:
    """CPU milliseconds of all three hooks and the cost's backward pass, the best of three."""
    best = float("inf")
    for seed in range(3):
        play = _with_kept(each, _play(trunks, seed))
        began = time.process_time()
        each.see(play.photo, _moment()).pixels()
        each.move(play.strokes, _moment())
        cost = each.cost(play).sum()
        if cost.requires_grad:
            cost.backward()
        best = min(best, time.process_time() - began)
    return f"{1e3 * best:.1f} CPU ms for {GAMES} games, forward and backward"
