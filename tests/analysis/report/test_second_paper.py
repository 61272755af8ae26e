"""The section of the second paper: there where runs concern it, with its version everywhere."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analysis.report.packed import PAGE_BYTES
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from analysis.tables.table import Table
from tests.analysis.abstracts.built import ANSWERS, repeats
from tests.support.records import Plan, build_run

HEADING = "Against arXiv 2501.08219, version by version"
NAMES = ("abstract_claims", "abstract_coverage")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two models of v1 on one of its tasks."""
    results = tmp_path_factory.mktemp("second")
    for place, model in enumerate(("gpt2", "falcon-7b")):
        for plan in repeats(1.0 + place, spec={"model": model, "dataset": ANSWERS}):
            build_run(results, plan)
    return write_report(load(results)).page.parent


def test_the_page_has_a_section_of_its_own_that_names_the_versions(report: Path) -> None:
    text = (report / "index.html").read_text()
    _, _, section = text.partition(f"<h2>{HEADING}</h2>")
    assert section
    shown = section.partition("</section>")[0]
    for words in ("arXiv 2501.08219 v1", "arXiv 2501.08219 v2", "What its abstracts say"):
        assert words in shown
    assert "Which of its models and tasks have runs here" in shown
    assert "random weights" in shown
    assert len(text.encode()) < PAGE_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_its_tables_are_written_in_every_form_with_the_version_in_each_row(
    report: Path, name: str
) -> None:
    folder = report / "tables"
    papers = set(pq.read_table(folder / f"{name}.parquet")["paper"].to_pylist())
    assert papers <= {f"arXiv 2501.08219 v{number}" for number in (1, 2, 4)}
    assert {"arXiv 2501.08219 v1", "arXiv 2501.08219 v2"} <= papers
    for line in (folder / f"{name}.csv").read_text().splitlines()[1:]:
        assert "arXiv 2501.08219 v" in line
    assert "arXiv 2501.08219 v1" in (folder / f"{name}.tex").read_text().replace("\\-", "")


def test_a_folder_of_the_first_paper_has_no_such_section(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    written = write_report(load(tmp_path))
    assert HEADING not in written.page.read_text()
    tables: list[Table] = [written.tables.by_name[name] for name in NAMES]
    assert not any(table.rows for table in tables)
