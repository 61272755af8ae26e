"""TeX: an appendix as LaTeX that a paper takes in; no word of a record is a command."""

from collections.abc import Iterator
from typing import Final

from analysis.appendix.document import Appendix, Block, Commands, Heading, Passage, Tabular
from analysis.report.latex import breakable, escaped

_SECTIONS: Final = ("section", "subsection", "subsubsection", "paragraph")
# Of the text's width, less what stands between columns.
_TEXT_WIDTH: Final = 0.94


def latex(document: Appendix) -> str:
    """The document's text, in ASCII; equal documents give equal bytes."""
    lines = [
        rf"% {escaped(document.title)}. Needs \usepackage{{booktabs,longtable}}.",
        rf"\section*{{{escaped(document.title)}}}",
    ]
    lines += [rf"\noindent\textbf{{{escaped(warning)}}}\par" for warning in document.warnings]
    for block in document.blocks:
        lines += [*_block(block), ""]
    return "\n".join(lines)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        command = _SECTIONS[min(block.level, len(_SECTIONS) - 1)]
        yield rf"\{command}*{{{escaped(block.text)}}}"
    elif isinstance(block, Passage):
        label = rf"\textbf{{{escaped(block.label)}}} " if block.label else ""
        yield rf"\noindent {label}{breakable(block.text)}\par"
    elif isinstance(block, Commands):
        yield r"\begin{quote}\footnotesize\raggedright"
        yield from (rf"\texttt{{{breakable(line)}}}\par" for line in block.lines)
        yield r"\end{quote}"
    else:
        yield from _grid(block)


def _grid(grid: Tabular) -> Iterator[str]:
    width = _TEXT_WIDTH / len(grid.head)
    yield r"{\footnotesize"
    columns = rf"p{{{width:.2f}\linewidth}}" * len(grid.head)
    yield rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(map(escaped, grid.head)) + r" \\"
    yield r"\midrule"
    yield r"\endhead"
    for row in grid.rows:
        yield " & ".join(rf"\raggedright {breakable(cell)}" for cell in row) + r" \tabularnewline"
    yield r"\bottomrule"
    yield r"\end{longtable}}"
