"""The drawings of some games beside their controls: canvases, and what the judge sees of them, each made once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import torch

from perception import TimmTrunk
from raster import CanvasConfig, Strokes, on_paper
from raster.shapes import Bool, Float, Int, Tensor
from runs.intervals import bootstrap_by_pool, bootstrap_of_mean
from runs.looks import CHUNK, Kept, look_at, recalled

if TYPE_CHECKING:
    from runs.evidence import Evidence

JUDGE = TimmTrunk(name="judge", size=128)
"""The eye that no agent and no loss ever uses: EfficientNet-Lite2, pictures resized to 128 px."""
PLACES = 3
"""The level of the judge's pyramid at which it is asked what is where (stride 16: 8 x 8 places at 128 px)."""
WHOLE = 4
"""The level at which it is asked what it is, averaged over places (stride 32)."""
LONGEST = 4.0
"""Random strokes reach over at most so much, canvas units: further, and most of them lie off the canvas."""

Control = Literal["drawings", "untrained", "shuffled", "blank", "random"]
"""``drawings`` themselves; what senders that never learned draw of the same photos; the drawing of a game on another
pool; nothing; random strokes, as many and of as much ink."""
CONTROLS: tuple[Control, ...] = get_args(Control)


@dataclass(frozen=True)
class Looks:
    """What the judge sees of n pictures.

    Attributes:
        places: its features at ``PLACES``, place by place, [n, D].
        whole: its features at ``WHOLE``, averaged over places, [n, E].
    """

    places: Float[Tensor, "n d"]
    whole: Float[Tensor, "n e"]

    def __getitem__(self, index: Int[Tensor, " m"] | Bool[Tensor, " n"]) -> "Looks":
        """Those of some of the pictures."""
        return Looks(self.places[index], self.whole[index])


class Sketches:
    """The drawings of all games of an ``Evidence``, pool after pool, n in all; made and looked at when first asked for.

    ``evidence.sketches`` is one. Pictures are positions in ``evidence.run.gallery``.
    """

    def __init__(self, evidence: "Evidence") -> None:
        self._evidence = evidence
        self._canvas: dict[str, list[Tensor]] = {}
        self._keys: dict[str, list[bytes]] = {}
        self._before: Kept = {}
        self.seen: Kept = {}

    def remember(self, seen: Kept) -> "Sketches":
        """Take what the judge saw of pictures in other evidence: the same pixels need no second look.

        ``seen`` has what it saw in this one, for the next.
        """
        self._before = seen
        return self

    @cached_property
    def sizes(self) -> list[int]:
        """Games of each pool."""
        return [len(play.loss) for play in self._evidence.plays]

    @cached_property
    def shown(self) -> Int[Tensor, " n"]:
        """The picture that each sender was shown, [n], on the CPU."""
        return torch.cat([play.round.shown for play in self._evidence.plays]).cpu()

    @cached_property
    def label(self) -> Int[Tensor, " n"]:
        """Its class, [n], on the CPU."""
        return self._evidence.run.gallery.label[self.shown]

    @cached_property
    def group(self) -> Int[Tensor, " n"]:
        """The group of its class, [n], on the CPU, as a position in the sorted names of groups; -1 for none."""
        groups = self._evidence.run.gallery.groups
        names = {name: number for number, name in enumerate(sorted(set(groups) - {""}))}
        return torch.tensor([names.get(groups[label] if groups else "", -1) for label in self.label.tolist()])

    @cached_property
    def artist(self) -> Int[Tensor, " n"]:
        """Its artist, [n], on the CPU; all 0 where there are none."""
        return self._evidence.run.gallery.artist[self.shown]

    @cached_property
    def pool_of(self) -> Int[Tensor, " n"]:
        """The number of the pool that each game was played on, [n]."""
        return torch.repeat_interleave(torch.arange(len(self.sizes)), torch.tensor(self.sizes))

    @cached_property
    def strokes(self) -> Strokes:
        """What was drawn, points [n, N, P, 2]."""
        return Strokes.cat([play.strokes for play in self._evidence.plays]).detach()

    @cached_property
    def random(self) -> list[Strokes]:
        """Random strokes for each game, pool by pool: as many as in its drawing, and of as much ink."""
        run, found = self._evidence.run, []
        for number, play in enumerate(self._evidence.plays):
            generator = torch.Generator().manual_seed(number)
            found.append(random_strokes(play.strokes, play.canvas, run.config.canvas, run.step, generator))
        return found

    def canvases(self, control: Control = "drawings") -> list[Float[Tensor, "b *ink h w"]]:
        """The canvases of the games, or of a control in their place, pool by pool; without gradients."""
        if control not in self._canvas:
            with torch.no_grad():
                self._canvas[control] = self._made(control)
        return self._canvas[control]

    def canvas(self, control: Control = "drawings") -> Float[Tensor, "n *ink h w"]:
        """``canvases`` of all games."""
        return torch.cat(self.canvases(control))

    def _made(self, control: Control) -> list[Tensor]:
        evidence, run = self._evidence, self._evidence.run
        if control == "drawings":
            return [play.canvas.detach() for play in evidence.plays]
        if control == "blank":
            return [torch.zeros_like(play.canvas) for play in evidence.plays]
        if control == "shuffled":
            own = self.canvas("drawings")
            return [own[each.to(own.device)] for each in self._another]
        strokes = evidence.untrained if control == "untrained" else self.random
        return [run.config.canvas.draw(each, run.step) for each in strokes]

    def looks(self, control: Control = "drawings") -> Looks:
        """What the judge sees of the drawings, or of a control in their place, on white paper.

        Only pictures that differ cost it a look: a photo that is shown on several pools is drawn alike on each.
        """
        if control == "shuffled":
            return self.looks("drawings")[torch.cat(self._another)]
        if control not in self._keys:
            self._keys[control] = self._look_at(on_paper(each).float() for each in self.canvases(control))
        return self._recalled(self._keys[control])

    @property
    def photos(self) -> Looks:
        """What the judge sees of the photo that each sender was shown."""
        if "photos" not in self._keys:
            gallery = self._evidence.run.gallery
            self._keys["photos"] = self._look_at(gallery.view(some).pixels() for some in self.shown.split(CHUNK))
        return self._recalled(self._keys["photos"])

    def judged(self, pictures: Iterable[Float[Tensor, "b 3 h w"]]) -> Looks:
        """What the judge sees of RGB pictures in [0, 1], on the CPU."""
        return self._recalled(self._look_at(pictures))

    def _look_at(self, pictures: Iterable[Float[Tensor, "b 3 h w"]]) -> list[bytes]:
        trunk = self._evidence.run.trunks[JUDGE]

        def look(rgb: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
            places, whole = trunk(rgb, [PLACES, WHOLE])
            return places.flatten(1), whole.mean(dim=(2, 3))

        return look_at(pictures, look, self.seen, self._before)

    def _recalled(self, keys: list[bytes]) -> Looks:
        return Looks(*recalled(keys, self.seen))

    @cached_property
    def _another(self) -> list[Int[Tensor, " b"]]:
        """For each game one on the pool before (of the first, on the last), pool by pool."""
        games = torch.arange(sum(self.sizes)).split(self.sizes)
        return [games[k - 1][torch.arange(size) % len(games[k - 1])] for k, size in enumerate(self.sizes)]

    def by_pool(self, values: Tensor) -> list[Tensor]:
        """Something that every game has, [n, ...], pool by pool."""
        return list(values.split(self.sizes))

    def interval(self, values: Tensor) -> tuple[float, float]:
        """95 % interval of the mean of what every game has, [n], by a bootstrap over pools (Booleans: a rate)."""
        pools = [each.cpu() for each in self.by_pool(values)]
        return bootstrap_by_pool(pools) if values.dtype == torch.bool else bootstrap_of_mean(pools)


def random_strokes(
    strokes: Strokes,
    canvas: Float[Tensor, "b *ink h w"],
    config: CanvasConfig,
    step: int,
    generator: torch.Generator,
    tries: int = 5,
) -> Strokes:
    """Random strokes that say nothing but how many they are and how much ink they leave.

    Their middles are uniform on the canvas, their points uniform about them; each drawing's are stretched in one until
    they leave as much ink as it has (within some per cent; as nearly as stretching can, where it has less or more than
    such strokes ever leave). Width, opacity and presence stay; colours are those of another drawing.

    Args:
        strokes: the drawings, points [B, N, P, 2].
        canvas: the same as ink.
        config: what they are drawn on.
        step: of the run.
        generator: of the randomness, on the CPU.
        tries: canvases that are drawn on the way.
    """
    shape = strokes.points.shape
    middle = torch.rand((*shape[:2], 1, shape[3]), generator=generator) * 2 - 1
    around = torch.rand(shape, generator=generator) - 0.5  # within a square of side 1
    middle, around = (x.to(strokes.points) for x in (middle, around - around.mean(dim=2, keepdim=True)))
    colour = None if strokes.colour is None else strokes.colour.roll(1, dims=0).detach()
    plain = replace(strokes.detach(), colour=colour)

    def of(stretch: Float[Tensor, " b"]) -> Strokes:
        return replace(plain, points=middle + around * stretch[:, None, None, None])

    def ink(stretch: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        return config.draw(of(stretch), step).flatten(1).mean(dim=1)

    with torch.no_grad():
        wanted = canvas.detach().flatten(1).mean(dim=1)
        low = torch.zeros_like(wanted)
        high = torch.full_like(wanted, LONGEST)
        least, most = ink(low) - wanted, ink(high) - wanted  # ink rises with the stretch, ever more slowly
        stretch = torch.where(least >= 0, low, high)
        open_ = (least < 0) & (most > 0)
        for _ in range(tries):
            # Illinois's false position: each drawing has a bracket of its own.
            share = (-least / (most - least)).clamp(0.02, 0.98)
            stretch = torch.where(open_, low + share * (high - low), stretch)
            miss = ink(stretch) - wanted
            below = miss < 0
            low, high = torch.where(below, stretch, low), torch.where(below, high, stretch)
            least, most = torch.where(below, miss, least / 2), torch.where(below, most / 2, miss)
        return of(stretch)
