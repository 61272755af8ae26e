"""What was planned and begun is there; what is left out afterwards leaves a gap."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.audit.check import Finding, Outcome
from analysis.audit.plan_checks import _attempt_gaps, _repeat_gaps
from analysis.audit.plans import Laid
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.planned import BEFORE, KEY, PLAN, TAKEN_BACK, Planned, plan_sha256
from tests.analysis.audit.forging import Json, edit, look_at_all
from tests.support.records import Plan, build_run

FIRST, SECOND = "20261127T080000Z-login-1", "20261127T090000Z-login-2"


def write_plan(
    results: Path, campaign: str, made: list[tuple[RunPaths, int]], **more: Json
) -> Path:
    folder = results / "campaigns" / campaign
    folder.mkdir(parents=True)
    points = [{"run_id": run.run_id, "verdict": "run", "attempt": number} for run, number in made]
    write_json(folder / PLAN, {"points": points, BEFORE: {}, **more})
    for place, (run, number) in enumerate(made):
        planned = Planned(
            campaign=campaign,
            plan_sha256=plan_sha256(folder / PLAN),
            number=place,
            count=len(made),
        )
        path = run.attempt(number).provenance
        write_json(path, {**read_json(path), KEY: planned.to_mapping()})
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[RunPaths]:
    """Three repeats, of which the last failed once; two campaigns, one after the other."""
    made = [build_run(tmp_path, Plan(spec={"repeat": repeat})) for repeat in (0, 1)]
    build_run(tmp_path, Plan(spec={"repeat": 2}, end="failed"))
    made.append(build_run(tmp_path, Plan(spec={"repeat": 2}), attempt=2))
    first = write_plan(tmp_path, FIRST, [(run, 1) for run in made])
    write_plan(tmp_path, SECOND, [(made[2], 2)], **{BEFORE: {FIRST: plan_sha256(first / PLAN)}})
    return made


def look(results: Path) -> Finding:
    return look_at_all(results, "planned")[""]


def test_a_whole_campaign_passes_with_its_failed_attempt(
    runs: list[RunPaths], tmp_path: Path
) -> None:
    found = look(tmp_path)
    assert found.outcome is Outcome.PASSED, found
    assert found.evidence == "4 attempts of 3 runs, 2 plans beside them"


def a_point(results: Path, runs: list[RunPaths]) -> None:
    shutil.rmtree(runs[1].folder)


def the_last_repeat(results: Path, runs: list[RunPaths]) -> None:
    shutil.rmtree(runs[2].folder)


def the_failed_attempt(results: Path, runs: list[RunPaths]) -> None:
    shutil.rmtree(runs[2].attempt(1).folder)


def the_failed_attempt_renumbered(results: Path, runs: list[RunPaths]) -> None:
    shutil.rmtree(runs[2].attempt(1).folder)
    runs[2].attempt(2).folder.rename(runs[2].attempt(1).folder)


def a_point_and_its_line(results: Path, runs: list[RunPaths]) -> None:
    the_last_repeat(results, runs)
    shutil.rmtree(results / "campaigns" / SECOND)
    edit(results / "campaigns" / FIRST / PLAN, lambda plan: plan["points"].pop())


def a_point_and_its_plan(results: Path, runs: list[RunPaths]) -> None:
    shutil.rmtree(runs[1].folder)
    shutil.rmtree(results / "campaigns")


def a_campaign_with_all_it_made(results: Path, runs: list[RunPaths]) -> None:
    for run in runs[:2]:
        shutil.rmtree(run.folder)
    the_failed_attempt_renumbered(results, runs)
    shutil.rmtree(results / "campaigns" / FIRST)
    edit(runs[2].spec, lambda spec: spec.update(repeat=0))


def a_repeat_without_plans(results: Path, runs: list[RunPaths]) -> None:
    shutil.rmtree(results / "campaigns")
    shutil.rmtree(runs[1].folder)
    for path in results.glob("*/attempt-*/provenance.json"):
        edit(path, lambda said: said.pop(KEY))


@pytest.mark.parametrize(
    ("leave_out", "told"),
    [
        (a_point, "planned nano"),
        (the_last_repeat, "planned nano"),
        (the_failed_attempt, "attempt 1, not there"),
        (the_failed_attempt_renumbered, "attempt 2, not there"),
        (a_point_and_its_line, "not the one that its attempts name"),
        (a_point_and_its_plan, "1 are not there, nor is its plan"),
        (a_campaign_with_all_it_made, "was there before"),
        (a_repeat_without_plans, "repeat r2, but not r1"),
    ],
)
def test_what_is_left_out_is_missed(
    leave_out: Callable[[Path, list[RunPaths]], None],
    told: str,
    runs: list[RunPaths],
    tmp_path: Path,
) -> None:
    leave_out(tmp_path, runs)
    found = look(tmp_path)
    assert found.outcome is Outcome.FAILED
    faults = found.evidence
    assert told in faults or "more)" in faults, faults


def test_an_array_s_lost_element_is_missed(runs: list[RunPaths], tmp_path: Path) -> None:
    array = tmp_path / "campaigns" / SECOND / "array-001.json"
    write_json(array, {"members": [[runs[2].run_id, 2], ["a-run-that-was-there", 1]]})
    found = look(tmp_path)
    assert found.outcome is Outcome.FAILED
    assert "array-001.json" in found.evidence


def test_what_was_taken_back_before_it_began_is_told(runs: list[RunPaths], tmp_path: Path) -> None:
    shutil.rmtree(runs[1].folder)
    shutil.rmtree(runs[2].folder)
    shutil.rmtree(tmp_path / "campaigns" / SECOND)
    refused = [
        {"run_id": run.run_id, "attempt": 1, "reason": "refused: no such partition"}
        for run in runs[1:]
    ]
    write_json(tmp_path / "campaigns" / FIRST / TAKEN_BACK, {"attempts": refused})
    found = look(tmp_path)
    assert found.outcome is Outcome.PASSED, found
    assert "2 taken back before they began" in found.evidence


def test_what_is_said_to_be_taken_back_and_is_there_fails(
    runs: list[RunPaths], tmp_path: Path
) -> None:
    told = [{"run_id": runs[0].run_id, "attempt": 1, "reason": "refused"}]
    write_json(tmp_path / "campaigns" / FIRST / TAKEN_BACK, {"attempts": told})
    found = look(tmp_path)
    assert found.outcome is Outcome.FAILED
    assert f"took back {runs[0].run_id} attempt 1, which began" in found.evidence


def test_runs_that_name_no_plan_could_not_be_looked_at(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    edit(run.attempt(1).provenance, lambda said: said.pop(KEY))
    assert look(tmp_path).outcome is Outcome.UNSEEN


def test_a_plan_that_is_no_plan_is_no_pass(runs: list[RunPaths], tmp_path: Path) -> None:
    plan = tmp_path / "campaigns" / FIRST / PLAN
    plan.write_text("[")
    assert look(tmp_path).outcome is Outcome.FAILED
    assert read_json(runs[0].attempt(1).provenance)[KEY]["campaign"] == FIRST


def test_numbers_without_end_leave_a_gap_and_are_not_counted_through(
    runs: list[RunPaths], tmp_path: Path
) -> None:
    edit(runs[0].spec, lambda spec: spec.update(repeat=10**15))
    (runs[1].folder / f"attempt-{10**18}").mkdir()
    assert look(tmp_path).outcome is Outcome.FAILED
    laid = Laid.read(tmp_path)
    (attempts,), (repeats,) = (list(gaps(laid)) for gaps in (_attempt_gaps, _repeat_gaps))
    assert f"has attempt {10**18}, but not 2 to {10**18 - 1}" in attempts
    assert f"repeat r{10**15}, but not r0, r3 to r{10**15 - 1}" in repeats
