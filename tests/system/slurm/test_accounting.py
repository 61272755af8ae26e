"""What a real Slurm's accounting says of a run is joined to it, a requeued job's starts apart."""

import os
import re
from pathlib import Path

from analysis.audit.accounting_checks import books_agree
from analysis.audit.check import Case, Outcome
from telemetry.accounting.answer import Answer, latest_first
from telemetry.accounting.job import AccountedJob, RecordedJob, find_job
from telemetry.accounting.row import AccountedRow, asking
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths, list_runs
from tests.system.slurm.launching import run_module
from tests.system.slurm.site import POINT, Site


def test_the_books_have_a_run_s_job_as_the_record_has_it(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    attempt = cluster.queue(results, *POINT, "model=nano", "gpus=1")
    cluster.wait("the seal", attempt.seal.is_file)
    cluster.wait_end(attempt, "COMPLETED")
    done = run_module(cluster, "launcher.accounting", results)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 job in accounting, 0 with an energy" in done.stdout
    (answer,) = latest_first(results)
    assert answer.source == "sacct"
    assert "--duplicates" in answer.command
    run = RunPaths(results=results, run_id=attempt.folder.parent.name)
    finding = books_agree(Case(run))
    assert finding.outcome is Outcome.PASSED, finding.evidence
    assert_no_name_in_an_export(cluster, results, tmp_path)


def assert_no_name_in_an_export(cluster: Site, results: Path, tmp_path: Path) -> None:
    """Of a job of Slurm's: its node, cluster, user, number and name, in record and books alike."""
    key, out = tmp_path / "key", tmp_path / "out"
    key.write_bytes(b"0123456789abcdef")
    words = ("--pseudonymise", "--key", str(key), "--out", str(out))
    done = run_module(cluster, "telemetry.export", results, *words)
    assert done.returncode == 0, done.stderr
    (run,) = list_runs(out)
    finding = books_agree(Case(run))
    assert finding.outcome is Outcome.PASSED, finding.evidence
    (original,) = list_runs(results)
    submitted = read_json(original.attempt(1).submitted)
    names = [str(submitted[name]) for name in ("job_name", "slurm_cluster", "campaign")]
    for path in out.rglob("*"):
        if path.suffix in (".json", ".txt", ".log"):
            text = path.read_text()
            assert not [name for name in names if name in text], path
            assert not re.search(r"NodeName=n1\b|NodeList=n1\b|\"n1\"|\|n1\|", text), path


def test_a_requeued_job_has_two_starts_of_one_number(cluster: Site) -> None:
    number = cluster.slurm("sbatch", "--parsable", "--requeue", "-o", os.devnull, "--wrap=sleep 90")
    said = ("sacct", "-nXPD", "-j", number, "-o", "State")
    cluster.wait("the job to run", lambda: cluster.slurm(*said) == "RUNNING")
    first = rows_of(cluster, number)[0]
    cluster.slurm("scontrol", "requeue", number)
    cluster.wait("its second row", lambda: len(cluster.slurm(*said).splitlines()) > 1)
    rows = rows_of(cluster, number)
    cluster.slurm("scancel", number)
    began = recorded(number, first, (first.start_us or 0) + 1)
    job = find_job(began, rows)
    assert isinstance(job, AccountedJob), job
    # Its second row has another time of submission, and the first start's is the attempt's life.
    assert job.first.submit_us == first.submit_us
    assert len({row.submit_us for row in rows if row.step is None}) == 2
    assert job.end_us is not None


def rows_of(cluster: Site, number: str) -> list[AccountedRow]:
    """What the line that a center is given to type prints."""
    text = cluster.slurm("env", *asking([number]).split())
    return Answer.taken(text.encode(), source="sacct").rows()


def recorded(number: str, row: AccountedRow, began_us: int) -> RecordedJob:
    return RecordedJob(
        job_id=number,
        cluster=row.cluster,
        submit_us=row.submit_us,
        name=row.name,
        began_us=began_us,
    )
