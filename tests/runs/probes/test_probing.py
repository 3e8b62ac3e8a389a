"""Many runs probed at once: seeds of one config together, runs side by side, what one of them cannot answer."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from typer.testing import CliRunner, Result

from raster import Strokes
from raster.errors import InputError
from runs.cli import app
from runs.config import Config
from runs.drawings import one_of, written
from runs.finding import Curve, Drawn, Finding, plain
from runs.folder import Folder
from runs.probing import folders, measure, open_and_probe, pooled
from runs.report.drawn import PALE, drawn_svg, shades
from runs.report.probes import Probed, sections, write_probes_page
from runs.run import Run
from runs.start import load
from tests.runs.pages import Page

Make = Callable[..., Config]


def called(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def seeds(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The finished run as three runs that say that they differ in their seed."""
    found = []
    for seed in range(3):
        folder = tmp_path_factory.mktemp("seeds") / f"s{seed}"
        shutil.copytree(finished.folder.path, folder)
        config = folder / "config.yaml"
        config.write_text(re.sub(r"^seed: 0$", f"seed: {seed}", config.read_text(), flags=re.MULTILINE))
        found.append(folder)
    return found


def row(value: float, **more: Any) -> dict[str, Any]:
    return plain(Finding(value, value - 0.1, value + 0.1, 20, 0.1, {"blank": value / 2, "random": 0.1}, **more))


def one(config: Config, name: str, value: float, **more: Any) -> Probed:
    return Probed(name, config, {"rate": {"same": row(value, **more)}})


# Pooling


def test_seeds_of_one_config_are_pooled_with_the_interval_over_them(small: Make) -> None:
    values = [0.5, 0.6, 0.8]
    runs = [one(small(seed=seed, name=f"s{seed}"), f"s{seed}", value) for seed, value in enumerate(values)]
    other = one(small(seed=0, canvas={"size": 20}), "other", 0.9)
    (group,) = pooled([*runs, other])
    found = group.found["rate"]["same"]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found["value"], found["low"], found["high"]) == pytest.approx((1.9 / 3, expected.low, expected.high))
    assert found["runs"] == 3 and found["n"] == 60 and group.members == ["s0", "s1", "s2"]
    assert found["baselines"] == pytest.approx({"blank": 1.9 / 6, "random": 0.1})


def test_the_same_seed_twice_is_no_sample_of_seeds_and_one_run_no_pool(small: Make) -> None:
    assert pooled([one(small(seed=1), "a", 0.5), one(small(seed=1), "b", 0.6)]) == []
    assert pooled([one(small(), "a", 0.5)]) == []


def test_a_run_that_could_not_be_asked_is_left_out_of_the_mean(small: Make) -> None:
    runs = [one(small(seed=seed), f"s{seed}", 0.5 + seed / 10) for seed in range(3)]
    runs[1].found["rate"]["same"] = {"refused": "why"}
    (group,) = pooled(runs)
    assert group.found["rate"]["same"]["value"] == pytest.approx(0.6) and group.found["rate"]["same"]["runs"] == 2


# Through the command


def test_runs_stand_side_by_side_in_one_table_and_one_json(seeds: list[Path], tmp_path: Path) -> None:
    alone = json.loads(called("probe", seeds[0], "--names", "rate", "--json").stdout)
    page = tmp_path / "page.html"
    both = json.loads(called("probe", *seeds, "--names", "rate", "--json", "--report", page).stdout)
    assert set(both) == {"runs", "pooled"} and list(both["runs"]) == [str(each) for each in seeds]
    assert both["runs"][str(seeds[0])] == alone
    (group,) = both["pooled"].values()
    mean = sum(both["runs"][str(each)]["rate"]["class"]["value"] for each in seeds) / 3
    assert group["rate"]["class"]["value"] == pytest.approx(mean) and group["runs"] == [str(each) for each in seeds]
    assert "rate" in page.read_text() and "3 seeds" in page.read_text()


def test_the_table_of_many_runs_has_a_row_a_run(seeds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = called("probe", *seeds[:2], "--names", "rate").stdout
    assert all(str(each) in text for each in seeds[:2]) and "2 seeds" in text and "random" in text


def test_a_probe_that_one_of_many_cannot_answer_is_told_and_the_rest_stands(seeds: list[Path]) -> None:
    done = called("probe", *seeds[:2], "--names", "rate,readable", "--json")
    assert done.exit_code == 0
    for found in json.loads(done.stdout)["runs"].values():
        assert found["rate"]["same"]["n"] == 20
        (answer,) = found["readable"].values()
        assert "cannot be asked of a run of the game mixture" in answer["refused"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{0}", "{0}/"], "this run is given twice"),
        (["{0}", "nowhere"], "no run here"),
        (["{0}", "--report", "page.txt"], "say a file that ends in .html"),
        (["{0}", "--names", "semanticity"], "nothing says what the names of classes mean"),
        (["{0}", "--names", "semanticity", "--word-vectors", "no.npz"], "there are no word vectors no.npz"),
    ],
)
def test_what_cannot_be_probed_is_told_in_a_line_before_anything_is_written(
    seeds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = called("probe", *[word.format(seeds[0]) for word in words])
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and told in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_run_without_plays_yet_has_no_checkpoint_to_ask(seeds: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "run"
    shutil.copytree(seeds[0], empty)
    shutil.rmtree(empty / "checkpoints")
    with pytest.raises(InputError, match="no checkpoint"):
        open_and_probe(Folder(empty), ["rate"])
    assert len(folders([empty, seeds[0]])) == 2


def test_what_the_command_finds_is_what_the_run_found_at_its_end(finished: Run) -> None:
    written_down = json.loads(finished.folder.probes.read_text())
    assert measure(load(finished.folder.path), ["rate", "prefix"]) == written_down


# The page


def rich_run(config: Config, name: str) -> Probed:
    """A run whose findings have all that a page can show, under names that would like to be more than names."""
    strokes = Strokes(torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(0)) - 0.5)
    drawing = one_of(written(strokes), 0)
    pictures = [Drawn(drawing, "<b>caption</b>", weights=[0.5, -1.0, 0.0], photo=3), Drawn(drawing, heat=[[0.0, 1.0]])]
    nan = float("nan")
    curves = {"a $curve": Curve([1.0, 2.0], [0.1, nan], [0.0, 0.0], [0.2, 0.2])}
    baselines, parts = {"blank": 0.1, "$\\bad{": 0.2}, {"<script>": 0.3, "none": nan}
    finding = Finding(0.5, 0.4, nan, 20, None, baselines, parts, {"a row": {"<i>": 0.1}}, curves, "strokes", pictures)
    lines = [{"step": step, "split": "probes", "rate": 0.1 * step, "rate.low": 0.0} for step in (1, 2)]
    found = {"rate": {"same": plain(finding), "class": {"refused": "<script>alert(1)</script>"}}}
    return Probed(name, config, found, lines, {3: "data:image/png;base64,AA=="})


def test_the_page_shows_all_there_is_and_runs_nothing_of_it(small: Make, tmp_path: Path) -> None:
    runs = [rich_run(small(seed=seed), f"<img src=x>{seed}") for seed in range(2)]
    text = write_probes_page(tmp_path / "page.html", runs, pooled(runs)).read_text()
    page = Page(text)
    assert not {"script", "link", "iframe", "b>caption"} & {tag for tag, _ in page.tags}
    assert all((given.get("src") or "data:").startswith("data:") for _, given in page.tags)
    for told in ("<b>caption</b>", "<script>alert(1)</script>", "<img src=x>0", "a row", "<i>"):
        assert told in page.text
    shown = {given.get("alt") for _, given in page.tags}
    assert {"rate", "rate over training", "photo"} <= shown
    assert sum(tag == "svg" for tag, _ in page.tags) == 4  # two drawings of each run


def test_a_page_of_one_run_names_its_games_and_leaves_out_what_it_has_not(small: Make) -> None:
    (section,) = sections([one(small(), "run", 0.5)])
    assert [each.label for each in section.rows] == ["same"] and section.controls == ["blank", "random"]
    assert section.figure is not None and section.training is None and not section.pictures


def test_strokes_are_red_above_nothing_blue_below_and_grey_at_it() -> None:
    red, grey, blue = shades(torch.tensor([2.0, 0.0, -2.0])).tolist()
    assert red[0] > red[2] and blue[2] > blue[0] and grey == pytest.approx([PALE] * 3)
    half = shades(torch.tensor([2.0, 1.0]))[1].tolist()
    assert red[1] < half[1] < PALE
    assert (shades(torch.zeros(2)) == torch.tensor(PALE)).all()


def test_the_strokes_that_carry_most_are_drawn_last_and_a_map_lies_under_them() -> None:
    drawing = one_of(written(Strokes(torch.tensor([[[[-0.5, 0.0], [0.5, 0.0]], [[0.0, -0.5], [0.0, 0.5]]]]))), 0)
    svg = drawn_svg({"drawing": drawing, "weights": [3.0, 1.0], "heat": None}, 1e-3)
    paths = re.findall(r"<path [^>]*>", svg)
    assert [each.count("-0.5 0") for each in paths] == [0, 1] and "stroke=" in paths[1]
    mapped = drawn_svg({"drawing": drawing, "weights": None, "heat": [[0.0, 2.0], [1.0, 0.0]]}, 1e-3)
    squares = re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)"[^>]*fill-opacity="([\d.]+)"', mapped)
    assert squares == [("0.0000", "-1.0000", "1.00"), ("-1.0000", "0.0000", "0.50")]
    assert mapped.index("fill-opacity") < mapped.index("<path")
