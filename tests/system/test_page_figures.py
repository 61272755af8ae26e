"""The figures of the page in a real browser: seen, whole, and answering to hand and keyboard."""

import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from analysis.report.page import Written, write_report
from analysis.runs.sealed_runs import load
from tests.support.browser import clicked, dark, last_file, narrow, opened, until
from tests.support.recordings import FOLDER, SUFFIX, unpack

pytestmark = pytest.mark.browser

RUNS: Final = (
    "7b-fixed-synthetic-h200-g1-b64-l128-r0-387c05a0",
    "7b-fixed-synthetic-h200-g1-b64-l128-r0-13c89e3b",
    "7b-fixed-synthetic-h200-g1-b64-l128-r0-c21eeaa6",
    "7b-fixed-synthetic-h200-g1-b1-l128-r0-9b2058bb",
    "7b-fixed-synthetic-h200-g2-b64-l128-r0-560ed40a",
    "7b-fixed-synthetic-h200-g2-b64-l128-r0-ec709bcb",
)
_DRAWN: Final = """
  const host = document.querySelector(`[data-chart='${arguments[0]}']`);
  if (!host.dataset.drawn) host.scrollIntoView({ behavior: 'instant', block: 'center' });
  return host.querySelector('.main-svg') !== null;
"""
_INSIDE: Final = """
  return [...document.querySelectorAll('[data-chart]')].flatMap((host) => {
    const frame = host.closest('figure').getBoundingClientRect();
    const parts = '.chart-legend button, .chart-tools button, .main-svg, .chart-labels';
    return [...host.querySelectorAll(parts)].filter((part) => {
      const box = part.getBoundingClientRect();
      return box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1 || !box.width;
    }).map((part) => host.dataset.chart + ': ' + (part.textContent || part.tagName).slice(0, 60));
  });
"""
_CUT: Final = """
  return [...document.querySelectorAll('[data-chart]')].flatMap((host) => {
    const frame = host.querySelector('.main-svg').getBoundingClientRect();
    const texts = '.xtitle, .ytitle, .x2title, .y2title, .xtick text, .ytick text, .textpoint, '
      + '.annotation';
    return [...host.querySelectorAll(texts)].filter((text) => {
      const box = text.getBoundingClientRect();
      return box.left < frame.left - 2 || box.right > frame.right + 2
        || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
    }).map((text) => host.dataset.chart + ': ' + text.textContent);
  });
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of some recorded runs: two engines, three formats, two batches, two shards."""
    results = tmp_path_factory.mktemp("results")
    for name in RUNS:
        unpack(FOLDER / f"{name}{SUFFIX}", results)
    return write_report(load(results))


@pytest.fixture(scope="module", name="page")
def all_drawn(browser: Any, written: Written) -> Iterator[Any]:
    """Its page, every figure of it drawn."""
    narrow(browser, 1280, 900)
    dark(browser, scheme=False)
    opened(browser, written.page)
    draw_all(browser, written)
    yield browser
    narrow(browser, 0, 0)
    dark(browser, scheme=False)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def draw_all(browser: Any, written: Written) -> None:
    """Bring one figure after the other into view: each is given its time."""
    for key in keys(written):
        until(browser, _DRAWN, key)
    settled(browser)


def settled(browser: Any) -> None:
    """Wait until every figure is as wide as its place, and drawn."""
    until(browser, "return joulegridCharts.idle()")


def resized(browser: Any, width_px: int) -> None:
    narrow(browser, width_px, 900)
    until(
        browser,
        """return [...document.querySelectorAll('.chart-live')].every((live) =>
             Math.abs(live.clientWidth - live.querySelector('.main-svg').clientWidth) < 3);""",
    )
    settled(browser)


def host(browser: Any, key: str) -> Any:
    return browser.find_element("css selector", f"[data-chart='{key}']")


def points(browser: Any, key: str) -> int:
    """Bars and marks that are seen in a figure."""
    found: int = browser.execute_script(
        """return [...arguments[0].querySelectorAll('.point path, .points path')]
             .filter((mark) => mark.getBoundingClientRect().width > 0.5).length;""",
        host(browser, key),
    )
    return found


def drawn_picture(browser: Any, key: str) -> Any:
    """Its pixels as they are on the screen, shape (height, width, 3)."""
    canvas = host(browser, key).find_element("css selector", ".chart-canvas")
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", canvas
    )
    data = base64.b64decode(canvas.screenshot_as_base64)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def keys(written: Written) -> list[str]:
    return [figure.key for figure in written.figures if figure.svg is not None]


def ink_share(pixels: Any) -> float:
    """Share of pixels that are not of the paper's colour, that of the corner."""
    some = pixels[::2, ::2].astype(int)
    return float((np.abs(some - pixels[2, 2].astype(int)).sum(axis=2) > 60).mean())


def test_every_figure_has_pixels_in_light_and_in_dark(page: Any, written: Written) -> None:
    assert len(keys(written)) >= 6
    papers = []
    for scheme in (True, False):
        dark(page, scheme=scheme)
        settled(page)
        for key in keys(written):
            pixels = drawn_picture(page, key)
            assert ink_share(pixels) > 0.004, (key, scheme)
        papers.append(int(drawn_picture(page, keys(written)[0])[2, 2].sum()))
    black, white = papers
    assert black < 200
    assert white > 600


def test_colours_of_a_figure_change_with_the_scheme_and_stand_out(page: Any) -> None:
    script = """
      const bar = arguments[0].querySelector('.chart-canvas .point path');
      const style = getComputedStyle(document.documentElement);
      return [getComputedStyle(bar).fill, style.getPropertyValue('--plot-0').trim(),
              style.getPropertyValue('--card').trim(),
              arguments[0].querySelector('.xtitle').style.fill];
    """
    seen = []
    for scheme in (True, False):
        dark(page, scheme=scheme)
        settled(page)
        fill, colour, card, text = page.execute_script(script, host(page, "energy-per-token"))
        assert rgb(colour) in {rgb(fill), *([rgb(fill)] if "url" not in fill else [rgb(colour)])}
        assert contrast(rgb(colour), rgb(card)) >= 3.0
        assert contrast(rgb(text), rgb(card)) >= 4.5
        seen.append((colour, text))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def rgb(text: str) -> tuple[int, ...]:
    if text.startswith("#"):
        return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))
    if "(" not in text or "url" in text:
        return ()
    return tuple(round(float(part)) for part in text[text.index("(") + 1 : -1].split(",")[:3])


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Contrast of WCAG 2.2."""
    lights = []
    for colour in (one, other):
        parts = [part / 255 for part in colour]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("width_px", [360, 3840, 1280])
def test_legend_controls_and_texts_are_whole_at_every_width(page: Any, width_px: int) -> None:
    resized(page, width_px)
    assert page.execute_script(_INSIDE) == []
    assert page.execute_script(_CUT) == []
    wide, seen = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= seen


def test_names_of_formats_lie_apart_on_a_phone_and_filters_within_it(page: Any) -> None:
    resized(page, 390)
    boxes_of_names = page.execute_script(
        """return [...arguments[0].querySelectorAll('.textpoint text')].map((text) => {
             const box = text.getBoundingClientRect();
             return [box.left, box.top, box.right, box.bottom];
           }).filter((box) => box[2] > box[0]);""",
        host(page, "formats"),
    )
    assert len(boxes_of_names) >= 2
    for at, one in enumerate(boxes_of_names):
        for other in boxes_of_names[:at]:
            assert (
                one[2] <= other[0] + 1
                or other[2] <= one[0] + 1
                or (one[3] <= other[1] + 2 or other[3] <= one[1] + 2)
            ), (one, other)
    # A choice of names longer than the screen, as of many runs.
    beyond = page.execute_script(
        """const group = document.querySelector('.chart-filter fieldset');
           group.closest('details').open = true;
           const select = document.createElement('select');
           select.append(new Option('13b-gsm8k-3c3a194e-h200-g2-b64-l256-r0-4100115a'.repeat(2)));
           group.append(select);
           const right = group.getBoundingClientRect().right;
           select.remove();
           return right - document.documentElement.clientWidth;"""
    )
    assert beyond <= 0
    resized(page, 1280)


def test_letters_of_figures_grow_with_a_large_screen(page: Any) -> None:
    script = """return parseFloat(getComputedStyle(
        arguments[0].querySelector('.ytick text')).fontSize);"""
    sizes = []
    for width_px in (3840, 1280):
        resized(page, width_px)
        sizes.append(page.execute_script(script, host(page, "energy-by-phase")))
    large, usual = sizes
    assert large >= 1.8 * usual


def test_who_points_at_a_bar_reads_its_name_value_interval_and_labels(page: Any) -> None:
    from selenium.webdriver import ActionChains  # noqa: PLC0415

    bar = host(page, "energy-per-token").find_element("css selector", ".point path")
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", bar)
    ActionChains(page).move_to_element(bar).perform()
    said = until(
        page,
        "return arguments[0].querySelector('.hoverlayer .hovertext')?.textContent",
        host(page, "energy-per-token"),
    )
    assert "7b, 1 GPU" in said
    assert "±" in said
    assert "by the sensor, k = 2" in said
    assert "random weights" in said


def test_an_error_bar_is_drawn_for_every_interval(page: Any) -> None:
    count = len(host(page, "energy-per-token").find_elements("css selector", ".errorbar path"))
    assert count == points(page, "energy-per-token") == len(RUNS)


def test_a_legend_button_hides_a_series_and_shows_it_again_by_the_keyboard(page: Any) -> None:
    before = points(page, "engines")
    button = host(page, "engines").find_element("css selector", ".chart-legend button")
    button.send_keys("\n")
    settled(page)
    assert button.get_attribute("aria-pressed") == "false"
    assert 0 < points(page, "engines") < before
    button.send_keys("\n")
    settled(page)
    assert points(page, "engines") == before


def axis_of(browser: Any, key: str, axis: str) -> dict[str, Any]:
    told: dict[str, Any] = browser.execute_script(
        """const axis = arguments[0].querySelector('.chart-canvas')._fullLayout[arguments[1]];
           return {type: axis.type, range: axis.range};""",
        host(browser, key),
        axis,
    )
    return told


def test_a_button_switches_an_axis_between_linear_and_logarithmic(page: Any) -> None:
    (button,) = host(page, "energy-per-token").find_elements("css selector", "[data-scale]")
    assert "energy per token [J]" in button.text
    for pressed, scale in (("true", "log"), ("false", "linear")):
        clicked(page, button)
        settled(page)
        assert axis_of(page, "energy-per-token", "xaxis")["type"] == scale
        assert button.get_attribute("aria-pressed") == pressed
        assert points(page, "energy-per-token") == len(RUNS)


def test_buttons_zoom_in_and_back_to_the_whole(page: Any) -> None:
    before = axis_of(page, "power-over-time", "xaxis")["range"]
    zoom = host(page, "power-over-time")
    clicked(page, zoom.find_element("css selector", "[data-zoom='in']"))
    settled(page)
    now = axis_of(page, "power-over-time", "xaxis")["range"]
    assert now[1] - now[0] == pytest.approx(0.6 * (before[1] - before[0]))
    clicked(page, zoom.find_element("css selector", "[data-zoom='whole']"))
    settled(page)
    assert axis_of(page, "power-over-time", "xaxis")["range"] == pytest.approx(before)


def boxes(scope: Any, axis: str) -> list[Any]:
    found: list[Any] = scope.find_elements("css selector", f"[data-axis='{axis}'] input")
    return found


def test_a_filter_of_one_figure_leaves_the_others(page: Any) -> None:
    before = points(page, "throughput")
    one = host(page, "energy-per-token")
    (box,) = [box for box in boxes(one, "engine") if box.get_attribute("value") == "reference"]
    clicked(page, box)
    settled(page)
    assert points(page, "energy-per-token") == len(RUNS) - 2
    status = one.find_element("css selector", ".chart-status").text
    assert status == f"{len(RUNS) - 2} of {len(RUNS)} values shown"
    assert points(page, "throughput") == before
    clicked(page, box)
    settled(page)
    assert points(page, "energy-per-token") == len(RUNS)


def test_a_filter_of_all_figures_filters_every_one(page: Any, written: Written) -> None:
    every = page.find_element("id", "chart-filters")
    (box,) = [box for box in boxes(every, "GPUs") if box.get_attribute("value") == "2"]
    clicked(page, box)
    settled(page)
    told = {
        key: host(page, key).find_element("css selector", ".chart-status").text
        for key in keys(written)
    }
    filtered = {key for key, status in told.items() if "values shown" in status}
    # Marks of a factor, of a fit or of one number of GPUs alone have nothing to filter by.
    assert filtered >= {"energy-per-token", "throughput", "energy-by-phase", "sharding"}
    assert "formats" not in filtered
    clicked(page, box)
    settled(page)
    assert all(one.text == "" for one in page.find_elements("css selector", ".chart-status"))


def test_what_is_shown_is_handed_out_with_its_intervals(page: Any) -> None:
    (button,) = [
        one
        for one in host(page, "energy-per-token").find_elements(
            "css selector", ".chart-tools button"
        )
        if one.text == "CSV"
    ]
    clicked(page, button)
    rows = list(csv.DictReader(io.StringIO(last_file(page))))
    assert len(rows) == len(RUNS)
    for row in rows:
        assert float(row["low"]) < float(row["value"]) < float(row["high"])
        assert row["engine"] in {"reference", "fast"}


def test_every_control_of_a_figure_is_reached_by_the_keyboard(page: Any) -> None:
    unreached = page.execute_script(
        """return [...document.querySelectorAll('[data-chart] button, [data-chart] summary')]
             .filter((one) => { one.focus(); return document.activeElement !== one; }).length;"""
    )
    assert unreached == 0


def test_every_figure_has_words_for_who_does_not_see_it(page: Any, written: Written) -> None:
    for figure in written.figures:
        if figure.svg is not None:
            canvas = host(page, figure.key).find_element("css selector", ".chart-canvas")
            assert canvas.get_attribute("role") == "img"
            assert canvas.get_attribute("aria-label") == figure.alt
            assert len(figure.alt) > len(figure.title)


def test_on_paper_and_without_a_script_the_pictures_stand(page: Any, written: Written) -> None:
    shown = """return [...document.querySelectorAll('[data-chart]')].map((host) =>
        [host.querySelector('.picture svg').getBoundingClientRect().height > 100,
         (host.querySelector('.chart-live')?.getBoundingClientRect().height ?? 0) > 0]);"""
    assert page.execute_script(shown) == [[False, True]] * len(keys(written))
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert page.execute_script(shown) == [[True, False]] * len(keys(written))
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    bare = Path(written.page.parent) / "bare.html"
    bare.write_text(
        written.page.read_text().replace("script-src 'unsafe-inline'", "script-src 'none'")
    )
    page.get(bare.as_uri())
    assert page.execute_script(shown) == [[True, False]] * len(keys(written))
    page.get_log("browser")
    opened(page, written.page)
    draw_all(page, written)


def test_the_figures_say_nothing_on_the_console_and_ask_the_network_for_nothing(page: Any) -> None:
    assert page.get_log("browser") == []
    names = page.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in names if not name.startswith(("data:", "blob:"))] == []
