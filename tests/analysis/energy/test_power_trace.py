"""A run's power as a page carries it: thinned without a peak lost, with its gaps and its marks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.energy.power_trace import packed, power_trace, thinned, unpacked
from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import open_run
from tests.support.records import CAPPED_FROM_S, Plan, build_run


def trace_of(results: Path, plan: Plan, form: str = "whole") -> dict[str, Any]:
    run = open_run(build_run(results, plan))
    assert run is not None
    return unpacked(getattr(power_trace(RunEnergy(run)), form))


def times_s(line: dict[str, Any]) -> list[float]:
    return [float(one) for one in np.cumsum(line["t"]) / 1000]


@pytest.mark.parametrize("count", [1199, 1201, 50_000])
def test_the_least_and_the_greatest_stay_however_many_readings_there_are(count: int) -> None:
    value = np.full(count, 100.0)
    value[count // 3], value[count - 7] = 900.0, 1.0
    t_us, kept = thinned(np.arange(count, dtype=np.int64), value, 300)
    assert len(kept) <= 302
    assert (kept.min(), kept.max()) == (1.0, 900.0)
    assert t_us[int(kept.argmax())] == count // 3
    assert (t_us[0], t_us[-1]) == (0, count - 1)
    assert (np.diff(t_us) > 0).all()


def test_every_board_has_its_line_and_its_node(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Plan(spec={"gpus": 2, "gpus_per_node": 1}, idle_gpus=1))
    assert [board["rank"] for board in trace["boards"]] == [0, 1, None, None]
    assert [board["host"] for board in trace["boards"]] == ["node0", "node1"] * 2
    assert [max(board["w"]) / 10 for board in trace["boards"]] == [200.0, 300.0, 50.0, 50.0]
    assert trace["fields"] == ["power_instant_w"]


def test_phases_are_those_of_rank_0_and_the_window_is_the_measured_one(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Plan())
    assert trace["phases"]["startup"] == [0, 500]
    assert trace["phases"]["prefill"][:2] == [2500, 500]
    # Begins are told from the end of the stretch before.
    assert trace["phases"]["prefill"][2:4] == [1800, 500]
    assert trace["window"] == [2500, 6800]


def test_what_held_a_clock_down_stands_with_its_times(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Plan(state=True))
    ((board, begin_ms, end_ms, reason),) = trace["held"]
    assert (board, reason) == (0, "power limit")
    assert begin_ms / 1000 == pytest.approx(CAPPED_FROM_S, abs=0.11)
    assert end_ms > begin_ms


def test_a_gap_in_the_readings_is_a_gap_in_the_line(tmp_path: Path) -> None:
    def silent(row: dict[str, Any]) -> dict[str, Any] | None:
        lost = row["field"] == "power_instant_w" and 3e6 < row["t_us"] % 1e9 % 1e7 < 5e6
        return None if lost else row

    (board,) = trace_of(tmp_path, Plan(sample=silent))["boards"]
    at = board["w"].index(None)
    before_s, after_s = times_s(board)[at - 1], times_s(board)[at + 1]
    assert after_s - before_s > 1.5


def test_a_board_without_a_reading_says_why(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Plan(sample=lambda _: None))
    assert trace["boards"] == []
    ((gpu, why),) = trace["silent"]
    assert gpu.startswith("SIM-")
    assert why == "no reading of its power"


def test_the_band_is_of_readings_and_no_stretch_without_one_has_a_value(tmp_path: Path) -> None:
    plan = Plan(spec={"gpus": 2, "gpus_per_node": 2})
    band = trace_of(tmp_path, plan, "band")["band"]
    assert band["boards"] == 2
    assert {one for one in band["greatest"] if one} == {500, 3000}
    assert {one for one in band["least"] if one} == {500, 2000}
    # Ten readings a second do not fill three hundred stretches of some seconds.
    assert None in band["mean"]


@pytest.mark.parametrize("data", [b"", b"no zlib", packed({"a": 1})[:-3], packed([1])])
def test_what_is_no_packed_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="must"):
        unpacked(data)
