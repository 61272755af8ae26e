"""Markdown: an appendix as CommonMark with tables; no word of a record is markup."""

import re
from collections.abc import Iterator
from typing import Final

from analysis.appendix.document import Appendix, Block, Commands, Heading, Passage, Tabular
from telemetry.terminal import printable

# What CommonMark, its tables and mathematics give a meaning within a line; and at its beginning.
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~&$^])")
_LEADING: Final = re.compile(r"^(\d*)([-+=.)])(?=[-=\s]|$)")
_BACKTICKS: Final = re.compile(r"`+")


def markdown(document: Appendix) -> str:
    """The document's text; equal documents give equal bytes."""
    lines = [f"# {escaped(document.title)}", ""]
    for warning in document.warnings:
        lines += [f"> **{escaped(warning)}**", ""]
    for block in document.blocks:
        lines += [*_block(block), ""]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Words as they are, on one line."""
    return _LEADING.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", printable(text)))


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"{'#' * (block.level + 1)} {escaped(block.text)}"
    elif isinstance(block, Passage):
        label = f"**{escaped(block.label)}** " if block.label else ""
        yield f"{label}{escaped(block.text)}"
    elif isinstance(block, Commands):
        lines = [printable(line) for line in block.lines]
        # A fence is longer than whatever stands within it.
        longest = max((len(run) for run in _BACKTICKS.findall("\n".join(lines))), default=0)
        fence = "`" * max(3, longest + 1)
        yield from (f"{fence}sh", *lines, fence)
    else:
        yield from _grid(block)


def _grid(grid: Tabular) -> Iterator[str]:
    yield f"| {' | '.join(map(escaped, grid.head))} |"
    yield f"|{'---|' * len(grid.head)}"
    for row in grid.rows:
        yield f"| {' | '.join(map(escaped, row))} |"
