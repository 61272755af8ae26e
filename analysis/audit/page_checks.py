"""Page checks: are the report's page, drawings and LaTeX what the sealed runs give?"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Severity, judged, skipped, unseen
from telemetry.record.files import read_json, read_plain
from telemetry.record.paths import closed_runs, report_folder
from telemetry.record.way_on import PAGE, REPORT, audit_digest

if TYPE_CHECKING:
    from analysis.figures.canvas import DrawnFigure
    from analysis.tables.table import Tables

# A page of 200 runs has some 10 MB, most of it drawings.
_MOST_BYTES: Final = 256 << 20
# Where the page tells of an audit; its words are escaped, so that none of them ends a part.
_OF_THE_AUDIT: Final = (('<p class="verdict', "</p>"), ('<section id="audit">', "</section>"))
_AUDITED_BEFORE: Final = "its words on an audit are of an earlier one"


def page_comes_again(campaign: Campaign) -> Finding:
    """The page, every drawing and every table in LaTeX are what the sealed runs give now."""
    folder = report_folder(campaign.results)
    page = folder / PAGE
    if not page.exists() and not page.is_symlink():
        return skipped("no report was written yet")
    try:
        # An audit is made where nothing draws, too.
        from analysis.figures.canvas import standalone  # noqa: PLC0415
        from analysis.report.drawn_figures import drawn_figures  # noqa: PLC0415
        from analysis.report.latex import latex  # noqa: PLC0415
        from analysis.report.page import render  # noqa: PLC0415
        from analysis.report.verdict import AuditVerdict  # noqa: PLC0415
        from analysis.report.written_by import KEY, written_by  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return unseen(f"the page cannot be made again here: {error}")
    loaded, tables = campaign.made
    figures = drawn_figures(loaded, tables)
    told = _told(folder / REPORT)
    verdict = AuditVerdict.of(loaded)
    same_audit = told.get("audit_sha256") == audit_digest(campaign.results)
    if not same_audit and told.get("audit_sha256") is None:
        verdict, same_audit = AuditVerdict.none(), True
    made = render(loaded, tables, figures, verdict)
    found = read_plain(page, most_bytes=_MOST_BYTES).decode(errors="surrogateescape")
    if not same_audit:
        made, found = (_without_audit(text) for text in (made, found))
    differ = [] if made == found else [f"{PAGE} is not what the sealed runs give{_at(made, found)}"]
    for figure in figures:
        drawn = None if figure.svg is None else standalone(figure.svg).encode()
        differ += _file_faults(folder / "figures" / f"{figure.key}.svg", drawn)
    # A report from before has none in LaTeX.
    if any((folder / "tables").glob("*.tex")):
        for table in tables.all():
            path = folder / "tables" / f"{table.name}.tex"
            differ += _file_faults(path, latex(table).encode("ascii"))
    by = told.get(KEY)
    differ += _set_faults(folder, tables, figures, told, whole=by == written_by())
    if differ and (closed := closed_runs(campaign.results)):
        return unseen(f"{closed[0].run_id} cannot be read, without which {differ[0]}")
    if differ and by != written_by():
        who = "another release of the project or of what draws" if by else "an unknown release"
        return unseen(f"written by {who}: write it again to compare; {differ[0]}")
    drawings = sum(figure.svg is not None for figure in figures)
    said = f"the page, {drawings} drawings, {len(tables.all())} tables in LaTeX, captions and index"
    return judged(differ, said if same_audit else f"{said}; {_AUDITED_BEFORE}")


def _set_faults(
    folder: Path,
    tables: "Tables",
    figures: "Sequence[DrawnFigure]",
    told: Mapping[str, Any],
    *,
    whole: bool,
) -> Iterator[str]:
    """How the set for papers differs; a report from before has none, `whole` ones have all."""
    from analysis.report.paper_set import PDFS, README, names_of_figure, paper_files  # noqa: PLC0415

    if not whole and not (folder / README).exists():
        return
    # Whoever takes PDFs away takes the word with them, and the files that are there are looked at.
    drawn = told.get(PDFS) is not False or any((folder / "figures").glob("*.pdf"))
    made = paper_files(tables, figures, pdfs=drawn)
    for name, content in made.items():
        yield from _file_faults(folder / name, content)
    for figure in figures:
        for name in names_of_figure(figure.key)[1:]:
            if name not in made:
                yield from _file_faults(folder / name, None)


def _without_audit(page: str) -> str:
    """A page without its first words on an audit, each once: a page is foreign."""
    for start, end in _OF_THE_AUDIT:
        before, _, rest = page.partition(start)
        page = before + rest.partition(end)[2]
    return page


def _file_faults(path: Path, made: bytes | None) -> Iterator[str]:
    """How a file differs from what it would be; None where it would not be there."""
    there = path.exists() or path.is_symlink()
    if made is None:
        if there:
            yield f"{path.name} is there, but there is nothing to draw"
    elif not there:
        yield f"{path.name} is missing"
    elif read_plain(path, most_bytes=_MOST_BYTES) != made:
        yield f"{path.name} is not what the sealed runs give"


def _told(path: Path) -> dict[str, Any]:
    """What report.json says; empty where it cannot be read: its release is unknown then."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}


def _at(made: str, found: str) -> str:
    """In which line two pages begin to differ."""
    lines = zip(made.splitlines(), found.splitlines(), strict=False)
    for number, (one, other) in enumerate(lines, 1):
        if one != other:
            return f", from line {number} on"
    return ", at its end"


PAGE_CHECKS: Final = (
    FolderCheck(
        name="report-page",
        claim="the report's page and drawings come out again",
        look=page_comes_again,
        severity=Severity.WRONG,
        rule=(
            "the page, every drawing, as SVG and as PDF, every table in LaTeX, every caption and "
            "the index are made again in memory and are the same bytes; where report.json names "
            "another release of analysis or of what draws, or "
            "none, a difference could not be looked at; what the page says of an audit is left "
            "out where another audit lies there than the page was written with"
        ),
        tolerance="none",
        reason="the same runs give the same page to the byte by one release",
        rules_out="a number or a drawing of the report that was edited by hand",
    ),
)
"""Checks of a report's page, in the audit's order."""
