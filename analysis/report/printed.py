"""Printed: what a terminal says of a report that was written."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from analysis.abstracts.table import abstract_lines
from analysis.claims.summary import claim_lines
from analysis.report.document import tables_document
from analysis.report.formatting import cell_text
from analysis.report.page import Written, write_report
from analysis.report.sentences import not_as_sealed
from analysis.runs.labels import legend_of, marks_of, of_words
from analysis.runs.sealed_runs import DAMAGED, load
from analysis.tables.column import Column, Row, alike, visible
from analysis.tables.labels import WORDS
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import POINT_BY_NAME, RANDOM
from analysis.tables.table import Table
from analysis.workbook.kept_rows import FOLDER
from telemetry.command import ExitCode, complain
from telemetry.document import due
from telemetry.listing import ListedColumn, Listing
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, shown
from telemetry.record.way_on import WayOn
from telemetry.waiting import waiting

_WHO: Final = "analysis"
# The results that the table has; the page and the CSV files have all.
_RESULTS: Final = {
    "energy_per_token_j_mean": "J/token",
    "power_w_mean": "W",
    "tokens_per_s_mean": "tokens/s",
}
# Headers shorter than the page's, or that say a unit which the page says apart.
_HEADERS: Final = {
    **_RESULTS,
    **{"n": "n", "power_cap_w": "cap W", "sm_clock_mhz": "lock MHz", "period_ms": "period ms"},
    **{"idle_s": "rest s", "max_warmup_s": "warm-up s", "min_window_s": "least window s"},
}
# These two words stand together.
_MODEL, _ENGINE, _BITS, _NO_BITS = "model", "engine", "quantization", "none"
# More would push the table off the screen; the report names all.
_MOST_OTHERS: Final = 12


def report(place: RecordPlace, out: Path | None, *, pdfs: bool = False) -> ExitCode:
    """Write the report of a results folder, or of the run whose folder it is, and say so.

    One run's goes to a folder of its name in the report's, where `out` names no other.

    Raises:
        OSError: the disk is full or does not let itself be written.
    """
    results, run = place.results, place.run
    if run is not None and out is None:
        out = report_folder(results) / run.run_id
    name = shown(place.folder)
    try:
        with waiting("report"):
            loaded = load(results, only=run)
            sealed = loaded.runs or any(other.damaged for other in loaded.not_counted)
            written = write_report(loaded, out, jobs=None, pdfs=pdfs) if sealed else None
    except (FileNotFoundError, ValueError) as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    if written is None:
        why = typed("launcher.status", shown(results))
        complain(_WHO, f"{name} holds no sealed run; {why} says why")
        return ExitCode.NOTHING_DONE
    console = Output()
    print_report(console, written)
    console.exact(f"report: {written.page}")
    if (document := due()) is not None:
        document.fill("tables", tables_document(results, written))
    _way_on(console, place, written)
    if not written.tables.runs.rows:
        complain(_WHO, f"no sealed run of {name} is whole")
        return ExitCode.NOTHING_DONE
    return ExitCode.FAILED if written.damaged else ExitCode.DONE


def _way_on(out: Output, place: RecordPlace, written: Written) -> None:
    """End with the audit, while there is none of these seals; else the page is the end."""
    way = WayOn.of(place.results)
    if not way.audited:
        # Of one run, written beside the others or elsewhere, that one is audited.
        out.next(typed("analysis.audit", place.folder))
    elif place.run is None and written.page == way.page:
        out.next(way.next)


def print_report(out: Output, written: Written) -> None:
    """The grid points, what is the same in all of them, and what does not count, with why."""
    groups = written.tables.groups
    out.say(_summary(written))
    if groups.rows:
        out.print(_listing(groups))
        for line in _sentences(written):
            out.say(line)
    if written.kept:
        out.say(
            f"the rows of {_some(written.kept, len(written.tables.runs.rows))} as an earlier "
            f"report computed them from the same seals by the same code ({FOLDER}/ beside the "
            "page); an audit computes all of them anew"
        )
    for line in _not_counted(written):
        out.say(line.lstrip(" "), indent=len(line) - len(line.lstrip(" ")))
    for line in claim_lines(written.tables.claims.rows):
        out.say(line)
    for line in abstract_lines(written.tables.abstract_claims.rows):
        out.say(line)
    out.say(written.verdict.text)


def _summary(written: Written) -> str:
    """One line of what the report is of."""
    runs, groups = written.tables.runs.rows, written.tables.groups.rows
    told = f"{told_count(len(runs), 'sealed run')} in {told_count(len(groups), 'row')}"
    others = len(written.tables.not_counted.rows)
    return f"{told}, {others} not counted" if others else told


def _listing(groups: Table) -> Listing:
    columns = [
        column for column in visible(groups.columns, groups.rows) if column.name in _printed_names()
    ]
    cells = {
        column.name: tuple(cell_text(row, column) for row in groups.rows) for column in columns
    }
    if _ENGINE in cells and _BITS in cells:
        # As plan and status have them: one column, where a screen is narrow.
        pairs = zip(cells[_ENGINE], cells.pop(_BITS), strict=True)
        cells[_ENGINE] = tuple(
            engine if bits == _NO_BITS else f"{engine} {bits}" for engine, bits in pairs
        )
    return Listing(
        columns=(
            *(
                ListedColumn(
                    heading=_header(column),
                    cells=cells[column.name],
                    right=column.type != "text",
                    # A header folds between its words, a value never.
                    whole=True,
                    bare=column.name in (_MODEL, _ENGINE),
                )
                for column in columns
                if column.name in cells
            ),
            *_marks(groups.rows),
        )
    )


def _marks(rows: Sequence[Row]) -> Iterator[ListedColumn]:
    """The column of the rows' labels, by their marks; none where no row has one."""
    cells = tuple(marks_of(of_words(row.get(WORDS))) for row in rows)
    if any(cells):
        yield ListedColumn(heading="marks", cells=cells)


def _printed_names() -> set[str]:
    return {*POINT_BY_NAME, *LAUNCH_SETTINGS, "n", *_RESULTS}


def _header(column: Column[Row]) -> str:
    return _HEADERS.get(column.name, column.label)


def _sentences(written: Written) -> Iterator[str]:
    groups, runs = written.tables.groups, written.tables.runs.rows
    names = {*POINT_BY_NAME, *LAUNCH_SETTINGS, "n"}
    same = [one for one in alike(groups.columns, groups.rows) if one.name in names]
    if same:
        values = ", ".join(f"{_header(one)} {cell_text(groups.rows[0], one)}" for one in same)
        yield f"{'the same in every row' if len(groups.rows) > 1 else 'of this row'}: {values}"
    if legend := legend_of(of_words(*(row.get(WORDS) for row in groups.rows))):
        yield f"marks: {legend}"
    simulated = sum(bool(row["simulated"]) for row in runs)
    if simulated:
        yield f"SIMULATED: {_some(simulated, len(runs))} no measurement of a GPU"
    random = sum(row["weights"] == RANDOM for row in runs)
    if random:
        yield f"RANDOM WEIGHTS: {_some(random, len(runs))} of no trained model"


def _some(count: int, runs: int) -> str:
    return f"{count} of {told_count(runs, 'run')} {'is' if count == 1 else 'are'}"


def _not_counted(written: Written) -> Iterator[str]:
    """Damaged runs first, each with its reason."""
    yield from not_as_sealed(written.tables)
    others = sorted(
        written.tables.not_counted.rows,
        key=lambda row: row["state"] not in DAMAGED,
    )
    if others:
        yield f"{len(others)} not counted, of runs and attempts:"
    for row in others[:_MOST_OTHERS]:
        yield f"  {_place(row)}: {row['state']}{f': {reason}' if (reason := row['reason']) else ''}"
    if len(others) > _MOST_OTHERS:
        yield f"  and {len(others) - _MOST_OTHERS} more, which the report names"


def _place(row: Row) -> str:
    attempt: object = row["attempt"]
    return str(row["run_id"]) if attempt is None else f"{row['run_id']}, attempt {attempt}"
