"""A root that was lodged elsewhere is looked for there, and holds what was sealed before it."""

import shutil
from pathlib import Path

import pytest

from analysis.audit.campaign import Campaign, RunFacts
from analysis.audit.check import Finding, Outcome
from analysis.audit.lodging_checks import lodged_stand
from analysis.audit.run import audit_results
from analysis.audit.trust import Trust
from telemetry.clock import US_PER_S, wall_us
from telemetry.evidence.lodged import read_lodgings
from telemetry.evidence.lodging_place import LodgingPlace
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.roots import Root, list_roots
from telemetry.sign.__main__ import main
from tests.support.records import Plan, build_run
from tests.support.repositories import make_repository


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path / "results", Plan())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def lodged(run: RunPaths, *places: str, root: str | None = None) -> Finding:
    trust = Trust(
        lodged_root=root,
        lodged_in=tuple(LodgingPlace.named("--lodged", place) for place in places),
    )
    sealed = [RunFacts(run_id=each.run_id) for each in list_runs(run.results) if each.sealed()]
    return lodged_stand(Campaign(results=run.results, trust=trust, runs=tuple(sealed)))


def test_a_root_in_a_repository_s_notes_stands(run: RunPaths, repository: Path) -> None:
    assert main([str(run.results), "--lodge", f"git={repository}"]) == 0
    told = lodged(run, f"git={repository}")
    assert told.outcome is Outcome.PASSED
    assert "1 seal, all that are there" in told.evidence
    (path,) = list_roots(run.results)
    (lodging,) = read_lodgings(path)
    assert lodging.kept
    assert lodging.answer.startswith("refs/notes/joulegrid ")


def test_what_only_the_folder_says_of_its_lodging_was_not_looked_at(
    run: RunPaths, repository: Path
) -> None:
    main([str(run.results), "--lodge", f"git={repository}"])
    told = lodged(run)
    assert told.outcome is Outcome.UNSEEN
    assert "says the folder; whether it is --lodged tells" in told.evidence


def test_a_root_that_nobody_lodged_rules_nothing_out(run: RunPaths) -> None:
    Root.take(run.results).keep(run.results)
    assert lodged(run).outcome is Outcome.SKIPPED


def test_a_repository_without_our_root_fails(run: RunPaths, repository: Path) -> None:
    Root.take(run.results).keep(run.results)
    told = lodged(run, f"git={repository}")
    assert told.outcome is Outcome.FAILED
    assert "none of the folder's roots is lodged in git=" in told.evidence


def test_a_folder_that_was_sealed_again_is_not_what_was_lodged(
    run: RunPaths, repository: Path
) -> None:
    main([str(run.results), "--lodge", f"git={repository}"])
    for path in (run.results / "roots").iterdir():
        path.unlink()
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": 1})
    assert main([str(run.results), "--lodge", f"git={make_repository(repository / 'own')}"]) == 0
    told = lodged(run, f"git={repository}")
    assert told.outcome is Outcome.FAILED
    assert "which holds 1 other" in told.evidence


def test_a_place_that_cannot_be_read_is_no_pass(run: RunPaths, tmp_path: Path) -> None:
    Root.take(run.results).keep(run.results)
    told = lodged(run, f"git={tmp_path}")
    assert told.outcome is Outcome.UNSEEN
    assert "could not be looked at: git refuses" in told.evidence


def test_a_record_without_jobs_is_in_nobody_s_books(run: RunPaths) -> None:
    Root.take(run.results).keep(run.results)
    told = lodged(run, "slurm")
    assert told.outcome is Outcome.UNSEEN
    assert "no run is a job of Slurm's" in told.evidence


def test_a_run_that_was_taken_away_since_fails(run: RunPaths, repository: Path) -> None:
    other = build_run(run.results, Plan(spec={"seed": 7}))
    main([str(run.results), "--lodge", f"git={repository}"])
    other.attempt(1).seal.unlink()
    told = lodged(run, f"git={repository}")
    assert told.outcome is Outcome.FAILED
    assert "missing since the root was taken" in told.evidence


def test_runs_that_are_younger_than_the_root_are_not_under_it(
    run: RunPaths, repository: Path
) -> None:
    main([str(run.results), "--lodge", f"git={repository}"])
    later = build_run(run.results, Plan(spec={"seed": 7}))
    told = lodged(run, f"git={repository}")
    assert told.outcome is Outcome.UNSEEN
    assert f"but 1 run not under it: {later.run_id}" in told.evidence
    assert "dated back" not in told.evidence


def test_a_run_that_says_it_was_there_before_but_is_not_under_the_root_is_told(
    run: RunPaths,
) -> None:
    root = Root.take(run.results)
    later = build_run(run.results, Plan(spec={"seed": 7}))
    dated = Root(taken_us=wall_us() + 60 * US_PER_S, seals=root.seals)
    dated.keep(run.results)
    told = lodged(run, root=dated.sha256)
    assert told.outcome is Outcome.UNSEEN
    assert f"so added or dated back: {later.run_id}" in told.evidence


def test_another_root_under_the_lodged_one_s_name_fails(run: RunPaths, repository: Path) -> None:
    main([str(run.results), "--lodge", f"git={repository}"])
    (path,) = list_roots(run.results)
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": 1})
    Root.take(run.results).keep(run.results).replace(path)
    with pytest.raises(ValueError, match="must be named by its root"):
        lodged(run, f"git={repository}")


def test_a_root_of_the_auditor_s_that_the_folder_lost_fails(run: RunPaths) -> None:
    assert lodged(run, root="0" * 64).outcome is Outcome.FAILED


def test_a_later_root_that_was_taken_away_with_its_run_fails(
    run: RunPaths, repository: Path
) -> None:
    place = f"git={repository}"
    main([str(run.results), "--lodge", place])
    first = list_roots(run.results)
    later = build_run(run.results, Plan(spec={"seed": 7}))
    main([str(run.results), "--lodge", place])
    assert lodged(run, place).outcome is Outcome.PASSED
    (second,) = set(list_roots(run.results)) - set(first)
    second.unlink()
    shutil.rmtree(later.folder)
    told = lodged(run, place)
    assert told.outcome is Outcome.FAILED
    assert "what came since was taken away" in told.evidence
    assert second.stem in told.evidence


def test_roots_of_other_folders_in_one_repository_are_told(
    run: RunPaths, repository: Path, tmp_path: Path
) -> None:
    place = f"git={repository}"
    other = build_run(tmp_path / "another", Plan(spec={"seed": 7}))
    for results in (run.results, other.results):
        main([str(results), "--lodge", place])
    told = lodged(run, place)
    assert told.outcome is Outcome.PASSED
    assert "holds 1 other root, not of what lies here" in told.evidence


def test_a_root_of_the_job_s_own_that_the_folder_lacks_is_no_pass(
    run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = run.attempt(1).started
    job = {"cluster": "hall", "job_id": "12"}
    write_json(started, {**read_json(started), "slurm": job})
    root = Root.take(run.results)
    root.keep(run.results)
    sacct = tmp_path / "sacct"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def say(*roots: str) -> None:
        words = " ".join(f"joulegrid-root:{each}" for each in roots)
        sacct.write_text(f"#!/bin/sh\nprintf '12\\03712\\037{words}\\037\\n'\n")
        sacct.chmod(0o755)

    say(root.sha256)
    assert lodged(run, "slurm").outcome is Outcome.PASSED
    say(root.sha256, "ab" * 32)
    told = lodged(run, "slurm")
    assert told.outcome is Outcome.UNSEEN
    assert "slurm holds 1 other root" in told.evidence


def test_more_signatures_of_roots_than_anybody_makes_are_not_looked_at(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan())
    for number in range(40):
        name = f"run{number}/attempt-001/seal.json"
        path = Root(taken_us=number, seals={name: "0" * 64}).keep(run.results)
        for signer in range(26):
            path.with_name(f"{path.name}.s{signer}.sig").write_text("none")
    (found,) = [line for line in audit_results(run.results) if line.name == "roots"]
    assert found.outcome is Outcome.FAILED
    assert "must have at most 1000 signatures in all" in found.evidence
