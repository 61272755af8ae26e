"""Sections: where each table stands on the page, and what the table of contents leads to."""

from dataclasses import dataclass
from typing import Final

from analysis.tables.table import Table, Tables

SECTIONS: Final = ("results", "contrasts", "runs", "speed", "phases", "gpus", "paper", "others")
"""Sections of the page that show the tables which name them; `report.html` has their words."""
# Headings of sections that several tables name and the template has no words of.
_TITLES: Final = {
    "findings": "What the data say",
    "complexity": "What prompts and answers cost",
    "sequence": "What lengths of prompts and answers cost",
    "joules": "Where a joule goes",
    "observed": "Clock and power, observed, not set",
    "claims": "Claims",
    "abstracts": "Against arXiv 2501.08219, version by version",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the page that tables bring along."""

    id: str
    """Its place in the page's address."""
    title: str
    """Its heading."""
    tables: tuple[Table, ...]
    """What stands in it, in the report's order."""


def placed(tables: Tables) -> dict[str, list[Table]]:
    """Tables with rows by the section of the page that they name."""
    return {
        section: [one for one in tables.all() if one.rows and one.kind.section == section]
        for section in SECTIONS
    }


def elsewhere(tables: Tables) -> list[Section]:
    """Tables with rows that name none of `SECTIONS`: by the one they name, else each in its own."""
    found: dict[str, list[Table]] = {}
    for table in tables.all():
        if table.rows and table.kind.section not in SECTIONS:
            found.setdefault(table.kind.section or table.name, []).append(table)
    return [
        Section(id=name, title=_TITLES.get(name, own[0].kind.title), tables=tuple(own))
        for name, own in found.items()
    ]


def contents(tables: Tables) -> list[tuple[str, str]]:
    """Id and words of each section that the table of contents names, in the page's order."""
    there = placed(tables)
    return [
        *(("results", "Key numbers"), ("figures", "Figures")),
        *([("contrasts", "Side by side")] if there["contrasts"] else []),
        *(("speed", "Speed"), ("phases", "Phases"), ("gpus", "GPUs")),
        *((section.id, section.title) for section in elsewhere(tables)),
        *(("paper", "Paper"), ("runs", "Runs"), ("missing", "Not measured")),
        *(("others", "Not counted"), ("origin", "Provenance"), ("audit", "Audit")),
        ("again", "Rebuild"),
    ]
