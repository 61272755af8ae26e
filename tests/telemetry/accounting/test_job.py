"""An attempt's job is found by cluster, number and submission, and its energy counted once."""

import pytest

from telemetry.accounting.job import AccountedJob, RecordedJob, find_job
from telemetry.accounting.row import read_rows
from tests.support.books import SUBMIT_S, books, row

US = 1_000_000


def recorded(**changes: object) -> RecordedJob:
    values: dict[str, object] = {
        **{"job_id": "12", "cluster": "hall", "submit_us": SUBMIT_S * US, "name": "grid"},
        "began_us": (SUBMIT_S + 20) * US,
    }
    return RecordedJob(**{**values, **changes})  # type: ignore[arg-type]


def found(text: str, job: RecordedJob | None = None) -> AccountedJob:
    one = find_job(job or recorded(), list(read_rows(text, None)))
    assert isinstance(one, AccountedJob), one
    return one


def lacking(text: str, job: RecordedJob | None = None) -> str:
    one = find_job(job or recorded(), list(read_rows(text, None)))
    assert isinstance(one, str)
    return one


def test_a_job_is_found_with_its_wall_time_nodes_and_gpus() -> None:
    job = found(books(row()))
    assert (job.wall_s, job.nodes, job.gpus, job.starts) == (120, ("node0",), 2, 1)


def test_gpus_are_those_of_all_kinds_where_the_books_have_kinds_alone() -> None:
    tres = "gres/gpu:a100=2,gres/gpu:h100=1,cpu=8"
    assert found(books(row(AllocTRES=tres))).gpus == 3
    assert found(books(row(AllocTRES="cpu=8"))).gpus is None


def test_an_element_of_an_array_is_found_by_its_own_name() -> None:
    text = books(row(JobID="12_0", JobIDRaw="13"), row(JobID="12_1", JobIDRaw="12", NodeList="n9"))
    assert found(text, recorded(job_id="12_1")).nodes == ("n9",)


def test_a_number_that_was_given_out_again_is_another_job() -> None:
    before = row(Submit=str(SUBMIT_S - 9000), Start=str(SUBMIT_S - 8990), End=str(SUBMIT_S - 8000))
    assert "another one of that number" in lacking(books(before))
    assert found(books(before, row())).first.submit_us == SUBMIT_S * US
    later = row(Submit=str(SUBMIT_S + 9000), JobName="somebody else's")
    assert "another one of that number" in lacking(books(later))


def test_of_several_clusters_it_is_the_recorded_one_s() -> None:
    text = books(row(Cluster="attic", NodeList="a1"), row())
    assert found(text).nodes == ("node0",)
    assert "of attic, hall, and the record does not say" in lacking(text, recorded(cluster=None))
    assert "is not there, but of attic" in lacking(books(row(Cluster="attic")))


def test_of_a_requeued_job_it_is_the_start_in_whose_life_the_attempt_began() -> None:
    text = books(
        row(State="NODE_FAIL", End=str(SUBMIT_S + 15), ElapsedRaw="5"),
        row(JobID="12.batch", End=str(SUBMIT_S + 15), ConsumedEnergyRaw="700"),
        row(Submit=str(SUBMIT_S + 15), Start=str(SUBMIT_S + 140), End=str(SUBMIT_S + 200)),
        row(JobID="12.batch", Start=str(SUBMIT_S + 140), ConsumedEnergyRaw="9000"),
    )
    job = found(text, recorded(began_us=(SUBMIT_S + 150) * US))
    assert (job.first.state, job.starts, job.wall_s) == ("COMPLETED", 2, 60)
    assert job.energy.energy_j == 9000
    first = found(text, recorded(began_us=(SUBMIT_S + 12) * US))
    assert first.first.state == "NODE_FAIL"
    assert first.energy.energy_j == 700


def test_a_purged_job_is_told_so() -> None:
    assert "was purged" in lacking(books(row(JobID="99", JobIDRaw="99")))


def test_the_parts_of_a_heterogeneous_job_are_summed() -> None:
    job = found(
        books(
            row(JobID="12+0", ConsumedEnergyRaw="1000"),
            row(JobID="12+1", JobIDRaw="13", NodeList="node[1-2]", ConsumedEnergyRaw="500"),
        )
    )
    assert job.nodes == ("node0", "node1", "node2")
    assert job.gpus == 4
    assert job.energy.energy_j == 1500


def test_steps_beside_each_other_have_all_of_a_node_each_and_count_once() -> None:
    steps = [
        row(JobID="12.batch", ConsumedEnergyRaw="40000"),
        row(JobID="12.extern", ConsumedEnergyRaw="41000"),
        row(JobID="12.0", Start=str(SUBMIT_S + 15), ConsumedEnergyRaw="39000"),
    ]
    summed = found(books(row(ConsumedEnergyRaw="120000"), *steps))
    assert summed.energy.energy_j == 41_000
    assert "the job's row sums them" in str(summed.energy_from)
    assert found(books(row(), *steps)).energy.energy_j == 41_000
    own = found(books(row(ConsumedEnergyRaw="41500"), *steps))
    assert (own.energy.energy_j, own.energy_from) == (41_500, "the job's row")


def test_steps_one_after_another_are_summed() -> None:
    half = str(SUBMIT_S + 70)
    job = found(
        books(
            row(ConsumedEnergyRaw="0"),
            row(JobID="12.0", End=half, ConsumedEnergyRaw="20000"),
            row(JobID="12.1", Start=half, ConsumedEnergyRaw="21000"),
        )
    )
    assert job.energy.energy_j == 41_000


def test_no_energy_anywhere_is_null_with_the_reason() -> None:
    job = found(books(row(ConsumedEnergyRaw="0"), row(JobID="12.batch", ConsumedEnergyRaw="0")))
    assert job.energy.energy_j is None
    assert "0 J over 120 s" in str(job.energy.reason)
    assert job.energy_from is None


@pytest.mark.parametrize("executor", ["local", None])
def test_what_was_no_job_of_slurm_s_has_none(executor: str | None) -> None:
    assert RecordedJob.of({"executor": executor, "job_id": "12"}, {}) is None
