"""The page for everybody: by keyboard, in any light, on any screen, with every link and control."""

from itertools import pairwise
from typing import Any

import pytest

from tests.support.browser import clicked, dark, narrow, opened, until
from tests.system.conftest import Reported

pytestmark = pytest.mark.browser

# WCAG 2.2, 1.4.3: of text, and of large text, which is 24 pixels high or more.
LEAST_CONTRAST, LEAST_OF_LARGE, LARGE_PX = 4.5, 3.0, 24
# Every text that is seen, with the contrast of its colour against what lies behind it.
CONTRASTS = """
  const parsed = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => {
      const share = one / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (top, a, below) => top.map((one, at) => a * one + (1 - a) * below[at]);
  const behind = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const { rgb, a } = parsed(getComputedStyle(one).backgroundColor);
      if (a) layers.push([rgb, a]);
      if (a === 1) break;
    }
    return layers.reverse().reduce((below, [rgb, a]) => over(rgb, a, below), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = new Map();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest("script, style, noscript, .hidden")) continue;
    if (!element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") && style.fill !== "none" ? style.fill : style.color;
    if (!/^rgb/.test(colour)) continue;
    const ground = behind(element.closest("svg")?.parentElement ?? element);
    const { rgb, a } = parsed(colour);
    const [one, other] = [light(over(rgb, a, ground)), light(ground)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const drawn = element.getScreenCTM?.();
    const scale = drawn ? Math.hypot(drawn.a, drawn.b) : 1;
    const px = scale * parseFloat(style.fontSize);
    const named = element.className?.baseVal ?? element.className;
    const key = `${element.tagName} ${named} ${colour} on ${ground}`;
    if (!found.has(key) || found.get(key)[0] > ratio)
      found.set(key, [ratio, px, node.textContent.trim().slice(0, 40)]);
  }
  return [...found].map(([key, [ratio, px, text]]) => [ratio, px, key, text]);
"""
# What Tab leads to, in the order of the document.
STOPS = """
  return [...document.querySelectorAll(
    "a[href], button, input, summary, [tabindex='0'], select, textarea"
  )].filter((one) => one.checkVisibility({ checkVisibilityCSS: true }))
    .filter((one) => !one.disabled && one.tabIndex >= 0).length
"""
# Keeps each stop: whether it follows the one before, whether it is seen to have the keyboard.
WATCH = """
  window.visited = [];
  document.addEventListener("focusin", ({ target }) => {
    if (window.visited.some(([one]) => one === target)) return;
    const style = getComputedStyle(target);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const before = window.visited.at(-1)?.[0];
    const follows = !before ||
      Boolean(before.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING);
    window.visited.push([target, follows, outlined, target.outerHTML.slice(0, 90)]);
  });
  document.querySelector(".skip").focus({ focusVisible: true });
"""
# Clicks one control after another; a browser lets a page go on no more than 200 times in ten
# seconds. Tables share one script and differ in what their cells are: unless each is asked for, of
# each table its first header of every kind of cell and the first value of its first filter. One
# value of each other filter: each draws every figure anew.
CLICK = """
  const [each, done] = arguments;
  const kind = (cell) => cell.className.split(" ")[0];
  const sampled = (one) => {
    const table = one.closest("[data-sheet]"), header = one.closest("th");
    const alike = (other) => kind(other) === kind(header);
    if (header) return [...header.parentElement.cells].find(alike) === header;
    return one.type !== "checkbox" || one === table?.querySelector("input[type=checkbox]");
  };
  const found = [...document.querySelectorAll("button, input[type=checkbox]")]
    .filter((one) => one.checkVisibility() && !one.closest("form"))
    .filter((one) => one.type !== "checkbox" ||
      one === one.closest("fieldset")?.querySelector("input[type=checkbox]"))
    .filter((one) => each || !one.closest("[data-sheet]") || sampled(one));
  (async () => {
    let went = 0;
    for (const one of found) {
      const before = location.hash;
      one.click();
      // Together: the browser lays the whole page out each time that it is left to it.
      if (location.hash !== before && ++went % 16 === 0)
        await new Promise((next) => setTimeout(next, 16 * 60));
    }
    // What they set going ends.
    setTimeout(() => done(found.length), 1500);
  })();
"""


def view(browser: Any, reported: Reported, at: str) -> None:
    """Open one of the page's views, all of it laid out."""
    opened(browser, reported.page, at)
    if at:
        until(browser, "return document.querySelector('#single h2')")
        until(browser, "return document.querySelector('#single .trace[data-drawn]')")
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )


def views(reported: Reported) -> dict[str, str]:
    return {
        "whole": "",
        "run": f"#run={reported.nodes}",
        "pair": f"#compare={reported.simulated},{reported.real}",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["whole", "run", "pair"])
def test_every_text_stands_out_from_what_lies_behind_it(
    browser: Any, reported: Reported, name: str, scheme: str
) -> None:
    dark(browser, scheme=scheme == "dark")
    view(browser, reported, views(reported)[name])
    found = browser.execute_script(CONTRASTS)
    dark(browser, scheme=False)
    assert len(found) > 15
    least = {False: LEAST_CONTRAST, True: LEAST_OF_LARGE}
    assert [one for one in found if one[0] < least[one[1] >= LARGE_PX]] == []


@pytest.mark.parametrize("name", ["whole", "run", "pair"])
def test_the_page_is_no_wider_than_a_phone_or_a_wall(
    browser: Any, reported: Reported, name: str
) -> None:
    for width_px, height_px in ((360, 780), (3840, 2160)):
        narrow(browser, width_px, height_px)
        view(browser, reported, views(reported)[name])
        scrolled, seen = browser.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert scrolled <= seen, (width_px, name)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("name", ["whole", "run", "pair"])
def test_headings_follow_each_other_and_tables_name_their_columns(
    browser: Any, reported: Reported, name: str
) -> None:
    view(browser, reported, views(reported)[name])
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3, h4')]"
        ".filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))"
    )
    assert levels[0] == (1 if name == "whole" else 2)
    assert all(later - before <= 1 for before, later in pairwise(levels))
    faults = browser.execute_script(
        "return [...document.querySelectorAll('table')].filter((one) => one.checkVisibility())"
        ".filter((one) => !one.caption?.textContent.trim() ||"
        " [...one.querySelectorAll('th')].some((cell) => !cell.scope)).map((one) => one.outerHTML)"
    )
    assert faults == []
    nameless = browser.execute_script(
        "return [...document.querySelectorAll('[role=img]')].filter((one) =>"
        " !one.getAttribute('aria-label')?.trim()).length"
    )
    assert nameless == 0
    mains = browser.execute_script("return document.querySelectorAll('main:not([hidden])').length")
    assert mains == 1


@pytest.mark.parametrize("name", ["whole", "pair"])
def test_the_keyboard_reaches_everything_in_order_and_leaves_again(
    browser: Any, reported: Reported, name: str
) -> None:
    from selenium.webdriver import ActionChains  # noqa: PLC0415
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    opened(browser, reported.page, views(reported)[name])
    if name == "pair":
        until(browser, "return document.querySelector('#single .trace[data-drawn]')")
    expected = browser.execute_script(STOPS)
    browser.execute_script(WATCH)
    # In one go, and two more than there are stops.
    ActionChains(browser).send_keys(*[Keys.TAB] * (expected + 2)).perform()
    seen = browser.execute_script("return window.visited.map(([, ...told]) => told)")
    assert len(seen) >= expected
    assert [one[-1] for one in seen if not one[0]] == []
    assert [one[-1] for one in seen if not one[1]] == []
    assert "Skip to the content" in seen[0][-1]


def test_the_first_stop_skips_to_the_content(browser: Any, reported: Reported) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    opened(browser, reported.page)
    browser.find_element("tag name", "body").send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, "return document.activeElement.id === 'content'")


def test_every_link_leads_somewhere(browser: Any, reported: Reported) -> None:
    opened(browser, reported.page)
    links = browser.execute_script(
        "return [...new Set([...document.querySelectorAll('a[href]')]"
        ".map((one) => one.getAttribute('href')))]"
    )
    assert len(links) > 15
    assert all(link.startswith("#") for link in links)
    for link in links:
        clicked(browser, browser.find_element("css selector", f"a[href='{link}']"))
        if link.startswith("#run="):
            until(
                browser,
                "return document.querySelector('#single h2')?.textContent.includes(arguments[0])",
                link.removeprefix("#run="),
            )
            browser.back()
            until(browser, "return document.getElementById('single').hidden")
            continue
        place = link.removeprefix("#")
        until(
            browser,
            "const one = document.getElementById(arguments[0]);"
            "return one && one.checkVisibility() && document.activeElement === one",
            place,
        )
    assert browser.get_log("browser") == []


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("whole", False),
        ("run", True),
        ("pair", True),
        pytest.param("whole", True, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)]),
    ],
)
def test_every_control_works_without_a_word_of_complaint(
    browser: Any, reported: Reported, name: str, *, each: bool
) -> None:
    view(browser, reported, views(reported)[name])
    if name != "whole":
        until(browser, "return document.querySelectorAll('#single .part .tools button').length > 3")
    elif each:
        # Some hundred relayouts of the whole page.
        browser.set_script_timeout(1_800)
        browser.command_executor.client_config.timeout = 1_900
    clicks = browser.execute_async_script(CLICK, each)
    assert clicks > {"whole": 500 if each else 150}.get(name, 3)
    assert browser.get_log("browser") == []
    nothing = browser.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
        ".filter((name) => !/^(data|blob):/.test(name))"
    )
    assert nothing == []


def test_nothing_moves_for_whom_asked_for_no_motion(browser: Any, reported: Reported) -> None:
    still = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", still)
    opened(browser, reported.page)
    moves = browser.execute_script(
        "return [document.documentElement, ...document.querySelectorAll('*')].filter((one) => {"
        " const style = getComputedStyle(one);"
        " return style.scrollBehavior === 'smooth' || parseFloat(style.transitionDuration) > 0 ||"
        " style.animationName !== 'none'; }).map((one) => one.tagName)"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert moves == []
