"""What the sealed repeats of a grid decide: which point is repeated, and why another is not."""

import shutil
from pathlib import Path

import pytest

from launcher.config.errors import BadInputError
from launcher.forecast.forecaster import foresee
from launcher.plan.grid import Verdict
from launcher.repeats.series import RepeatStanding
from launcher.repeats.smallest import smallest_notes
from telemetry.record.files import read_json, write_json
from telemetry.record.foreseen import Basis, Expected, Foreseen
from telemetry.record.paths import AttemptPaths, RunPaths
from tests.launcher.repeats.series import grid_of, look, rounds_of, standings, to_run


def test_the_first_round_is_the_least_repeats_of_each_point(tmp_path: Path) -> None:
    grid, found = look(rounds_of(tmp_path, "1,2", repeats_least=4))
    assert to_run(grid) == [(seed, repeat) for seed in (1, 2) for repeat in range(4)]
    assert standings(found) == [RepeatStanding.OPEN, RepeatStanding.OPEN]


def test_the_next_round_is_of_the_noisy_point_alone(laid: Path) -> None:
    grid, found = look(rounds_of(laid, "1,2"))
    assert to_run(grid) == [(2, 3)]
    assert standings(found) == [RepeatStanding.TIGHT, RepeatStanding.ON]


def test_another_call_decides_the_same_from_the_seals_alone(laid: Path) -> None:
    first, again = (look(rounds_of(laid, "1,2")) for _ in range(2))
    assert again[1].to_mapping() == first[1].to_mapping()
    assert to_run(again[0]) == to_run(first[0])


def test_a_round_is_not_begun_while_the_one_before_is_open(laid: Path) -> None:
    grid, found = look(rounds_of(laid, "2,3"))
    assert to_run(grid) == [(3, 2)]
    assert standings(found) == [RepeatStanding.ON, RepeatStanding.OPEN]


def test_a_point_that_stays_noisy_ends_at_the_most(laid: Path) -> None:
    grid, found = look(rounds_of(laid, "2", repeats_most=3))
    assert (to_run(grid), standings(found)) == ([], [RepeatStanding.MOST])


def test_a_round_that_would_go_beyond_the_budget_is_not_begun(laid: Path) -> None:
    spent = look(rounds_of(laid, "2"))[1]
    assert spent.gpu_hours is not None
    assert spent.kwh is not None
    assert min(spent.gpu_hours, spent.kwh) > 0
    for name, value in (("gpu_hours", spent.gpu_hours), ("kwh", spent.kwh)):
        grid, found = look(rounds_of(laid, "2", {f"repeats_{name}": value * 1.01}))
        assert (to_run(grid), standings(found)) == ([], [RepeatStanding.BUDGET])
        enough = look(rounds_of(laid, "2", {f"repeats_{name}": value * 1.5}))
        assert to_run(enough[0]) == [(2, 3)]


def test_a_budget_that_the_first_round_goes_beyond_is_refused_before_it(tmp_path: Path) -> None:
    for name in ("gpu_hours", "kwh"):
        rounds = rounds_of(tmp_path, "1", {f"repeats_{name}": 1e-7})
        grid = foresee(look(rounds)[0])
        with pytest.raises(BadInputError, match=f"`repeats_{name}` must be at least what"):
            rounds.require_budget(grid)


def test_a_repeat_without_energy_ends_its_point_with_the_reason(laid: Path) -> None:
    grid, found = look(rounds_of(laid, "4"))
    assert (to_run(grid), standings(found)) == ([], [RepeatStanding.NO_ENERGY])
    assert found.series[0].reason
    assert found.series[0].last is None


def test_a_repeat_that_is_not_as_sealed_is_in_no_interval(laid: Path, tmp_path: Path) -> None:
    asked = grid_of(laid, repeats=3).points
    shutil.copytree(laid, tmp_path, dirs_exist_ok=True)
    RunPaths(results=tmp_path, run_id=asked[0].spec.run_id).attempt(1).model.write_text("{}")
    found = look(rounds_of(tmp_path, "1"))[1]
    assert standings(found) == [RepeatStanding.NO_ENERGY]
    assert len(found.series[0].by_round) == 2


def broken(laid: Path, results: Path, seed: str, *, foreseen: Foreseen | None) -> AttemptPaths:
    """A copy in which the first repeat of a seed cannot be read, its stamps neither."""
    shutil.copytree(laid, results, dirs_exist_ok=True)
    run_id = grid_of(laid, seed, repeats=3).points[0].spec.run_id
    attempt = RunPaths(results=results, run_id=run_id).attempt(1)
    attempt.model.write_text("{}")
    started = read_json(attempt.started)
    write_json(attempt.started, {**started, "pid_created_us": None})
    if foreseen is not None:
        write_json(attempt.foreseen, foreseen.to_mapping())
    return attempt


def test_a_repeat_that_cannot_be_read_counts_in_the_budget_by_its_stamps(
    laid: Path, tmp_path: Path
) -> None:
    shutil.copytree(laid, tmp_path, dirs_exist_ok=True)
    whole = look(rounds_of(tmp_path, "1,2"))[1].gpu_hours
    run_id = grid_of(laid, repeats=3).points[0].spec.run_id
    attempt = RunPaths(results=tmp_path, run_id=run_id).attempt(1)
    attempt.model.write_text("{}")
    # A process is born before it says so itself.
    started = read_json(attempt.started)
    write_json(attempt.started, {**started, "pid_created_us": started["t_us"]})
    assert look(rounds_of(tmp_path, "1,2"))[1].gpu_hours == pytest.approx(whole, rel=0.05)


def test_a_repeat_without_a_time_counts_in_the_budget_what_its_launch_foresaw(
    laid: Path, tmp_path: Path
) -> None:
    hour = Expected(value=3600.0, low=3600.0, high=3600.0)
    kwh = Expected(value=3.6e6, low=3.6e6, high=3.6e6)
    foreseen = Foreseen(
        time_s=hour,
        energy_j=kwh,
        window_s=hour,
        window_energy_j=kwh,
        basis=Basis.DATASHEET,
        told="",
        runs=(),
        simulated=True,
    )
    broken(laid, tmp_path, "1", foreseen=foreseen)
    found = look(rounds_of(tmp_path, "1,2"))[1]
    assert found.gpu_hours is not None
    assert found.kwh is not None
    assert 1.0 < found.gpu_hours < 1.1
    assert 1.0 < found.kwh < 1.1
    for name in ("gpu_hours", "kwh"):
        grid, stopped = look(rounds_of(tmp_path, "1,2", {f"repeats_{name}": 1.0}))
        assert to_run(grid) == []
        assert standings(stopped) == [RepeatStanding.NO_ENERGY, RepeatStanding.BUDGET]


def test_a_budget_of_which_nobody_knows_what_is_spent_ends_with_the_reason(
    laid: Path, tmp_path: Path
) -> None:
    run_id = broken(laid, tmp_path, "1", foreseen=None).folder.parent.name
    grid, found = look(rounds_of(tmp_path, "1,2", repeats_gpu_hours=1000.0))
    assert (to_run(grid), found.gpu_hours) == ([], None)
    assert found.series[1].standing is RepeatStanding.BUDGET
    said = str(found.series[1].reason)
    assert said.startswith(f"nobody knows what is spent of the GPU hours, as those of {run_id} ")
    # Where no budget asks for it, the others go on.
    assert to_run(look(rounds_of(tmp_path, "1,2"))[0]) == [(2, 3)]


def test_a_point_that_failed_in_this_call_lets_the_others_go_on(laid: Path) -> None:
    rounds = rounds_of(laid, "2,3")
    rounds.give_up([point.spec.run_id for point in look(rounds)[0].having(Verdict.RUN)])
    grid, found = look(rounds)
    assert standings(found) == [RepeatStanding.ON, RepeatStanding.FAILED]
    assert to_run(grid) == [(2, 3)]


def test_repeats_that_were_measured_otherwise_are_not_in_the_interval(laid: Path) -> None:
    grid, found = look(rounds_of(laid, "1", min_window_s=1.0))
    assert found.series[0].by_round == {}
    assert to_run(grid) == [(1, 3)]


def test_more_repeats_of_an_old_grid_begin_where_it_stopped_under_the_same_names(
    laid: Path,
) -> None:
    grid = look(rounds_of(laid, "2"))[0]
    counted = grid_of(laid, "2", repeats=4)
    assert [p.spec.run_id for p in grid.points] == [p.spec.run_id for p in counted.points]


def shown(results: Path, **keys: object) -> str:
    (line,) = smallest_notes(grid_of(results, "9", **keys))
    return line


def test_one_repeat_is_said_to_show_nothing(tmp_path: Path) -> None:
    assert shown(tmp_path).startswith("one repeat of a point shows no difference: no interval")


def test_the_plan_tells_what_repeats_can_show_by_the_scatter_of_sealed_ones(laid: Path) -> None:
    five = shown(laid, repeats=5)
    assert "5 repeats of a point show a difference of " in five
    assert "in 8 sealed repeats of nano reference on simulated-a100" in five
    assert "3 to 20 repeats of a point show" in shown(laid, repeats="auto")


def test_the_scatter_of_other_work_is_taken_with_that_word_and_never_a_power_model_s(
    laid: Path,
) -> None:
    other = shown(laid, repeats=5, gpu="simulated-h200")
    assert "on simulated-a100, as none is of this work" in other
    assert "scatter not known" in shown(laid, repeats=5, gpu="cpu")


def test_without_sealed_repeats_the_scatter_is_said_to_be_unknown(tmp_path: Path) -> None:
    assert shown(tmp_path, repeats=3).endswith(
        "scatter not known, as no point has two sealed repeats; after 3 repeats it is"
    )
