"""Each table with rows stands in one section, and the table of contents leads to all of them."""

import re
from pathlib import Path

from analysis.report.page import write_report
from analysis.report.sections import contents, elsewhere, placed
from analysis.runs.sealed_runs import load
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Table, TableKind, Tables
from tests.support.records import Plan, build_run

_OF = ColumnsOf[int]()


def toy(name: str, section: str, rows: int = 1) -> Table:
    kind: TableKind[int] = TableKind(
        name=name,
        title=f"Toys called {name}",
        columns=(_OF.count("n", "n", "A count.", lambda count: count),),
        of_results=lambda _: [],
        section=section,
    )
    return kind.table(range(rows))


TOYS = Tables(
    by_name={
        table.name: table
        for table in (
            toy("one", "runs"),
            toy("two", "findings"),
            toy("three", ""),
            toy("four", "findings"),
            toy("five", "findings", rows=0),
        )
    },
    notes=(),
)


def test_tables_of_one_name_share_a_section_and_others_have_their_own() -> None:
    assert [table.name for table in placed(TOYS)["runs"]] == ["one"]
    found = [(one.id, one.title, [table.name for table in one.tables]) for one in elsewhere(TOYS)]
    assert found == [
        ("findings", "What the data say", ["two", "four"]),
        ("three", "Toys called three", ["three"]),
    ]
    assert ("findings", "What the data say") in contents(TOYS)


def test_the_contents_are_the_pages_sections_in_its_order(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(rank_counter=True))
    written = write_report(load(tmp_path))
    sections = re.findall(r'<section id="([^"]+)"', written.page.read_text())
    assert [name for name, _ in contents(written.tables)] == sections
