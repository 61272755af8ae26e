"""Document: the tables of a report as a program reads them, each column with what it means."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.report.page import Written
from analysis.tables.table import Table


def tables_document(results: Path, written: Written) -> dict[str, Any]:
    """Every table of a report that was written; null is a number that nobody has."""
    return {
        "results": str(results),
        "page": str(written.page),
        "runs": len(written.tables.runs.rows),
        "not_counted": len(written.tables.not_counted.rows),
        "audit": {
            "verdict": written.verdict.text,
            "good": written.verdict.good,
            "of_these_files": written.verdict.of_these,
        },
        "run_notes": [
            {"run_id": run_id, "note": sentence} for run_id, sentence in written.tables.notes
        ],
        "tables": {table.name: _table(table) for table in written.tables.all()},
    }


def exhibit_document(
    results: Path, number: str, tables: Sequence[Table], files: Sequence[Path]
) -> dict[str, Any]:
    """The tables of one exhibit of the paper that was written, and where its files lie."""
    return {
        "results": str(results),
        "number": number,
        "files": [str(path) for path in files],
        "tables": {table.name: _table(table) for table in tables},
    }


def _table(table: Table) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    return {
        "title": table.kind.title,
        "columns": [
            {
                "name": column.name,
                "label": column.label,
                "unit": column.unit,
                "type": column.type,
                "meaning": column.meaning,
                "uncertainty": column.plus_minus,
                "reason": column.reason,
            }
            for column in table.columns
        ],
        "rows": [{name: row.get(name) for name in names} for row in table.rows],
    }
