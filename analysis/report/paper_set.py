"""Paper set: what a report writes beside its page for who writes a paper.

Figures as PDF for one and for two columns, a caption of each figure and table that LaTeX takes in,
and an index that says what each file is. Equal tables and figures give equal bytes.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.figures.canvas import WIDTH_IN, DrawnFigure
from analysis.figures.chart import Chart
from analysis.figures.static import pdf
from analysis.report.latex import breakable, escaped
from analysis.runs.labels import Label, in_order, of_words
from analysis.runs.processes import cores, spread
from analysis.tables.labels import WORDS
from analysis.tables.table import Table, Tables
from telemetry.nearest import told_count
from telemetry.terminal import printable

PDFS: Final = "pdfs"
"""Key of report.json: whether figures were drawn as PDF too."""
README: Final = "README.txt"
"""The index, in the report's folder."""
COLUMN_IN: Final = 5.0
"""Width that a figure for one column is drawn in: at 3.5 in (IEEEtran's \\columnwidth of 252 pt)
its letters of 9 points are of 6.3, and IEEE's least is 6."""
# A process takes a second or two to load what draws, in which one draws so many.
_PICTURES_A_PROCESS: Final = 4
# Where a line of the index ends.
_WIDE: Final = 80
_SAID_OF_TABLES: Final = {
    "csv": "all columns and digits; columns.csv says what each means",
    "parquet": "the same, with units, meanings and labels in its metadata",
    "tex": "what the page shows, for \\input: booktabs and longtable, no siunitx",
}


def paper_files(
    tables: Tables, figures: Sequence[DrawnFigure], jobs: int | None = 1, *, pdfs: bool
) -> dict[str, bytes]:
    """Every file of the set that neither tables nor page have, by its path in the report.

    `jobs` is how many processes draw: 1 is this one alone, None as many as are worth it. `pdfs` is
    whether figures are drawn as PDF too: fonts are cut to what each shows, which takes longer than
    all the rest of a small report.
    """
    files = _pictures(figures, jobs) if pdfs else {}
    for figure in figures:
        if figure.svg is not None:
            files[f"captions/figure-{figure.key}.tex"] = _figure_caption(figure).encode("ascii")
    for table in tables.all():
        files[f"captions/table-{table.name}.tex"] = _table_caption(table).encode("ascii")
    files[README] = "\n".join(_index(tables, figures, files)).encode()
    return files


def names_of_figure(key: str) -> tuple[str, ...]:
    """Every file that a figure may have: those of one that is not drawn must not stay."""
    return (
        *(f"figures/{key}{ending}" for ending in (".svg", ".pdf", "-column.pdf")),
        f"captions/figure-{key}.tex",
    )


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """One PDF that is to be drawn."""

    name: str
    """Its path in the report."""
    chart: Chart
    """What it shows."""
    width_in: float
    """How wide it is."""


def _pictures(figures: Sequence[DrawnFigure], jobs: int | None) -> dict[str, bytes]:
    """Each figure as PDF, its fonts embedded; nothing of one that is no chart."""
    wanted = [
        _Picture(name=f"figures/{one.key}{ending}.pdf", chart=one.chart, width_in=width_in)
        for one in figures
        if one.chart is not None and one.chart.panels
        for ending, width_in in (("", WIDTH_IN), ("-column", COLUMN_IN))
    ]
    processes = min(cores(), len(wanted) // _PICTURES_A_PROCESS) if jobs is None else jobs
    found: dict[str, bytes] = {}
    if processes > 1:
        for index, content in spread(wanted, _draw, processes):
            if content is not None:
                found[wanted[index].name] = content
    # Of one whose process died, it is drawn here.
    return {one.name: found.get(one.name) or _draw(one) for one in wanted}


def _draw(picture: _Picture) -> bytes:
    content = pdf(picture.chart, picture.width_in)
    assert content is not None
    return content


def _figure_caption(figure: DrawnFigure) -> str:
    told = [] if figure.chart is None else figure.chart.told_labels()
    labels = f" {_sentence('; '.join(told))}" if told else ""
    return _caption(figure.title, f"{figure.caption}{labels}", f"fig:joulegrid-{figure.key}")


def _table_caption(table: Table) -> str:
    told = "; ".join(
        f"{one['label']}: {told_count(len(one['runs']), 'run')}"
        for one in table.about.get("labels", ())
    )
    labels = f" {_sentence(told)}" if told else ""
    return _caption(table.kind.title, f"{table.kind.text}{labels}", f"tab:joulegrid-{table.name}")


def _caption(title: str, text: str, label: str) -> str:
    """A caption with its short form for a list of figures, and the label to refer to."""
    body = f"{breakable(title.rstrip('.'))}. {breakable(text.strip())}".rstrip()
    # Braces, as a ] of a name would end the short form.
    return f"\\caption[{{{escaped(title)}}}]{{{body}}}\n\\label{{{label.replace('_', '-')}}}\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _index(
    tables: Tables, figures: Sequence[DrawnFigure], files: Mapping[str, bytes]
) -> Iterator[str]:
    runs = tables.runs.rows
    yield "joulegrid: a report, and what a paper takes from it"
    yield ""
    yield from _wrapped(
        f"Of {told_count(len(runs), 'sealed run')}; {len(tables.not_counted.rows)} runs and "
        "attempts not counted. Open index.html first: it has all of it on one page, offline."
    )
    yield ""
    yield from _wrapped(
        "None of these files is part of the record: `joulegrid audit` makes them again from the "
        "sealed runs and says which differ."
    )
    yield from ("", "FIGURES", "")
    yield from _wrapped(
        "figures/KEY.svg and KEY.pdf: for the width of a page or of two columns. KEY-column.pdf: "
        "for one column, drawn in 5 in for a width of 3.5. Fonts of the PDFs are embedded. "
        "captions/figure-KEY.tex is \\caption and \\label."
    )
    drawn = any(name.endswith(".pdf") for name in files)
    if not drawn:
        yield from _wrapped("No PDF was asked for: `joulegrid report RESULTS --pdf` writes them.")
    yield ""
    for figure in figures:
        if figure.svg is None:
            yield from _entry(figure.key, f"{figure.title}: not drawn, {figure.reason}")
        else:
            alone = drawn and f"figures/{figure.key}.pdf" not in files
            without = " (SVG alone)" if alone else ""
            yield from _entry(figure.key, f"{figure.title}{without}")
    yield from ("", "TABLES", "")
    for ending, said in _SAID_OF_TABLES.items():
        yield from _entry(f"tables/NAME.{ending}", said)
    yield from _entry("captions/table-NAME.tex", "\\caption and \\label")
    yield ""
    for table in tables.all():
        yield from _entry(table.name, f"{table.kind.title}: {told_count(len(table.rows), 'row')}")
    yield from ("", "IN LATEX", "")
    yield from (
        "\\usepackage{graphicx,booktabs,longtable}",
        "\\begin{figure}\\centering",
        "  \\includegraphics[width=\\columnwidth]{figures/KEY-column}",
        "  \\input{captions/figure-KEY}",
        "\\end{figure}",
        "\\begin{table}\\input{captions/table-NAME}\\input{tables/NAME}\\end{table}",
        "% a table of more than 50 rows is a longtable: no float, \\input it alone",
    )
    yield from ("", "OTHERS", "")
    yield from _entry("index.html", "the page, which opens offline")
    yield from _entry("report.json", "which seals, audit and code the report is of")
    yield from ("", "LABELS", "")
    yield from _labels(tables)
    yield ""


def _labels(tables: Tables) -> Iterator[str]:
    """The labels that anything here has, with their marks and meanings."""
    rows = [row for table in tables.all() for row in table.rows]
    there = in_order(of_words(*(row.get(WORDS) for row in rows)))
    if not there:
        yield "No number here has a label."
    for label in there:
        yield from _entry(f"{label.mark}  {label.word}", label.meaning)
    left = [label for label in Label if label not in there]
    if left:
        yield ""
        yield from _wrapped(f"Looked for and not found: {', '.join(label.word for label in left)}.")


def _entry(name: str, said: str) -> list[str]:
    return textwrap.wrap(
        printable(f"{name}: {said}"),
        _WIDE,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDE, break_long_words=False, break_on_hyphens=False)
