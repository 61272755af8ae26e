"""One model on several numbers of GPUs: efficiency, laws and what is off them."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.findings.built import point, repeated, tables_of
from tests.support.records import Plan, window_s, work_w


def token_s(plan: Plan) -> float:
    return window_s(plan) / (plan.run_spec.prompts * plan.run_spec.max_gen_len)


def token_j(plan: Plan) -> float:
    return sum(work_w(rank) for rank in range(plan.run_spec.gpus)) * token_s(plan)


def test_points_are_told_against_the_fewest_gpus(tmp_path: Path) -> None:
    plans = {gpus: point(decode_s, gpus=gpus) for gpus, decode_s in ((1, 1.5), (2, 1.0), (4, 0.7))}
    rows = tables_of(tmp_path, *plans.values()).scaling.rows
    assert [row["gpus"] for row in rows] == [1, 2, 4]
    for row, (gpus, plan) in zip(rows, plans.items(), strict=True):
        speedup = token_s(plans[1]) / token_s(plan)
        assert row["speedup"] == pytest.approx(speedup)
        assert row["parallel_efficiency_share"] == pytest.approx(speedup / gpus)
        assert row["energy_efficiency_share"] == pytest.approx(token_j(plans[1]) / token_j(plan))


def test_the_power_law_and_its_residuals_are_a_line_through_logarithms(tmp_path: Path) -> None:
    plans = {gpus: point(decode_s, gpus=gpus) for gpus, decode_s in ((1, 1.5), (2, 1.0), (4, 0.7))}
    tables = tables_of(tmp_path, *plans.values())
    x = np.log(list(plans))
    y = np.log([token_s(plan) for plan in plans.values()])
    slope, intercept = np.polyfit(x, y, 1)
    (law,) = tables.scaling_laws.rows
    assert law["time_exponent"] == pytest.approx(slope)
    left = y - (slope * x + intercept)
    stderr = math.sqrt(float(left @ left) / 1 / float(((x - x.mean()) ** 2).sum()))
    # Student's two-sided 95 % point of one degree of freedom.
    assert law["time_exponent_high"] == pytest.approx(slope + 12.7062 * stderr, rel=1e-4)
    residuals = [row["time_residual_share"] for row in tables.scaling.rows]
    assert residuals == pytest.approx(np.exp(left) - 1)


def test_a_time_of_a_fixed_and_a_shared_part_has_amdahls_share(tmp_path: Path) -> None:
    # The window is 2 batches of prefill and decode and what lies between: 0.4 + 3.2 / GPUs.
    window_of = {gpus: 0.4 + 3.2 / gpus for gpus in (1, 2, 4)}
    base = Plan(prefill_s=0.1, decode_s=1.0, overhead_s=0.0)
    batches = round(window_s(base) / 1.1)
    plans = []
    for gpus, whole in window_of.items():
        plan = point(whole / batches - 0.1, gpus=gpus)
        plans.append(
            Plan(spec=plan.spec, gpu=plan.gpu, prefill_s=0.1, decode_s=plan.decode_s, overhead_s=0)
        )
    (law,) = tables_of(tmp_path, *plans).scaling_laws.rows
    assert law["serial_share"] == pytest.approx(0.4 / 3.6, rel=1e-3)


def test_two_numbers_of_gpus_have_no_residual_and_the_points_own_interval(tmp_path: Path) -> None:
    plans = *repeated(1.5, gpus=1), *repeated(1.0, gpus=2)
    tables = tables_of(tmp_path, *plans)
    (law,) = tables.scaling_laws.rows
    assert law["time_r_squared"] is None
    assert law["serial_share"] is None
    assert law["reason"] == "fewer than three numbers of GPUs"
    assert law["time_exponent_low"] is not None
    assert [row["time_residual_share"] for row in tables.scaling.rows] == [None, None]
    assert all("the law goes through both" in str(row["reason"]) for row in tables.scaling.rows)


def test_time_that_rises_with_gpus_has_no_serial_share(tmp_path: Path) -> None:
    plans = [point(decode_s, gpus=gpus) for gpus, decode_s in ((1, 0.5), (2, 1.0), (4, 2.0))]
    (law,) = tables_of(tmp_path, *plans).scaling_laws.rows
    assert law["serial_share"] is None
    assert "rises with GPUs" in str(law["reason"])


def test_points_that_differ_in_more_than_gpus_are_no_family(tmp_path: Path) -> None:
    plans = point(1.5, gpus=1), point(1.0, gpus=2, batch_size=1)
    assert tables_of(tmp_path, *plans).scaling.rows == ()
