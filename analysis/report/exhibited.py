"""Exhibited: one figure or table of the paper, printed, written and drawn."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

import pyarrow.parquet as pq

from analysis.figures.canvas import standalone
from analysis.figures.chart import Chart
from analysis.figures.palette import without_variables
from analysis.figures.static import pdf, svg
from analysis.paper.beyond import BEYOND
from analysis.paper.charts import chart
from analysis.paper.exhibit import Exhibit
from analysis.paper.exhibits import SHARDED, exhibit_named
from analysis.report.document import exhibit_document
from analysis.report.formatting import cell_text, number_text
from analysis.report.latex import latex
from analysis.report.staging import staged
from analysis.runs.sealed_runs import DAMAGED, load
from analysis.tables.column import Column, Row, alike, visible
from analysis.tables.file_metadata import with_pandas_attrs
from analysis.tables.table import Table
from analysis.workbook.build import build_tables
from telemetry.command import ExitCode, complain
from telemetry.document import due
from telemetry.listing import ListedColumn, Listing
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.files import write_bytes
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, shown
from telemetry.waiting import waiting

_WHO: Final = "analysis"
_PAPER: Final = "paper"
# What people read of an exhibit in a terminal; the files have all.
_PRINTED: Final = frozenset(
    {
        *("model", "dataset", "gpu", "gpus", "batch_size", "max_gen_len", "metric", "unit"),
        *("item", "paper_text", "paper_kind", "paper_value", "our_text", "our_value"),
        *("ratio", "ratio_low", "ratio_high", "labels"),
        *("string_value", "string_ratio", "uncut_value", "uncut_ratio"),
    }
)
_ALSO: Final = ("reason", "remarks")
_RATIO: Final = "ratio"
_RATIO_ENDS: Final = ("ratio_low", "ratio_high")
_NOT_MEASURED: Final = "reason"


def report_exhibit(place: RecordPlace, exhibit: Exhibit, out: Path | None) -> ExitCode:
    """Print an exhibit, and write its table and its picture.

    They go to RESULTS/report/paper/KEY, or to `out`; of one run to a folder of its name.

    Raises:
        OSError: the disk is full or does not let itself be written.
    """
    folder = out
    if folder is None:
        above = report_folder(place.results)
        above = above if place.run is None else above / place.run.run_id
        folder = above / _PAPER / exhibit.key
    if folder.exists() and not folder.is_dir():
        complain(_WHO, f"`--out` must be a folder, but {folder} is a file")
        return ExitCode.BAD_INPUT
    try:
        with waiting("report"):
            loaded = load(place.results, only=place.run)
            if not loaded.runs and any(other.damaged for other in loaded.not_counted):
                complain(_WHO, f"no sealed run of {shown(place.folder)} is whole")
                return ExitCode.NOTHING_DONE
            if not loaded.runs:
                why = typed("launcher.status", shown(place.results))
                complain(_WHO, f"{shown(place.folder)} holds no sealed run; {why} says why")
                return ExitCode.NOTHING_DONE
            tables = build_tables(loaded)
            picture = chart(exhibit, tables)
            told = [tables.by_name[exhibit.name]]
            if exhibit in SHARDED:
                told.append(_beside(exhibit, tables.by_name[BEYOND.name]))
            written = _write(exhibit, told, picture, folder)
    except (FileNotFoundError, ValueError) as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    console = Output()
    _print(console, exhibit, told, picture)
    simulated = sum(run.simulated for run in loaded.runs)
    if simulated:
        count = told_count(len(loaded.runs), "run")
        console.say(f"SIMULATED: {simulated} of {count}, no measurement: beside no number")
    damaged = [row for row in tables.not_counted.rows if row["state"] in DAMAGED]
    for row in damaged:
        console.say(f"in no number: {row['run_id']}: {row['state']}: {row['reason']}")
    for path in written:
        console.exact(f"written: {path}")
    if (document := due()) is not None:
        document.fill("exhibit", exhibit_document(place.results, exhibit.number, told, written))
    console.next(_way_on(place, exhibit, told[0]))
    return ExitCode.FAILED if damaged else ExitCode.DONE


def named_exhibit(words: Sequence[str]) -> Exhibit:
    """The exhibit that was asked for, such as `figure 6`.

    Raises:
        CommandError: there is none.
    """
    return exhibit_named([words[0].lower(), *words[1:]])


def _beside(exhibit: Exhibit, beyond: Table) -> Table:
    rows = tuple(row for row in beyond.rows if row["exhibit"] == exhibit.number)
    return Table(kind=beyond.kind, columns=beyond.columns, rows=rows, about=beyond.about)


def _write(exhibit: Exhibit, told: Sequence[Table], picture: Chart, folder: Path) -> list[Path]:
    """Tables as CSV, Parquet and LaTeX, the picture as SVG and PDF; all at once."""
    drawn, printed = svg(picture), pdf(picture)
    files: dict[str, bytes] = {}
    for number, table in enumerate(told):
        stem = f"{exhibit.key}_beside" if number else exhibit.key
        sink = io.BytesIO()
        pq.write_table(with_pandas_attrs(table.to_arrow()), sink, compression="zstd")
        files[f"{stem}.csv"] = table.to_csv()
        files[f"{stem}.parquet"] = sink.getvalue()
        files[f"{stem}.tex"] = latex(table).encode("ascii")
    if drawn is not None and printed is not None:
        files[f"{exhibit.key}.svg"] = standalone(without_variables(drawn)).encode()
        files[f"{exhibit.key}.pdf"] = printed
    with staged(folder) as fresh:
        for name, content in files.items():
            write_bytes(fresh / name, content)
    return [folder / name for name in files]


def _print(out: Output, exhibit: Exhibit, told: Sequence[Table], picture: Chart) -> None:
    table = told[0]
    out.say(f"{exhibit.number} of arXiv 2310.03003: {exhibit.title}")
    if exhibit.caption:
        out.say(exhibit.caption)
    listing, letters = _listed(table)
    out.print(listing)
    for line in (*letters, *_same(table)):
        out.say(line)
    for name in _ALSO:
        for text, count in Counter(row.get(name) for row in table.rows).items():
            if text is not None:
                what = "no number of ours" if name == _NOT_MEASURED else "of ours"
                out.say(f"{what} in {count} of {len(table.rows)} rows: {text}")
    for beside in told[1:]:
        if beside.rows:
            out.say(beside.kind.text)
            out.print(_plain(beside))
    if picture.reason is not None:
        out.say(f"no picture: {picture.reason}")


def _listed(table: Table) -> tuple[Listing, list[str]]:
    """The table as a terminal has room for it, and what its letters stand for."""
    shown_too = [one for one in visible(table.columns, table.rows) if one.name in _PRINTED]
    listed = [
        ListedColumn(
            heading=column.label,
            cells=tuple(_cell(row, column) for row in table.rows),
            right=column.type != "text",
        )
        for column in shown_too
        if column.name not in _RATIO_ENDS
    ]
    letters = []
    for letter, (column, gpus) in zip(ascii_uppercase, _series(table), strict=False):
        cells = (_with_gpus(cell_text(row, column), row, gpus) for row in table.rows)
        listed.append(ListedColumn(heading=letter, cells=tuple(cells), right=True))
        letters.append(f"{letter}: {column.label}, not the paper's")
    return Listing(columns=tuple(listed)), letters


def _cell(row: Row, column: Column[Any]) -> str:
    """A cell, with the ends of its interval where it is a ratio."""
    text = cell_text(row, column)
    low, high = (row.get(name) for name in _RATIO_ENDS)
    if column.name != _RATIO or not isinstance(low, float) or not isinstance(high, float):
        return text
    return f"{text} ({number_text(low)} to {number_text(high)})"


def _series(table: Table) -> list[tuple[Column[Any], str | None]]:
    """Columns of ours that are not the paper's, each with the one of its GPUs."""
    own, names = ({column.name for column in part} for part in (table.kind.columns, table.columns))
    return [
        (column, gpus if (gpus := f"{column.name}_gpus") in names else None)
        for column in table.columns
        if column.name not in own and column.shown and f"{column.name}_labels" in names
    ] or [(column, None) for column in table.columns if column.name not in own and column.shown]


def _with_gpus(text: str, row: Row, gpus: str | None) -> str:
    """A cell with its number of GPUs where that is another than the paper's."""
    count = None if gpus is None else row.get(gpus)
    return text if count in (None, row.get("gpus")) else f"{text} ({count} GPUs)"


def _plain(table: Table) -> Listing:
    columns = visible(table.columns, table.rows)
    return Listing(
        columns=tuple(
            ListedColumn(
                heading=column.label,
                cells=tuple(cell_text(row, column) for row in table.rows),
                right=column.type != "text",
            )
            for column in columns
        )
    )


def _same(table: Table) -> Iterator[str]:
    same = [one for one in alike(table.columns, table.rows) if one.name in _PRINTED]
    if same:
        values = ", ".join(f"{one.label} {cell_text(table.rows[0], one)}" for one in same)
        yield f"the same in every row: {values}"


def _way_on(place: RecordPlace, exhibit: Exhibit, table: Table) -> str:
    """The grid that measures what is missing, looked at first; else the whole report."""
    if any(row.get(_NOT_MEASURED) is not None for row in table.rows):
        return typed("launcher", f"experiment={exhibit.experiment}", "plan=true")
    return typed("analysis", shown(place.results))
