"""Two runs on an H200 with the log of an independent program that read the board beside them."""

import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.energy.run_energy import RunEnergy
from analysis.meter.statement import Statement
from analysis.runs.sealed_runs import load
from tests.support.recordings import FOLDER, SUFFIX, unpack

EXTRACTS = FOLDER / "extracts"
WORDS = (
    *("--time", "t_us", "--time-unit", "us", "--boundary", "gpu", "--covers", "vm"),
    *("--energy", "energy_counter_j", "--power", "power_instant_w"),
)
"""What is stated of it."""
BOTH = ("13c89e3b", "387c05a0")

Rows = list[tuple[int, float, float]]
"""(t_us, energy_counter_j, power_instant_w) of each line."""
Written = Callable[[Rows], Path]


def stated(**changes: object) -> Statement:
    """What is stated of the recorded log, with changes."""
    return Statement.from_mapping(
        {
            "name": "meter",
            "boundary": "gpu",
            "covers": ["vm"],
            "time_column": "t_us",
            "time_unit": "us",
            "energy_column": "energy_counter_j",
            "power_column": "power_instant_w",
            **changes,
        }
    )


@pytest.fixture(scope="session")
def log() -> bytes:
    """The log, whole."""
    return lzma.decompress((EXTRACTS / "metered.csv.xz").read_bytes())


@pytest.fixture(scope="session")
def rows(log: bytes) -> Rows:
    """Its lines."""
    lines = [line.split(",") for line in log.decode().splitlines()[1:]]
    return [(int(t_us), float(energy_j), float(power_w)) for t_us, energy_j, power_w in lines]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Both runs."""
    for name in BOTH:
        unpack(EXTRACTS / f"metered-{name}{SUFFIX}", tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes lines as a log."""

    def write(lines: Rows) -> Path:
        path = tmp_path / "meter.csv"
        text = "".join(f"{t_us},{energy_j},{power_w}\n" for t_us, energy_j, power_w in lines)
        path.write_text(f"t_us,energy_counter_j,power_instant_w\n{text}")
        return path

    return write


@pytest.fixture
def own(results: Path) -> Rows:
    """The record's own power of one run with its integral, as a forger would write a log of it."""
    run = next(run for run in load(results).runs if run.run_id.endswith(BOTH[1]))
    energy = RunEnergy(run)
    (gpu,) = energy.gpus
    _, power = energy.power_series(gpu.host, gpu.uuid)
    t_us, watts = power.distinct()
    steps = np.diff(t_us) / 1e6 * (watts[1:] + watts[:-1]) / 2
    joules = np.concatenate(([0.0], np.cumsum(steps)))
    return [(int(t), float(e), float(p)) for t, e, p in zip(t_us, joules, watts, strict=True)]
