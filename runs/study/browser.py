"""A headless Chromium that a study is driven in."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raster import InputError

__all__ = ["browser", "download_of"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""The pages are our own, and Chromium's sandbox does not start everywhere (in containers, as root)."""


@contextmanager
def browser() -> Iterator[Any]:
    """A browser of playwright's, closed at the end. ``LASCAUX_CHROMIUM`` names another program than the first found.

    Raises:
        InputError: playwright is not installed, or there is no Chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError("a browser is driven by playwright", "study simulate", "pip install playwright") from error
    named = os.environ.get("LASCAUX_CHROMIUM")
    path = named or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None or not Path(path).exists():
        what = f"there is no browser at {named}" if named else "there is no Chromium on this machine"
        raise InputError(what, "study simulate", "install chromium, or name its program in LASCAUX_CHROMIUM")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield opened
        finally:
            opened.close()


def download_of(opened: Any, url: str, script: str, path: Path) -> None:
    """Open a page on its own, with a script that is run before its own, and keep the file that it saves.

    Raises:
        InputError: it saved none within two minutes.
    """
    from playwright.sync_api import Error

    context = opened.new_context(accept_downloads=True)
    try:
        context.add_init_script(script)
        page = context.new_page()
        with page.expect_download(timeout=120_000) as download:
            page.goto(url)
        download.value.save_as(path)
    except Error as error:
        do = "open it in a browser with ?simulate=visual, and see where it stops"
        raise InputError("the page did not come to its end", url.partition("?")[0], do) from error
    finally:
        context.close()
