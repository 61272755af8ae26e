"""Energies of a board whose true power is known, read through NVIDIA's own bindings."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.methods import METHODS, POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.readings import Readings
from analysis.runs.rank_spans import RankSpans, rank_spans
from analysis.runs.sealed_runs import Run
from analysis.runs.series import Series
from telemetry.clock import US_PER_S, HostClock
from telemetry.record.launch import LaunchConfig
from telemetry.record.schema import Phase
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment, Reading
from telemetry.sources.nvml.energy_counter import EnergyCounter
from telemetry.sources.nvml.source import NvmlReadings
from tests.doubles.nvml.library import World, build, load, uuid_of, wall_us
from tests.support.watched_attempts import make_attempt
from workers.session.spans import SpanRecorder

# Six seconds hold eight waves of power and sixty updates of the counter.
WATCHED_S = 6.0
POLL_S = 0.1
# One rank's edges are 310 ms apart, so each comes 10 ms later after the counter's update. The
# windows of one rank share a few readings and are right or wrong together: simulated, fewer than
# 95 % of them held the truth in 3 to 20 of 100 runs, the more the later a busy machine made some
# of them; of the windows of ten ranks 95 % or more did in every run.
RANKS = 10
EDGE_S = 0.031
HOST = "n1"


@dataclass(frozen=True)
class Watched:
    """One board after it was watched: what analysis makes of it, and what it really drew."""

    gpu: Gpu
    """As the first rank read it."""
    gpus: tuple[Gpu, ...]
    """The same as each rank read it, at moments of its own."""
    ranks: tuple[RankSpans, ...]
    world: World
    clock: HostClock

    def truth_j(self, start_us: int, end_us: int) -> float:
        return self.world.energy_j(wall_us(self.clock, start_us), wall_us(self.clock, end_us))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A simulated H200 that jumps between 100 and 650 W, watched and read by its rank."""
    folder = tmp_path_factory.mktemp("watched")
    load(build(folder))
    world = World(folder / "world", busy_w=650.0, cycle_ms=700, duty=0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_NVML", str(world.path))
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        paths, attempt = make_attempt(folder, launch={"telemetry": "nvml", "period_ms": 100})
        clock = HostClock.set_now()
        spec = RunSpec.read(paths.spec)
        source = NvmlReadings(
            Assignment(
                attempt=attempt,
                spec=spec,
                launch=LaunchConfig.read(attempt.launch),
                host=HOST,
                clock=clock,
            )
        )
        with EnergyCounter(uuid_of(0)) as energy_counter, contextlib.ExitStack() as stack:
            recorders = [
                stack.enter_context(record(folder / f"rank-{rank}", rank, clock, energy_counter))
                for rank in range(RANKS)
            ]
            readings = watch(source, recorders)
        attempt.table("spans").parent.mkdir(exist_ok=True)
        shards = [pq.read_table(folder / f"rank-{rank}") for rank in range(RANKS)]
        pq.write_table(
            pa.concat_tables(shard.replace_schema_metadata() for shard in shards),
            attempt.table("spans"),
        )
        description = source.describe()
        host = {"source": description.to_mapping(), "gpus": list(description.gpus)}
        coverage = [
            {"host": HOST, "device": uuid_of(0), "field": name, "period_us": period_us}
            for name, period_us in description.periods_us.items()
        ]
        run = Run(
            paths=paths,
            attempt=attempt,
            spec=spec,
            manifest={"hosts": {HOST: host}, "coverage": coverage, "ranks": []},
        )
        ranks = tuple(rank_spans(run))
        known = Readings(run, series(readings))
        gpus = tuple(known.gpu(HOST, description.gpus[0], rank, inner_us(rank)) for rank in ranks)
        yield Watched(gpu=gpus[0], gpus=gpus, ranks=ranks, world=world, clock=clock)
        source.close()


def edges_of(rank: RankSpans) -> list[int]:
    """All edges but the first and the last, where the watching itself begins and ends."""
    return [int(t_us) for t_us in rank.start_us[1:]]


def inner_us(rank: RankSpans) -> tuple[int, int]:
    edges_us = edges_of(rank)
    return edges_us[0], edges_us[-1]


def record(
    folder: Path, rank: int, clock: HostClock, energy_counter: EnergyCounter
) -> SpanRecorder:
    return SpanRecorder(
        folder,
        {},
        clock=clock,
        host=HOST,
        rank=rank,
        gpu_uuid=uuid_of(0),
        synchronize=lambda: None,
        read_energy_j=energy_counter.energy_j,
        energy_reason="",
    )


def watch(source: NvmlReadings, recorders: list[SpanRecorder]) -> list[Reading]:
    """Readings polled as the watcher does, and the ranks' edges in turn between the polls."""
    found: list[Reading] = []
    start_s = time.monotonic()
    poll = edge = 0
    while (passed_s := time.monotonic() - start_s) < WATCHED_S:
        if passed_s >= poll * POLL_S:
            found += source.read()
            poll += 1
        if passed_s >= 0.5 + edge * EDGE_S and passed_s < WATCHED_S - 0.5:
            # Ranks are processes of their own: no two of them are in one simulated library.
            recorders[edge % RANKS].enter(Phase.DECODE, batch=edge).reading.result()
            edge += 1
        time.sleep(0.002)
    found += source.finish()
    return found


def series(readings: list[Reading]) -> dict[tuple[str, str, str], Series]:
    values: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for one in readings:
        if one.value is not None:
            values.setdefault((HOST, one.device, one.field), []).append((one.t_us, one.value))
    return {
        key: Series(
            t_us=np.array([t_us for t_us, _ in sorted(rows)], dtype=np.int64),
            value=np.array([value for _, value in sorted(rows)]),
        )
        for key, rows in values.items()
    }


@pytest.mark.parametrize("method", METHODS)
def test_the_true_energy_of_windows_lies_within_the_uncertainty(
    watched: Watched, method: str
) -> None:
    scores = []
    for gpu, rank in zip(watched.gpus, watched.ranks, strict=True):
        edges_us = edges_of(rank)
        for first, start_us in enumerate(edges_us):
            for end_us in edges_us[first + 2 :]:
                amount = gpu.energy(method, (start_us, end_us))
                assert amount.value is not None, amount.reason
                error_j = amount.value - watched.truth_j(start_us, end_us)
                # Stamps are whole microseconds: at 650 W that is half a millijoule each.
                scores.append(abs(error_j) <= (amount.plus_minus or 0.0) + 0.01)
    assert len(scores) > 500
    assert np.mean(scores) >= 0.95


def test_the_drivers_samples_are_integrated_and_tell_fifths_of_the_time_apart(
    watched: Watched,
) -> None:
    assert isinstance(watched.gpu.power_integral, Curve)
    assert watched.gpu.power_integral.method == "power_integral of power_sample_w"
    assert watched.gpu.resolution_us(POWER_INTEGRAL) < watched.gpu.resolution_us(POLLED_COUNTER) / 4
    assert watched.gpu.resolution_us(RANK_COUNTER) >= 100_000


def test_all_three_readings_agree_on_what_was_drawn(watched: Watched) -> None:
    window_us = inner_us(watched.ranks[0])
    truth_j = watched.truth_j(*window_us)
    for method in METHODS:
        amount = watched.gpu.energy(method, window_us)
        assert amount.value == pytest.approx(truth_j, abs=(amount.plus_minus or 0.0) + 0.01)


POWER_W = 500.0
BEGUN_US = 1_000_000_000
ENTRY = {"uuid": "GPU-0", "name": "NVIDIA H200", "power_limit_w": 700.0}


def read_late(late_us: list[int]) -> RankSpans:
    """Spans of one second on a board of steady power, each edge's reading so much later."""
    edges_us = BEGUN_US + np.arange(len(late_us)) * 1_000_000
    joules = POWER_W * (edges_us + np.array(late_us) - BEGUN_US) / US_PER_S
    known_us = np.array(late_us, dtype=np.int64)
    return RankSpans(
        rank=0,
        host=HOST,
        gpu_uuid=str(ENTRY["uuid"]),
        start_us=edges_us[:-1],
        end_us=edges_us[1:],
        phase=("decode",) * (len(late_us) - 1),
        batch=(0,) * (len(late_us) - 1),
        energy_start_j=joules[:-1],
        energy_end_j=joules[1:],
        start_late_us=known_us[:-1],
        end_late_us=known_us[1:],
        energy_reason=None,
    )


@pytest.fixture
def bare(tmp_path: Path) -> Run:
    """A run without a watcher's trace."""
    paths, attempt = make_attempt(tmp_path)
    manifest: dict[str, Any] = {"hosts": {}, "coverage": [], "ranks": []}
    return Run(paths=paths, attempt=attempt, spec=RunSpec.read(paths.spec), manifest=manifest)


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("late_us", [3_000, 32_000, 400_000])
def test_a_reading_that_came_late_is_uncertain_by_what_was_drawn_meanwhile(
    bare: Run, place: int, late_us: int
) -> None:
    late = [3_000] * 5
    late[place] = late_us
    rank = read_late(late)
    edges_us = [*rank.start_us.tolist(), int(rank.end_us[-1])]
    gpu = Readings(bare, {}).gpu(HOST, ENTRY, rank, rank.life_us)
    for first, start_us in enumerate(edges_us):
        for end_us in edges_us[first + 1 :]:
            amount = gpu.energy(RANK_COUNTER, (start_us, end_us))
            drawn_j = POWER_W * (end_us - start_us) / US_PER_S
            assert amount.value == pytest.approx(drawn_j, abs=amount.plus_minus)


def test_a_late_reading_widens_its_own_edges_alone(bare: Run) -> None:
    prompt, late = (
        Readings(bare, {}).gpu(HOST, ENTRY, rank, rank.life_us)
        for rank in (
            read_late([3_000] * 6),
            read_late([3_000, 3_000, 3_000, 3_000, 3_000, 400_000]),
        )
    )
    first_us = (BEGUN_US, BEGUN_US + 3_000_000)
    last_us = (BEGUN_US, BEGUN_US + 5_000_000)
    assert (
        late.energy(RANK_COUNTER, first_us).plus_minus
        == prompt.energy(RANK_COUNTER, first_us).plus_minus
    )
    widened_j = late.energy(RANK_COUNTER, last_us).plus_minus
    assert widened_j is not None
    # 700 W, its limit, over 400 ms, spread evenly, k = 2.
    assert widened_j > 700 * 0.4 / np.sqrt(12) * 2


def test_a_record_without_lateness_is_read_as_if_at_its_edges(bare: Run) -> None:
    rank = read_late([0] * 4)
    gpu = Readings(bare, {}).gpu(HOST, ENTRY, rank, rank.life_us)
    assert gpu.energy(RANK_COUNTER, rank.life_us).value == pytest.approx(3 * POWER_W)
    assert isinstance(gpu.rank_counter, Curve)
    assert gpu.rank_counter.edge_us == 0
