"""The folder that is put in front of people, and the key that is not."""

import csv
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from games.pictures import load_gallery
from perception import Trunks
from raster import CanvasConfig, InputError, Strokes
from runs.study import export
from runs.study.bundle import PARTS
from runs.study.files import read_table
from runs.study.layout import SCRIPTS, study_id


def _texts(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _picture(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("shown", ["raster", "vector"])
def test_no_name_of_a_class_artist_agent_or_run_is_in_the_folder(world, tmp_path, shown):
    study = world.export(tmp_path / "study", shown=shown)
    hidden = [*world.names, *world.pictures.classes[1:], "twemoji", "secret-run"]
    for path, content in _texts(study.path).items():
        for name in hidden:
            assert name.encode() not in content, f"{name!r} in {path.name}"
            assert json.dumps(name)[1:-1].encode() not in content, f"{name!r} in {path.name}"
        if path.parent.name == "stimuli":
            assert re.fullmatch(r"[0-9a-f]{20}\.(png|svg)", path.name)
    assert not any(study.path.rglob("*key*"))


def test_every_file_that_the_study_names_is_there_and_nothing_else(world, tmp_path):
    study = world.export(tmp_path / "study", lists=2, trials=4)
    data = json.loads((study.path / "study.json").read_text())
    shown = [[trial["stimulus"], trial["photo"], *trial["choices"]] for trial in data["trials"].values()]
    named = {name for names in shown for name in names if name is not None}
    assert {str(path.relative_to(study.path)) for path in (study.path / "stimuli").iterdir()} == named
    assert {path.name for path in study.path.iterdir()} == {
        *("index.html", "study.json", "style.css", "trials.csv", "README.md", "stimuli", *SCRIPTS)
    }
    script = (study.path / "study.js").read_text()
    assert json.loads(script.removeprefix("window.STUDY = ").rstrip().removesuffix(";")) == data
    assert study_id(data) == data["id"] == study.id
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_key_says_what_each_trial_was(world, tmp_path):
    study = world.export(tmp_path / "study", choices=4)
    data = json.loads((study.path / "study.json").read_text())
    rows = {row["trial"]: row for row in read_table(study.key)}
    assert rows.keys() == data["trials"].keys()
    by_png = {}
    for path in (study.path / "stimuli").iterdir():
        by_png[f"stimuli/{path.name}"] = _picture(path)
    for id, row in rows.items():
        names, target = json.loads(row["names"]), int(row["target"])
        assert names[target] == row["target_name"]
        assert json.loads(row["classes"])[target] == row["class"]
        assert row["study"] == study.id
        assert row["run"] == ("secret-run" if row["kind"] == "pick" else "")
        for name, file in zip(names, data["trials"][id]["choices"], strict=True):
            assert np.array_equal(by_png[file], world.pixels[world.names.index(name)])
        if row["kind"] == "pick":
            assert row["agent_correct"] == str(int(row["agent_choice"] == row["target"]))
            assert 0 <= float(row["agent_probability"]) <= 1
        else:
            assert np.array_equal(by_png[data["trials"][id]["stimulus"]], by_png[data["trials"][id]["choices"][target]])
            assert data["trials"][id]["stimulus"] not in data["trials"][id]["choices"]


def test_people_see_the_canvas_of_the_receiver_or_clean_paths(world, tmp_path):
    rasters = world.export(tmp_path / "a", shown="raster")
    vectors = world.export(tmp_path / "b", shown="vector")
    keys = {row["trial"]: row for row in read_table(rasters.key)}
    a, b = (json.loads((study.path / "study.json").read_text()) for study in (rasters, vectors))
    assert (a["shown"], b["shown"]) == ("raster", "vector")
    for id, trial in a["trials"].items():
        if trial["kind"] == "catch":
            continue
        name = keys[id]["target_name"]
        game = next(game for game in world.games if world.names[game.target_picture] == name)
        seen = _picture(rasters.path / trial["stimulus"])
        candidates = [one for one in world.games if world.names[one.target_picture] == name]
        points = [torch.tensor(one.drawing["strokes"]) for one in candidates]
        inks = [CanvasConfig(size=32).draw(Strokes(each), 0).numpy() for each in points]
        assert any(np.abs(seen / 255 - (1 - ink)).max() < 1 / 255 for ink in inks)
        svg = (vectors.path / b["trials"][id]["stimulus"]).read_text()
        assert svg.count("<path") == len(game.drawing["strokes"])
        assert 'width="32"' in svg


def test_a_seed_gives_the_same_folder_and_another_seed_another(world, tmp_path):
    folders = [world.export(tmp_path / name, seed=seed).path for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    a, b, c = ({str(path.relative_to(folder)): text for path, text in _texts(folder).items()} for folder in folders)
    assert a == b
    assert a.keys() != c.keys()


def test_without_npm_scripts_come_from_the_cdn_with_integrity_hashes(world, tmp_path):
    study = world.export(tmp_path / "study")
    page = (study.path / "index.html").read_text()
    for part in PARTS:
        assert re.search(f'"{re.escape(part.url)}" integrity="{re.escape(part.integrity)}" crossorigin', page)
    assert not (study.path / "vendor").exists()
    assert "needs the network" in (study.path / "README.md").read_text()


def test_a_bundled_folder_names_nothing_outside_itself(world, bundle, tmp_path):
    study = world.export(tmp_path / "study", parts=bundle)
    page = (study.path / "index.html").read_text()
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address == "data:," or (study.path / address).is_file(), address
    for name in (*SCRIPTS, "style.css", "index.html"):
        assert "//cdn" not in (study.path / name).read_text()


def test_the_consent_placeholder_is_loud_and_a_given_text_is_not(world, tmp_path):
    without = world.export(tmp_path / "a", consent=None)
    assert without.placeholder
    assert "NO CONSENT TEXT" in json.loads((without.path / "study.json").read_text())["consent"]
    assert "no consent text" in (without.path / "README.md").read_text()
    given = world.export(tmp_path / "b", consent="<script>x</script>")
    assert not given.placeholder
    assert json.loads((given.path / "study.json").read_text())["consent"] == "<script>x</script>"


def test_trials_csv_has_a_row_a_trial_and_no_space_in_a_column(world, tmp_path):
    study = world.export(tmp_path / "study", trials=4, lists=2, choices=3)
    rows = list(csv.DictReader(io.StringIO((study.path / "trials.csv").read_text())))
    assert len(rows) == 2 * (4 + 2)
    columns = ["trial", "list", "display", "part", "question", "about", "stimulus", "photo", "n_choices"]
    assert list(rows[0]) == [*columns, "choice_01", "choice_02", "choice_03"]


def test_a_used_folder_is_refused_and_left_as_it_is(world, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="in use"):
        world.export(tmp_path / "study")
    assert [path.name for path in tmp_path.rglob("*")] == ["study", "mine.txt"]
    study = world.export(tmp_path / "other")
    before = study.key.read_bytes()
    for path in sorted(study.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(InputError, match="key of another study"):
        world.export(tmp_path / "other")
    assert study.key.read_bytes() == before


def test_a_failed_export_leaves_nothing(world, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runs.study.exporting.write_whole", full)
    with pytest.raises(OSError, match="No space"):
        world.export(tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"game": "chess"}, "no game 'chess'"),
        ({"game": "same"}, "no test games of kind 'same'.*it has artist"),
        ({"shown": "smell"}, "cannot show"),
    ],
)
def test_what_cannot_be_exported_is_told(world, tmp_path, wrong, said):
    with pytest.raises(InputError, match=said):
        world.export(tmp_path / "study", **wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run_folder(world, tmp_path):
    """A run's folder as far as a study reads it: digits, and games logged on them."""
    folder = tmp_path / "run"
    (folder / "plays").mkdir(parents=True)
    (folder / "config.yaml").write_text("name: digits-run\npictures: {kind: digits, size: 32}\ncanvas: {size: 32}\n")
    from runs.config import Config
    from runs.loading import load

    config = load(Config, folder / "config.yaml", []).config
    gallery = load_gallery(config.pictures, Trunks(torch.device("cpu")))
    pictures = {
        "content": gallery.content,
        "names": [f"{label}" for label in gallery.label.tolist()],
        "classes": gallery.classes,
        "label": gallery.label.tolist(),
    }
    (folder / "pictures.json").write_text(json.dumps(pictures))
    (folder / "plays" / "test.jsonl").write_text("".join(line + "\n" for line in world.lines()))
    return folder


def test_a_run_becomes_a_study(run_folder, tmp_path):
    (tmp_path / "consent.txt").write_text("Our consent text.")
    study = export(run_folder, tmp_path / "study", trials=8, offline=False, consent=tmp_path / "consent.txt")
    assert (study.game, study.trials, study.choices, study.placeholder) == ("artist", 8, 10, False)
    data = json.loads((study.path / "study.json").read_text())
    first = next(iter(data["trials"].values()))
    assert _picture(study.path / first["choices"][0]).shape == (32, 32, 3)
    assert {row["run"] for row in read_table(study.key) if row["kind"] == "pick"} == {"digits-run"}


def test_a_run_on_other_pictures_is_refused(run_folder, tmp_path):
    data = json.loads((run_folder / "pictures.json").read_text())
    (run_folder / "pictures.json").write_text(json.dumps(data | {"content": "other"}))
    with pytest.raises(InputError, match="not those that the run played with"):
        export(run_folder, tmp_path / "study", trials=2, offline=False)
    with pytest.raises(InputError, match="no run here"):
        export(tmp_path, tmp_path / "study", offline=False)
    with pytest.raises(InputError, match="consent text cannot be read"):
        export(run_folder, tmp_path / "study", offline=False, consent=tmp_path / "none.txt")
    assert not (tmp_path / "study").exists()
