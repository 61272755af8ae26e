"""The verdict of an audit, printed by a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.audit.check import Finding, Outcome
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.audit.run import Audit, CheckLine
from analysis.audit.verdict_page import verdict_page

CHROMIUM = "/usr/bin/chromium"
PATIENCE_S = 120.0

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED])
def test_however_much_failed_the_verdict_is_printed_on_one_page(
    tmp_path: Path, outcome: Outcome
) -> None:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no browser to print by: {CHROMIUM} is absent")
    finding = Finding(outcome=outcome, evidence="as many words as there may be " * 40)
    lines = tuple(
        CheckLine(question=check, findings=(("a-run", finding), ("another-run", finding)))
        for check in (*CHECKS, *FOLDER_CHECKS)
    )
    audit = Audit(results=tmp_path, lines=lines, runs=2, changed_trees=2)
    page, printed = tmp_path / "audit.html", tmp_path / "audit.pdf"
    page.write_text(verdict_page(audit))
    subprocess.run(
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--no-pdf-header-footer", f"--user-data-dir={tmp_path / 'profile'}"),
            *(f"--print-to-pdf={printed}", page.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 1
