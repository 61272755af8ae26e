"""Run pages: what the page says of each single run, as its script lays it out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from analysis.report.formatting import cell_text, reason_text, sort_key
from analysis.report.origin import origin
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Column, Row, visible
from analysis.tables.table import Table, Tables
from telemetry.terminal import printable

_RUN: Final = "run_id"
# What a run's flags say where its readings were not looked at for labels.
_FLAGS: Final = {
    "simulated": "simulated",
    "random_weights": "random weights",
    "partial_record": "partial",
    "changed_code": "dirty tree",
}
_NO_COMMIT: Final = "commit not recorded"


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns of a table on a run's page: each that no other column's cell says already."""
    said = {
        name
        for column in table.columns
        for name in (column.plus_minus, column.uncertainty, column.reason)
        if name is not None
    }
    return [
        replace(column, plus_minus=column.plus_minus or column.uncertainty)
        for column in table.columns
        if column.name not in said and column.name != _RUN
    ]


def of_one_run(table: Table) -> bool:
    """Whether each of a table's rows is of one run, named in it."""
    return table.kind.of_run is not None and any(one.name == _RUN for one in table.columns)


def sheet_data(table: Table) -> dict[str, Any]:
    """All rows of a table, in the columns that the page shows, as its script reads them."""
    columns = visible(table.columns, table.rows)
    return {
        "columns": [column.name for column in columns],
        "cells": [[cell_text(row, column) for row in table.rows] for column in columns],
        "why": list(_reasons(table.rows, columns)),
    }


def labels_of(tables: Tables, run_id: str) -> list[str]:
    """Words of what the numbers of a run are not, by its honest labels."""
    told: Mapping[str, Any] = tables.runs.about["runs"][run_id]
    if (words := told.get("labels")) is not None:
        return [printable(str(word)) for word in words]
    found = [words for name, words in _FLAGS.items() if told.get(name)]
    return [*found, _NO_COMMIT] if told.get("changed_code") is None else found


class RunPages:
    """What each run's page says, from the tables and the record."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._rows = {
            table.name: _by_run(table.rows) for table in tables.all() if of_one_run(table)
        }
        self.single = tuple(
            name for name, rows in self._rows.items() if all(len(own) == 1 for own in rows.values())
        )
        """Tables with at most one row a run."""
        self._columns = {name: columns_of(tables.by_name[name]) for name in self._rows}

    def index(self) -> dict[str, Any]:
        """What all run pages share: the tables that they have rows of."""
        return {
            name: {
                "title": self._tables.by_name[name].kind.title,
                "single": name in self.single,
                "columns": [
                    {
                        "name": column.name,
                        "label": column.label,
                        "unit": column.unit,
                        "type": column.type,
                        "meaning": column.meaning,
                        "setting": column.setting,
                    }
                    for column in columns
                ],
            }
            for name, columns in self._columns.items()
        }

    def head(self, run: Run) -> dict[str, Any]:
        """What the page says of a run in any case, its rows of tables with one a run among it."""
        return {
            "spec": {
                printable(key): printable(_text(value))
                for key, value in run.spec.to_mapping().items()
            },
            "origin": shown(origin(run)),
            "notes": [
                *(note for name, note in self._tables.notes if name == run.run_id),
                *(printable(str(note)) for note in run.manifest["notes"]),
            ],
            "one": {name: self._cells(name, run.run_id, keys=True) for name in self.single},
        }

    def sheets(self, run_id: str) -> dict[str, Any]:
        """Its rows of the tables that have several a run."""
        return {
            name: self._cells(name, run_id, keys=False)
            for name in self._rows
            if name not in self.single
        }

    def _cells(self, name: str, run_id: str, *, keys: bool) -> dict[str, Any]:
        rows = self._rows[name].get(run_id, [])
        columns = self._columns[name]
        found: dict[str, Any] = {
            # Column by column: what is alike stands together, and packs well.
            "cells": [[cell_text(row, column) for row in rows] for column in columns],
            "why": list(_reasons(rows, columns)),
        }
        if keys:
            found["keys"] = [[_number(row, column) for row in rows] for column in columns]
        return found


def shown(value: Any) -> Any:
    """Text of the record, without what is not seen as it is."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [shown(each) for each in value]
    return {key: shown(each) for key, each in value.items()} if isinstance(value, dict) else value


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _reasons(rows: Sequence[Row], columns: Sequence[Column[Any]]) -> Iterator[tuple[int, int, str]]:
    for at, column in enumerate(columns):
        if column.reason is not None:
            for number, row in enumerate(rows):
                if reason := reason_text(row, column):
                    yield number, at, reason


def _number(row: Row, column: Column[Any]) -> str:
    return "" if column.type in ("text", "flag") else sort_key(row, column)


def _by_run(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row[_RUN]), []).append(row)
    return found
