"""``lascaux scenes``, as one types it."""

from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from runs.cli import app

RUN = CliRunner()


def test_scenes_are_made_and_shown(tmp_path: Path) -> None:
    folder, sheet = tmp_path / "mini", tmp_path / "sheet.png"
    options = ["--train", "5", "--val", "1", "--test", "0", "--size", "24x16", "--samples", "1", "--set", "most=4"]
    made = RUN.invoke(app, ["scenes", "make", str(folder), *options])
    assert made.exit_code == 0, made.output
    assert "5 train, 1 val scenes of 3 to 4 objects, 24x16 pixels" in made.output
    shown = RUN.invoke(app, ["scenes", "show", str(folder), "--boxes", "--out", str(sheet)])
    assert shown.exit_code == 0, shown.output
    assert "5 train scenes of 3 to 4 objects" in shown.output
    with Image.open(sheet) as image:
        assert image.size == (3 * 192 + 2 * 4, 2 * 128 + 4)


def test_wrong_words_are_told_in_a_line(tmp_path: Path) -> None:
    for words, line in (
        (["--size", "big"], "'big' is no size (--size)"),
        (["--set", "mots=3"], "did you mean 'most'?"),
        (["--set", "least=9", "--set", "most=3"], "least is 9, most 3"),
    ):
        found = RUN.invoke(app, ["scenes", "make", str(tmp_path / "x"), "--train", "1", *words])
        assert found.exit_code == 2
        assert line in found.output
        assert not (tmp_path / "x").exists()
