"""Listing: rows as a table where the width has room for it, else as a paragraph each.

A table folds cells and headings between their words, never within one; a number is never cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

from telemetry.paragraph import seen, wrapped

# Between two columns; the narrower one where the other leaves no room for a table.
_GAPS: Final = ("  ", " ")
_RULE: Final = "─"
_HANG: Final = 4


@dataclass(frozen=True, kw_only=True)
class ListedColumn:
    """One column: its heading and a cell for each row."""

    heading: str
    """What the cells are; folded between its words."""
    cells: tuple[str, ...]
    """A text for each row."""
    right: bool = False
    """True puts the cells to the right, as numbers stand."""
    whole: bool = False
    """True keeps a cell of several words in one line."""
    bare: bool = False
    """True leaves the heading out where a row is a paragraph: the cell speaks for itself."""
    styles: tuple[str, ...] = ()
    """A style for each cell, where there is colour; none for all if empty."""

    @property
    def most(self) -> int:
        """Columns of the terminal that its heading or its widest cell takes."""
        return max(cell_len(self.heading), *map(cell_len, self.cells), 0)

    @property
    def least(self) -> int:
        """The same once all that may be is folded at every blank."""
        if self.whole:
            return max(self._words(self.heading), *map(cell_len, self.cells), 0)
        return max(self._words(self.heading), *map(self._words, self.cells), 0)

    @staticmethod
    def _words(text: str) -> int:
        return max((cell_len(word) for word in text.split(" ")), default=0)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Rows of equal columns, which rich lays out by the width there is."""

    columns: tuple[ListedColumn, ...]
    """Its columns, all with as many cells."""

    def __post_init__(self) -> None:
        if len(lengths := {len(column.cells) for column in self.columns}) > 1:
            raise ValueError(
                f"`columns` must have as many cells each, but have {sorted(lengths)} instead"
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        columns = [_seen(column, console) for column in self.columns]
        if not columns or not columns[0].cells:
            return
        for gap in _GAPS:
            room = options.max_width - len(gap) * (len(columns) - 1)
            if (widths := _widths(columns, room)) is not None:
                break
        else:
            yield from _paragraphs(columns, options.max_width)
            return
        headings = [Text(column.heading) for column in columns]
        yield from _row(headings, columns, widths, gap)
        # Spelt here, as everything else that is counted was.
        rule = seen(_RULE, console.file) * (sum(widths) + len(gap) * (len(widths) - 1))
        yield _line(Text(rule))
        for number in range(len(columns[0].cells)):
            cells = [_cell(column, number) for column in columns]
            yield from _row(cells, columns, widths, gap)


def _seen(column: ListedColumn, console: Console) -> ListedColumn:
    """The column as the terminal will show it, so that it is measured so."""
    return ListedColumn(
        heading=seen(column.heading, console.file),
        cells=tuple(seen(cell, console.file) for cell in column.cells),
        right=column.right,
        whole=column.whole,
        bare=column.bare,
        styles=column.styles,
    )


def _widths(columns: Sequence[ListedColumn], room: int) -> list[int] | None:
    """The columns' widths; None where they do not fit."""
    widths = [column.most for column in columns]
    least = [column.least for column in columns]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        # The one that can give most gives first.
        spare = [wide - narrow for wide, narrow in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _cell(column: ListedColumn, number: int) -> Text:
    return Text(column.cells[number], style=column.styles[number] if column.styles else "")


def _row(
    cells: Sequence[Text], columns: Sequence[ListedColumn], widths: Sequence[int], gap: str
) -> Iterator[Text]:
    folded = [
        wrapped(cell.plain, width=width, hang=0) for cell, width in zip(cells, widths, strict=True)
    ]
    for number in range(max(map(len, folded))):
        line = Text()
        for place, (cell, lines, width) in enumerate(zip(cells, folded, widths, strict=True)):
            text = lines[number] if number < len(lines) else ""
            blank = " " * (width - cell_len(text))
            line.append(gap if place else "")
            line.append(blank if columns[place].right else "")
            line.append(text, style=cell.style)
            line.append("" if columns[place].right else blank)
        yield _line(line)


def _paragraphs(columns: Sequence[ListedColumn], width: int) -> Iterator[Text]:
    for number in range(len(columns[0].cells)):
        told = [
            cell if column.bare else f"{column.heading} {cell}"
            for column in columns
            if (cell := column.cells[number])
        ]
        yield _line(Text("\n".join(wrapped(", ".join(told), width=width, hang=_HANG))))


def _line(text: Text) -> Text:
    text.rstrip()
    text.no_wrap, text.overflow = True, "ignore"
    return text
