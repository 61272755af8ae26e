"""How long a started job still takes."""

from pathlib import Path

from launcher.forecast.left import campaign_left_s, foreseen_of, job_left_s
from telemetry.clock import US_PER_S
from telemetry.record.files import write_json
from telemetry.record.foreseen import Basis, Expected, Foreseen, scaled
from telemetry.record.paths import AttemptPaths

HUNDRED = Expected(value=100.0, low=80.0, high=130.0)
FORESEEN = Foreseen(
    time_s=HUNDRED,
    energy_j=scaled(HUNDRED, 300.0),
    window_s=scaled(HUNDRED, 0.5),
    window_energy_j=scaled(HUNDRED, 200.0),
    basis=Basis.DATASHEET,
    told="from the datasheet alone",
    runs=(),
    simulated=False,
)
NOW_US = 1_000 * US_PER_S


def attempt_in(
    folder: Path, *, ran_s: int | None = None, eta_s: float | None = None
) -> AttemptPaths:
    attempt = AttemptPaths(folder=folder)
    write_json(attempt.foreseen, FORESEEN.to_mapping())
    if ran_s is not None:
        write_json(attempt.started, {"t_us": NOW_US - ran_s * US_PER_S})
    if eta_s is not None:
        write_json(attempt.progress, {"eta_s": eta_s})
    return attempt


def test_a_queued_job_takes_all_that_was_foreseen(tmp_path: Path) -> None:
    assert job_left_s(attempt_in(tmp_path), NOW_US) == 100.0


def test_a_running_job_takes_the_rest_of_it(tmp_path: Path) -> None:
    assert job_left_s(attempt_in(tmp_path, ran_s=30), NOW_US) == 70.0


def test_never_less_than_its_ranks_foresee(tmp_path: Path) -> None:
    assert job_left_s(attempt_in(tmp_path, ran_s=90, eta_s=40.0), NOW_US) == 40.0


def test_of_a_late_job_nobody_knows_but_its_ranks(tmp_path: Path) -> None:
    assert job_left_s(attempt_in(tmp_path, ran_s=150), NOW_US) is None
    assert job_left_s(attempt_in(tmp_path, ran_s=150, eta_s=7.0), NOW_US) == 7.0


def test_a_record_of_before_has_nothing_foreseen(tmp_path: Path) -> None:
    attempt = AttemptPaths(folder=tmp_path)
    assert foreseen_of(attempt) is None
    assert job_left_s(attempt, NOW_US) is None


def test_a_damaged_one_is_no_forecast(tmp_path: Path) -> None:
    attempt = AttemptPaths(folder=tmp_path)
    attempt.foreseen.write_text('{"time_s": 1}')
    assert foreseen_of(attempt) is None


def test_a_campaign_s_rest_is_the_sum_of_its_jobs(tmp_path: Path) -> None:
    assert campaign_left_s([], [attempt_in(tmp_path)]) == 100.0
