"""The page in a real browser, opened from disk."""

from typing import Any

import pytest

from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from tests.support.browser import clicked, opened, until
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", name="browser")
def of_three_runs(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page of three simulated runs, open in Chromium."""
    results = tmp_path_factory.mktemp("results")
    for batch_size in (1, 2, 4):
        build_run(results, Plan(spec={"batch_size": batch_size}))
    opened(browser, write_report(load(results)).page)
    return browser


def column(browser: Any, name: str) -> list[float]:
    """A column of the results table as it stands on the page."""
    script = """
      const table = document.querySelector('#results table');
      const names = [...table.tHead.rows[0].cells].map((cell) => cell.innerText.trim());
      const index = names.findIndex((name) => name.startsWith(arguments[0]));
      return [...table.tBodies[0].rows].map((row) => Number(row.cells[index].dataset.key));
    """
    values: list[float] = browser.execute_script(script, name)
    return values


def header(browser: Any, name: str) -> Any:
    path = f"//section[@id='results']//th[starts-with(normalize-space(.), '{name}')]"
    return browser.find_element("xpath", path)


def test_the_page_opens_without_an_error_and_asks_the_network_for_nothing(browser: Any) -> None:
    assert browser.get_log("browser") == []
    resources = browser.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert resources == []


def test_a_header_sorts_by_number_up_and_down(browser: Any) -> None:
    for direction, reverse in (("ascending", False), ("descending", True)):
        header(browser, "J / token").find_element("tag name", "button").click()
        assert header(browser, "J / token").get_attribute("aria-sort") == direction
        values = column(browser, "J / token")
        assert len(set(values)) == 3
        assert values == sorted(values, reverse=reverse)


def test_a_header_sorts_by_the_keyboard_too(browser: Any) -> None:
    button = header(browser, "batch").find_element("tag name", "button")
    browser.execute_script("arguments[0].focus()", button)
    button.send_keys("\n")
    assert column(browser, "batch") == [1, 2, 4]
    assert header(browser, "J / token").get_attribute("aria-sort") == "none"


def test_the_banner_is_seen_wherever_one_scrolls(browser: Any) -> None:
    banner = browser.find_element("id", "banner")
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    assert banner.is_displayed()
    assert "SIMULATED" in banner.text
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", banner)
    assert top == 0


def test_every_figure_has_a_size_and_ink_that_differs_from_the_paper(browser: Any) -> None:
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('figure .plot')].map((plot) => {"
        " const seen = [...plot.querySelectorAll('svg')].map((one) => one.getBoundingClientRect());"
        " return [Math.max(...seen.map((one) => one.width)),"
        " Math.max(...seen.map((one) => one.height))]; })"
    )
    assert len(sizes) >= 5
    for width, height in sizes:
        assert width > 300
        assert height > 100
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        ink, paper = browser.execute_script(
            "const svg = document.querySelector('figure svg');"
            "return [getComputedStyle(svg).color,"
            " getComputedStyle(document.body).backgroundColor]"
        )
        assert ink != paper


def test_the_page_is_no_wider_than_the_window(browser: Any) -> None:
    widths = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert widths[0] <= widths[1]


def test_a_figure_is_a_file_of_what_is_shown_with_its_names(browser: Any) -> None:
    plot = "figure .plot[data-chart=engines], figure .plot[data-drawn]"
    browser.execute_script("document.querySelector('figure .plot[data-chart]').scrollIntoView()")
    until(browser, "return document.querySelector(arguments[0]) !== null", plot)
    figure = browser.find_element("css selector", "figure .plot[data-drawn]")
    names = browser.execute_script(
        "return [...arguments[0].querySelector('.js-plotly-plot').data]"
        ".filter((one) => one.showlegend).map((one) => one.name)",
        figure,
    )
    before = browser.execute_script("return window.handedOut.length")
    for name in ("SVG", "PNG"):
        (button,) = figure.find_elements("xpath", f".//button[text()='{name}']")
        clicked(browser, button)
    # Plotly makes its PNG of an SVG of its own.
    until(browser, "return window.handedOut.some((one) => one.type === 'image/png')")
    script = (
        "const [from, done] = arguments; const one = window.handedOut[from];"
        "one.text().then((text) => done([one.type, text]));"
    )
    kind, svg = browser.execute_async_script(script, before)
    assert kind.startswith("image/svg+xml")
    for name in names:
        assert name in svg
    assert browser.get_log("browser") == []
