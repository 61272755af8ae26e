"""Tables of the page: filtered, sorted, downloaded as shown, and all of it in the address."""

import csv
import io
from typing import Any

import pytest

from tests.support.browser import clicked, last_file, opened, until
from tests.system.conftest import Reported

pytestmark = pytest.mark.browser

# A thin space in thousands, and what stands for nothing.
THIN, DASH = "\u202f", "\u2013"


def rows(browser: Any, table: str) -> list[list[str]]:
    """The cells of a table as they are seen."""
    found: list[list[str]] = browser.execute_script(
        "return [...document.getElementById(`table-${arguments[0]}`).tBodies[0].rows]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))",
        table,
    )
    return found


def told(browser: Any, table: str) -> str:
    """How many rows are shown, in the page's words."""
    script = "return document.querySelector(`[data-sheet=${arguments[0]}] output`).textContent"
    text: str = browser.execute_script(script, table)
    return text


def tool(browser: Any, table: str, selector: str) -> Any:
    return browser.find_element("css selector", f"[data-sheet={table}] {selector}")


def counted(browser: Any, table: str, count: int) -> None:
    """Wait until as many rows are laid out."""
    until(
        browser,
        "return document.getElementById(`table-${arguments[0]}`).tBodies[0].rows.length =="
        " arguments[1]",
        table,
        count,
    )


def test_rows_are_filtered_by_words_wherever_they_stand(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page)
    tool(browser, "runs", "input[type=search]").send_keys("simulated-a100 b1-")
    counted(browser, "runs", 1)
    assert rows(browser, "runs")[0][0] == reported.simulated
    assert told(browser, "runs") == "1 of 4 rows"
    assert "runs.text=simulated-a100" in browser.current_url


def test_rows_are_filtered_by_the_values_of_any_axis(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page)
    clicked(browser, tool(browser, "phases", ".all"))
    until(browser, "return document.getElementById('table-phases').tBodies[0].rows.length > 20")
    for value in ("prefill", "decode"):
        clicked(browser, tool(browser, "phases", f"input[value={value}]"))
    # Five working GPUs of four runs: a row each of two phases.
    counted(browser, "phases", 10)
    clicked(browser, tool(browser, "phases", f"input[value='{reported.real}']"))
    counted(browser, "phases", 2)
    assert {row[0] for row in rows(browser, "phases")} == {reported.real}
    clicked(browser, tool(browser, "phases", ".reset"))
    until(browser, "return !location.hash.includes('phases')")


@pytest.mark.parametrize("table", ["groups", "runs", "gpus"])
def test_a_table_sorts_all_of_its_rows_both_ways(
    browser: Any, reported: Reported, table: str
) -> None:
    opened(browser, reported.page)
    column = "th.number button" if table != "runs" else "[data-name=energy_j] button"
    for direction in ("ascending", "descending"):
        clicked(browser, tool(browser, table, column))
        until(
            browser,
            "return document.querySelector(`[data-sheet=${arguments[0]}] [aria-sort]"
            ":not([aria-sort=none])`)?.getAttribute('aria-sort') === arguments[1]",
            table,
            direction,
        )
        keys = browser.execute_script(
            "const table = document.getElementById(`table-${arguments[0]}`);"
            "const at = [...table.tHead.rows[0].cells].findIndex((one) =>"
            " one.getAttribute('aria-sort') !== 'none');"
            "return [...table.tBodies[0].rows].map((row) => row.cells[at].dataset.key)",
            table,
        )
        known = [float(key) for key in keys if key]
        assert len(known) > 2
        assert known == sorted(known, reverse=direction == "descending")
        # What is missing stays last.
        assert keys[len(known) :] == [""] * (len(keys) - len(known))


def test_a_state_of_a_table_is_a_permalink_and_back_undoes_it(
    browser: Any, reported: Reported
) -> None:
    opened(browser, reported.page)
    clicked(browser, tool(browser, "runs", "[data-name=energy_j] button"))
    until(browser, "return location.hash.includes('runs.sort=energy_j:up')")
    clicked(browser, tool(browser, "runs", "input[type=checkbox]"))
    until(browser, "return location.hash.includes('runs.is.')")
    chosen, address = rows(browser, "runs"), browser.current_url
    opened(browser, reported.page, address[address.index("#") :])
    until(browser, "return document.querySelector('[data-sheet=runs] input:checked')")
    assert rows(browser, "runs") == chosen
    opened(browser, reported.page)
    clicked(browser, tool(browser, "runs", "[data-name=energy_j] button"))
    counted(browser, "runs", 4)
    clicked(browser, tool(browser, "runs", "[data-name=energy_j] button"))
    until(browser, "return location.hash.includes('down')")
    browser.back()
    until(browser, "return location.hash.includes('up')")
    # Looked for anew until then: going back lays the table out once more.
    header = "#table-runs [data-name=energy_j][aria-sort=ascending]"
    until(browser, f"return document.querySelector('{header}')")


def test_a_state_outlives_a_link_within_the_page(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page, "#groups.sort=n:up")
    clicked(browser, browser.find_element("css selector", "nav a[href='#audit']"))
    assert browser.current_url.endswith("#groups.sort=n:up&at=audit")
    clicked(browser, browser.find_element("css selector", "#table-runs td a"))
    until(browser, "return document.querySelector('#single h2')")
    assert "groups.sort=n:up" in browser.current_url


@pytest.mark.parametrize("table", ["groups", "runs", "phases", "performance"])
def test_a_download_is_what_is_shown(browser: Any, reported: Reported, table: str) -> None:
    opened(browser, reported.page)
    if table != "performance":
        clicked(browser, tool(browser, table, ".all"))
        until(
            browser,
            "return !document.querySelector(`[data-sheet=${arguments[0]}] output`)"
            ".textContent.includes('laid out')",
            table,
        )
    clicked(browser, tool(browser, table, "th:nth-of-type(2) button"))
    until(browser, "return location.hash.includes('.sort=')")
    clicked(browser, tool(browser, table, ".download"))
    until(browser, "return window.handedOut.length")
    header, *found = csv.reader(io.StringIO(last_file(browser), newline=""))
    seen = rows(browser, table)
    assert len(found) == len(seen) >= 4
    columns = browser.execute_script(
        "return [...document.getElementById(`table-${arguments[0]}`).tHead.rows[0].cells]"
        ".map((cell) => [cell.dataset.name, cell.dataset.unit ?? '', cell.className])",
        table,
    )
    for row, cells in zip(found, seen, strict=True):
        told = dict(zip(header, row, strict=True))
        for (name, unit, kind), cell in zip(columns, cells, strict=True):
            if kind in ("text", "flag"):
                assert told[name].removeprefix("'") == cell
                continue
            of = "%" if kind == "share" else unit if unit not in ("", "1") else ""
            ending = f" [{of}]" if of else ""
            value, _, width = cell.replace(THIN, "").removesuffix(" %").partition(" ± ")
            assert told[f"{name}{ending}"] == ("" if value == DASH else value)
            assert told.get(f"{name} ±{ending}", "") == width
    # Some of it has a unit.
    assert any("[J]" in name or "[W]" in name or "[s]" in name for name in header)


def test_words_that_a_spreadsheet_would_compute_are_words(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page)
    lines = browser.execute_script(
        "return csv([['=1+1', '-2', 'a, \"b\"'], ['-x', '-3', 'c']], [true, false, true])"
    )
    assert lines == '\'=1+1,-2,"a, ""b"""\r\n\'-x,-3,c\r\n'
