"""Energies of a board whose true power is known, read through NVIDIA's own bindings."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from analysis.energy import Curve, IntArray, Series
from analysis.gpu import COUNTER, INTEGRAL, METHODS, WITNESS, Gpu
from analysis.load import Run
from analysis.readings import Readings
from analysis.spans import RankSpans
from telemetry.clock import HostClock
from telemetry.nvml import NvmlReadings
from telemetry.order import LaunchOrder
from telemetry.run import RunSpec
from telemetry.source import Assignment, Reading
from telemetry.witness import Witness
from tests.nvml.library import World, build, load, uuid_of, wall_us
from tests.telemetry_record import make_attempt

# Six seconds hold eight waves of power and sixty updates of the counter.
WATCHED_S = 6.0
HOST = "n1"


@dataclass(frozen=True)
class Watched:
    """One board after it was watched: what analysis makes of it, and what it really drew."""

    gpu: Gpu
    rank: RankSpans
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
        paths, attempt = make_attempt(folder, order={"telemetry": "nvml", "period_ms": 100})
        clock = HostClock.set_now()
        spec = RunSpec.read(paths.spec)
        source = NvmlReadings(
            Assignment(
                attempt=attempt,
                spec=spec,
                order=LaunchOrder.read(attempt.launch),
                host=HOST,
                clock=clock,
            )
        )
        with Witness(uuid_of(0)) as witness:
            readings, edges = watch(source, witness, clock)
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
        rank = spans(edges)
        inner_us = (int(rank.start_us[0]), int(rank.end_us[-1]))
        gpu = Readings(run, series(readings)).gpu(HOST, description.gpus[0], rank, inner_us)
        yield Watched(gpu=gpu, rank=rank, world=world, clock=clock)
        source.close()


def watch(
    source: NvmlReadings, witness: Witness, clock: HostClock
) -> tuple[list[Reading], list[tuple[int, float]]]:
    """Readings polled as the watcher does, and the counter as a rank reads it at odd times."""
    found: list[Reading] = []
    edges: list[tuple[int, float]] = []
    start_s = time.monotonic()
    tick = 0
    while time.monotonic() < start_s + WATCHED_S:
        found += source.read()
        tick += 1
        if tick % 3 == 2 and WATCHED_S - 0.5 > time.monotonic() - start_s > 0.5:
            time.sleep(0.037)
            edges.append((clock.now_us(), witness.energy_j()))
        time.sleep(max(0.0, start_s + tick * 0.1 - time.monotonic()))
    found += source.finish()
    return found, edges


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


def spans(edges: list[tuple[int, float]]) -> RankSpans:
    t_us: IntArray = np.array([t_us for t_us, _ in edges], dtype=np.int64)
    joules = np.array([energy_j for _, energy_j in edges])
    return RankSpans(
        rank=0,
        host=HOST,
        gpu_uuid=uuid_of(0),
        start_us=t_us[:-1],
        end_us=t_us[1:],
        phase=("decode",) * (len(edges) - 1),
        batch=(0,) * (len(edges) - 1),
        energy_start_j=joules[:-1],
        energy_end_j=joules[1:],
        energy_reason=None,
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_true_energy_of_windows_lies_within_the_uncertainty(
    watched: Watched, method: str
) -> None:
    edges_us = [*watched.rank.start_us.tolist(), int(watched.rank.end_us[-1])]
    scores = []
    for first, start_us in enumerate(edges_us):
        for end_us in edges_us[first + 2 :]:
            amount = watched.gpu.energy(method, (start_us, end_us))
            assert amount.value is not None, amount.reason
            error_j = amount.value - watched.truth_j(start_us, end_us)
            # Stamps are whole microseconds: at 650 W that is half a millijoule each.
            scores.append(abs(error_j) <= (amount.plus_minus or 0.0) + 0.01)
    assert len(scores) > 50
    assert np.mean(scores) >= 0.95


def test_the_drivers_samples_are_integrated_and_tell_fifths_of_the_time_apart(
    watched: Watched,
) -> None:
    assert isinstance(watched.gpu.integral, Curve)
    assert watched.gpu.integral.method == "integral of power_sample_w"
    assert watched.gpu.resolution_us(INTEGRAL) < watched.gpu.resolution_us(COUNTER) / 4
    assert watched.gpu.resolution_us(WITNESS) >= 100_000


def test_all_three_witnesses_agree_on_what_was_drawn(watched: Watched) -> None:
    window_us = (int(watched.rank.start_us[0]), int(watched.rank.end_us[-1]))
    truth_j = watched.truth_j(*window_us)
    for method in METHODS:
        amount = watched.gpu.energy(method, window_us)
        assert amount.value == pytest.approx(truth_j, abs=(amount.plus_minus or 0.0) + 0.01)
