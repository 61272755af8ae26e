"""Report checks: does what the report says come out of the sealed runs again?"""

from pathlib import Path
from typing import Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Severity, judged, skipped, unseen
from analysis.report.written_by import KEY, written_by
from analysis.tables.file_metadata import same_meanings
from analysis.tables.table import Table
from analysis.workbook.dictionary import DICTIONARY, dictionary
from telemetry.record.files import read_json, read_plain
from telemetry.record.limits import TEXT_BYTES
from telemetry.record.parquet_file import read_parquet
from telemetry.record.paths import closed_runs, report_folder
from telemetry.record.way_on import REPORT


def tables_come_again(campaign: Campaign) -> Finding:
    """Every table of the report is what the sealed runs give now."""
    folder = report_folder(campaign.results) / "tables"
    if not folder.is_dir():
        return skipped("no report was written yet")
    _, made = campaign.made
    tables = made.all()
    lacking = [table.name for table in tables if not _is_there(folder, table)]
    there = [table for table in tables if table.name not in lacking]
    by_another = not _by_this_release(report_folder(campaign.results))
    # Its numbers stand in other columns, so there is nothing to hold against them.
    unlike = [table.name for table in there if by_another and _has_other_columns(folder, table)]
    there = [table for table in there if table.name not in unlike]
    faults = [fault for table in there for fault in _table_faults(folder, table)]
    told = folder / DICTIONARY
    # A report from before has none.
    if (
        told.is_file()
        and not unlike
        and read_plain(told, most_bytes=TEXT_BYTES.most) != dictionary(made)
    ):
        faults.append(f"{told.name} is not what the tables say of their columns")
    if faults and (closed := closed_runs(campaign.results)):
        # Its owner's report has it in its tables.
        return unseen(f"{closed[0].run_id} cannot be read, without which {faults[0]}")
    if (lacking or unlike) and not faults and by_another:
        without = f", without {', '.join(lacking)}" if lacking else ""
        other = f", with other columns in {', '.join(unlike)}" if unlike else ""
        return unseen(f"written by another release{without}{other}: write it again to compare")
    faults += [f"{name} is missing" for name in lacking]
    rows = sum(len(table.rows) for table in tables)
    return judged(faults, f"{len(tables)} tables, {rows} rows")


def _is_there(folder: Path, table: Table) -> bool:
    """Whether any form of a table was written; one that is there alone is a fault, not a lack."""
    paths = [folder / f"{table.name}{ending}" for ending in (".csv", ".parquet", ".tex")]
    return any(path.exists() or path.is_symlink() for path in paths)


def _has_other_columns(folder: Path, table: Table) -> bool:
    """Whether a table was written with columns that it does not have now, or without some."""
    written = folder / f"{table.name}.csv"
    if not written.is_file():
        return False
    lines = read_plain(written, most_bytes=TEXT_BYTES.most).splitlines()
    return lines[:1] != table.to_csv().splitlines()[:1]


def _by_this_release(folder: Path) -> bool:
    """Whether report.json says that this very code wrote the report."""
    try:
        by = read_json(folder / REPORT).get(KEY)
    except FileNotFoundError:
        return False
    return by == written_by()


def _table_faults(folder: Path, table: Table) -> list[str]:
    """How a written table differs from what the sealed runs give, as CSV and as Parquet."""
    written, columns = folder / f"{table.name}.csv", folder / f"{table.name}.parquet"
    faults = []
    if not written.is_file() or read_plain(written, most_bytes=TEXT_BYTES.most) != table.to_csv():
        faults.append(f"{written.name} is not what the sealed runs give")
    # By content: another release of Arrow may write the same table in other bytes.
    made = table.to_arrow()
    found = read_parquet(columns) if columns.is_file() else None
    if found is None or not found.equals(made):
        faults.append(f"{columns.name} is not what the sealed runs give")
    elif not same_meanings(found.schema, made.schema):
        faults.append(f"{columns.name} says of its columns or runs what they do not")
    return faults


REPORT_CHECKS: Final = (
    FolderCheck(
        name="report-tables",
        claim="the report's tables come out again",
        severity=Severity.WRONG,
        rule=(
            "every table of report/tables, as CSV and Parquet, and columns.csv are "
            "what the sealed runs give now; a report of another release may lack a whole table "
            "or have other columns, of which nothing can be said"
        ),
        tolerance="none",
        reason="the same runs give the same tables",
        rules_out="a number of the report that was edited, be it in one format",
        look=tables_come_again,
    ),
)
"""Checks of a report, in the audit's order."""
