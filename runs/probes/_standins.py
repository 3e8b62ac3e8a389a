"""Networks in the place of people who are asked what a drawing shows; none was taught any drawing of these agents."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pydantic import BaseModel

from perception import Classifier, OpenClipTrunk, TimmTrunk, TorchvisionTrunk, as_frozen, labels_named
from raster.shapes import Float, Int, Tensor
from runs.looks import CHUNK, Kept, look_at, recalled
from runs.run import Run
from runs.sketches import JUDGE, WHOLE

EYE = TimmTrunk(name="packaged", size=64)
"""The second eye that compares with photos."""
PHOTOS = 4
"""Photos of a class that say what it looks like, at most."""
SOFT = 0.1
"""Cosines are divided by this before the softmax."""
LABELLED = 128
"""Pixels that pictures have before a classifier."""
TEMPLATE = "a drawing of a {}."
"""What CLIP is asked (Mihai & Hare 2021)."""


@dataclass(frozen=True)
class StandIn:
    """Somebody who names drawings.

    Attributes:
        name: what the tables call it.
        classes: what it chooses among, positions in ``gallery.classes``, [C], rising: those that it knows.
        look: pictures in [0, 1] to what it sees of each, [b, 3, H, W] to [b, D].
        scores: what it sees of n pictures to scores of the classes, [n, D] to [n, C]; their softmax is its confidence.
        independent: whether no agent, bias or game of the run looked with the same network while agents learned.
        kept: what it saw before.
        judges: whether what it sees is ``Sketches.looks().whole``, which is there already.
    """

    name: str
    classes: Int[Tensor, " c"]
    look: Callable[[Tensor], Tensor]
    scores: Callable[[Tensor], Tensor]
    independent: bool
    kept: Kept
    judges: bool = False

    def seen(self, pictures: Iterable[Float[Tensor, "b 3 h w"]]) -> Float[Tensor, "n d"]:
        """``look`` at many pictures, part after part, at each that differs once; without gradients, on the CPU."""
        kept = Kept()
        keys = look_at((some.float() for some in pictures), lambda rgb: [self.look(rgb)], kept, self.kept)
        self.kept.update(kept)
        return recalled(keys, kept)[0]


def stand_ins(run: Run, classes: Int[Tensor, " c"], left_out: Int[Tensor, " m"]) -> list[StandIn]:
    """Everybody who can be asked about drawings of these classes; who knows fewer than two of them is not there.

    Args:
        run: whose pictures and trunks; ``measure.clip`` names the CLIP, if any.
        classes: what was drawn, positions in ``gallery.classes``, rising.
        left_out: pictures that must not say what a class looks like: those that were drawn.
    """
    used = set(trunks_in(run.config))
    names = [run.gallery.classes[each] for each in classes.tolist()]
    found = [
        _by_photos("judge, by photos", run, JUDGE, classes, left_out, used),
        _by_photos("packaged, by photos", run, EYE, classes, left_out, used),
    ]
    labels = labels_named(names)
    known = classes[sorted(labels)]
    if len(known) > 1:
        meant = [labels[each] for each in sorted(labels)]
        found += [_by_label(name, run, known, meant, used) for name in ("judge", "packaged")]
    clip = run.config.measure.clip
    if clip is not None:
        found.append(_by_words(run, clip, classes, names, used))
    return [each for each in found if len(each.classes) > 1]


def trunks_in(value: Any) -> Iterator[str]:
    """The networks that a config names anywhere but in ``measure``, by architecture."""
    if isinstance(value, TimmTrunk | TorchvisionTrunk | OpenClipTrunk):
        yield _network(value)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if name != "measure":
                yield from trunks_in(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from trunks_in(each)


def _network(config: TimmTrunk | TorchvisionTrunk | OpenClipTrunk) -> str:
    frozen = as_frozen(config)
    return frozen.architecture if isinstance(frozen, TimmTrunk) else f"{frozen.kind} {frozen.name}"


def _by_photos(
    name: str, run: Run, trunk: TimmTrunk, classes: Int[Tensor, " c"], left_out: Int[Tensor, " m"], used: set[str]
) -> StandIn:
    """Says the class whose photos' mean is nearest by cosine, drawings and means each centred on their own middle.

    (Drawings differ from photos all in one way, and that way says nothing about the class.)
    """
    net, gallery = run.trunks[trunk], run.gallery
    level = WHOLE if trunk == JUDGE else net.deepest

    def look(rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return net(rgb, [level])[0].mean(dim=(2, 3))

    free = ~torch.isin(torch.arange(len(gallery.label)), left_out)
    generator = torch.Generator().manual_seed(0)
    known, chosen = [], []
    for each in classes.tolist():
        own = ((gallery.label == each) & free).nonzero()[:, 0]
        if len(own):
            known.append(each)
            chosen.append(own[torch.randperm(len(own), generator=generator)[:PHOTOS]])
    answers = torch.tensor(known, dtype=torch.long)
    kept = run.seen.setdefault(f"{trunk!r}, level {level}", {})
    made = StandIn(name, answers, look, lambda seen: seen, _network(trunk) not in used, kept, trunk == JUDGE)
    if len(known) < 2:
        return made
    seen = made.seen(gallery.view(some).pixels() for some in torch.cat(chosen).split(CHUNK))
    means = _spread(torch.stack([each.mean(dim=0) for each in seen.split([len(each) for each in chosen])]))

    def scores(seen: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        return _spread(seen) @ means.T / SOFT

    return replace(made, scores=scores)


def _spread(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows about their mean, of length 1; one row alone stays as it is."""
    rows = rows - rows.mean(dim=0) if len(rows) > 1 else rows
    return torch.nn.functional.normalize(rows, dim=-1)


def _by_label(
    name: str, run: Run, classes: Int[Tensor, " c"], labels: Sequence[Sequence[int]], used: set[str]
) -> StandIn:
    """Says the class whose ImageNet label (the likelier of several) the classifier finds likeliest."""
    net = Classifier(name, LABELLED, run.gallery.device)

    def scores(seen: Float[Tensor, "n labels"]) -> Float[Tensor, "n c"]:
        return torch.stack([seen[:, list(each)].amax(dim=1) for each in labels], dim=1)

    kept = run.seen.setdefault(f"{name} at {LABELLED}", {})
    return StandIn(f"{name}, by label", classes, net, scores, _network(TimmTrunk(name=name)) not in used, kept)


def _by_words(
    run: Run, clip: OpenClipTrunk, classes: Int[Tensor, " c"], names: Sequence[str], used: set[str]
) -> StandIn:
    """Says the class whose words CLIP finds nearest: softmax(100 cos(f(drawing), g("a drawing of a ..."))).

    Radford et al. 2021, section 3.1 (zero-shot).
    """
    net = run.trunks[clip]
    words = [TEMPLATE.format(name.replace("-", " ").replace("_", " ")) for name in names]
    meant = torch.nn.functional.normalize(net.embed_text(words), dim=-1).cpu()

    def scores(seen: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        return 100 * torch.nn.functional.normalize(seen, dim=-1) @ meant.T

    def look(rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return net(rgb, [0])[0].flatten(1)

    return StandIn("CLIP", classes, look, scores, _network(clip) not in used, run.seen.setdefault(repr(clip), {}))
