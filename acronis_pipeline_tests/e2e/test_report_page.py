"""A report's page as a person sees it: from disk, wide and narrow, light and dark, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acronis_pipeline import evaluate as evaluation
from acronis_pipeline import reporting
from acronis_pipeline_tests.e2e.browsing import IN_A_BROWSER, open_browser
from acronis_pipeline_tests.evaluate.worlds import DATASET, GOLD, build

_LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text of normal size."""

pytestmark = IN_A_BROWSER

CONTRASTS = """() => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number)
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0)
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = channels(getComputedStyle(at).backgroundColor)
            if (colour.length < 4 || colour[3] > 0) return colour
        }
    }
    const texts = [...document.querySelectorAll('body *')].filter(e =>
        e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    return texts.map(element => {
        const style = getComputedStyle(element)
        const ink = element.closest('svg') ? style.fill : style.color
        const [a, b] = [light(channels(ink)), light(ground(element))].sort((x, y) => y - x)
        return [(a + 0.05) / (b + 0.05), element.tagName + '.' + (element.className.baseVal ?? element.className)]
    })
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    store, base, tuned = build(folder)
    report = evaluation.refresh(store, "words", DATASET, GOLD, base, tuned).report
    encoders = {"base": base.encoder, "fine_tuned": tuned.encoder}
    reporting.publish(folder, reporting.ReportView(store, report), encoders)
    return reporting.report_file(folder, report.report_id)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with open_browser() as browser:
        yield browser


@pytest.mark.parametrize("width", [1400, 700, 380])
def test_page_opens_from_disk_asks_for_nothing_and_needs_no_sideways_scrolling(browser, file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    assert page.locator(".verdict").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert asked == [file.as_uri()]
    assert complaints == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser, file: Path, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    weak = [(round(ratio, 1), where) for ratio, where in page.evaluate(CONTRASTS) if ratio < _LEAST_CONTRAST]
    assert weak == []
    page.close()


def test_verdict_and_headline_fit_on_the_first_screen(browser, file: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(file.as_uri())
    box = page.locator("dl.cards").bounding_box()
    assert box["y"] + box["height"] < 900
    page.close()


def test_misses_open_by_keyboard_and_the_list_at_the_top_leads_to_them(browser, file: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    page.goto(file.as_uri())
    page.get_by_role("link", name="Worst misses").click()
    assert page.locator("h2#misses").bounding_box()["y"] < 200
    closed = page.locator("main > details:not([open]) summary").first
    closed.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    page.close()


def test_printing_shows_what_is_folded_on_the_screen(browser, file: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    folded = page.locator("details:not([open]) .inside").first
    assert folded.bounding_box()["height"] > 20
    page.close()
