"""What the documents say is there: pages, places in them, files, modules and words."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from analysis.audit.check import Outcome, Severity
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.energy.methods import METHODS, in_words
from analysis.energy.phase_energy import NO_RANK, SHORT_PHASES
from analysis.workbook.build import TABLES
from launcher.campaign.point_status import GOING, UNSEALED
from launcher.plan.grid import Verdict
from telemetry.record.fields import FIELDS
from telemetry.record.schema import TABLES as RECORD_TABLES
from telemetry.record.schema import EndState, Phase
from telemetry.record.seal import SEALED
from tests.conftest import REPOSITORY
from tests.test_architecture import MODULES, ROOMS

DOCS: Final = REPOSITORY / "docs"
PAGES: Final = sorted(
    [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(REPOSITORY / name for name in ("slurm/README.md", "tests/README.md")),
        *DOCS.glob("*.md"),
    ]
)
MOST_README_LINES: Final = 130
# What a reader takes for a path of this repository; results, and what a command makes, are none.
_TOP: Final = ("analysis", "conf", "docs", "launcher", "slurm", "telemetry", "tests", "workers")
_PATH: Final = re.compile(rf"(?<![\w/.$-])(?:{'|'.join(_TOP)})/[\w./*-]*[\w/*]")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_MODULE: Final = re.compile(r"python3? -m ([\w.]+)")


def ids(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_of(page: Path) -> str:
    """All that stands between backticks, on a line or in a block."""
    text = text_of(page)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`]+)`", rest)])


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """What a link to a heading of the page ends in, as GitHub makes it of the heading."""
    found = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", one).lower().strip().replace(" ", "-") for one in found)


def rows_of(text: str) -> Iterator[list[str]]:
    """The cells of every line of every table but headings and rules."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


@cache
def glossary() -> dict[str, frozenset[str]]:
    """The words that each section of the glossary explains, by its heading."""
    sections = text_of(DOCS / "glossary.md").split("\n## ")[1:]
    return {
        section.splitlines()[0]: frozenset(
            word.strip(" `")
            for cells in rows_of(section)
            for word in (cells[0], *re.split(r"[,:]", cells[0]))
        )
        for section in sections
    }


def test_the_readme_is_as_long_as_a_newcomer_reads() -> None:
    assert len(text_of(REPOSITORY / "README.md").splitlines()) <= MOST_README_LINES


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for link in _LINK.findall(text_of(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(REPOSITORY), link
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_path_of_the_repository_that_a_page_names_is_there(page: Path) -> None:
    for path in _PATH.findall(code_of(page)):
        assert any(REPOSITORY.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_module_that_a_page_runs_is_there(page: Path) -> None:
    for name in _MODULE.findall(text_of(page)):
        if name.split(".")[0] in _TOP:
            stem = REPOSITORY.joinpath(*name.split("."))
            program = stem / "__main__.py" if stem.is_dir() else stem.with_suffix(".py")
            assert program.is_file(), name


def test_the_index_leads_to_every_page() -> None:
    listed = {link.partition("#")[0] for link in _LINK.findall(text_of(DOCS / "README.md"))}
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= listed


@pytest.mark.parametrize("room", ROOMS)
def test_the_tree_has_every_room_in_the_words_of_its_map(room: str) -> None:
    map_of_room = MODULES[room].read_text().removeprefix('"""').partition("\n\n")[0]
    folder = room.replace(".", "/") + "/"
    said = {cells[0].strip("`"): cells[1] for cells in rows_of(text_of(DOCS / "architecture.md"))}
    assert said.get(folder) == " ".join(map_of_room.split()), folder


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Phases", {*Phase, SHORT_PHASES, NO_RANK}),
        ("States of a point and an attempt", {*EndState, *GOING, UNSEALED, SEALED}),
        ("Verdicts of the plan", set(Verdict)),
        ("Outcomes of a check", set(Outcome)),
        ("Severities of a check", set(Severity)),
        ("Energy", {*METHODS, *map(in_words, METHODS)}),
        ("Tables", {*RECORD_TABLES, *(table.name for table in TABLES)}),
        ("Readings", set(FIELDS)),
    ],
)
def test_the_glossary_explains_every_word_of(section: str, words: set[str]) -> None:
    assert {str(word) for word in words} - glossary()[section] == set()


def test_the_glossary_explains_what_the_names_of_columns_are_made_of() -> None:
    known = {
        part for words in glossary().values() for word in words for part in re.split(r"[ _-]", word)
    }
    for table in TABLES:
        for column in table.columns:
            assert set(column.name.split("_")) <= known, f"{table.name}.{column.name}"


def test_the_glossary_says_of_readings_what_their_rows_say() -> None:
    section = text_of(DOCS / "glossary.md").partition("\n## Readings\n")[2]
    said = [cells for cells in rows_of(section) if cells[0].startswith("`")]
    assert said == [[f"`{one.name}`", one.unit, one.meaning] for one in FIELDS.values()]


def test_the_page_of_the_audit_has_every_check_with_its_claim() -> None:
    page = text_of(DOCS / "audit.md").partition("\n## What can contradict")[0]
    said = {cells[0].strip("`"): cells[1] for cells in rows_of(page)}
    checks = (*CHECKS, *FOLDER_CHECKS)
    assert {check.name: said.get(check.name) for check in checks} == {
        check.name: check.claim for check in checks
    }
