"""Requests' joules are shares of a stated convention, and sum to the run's energy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.energy.curves import Curve
from analysis.findings.request_shares import Requests, RequestShares, shares_of
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run
from tests.support.served import served_plan

S = 1_000_000


def curve(*power_w: float) -> Curve:
    """Power that is held for a second each, as a counter tells of it."""
    t_us = np.arange(len(power_w) + 1, dtype=np.int64) * S
    return Curve(
        method="polled_counter",
        t_us=t_us,
        energy_j=np.concatenate(([0.0], np.cumsum(power_w))),
        power_w=None,
        edge_us=0,
        resolution_us=1,
    )


def requests(*rows: tuple[float, float, float, float, int, int]) -> Requests:
    """Rows of sent, first, last and finished in seconds, prompt's and kept tokens."""
    times = np.array([row[:4] for row in rows])
    sent, first, last, finished = (np.rint(times[:, at] * S).astype(np.int64) for at in range(4))
    return Requests(
        arrived_us=sent,
        sent_us=sent,
        first_us=first,
        last_us=last,
        finished_us=finished,
        prompt=np.array([row[4] for row in rows]),
        generated=np.array([row[5] for row in rows]),
    )


def shares(told: Requests, *power_w: float) -> RequestShares:
    return shares_of(told, [curve(*power_w)], (0, len(power_w) * S))


def test_one_alone_is_charged_all_while_it_is_in_flight_and_nobody_the_rest() -> None:
    found = shares(requests((1, 2, 3, 3, 10, 2)), 100, 200, 300, 50)
    assert found.charged_j.tolist() == pytest.approx([500])
    assert found.by_time_j.tolist() == pytest.approx([500])
    assert (found.idle_j, found.total_j, found.most_in_flight) == (150, 650, 1)


def test_two_alike_share_alike_and_who_reads_more_is_charged_more_by_tokens_alone() -> None:
    alike = shares(requests((0, 1, 2, 2, 10, 5), (0, 1, 2, 2, 10, 5)), 100, 100)
    assert alike.charged_j.tolist() == pytest.approx([100, 100])
    other = shares(requests((0, 1, 2, 2, 30, 5), (0, 1, 2, 2, 10, 5)), 100, 100)
    assert other.by_time_j.tolist() == pytest.approx([100, 100])
    assert other.by_tokens_j.tolist() == pytest.approx([75 + 50, 25 + 50])
    assert other.charged_j.tolist() == pytest.approx([112.5, 87.5])


def test_who_waits_for_nothing_more_is_charged_by_time_where_nobody_has_a_token_coming() -> None:
    found = shares(requests((0, 1, 1, 2, 10, 1)), 100, 100)
    assert found.by_tokens_j.tolist() == pytest.approx([200])


def test_one_that_kept_no_token_is_in_flight_until_it_left() -> None:
    told = requests((0, 1, 1, 1, 10, 0), (0, 1, 2, 2, 10, 3))
    none = np.array([True, False])
    told.first_us[none] = told.last_us[none] = -1
    found = shares(told, 100, 100)
    assert found.by_time_j.tolist() == pytest.approx([50, 150])
    assert found.charged_j.sum() == pytest.approx(200)


@pytest.mark.parametrize("seed", range(5))
def test_all_shares_and_what_nobody_took_sum_to_the_energy_of_the_window(seed: int) -> None:
    draw = np.random.default_rng(seed)
    sent = draw.uniform(0, 7, 60)
    first = sent + draw.exponential(0.3, 60)
    last = first + draw.exponential(0.5, 60)
    left = last + draw.exponential(0.01, 60)
    moments = zip(
        sent, first, last, left, draw.integers(1, 900, 60), draw.integers(0, 90, 60), strict=True
    )
    found = shares(requests(*moments), *draw.uniform(80, 700, 9))
    for way in (found.by_time_j, found.by_tokens_j, found.charged_j):
        assert way.sum() + found.idle_j == pytest.approx(found.total_j, rel=1e-12)
        assert way.min() >= 0


def tables(results: Path, plan: Plan) -> dict[str, tuple[Row, ...]]:
    build_run(results, plan)
    made = build_tables(load(results))
    return {name: made.by_name[name].rows for name in ("serving", "requests", "runs", "goodput")}


def test_the_tables_tell_what_requests_waited_for_and_were_charged(tmp_path: Path) -> None:
    found = tables(tmp_path, served_plan())
    (run,), (energy,) = found["serving"], found["runs"]
    assert (run["requests"], run["arrivals_per_s"], run["most_in_flight"]) == (4, 40.0, 4)
    whole = float(str(run["energy_in_flight_j"])) + float(str(run["energy_nobody_j"]))
    assert whole == pytest.approx(float(str(energy["energy_j"])), rel=1e-12)
    each = [float(str(row["energy_charged_j"])) for row in found["requests"]]
    assert sum(each) == pytest.approx(float(str(run["energy_in_flight_j"])), rel=1e-12)
    waits = [float(str(row["request_first_token_s"])) for row in found["requests"]]
    # From its own arrival, not from its batch's begin.
    assert max(waits) < 0.5
    assert run["request_first_token_p50_s"] == pytest.approx(np.median(waits))
    assert "allocated, not measured" in str(run["rule"])
    assert run["simulated"] is True
    in_time = {
        row["responses_in_time"] for row in found["goodput"] if row["first_token_limit_s"] == 0.5
    }
    assert in_time == {0, 4}


def test_runs_of_batches_have_no_row(tmp_path: Path) -> None:
    found = tables(tmp_path, Plan())
    assert (found["serving"], found["requests"]) == ((), ())


def test_what_has_no_energy_says_why_and_is_never_0(tmp_path: Path) -> None:
    def lost(row: dict[str, Any]) -> None:
        del row

    plan = served_plan()
    bare = Plan(spec=plan.spec, response=plan.response, sample=lost)
    (run,) = tables(tmp_path, bare)["serving"]
    assert run["energy_per_request_j"] is None
    assert run["reason"]
    assert run["latency_p50_s"] is not None
