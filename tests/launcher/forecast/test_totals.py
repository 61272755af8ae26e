"""What a grid costs in all, and how it is said."""

from pathlib import Path

import pytest

from launcher.config.command_line import read_points
from launcher.forecast.forecaster import foresee
from launcher.forecast.totals import (
    cost_lines,
    energy_cell,
    late_notes,
    time_cell,
    time_text,
    totals,
)
from launcher.plan.check import check
from launcher.plan.grid import PlannedPoint, Verdict

pytestmark = pytest.mark.grids


def points_of(results: Path, *words: str) -> tuple[PlannedPoint, ...]:
    return foresee(check(read_points([f"results={results}", *words]))).points


H200 = ("cluster=h200", "dataset=fixed")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(6.71, "6.7 s"), (42.0, "42 s"), (99.0, "99 s"), (750.0, "12 min"), (8000.0, "2.2 h")],
)
def test_a_time_is_told_by_two_digits_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_gpu_hours_count_every_gpu_of_a_point(tmp_path: Path) -> None:
    (point,) = points_of(tmp_path, *H200, "model=7b", "gpus=8")
    cost = totals([point])
    assert cost.gpu_hours.value == pytest.approx(cost.jobs_s.value * 8 / 3600)


def test_what_cannot_run_costs_nothing_and_has_a_dash(tmp_path: Path) -> None:
    points = points_of(tmp_path, *H200, "model=13b", "gpus=8,16")
    assert points[1].verdict is Verdict.ILLEGAL
    assert totals(points).points == 1
    assert (time_cell(points[1:]), energy_cell(points[1:])) == ("-", "-")


def test_an_array_takes_as_long_as_its_throttle_lets_it(tmp_path: Path) -> None:
    words = (*H200, "model=7b", "seed=range(8)")
    alone = points_of(tmp_path, *words, "cluster.slurm.array_parallelism=1")
    four = points_of(tmp_path, *words, "cluster.slurm.array_parallelism=4")
    many = points_of(tmp_path, *words, "cluster.slurm.array_parallelism=100")
    jobs_s = totals(alone).jobs_s.value
    assert totals(alone).wall_s.value == pytest.approx(jobs_s)
    assert totals(four).wall_s.value == pytest.approx(jobs_s / 4)
    assert totals(many).wall_s.value == pytest.approx(jobs_s / 8)
    assert totals(many).jobs_s.value == pytest.approx(jobs_s)


def test_jobs_of_this_machine_run_one_after_the_other(tmp_path: Path) -> None:
    words = ("cluster=local", "gpu=simulated-a100", "model=nano", "seed=range(3)")
    cost = totals(points_of(tmp_path, *words))
    assert cost.wall_s == cost.jobs_s


def test_simulated_energy_is_never_added_to_real(tmp_path: Path) -> None:
    cost = totals(points_of(tmp_path, "cluster=local", "gpu=simulated-a100", "model=nano"))
    assert cost.energy_j.value == 0.0
    assert cost.simulated_energy_j.value > 0.0


def test_the_lines_tell_cost_and_basis(tmp_path: Path) -> None:
    first, basis = cost_lines(points_of(tmp_path, *H200, "model=7b,13b"))
    assert first.startswith("expected: ")
    for word in (" of jobs", "GPU hours", "kWh of GPUs", "from first to last were all nodes free"):
        assert word in first
    assert basis == "from the datasheet alone (2 points)"


def test_a_simulated_plan_says_that_its_energy_is(tmp_path: Path) -> None:
    words = ("cluster=local", "gpu=simulated-a100", "model=nano")
    lines = cost_lines(points_of(tmp_path, *words))
    assert "kWh of simulated GPUs" in lines[0]
    assert "free" not in lines[0]


def test_nothing_to_run_costs_no_line(tmp_path: Path) -> None:
    assert cost_lines(points_of(tmp_path, *H200, "model=13b", "gpus=16")) == []


def test_points_that_would_outlast_their_limit_are_noted(tmp_path: Path) -> None:
    points = points_of(tmp_path, *H200, "model=7b", "cluster.timeout_min=1")
    (note,) = late_notes(points)
    assert "1 point is expected to outlast cluster.timeout_min=1" in note
    assert late_notes(points_of(tmp_path, *H200, "model=7b")) == []


def test_an_over_long_point_keeps_its_verdict_and_has_a_time(tmp_path: Path) -> None:
    words = ("cluster=local", "model=micro", "prompts=64", "max_gen_len=1000")
    limits = ("cluster.core_gflops=0.1", "cluster.timeout_min=1", "gpu=simulated-a100")
    points = points_of(tmp_path, *words, *limits)
    assert [point.verdict for point in points] == [Verdict.TOO_LONG]
    assert points[0].foreseen is not None
    assert totals(points).points == 0
