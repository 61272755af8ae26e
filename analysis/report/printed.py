"""Printed: what a terminal of a hundred columns says of a report that was written."""

import os
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table as RichTable

from analysis.report.formatting import cell_text
from analysis.report.page import Written, write_report
from analysis.report.sentences import not_as_sealed
from analysis.runs.sealed_runs import DAMAGED, load
from analysis.tables.column import Column, Row, alike, visible
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import POINT_BY_NAME, RANDOM
from analysis.tables.table import Table
from telemetry.command import ExitCode, complain
from telemetry.next_line import typed
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, runs_above, shown
from telemetry.terminal import printable

_WHO: Final = "analysis"
_WIDTH: Final = 100
_NO_LIMIT: Final = 100_000
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
# More would push the table off the screen; the report names all.
_MOST_OTHERS: Final = 12


def report(place: RecordPlace, out: Path | None) -> ExitCode:
    """Write the report of a results folder, or of the run whose folder it is, and say so.

    One run's goes to a folder of its name in the report's, where `out` names no other.

    Raises:
        OSError: the disk is full or does not let itself be written.
    """
    results, run = place.results, place.run
    if run is not None and out is None:
        out = report_folder(results) / run.run_id
    name = shown(place.folder)
    if out is not None and (owner := _owner(out)) is not None:
        complain(_WHO, f"`--out` must lie in no run's folder, but {out} lies in that of {owner}")
        return ExitCode.BAD_INPUT
    try:
        loaded = load(results, only=run)
        if not loaded.runs and not any(other.damaged for other in loaded.not_counted):
            why = typed("launcher.status", shown(results))
            complain(_WHO, f"{name} holds no sealed run; {why} says why")
            return ExitCode.NOTHING_DONE
        written = write_report(loaded, out)
    except (FileNotFoundError, ValueError) as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    # Rich cuts what is wider than a console: nothing is, as the table says how wide it is.
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=_NO_LIMIT)
    print_report(console, written)
    console.print(printable(f"report: {written.page}"))
    if not (written.verdict.of_these and written.verdict.counted):
        folder = shlex.quote(str(results))
        console.print(printable(f"next: python -m analysis.audit {folder}"))
    if not loaded.runs:
        complain(_WHO, f"no sealed run of {name} is whole")
        return ExitCode.NOTHING_DONE
    return ExitCode.FAILED if written.damaged else ExitCode.DONE


def _owner(out: Path) -> str | None:
    """The run in whose folder it lies, where a file more would break its seal; None for none."""
    place = Path(os.path.realpath(out))
    return next((run.run_id for run in runs_above(place)), None)


def print_report(console: Console, written: Written) -> None:
    """The grid points, what is the same in all of them, and what does not count, with why."""
    groups = written.tables.groups
    if groups.rows:
        shown = _rich(groups)
        # A column too many for the width makes the table wider: no value is cut.
        least = sum((column.min_width or 0) + 1 for column in shown.columns)
        console.print(shown, soft_wrap=False, width=max(_WIDTH, least))
        for line in _sentences(written):
            folded = textwrap.wrap(line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
            console.print("\n".join(folded))
    for line in _not_counted(written):
        console.print(line)
    console.print(written.verdict.text)


def _rich(groups: Table) -> RichTable:
    columns = [
        column for column in visible(groups.columns, groups.rows) if column.name in _printed_names()
    ]
    shown = RichTable(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
    cells = [[cell_text(row, column) for row in groups.rows] for column in columns]
    for column, texts in zip(columns, cells, strict=True):
        width = max(map(len, texts))
        # A header folds between its words, a value never.
        folded = textwrap.wrap(_header(column), width, break_long_words=False)
        shown.add_column(
            "\n".join(folded),
            justify="left" if column.type == "text" else "right",
            no_wrap=True,
            min_width=max(map(len, (*texts, *folded))),
        )
    for row in zip(*cells, strict=True):
        shown.add_row(*row)
    return shown


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
    simulated = sum(bool(row["simulated"]) for row in runs)
    if simulated:
        yield f"SIMULATED: {simulated} of {len(runs)} runs are no measurement of a GPU"
    random = sum(row["weights"] == RANDOM for row in runs)
    if random:
        yield f"RANDOM WEIGHTS: {random} of {len(runs)} runs are of no trained model"


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
