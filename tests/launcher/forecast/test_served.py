"""A served load takes what its prompts' coming and going takes, held to a queue one by one."""

import heapq
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.runs.sealed_runs import load
from launcher.forecast.lesson import lesson
from launcher.forecast.served import served_pass
from launcher.forecast.work import Host
from telemetry.clock import US_PER_S
from telemetry.record.arrivals import arrivals_us
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.launcher.forecast.test_forecaster import grid_of, seen
from tests.support.records import build_run
from tests.support.served import served_plan

SERVED = ("cluster=h200", "model=7b", "gpus=1", "engine=vllm", "dataset=fixed", "batch_size=8")


def load_of(rate: float, *, prompts: int = 100, most: int = 4, seed: int = 3) -> RunSpec:
    told: dict[str, Any] = {"engine": "vllm", "prompts": prompts, "batch_size": most}
    return RunSpec.from_mapping({**SPEC, **told, "arrivals_per_s": rate, "arrivals_seed": seed})


def queued(spec: RunSpec, in_flight_s: float) -> tuple[float, float]:
    """The end of the last and the time with anybody in flight, by places that come free."""
    assert spec.arrivals_per_s is not None
    come = arrivals_us(spec.arrivals_per_s, spec.arrivals_drawn_by, 0, spec.prompts)
    places = [0.0] * spec.batch_size
    spans = []
    for at_us in come:
        begun = max(at_us / US_PER_S, heapq.heappop(places))
        heapq.heappush(places, begun + in_flight_s)
        spans.append((begun, begun + in_flight_s))
    busy, until = 0.0, 0.0
    for begun, left in spans:
        busy += max(0.0, left - max(begun, until))
        until = max(until, left)
    return until, busy


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.0, 40.0])
@pytest.mark.parametrize(("prompts", "most"), [(1, 4), (3, 4), (100, 4), (101, 4), (50, 1)])
def test_a_pass_is_that_of_a_queue(rate: float, prompts: int, most: int) -> None:
    spec = load_of(rate, prompts=prompts, most=most)
    each_s = [0.2, 1.0, 5.0]
    found = served_pass(spec, np.array(each_s))
    for at, in_flight_s in enumerate(each_s):
        ended, busy = queued(spec, in_flight_s)
        assert found.seconds[at] == pytest.approx(ended)
        assert found.busy_s[at] == pytest.approx(busy)


def test_a_slow_load_takes_until_its_last_prompt_was_answered() -> None:
    spec = load_of(0.01)
    (seconds,) = served_pass(spec, np.array([0.5])).seconds
    assert seconds == pytest.approx(arrivals_us(0.01, 3, 0, 100)[-1] / US_PER_S + 0.5)


def test_a_load_that_comes_at_once_takes_what_its_batches_take() -> None:
    (seconds,) = served_pass(load_of(10_000.0), np.array([0.5])).seconds
    assert seconds == pytest.approx(100 / 4 * 0.5, rel=1e-3)


def test_batches_have_no_arrivals() -> None:
    with pytest.raises(ValueError, match="`arrivals_per_s` must be a rate, but is null instead"):
        served_pass(replace(load_of(1.0), arrivals_per_s=None, arrivals_seed=None), np.ones(1))


@pytest.mark.grids
def test_a_plan_gives_a_slow_load_its_time_and_its_rest(tmp_path: Path) -> None:
    words = (*SERVED, "prompts=120")
    (batches,) = seen(grid_of(tmp_path, *words))
    slow, fast = (
        seen(grid_of(tmp_path, *words, f"arrivals_per_s={rate}", "arrivals_seed=7"))[0]
        for rate in ("0.1", "10000")
    )
    last_s = arrivals_us(0.1, 7, 0, 120)[-1] / US_PER_S
    assert last_s < slow.window_s.low < slow.window_s.high < last_s + 60
    assert slow.time_s.value > slow.window_s.value
    assert fast.window_s.value == pytest.approx(batches.window_s.value, rel=0.02)
    # The board rests between two of them, at less than its work takes.
    assert slow.window_energy_j is not None
    assert fast.window_energy_j is not None
    slow_w = slow.window_energy_j.value / slow.window_s.value
    assert slow_w < 0.7 * fast.window_energy_j.value / fast.window_s.value


@pytest.mark.grids
def test_another_draw_of_the_same_load_has_its_own_time(tmp_path: Path) -> None:
    words = (*SERVED, "prompts=20", "arrivals_per_s=0.1")
    times = {
        seen(grid_of(tmp_path, *words, f"arrivals_seed={seed}"))[0].window_s.value
        for seed in (1, 2)
    }
    assert len(times) == 2


def test_a_served_run_teaches_no_step_and_no_watts(tmp_path: Path) -> None:
    build_run(tmp_path, served_plan())
    (run,) = load(tmp_path).runs
    taught = lesson(run, Host()).amounts
    assert {"load_s", "rest_w"} <= taught.keys()
    assert not taught.keys() & {"step_s", "prefill_s", "window_w", "warmup_s"}
