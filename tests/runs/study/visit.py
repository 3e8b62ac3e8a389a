"""A study opened in a browser, as a participant would."""

import csv
import json

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}


class Visit:
    """A page of a study, with all that it asked for and complained about."""

    def __init__(self, browser, study, size, folder, query="", context=None, url=None):
        self.context = context or browser.new_context(viewport=size, accept_downloads=True)
        self.page = self.context.new_page()
        self.folder = folder
        self.outside, self.complaints = [], []  # but jsPsych says that file:// has no sound or video
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto((url or (study.path / "index.html").as_uri()) + query)

    def _asked(self, url):
        if not url.startswith(("file:", "data:", "blob:")):
            self.outside.append(url)

    def _said(self, kind, text):
        if kind in ("error", "warning") and "file:// protocol" not in text:
            self.complaints.append(text)

    def shot(self, name):
        self.page.screenshot(path=self.folder / f"{name}.png")

    def overflow(self):
        return self.page.evaluate("document.scrollingElement.scrollWidth - document.documentElement.clientWidth")

    def agree_and_read(self):
        self.page.get_by_role("button", name="I agree").click()
        self.page.locator("#jspsych-instructions-next").click()
        self.page.locator("#jspsych-instructions-next").click()

    def asked(self):
        """The picture that stands above the question now."""
        self.page.locator(".tile:not([disabled])").first.wait_for()
        return self.page.locator(".ask img").get_attribute("src")

    def answer(self, number):
        """Click the numbered picture; with None, "Cannot tell"."""
        before = self.asked()
        place = self.page.locator(".tile").nth(number) if number is not None else self.page.locator(".cannot-tell")
        place.click()
        self.page.wait_for_function(
            "before => document.querySelector('.ask img')?.getAttribute('src') !== before", arg=before
        )

    def save(self, act):
        with self.page.expect_download() as download:
            act()
        path = self.folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


def scored(found, saved):
    """The rows of a score's responses.csv by trial, of one sitting's file."""
    trial = {row["position"]: row["trial"] for row in json.loads(saved.read_text()) if row.get("trial")}
    with (found.folder / "responses.csv").open(newline="", encoding="utf-8") as file:
        return {trial[int(row["position"])]: row for row in csv.DictReader(file)}
