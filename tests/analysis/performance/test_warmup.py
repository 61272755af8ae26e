"""What warm-up and compiling took, of records of known power, in table `conditions`."""

from pathlib import Path
from typing import Any

import pytest

from tests.analysis.findings.built import tables_of
from tests.support.record_answers import T0_US, us
from tests.support.records import WARMUP_S, Plan, timeline, work_w

COMPILED_S = 0.44
NAME = "transformers-compiled"


def conditions(folder: Path, own: Plan) -> dict[str, Any]:
    (row,) = tables_of(folder, own).conditions.rows
    return dict(row)


def warm_from_us(own: Plan) -> int:
    return next(T0_US + us(start) for phase, start, *_ in timeline(own) if phase == "warmup")


def compiled(*times_us: tuple[int, int]) -> dict[str, Any]:
    """The engine of model.json that compiled then."""
    made = [{"rows": 2, "graphs": 1, "began_us": a, "ended_us": b} for a, b in times_us]
    return {"name": NAME, "phases": ["prefill", "decode"], "compile": {"compilations": made}}


def test_warm_up_has_time_and_energy_of_its_own(tmp_path: Path) -> None:
    row = conditions(tmp_path, Plan())
    assert row["warmup_s"] == pytest.approx(WARMUP_S)
    assert row["warmup_energy_j"] == pytest.approx(work_w(0) * WARMUP_S, rel=1e-3)
    assert row["warmup_reason"] is None


def test_a_run_that_was_not_warmed_up_says_so_and_has_no_zero(tmp_path: Path) -> None:
    def cold(span: dict[str, Any]) -> dict[str, Any]:
        return {**span, "phase": "load", "batch": None} if span["phase"] == "warmup" else span

    row = conditions(tmp_path, Plan(span=cold))
    assert (row["warmup_s"], row["warmup_energy_j"]) == (None, None)
    assert row["warmup_reason"] == "no batch was answered to warm up"


def test_compiling_has_the_energy_of_the_steps_that_compiled_alone(tmp_path: Path) -> None:
    began_us = warm_from_us(Plan())
    times = ((began_us, began_us + us(0.22)), (began_us + us(0.25), began_us + us(0.47)))
    row = conditions(tmp_path, Plan(model={"engine": compiled(*times)}))
    assert row["compile_s"] == pytest.approx(COMPILED_S)
    assert row["compile_energy_j"] == pytest.approx(work_w(0) * COMPILED_S, rel=1e-3)
    assert row["compile_energy_j"] < row["warmup_energy_j"]
    assert row["compile_reason"] is None


def test_a_step_too_short_for_the_sensor_has_seconds_and_no_joules(tmp_path: Path) -> None:
    began_us = warm_from_us(Plan())
    row = conditions(tmp_path, Plan(model={"engine": compiled((began_us, began_us + 10))}))
    assert row["compile_s"] == pytest.approx(1e-5)
    assert row["compile_energy_j"] is None
    assert "sensor" in row["compile_reason"]


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        ({"name": "fast"}, "engine fast compiles no steps"),
        (compiled(), "model.json has no compilation"),
        (
            {"name": NAME, "compile": {"compilations": [{"rows": 2, "seconds": 1.0}]}},
            "model.json does not say when the steps were compiled",
        ),
        (compiled((20, 10)), "model.json does not say when the steps were compiled"),
    ],
)
def test_what_says_no_time_of_compiling_has_none_and_why(
    tmp_path: Path, engine: dict[str, Any], reason: str
) -> None:
    row = conditions(tmp_path, Plan(model={"engine": engine}))
    assert (row["compile_s"], row["compile_energy_j"]) == (None, None)
    assert row["compile_reason"] == reason
