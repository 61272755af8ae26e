"""What every test shares: a spec that is valid as it stands, and where the public data lie."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.spec import RunSpec

REPOSITORY = Path(__file__).resolve().parent.parent
PUBLIC_DATA = REPOSITORY.parent / "shared" / "data"

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where a real DCGM engine is, for `pytest -m dcgm`."""
    parser.addoption("--dcgm-bindings", help="folder of NVIDIA's Python bindings of DCGM")
    parser.addoption("--dcgm-address", help="host:port or socket path of nv-hostengine")


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
