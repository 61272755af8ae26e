"""A root lies in a real Slurm's books, first where the job's user cannot write."""

import time
from pathlib import Path

import pytest

from analysis.audit.campaign import Campaign, RunFacts
from analysis.audit.check import Finding, Outcome
from analysis.audit.lodging_checks import lodged_stand
from analysis.audit.trust import Trust
from telemetry.evidence.lodged import read_lodgings
from telemetry.evidence.lodging_place import LodgingPlace
from telemetry.power.wish import Wish
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.roots import Root, list_roots
from telemetry.sign.__main__ import main
from tests.support.records import Plan, build_run
from tests.support.told import complaints
from tests.system.slurm.site import Site, job_id

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def booked(cluster: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Site, RunPaths]:
    """A sealed run of an array's last element, whose number in the books is the array's."""
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
    name = cluster.slurm("sbatch", "--parsable", "--array=3-5", "-o", "/dev/null", "--wrap", "true")
    ended = ("sacct", "-n", "-X", "-P", "-j", name, "-o", "State")
    cluster.wait("the jobs' ends", lambda: cluster.slurm(*ended).split() == ["COMPLETED"] * 3)
    its_books = ("sacct", "-n", "-X", "-P", "-j", f"{name}_5", "-o", "JobIDRaw,Cluster")
    number, its_cluster = cluster.slurm(*its_books).split("|")
    assert number == name
    array = {"array_job_id": name, "array_task_id": "5"}
    run = build_run(tmp_path / "results", Plan())
    started = run.attempt(1).started
    there = read_json(started) if started.is_file() else {}
    write_json(started, {**there, "slurm": {"cluster": its_cluster, "job_id": number, **array}})
    return cluster, run


def comments(booked: tuple[Site, RunPaths], element: str | None = None) -> list[str]:
    """What the books say of the job: an administrator's comment, and its user's."""
    site, run = booked
    slurm = read_json(run.attempt(1).started)["slurm"]
    job = f"{slurm['array_job_id']}_{element or slurm['array_task_id']}"
    words = ("sacct", "-n", "-X", "-P", "-j", job, "-o", "AdminComment,Comment")
    return site.slurm(*words).split("|")


def modify(booked: tuple[Site, RunPaths], what: str) -> None:
    site, run = booked
    job = job_id(run.attempt(1))
    site.slurm("sacctmgr", "-i", "modify", "job", "where", f"jobid={job}", "set", what)


def lodged(run: RunPaths) -> Finding:
    trust = Trust(lodged_in=(LodgingPlace.named("--lodged", "slurm"),))
    facts = (RunFacts(run_id=run.run_id),)
    return lodged_stand(Campaign(results=run.results, trust=trust, runs=facts))


def test_an_administrator_lodges_a_root_in_the_admin_comment(
    booked: tuple[Site, RunPaths],
) -> None:
    _, run = booked
    assert main([str(run.results), "--lodge", "slurm"]) == 0
    (path,) = list_roots(run.results)
    assert comments(booked) == [f"joulegrid-root:{path.stem}", ""]
    told = lodged(run)
    assert told.outcome is Outcome.PASSED
    assert "lodged in the admincomment of job " in told.evidence
    (lodging,) = read_lodgings(path)
    assert lodging.kept
    assert lodging.answer.startswith("admincomment of job ")


def test_the_other_elements_of_its_array_keep_their_own_comments(
    booked: tuple[Site, RunPaths],
) -> None:
    site, run = booked
    array = read_json(run.attempt(1).started)["slurm"]["array_job_id"]
    other = ("sacctmgr", "-i", "modify", "job", "where", f"jobid={array}_3", "set")
    site.slurm(*other, f"comment={Wish(power_cap_w=250.0).comment}")
    assert main([str(run.results), "--lodge", "slurm"]) == 0
    assert comments(booked, element="3") == ["", Wish(power_cap_w=250.0).comment]
    assert comments(booked, element="4") == ["", ""]


def test_a_later_root_stands_beside_the_first(booked: tuple[Site, RunPaths]) -> None:
    _, run = booked
    main([str(run.results), "--lodge", "slurm"])
    build_run(run.results, Plan(spec={"seed": 7}))
    # The second run was no job: it is under the root all the same.
    assert main([str(run.results), "--lodge", "slurm"]) == 0
    assert comments(booked)[0].count("joulegrid-root:") == 2
    before = comments(booked)
    assert main([str(run.results), "--lodge", "slurm"]) == 0
    assert comments(booked) == before


def test_what_somebody_else_wrote_there_stays(
    booked: tuple[Site, RunPaths], capsys: Captured
) -> None:
    _, run = booked
    modify(booked, "admincomment=js1:blob")
    assert main([str(run.results), "--lodge", "slurm"]) == 0
    admin, own = comments(booked)
    assert admin == "js1:blob"
    assert own.startswith("joulegrid-root:")
    assert "the comment of job " in lodged(run).evidence
    assert "which its user can write" in lodged(run).evidence
    assert lodged(run).outcome is Outcome.UNSEEN
    modify(booked, "comment=mine")
    capsys.readouterr()
    assert main([str(run.results), "--lodge", "slurm"]) == 1
    captured = capsys.readouterr()
    assert comments(booked) == ["js1:blob", "mine"]
    assert "admincomment holds what is not ours; comment holds what is not ours" in captured.err
    assert lodged(run).outcome is Outcome.FAILED


def test_a_wish_for_power_in_the_comment_stays_and_is_named_in_one_line(
    booked: tuple[Site, RunPaths], capsys: Captured
) -> None:
    _, run = booked
    wish = Wish(power_cap_w=250.0).comment
    modify(booked, "admincomment=js1:blob")
    modify(booked, f"comment={wish}")
    assert main([str(run.results), "--lodge", "slurm"]) == 1
    (told,) = complaints(capsys.readouterr().err)
    assert "comment carries the job's wish for power (joulegrid-power:" in told
    assert comments(booked) == ["js1:blob", wish]


def test_a_seal_that_was_made_again_is_not_what_the_books_say(
    booked: tuple[Site, RunPaths],
) -> None:
    _, run = booked
    main([str(run.results), "--lodge", "slurm"])
    (path,) = list_roots(run.results)
    path.unlink()
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": time.time_ns() // 1000})
    Root.take(run.results).keep(run.results)
    assert lodged(run).outcome is Outcome.FAILED


def test_a_job_that_the_books_do_not_have_is_told(
    booked: tuple[Site, RunPaths], capsys: Captured
) -> None:
    _, run = booked
    started = run.attempt(1).started
    content = read_json(started)
    content["slurm"] = {"cluster": content["slurm"]["cluster"], "job_id": "999999"}
    write_json(started, content)
    assert main([str(run.results), "--lodge", "slurm"]) == 1
    assert "sacct knows no job 999999" in capsys.readouterr().err
    assert lodged(run).outcome is Outcome.UNSEEN
