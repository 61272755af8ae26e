"""Time left is told from runs that were alike, or what was foreseen, and else is no guess."""

from pathlib import Path

from launcher.campaign.time_left import Durations, TimeLeft, began_us, took_s, work_of
from telemetry.clock import US_PER_S
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths
from tests.support.records import Plan, build_run

SPEC = {"model": "nano", "gpus": 1, "batch_size": 2, "seed": 1, "repeat": 0}


def test_repeats_and_seeds_are_of_one_work_and_nothing_else_is() -> None:
    launch = {"min_window_s": 5.0, "idle_s": 1.0, "device": "cpu"}
    work = work_of(SPEC, launch)
    assert work == work_of({**SPEC, "seed": 9, "repeat": 3}, {**launch, "period_ms": 50})
    others = [{**SPEC, "batch_size": 4}, {**SPEC, "gpus": 2}, {**SPEC, "model": "micro"}]
    assert all(work != work_of(other, launch) for other in others)
    assert work != work_of(SPEC, {**launch, "min_window_s": 0.0})


def test_an_open_point_takes_what_its_like_took_less_what_it_ran() -> None:
    durations = Durations()
    for seconds in (10.0, 30.0, 12.0):
        durations.add("a", seconds)
    left = durations.left([("a", None, 4.0), ("a", 99.0, 0.0)])
    assert left == TimeLeft(known_s=8.0 + 12.0, known=2, unknown=0)
    assert left.words == "about 20 s left"


def test_without_its_like_it_takes_what_was_foreseen_and_else_is_unknown() -> None:
    durations = Durations()
    durations.add("a", None)
    left = durations.left([("a", 40.0, 0.0), ("b", None, 0.0)])
    assert left == TimeLeft(known_s=40.0, known=1, unknown=1)
    assert left.words == "about 40 s left for 1, of 1 unknown yet"
    assert durations.left([("b", None, 3.0)]).words == "time left unknown yet"
    assert durations.left([]).words == "nothing left"


def test_one_that_is_late_has_nothing_left_and_no_time_below_it() -> None:
    durations = Durations()
    durations.add("a", 10.0)
    late = durations.left([("a", None, 25.0)])
    assert late.known_s == 0.0
    assert late.words == "later than was expected"


def test_sealed_runs_of_a_folder_tell_and_a_damaged_one_does_not(tmp_path: Path) -> None:
    for seed in (1, 2):
        run = build_run(tmp_path, Plan(spec={"seed": seed}))
        attempt = run.attempt(1)
        write_json(attempt.started, {"pid_created_us": 5 * US_PER_S, "t_us": 6 * US_PER_S})
        write_json(attempt.ended, {"state": "completed", "t_us": (15 + seed) * US_PER_S})
    build_run(tmp_path, Plan(spec={"seed": 3})).spec.write_text("[")
    (seconds,) = Durations.of(tmp_path).by_work.values()
    assert seconds == [11.0, 12.0]


def test_a_stamp_that_is_not_there_is_no_time(tmp_path: Path) -> None:
    attempt = AttemptPaths(folder=tmp_path / "results" / "run" / "attempt-001")
    attempt.folder.mkdir(parents=True)
    assert (began_us(attempt), took_s(attempt)) == (None, None)
    write_json(attempt.started, {"pid_created_us": True})
    write_json(attempt.ended, {"t_us": "soon"})
    assert (began_us(attempt), took_s(attempt)) == (None, None)
