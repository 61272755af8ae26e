"""A row of accounting is read as Slurm means it: times, energies, nodes."""

import pytest

from telemetry.accounting.row import node_names, read_energy, read_rows
from tests.support.books import HEADER, SUBMIT_S, books, row


@pytest.mark.parametrize(
    ("raw", "rounded", "energy_j", "rounded_j"),
    [
        ("12345", "12.35K", 12_345.0, 0.0),
        ("", "12.35K", 12_350.0, 5.0),
        ("", "1.2M", 1_200_000.0, 50_000.0),
        ("", "987", 987.0, 0.0),
        ("", "3G", 3e9, 0.5e9),
    ],
)
def test_an_energy_is_its_raw_value_else_what_its_digits_say(
    raw: str, rounded: str, energy_j: float, rounded_j: float
) -> None:
    told = read_energy(raw, rounded, 120.0)
    assert told.energy_j == pytest.approx(energy_j)
    assert told.rounded_j == pytest.approx(rounded_j)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no plugin reads it"),
        ("0", "0 J over 120 s"),
        ("Unknown", "is no number"),
        ("-1", "is no number"),
        ("18446744073709551614", "never set"),
        ("4294967294", "never set"),
    ],
)
def test_nothing_and_nought_are_no_readings_and_say_why(text: str, said: str) -> None:
    told = read_energy(text, "", 120.0)
    assert told.energy_j is None
    assert said in str(told.reason)


def test_seconds_since_1970_need_no_zone_and_written_times_do() -> None:
    (job,) = read_rows(books(row()), None)
    assert job.submit_us == SUBMIT_S * 1_000_000
    assert job.seconds == 120
    written = row(Submit="2026-07-01T10:00:00", Start="2026-07-01T10:00:10", End="Unknown")
    with pytest.raises(ValueError, match="line 2: a time must be seconds since 1970, or --zone"):
        list(read_rows(books(written), None))
    (berlin,) = read_rows(books(written), "Europe/Berlin")
    (utc,) = read_rows(books(written), "UTC")
    assert utc.submit_us is not None
    assert berlin.submit_us == utc.submit_us - 7_200_000_000
    assert berlin.end_us is None


def test_the_hour_that_a_zone_has_twice_is_told_apart_by_how_long_the_job_ran() -> None:
    # Berlin had 2026-10-25T02:30 in summer time, and an hour later again.
    text = books(
        row(Submit="2026-10-25T01:00:00", Start="2026-10-25T02:30:00", End="2026-10-25T02:40:00")
        | {"ElapsedRaw": "4200"}
    )
    (job,) = read_rows(text, "Europe/Berlin")
    assert job.seconds == 4200
    (open_end,) = read_rows(text.replace("|4200|", "|600|"), "Europe/Berlin")
    assert open_end.seconds is None


def test_a_list_of_nodes_is_spelt_out() -> None:
    assert node_names("n[01-03,7],m1,r[1-2]c3") == (
        *("n01", "n02", "n03", "n7", "m1"),
        *("r1c3", "r2c3"),
    )
    assert node_names("None assigned") == ()


def test_steps_belong_to_their_job_and_cancelled_says_by_whom_apart() -> None:
    batch, cancelled = read_rows(
        books(row(JobID="12_3.batch", JobIDRaw="15.batch"), row(State="CANCELLED by 1000")), None
    )
    assert (batch.job_id, batch.step, batch.raw_id) == ("12_3", "batch", "15")
    assert cancelled.state == "CANCELLED"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("JobID|State\n12|COMPLETED\n", "but lacks Cluster; TZ=UTC0 SLURM_TIME_FORMAT=%s sacct"),
        ("       JobID    JobName\n------- -------\n", "but lacks JobID"),
        ("", "but lacks JobID"),
        ("|".join(HEADER) + "\n12|12\n", "line 2: a row must have 15 cells"),
    ],
)
def test_what_is_no_answer_of_sacct_is_refused_with_the_line_that_makes_one(
    text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said.replace("|", r"\|")):
        list(read_rows(text, None))
