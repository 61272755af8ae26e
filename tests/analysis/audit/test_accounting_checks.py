"""A run is held against the center's own books of its job."""

from pathlib import Path

import pytest

from analysis.audit.accounting_checks import books_agree
from analysis.audit.check import Case, Outcome
from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import open_run
from analysis.tables.accounting import ACCOUNTING
from analysis.tables.column import Row
from analysis.tables.measured import Measured
from launcher.accounting import main
from telemetry.accounting.answer import Answer
from telemetry.command import ExitCode
from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths
from tests.support.books import books, row
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run, reseal
from tests.support.told import complaints

T0_S = T0_US // 1_000_000
REAL = Plan(
    spec={"gpu": "a100"},
    gpu={"name": "NVIDIA A100-SXM4-80GB", "kind": "a100", "simulated": False},
    provenance={"config": {"cluster": {"slurm": {"exclusive": True}}}},
)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run that was job 12 of cluster hall."""
    built = build_run(tmp_path, REAL)
    write_json(
        built.attempt(1).folder / "submitted.json",
        {
            **{"executor": "slurm", "job_id": "12", "job_name": "grid", "slurm_cluster": "hall"},
            "submit_time": "2023-11-14T22:13:20+00:00",
        },
    )
    reseal(built)
    return built


def job(run: RunPaths, **changes: str) -> dict[str, str]:
    gpus = Case(run).run.spec.gpus
    nodes = Case(run).run.spec.nodes
    names = f"node[0-{nodes - 1}]"
    return row(
        **{
            "Submit": "1700000000",
            "Start": str(T0_S - 20),
            "End": str(T0_S + 200),
            "ElapsedRaw": "220",
            "NodeList": names,
            "AllocTRES": f"gres/gpu={gpus},node={nodes}",
            **changes,
        }
    )


def keep(run: RunPaths, *rows: dict[str, str]) -> None:
    Answer.taken(books(*rows).encode(), source="sacct", zone="UTC").keep(run.results)


def table(run: RunPaths) -> list[Row]:
    opened = open_run(run)
    assert opened is not None
    assert ACCOUNTING.of_run is not None
    return ACCOUNTING.rows(ACCOUNTING.of_run(Measured(RunEnergy(opened))))


def test_a_job_that_is_as_recorded_passes_and_stands_in_the_table(run: RunPaths) -> None:
    keep(run, job(run, ConsumedEnergyRaw="250000"))
    finding = books_agree(Case(run))
    assert finding.outcome is Outcome.PASSED, finding.evidence
    (told,) = table(run)
    assert told["accounted_wall_s"] == 220
    assert told["accounted_energy_j"] == 250_000
    ours = told["record_energy_j"]
    assert isinstance(ours, float)
    assert told["record_over_accounted"] == pytest.approx(ours / 250_000)


def test_without_an_answer_it_does_not_apply_and_there_is_no_row(run: RunPaths) -> None:
    assert books_agree(Case(run)).outcome is Outcome.SKIPPED
    assert table(run) == []


def test_a_run_that_was_no_job_does_not_apply(run: RunPaths, tmp_path: Path) -> None:
    (run.attempt(1).folder / "submitted.json").unlink()
    reseal(run)
    keep(run, job(run))
    assert books_agree(Case(run)).outcome is Outcome.SKIPPED
    assert table(run) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Start": str(T0_S + 60)}, "began 60.0 s before its job"),
        ({"End": str(T0_S - 5)}, "after its job did"),
        ({"NodeList": "node7"}, "node7 by the books"),
        ({"User": "nobody"}, "nobody's by the books, but somebody's"),
        ({"State": "FAILED"}, "FAILED by the books, but completed"),
        ({"AllocTRES": "gres/gpu=8,node=1"}, "given 8 GPUs"),
    ],
)
def test_a_job_that_is_not_as_recorded_fails(
    run: RunPaths, changes: dict[str, str], said: str
) -> None:
    keep(run, job(run, **changes))
    finding = books_agree(Case(run))
    assert finding.outcome is Outcome.FAILED
    assert said in finding.evidence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"JobID": "13", "JobIDRaw": "13"}, "was purged"),
        ({"Submit": "1600000000"}, "another one of that number"),
        ({"State": "RUNNING", "End": "Unknown"}, "ask again"),
    ],
)
def test_a_job_that_the_books_do_not_know_could_not_be_looked_at(
    run: RunPaths, changes: dict[str, str], said: str
) -> None:
    keep(run, job(run, **changes))
    finding = books_agree(Case(run))
    assert finding.outcome is Outcome.UNSEEN
    assert said in finding.evidence


def test_no_energy_is_null_with_its_reason_and_of_shared_nodes_there_is_no_ratio(
    run: RunPaths,
) -> None:
    keep(run, job(run, ConsumedEnergyRaw="0"))
    (told,) = table(run)
    assert told["accounted_energy_j"] is None
    assert told["record_over_accounted"] is None
    assert "0 J over 220 s" in str(told["reason"])


def test_a_job_that_shared_its_nodes_has_no_ratio(tmp_path: Path) -> None:
    shared = Plan(
        spec=REAL.spec,
        gpu=REAL.gpu,
        provenance={"config": {"cluster": {"slurm": {"exclusive": False}}}},
    )
    built = build_run(tmp_path, shared)
    write_json(
        built.attempt(1).folder / "submitted.json",
        {
            **{"executor": "slurm", "job_id": "12", "job_name": "grid", "slurm_cluster": "hall"},
            "submit_time": "2023-11-14T22:13:20+00:00",
        },
    )
    reseal(built)
    keep(built, job(built, ConsumedEnergyRaw="250000"))
    (told,) = table(built)
    assert told["record_over_accounted"] is None
    assert "for itself" in str(told["reason"])


def test_two_answers_that_tell_one_ended_job_otherwise_fail(run: RunPaths) -> None:
    keep(run, job(run, State="RUNNING", End="Unknown"))
    keep(run, job(run))
    assert books_agree(Case(run)).outcome is Outcome.PASSED
    keep(run, job(run, End=str(T0_S + 300)))
    finding = books_agree(Case(run))
    assert finding.outcome is Outcome.FAILED
    assert "two answers" in finding.evidence


def test_an_answer_that_was_changed_fails(run: RunPaths) -> None:
    keep(run, job(run))
    (path,) = (run.results / "accounting").glob("*.txt")
    path.write_text(path.read_text().replace("COMPLETED", "TIMEOUT"))
    with pytest.raises(ValueError, match="changed since"):
        books_agree(Case(run))


def test_the_command_takes_a_center_s_export_in(
    run: RunPaths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "sacct.txt"
    export.write_text(books(job(run)))
    assert main([str(run.results), "--file", str(export)]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "1 of 1 job in accounting, 0 with an energy" in told
    assert "next: python -m analysis" in told
    assert books_agree(Case(run)).outcome is Outcome.PASSED
    assert main([str(run.results), "--file", str(export)]) == ExitCode.DONE
    assert len(list((run.results / "accounting").iterdir())) == 2


def test_an_export_of_other_jobs_is_not_kept_and_the_line_that_asks_is_told(
    run: RunPaths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "sacct.txt"
    export.write_text(books(job(run, JobID="99", JobIDRaw="99")))
    assert main([str(run.results), "--file", str(export)]) == ExitCode.BAD_INPUT
    assert "sacct -D -P -j 12 -o JobID" in complaints(capsys.readouterr().err)[0]
    assert not (run.results / "accounting").exists()


def test_a_folder_without_jobs_of_slurm_s_has_nothing_to_ask_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path)
    assert main([str(tmp_path)]) == ExitCode.NOTHING_DONE
    assert "no attempt that was a job of Slurm's" in complaints(capsys.readouterr().err)[0]
