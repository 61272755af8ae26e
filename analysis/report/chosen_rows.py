"""Chosen rows: of a table with thousands of rows a run, those that the page carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.tables.column import Row
from analysis.tables.table import Table, Tables

_RUN = "run_id"


@dataclass(frozen=True, kw_only=True)
class ChosenRows:
    """The tables as the page carries them."""

    tables: Tables
    """All of them, fewer rows in some."""
    left_out: Mapping[str, str]
    """By table: what was left out and by which rule, in words; without those that are whole."""


def chosen_rows(tables: Tables) -> ChosenRows:
    """Of each table that has a most of rows a run, no more of any run than that.

    They are evenly chosen in the order of the table, a run's first and last row among them.
    """
    found: dict[str, Table] = {}
    told: dict[str, str] = {}
    for table in tables.all():
        kept = _kept(table)
        found[table.name] = table
        if len(kept) < len(table.rows):
            most = f"{table.kind.page_rows_a_run:,}"
            found[table.name] = replace(
                table,
                rows=tuple(table.rows[at] for at in kept),
                kind=replace(table.kind, title=f"{table.kind.title}, at most {most} a run"),
            )
            told[table.name] = (
                f"Of each run with more than {most} rows this page has {most}, evenly chosen in "
                f"their order, the first and the last among them: {len(kept):,} of "
                f"{len(table.rows):,} rows in all."
            )
    return ChosenRows(tables=replace(tables, by_name=found), left_out=told)


def _kept(table: Table) -> Sequence[int]:
    """The places of the rows that stay, in their order."""
    most = table.kind.page_rows_a_run
    if most is None or len(table.rows) <= most:
        return range(len(table.rows))
    places: dict[object, list[int]] = {}
    for at, row in enumerate(table.rows):
        places.setdefault(_run_of(row), []).append(at)
    return sorted(
        own[int(at)]
        for own in places.values()
        for at in np.linspace(0, len(own) - 1, min(most, len(own))).round()
    )


def _run_of(row: Row) -> object:
    return row.get(_RUN)
