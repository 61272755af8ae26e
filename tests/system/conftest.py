"""One report of four runs in one browser, for all tests of the page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analysis.audit.__main__ import main as audit
from analysis.report import page as page_module
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from tests.support.browser import chromium
from tests.support.records import Plan, build_run


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A report, and what it is of."""

    page: Path
    """Its page."""
    simulated: str
    """A run on one simulated GPU."""
    nodes: str
    """A run on two nodes whose clocks a power cap held down."""
    mute: str
    """A run of which no power was read."""
    real: str
    """A run on a GPU that no model stands for."""


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Four runs, audited; of a table of more than three rows the page lays out three at once."""
    results = tmp_path_factory.mktemp("pages")
    board = {"name": "NVIDIA A100-SXM4-80GB", "kind": "a100"}
    plans = {
        "simulated": Plan(spec={"batch_size": 1}),
        "nodes": Plan(spec={"gpus": 2, "gpus_per_node": 1}, state=True, rank_counter=True),
        "mute": Plan(spec={"seed": 7}, counter=False, sample=lambda _: None),
        "real": Plan(spec={"gpu": "a100", "batch_size": 4}, gpu=board, idle_gpus=1),
    }
    runs = {name: build_run(results, plan).run_id for name, plan in plans.items()}
    audit([str(results)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "MOST_ROWS", 3)
        return Reported(page=write_report(load(results)).page, **runs)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that keeps the files which a page hands out."""
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
