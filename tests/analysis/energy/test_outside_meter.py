"""What a program that is not ours read beside two runs on an H200 lies within what they tell."""

from pathlib import Path

import pytest

from analysis.energy.methods import METHODS, POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import load
from tests.support.recordings import FOLDER, SUFFIX, unpack

EXTRACTS = FOLDER / "extracts"
# The energy counter, read at 20 Hz by that program, from the first prefill's start to the last
# decode's end.
METERED_J = {"13c89e3b": 14_494.8, "387c05a0": 11_816.9}
# It is late by up to an update of 100 ms at each edge too, at 700 W: evenly spread, k = 2.
METER_J = 2 * 70 * (2 / 12) ** 0.5


def run_energy(name: str, folder: Path) -> RunEnergy:
    unpack(EXTRACTS / f"{name}{SUFFIX}", folder)
    (run,) = load(folder).runs
    return RunEnergy(run)


@pytest.mark.parametrize("name", METERED_J)
def test_every_witness_tells_the_outside_meters_energy_within_its_uncertainty(
    tmp_path: Path, name: str
) -> None:
    energy = run_energy(f"metered-{name}", tmp_path)
    for method in METHODS:
        told = energy.energy_by(method)
        assert told.value is not None, told.reason
        assert told.plus_minus is not None
        assert abs(told.value - METERED_J[name]) <= told.plus_minus + METER_J, method
        assert told.value == pytest.approx(METERED_J[name], rel=0.007), method


def test_a_counter_polled_every_30_s_follows_power_and_not_a_straight_line(tmp_path: Path) -> None:
    energy = run_energy("metered-13c89e3b", tmp_path)
    polled = energy.energy_by(POLLED_COUNTER)
    # A straight line between its three polls gave 13,451.6 +- 962.0 J.
    assert polled.value == pytest.approx(14_552.9, abs=1)
    assert polled.plus_minus == pytest.approx(104.1, abs=1)


def test_through_a_restart_of_the_engine_the_witnesses_agree_within_what_they_state(
    tmp_path: Path,
) -> None:
    for name in ("dcgm-13c89e3b", "dcgm-875b3ff8", "dcgm-a59c8a1e"):
        energy = run_energy(name, tmp_path / name)
        assert energy.method == RANK_COUNTER
        own = energy.energy
        assert own.value is not None
        for method in (POLLED_COUNTER, POWER_INTEGRAL):
            told = energy.energy_by(method)
            assert told.value is not None, told.reason
            widths_j = (told.plus_minus or 0.0) + (own.plus_minus or 0.0)
            assert abs(told.value - own.value) <= widths_j, (name, method)


def test_six_seconds_without_power_readings_make_their_integral_uncertain(tmp_path: Path) -> None:
    energy = run_energy("dcgm-a59c8a1e", tmp_path)
    told = energy.energy_by(POWER_INTEGRAL)
    # At most (849 - 77 W) over 6 s, evenly spread, k = 2.
    assert told.plus_minus == pytest.approx(2 * 772 * 6 / 12**0.5, rel=0.05)
