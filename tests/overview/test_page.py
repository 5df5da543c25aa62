"""The report for the web in a real Chromium: charts, table, keyboard, themes, no request, and nothing of a repository run."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scanner.model import Coverage, Skipped
from scanner.overview import Overview, from_store
from scanner.overview.html import page as written
from scanner.store import Store
from scanner.store.results import Known, Occurrence, Repository
from scanner.store.triage import decide
from tests.conftest import keyleash
from tests.overview.made import HOSTILE, MARKUP, RULES, finding, keep, store_at

KNOWN = {rule.id: rule for rule in RULES.rules}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        # Containers run as root and give no user namespace, so the browser's own sandbox cannot start there.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """An open page, and what it said and asked for: both have to stay empty."""

    def __init__(self, browser: Browser, file: Path, scheme: str = "light") -> None:
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page.set_default_timeout(10_000)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        assert self.asked == [file.as_uri()]

    def texts(self, column: int) -> list[str]:
        cells = self.page.locator(f"#rows > tr:not(.details) > :nth-child({column})")
        return [text.strip() for text in cells.all_inner_texts()]

    def status(self) -> str:
        return self.page.locator("#status").inner_text()

    def close(self) -> None:
        assert self.said == []
        assert len(self.asked) == 1
        self.page.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    both = finding("both", severity="critical", date="2019-05-01T00:00:00Z", rule=1)
    levels = ("low", "medium", "high")
    many = [
        finding(number, f"file{number:03}.env", f"{2020 + number % 5}-01-02T03:04:05Z", levels[number % 3])
        for number in range(240)
    ]
    store = store_at(folder / "kept", {"https://git.example.org/site.git": [both, *many[:200]],
                                       "https://git.example.org/api.git": [both, *many[200:]]})  # fmt: skip
    with Store(store) as opened:
        decide(opened, many[7].fingerprint, "revoked", "deleted in IAM", "ann")
    result = keyleash("report", "--store", store, "--output", folder / "report.html")
    assert result.returncode == 0, result.stderr
    return folder / "report.html"


def test_the_charts_are_drawn(browser: Browser, file: Path) -> None:
    seen = Watched(browser, file)
    for kind in ("severity", "rule", "repository", "year"):
        bars = seen.page.locator(f"[data-chart={kind}] .value")
        boxes = [bar.bounding_box() for bar in bars.all()]
        assert boxes, kind
        assert max(box["width"] for box in boxes if box) > 100, kind
    numbers = seen.page.locator("[data-chart=year] .number").all_text_contents()
    assert numbers == ["1", "48", "48", "48", "48", "48"]
    assert seen.page.locator("[data-chart=exposure] polygon").count() == 4
    drawn = seen.page.locator("[data-chart=exposure] polygon").last.bounding_box()
    assert drawn
    assert drawn["width"] > 500
    assert seen.page.locator("[data-chart=longest] .value").count() == 20
    assert "git.example.org/api.git, https://git.example.org/site.git" in seen.page.locator(".shared").inner_text()
    seen.close()


def test_the_table_sorts_filters_searches_and_turns_pages(browser: Browser, file: Path) -> None:
    seen = Watched(browser, file)
    page = seen.page
    assert seen.status() == "241 of 241 findings, 1 to 100 shown"
    assert seen.texts(1)[0] == "critical"
    wraps = "(cell) => getComputedStyle(cell).whiteSpace"
    assert [page.locator(f"#rows > tr:first-child > :nth-child({column})").evaluate(wraps) for column in (3, 5, 7, 8)] == [
        "normal", "nowrap", "nowrap", "nowrap",  # names of repositories may be long, dates and buttons stay whole
    ]  # fmt: skip
    page.locator("th[data-sort=place] button").click()
    assert page.locator("th[data-sort=place]").get_attribute("aria-sort") == "ascending"
    assert page.locator("th[data-sort=severity]").get_attribute("aria-sort") == "none"
    assert seen.texts(4)[:2] == ["a.ini:3:4", "file000.env:3:4"]
    page.locator("th[data-sort=place] button").click()
    assert seen.texts(4)[0] == "file239.env:3:4"
    page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_role("button", name="Next", exact=True).click()
    assert len(seen.texts(4)) == 41
    assert page.get_by_role("button", name="Next", exact=True).is_disabled()
    page.locator("#severity").select_option("low")
    assert set(seen.texts(1)) == {"low"}
    assert seen.status() == "80 of 241 findings"
    page.locator("#state").select_option("revoked")
    assert seen.status() == "0 of 241 findings"
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('241 of')")
    page.get_by_label("Search").fill("FILE007 deleted")
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('1 of')")
    assert seen.texts(7) == ["revoked"]
    seen.close()


def test_a_bar_and_a_link_lead_to_their_findings(browser: Browser, file: Path) -> None:
    seen = Watched(browser, file)
    seen.page.get_by_role("button", name="2021: 48").click()
    assert seen.status() == "48 of 241 findings"
    seen.page.locator(".shared a").first.click()
    seen.page.wait_for_function("() => document.getElementById('status').textContent.startsWith('1 of')")
    assert "Why it is believed" in seen.page.locator(".details").inner_text()
    seen.close()


def test_the_keyboard_is_enough(browser: Browser, file: Path) -> None:
    seen = Watched(browser, file)
    page = seen.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the table of findings"
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('th')?.dataset.sort") == "since":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator("th[data-sort=since]").get_attribute("aria-sort") == "ascending"
    assert seen.texts(5)[0] == "2019-05-01"
    while page.evaluate("document.activeElement.textContent") != "Show":
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    controls = page.evaluate("document.activeElement.getAttribute('aria-controls')")
    told = page.locator(f"#{controls}").inner_text()
    for part in (
        "named 'key'",
        "What to do",
        "keyleash remedy",
        "commit cccccccccccc",
        "Ann <ann@example.org>",
        "still in main",
    ):
        assert part in told
    seen.close()


def test_a_screen_reader_is_told_what_things_are(browser: Browser, file: Path) -> None:
    seen = Watched(browser, file)
    told = seen.page.locator("body").aria_snapshot()
    for part in ('heading "Keyleash"', 'heading "Findings"', 'table', 'columnheader "Severity', 'searchbox "Search"', "status:",
                 'combobox "Repository"', 'navigation "Pages of findings"', 'group "By year of introduction"'):  # fmt: skip
        assert part in told, part
    assert seen.page.locator("input:not([id]), select:not([id])").count() == 0
    seen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_are_readable_and_can_be_chosen(browser: Browser, file: Path, scheme: str) -> None:
    seen = Watched(browser, file, scheme)
    assert (seen.page.evaluate(_CONTRAST, "body") > 7) and (seen.page.evaluate(_CONTRAST, ".badge") > 4.5)
    dark = seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == (scheme == "dark")
    seen.page.locator("#theme").click()  # light
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)"
    seen.page.locator("#theme").click()
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert seen.page.evaluate(_CONTRAST, ".badge") > 4.5
    seen.close()


# WCAG 2.2's contrast of an element's text with the first painted ground behind it.
_CONTRAST = """(selector) => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = (text) => rgb(text).slice(0, 3).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  let ground = document.querySelector(selector);
  const ink = light(getComputedStyle(ground).color);
  while (rgb(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
  const pair = [ink, light(getComputedStyle(ground).backgroundColor)].sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
}"""


def test_it_prints_all_that_is_chosen_and_no_buttons(browser: Browser, file: Path, tmp_path: Path) -> None:
    seen = Watched(browser, file, "dark")
    pdf = seen.page.pdf()
    assert pdf.startswith(b"%PDF")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    seen.page.emulate_media(media="print")
    assert len(seen.texts(1)) == 241
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not seen.page.locator("#filters").is_visible()
    seen.close()


def test_nothing_of_a_hostile_repository_is_more_than_text(browser: Browser, tmp_path: Path) -> None:
    bad = finding("bad", path=HOSTILE, author=HOSTILE, evidence=(HOSTILE, "javascript:alert(1)"))
    bad = bad._replace(redacted=HOSTILE)
    with Store(str(tmp_path / "kept")) as store:
        keep(store, HOSTILE, bad, skipped=(Skipped(HOSTILE, HOSTILE),))
        keep(store, "other" + HOSTILE, bad)
        decide(store, bad.fingerprint, "open", HOSTILE, HOSTILE)
    page = written(from_store(str(tmp_path / "kept"), KNOWN))
    assert not [character for character in page if not character.isprintable() and character != "\n"]
    (tmp_path / "report.html").write_text(page)
    seen = Watched(browser, tmp_path / "report.html")
    seen.page.get_by_role("button", name="Details of").click()
    assert seen.page.title() == "Keyleash: 1 credential in 2 repositories"
    assert seen.page.locator("img").count() == 0
    assert seen.page.locator("script").count() == 2
    shown = seen.page.locator(".details").inner_text()
    plain = MARKUP + "\\x1b[31m\\u202eabc\\u2066\\x00"
    assert shown.count(plain) >= 4  # evidence, repository, place, author
    assert plain in seen.page.locator(".shared").inner_text()
    hrefs = seen.page.evaluate("[...document.querySelectorAll('a[href]')].map((a) => a.getAttribute('href'))")
    assert all(re.match(r"#|https://", href) for href in hrefs)
    seen.close()


def test_the_page_may_neither_ask_the_network_nor_run_anything_else(browser: Browser, file: Path) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', file.read_text())
    assert policy
    assert policy[1].startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert "unsafe" not in policy[1]
    seen = Watched(browser, file)
    failed: list[str | None] = []
    seen.page.on("requestfailed", lambda request: failed.append(request.failure))
    blocked = seen.page.evaluate("""() => new Promise((done) => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.body.append(script);
      const image = new Image();
      image.onerror = () => done(document.title);
      image.src = 'https://example.org/x.png';
    })""")
    assert blocked != "run"
    assert failed == ["csp"]
    assert all("Content Security Policy" in said for said in seen.said)
    seen.page.close()


def test_20_000_findings_are_painted_at_once_and_searched_without_waiting(browser: Browser, tmp_path: Path) -> None:
    names = [f"https://git.example.org/team/repository-{number}.git" for number in range(200)]
    levels = ("low", "medium", "high", "critical")
    found = []
    for number in range(20_000):
        date, path = f"{2015 + number % 11}-02-03T04:05:06Z", f"src/module{number // 200}/settings{number % 200}.py"
        one = finding(number, path, date, levels[number % 4], rule=number % 30)
        here = Occurrence(names[number % 200], one.severity, one.confidence, one.redacted, one.evidence, one.locations)
        found.append(
            Known(one.fingerprint, one.rule.id, one.severity, one.confidence, one.redacted, one.evidence, "", (here,), ())
        )
    repositories = tuple(Repository(name, "complete", None, {}, None, None, Coverage()) for name in names)
    file = tmp_path / "report.html"
    file.write_text(written(Overview(tuple(found), repositories, (), KNOWN)))
    seen = Watched(browser, file)
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    seen.page.wait_for_function(f"() => {paint} > 0")
    assert seen.page.evaluate(paint) < 2000
    assert seen.status() == "20,000 of 20,000 findings, 1 to 100 shown"
    began = time.monotonic()
    seen.page.locator("th[data-sort=since] button").click()
    seen.page.get_by_label("Search").fill("settings77.py module13")
    seen.page.wait_for_function("() => document.getElementById('status').textContent.startsWith('1 of')")
    assert time.monotonic() - began < 5
    assert json.loads(seen.page.locator("#data").text_content() or "")["repositories"]
    seen.close()
