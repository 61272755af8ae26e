"""A real Chromium on a page from disk, and what tests ask of it."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
PATIENCE_S: Final = 30.0
_ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,900",
)
# Keeps what a page hands out as files, so that a test can read it.
_KEEPS_FILES: Final = """
  window.handedOut = [];
  const before = URL.createObjectURL;
  URL.createObjectURL = (blob) => { window.handedOut.push(blob); return before.call(URL, blob); };
  HTMLAnchorElement.prototype.click = new Proxy(HTMLAnchorElement.prototype.click, {
    apply: (act, link, words) => { if (!link.download) return Reflect.apply(act, link, words); },
  });
"""


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    for program in (CHROMIUM, DRIVER):
        if shutil.which(program) is None:
            pytest.skip(f"no browser to open the page in: {program} is absent")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(executable_path=DRIVER)
    )
    # Some hundred controls are clicked in one script.
    driver.set_script_timeout(8 * PATIENCE_S)
    driver.command_executor.client_config.timeout = 9 * PATIENCE_S
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _KEEPS_FILES})
    try:
        yield driver
    finally:
        driver.quit()


def pages_of(page: Path, printed: Path) -> int:
    """Print a page to a file by the browser; on how many sheets."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no browser to print by: {CHROMIUM} is absent")
    subprocess.run(
        [
            *(CHROMIUM, *_ARGUMENTS, "--no-pdf-header-footer"),
            *(f"--user-data-dir={printed.parent / 'profile'}", f"--print-to-pdf={printed}"),
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=4 * PATIENCE_S,
    )
    return len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))


def until(browser: Any, script: str, *words: object) -> Any:
    """What a script gives once that is true of it.

    Raises:
        AssertionError: it did not become so.
    """
    from selenium.common.exceptions import TimeoutException  # noqa: PLC0415
    from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

    look: Callable[[Any], Any] = lambda driver: driver.execute_script(script, *words)  # noqa: E731
    try:
        return WebDriverWait(browser, PATIENCE_S, poll_frequency=0.05).until(look)
    except TimeoutException as error:
        raise AssertionError(f"never so: {script} {words}") from error


def opened(browser: Any, page: Path, at: str = "") -> None:
    """Open a page anew, at a place of it."""
    browser.get("about:blank")
    browser.get(page.as_uri() + at)
    until(browser, "return document.body.classList.contains('scripts')")


def clicked(browser: Any, element: Any) -> None:
    """Click as the page's own script would see it, wherever the element is scrolled to."""
    browser.execute_script("arguments[0].click()", element)


def last_file(browser: Any) -> str:
    """The text of the file that the page handed out last."""
    text: str = browser.execute_async_script(
        "const done = arguments[0]; window.handedOut.at(-1).text().then(done);"
    )
    return text


def dark(browser: Any, *, scheme: bool) -> None:
    """Have the browser ask for dark pages, or for light ones."""
    features = [{"name": "prefers-color-scheme", "value": "dark" if scheme else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def narrow(browser: Any, width_px: int, height_px: int = 800) -> None:
    """Have a window of this size; 0 is the browser's own."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False},
    )
