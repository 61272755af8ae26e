"""Page: one page with every result, that opens offline and says what it does not know.

The page loads nothing, escapes everything, and is the same to the byte for the same sealed runs
and the same audit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analysis.audit.run import seals_digest
from analysis.figures.canvas import DrawnFigure, standalone
from analysis.figures.draw_all import draw_all
from analysis.report.formatting import (
    cell_text,
    reason_text,
    sort_key,
)
from analysis.report.origin import origin
from analysis.report.sentences import NEVER_MEASURED, comparison_note, missing, summary
from analysis.runs.sealed_runs import Loaded
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.build import build_tables
from analysis.tables.column import alike, visible
from analysis.tables.point import run_order
from analysis.tables.table import Table, Tables, report_folder
from analysis.tables.write import write_tables
from telemetry.record.files import read_json, write_bytes

SECTIONS: Final = ("results", "contrasts", "runs", "speed", "phases", "gpus", "paper", "others")
"""Sections of the page that show the tables which name them; `report.html` has their words."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a call of `write_report` left."""

    page: Path
    """Path of the HTML page."""
    tables: Tables
    """All tables, as they were written beside the page."""
    figures: tuple[DrawnFigure, ...]
    """All figures of the page, in its order; those without a drawing say why."""


def write_report(loaded: Loaded, folder: Path | None = None) -> Written:
    """Write tables, figures and the page to `folder`, `results/report` by default.

    Raises:
        ValueError: there is no sealed run.
        OSError: the folder cannot be written.
    """
    if not loaded.runs:
        raise ValueError(f"{loaded.results} must hold a sealed run, but holds none")
    folder = folder or report_folder(loaded.results)
    tables = build_tables(loaded)
    figures = tuple(draw_all(loaded, tables))
    write_tables(tables, folder / "tables")
    (folder / "figures").mkdir(exist_ok=True)
    for figure in figures:
        path = folder / "figures" / f"{figure.key}.svg"
        if figure.svg is None:
            # What an earlier call drew is no longer true.
            path.unlink(missing_ok=True)
        else:
            write_bytes(path, standalone(figure.svg).encode())
    page = folder / "index.html"
    write_bytes(page, render(loaded, tables, figures, read_audit(loaded.results)).encode())
    return Written(page=page, tables=tables, figures=figures)


def render(
    loaded: Loaded,
    tables: Tables,
    figures: tuple[DrawnFigure, ...],
    audit: Mapping[str, Any] | None,
) -> str:
    """The page as HTML."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell_text
    environment.filters["key"] = sort_key
    environment.filters["why"] = reason_text
    environment.globals.update(visible=visible, alike=alike)
    template = environment.from_string(_package_text("report.html"))
    simulated = sum(run.simulated for run in loaded.runs)
    return template.render(
        style=Markup(_package_text("report.css")),  # noqa: S704 - the package's own file
        script=Markup(_package_text("report.js")),  # noqa: S704 - the package's own file
        summary=summary(tables),
        runs=len(tables.runs.rows),
        simulated=simulated,
        placed=placed(tables),
        elsewhere=elsewhere(tables),
        figures=[
            {"figure": figure, "svg": Markup(figure.svg or "")}  # noqa: S704 - escaped by matplotlib
            for figure in figures
        ],
        comparison_note=comparison_note(tables),
        missing=missing(tables),
        never=NEVER_MEASURED,
        notes=[
            *tables.notes,
            *((run.run_id, str(note)) for run in loaded.runs for note in run.manifest["notes"]),
        ],
        origins=[origin(run) for run in sorted(loaded.runs, key=run_order)],
        audit=audit,
    )


def placed(tables: Tables) -> dict[str, list[Table]]:
    """Tables with rows by the section of the page that they name."""
    return {
        section: [one for one in tables.all() if one.rows and one.kind.section == section]
        for section in SECTIONS
    }


def elsewhere(tables: Tables) -> list[Table]:
    """Tables with rows that name no section of the page: each has one of its own."""
    return [one for one in tables.all() if one.rows and one.kind.section not in SECTIONS]


def read_audit(results: Path) -> dict[str, Any] | None:
    """The last audit, `current` when it is of these seals; None when there is none."""
    path = report_folder(results) / "audit.json"
    if not path.is_file():
        return None
    try:
        audit = read_json(path)
        checks = [
            {key: str(check[key]) for key in ("claim", "outcome", "evidence")}
            for check in audit["checks"]
        ]
        current = audit["seals_sha256"] == seals_digest(results)
        return {"current": current, "passed": audit["passed"] is True, "checks": checks}
    except UNREADABLE:
        return None


def _package_text(name: str) -> str:
    return resources.files("analysis.report").joinpath(name).read_text(encoding="utf-8")
