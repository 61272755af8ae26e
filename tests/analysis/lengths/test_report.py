"""The tables of lengths in a report, and the audit that makes them again."""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from tests.analysis.lengths.built import INPUTS, JITTER_S, OUTPUTS, length_plan
from tests.support.records import build_run

pytestmark = pytest.mark.reports


def test_a_changed_coefficient_is_found_by_the_audit(tmp_path: Path) -> None:
    cells = [(asked, answered) for asked in INPUTS for answered in OUTPUTS]
    for (asked, answered), jitter_s in zip(cells, JITTER_S, strict=True):
        build_run(tmp_path, length_plan(asked, answered, jitter_s))
    page = write_report(load(tmp_path)).page.read_text()
    assert "What lengths of prompts and answers cost" in page
    assert "sequence-lengths" in page

    def told() -> Outcome:
        (line,) = [line for line in audit_results(tmp_path) if line.name == "report-tables"]
        return line.outcome

    assert told() is Outcome.PASSED
    path = tmp_path / "report" / "tables" / "sequence_models.csv"
    changed = path.read_text().replace(",input token,", ",input token,1", 1)
    path.write_text(changed)
    assert told() is Outcome.FAILED
