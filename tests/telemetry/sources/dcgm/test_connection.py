"""What DcgmReadings promises of any engine: the double here, a real one by hand.

    pytest -m dcgm --dcgm-bindings=DIR [--dcgm-address=HOST:PORT] tests

DIR holds NVIDIA's bindings; without an address the engine is started inside (embedded).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from telemetry.clock import US_PER_S
from telemetry.record.fields import FIELDS
from telemetry.record.spec import RunSpec
from telemetry.sources.dcgm.bindings import find_bindings, load_bindings
from telemetry.sources.dcgm.session import DcgmSession
from tests.doubles.dcgm.station import (
    DOUBLE,
    DoubleEngine,
    Watched,
    forget_bindings,
    real_engine,
    watched,
)

PERIOD_US = 100_000
# Largest time between two samples of a device field: 103 ms were seen on an H200, and an engine on
# a busy machine may be late by several cycles.
GAP_US = 10 * PERIOD_US
# An engine is asked for it every period, while a clock or a temperature comes once a second.
QUICKEST = "power_average_w"


@dataclass(frozen=True, kw_only=True)
class Engine:
    bindings: str
    address: str | None
    seconds: float
    """How long one look takes: a double says in two seconds what it has to say."""
    exact: bool
    """True when samples come to the microsecond and the counter is the integral of power."""


@pytest.fixture(params=["double", pytest.param("real", marks=pytest.mark.dcgm)])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    if request.param == "real":
        bindings, address = real_engine(request.config)
        yield Engine(bindings=bindings, address=address, seconds=5.0, exact=False)
        return
    double = DoubleEngine(tmp_path)
    monkeypatch.setenv("DCGM_DOUBLE_STATE", double.state_path)
    forget_bindings()
    with double.listening():
        yield Engine(bindings=str(DOUBLE), address=double.address, seconds=2.0, exact=True)
    forget_bindings()


def watch_for(seconds: float, engine: Engine, folder: Path, spec: RunSpec) -> Watched:
    with watched(folder, spec, bindings=engine.bindings, address=engine.address) as watch:
        watch.look(seconds)
        watch.end()
    return watch


def test_each_gpu_is_known_by_its_uuid(engine: Engine, tmp_path: Path, spec: RunSpec) -> None:
    gpus = watch_for(0.1, engine, tmp_path, spec).source.describe().gpus
    assert gpus
    assert all(gpu["uuid"] for gpu in gpus)
    assert len({gpu["uuid"] for gpu in gpus}) == len(gpus)
    assert [gpu["index"] for gpu in gpus] == list(range(len(gpus)))


def test_every_field_of_every_gpu_is_read_or_null_with_a_reason(
    engine: Engine, tmp_path: Path, spec: RunSpec
) -> None:
    watch = watch_for(engine.seconds / 2, engine, tmp_path, spec)
    description = watch.source.describe()
    told = {(reading.device, reading.field) for reading in watch.readings}
    asked = {
        (str(gpu["uuid"]), name)
        for gpu in description.gpus
        for name in (*description.periods_us, *description.identity["refused"])
    }
    assert asked <= told
    for reading in watch.readings:
        assert (reading.value is None) != (reading.reason is None)
        # Every sentinel of DCGM lies above.
        assert reading.value is None or 0 <= reading.value < 1e14


def test_no_sample_comes_twice_and_none_is_lost(
    engine: Engine, tmp_path: Path, spec: RunSpec
) -> None:
    watch = watch_for(engine.seconds, engine, tmp_path, spec)
    keys = [(reading.device, reading.field, reading.t_us) for reading in watch.readings]
    assert len(keys) == len(set(keys))
    for gpu in watch.source.describe().gpus:
        uuid = str(gpu["uuid"])
        times = [reading.t_us for reading in watch.of(QUICKEST, uuid)]
        if engine.exact or watch.values(QUICKEST, uuid):
            assert len(times) >= engine.seconds * 8
            gap_us = PERIOD_US + 1 if engine.exact else GAP_US
            assert max(after - before for before, after in pairwise(times)) <= gap_us


def test_samples_lie_between_the_start_and_the_end_of_the_watch(
    engine: Engine, tmp_path: Path, spec: RunSpec
) -> None:
    with watched(tmp_path, spec, bindings=engine.bindings, address=engine.address) as watch:
        opened_us = watch.assignment.clock.now_us()
        watch.look(1.0)
        told_us = watch.assignment.clock.now_us()
        watch.end()
        ended_us = watch.assignment.clock.now_us()
    values = [reading for reading in watch.readings if reading.value is not None]
    assert values
    # Opening takes up to twenty seconds, and the first samples are of then.
    assert min(reading.t_us for reading in values) > opened_us - 20_000_000
    assert max(reading.t_us for reading in values) <= ended_us
    assert max(reading.t_us for reading in values) >= told_us - PERIOD_US


def test_energy_only_grows_and_lies_within_power(
    engine: Engine, tmp_path: Path, spec: RunSpec
) -> None:
    watch = watch_for(engine.seconds, engine, tmp_path, spec)
    for gpu in watch.source.describe().gpus:
        uuid = str(gpu["uuid"])
        energies = [one for one in watch.of("energy_j", uuid) if one.value is not None]
        powers = watch.values("power_instant_w", uuid)
        joules = [one.value or 0.0 for one in energies]
        assert joules == sorted(joules)
        # A driver that is simulated under a real engine need not keep the two together.
        if engine.exact:
            seconds = (energies[-1].t_us - energies[0].t_us) / US_PER_S
            mean_w = (joules[-1] - joules[0]) / seconds
            assert min(powers) <= mean_w <= max(powers)


def test_one_gpu_alone_is_watched_when_it_is_asked_for(
    engine: Engine, tmp_path: Path, spec: RunSpec
) -> None:
    first = str(watch_for(0.1, engine, tmp_path / "all", spec).source.describe().gpus[0]["uuid"])
    with watched(
        tmp_path / "one", spec, bindings=engine.bindings, address=engine.address, uuids=[first]
    ) as watch:
        watch.look(1.2)
        watch.end()
    assert {reading.device for reading in watch.readings} == {first}


def test_two_watchers_of_one_engine_do_not_disturb_each_other(
    engine: Engine, tmp_path: Path, spec: RunSpec
) -> None:
    if engine.address is None:
        pytest.skip("a process has one embedded engine: two watchers need one that runs by itself")
    with watched(
        tmp_path / "long", spec, bindings=engine.bindings, address=engine.address
    ) as watch:
        watch.look(0.5)
        watch_for(0.5, engine, tmp_path / "short", spec)
        watch.look(1.5)
        watch.end()
    assert watch.said("dcgm_lost") == []
    for gpu in watch.source.describe().gpus:
        times = [reading.t_us for reading in watch.of(QUICKEST, str(gpu["uuid"]))]
        assert max(after - before for before, after in pairwise(times)) <= GAP_US


def test_nothing_is_left_in_the_engine(engine: Engine, tmp_path: Path, spec: RunSpec) -> None:
    if engine.address is None:
        pytest.skip("an embedded engine ends with its watch: nothing can be left in it")
    watch_for(0.3, engine, tmp_path, spec)
    bindings = load_bindings(find_bindings(engine.bindings))
    place = "unixSocketPath" if engine.address.startswith("/") else "ipAddress"
    handle = bindings.pydcgm.DcgmHandle(**{place: engine.address})
    known = bindings.agent.dcgmFieldGroupGetAll(handle.handle)
    names = [str(known.fieldGroups[place].fieldGroupName) for place in range(known.numFieldGroups)]
    handle.Shutdown()
    assert [name for name in names if name.startswith("joulegrid-")] == []


@pytest.mark.dcgm
def test_engine_s_cache_holds_no_sample_that_was_not_handed_out(
    request: pytest.FixtureRequest, tmp_path: Path, spec: RunSpec
) -> None:
    bindings, address = real_engine(request.config)
    if address is None:
        pytest.skip(
            "a process has one embedded engine: a second look needs one that runs by itself"
        )
    with watched(
        tmp_path, spec, bindings=bindings, address=address, gpu_fields=[QUICKEST]
    ) as watch:
        watch.look(8.0)
        # All clients of an engine share one cache for each GPU and field.
        again = DcgmSession(
            load_bindings(find_bindings(bindings)),
            address=address,
            uuids=None,
            fields=[FIELDS[QUICKEST]],
            period_us=PERIOD_US,
            clock=watch.assignment.clock,
            since_us=watch.assignment.clock.now_us() - 8_000_000,
        )
        cached = again.drain()
        again.close()
        watch.end()
    if not watch.values(QUICKEST):
        pytest.skip(f"the engine's GPUs have no {QUICKEST}")
    given = {(reading.device, reading.t_us) for reading in watch.of(QUICKEST)}
    first_us, last_us = min(given, key=lambda one: one[1])[1], max(given, key=lambda one: one[1])[1]
    # The second look brought samples of its own, which the first one's last drain has too.
    wanted = {(uuid, t_us) for t_us, uuid, _ in cached if first_us <= t_us <= last_us}
    assert len(wanted) >= 50
    # A slewed clock may place a stamp up to a millisecond apart.
    lost = [
        (uuid, t_us)
        for uuid, t_us in wanted
        if not any(one == uuid and abs(other_us - t_us) <= 2_000 for one, other_us in given)
    ]
    assert lost == []
