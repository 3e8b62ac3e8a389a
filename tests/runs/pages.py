"""What tests look at in a page."""

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Every tag with its attributes, in order, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def report_of(folder: Path) -> Page:
    """The report in a run's folder."""
    return Page((folder / "report.html").read_text(encoding="utf-8"))
