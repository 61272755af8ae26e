"""Of a served load of thousands the page carries some of each run, and says by which rule."""

from pathlib import Path
from typing import Any

import pytest

from analysis.report.chosen_rows import chosen_rows
from analysis.report.page import render
from analysis.report.verdict import AuditVerdict
from analysis.runs.sealed_runs import load
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Table, TableKind, Tables
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

_OF = ColumnsOf[tuple[str, int]]()


def kind(most: int | None) -> TableKind[tuple[str, int]]:
    return TableKind(
        name="each",
        title="Each",
        columns=(
            _OF.text("run_id", "run", "The run.", lambda one: one[0]),
            _OF.count("row", "row", "Its place.", lambda one: one[1]),
        ),
        of_results=lambda _: (),
        page_rows_a_run=most,
    )


def chosen(rows: dict[str, int], most: int | None) -> tuple[Table, str | None]:
    table = kind(most).table([(run, at) for run, count in rows.items() for at in range(count)])
    found = chosen_rows(Tables(by_name={"each": table}, notes=()))
    return found.tables.each, found.left_out.get("each")


def test_a_run_with_more_than_the_most_has_that_many_from_its_first_to_its_last() -> None:
    table, told = chosen({"a": 10_000, "b": 3}, 5)
    of_a = [row["row"] for row in table.rows if row["run_id"] == "a"]
    assert of_a == [0, 2500, 5000, 7499, 9999]
    assert [row["row"] for row in table.rows if row["run_id"] == "b"] == [0, 1, 2]
    assert told is not None
    assert told.endswith("8 of 10,003 rows in all.")
    assert table.kind.title == "Each, at most 5 a run"


@pytest.mark.parametrize(("count", "most"), [(5, 5), (4, 5), (10_000, None), (0, 5)])
def test_a_table_with_no_more_is_whole(count: int, most: int | None) -> None:
    table, told = chosen({"a": count}, most)
    assert len(table.rows) == count
    assert told is None
    assert table.kind.title == "Each"


def test_many_runs_of_few_rows_are_whole() -> None:
    table, told = chosen({str(number): 4 for number in range(10)}, 5)
    assert (len(table.rows), told) == (40, None)


def test_a_most_that_leaves_out_the_last_is_refused() -> None:
    with pytest.raises(ValueError, match="`page_rows_a_run` must be 2 or more, but is 1 instead"):
        kind(1)


def of_requests(count: int) -> Plan:
    """A served load, all of which comes at once."""

    def come(row: dict[str, Any]) -> dict[str, Any]:
        begun_us = int(row["first_token_us"]) - 500_000
        times = {"arrived_us": begun_us, "sent_us": begun_us + row["row"]}
        return {**row, **times, "finished_us": int(row["last_token_us"]) + row["row"]}

    work = {"engine": "vllm", "batch_size": count, "prompts": count, "arrivals_per_s": 9_000.0}
    return Plan(spec=work, prefill_s=0.5, decode_s=1.5, response=come)


@pytest.mark.reports
def test_a_page_of_thousands_of_requests_grows_by_a_thousand_of_them(tmp_path: Path) -> None:
    def page_of(count: int) -> tuple[str, Tables]:
        build_run(tmp_path / str(count), of_requests(count))
        loaded = load(tmp_path / str(count))
        tables = build_tables(loaded)
        return render(loaded, tables, (), AuditVerdict.none()), tables

    few, _ = page_of(1_000)
    many, tables = page_of(4_000)
    assert "evenly chosen in their order" not in few
    assert "1,000 of 4,000 rows in all." in many
    # Without a choice 3,000 rows more take some 50 kB.
    assert len(many) - len(few) < 10_000
    # The files have every row.
    assert len(tables.requests.rows) == 4_000
