"""What every test shares: a spec that is valid as it stands, and where the public data lie."""

import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from telemetry.record.spec import RunSpec
from telemetry.waiting import NEVER, PROGRESS
from tests.support import ranks

# How far a command is would stand among its errors wherever the machine is busy. What tests just
# that takes the word back (`told_how_far`).
os.environ[PROGRESS] = NEVER

# Several workers share the cores, and a product of a toy's size is no faster on two: what torch and
# BLAS start in a test waits asleep and is one thread, where a test does not ask for more itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A test is never timed: its neighbours run beside it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parent.parent
PUBLIC_DATA = REPOSITORY.parent / "shared" / "data"
# What a file imports to start such processes; every test of the file gets the mark.
STARTERS = {"ranks": {"run_gang"}, "watcher": {"WatcherProcess", "DoubleEngine", "watch"}}
# Their tests wait for Slurm half of the time: three lanes of about as many seconds, each one
# worker's with one cluster (which takes 10 s to start), while the other workers compute.
LANES = {
    "slurm 1": ("ends", "campaigns", "refusals", "batch_files", "boards", "lodging", "devcluster"),
    "slurm 2": (
        "node_faults",
        "faults",
        "troubles",
        "accounting",
        "doctor",
        "prolog",
        "power_broker",
    ),
    "slurm 3": ("first_day", "reproduction", "shortage", "nodes", "repeats", "capped_deaths"),
}
# Files that look at one report in one browser: both are made once, by one worker.
PAGES = ("page_access", "page_runs", "page_tables", "page", "verdict_page")
LANE_OF = {
    **{
        f"tests/system/slurm/test_{name}.py": lane
        for lane, names in LANES.items()
        for name in names
    },
    **{f"tests/system/test_{name}.py": "pages" for name in PAGES},
}
# The files that take longest, so that no worker is left alone with one at the end.
FIRST = (
    *LANE_OF,
    "tests/system/test_docs_commands.py",
    "tests/system/test_chain.py",
    "tests/workers/engines/fast/test_kernels.py",
)

SPEC: dict[str, Any] = {
    "model": "nano",
    "engine": "reference",
    "dtype": "fp32",
    "quantization": "none",
    "weights": "random",
    "tokenizer": "joulegrid-32000",
    "gpu": "simulated-a100",
    "gpus": 1,
    "gpus_per_node": 1,
    "dataset": "gsm8k-sample",
    "prompts": 4,
    "batch_size": 2,
    "max_prompt_len": 64,
    "max_gen_len": 8,
    "temperature": 0.8,
    "top_p": 0.95,
    "ignore_eos": False,
    "seed": 1,
    "power_cap_w": None,
    "sm_clock_mhz": None,
    "repeat": 0,
}
"""A spec's mapping: nano on one simulated A100."""


@pytest.fixture
def told_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands tell how far they are, as they do to people."""
    monkeypatch.delenv(PROGRESS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where a real DCGM engine is, for `pytest -m dcgm`."""
    parser.addoption("--dcgm-bindings", help="folder of NVIDIA's Python bindings of DCGM")
    parser.addoption("--dcgm-address", help="host:port or socket path of nv-hostengine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes that run for seconds, and put the longest files first."""
    for item in items:
        module = item.getparent(pytest.Module)
        names = vars(module.obj).keys() if module else ()
        for mark, starters in STARTERS.items():
            if not starters.isdisjoint(names):
                item.add_marker(mark)
    items.sort(key=_place)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: no pass for garbage looks at its 650,000 objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        # Few of a test's objects are garbage that only a pass finds: a pass for each 50,000, not
        # for each 700, is 5 % of all that tests compute here, and no more memory.
        gc.set_threshold(50_000, 20, 20)
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """With `--dist loadfile` Slurm's files are lanes; None leaves the rest to xdist."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist is untyped
    """A group is a file, or the files of one lane."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return LANE_OF.get(file, file)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What is not marked `ranks` starts none: it would make `make test-fast` slow."""
    ranks.permitted = item.get_closest_marker("ranks") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where all parts are there (JOULEGRID_SKIPS_FAIL=1), a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("JOULEGRID_SKIPS_FAIL") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where everything must run: {report.longrepr}"
    return report


@pytest.fixture
def spec() -> RunSpec:
    """A valid spec: nano on one simulated A100."""
    return RunSpec.from_mapping(SPEC)


@pytest.fixture
def public_data() -> Path:
    """Folder of the real GSM8K and Alpaca seed files; the test is skipped where it is not."""
    if not PUBLIC_DATA.is_dir():
        pytest.skip(f"public data are not beside the repository: no {PUBLIC_DATA.name} folder")
    return PUBLIC_DATA


def _place(item: pytest.Item) -> int:
    """Where in `FIRST` the test's file stands; all others stay in their order behind those."""
    file = item.nodeid.partition("::")[0]
    return FIRST.index(file) if file in FIRST else len(FIRST)
