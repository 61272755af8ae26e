"""An outside meter stands beside the record's own witnesses, or says why it cannot."""

import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.audit.check import Case, Outcome
from analysis.audit.meter_checks import outside_meter_agrees, outside_meter_is_one
from analysis.energy.run_energy import RunEnergy
from analysis.meter.kept import KeptMeter
from analysis.meter.log import MeterLog, read_log
from analysis.meter.witness import MeterWitness, witnesses_of
from analysis.runs.sealed_runs import load
from analysis.tables.measured import Measured
from analysis.tables.outside_meters import OUTSIDE_METERS
from telemetry.record.paths import RunPaths
from tests.analysis.meter.conftest import Rows, stated

# The energy counter, read at 20 Hz by that program, from the first prefill's start to the last
# decode's end.
METERED_J = {"13c89e3b": 14_494.8, "387c05a0": 11_816.9}


def keep(results: Path, log: MeterLog, **changes: object) -> KeptMeter:
    meter = KeptMeter.of(stated(**changes), log, Path("meter.csv"), b"a log")
    meter.keep(results)
    return meter


def of_rows(rows: Rows) -> MeterLog:
    t_us, energy_j, power_w = (np.array(column) for column in zip(*rows, strict=True))
    return MeterLog(t_us=t_us.astype(np.int64), energy_j=energy_j, power_w=power_w)


def witness(results: Path, name: str = "387c05a0") -> MeterWitness:
    run = next(run for run in load(results).runs if run.run_id.endswith(name))
    (found,) = witnesses_of(RunEnergy(run))
    return found


def case(results: Path, name: str = "387c05a0") -> Case:
    run = next(run for run in load(results).runs if run.run_id.endswith(name))
    return Case(RunPaths(results=results, run_id=run.run_id))


def test_the_recorded_log_gives_the_energies_that_were_read_off_it(
    results: Path, log: bytes
) -> None:
    keep(results, read_log(log, stated()))
    for name, metered_j in METERED_J.items():
        part = witness(results, name).window
        assert part.meter.value == pytest.approx(metered_j, rel=1e-3)
        assert part.apart.value is not None
        assert part.apart.plus_minus is not None
        assert abs(part.apart.value) < part.apart.plus_minus < 0.01


def test_the_phases_of_the_window_are_told_apart_with_their_uncertainty(
    results: Path, log: bytes
) -> None:
    keep(results, read_log(log, stated()))
    run = next(run for run in load(results).runs if run.run_id.endswith("13c89e3b"))
    rows = OUTSIDE_METERS.rows(OUTSIDE_METERS.of_run(Measured(RunEnergy(run))))  # type: ignore[misc]
    assert [row["part"] for row in rows] == ["window", "prefill", "decode"]
    for row in rows:
        assert row["reason"] is None
        apart = float(row["record_over_meter"] or 0) - 1
        assert abs(apart) <= float(row["record_over_meter_uncertainty"] or 0)


@pytest.mark.parametrize("offset_s", [-41.7, 12.3])
def test_a_clock_that_is_off_is_found_within_its_uncertainty(
    results: Path, rows: Rows, offset_s: float
) -> None:
    moved = [(t_us + round(offset_s * 1e6), energy, power) for t_us, energy, power in rows]
    keep(results, of_rows(moved))
    fit = witness(results).fit
    assert abs(fit.offset_us / 1e6 - offset_s) <= fit.plus_minus_us / 1e6 < 0.2
    assert witness(results).window.meter.value == pytest.approx(11_816.9, rel=0.01)


def test_a_clock_further_off_than_it_may_be_is_not_known(results: Path, rows: Rows) -> None:
    keep(results, of_rows([(t_us + 9_000_000, e, p) for t_us, e, p in rows]), most_offset_s=5.0)
    assert witness(results).window.meter.value is None
    assert outside_meter_agrees(case(results)).outcome is Outcome.UNSEEN


def test_a_stated_clock_offset_is_taken_as_it_is(results: Path, rows: Rows) -> None:
    moved = of_rows([(t_us + 7_200_000_000, e, p) for t_us, e, p in rows])
    keep(results, moved, clock_offset_s=7200.0, clock_uncertainty_s=0.01)
    assert witness(results).fit.how == "stated"
    assert witness(results).window.meter.value == pytest.approx(11_816.9, rel=1e-3)


def test_calibration_is_applied_and_its_accuracy_is_in_the_uncertainty(
    results: Path, rows: Rows
) -> None:
    keep(results, of_rows(rows), gain=1.02, offset_w=10.0, accuracy_share=0.01)
    told = witness(results).window.meter
    seconds = witness(results).run_energy.duration_s
    assert told.value == pytest.approx(1.02 * 11_816.9 + 10 * seconds, rel=1e-3)
    assert told.plus_minus is not None
    assert told.plus_minus > 0.01 * told.value  # type: ignore[operator]


def test_power_alone_is_integrated(results: Path, rows: Rows) -> None:
    keep(results, replace(of_rows(rows), energy_j=None), energy_column=None)
    assert witness(results).reading == "power"
    assert witness(results).window.meter.value == pytest.approx(11_816.9, rel=5e-3)


def test_a_total_that_began_anew_in_the_window_is_none_and_power_stands_in(
    results: Path, rows: Rows
) -> None:
    start_us, end_us = witness_window(results)
    middle = next(at for at, row in enumerate(rows) if row[0] > (start_us + end_us) // 2)
    broken = [(t, e if at < middle else e - 30_000, p) for at, (t, e, p) in enumerate(rows)]
    keep(results, of_rows(broken))
    assert witness(results).reading == "power"


def test_a_log_with_a_silence_in_the_window_says_nothing_by_power(
    results: Path, rows: Rows
) -> None:
    start_us, _ = witness_window(results)
    hole = start_us + 3_000_000, start_us + 6_000_000
    keep(
        results,
        replace(of_rows([row for row in rows if not hole[0] < row[0] < hole[1]]), energy_j=None),
        energy_column=None,
    )
    assert "silent for 3.0 s" in (witness(results).window.meter.reason or "")


def test_a_meter_of_nodes_may_tell_more_but_not_less(results: Path, rows: Rows) -> None:
    keep(results, of_rows([(t, 1.6 * e, 1.6 * p) for t, e, p in rows]), boundary="node")
    assert outside_meter_agrees(case(results)).outcome is Outcome.PASSED
    for path in (results / "meters").iterdir():
        path.unlink()
    keep(results, of_rows([(t, 0.7 * e, 0.7 * p) for t, e, p in rows]), boundary="node")
    assert outside_meter_agrees(case(results)).outcome is Outcome.FAILED


def test_of_a_share_that_is_stated_the_record_may_have_no_more(results: Path, rows: Rows) -> None:
    keep(results, of_rows(rows), boundary="share", share=0.5)
    assert outside_meter_agrees(case(results)).outcome is Outcome.FAILED


def test_a_meter_that_tells_a_quarter_more_than_the_record_fails_it(
    results: Path, rows: Rows
) -> None:
    keep(results, of_rows([(t, 1.25 * e, 1.25 * p) for t, e, p in rows]))
    finding = outside_meter_agrees(case(results))
    assert finding.outcome is Outcome.FAILED
    assert "has 0.79" in finding.evidence


def test_the_recorded_log_has_noise_of_its_own(results: Path, log: bytes) -> None:
    keep(results, read_log(log, stated()))
    assert outside_meter_is_one(case(results)).outcome is Outcome.PASSED


def test_a_log_that_is_the_record_moved_and_scaled_is_seen(results: Path, own: Rows) -> None:
    moved = [(t + 1_234_567, 1.01 * e, 1.01 * p) for t, e, p in own]
    keep(results, of_rows(moved))
    finding = outside_meter_is_one(case(results))
    assert finding.outcome is Outcome.FAILED
    assert "of its times are those of the record" in finding.evidence


@pytest.mark.parametrize("without", ["energy_j", "power_w"])
def test_a_log_that_lies_on_the_lines_between_the_record_s_readings_is_seen(
    results: Path, own: Rows, without: str
) -> None:
    t_us, energy_j, power_w = (np.array(column) for column in zip(*own, strict=True))
    at = np.arange(t_us[0], t_us[-1], 50_017)
    watts = np.interp(at, t_us, power_w)
    made = MeterLog(
        t_us=at,
        power_w=None if without == "power_w" else 0.99 * np.round(watts, 1),
        energy_j=None if without == "energy_j" else 0.99 * np.interp(at, t_us, energy_j),
    )
    columns = {"energy_j": "energy_column", "power_w": "power_column"}
    keep(results, made, **{columns[without]: None})
    finding = outside_meter_is_one(case(results))
    assert finding.outcome is Outcome.FAILED, finding.evidence
    assert "no second instrument does" in finding.evidence


def test_without_a_log_and_of_a_run_that_none_saw_the_checks_do_not_apply(
    results: Path, rows: Rows
) -> None:
    assert outside_meter_agrees(case(results)).outcome is Outcome.SKIPPED
    start_us, _ = witness_window(results, "387c05a0")
    other_us = witness_window(results, "13c89e3b")[0]
    early = [row for row in rows if (row[0] > other_us + 26e6) == (start_us > other_us)]
    keep(results, of_rows(early), most_offset_s=1.0)
    seen = {name: outside_meter_agrees(case(results, name)).outcome for name in METERED_J}
    assert seen["387c05a0"] is Outcome.PASSED
    assert seen["13c89e3b"] is not Outcome.FAILED


def test_a_kept_log_that_was_changed_is_refused(results: Path, rows: Rows) -> None:
    keep(results, of_rows(rows))
    path = results / "meters" / "meter.parquet"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="changed since"):
        witness(results)


def witness_window(results: Path, name: str = "387c05a0") -> tuple[int, int]:
    run = next(run for run in load(results).runs if run.run_id.endswith(name))
    return RunEnergy(run).window_us


def test_the_committed_log_is_small() -> None:
    data = (Path(__file__).parents[2] / "recorded/extracts/metered.csv.xz").read_bytes()
    assert len(data) < 200_000
    assert lzma.decompress(data).count(b"\n") == 3_097
