"""Runs' pages in the page: opened by a link, compared, and led through by back and forward."""

from typing import Any

import pytest

from tests.support.browser import clicked, last_file, opened, until
from tests.system.conftest import Reported

pytestmark = pytest.mark.browser


def heading(browser: Any) -> str:
    """The heading of the view that is seen."""
    text: str = browser.execute_script(
        "return document.querySelector('#single h2')?.textContent ?? ''"
    )
    return text


def shown(browser: Any, words: str) -> None:
    """Wait for a view whose heading has these words."""
    script = "return document.querySelector('#single h2')?.textContent.includes(arguments[0])"
    until(browser, script, words)


def text_of(browser: Any, title: str) -> str:
    """The words of one part of a run's page."""
    text: str = browser.execute_script(
        "return [...document.querySelectorAll('#single .part')]"
        ".find((part) => part.querySelector('h3').textContent === arguments[0])?.textContent ?? ''",
        title,
    )
    return text


def drawn(browser: Any) -> dict[str, Any]:
    """What plotly drew: names of its traces, and its axes of time."""
    until(browser, "return document.querySelector('#single .trace[data-drawn]')")
    plot: dict[str, Any] = browser.execute_script(
        "const plot = document.querySelector('#single .trace');"
        "return {names: plot.data.map((one) => one.name),"
        " titles: plot.data.map((one) => one.legendgrouptitle?.text ?? null),"
        " axes: [...new Set(plot.data.map((one) => one.xaxis))],"
        " yaxes: [...new Set(plot.data.map((one) => one.yaxis))], width: plot.clientWidth,"
        " most: Math.max(...plot.data.flatMap((one) => one.y.filter((y) => y !== null))),"
        " label: plot.getAttribute('aria-label')}"
    )
    return plot


@pytest.mark.parametrize("run", ["simulated", "nodes", "mute", "real"])
def test_every_run_has_a_page_by_its_permalink(browser: Any, reported: Reported, run: str) -> None:
    run_id = getattr(reported, run)
    opened(browser, reported.page, f"#run={run_id}")
    shown(browser, run_id)
    assert text_of(browser, "Spec")
    assert "somebody on login1" in text_of(browser, "Where it comes from")
    assert "power, energy and rates agree" in text_of(browser, "Checks of the last audit")
    assert not browser.execute_script("return document.getElementById('content').offsetHeight")
    assert browser.get_log("browser") == []


def test_a_runs_name_is_a_link_to_its_page_in_every_table(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page)
    cells = browser.execute_script(
        "return [...document.querySelectorAll('td')].filter((cell) => cell.textContent ==="
        " arguments[0]).map((cell) => cell.querySelector('a')?.getAttribute('href') ?? null)",
        reported.real,
    )
    assert len(cells) > 2
    assert set(cells) == {f"#run={reported.real}"}


def test_power_is_drawn_with_phases_nodes_and_what_held_the_clock(
    browser: Any, reported: Reported
) -> None:
    opened(browser, reported.page, f"#run={reported.nodes}")
    plot = drawn(browser)
    assert {"startup", "prefill", "decode", "shutdown"} <= set(plot["names"])
    assert "clock held down: power limit" in plot["names"]
    assert {"node0", "node1"} <= set(plot["titles"])
    # Its second rank's GPU works at 300 W.
    assert plot["most"] == 300.0
    assert "from 50 to 300 W" in plot["label"]
    assert plot["width"] > 1000


def test_every_name_of_the_legend_is_whole_and_a_switch(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page, f"#run={reported.nodes}")
    drawn(browser)
    names = browser.find_elements("css selector", "#single .legend-list button")
    texts = [name.text for name in names]
    assert {"prefill", "decode", "clock held down: power limit"} <= set(texts)
    assert sum("(rank " in text for text in texts) == 2
    for name in names:
        wide, seen = browser.execute_script(
            "return [arguments[0].scrollWidth, arguments[0].clientWidth]", name
        )
        assert wide <= seen
    (decode,) = [name for name in names if name.text == "decode"]
    script = (
        "return document.querySelector('#single .trace')"
        ".data.find((one) => one.name === 'decode').visible"
    )
    for visible in ("legendonly", True):
        clicked(browser, decode)
        until(browser, f"{script} === arguments[0]", visible)
        assert decode.get_attribute("aria-pressed") == str(visible is True).lower()


def test_the_power_that_is_drawn_is_a_file_at_a_click(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page, f"#run={reported.simulated}")
    drawn(browser)
    (button,) = browser.find_elements("xpath", "//*[@id='single']//button[text()='CSV']")
    clicked(browser, button)
    lines = last_file(browser).splitlines()
    assert lines[0] == "run_id,host,device,of,time [s],power [W]"
    powers = [float(line.rpartition(",")[2]) for line in lines[1:]]
    assert (min(powers), max(powers)) == (50.0, 200.0)


def test_energies_have_their_width_and_what_is_missing_its_reason(
    browser: Any, reported: Reported
) -> None:
    opened(browser, reported.page, f"#run={reported.simulated}")
    shown(browser, reported.simulated)
    assert " ± " in text_of(browser, "Energies")
    opened(browser, reported.page, f"#run={reported.mute}")
    shown(browser, reported.mute)
    energies = text_of(browser, "Energies")
    assert "0 readings" in energies
    assert "no reading of its power" in text_of(browser, "Power over time")


def test_honest_labels_stand_at_the_top(browser: Any, reported: Reported) -> None:
    found = {}
    for run in (reported.simulated, reported.real):
        opened(browser, reported.page, f"#run={run}")
        shown(browser, run)
        labels = browser.find_elements("css selector", "#single > .labels li")
        found[run] = {label.text for label in labels}
    assert {"simulated", "random weights"} <= found[reported.simulated]
    assert "simulated" not in found[reported.real]


def test_two_runs_are_compared_on_one_axis_of_time_at_a_click(
    browser: Any, reported: Reported
) -> None:
    opened(browser, reported.page, f"#run={reported.simulated}")
    shown(browser, reported.simulated)
    browser.find_element("id", "other-run").send_keys(reported.real + "\n")
    shown(browser, "Two runs compared")
    assert browser.current_url.endswith(f"#compare={reported.simulated},{reported.real}")
    plot = drawn(browser)
    assert plot["axes"] == ["x"]
    assert set(plot["yaxes"]) == {"y", "y2", "y3", "y4"}
    differ = browser.execute_script(
        "return [...document.querySelectorAll('#single .compared')][0].tBodies[0].innerText"
    )
    assert "batch_size" in differ
    assert "top_p" not in differ
    rows = browser.execute_script(
        "return [...document.querySelectorAll('#single .compared')][1].tBodies[0].rows.length"
    )
    assert rows > 10
    (ratio,) = browser.execute_script(
        "return [...[...document.querySelectorAll('#single .compared')][1].tBodies[0].rows]"
        ".filter((row) => row.cells[0].title.startsWith('generated_tokens:'))"
        ".map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))"
    )
    first, second, told = ratio
    assert float(told) == pytest.approx(int(second) / int(first), rel=1e-3)


def test_a_run_that_is_not_there_is_said_and_not_compared(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page, "#run=nobody")
    shown(browser, "No such run")
    opened(browser, reported.page, f"#compare={reported.simulated},nobody")
    shown(browser, "Nothing to compare")
    opened(browser, reported.page, f"#run={reported.simulated}")
    shown(browser, reported.simulated)
    browser.find_element("id", "other-run").send_keys("nobody\n")
    wrong = browser.find_element("css selector", "#single [role=alert]")
    assert wrong.text == "no run of this page has that name"


def test_back_and_forward_lead_through_views_and_put_the_keyboard_where_it_was(
    browser: Any, reported: Reported
) -> None:
    opened(browser, reported.page)
    link = browser.find_element("css selector", "#table-runs td a")
    run_id = link.text
    browser.execute_script("arguments[0].focus()", link)
    clicked(browser, link)
    shown(browser, run_id)
    assert browser.execute_script("return document.activeElement.tagName") == "H2"
    assert run_id in browser.title
    browser.back()
    until(browser, "return document.getElementById('single').hidden")
    assert browser.execute_script("return document.activeElement.textContent") == run_id
    browser.forward()
    shown(browser, run_id)
    clicked(browser, browser.find_element("css selector", ".back a"))
    until(browser, "return document.getElementById('single').hidden")
    assert browser.execute_script("return location.hash") == "#runs"
