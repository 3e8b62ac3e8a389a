"""What a command tells a person who got something wrong."""

from typer.testing import Result


def refused(result: Result) -> str:
    """The one line of a wrong input."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.strip().split("\n")
    assert len(lines) == 1, lines
    return lines[0]
