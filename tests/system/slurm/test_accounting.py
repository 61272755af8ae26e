"""What a real Slurm's accounting says of a run is joined to it, a requeued job's starts apart."""

from pathlib import Path

from analysis.audit.accounting_checks import books_agree
from analysis.audit.check import Case, Outcome
from telemetry.accounting.answer import latest_first
from telemetry.accounting.job import AccountedJob, RecordedJob, find_job
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths
from tests.system.slurm.site import LONG_POINT, POINT, Site
from tests.system.slurm.test_campaigns import run_module


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


def test_a_requeued_job_has_two_starts_of_one_number(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    attempt = cluster.start(results, *LONG_POINT, "model=nano", "gpus=1")
    submitted, started = read_json(attempt.submitted), read_json(attempt.started)
    recorded = RecordedJob.of(submitted, started)
    assert recorded is not None
    cluster.slurm("scontrol", "requeue", recorded.job_id)
    cluster.wait(
        "two rows of the job",
        lambda: (
            len(cluster.slurm("sacct", "-nXPD", "-j", recorded.job_id, "-o", "State").splitlines())
            == 2
        ),
    )
    cluster.slurm("scancel", recorded.job_id)
    assert run_module(cluster, "launcher.accounting", results).returncode == 0
    (answer,) = latest_first(results)
    job = find_job(recorded, answer.rows())
    assert isinstance(job, AccountedJob)
    # It began before it was requeued: the first start's is its life.
    assert job.first.submit_us == recorded.submit_us
    assert job.start_us is not None
    assert recorded.began_us is not None
    assert job.start_us <= recorded.began_us + 1_000_000
