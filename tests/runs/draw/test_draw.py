"""Drawing pictures by optimisation: what it promises, from Python."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from perception import TimmTrunk
from raster import InputError, from_quickdraw, from_svg
from runs.draw import DrawConfig, draw, load_drawn
from runs.draw.search import Search
from runs.draw.studio import Studio, album_of

Small = Callable[..., DrawConfig]
TRUNK = {"kind": "timm", "name": "test_resnet", "weights": "random"}


def searched(config: DrawConfig, photos: list[Path]) -> Search:
    """The search alone, to its end: nothing is written."""
    search = Search(Studio(config, album_of(photos, config.canvas.size, config.fit), torch.device("cpu")))
    search.look()
    while not search.done:
        search.advance()
    return search


def test_it_leaves_all_that_a_person_wants(small: Small, photos: list[Path], tmp_path: Path) -> None:
    done = draw(small(), photos, tmp_path / "out", progress=False, device="cpu", watch=tmp_path / "watch.png")
    assert set(done.sheets) == {"upright", "lying"}
    wanted = {f"{name}{end}" for name in done.sheets for end in (".svg", ".png", ".safetensors", ".ndjson")}
    wanted |= {f"{name}-{what}.webp" for name in done.sheets for what in ("found", "drawn")}
    wanted |= {"config.yaml", "env.json", "status.json", "metrics.jsonl", "summary.json", "pictures.json"}
    wanted |= {"report.html", "checkpoints"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted
    sheet = done.sheets["upright"]
    back, size = from_svg(tmp_path / "out" / "upright.svg")
    assert size == (16, 16)
    assert torch.allclose(back.points, sheet.strokes.points.double().to(back.points), atol=1e-5)
    (line,) = from_quickdraw(tmp_path / "out" / "upright.ndjson")
    assert line.word == "upright"
    assert line.strokes.count == 6
    with Image.open(tmp_path / "out" / "upright.png") as picture:
        assert picture.size == (32, 32)
    with Image.open(tmp_path / "out" / "upright-found.webp") as film:
        assert film.size == (24, 24)
        assert getattr(film, "n_frames", 1) > 1
    with Image.open(tmp_path / "watch.png") as watched:
        assert watched.size == (4 * 198 + 6, 198 + 6)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert json.loads((tmp_path / "out" / "status.json").read_text())["state"] == "finished"
    again = load_drawn(tmp_path / "out").sheets["upright"]
    assert torch.equal(again.strokes.points, sheet.strokes.points)


def test_it_finds_the_bar(small: Small, photos: list[Path]) -> None:
    search = searched(small(steps=150, strokes={"kind": "line", "count": 4}), photos)
    assert (search.best < 0.35 * (1 - search.studio.gallery.pixels.float() / 255).square().mean((1, 2, 3))).all()
    strokes, _ = search.drawn()
    ends = strokes.points[:, 0]  # the stroke that is worth most lies along the bar
    along = (ends[:, 1] - ends[:, 0]).abs()
    assert along[0, 1] > 2 * along[0, 0]
    assert along[1, 0] > 2 * along[1, 1]


@pytest.mark.parametrize("kind", ["point", "polyline", "quadratic", "cubic", "catmull-rom"])
def test_every_primitive_with_all_that_it_can_carry_gets_better(small: Small, photos: list[Path], kind: str) -> None:
    strokes = {"kind": kind, "count": 5, "width": {}, "opacity": True, "colour": True, "paper": True}
    config = small(strokes=strokes, canvas={"size": 16, "compose": "over"}, steps=20)
    search = Search(Studio(config, album_of(photos, 16, "crop"), torch.device("cpu")))
    search.look()
    before = search.best.clone()
    while not search.done:
        search.advance()
    assert (search.best < before).all()
    strokes_found, paper = search.drawn()
    assert strokes_found.colour is not None
    assert paper is not None
    assert paper.shape == (2, 3, 1, 1)


@pytest.mark.parametrize(
    "bias",
    [
        {"kind": "likeness", "trunk": TRUNK, "levels": [0, 1]},
        {"kind": "clip", "trunk": TRUNK, "copies": 2},
        {"kind": "copy", "by": "blurred"},
        {"kind": "copy", "by": "gaussian"},
        {"kind": "copy", "by": "dog"},
        {"kind": "spread"},
        {"kind": "novelty", "memory": 8},
        {"kind": "likeness", "trunk": TRUNK, "levels": [0, 1], "learn": True},
    ],
    ids=lambda bias: "-".join(str(value) for value in bias.values() if isinstance(value, str | bool)),
)
def test_a_bias_that_was_written_for_a_game_works_here(small: Small, photos: list[Path], bias: dict[str, Any]) -> None:
    others = [{"kind": "ink", "weight": 0.01}, {"kind": "smooth"}, {"kind": "inside"}, {"kind": "tremor"}]
    config = small(biases=[bias, *others], canvas={"size": 32}, steps=3)
    search = searched(config, photos)
    assert search.best.isfinite().all()
    assert next(iter(search.costs)) == bias["kind"]


@pytest.mark.parametrize("kind", ["inside", "smooth", "brevity"])
def test_a_cost_that_sees_no_canvas_is_enough(small: Small, photos: list[Path], kind: str) -> None:
    search = searched(small(biases=[{"kind": kind}], steps=8), photos)
    assert search.best.isfinite().all()


def test_photos_pass_a_trunk_once_and_drawings_once_a_step(small: Small, photos: list[Path]) -> None:
    like = {"kind": "likeness", "trunk": TRUNK, "levels": [0, 1]}
    config = small(biases=[like], canvas={"size": 32}, steps=4, look_every=4, relocate=None)
    search = searched(config, photos)
    passes = search.studio.trunks[TimmTrunk.model_validate(TRUNK)].passes
    assert passes == 2 + 2 * (4 + 2)  # the photos; the drawings in four steps and two looks


def test_a_picture_is_drawn_the_same_whoever_stands_beside_it(small: Small, photos: list[Path]) -> None:
    both, alone = searched(small(), photos), searched(small(), photos[1:])
    assert torch.allclose(both.drawn()[0].points[1], alone.drawn()[0].points[0], atol=1e-4)


def test_the_best_of_several_seeds_is_kept(small: Small, photos: list[Path]) -> None:
    several = searched(small(seeds=3), photos)
    costs = several.best.reshape(2, 3)
    assert torch.equal(several.best[several.chosen()], costs.min(1).values)
    assert len(costs[0].unique()) == 3
    one = searched(small(), photos)
    assert torch.allclose(one.best, costs[:, 0], atol=1e-6)  # the first seed is the run with one


def test_what_is_kept_costs_what_is_told(small: Small, photos: list[Path]) -> None:
    search = searched(small(seeds=2), photos)
    strokes, _ = search.drawn()
    ink = search.config.canvas.draw(strokes, 10**6)
    dark = 1 - search.studio.gallery.pixels.float() / 255
    grey = (dark * torch.tensor([0.2989, 0.587, 0.114])[:, None, None]).sum(1)
    assert torch.allclose((ink - grey).square().mean((1, 2)), search.best[search.chosen()], atol=1e-4)


def test_killed_and_resumed_is_the_same_bit_for_bit(small: Small, photos: list[Path], tmp_path: Path) -> None:
    like = [{"kind": "copy"}, {"kind": "novelty", "memory": 4}, {"kind": "tremor"}]
    config = small(seeds=2, biases=like, strokes={"kind": "line", "count": 6, "opacity": True})
    whole = draw(config, photos, tmp_path / "whole", progress=False, device="cpu")

    class Killed(BaseException):
        pass

    step = Search.advance

    def dying(self: Search) -> None:
        if self.step == 7:
            raise Killed
        step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Search, "advance", dying)
        with pytest.raises(Killed):
            draw(config, photos, tmp_path / "killed", progress=False, device="cpu")
    again = draw(config, photos, tmp_path / "killed", resume=True, progress=False, device="cpu")
    for name, sheet in whole.sheets.items():
        assert torch.equal(sheet.strokes.points, again.sheets[name].strokes.points)
    for file in ("upright.svg", "lying.safetensors", "lying-found.webp", "checkpoints/last.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "killed" / file).read_bytes(), file
    lines = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 9, 12]


def test_ctrl_c_leaves_the_best_so_far_and_can_go_on(
    small: Small, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Search.advance

    def interrupted(self: Search) -> None:
        step(self)
        if self.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Search, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw(small(), photos, tmp_path / "out", progress=False, device="cpu")
    assert json.loads((tmp_path / "out" / "status.json").read_text()) == {
        "state": "interrupted",
        "step": 5,
        "steps": 12,
    }
    assert load_drawn(tmp_path / "out").sheets["lying"].strokes.count == 6
    assert (tmp_path / "out" / "report.html").is_file()
    monkeypatch.setattr(Search, "advance", step)
    draw(small(), photos, tmp_path / "out", resume=True, progress=False, device="cpu")
    assert json.loads((tmp_path / "out" / "status.json").read_text())["state"] == "finished"


def test_it_stops_when_nothing_gets_better(small: Small, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), "white").save(tmp_path / "white.png")
    config = small(biases=[{"kind": "ink", "free": 1.0}], steps=1000, patience=6, relocate=None)
    search = searched(config, [tmp_path / "white.png"])
    assert search.step == 6


def test_it_does_not_stop_before_its_schedules_have_ended(small: Small, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), "white").save(tmp_path / "white.png")
    canvas = {"size": 16, "sigma2": {"from": 1e-2, "to": 1e-3, "over": 20}}
    config = small(biases=[{"kind": "ink", "free": 1.0}], steps=1000, patience=6, canvas=canvas, relocate=None)
    assert searched(config, [tmp_path / "white.png"]).step == 26


def test_the_canvas_grows(small: Small, photos: list[Path]) -> None:
    config = small(coarse=[{"size": 8, "steps": 3}, {"size": 12, "steps": 4}], steps=10)
    assert [config.size_at(step) for step in (0, 2, 3, 6, 7, 9)] == [8, 8, 12, 12, 16, 16]
    search = Search(Studio(config, album_of(photos, 16, "crop"), torch.device("cpu")))
    assert search.studio.look(0, search.dealing).play.canvas.shape == (2, 8, 8)
    assert search.studio.look(0, search.dealing, final=True).play.canvas.shape == (2, 16, 16)


def test_a_stroke_that_nobody_sees_is_moved_to_where_ink_is_missing(small: Small, photos: list[Path]) -> None:
    config = small(relocate={"every": 1, "share": 0.5, "length": 0.2, "until": 1.0})
    search = Search(Studio(config, album_of(photos[:1], 16, "crop"), torch.device("cpu")))
    with torch.no_grad():
        points = search.studio.free.raw["points"]
        points[0] = torch.tensor([[0.0, -0.7], [0.0, -0.2]])  # on the bar's upper half
        points[0, 2:4] = torch.tensor([[0.9, 0.9], [0.95, 0.9]])  # on white: in the way
    search.advance()
    moved = search.studio.free.raw["points"][0, 2:4].mean(1).detach()  # their middles
    assert (moved[:, 0].abs() < 0.6).all()
    assert (moved[:, 1] > -0.3).any()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_of_any_mode_is_drawn(small: Small, tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"picture.{'tif' if mode in ('F', 'CMYK', 'I;16') else 'png'}"
    Image.new(mode, (30, 20)).save(path)
    album = album_of([path], 16, "crop")
    assert album.pixels.shape == (1, 3, 16, 16)


def test_a_picture_that_lies_on_its_side_is_put_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (20, 20), "white")
    picture.paste("black", (0, 0, 20, 10))  # dark above
    exif = picture.getexif()
    exif[0x0112] = 3  # upside down
    picture.save(tmp_path / "turned.jpg", exif=exif)
    pixels = album_of([tmp_path / "turned.jpg"], 16, "crop").pixels[0].mean(0)
    assert pixels[:6].mean() > 200
    assert pixels[-6:].mean() < 60


def test_two_pictures_of_one_name_get_numbers(small: Small, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    Image.open(photos[1]).save(tmp_path / "other" / "upright.png")
    done = draw(small(steps=2), [photos[0], tmp_path / "other" / "upright.png"], tmp_path / "out", progress=False)
    assert list(done.sheets) == ["upright", "upright-2"]


def test_the_global_generator_is_left_alone(small: Small, photos: list[Path]) -> None:
    before = torch.random.get_rng_state()
    searched(small(biases=[{"kind": "copy"}, {"kind": "novelty"}]), photos)
    assert torch.equal(torch.random.get_rng_state(), before)


# what is refused


def test_a_used_folder_another_config_and_other_pictures_are_refused(
    small: Small, photos: list[Path], tmp_path: Path
) -> None:
    draw(small(steps=2), photos, tmp_path / "out", progress=False)
    kept = (tmp_path / "out" / "upright.svg").read_bytes()
    with pytest.raises(InputError, match="the folder is not empty"):
        draw(small(steps=2), photos, tmp_path / "out", progress=False)
    with pytest.raises(InputError, match="another config: steps: 2 -> 3"):
        draw(small(steps=3), photos, tmp_path / "out", resume=True, progress=False)
    with pytest.raises(InputError, match="of other pictures"):
        draw(small(steps=2), photos[::-1], tmp_path / "out", resume=True, progress=False)
    draw(small(steps=2), photos, tmp_path / "out", resume=True, progress=False)  # finished: it is left as it is
    assert (tmp_path / "out" / "upright.svg").read_bytes() == kept


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.png", b"", "not a picture"),
        ("words.jpg", b"words", "not a picture"),
        ("gone.png", None, "not a file"),
        ("cut.png", "cut", "damaged"),
        ("tiny.png", "tiny", "too few"),
        ("huge.png", "huge", "too many pixels"),
    ],
)
def test_a_picture_that_is_none_is_one_line_and_leaves_nothing(
    small: Small, photos: list[Path], tmp_path: Path, name: str, content: Any, told: str
) -> None:
    path = tmp_path / name
    if content == "cut":
        path.write_bytes(photos[0].read_bytes()[:60])
    elif content == "tiny":
        Image.new("RGB", (2, 2)).save(path)
    elif content == "huge":
        Image.new("1", (10_000, 9_000)).save(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        draw(small(), [photos[0], path], tmp_path / "out", progress=False)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_damaged_checkpoints_and_strokes_are_told_by_name(small: Small, photos: list[Path], tmp_path: Path) -> None:
    draw(small(steps=2), photos, tmp_path / "out", progress=False)
    (tmp_path / "out" / "upright.safetensors").write_bytes(b"no strokes")
    with pytest.raises(InputError, match=r"damaged strokes.*upright.safetensors"):
        load_drawn(tmp_path / "out")
    status = tmp_path / "out" / "status.json"
    status.write_text(status.read_text().replace("finished", "interrupted"))
    (tmp_path / "out" / "checkpoints" / "last.state").write_bytes(b"no state")
    with pytest.raises(InputError, match=r"damaged checkpoint.*last.state"):
        draw(small(steps=2), photos, tmp_path / "out", resume=True, progress=False)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"biases": [{"kind": "shape"}]}, "nothing pulls the strokes"),
        ({"coarse": [{"size": 32, "steps": 2}]}, "canvases must grow"),
        ({"coarse": [{"size": 8, "steps": 12}]}, "leave none for the whole canvas"),
        ({"biases": [{"kind": "likeness", "trunk": {"kind": "timm", "name": "judge"}}]}, "is the judge"),
        ({"start": {"kind": "saliency", "trunk": {"kind": "timm", "name": "judge"}}}, "start.trunk is the judge"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(small: Small, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        small(**changes)


def test_a_watch_file_that_cannot_be_is_refused_first(small: Small, photos: list[Path], tmp_path: Path) -> None:
    for watch, told in ((tmp_path / "no" / "w.png", "no picture can be written"), (tmp_path / "w.txt", "say .png")):
        with pytest.raises(InputError, match=told):
            draw(small(), photos, tmp_path / "out", watch=watch, progress=False)
    assert not (tmp_path / "out").exists()
