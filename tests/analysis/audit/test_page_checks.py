"""What is edited in a report's page, drawings or LaTeX is found by making them again."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.audit.__main__ import main
from analysis.audit.check import Finding, Outcome
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from telemetry.record.files import read_json, write_json
from tests.analysis.audit.forging import edit, look_at_all
from tests.support.records import Plan, build_run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two points, with its drawings."""
    results = tmp_path_factory.mktemp("written")
    for batch_size in (1, 2):
        build_run(results, Plan(spec={"batch_size": batch_size}, rank_counter=True))
    write_report(load(results))
    return results


@pytest.fixture
def report(written: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return tmp_path / "report"


def look(report: Path) -> Finding:
    return look_at_all(report.parent, "report-page")[""]


def test_a_report_that_nobody_touched_passes_before_and_after_audits(report: Path) -> None:
    assert look(report).outcome is Outcome.PASSED
    # The page is of before the first audit, and may be of before the second.
    assert main([str(report.parent)]) == 0
    assert look(report).outcome is Outcome.PASSED
    write_report(load(report.parent))
    write_json(report / "audit.json", {**read_json(report / "audit.json"), "more": 1})
    found = look(report)
    assert found.outcome is Outcome.PASSED
    assert "its words on an audit are of an earlier one" in found.evidence


def replaced(path: Path, pattern: str, by: str) -> None:
    text = path.read_text()
    changed = re.sub(pattern, by, text, count=1)
    assert changed != text
    path.write_text(changed)


def a_number(report: Path) -> None:
    replaced(report / "index.html", r'(data-key="[^"]*">)(\d)', r"\g<1>9\2")


def a_bar(report: Path) -> None:
    replaced(report / "index.html", r'(<path d="M )\d', r"\g<1>3")


def a_verdict(report: Path) -> None:
    replaced(report / "index.html", "Not audited yet.", "Audit of 80 checks: none failed.")


@pytest.mark.parametrize("forge", [a_number, a_bar, a_verdict])
def test_what_is_edited_in_the_page_is_found(forge: Callable[[Path], None], report: Path) -> None:
    forge(report)
    found = look(report)
    assert found.outcome is Outcome.FAILED
    assert "index.html is not what the sealed runs give, from line" in found.evidence


def test_drawings_and_latex_that_were_edited_or_lost_are_found(report: Path) -> None:
    first, second, third = sorted((report / "figures").glob("*.svg"))[:3]
    replaced(first, r'(<path d="M )\d', r"\g<1>3")
    replaced(second, r"</text>", "0</text>")
    third.unlink()
    replaced(report / "tables" / "runs.tex", r"(\d) rows", r"1\g<1> rows")
    found = look(report)
    assert found.outcome is Outcome.FAILED
    assert "(and 3 more)" in found.evidence


def test_of_another_release_a_difference_could_not_be_looked_at(report: Path) -> None:
    edit(report / "report.json", lambda told: told["written_by"].update(matplotlib="3.0"))
    assert look(report).outcome is Outcome.PASSED
    a_number(report)
    found = look(report)
    assert found.outcome is Outcome.UNSEEN
    assert "written by another release" in found.evidence


def test_without_a_page_there_is_nothing_to_hold_against(tmp_path: Path) -> None:
    build_run(tmp_path)
    assert look(tmp_path / "report").outcome is Outcome.SKIPPED


def without_a_table(report: Path) -> None:
    for path in (report / "tables").glob("accounting.*"):
        path.unlink()


def test_a_table_that_was_taken_away_is_missed(report: Path) -> None:
    without_a_table(report)
    found = look_at_all(report.parent, "report-tables")[""]
    assert found.outcome is Outcome.FAILED
    assert found.evidence == "accounting is missing"


def test_a_report_of_a_release_that_knew_fewer_tables_is_to_be_written_again(report: Path) -> None:
    without_a_table(report)
    edit(report / "report.json", lambda told: told.pop("written_by"))
    found = look_at_all(report.parent, "report-tables")[""]
    assert found.outcome is Outcome.UNSEEN
    assert "without accounting: write it again" in found.evidence
    replaced(report / "tables" / "runs.csv", ",1[.]0,", ",9.0,")
    assert look_at_all(report.parent, "report-tables")[""].outcome is Outcome.FAILED


def with_another_column(report: Path) -> None:
    replaced(report / "tables" / "runs.csv", "run_id,", "id_of_run,")


def test_a_table_of_a_release_with_other_columns_is_to_be_written_again(report: Path) -> None:
    with_another_column(report)
    assert look_at_all(report.parent, "report-tables")[""].outcome is Outcome.FAILED
    edit(report / "report.json", lambda told: told.pop("written_by"))
    found = look_at_all(report.parent, "report-tables")[""]
    assert found.outcome is Outcome.UNSEEN
    assert "with other columns in runs: write it again" in found.evidence
    # Tables whose columns are the same are held to them all the same.
    replaced(report / "tables" / "groups.csv", ",1[.]0,", ",9.0,")
    assert look_at_all(report.parent, "report-tables")[""].outcome is Outcome.FAILED
