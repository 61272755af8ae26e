"""The double's boards answer to limits and clocks by the model that fake_nvml.c states."""

import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pynvml
import pytest
import torch

from analysis.energy.run_energy import RunEnergy
from analysis.power.clock_readings import CLOCK_READINGS, clock_readings
from analysis.runs.sealed_runs import load
from analysis.tables.measured import Measured
from analysis.workbook.build import build_tables
from tests.benchmarks.clock_model import fit_table_three, step_slope
from tests.doubles.nvml import library
from tests.doubles.nvml.library import World
from tests.doubles.nvml.pace import SHARES, PacedClock, pace_engines, pace_of
from tests.support.recordings import FOLDER, recorded, unpack
from workers.engines.base.step_clock import StepClock

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


def settle() -> None:
    """Wait until a setting is in force, by the double's own delay."""
    time.sleep(1.5 * stated("SETTING_MS") / 1000.0)


def reasons(board: object) -> int:
    return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(board))


def test_a_limit_that_binds_lowers_the_clock_to_a_step_and_says_so(board: object) -> None:
    assert (clock_mhz(board), reasons(board)) == (1980, 0)
    pynvml.nvmlDeviceSetPowerManagementLimit(board, 400_000)
    settle()
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
    settle()
    assert (clock_mhz(board), reasons(board)) == (1395, 0)
    pynvml.nvmlDeviceResetGpuLockedClocks(board)
    settle()
    assert clock_mhz(board) == 1980


def test_a_board_keeps_less_than_was_asked_for_where_others_measured_so(
    board: object, world: World
) -> None:
    # arXiv 2605.11999: 1980 MHz asked for are 1830 MHz kept, and 1590 MHz are honoured.
    world.set(kept_mhz=1830)
    time.sleep(0.02)
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 1980, 1980)
    settle()
    assert clock_mhz(board) == 1830
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 1590, 1590)
    settle()
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


def test_without_a_word_of_it_a_setting_takes_a_reading_s_time(board: object) -> None:
    pynvml.nvmlDeviceSetPowerManagementLimit(board, 400_000)
    at_once = pynvml.nvmlDeviceGetEnforcedPowerLimit(board)
    settle()
    assert pynvml.nvmlDeviceGetEnforcedPowerLimit(board) == 400_000
    assert stated("SETTING_MS") > 0
    assert at_once == 700_000


def test_what_does_not_follow_the_clock_is_drawn_at_any_clock(board: object, world: World) -> None:
    world.set(still_w=210.0)
    time.sleep(0.02)
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 990, 990)
    settle()
    time.sleep(1.2)
    # Half of the clock: what follows it is halved, and the 210 W are not.
    drawn = pynvml.nvmlDeviceGetPowerUsage(board) / 1000
    assert drawn == pytest.approx(210.0 + (600.0 - 210.0) / 2.0, abs=0.5)


def test_a_board_of_a_lesser_limit_offers_and_starts_with_its_own(
    board: object, world: World
) -> None:
    world.set(least_w=100, most_w=300)
    time.sleep(0.02)
    bounds = pynvml.nvmlDeviceGetPowerManagementLimitConstraints(board)
    assert list(bounds) == [100_000, 300_000]
    assert pynvml.nvmlDeviceGetEnforcedPowerLimit(board) == 300_000
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        pynvml.nvmlDeviceSetPowerManagementLimit(board, 400_000)
    pynvml.nvmlDeviceSetPowerManagementLimit(board, 175_000)
    settle()
    assert pynvml.nvmlDeviceGetEnforcedPowerLimit(board) == 175_000


def test_work_that_follows_the_clock_takes_as_much_longer_as_it_falls(
    built: Path, board: object
) -> None:
    pace = pace_of(library.loaded(built), 0)
    assert pace(1.0) == 1.0
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 990, 990)
    settle()
    assert pace(1.0) == pytest.approx(2.0)
    assert pace(0.09) == pytest.approx(1.09)
    assert pace(0.0) == 1.0


def test_a_table_three_made_on_the_double_has_the_paper_s_shape(
    built: Path, world: World, board: object
) -> None:
    # A board that draws 250 W at its highest clock, of which table III's fit says what stays.
    still_w = fit_table_three().still_share * 250.0
    world.set(busy_w=250.0, idle_w=50.0, still_w=still_w, least_w=100, most_w=300)
    time.sleep(0.02)
    pace = pace_of(library.loaded(built), 0)
    changes = {}
    for cap_w in (250, 175, 150):
        pynvml.nvmlDeviceSetPowerManagementLimit(board, 1000 * cap_w)
        settle()
        power_w = still_w + (250.0 - still_w) * clock_mhz(board) / 1980.0
        for engine, share in SHARES.items():
            longer = pace(share)
            changes[engine, cap_w] = longer, power_w * longer
    for engine in SHARES:
        base_time, base_energy = changes[engine, 250]
        for cap_w in (175, 150):
            longer, energy = changes[engine, cap_w]
            changes[engine, cap_w] = longer / base_time - 1.0, energy / base_energy - 1.0
    # Published means: +6.7 and +19.6 % of time, -23.2 and -34.0 % of energy.
    assert changes["reference", 175] == pytest.approx((0.067, -0.232), abs=0.03)
    assert changes["reference", 150] == pytest.approx((0.196, -0.340), abs=0.06)
    # What the clock does not pace loses no time, and saves more.
    assert changes["fast", 175][0] == changes["fast", 150][0] == 0.0
    assert changes["fast", 150][1] < changes["reference", 150][1]


def test_a_step_is_stretched_by_its_phase_and_its_engine() -> None:
    now_s, waited = [0.0], []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        now_s[0] += seconds

    clock = PacedClock(lambda share: 1.0 + share, 0.09, now=lambda: now_s[0], wait=wait)
    for _ in range(2):
        clock.start()
        for work_s in (4.0, 1.0, 1.0):
            now_s[0] += work_s
            clock.mark()
    # At half of the clock a prompt takes twice its time, and a step of the reference 9 % more.
    assert waited == pytest.approx([4.0, 0.09, 0.09] * 2)
    assert len(clock.read_us()) == 3


def test_every_engine_that_is_opened_goes_at_its_own_board_s_clock(
    built: Path, board: object
) -> None:
    opened = SimpleNamespace(clock=StepClock(torch.device("cpu")))
    registry = SimpleNamespace(open_engine=lambda _: opened)
    pace_engines(registry, library.loaded(built))
    context = SimpleNamespace(
        rank=SimpleNamespace(local_rank=0), spec=SimpleNamespace(engine="reference")
    )
    engine = registry.open_engine(context)
    assert engine is opened
    assert isinstance(engine.clock, PacedClock)
    pynvml.nvmlDeviceSetGpuLockedClocks(board, 495, 495)
    settle()
    engine.clock.start()
    time.sleep(0.02)
    engine.clock.mark()
    # A prompt's reading takes four times as long at a quarter of the clock.
    assert engine.clock.read_us()[0] >= 79_000


def test_the_speed_is_what_table_three_and_the_recorded_runs_say(tmp_path: Path) -> None:
    fit = fit_table_three()
    assert SHARES["reference"] == pytest.approx(fit.time_share, abs=0.01)
    assert fit.left < 0.025
    # Of all exponents alike: the one that is taken is no finding of the table.
    assert fit_table_three(3.0).left == pytest.approx(fit.left, rel=0.01)
    for folder in (FOLDER, FOLDER / "gsm8k", FOLDER / "paper"):
        for archive in recorded(folder):
            unpack(archive, tmp_path)
    rows = build_tables(load(tmp_path), kinds=(CLOCK_READINGS,)).clock_readings.rows
    slope = step_slope(rows, "NVIDIA H200", "fast")
    assert slope is not None
    assert slope.low <= -SHARES["fast"] <= slope.high
    assert slope.high - slope.low < 0.1


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
