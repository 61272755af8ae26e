"""The double's boards answer to limits and clocks by the model that fake_nvml.c states."""

import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pynvml
import pytest

from analysis.energy.run_energy import RunEnergy
from analysis.power.clock_readings import clock_readings
from analysis.runs.sealed_runs import load
from analysis.tables.measured import Measured
from tests.doubles.nvml import library
from tests.doubles.nvml.library import World
from tests.support.recordings import FOLDER, recorded, unpack

SOURCE = Path(__file__).parents[3] / "doubles" / "nvml" / "fake_nvml.c"


def stated(name: str) -> float:
    """A constant of the double."""
    found = re.search(rf"^#define {name} ([0-9.]+)$", SOURCE.read_text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library.build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def world(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A board that would draw 600 W at 1980 MHz and rests at 100 W, all the time at work."""
    library.load(built)
    simulated = World(tmp_path / "world").set(duty=1.0, busy_w=600.0, idle_w=100.0, model=1)
    monkeypatch.setenv("FAKE_NVML", str(simulated.path))
    return simulated


@pytest.fixture
def board(world: World) -> Iterator[object]:
    pynvml.nvmlInit()
    yield pynvml.nvmlDeviceGetHandleByIndex(0)
    pynvml.nvmlShutdown()


def clock_mhz(board: object) -> int:
    return int(pynvml.nvmlDeviceGetClockInfo(board, pynvml.NVML_CLOCK_SM))


def reasons(board: object) -> int:
    return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(board))


def test_a_limit_that_binds_lowers_the_clock_to_a_step_and_says_so(board: object) -> None:
    assert (clock_mhz(board), reasons(board)) == (1980, 0)
    pynvml.nvmlDeviceSetPowerManagementLimit(board, 400_000)
    held = clock_mhz(board)
    # The highest of 345, 360 ... 1980 MHz at which 100 W + 500 W x f / 1980 is no more than held.
    most_mhz = (400.0 * stated("HELD_SHARE") - 100.0) / 500.0 * 1980.0
    assert held == 345 + 15 * int((most_mhz - 345) // 15)
    assert reasons(board) == pynvml.nvmlClocksEventReasonSwPowerCap
    time.sleep(1.2)
    assert pynvml.nvmlDeviceGetPowerUsage(board) / 1000 == pytest.approx(
        100.0 + 500.0 * held / 1980.0, abs=0.5
    )


def test_a_limit_above_what_the_work_draws_never_binds(board: object) -> None:
    pynvml.nvmlDeviceSetPowerManagementLimit(board, 650_000)
    assert (clock_mhz(board), reasons(board)) == (1980, 0)


def test_a_locked_clock_is_rounded_down_to_one_on_offer(board: object) -> None:
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 1400, 1400)
    assert (clock_mhz(board), reasons(board)) == (1395, 0)
    pynvml.nvmlDeviceResetGpuLockedClocks(board)
    assert clock_mhz(board) == 1980


def test_a_board_keeps_less_than_was_asked_for_where_others_measured_so(
    board: object, world: World
) -> None:
    # arXiv 2605.11999: 1980 MHz asked for are 1830 MHz kept, and 1590 MHz are honoured.
    world.set(kept_mhz=1830)
    time.sleep(0.02)
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 1980, 1980)
    assert clock_mhz(board) == 1830
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 1590, 1590)
    assert clock_mhz(board) == 1590


def test_a_setting_is_told_at_once_and_in_force_after_its_delay(
    board: object, world: World
) -> None:
    world.set(delay_ms=400)
    time.sleep(0.02)
    pynvml.nvmlDeviceSetPowerManagementLimit(board, 400_000)
    assert pynvml.nvmlDeviceGetPowerManagementLimit(board) == 400_000
    assert pynvml.nvmlDeviceGetEnforcedPowerLimit(board) == 700_000
    assert clock_mhz(board) == 1980
    time.sleep(0.5)
    assert pynvml.nvmlDeviceGetEnforcedPowerLimit(board) == 400_000
    assert clock_mhz(board) < 1980


def test_what_a_held_board_draws_is_what_the_recorded_runs_drew(tmp_path: Path) -> None:
    for folder in (FOLDER / "gsm8k", FOLDER / "paper"):
        for archive in recorded(folder):
            if archive.name.startswith(("65b-gsm8k", "65b-alpaca")):
                unpack(archive, tmp_path)
    runs = load(tmp_path).runs
    readings = itertools.chain.from_iterable(
        clock_readings(Measured(RunEnergy(run))) for run in runs if run.spec.engine == "fast"
    )
    shares = [
        one.power_w / one.of.spec.gpus / 700.0
        for one in readings
        if one.held_by_power and one.power_w is not None
    ]
    assert len(shares) >= 9
    assert float(np.mean(shares)) == pytest.approx(stated("HELD_SHARE"), abs=0.004)
