"""LaTeX: each table as a file that a paper takes in.

It needs the packages booktabs and longtable and no other, is ASCII, and has what the page has: its
columns, its rounding, ± in the cell of its number. Each row has the marks of its labels; a legend,
what is the same in every row, and what the numbers are not, stand below. A table wider than a page
is split into panels whose rows are numbered, one of more rows than a page is a longtable.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from analysis.report.formatting import cell_text
from analysis.runs.labels import marks_of, of_words
from analysis.tables.column import Column, Row, alike, visible
from analysis.tables.labels import WORDS
from analysis.tables.table import Table, Tables
from telemetry.nearest import told_count
from telemetry.record.files import write_bytes
from telemetry.terminal import printable

# \footnotesize on a text width of 16 cm: 455 pt over some 4 pt a character.
_PAGE_CHARS: Final = 105
# \tabcolsep is 4 pt on either side of a column.
_GAP_CHARS: Final = 2
# A page of A4 has some 60 lines of \footnotesize, and a heading of four.
_PAGE_ROWS: Final = 50
# Words beyond this are set as a paragraph of so many characters.
_MOST_CHARS: Final = 55
_LEAST_HEAD_CHARS: Final = 8
_ROW: Final = r"\#"
_NO_VALUE: Final = "--"

_SPECIAL: Final = {
    **{each: f"\\{each}" for each in "{}$&#%_"},
    **{"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}"},
    # After \\ of the row before they would be its argument.
    **{"[": "{[}", "*": "{*}", '"': "{''}"},
    **{"±": r"$\pm$", "\N{MULTIPLICATION SIGN}": r"$\times$", "·": r"$\cdot$", "…": r"\ldots{}"},
    **{"\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{MINUS SIGN}": "$-$", "°": r"$^\circ$"},
    **{"\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''"},
    **{"\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'"},
    **{"≤": r"$\leq$", "≥": r"$\geq$", "²": "$^2$", "→": r"$\rightarrow$"},
    **{"\N{MICRO SIGN}": r"$\mu$", "\N{GREEK SMALL LETTER MU}": r"$\mu$"},
    **{"\N{NARROW NO-BREAK SPACE}": r"\,", "\N{NO-BREAK SPACE}": "~"},
}
# By the combining mark that a letter is made of with it.
_ACCENTS: Final = {
    **{"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u"},
    **{"\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c"},
}
# Two of these in a row are one other character.
_LIGATURES: Final = re.compile(r"(?<=([-',]))(?=\1)")
_NUMBER: Final = re.compile(r"[+-]?[\d\N{NARROW NO-BREAK SPACE}]+(\.\d+)?(e[+-]?\d+)?")
_UNITS: Final = {
    "degC": r"$^\circ$C",
    "1/s": "s$^{-1}$",
    "B/s": "B\\,s$^{-1}$",
    "FLOP/s": "FLOP\\,s$^{-1}$",
}
# What no unit is said of: words, counts, ratios, and columns whose rows differ in theirs.
_PLAIN_UNIT: Final = re.compile(r"[A-Za-z/]+")
_NOTES: Final = {
    "simulated": "SIMULATED: no measurement of a GPU",
    "random_weights": "random weights: no trained model",
    "changed_code": "code with changes that no commit holds",
    "partial_record": "parts of the record are damaged or missing",
}
# Names of runs, boards and phases stand in thousands of rows.
_KNOWN_TEXTS: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class _Set:
    """One column as it is set."""

    head: tuple[str, ...]
    """Lines of its heading."""
    cells: tuple[str, ...]
    """Its cells."""
    chars: int
    """Characters of the widest of both, as far as a page lets it."""
    align: str
    """Its letter in the preamble."""


def write_latex(tables: Tables, folder: Path) -> list[Path]:
    """Write every table as `<name>.tex`; equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables.all():
        path = folder / f"{table.name}.tex"
        write_bytes(path, latex(table).encode("ascii"))
        written.append(path)
    return written


def latex(table: Table) -> str:
    """A table in LaTeX, as the page shows it."""
    long = len(table.rows) > _PAGE_ROWS
    head = [
        f"% {escaped(table.kind.title)}: {told_count(len(table.rows), 'row')} of the table "
        f"{table.name}.",
        r"% Needs \usepackage{booktabs,longtable}." + (" Not for a float." if long else ""),
        f"% {table.name}.csv has all columns and digits; +- is the expanded uncertainty (k = 2).",
    ]
    if not table.rows:
        return "\n".join([*head, r"\emph{No rows.}", ""])
    # Each row has its marks, whether all are alike or not: rows get copied out of tables.
    columns = [one for one in visible(table.columns, table.rows) if one.name != WORDS]
    lines = [*head, r"{\footnotesize\setlength{\tabcolsep}{4pt}%"]
    marks = [_marks(row) for row in table.rows]
    for panel in _panels([_set(table.rows, column) for column in columns], marks):
        lines += [*(_longtable(panel) if long else _tabular(panel)), ""]
    lines += [rf"\noindent {note}.\par" for note in _notes(table)]
    return "\n".join([*lines, "}", ""])


@lru_cache(maxsize=_KNOWN_TEXTS)
def escaped(text: str) -> str:
    """Words as LaTeX sets them, in ASCII; what it has no command for stands as [U+4E2D]."""
    pieces = (_escaped(each) for each in _LIGATURES.sub("\0", printable(text)))
    return "".join(pieces)


def _escaped(character: str) -> str:
    if character == "\0":
        return "{}"
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"{{[}}U+{ord(character):04X}]"


def _set(rows: Sequence[Row], column: Column[Any]) -> _Set:
    texts = [cell_text(row, column) for row in rows]
    if column.type == "share":
        texts = [text.removesuffix(" %") for text in texts]
    words = column.type in ("text", "flag")
    widest = max(map(len, texts))
    wide = words and widest > _MOST_CHARS
    unit = _unit(column)
    head = textwrap.wrap(
        column.label, max(_LEAST_HEAD_CHARS, min(widest, _MOST_CHARS)), break_long_words=False
    )
    lines = [escaped(line) for line in head] + ([f"({unit})"] if unit else [])
    chars = max(*(len(line) for line in (*head, column.unit)), min(widest, _MOST_CHARS))
    return _Set(
        head=tuple(lines),
        cells=tuple(breakable(text) if wide else escaped(text) for text in texts)
        if words
        else tuple(map(_number, texts)),
        chars=chars,
        align=f"p{{{_MOST_CHARS / _PAGE_CHARS:.2f}\\linewidth}}" if wide else "l" if words else "r",
    )


def _unit(column: Column[Any]) -> str:
    if column.type == "share":
        return r"\%"
    unit = _UNITS.get(column.unit) or escaped(column.unit)
    # A label such as J / token says it already.
    said = column.unit in column.label.split()
    return "" if said or unit in ("", "1") or " " in unit else unit


def breakable(text: str) -> str:
    """Words in which a long name may be broken at the marks within it."""
    return escaped(text).replace(r"\_", r"\_\allowbreak{}").replace("/", r"/\allowbreak{}")


def _number(text: str) -> str:
    """A number, or two with ± between them, in mathematics; words as they are."""
    parts = text.split(" ± ")
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return escaped(text)
    return "$" + r" \pm ".join(map(_mathematics, parts)) + "$"


def _mathematics(number: str) -> str:
    digits, _, exponent = number.partition("e")
    digits = digits.replace("\N{NARROW NO-BREAK SPACE}", r"\,")
    return rf"{digits} \times 10^{{{int(exponent)}}}" if exponent else digits


def _marks(row: Row) -> str:
    """The marks of a row's labels, raised; empty for none."""
    marks = marks_of(of_words(row.get(WORDS)))
    return rf"\textsuperscript{{{marks}}}" if marks else ""


def _marked(column: _Set, marks: Sequence[str]) -> _Set:
    """A column with the marks of each row behind its cell."""
    cells = tuple(cell + mark for cell, mark in zip(column.cells, marks, strict=True))
    return replace(column, cells=cells)


def _panels(columns: Sequence[_Set], marks: Sequence[str]) -> Iterator[list[_Set]]:
    """Columns that fit a page's width; numbered rows where there are several panels.

    The first column of each panel has the rows' marks.
    """
    panels: list[list[_Set]] = [[]]
    rows = len(marks)
    numbers = _Set(
        head=(_ROW,),
        cells=tuple(f"${number}$" for number in range(1, rows + 1)),
        chars=len(str(rows)),
        align="r",
    )
    left = room = _PAGE_CHARS - numbers.chars - _GAP_CHARS
    for column in columns:
        wanted = column.chars + _GAP_CHARS
        if wanted > left and panels[-1]:
            panels.append([])
            left = room
        panels[-1].append(column)
        left -= wanted
    several = len(panels) > 1
    numbered = [[numbers, *panel] for panel in panels] if several else panels
    return iter([[_marked(first, marks), *rest] for first, *rest in numbered])


def _tabular(panel: Sequence[_Set]) -> Iterator[str]:
    yield rf"\noindent\begin{{tabular}}{{@{{}}{_aligns(panel)}@{{}}}}"
    yield r"\toprule"
    yield _heading(panel)
    yield r"\midrule"
    yield from _body(panel)
    yield r"\bottomrule"
    yield r"\end{tabular}\par\medskip"


def _longtable(panel: Sequence[_Set]) -> Iterator[str]:
    yield rf"\begin{{longtable}}{{@{{}}{_aligns(panel)}@{{}}}}"
    yield r"\toprule"
    yield _heading(panel)
    yield r"\midrule"
    yield r"\endhead"
    yield r"\bottomrule"
    yield r"\endfoot"
    yield from _body(panel)
    yield r"\end{longtable}"


def _aligns(panel: Sequence[_Set]) -> str:
    return "".join(column.align for column in panel)


def _heading(panel: Sequence[_Set]) -> str:
    """Headings of several lines, each in a small table of its own that stands on the rule."""
    cells = []
    for column in panel:
        align = "r" if column.align == "r" else "l"
        inner = r" \\ ".join(column.head)
        several = len(column.head) > 1
        cells.append(
            rf"\begin{{tabular}}[b]{{@{{}}{align}@{{}}}}{inner}\end{{tabular}}"
            if several
            else inner
        )
    return " & ".join(cells) + r" \\"


def _body(panel: Sequence[_Set]) -> Iterator[str]:
    for cells in zip(*(column.cells for column in panel), strict=True):
        yield " & ".join(cells) + r" \\"


def _notes(table: Table) -> Iterator[str]:
    """What is the same in every row, and what the numbers are not."""
    same = [one for one in alike(table.columns, table.rows) if one.name != WORDS]
    if same:
        told = ", ".join(
            f"{escaped(one.label)} {_set(table.rows[:1], one).cells[0]}{_suffix(one)}"
            for one in same
        )
        yield f"{'In every row' if len(table.rows) > 1 else 'Of this row'}: {told}"
    if legend := _legend(table):
        yield legend
    runs = len(table.about.get("runs", {}))
    for label, note in _NOTES.items():
        which = table.about.get(label)
        if which in ("all", "some"):
            of = f"{'all' if which == 'all' else 'some'} of {told_count(runs, 'run')}"
            yield f"{note}, {of}"[0].upper() + f"{note}, {of}"[1:]


def _legend(table: Table) -> str:
    """What the rows' marks stand for; of a table without them its runs' labels in words."""
    of_rows = of_words(*(row.get(WORDS) for row in table.rows))
    if of_rows or any(column.name == WORDS for column in table.columns):
        return "; ".join(rf"\textsuperscript{{{one.mark}}}~{escaped(one.word)}" for one in of_rows)
    told = [
        f"{one['label']} ({told_count(len(one['runs']), 'run')})"
        for one in table.about.get("labels", ())
    ]
    return f"Of its runs: {escaped(', '.join(told))}" if told else ""


def _suffix(column: Column[Any]) -> str:
    unit = _unit(column)
    return f"\\,{unit}" if unit else ""
