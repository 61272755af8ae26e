"""Appendices of small simulated records, and of two runs of a real H200."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.appendix.document import Appendix
from analysis.appendix.making import documents, gather
from analysis.appendix.markdown import markdown
from telemetry.record.place import named_place
from tests.support.recordings import FOLDER, SUFFIX, unpack
from tests.support.records import Plan, build_run

# The same work by two engines, small files both.
PAIR = "65b-fixed-synthetic-h200-g2-"
Written = dict[str, Appendix]
Write = Callable[..., Written]


def appendices(results: Path) -> Written:
    """Every appendix of a results folder, by name."""
    return {one.name: one for one in documents(gather(named_place(results, "analysis.appendix")))}


def row_of(document: Appendix, label: str) -> str:
    """What stands beside a label in one of a document's tables."""
    for line in markdown(document).splitlines():
        cells = line.replace("\\", "").strip("|").split(" | ")
        if cells[0].strip() == label:
            return " | ".join(cells[1:]).strip()
    raise AssertionError(f"{label} stands in no table of {document.name}")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Builds a record by a plan and gives its appendices."""

    def built(**changes: Any) -> Written:
        results = tmp_path / f"results {len(list(tmp_path.iterdir()))}"
        build_run(results, Plan(**changes))
        return appendices(results)

    return built


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sealed runs of a real H200."""
    results = tmp_path_factory.mktemp("measured") / "results"
    for archive in sorted(FOLDER.glob(f"{PAIR}*{SUFFIX}")):
        unpack(archive, results)
    return results


@pytest.fixture(scope="session")
def of_measured(measured: Path) -> Written:
    return appendices(measured)
