"""Page: one page with every result, that opens offline and says what it does not know.

The page loads nothing, escapes everything, and is the same to the byte for the same sealed runs
and the same audit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from analysis.energy.power_trace import packed
from analysis.figures.canvas import DrawnFigure, standalone
from analysis.report.assembled import PAGE as PAGE_TEMPLATE
from analysis.report.assembled import environment, script, style
from analysis.report.chosen_rows import chosen_rows
from analysis.report.drawn_figures import drawn_figures
from analysis.report.formatting import (
    cell_text,
    reason_text,
    sort_key,
)
from analysis.report.latex import write_latex
from analysis.report.library import library
from analysis.report.links import linked
from analysis.report.origin import origin
from analysis.report.packed import PAGE_BYTES, Carried, carried, inert
from analysis.report.paper_set import PDFS, names_of_figure, paper_files
from analysis.report.plots import chart_html
from analysis.report.run_pages import RunPages, labels_of, of_one_run, sheet_data, shown
from analysis.report.sections import contents, elsewhere, placed
from analysis.report.sentences import NEVER_MEASURED, comparison_note, missing, summary
from analysis.report.staging import staged
from analysis.report.verdict import AuditVerdict
from analysis.report.written_by import KEY, written_by
from analysis.runs.sealed_runs import DAMAGED, Loaded
from analysis.tables.column import Column, Row, alike, visible
from analysis.tables.labels import WORDS
from analysis.tables.launched import LAUNCHED
from analysis.tables.point import run_order
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from analysis.workbook.kept_rows import FOLDER, KeptRows
from analysis.workbook.rows_made import rows_made, worth_keeping
from analysis.workbook.write import write_tables
from telemetry.record.files import write_bytes, write_json
from telemetry.record.folders import require_no_link
from telemetry.record.paths import report_folder
from telemetry.record.way_on import PAGE, REPORT, audit_digest, seals_digest
from telemetry.terminal import printable
from telemetry.waiting import at

MOST_ROWS: Final = 250
"""Rows of a table that the page lays out at once: more make it slow to open and to scroll."""
MOST_ORIGINS: Final = 50
"""Runs whose provenance the page lays out beside their own pages."""
# Letters that the sentences on what was left out take at most.
_SENTENCES: Final = 4_000
NO_TRACE: Final = (
    "Its power over time is not in this page, which would be too large with it: the report of "
    "this run's folder alone has it."
)
"""What a run's page says where the page carries no trace of it."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a call of `write_report` left."""

    page: Path
    """Path of the HTML page."""
    tables: Tables
    """All tables, as they were written beside the page."""
    figures: tuple[DrawnFigure, ...]
    """All figures of the page, in its order; those without a drawing say why."""
    verdict: AuditVerdict
    """What the page says of the last audit."""
    kept: int = 0
    """Of how many runs the rows were kept beside an earlier report, not computed anew."""

    @property
    def damaged(self) -> bool:
        """Whether a run is in no number as its files are not as they were, or cannot be read."""
        return any(row["state"] in DAMAGED for row in self.tables.not_counted.rows)


def write_report(
    loaded: Loaded, folder: Path | None = None, jobs: int | None = 1, *, pdfs: bool = False
) -> Written:
    """Write tables, figures and the page to `folder`, `results/report` by default.

    The files take their places together, once all of them are written. `jobs` is how many processes
    look at runs, as `analysis.workbook.rows_made` has it; `pdfs` is whether figures are drawn as
    PDF too.

    Raises:
        ValueError: there is no sealed run, whole or damaged.
        OSError: the folder cannot be written; it is then as it was.
    """
    if not loaded.runs and not any(other.damaged for other in loaded.not_counted):
        raise ValueError(f"{loaded.results} must hold a sealed run, but holds none")
    if folder is None:
        folder = report_folder(loaded.results)
        # One that the user names may be a link of his.
        require_no_link(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`--out` must be a folder, but {folder} is a file")
    keep = KeptRows(folder / FOLDER, loaded.results) if worth_keeping(loaded) else None
    if keep is not None:
        folder.mkdir(parents=True, exist_ok=True)
    made = rows_made(loaded, keep, jobs)
    tables = build_tables(loaded, made.rows)
    figures = drawn_figures(loaded, tables)
    verdict = AuditVerdict.of(loaded)
    at("writing tables")
    with staged(folder) as fresh:
        write_tables(tables, fresh / "tables")
        write_latex(tables, fresh / "tables")
        (fresh / "figures").mkdir()
        for figure in figures:
            if figure.svg is not None:
                path = fresh / "figures" / f"{figure.key}.svg"
                path.write_bytes(standalone(figure.svg).encode())
        for name, content in paper_files(tables, figures, jobs, pdfs=pdfs).items():
            (fresh / name).parent.mkdir(exist_ok=True)
            write_bytes(fresh / name, content)
        write_json(fresh / REPORT, {**_of_what(loaded), PDFS: pdfs})
        (fresh / PAGE).write_bytes(render(loaded, tables, figures, verdict).encode())
    for figure in figures:
        # What an earlier call drew is no longer true.
        for name in names_of_figure(figure.key):
            if figure.svg is None or (name.endswith(".pdf") and not pdfs):
                (folder / name).unlink(missing_ok=True)
    return Written(
        page=folder / PAGE, tables=tables, figures=figures, verdict=verdict, kept=made.kept
    )


def _of_what(loaded: Loaded) -> dict[str, Any]:
    """Which runs and which audit a page is of: whether it is out of date can be told from it."""
    return {
        "schema": "joulegrid.report",
        "version": 1,
        "seals_sha256": seals_digest(loaded.results),
        "audit_sha256": audit_digest(loaded.results),
        "runs": [run.run_id for run in loaded.runs],
        KEY: written_by(),
    }


def render(
    loaded: Loaded,
    tables: Tables,
    figures: tuple[DrawnFigure, ...],
    verdict: AuditVerdict,
) -> str:
    """The page as HTML, of at most `PAGE_BYTES` where what it says of all runs leaves room."""
    at("the page")
    known = {str(row["run_id"]) for row in tables.runs.rows}
    runs = [run for run in sorted(loaded.runs, key=run_order) if run.run_id in known]
    chosen = chosen_rows(tables)
    tables = chosen.tables
    of_runs = RunPages(tables)

    def kept(most: int | None = None) -> Carried:
        return carried(
            heads, sheets, tables.traces, {run.run_id: run.spec.gpus for run in runs}, most
        )

    heads = {run.run_id: of_runs.head(run) for run in runs}
    sheets = {run.run_id: of_runs.sheets(run.run_id) for run in runs}
    given = kept()
    laid_out = partial(
        _laid_out, loaded, tables, figures, verdict, of_runs=of_runs, chosen=chosen.left_out
    )
    page = laid_out(kept=given)
    beyond = len(page.encode()) - PAGE_BYTES
    if beyond > 0:
        # What stands in the page beside single runs leaves them less.
        given = kept(max(0, given.letters - beyond - _SENTENCES))
        page = laid_out(kept=given)
    return page


def _laid_out(
    loaded: Loaded,
    tables: Tables,
    figures: tuple[DrawnFigure, ...],
    verdict: AuditVerdict,
    *,
    of_runs: RunPages,
    chosen: Mapping[str, str],
    kept: Carried,
) -> str:
    """The page with what it carries of single runs."""
    made = environment()
    made.filters["cell"] = cell_text
    made.filters["key"] = sort_key
    made.filters["why"] = reason_text
    known = {str(row["run_id"]) for row in tables.runs.rows}
    runs = [run for run in sorted(loaded.runs, key=run_order) if run.run_id in known]
    made.filters["linked"] = linked(known)
    large = [table for table in tables.all() if len(table.rows) > MOST_ROWS]
    by_run = {table.name for table in large if of_one_run(table)}
    whole = {name: "runs" if kept.rows or name in of_runs.single else "" for name in by_run}
    whole |= {table.name: "own" for table in large if table.name not in by_run}
    made.globals.update(
        visible=_in_reading_order,
        alike=alike,
        most_rows=MOST_ROWS,
        whole_of=lambda table: whole.get(table.name, ""),
        chosen_of=lambda table: chosen.get(table.name, ""),
    )
    drawn_by = library()
    index = {
        "runs": [run.run_id for run in runs],
        "labels": {run.run_id: labels_of(tables, run.run_id) for run in runs},
        "tables": of_runs.index(),
        "left_out": list(kept.left_out),
        "not_in_page": NO_TRACE,
    }
    return made.get_template(PAGE_TEMPLATE).render(
        style=style(),
        script=script(),
        library=(
            Markup('<script type="text/plain" id="data-plotly">{}</script>').format(inert(drawn_by))
            if drawn_by
            else ""
        ),
        index_data=inert(packed(index)),
        details={run: inert(data) for run, data in kept.details.items()},
        traces={run: inert(data) for run, data in kept.traces.items()},
        table_data={
            table.name: inert(packed(sheet_data(table)))
            for table in large
            if whole[table.name] == "own"
        },
        checks_data=inert(packed(verdict.by_run())),
        left_out=kept.left_out,
        contents=contents(tables),
        summary=summary(tables),
        runs=len(tables.runs.rows),
        runs_known=len(loaded.runs),
        simulated=sum(run.simulated for run in loaded.runs),
        placed=placed(tables),
        elsewhere=elsewhere(tables),
        figures=[{"figure": figure, "drawn": chart_html(figure)} for figure in figures],
        comparison_note=comparison_note(tables),
        missing=missing(tables),
        never=NEVER_MEASURED,
        notes=[
            *tables.notes,
            *(
                (run.run_id, printable(str(note)))
                for run in loaded.runs
                for note in run.manifest["notes"]
            ),
        ],
        origins=[shown(origin(run)) for run in sorted(loaded.runs, key=run_order)[:MOST_ORIGINS]],
        verdict=verdict,
    )


# What a number is of stands before it; under which settings, and with which labels, behind it: on a
# screen of 1,280 px the first number would else be beyond the edge.
_BEHIND: Final = {WORDS, *(column.name for column in LAUNCHED)}


def _in_reading_order(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> list[Column[Any]]:
    """The columns that the page shows, in the order of a reader; the files keep their own."""
    return sorted(visible(columns, rows), key=lambda column: column.name in _BEHIND)
