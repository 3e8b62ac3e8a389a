"""A step of the paper's recipe (VGG16, 96 px, 100 games, 20 lines, likeness) against a step written as the original is.

    python benchmarks/paper_step.py            # writes benchmarks/results/paper_step.json; some ten CPU minutes

The original passes its photos through the trunk for the sender, again for the receiver, and photos and sketches again
for the perceptual loss, and draws with all-pairs distance maps. Here photos are cached, and receiver and likeness share
one pass over the sketches. VGG16's weights are random and the photos noise: neither changes what a step costs. One
thread, CPU seconds; both ways take turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)
from _cases import about, write  # noqa: E402
from _textbook import lines  # noqa: E402
from torchvision.utils import save_image  # noqa: E402

from perception import TorchvisionTrunk, likeness  # noqa: E402
from raster import on_paper  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.run import Run, assemble  # noqa: E402
from runs.train import Learner  # noqa: E402

LEVELS = [0, 1, 2, 3, 4]
TRUNK = "{kind: torchvision, name: vgg16, weights: random}"


def paper(games: int, pictures: Path) -> Config:
    """The preset of the paper, on some noise in place of STL-10."""
    draw = torch.Generator().manual_seed(0)
    for number in range(10):
        (pictures / f"class-{number}").mkdir()
        for copy in range(-(-games * 3 // 20)):
            save_image(torch.rand(3, 96, 96, generator=draw), pictures / f"class-{number}" / f"{copy}.png")
    changed = [
        f"pictures={{kind: folder, path: {pictures}, size: 96, split: {{by: [picture], validation: 0.1, test: 0.2}}}}",
        f"sender.trunk={TRUNK}",
        f"receiver.trunk={TRUNK}",
        f"receiver.reader.trunk={TRUNK}",
        f"biases.0.trunk={TRUNK}",
        f"game.candidates={games}",
        f"train.games={games}",
    ]
    return load(Config, "learning-to-draw/stl10-original-perceptual", changed).config


def as_the_original(learner: Learner) -> None:
    """A step with the same agents and the same game; every pass of a photo and a sketch that the original makes."""
    run = learner.run
    config, gallery = run.config, run.gallery
    trunk = run.trunks[TorchvisionTrunk(weights="random")]
    dealt = config.game.deal(gallery, "train", config.train.games, learner.dealing, run.step)
    photo, pool = gallery.view(dealt.shown), gallery.view(dealt.pool.flatten())
    pair = run.pair(0, 0, training=True)
    with torch.no_grad():
        trunk(photo.pixels(), LEVELS[-1:])  # the sender's look; the numbers are those that the cache holds
        trunk(pool.pixels(), LEVELS[-1:])  # the receiver's
        seen = trunk(photo.pixels(), LEVELS)  # the perceptual loss's
    strokes = pair.draw(photo, dealt.generator())
    ink = lines(strokes.points, config.canvas.size, 5e-4)
    scores = pair.score(ink, pool, dealt.pool.shape[0], dealt.pool_of, dealt.generator())
    loss = torch.nn.functional.multi_margin_loss(scores, dealt.target)
    loss = loss + likeness(trunk(on_paper(ink), LEVELS), seen, [1.0] * 5).mean()
    for optimiser in learner.optimisers.values():
        optimiser.zero_grad(set_to_none=True)
    loss.backward()
    run.trunks.forget()
    for optimiser in learner.optimisers.values():
        optimiser.step()
    run.step += 1


def one_pass(run: Run, games: int) -> None:
    """What is left of the trunk's work: the sketches, there and back."""
    ink = torch.rand(games, 96, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = run.trunks.sketches(TorchvisionTrunk(weights="random"), ink, LEVELS)
    torch.stack([level.square().mean() for level in found]).sum().backward()
    run.trunks.forget()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--games", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "noise"
        pictures.mkdir()
        learner = Learner(assemble(paper(options.games, pictures), Path(folder), torch.device("cpu")))
    ways: dict[str, Callable[[], object]] = {
        "as the original is written": lambda: as_the_original(learner),
        "lascaux": learner.step,
        "the trunk's one pass over the sketches": lambda: one_pass(learner.run, options.games),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, step in ways.items():
            began = time.process_time()
            step()
            taken[name].append(round(time.process_time() - began, 2))
    original, ours, one = (taken[name] for name in ways)
    found = {
        "about": about(),
        "games a step": options.games,
        "CPU seconds": taken,
        "ratio": [round(a / b, 2) for a, b in zip(original, ours, strict=True)],
        "the one pass, part of the step": round(statistics.median(one) / statistics.median(ours), 3),
    }
    write("paper_step.json", found)
    print(found)


if __name__ == "__main__":
    main()
