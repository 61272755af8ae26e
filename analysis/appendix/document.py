"""Document: what an appendix says, in blocks that Markdown and LaTeX both set."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading."""

    text: str
    """Its words."""
    level: int
    """1 is a section of the document."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A paragraph."""

    text: str
    """Its words."""
    label: str = ""
    """What stands before them in bold; empty: nothing."""


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Lines to type."""

    lines: tuple[str, ...]
    """One command each."""


@dataclass(frozen=True, kw_only=True)
class Tabular:
    """A table."""

    head: tuple[str, ...]
    """Its headings."""
    rows: tuple[tuple[str, ...], ...]
    """Its cells."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(
                    f"`rows` must have {len(self.head)} cells each, but {row} has {len(row)}"
                )


Block = Heading | Passage | Commands | Tabular
"""One of the four."""


@dataclass(frozen=True, kw_only=True)
class Appendix:
    """One appendix."""

    name: str
    """Its files' name, without an ending."""
    title: str
    """Its title."""
    warnings: tuple[str, ...]
    """What a reader has to know before all else; empty where there is nothing."""
    blocks: tuple[Block, ...]
    """What it says."""


def pairs(label: str, value: str, rows: Sequence[tuple[str, str]]) -> Tabular:
    """A table of two columns."""
    return Tabular(head=(label, value), rows=tuple(rows))
