"""What an engine does to its readings, one known misbehaviour after the other."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from telemetry.clock import US_PER_S, HostClock
from telemetry.record.fields import FIELDS
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import list_parts
from telemetry.sources.dcgm.connection import probe
from telemetry.sources.previous_watcher import PreviousWatcher
from telemetry.watcher.process import WatcherProcess
from tests.doubles.dcgm.station import DOUBLE, DoubleEngine, Watched, forget_bindings, watched
from tests.support.watched_attempts import make_attempt

A, B = "GPU-aaaa", "GPU-bbbb"


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoubleEngine]:
    engine = DoubleEngine(tmp_path)
    monkeypatch.setenv("DCGM_DOUBLE_STATE", engine.state_path)
    # A test need not wait as long as a run.
    monkeypatch.setattr("telemetry.sources.dcgm.drain_thread._DRAIN_S", 0.2)
    monkeypatch.setattr("telemetry.sources.dcgm.drain_thread._RETRY_S", 0.2)
    monkeypatch.setattr("telemetry.sources.dcgm.fields._SLOWEST_US", 100_000)
    forget_bindings()
    with engine.listening():
        yield engine
    forget_bindings()


Watching = Callable[..., AbstractContextManager[Watched]]
Seen = Callable[..., Watched]


@pytest.fixture
def watching(double: DoubleEngine, tmp_path: Path, spec: RunSpec) -> Watching:
    """Watches the double, as the arguments say, until left."""
    return partial(watched, tmp_path, spec, address=double.address)


@pytest.fixture
def seen(watching: Watching) -> Seen:
    """All that a watch of so many seconds saw of the double."""

    def see(seconds: float, **how: Any) -> Watched:
        with watching(**how) as watch:
            watch.look(seconds)
            watch.end()
        return watch

    return see


def now_us() -> int:
    return time.time_ns() // 1_000


def test_every_sample_comes_once_at_its_own_time(seen: Seen) -> None:
    watch = seen(2.2)
    times = [reading.t_us for reading in watch.of("power_average_w", A)]
    assert len(times) >= 20
    assert {after - before for before, after in pairwise(times)} <= {99_999, 100_000, 100_001}


def test_sample_that_arrives_after_a_drain_has_passed_it_is_not_lost(
    double: DoubleEngine, seen: Seen
) -> None:
    double.set(late_ms={"157": 350})
    watch = seen(2.6)
    times = [reading.t_us for reading in watch.of("power_instant_w", A)]
    assert len(times) >= 18
    assert max(after - before for before, after in pairwise(times)) <= 100_001


def test_what_carries_no_energy_is_polled_once_a_second(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.sources.dcgm.fields._SLOWEST_US", 1_000_000)
    watch = seen(1.5)
    periods_us = watch.source.describe().periods_us
    fast = {name for name, period_us in periods_us.items() if period_us == 100_000}
    assert fast == {"power_average_w", "power_instant_w"}
    assert {periods_us[name] for name in periods_us.keys() - fast} == {1_000_000}
    assert len(watch.of("power_average_w", A)) >= 15
    for name in ("energy_j", "sm_active", "power_limit_w"):
        times = [reading.t_us for reading in watch.of(name, A) if reading.value is not None]
        steps_us = [after - before for before, after in pairwise(times)]
        assert steps_us
        assert set(steps_us) <= {999_999, 1_000_000, 1_000_001}


def test_last_drain_waits_for_the_samples_of_the_last_period(watching: Watching) -> None:
    with watching() as watch:
        time.sleep(0.5)
        told_us = watch.assignment.clock.now_us()
        watch.end()
    assert watch.of("energy_j", A)[-1].t_us >= told_us


def test_units_are_si(seen: Seen) -> None:
    watch = seen(0.5)
    assert set(watch.values("gpu_utilization")) == {0.5}
    assert set(watch.values("gpu_memory_used_bytes")) == {1000 * 2**20}
    assert set(watch.values("power_limit_w")) == {600.0}
    assert set(watch.values("pcie_tx_bytes_per_s")) == {1e9}
    energies = watch.of("energy_j", A)
    joules = (energies[-1].value or 0) - (energies[0].value or 0)
    seconds = (energies[-1].t_us - energies[0].t_us) / US_PER_S
    assert 99 * seconds < joules < 301 * seconds


def test_counter_s_difference_is_the_integral_of_power(seen: Seen) -> None:
    watch = seen(2.2, period_ms=10)
    energies, powers = watch.of("energy_j", A), watch.of("power_instant_w", A)
    # The counter comes at a tenth of power's pace.
    powers = [one for one in powers if energies[0].t_us <= one.t_us <= energies[-1].t_us]
    joules = (energies[-1].value or 0) - (energies[0].value or 0)
    integral = sum(
        ((before.value or 0) + (after.value or 0)) / 2 * (after.t_us - before.t_us) / US_PER_S
        for before, after in pairwise(powers)
    )
    assert joules == pytest.approx(integral, rel=0.01)


def test_sentinels_are_null_once_with_their_reason(double: DoubleEngine, seen: Seen) -> None:
    double.set(blank={"140": 2, "155": 3, "203": 0, "1004": 2})
    watch = seen(0.5)
    reasons = {
        name: [(reading.value, reading.reason) for reading in watch.of(name, A)]
        for name in ("memory_temperature_c", "power_average_w", "gpu_utilization", "tensor_active")
    }
    assert reasons["memory_temperature_c"] == [
        (None, "DCGM says not supported by this GPU or driver")
    ]
    assert reasons["power_average_w"] == [(None, "DCGM says no permission")]
    assert "lost" in str(reasons["gpu_utilization"])
    assert reasons["tensor_active"][-1] == (None, "DCGM says not supported by this GPU or driver")


def test_blank_first_value_of_a_profiling_watch_is_no_zero(seen: Seen) -> None:
    watch = seen(0.5)
    first, *rest = watch.of("sm_active", A)
    assert first.value is None
    assert {reading.value for reading in rest} == {0.8}


def test_utilization_that_cannot_be_is_null(double: DoubleEngine, seen: Seen) -> None:
    double.set(odd={"203": 808_334_905})
    watch = seen(0.3)
    (null,) = watch.of("gpu_utilization", A)
    assert null.value is None
    assert null.reason == "DCGM gave a value above 1.01, which cannot be"


def test_placeholders_are_no_readings_and_an_xid_is_one(
    double: DoubleEngine, watching: Watching
) -> None:
    with watching() as watch:
        watch.look(0.5)
        assert watch.of("xid") == []
        double.set(xid_at_us=now_us())
        watch.look(0.5)
        watch.end()
    assert watch.values("xid", A) == [79.0]
    assert "xid" not in watch.source.describe().periods_us


def test_unsupported_profiling_field_costs_no_other_field(double: DoubleEngine, seen: Seen) -> None:
    double.set(unsupported_profiling=[1011, 1012])
    watch = seen(0.5)
    (null,) = watch.of("nvlink_tx_bytes_per_s", A)
    assert "DCGM does not watch it: This request is serviced by" in str(null.reason)
    assert watch.values("sm_active", A)
    assert watch.values("power_instant_w", A)
    description = watch.source.describe()
    assert set(description.identity["refused"]) == {
        "nvlink_tx_bytes_per_s",
        "nvlink_rx_bytes_per_s",
    }
    assert "nvlink_tx_bytes_per_s" not in description.periods_us


def test_device_field_that_an_older_engine_does_not_know_is_null_alone(
    double: DoubleEngine, seen: Seen
) -> None:
    double.set(unknown_ids=[157])
    watch = seen(0.3)
    assert [reading.value for reading in watch.of("power_instant_w", A)] == [None]
    assert watch.values("power_average_w", A)


def test_only_the_job_s_gpus_are_watched_in_the_job_s_order(seen: Seen) -> None:
    watch = seen(0.3, uuids=[A])
    assert {reading.device for reading in watch.readings} == {A}
    assert [gpu["uuid"] for gpu in watch.source.describe().gpus] == [A]


def test_without_a_choice_gpus_stand_in_the_order_of_the_bus(watching: Watching) -> None:
    with watching() as watch:
        gpus = watch.source.describe().gpus
    assert [(gpu["uuid"], gpu["index"]) for gpu in gpus] == [(B, 0), (A, 1)]
    assert gpus[0]["power_limit_requested_w"] == 650.0
    assert gpus[0]["power_limit_w"] is None


def test_gpu_that_the_engine_does_not_know_is_a_clear_error(
    double: DoubleEngine, watching: Watching
) -> None:
    with (
        pytest.raises(RuntimeError, match="must know GPU GPU-cccc, but knows GPU-aaaa, GPU-bbbb"),
        watching(uuids=["GPU-cccc"]),
    ):
        pass
    assert double.engine.leftovers() == 0


def test_name_that_another_client_has_is_taken_anew(double: DoubleEngine, seen: Seen) -> None:
    double.set(clashes=2)
    watch = seen(0.2)
    assert watch.values("power_average_w", A)
    assert watch.source.describe().identity["refused"] == {}


def test_older_samples_of_another_client_are_not_taken(double: DoubleEngine, seen: Seen) -> None:
    double.set(others_since_us=now_us() - 30_000_000)
    watch = seen(0.3)
    start_us = watch.assignment.clock.now_us() - 5_000_000
    assert watch.readings
    assert min(reading.t_us for reading in watch.readings) > start_us


def test_everything_made_is_deleted_in_reverse_order(double: DoubleEngine, seen: Seen) -> None:
    seen(0.2)
    made = [call for call in double.engine.calls if call not in {"gpus", "drain", "update"}]
    assert made == [
        "connect",
        "make group",
        *["add gpu"] * 2,
        *["make field group", "watch"] * 2,
        *["unwatch", "destroy field group"] * 2,
        "destroy group",
        "disconnect",
    ]
    assert double.engine.leftovers() == 0


def test_restarted_engine_is_watched_again_and_the_gap_is_on_record(
    double: DoubleEngine, watching: Watching
) -> None:
    with watching() as watch:
        watch.look(0.5)
        double.set(down=True)
        assert watch.until(lambda: bool(watch.said("dcgm_lost")), 5)
        double.set(down=False, epoch=1)
        assert watch.until(lambda: bool(watch.said("dcgm_back")), 5)
        watch.look(0.5)
        watch.end()
    (back,) = watch.said("dcgm_back")
    gap_from_us, gap_until_us = back.details["gap_from_us"], back.details["gap_until_us"]
    powers = watch.of("power_average_w", A)
    nulls = [reading for reading in powers if reading.value is None]
    assert [null.reason for null in nulls] == ["the connection to nv-hostengine is lost"]
    after = [reading for reading in powers if reading.value and reading.t_us > gap_from_us]
    assert after[0].t_us >= gap_until_us
    assert double.engine.leftovers() == 0


def test_hung_engine_is_on_record_and_holds_nobody_up(
    double: DoubleEngine, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.sources.dcgm.liveness._HUNG_US", 500_000)
    with watching() as watch:
        watch.look(0.3)
        double.set(hang=True)
        assert watch.until(lambda: bool(watch.said("dcgm_hangs")), 5)
        start_s = time.monotonic()
        watch.source.read()
        assert time.monotonic() - start_s < 0.1
        double.set(hang=False)
        assert watch.until(lambda: bool(watch.said("dcgm_hang_over")), 5)
        watch.end()
    reasons = {reading.reason for reading in watch.of("power_average_w", A)}
    assert "nv-hostengine does not answer" in reasons
    # The engine went on sampling, and nothing of that is lost.
    times = [reading.t_us for reading in watch.of("power_average_w", A) if reading.value]
    assert max(after - before for before, after in pairwise(times)) <= 100_001


def test_engine_that_hangs_to_the_end_does_not_keep_the_watcher(
    double: DoubleEngine, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.sources.dcgm.drain_thread._LAST_DRAIN_S", 0.3)
    with watching() as watch:
        watch.look(0.2)
        double.set(hang=True)
        start_s = time.monotonic()
        watch.end()
        assert time.monotonic() - start_s < 2
        assert watch.said("dcgm_left_hanging")
        double.set(hang=False)


def test_engine_that_answers_but_reads_nothing_new_is_on_record(
    double: DoubleEngine, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine an answer may take half a second, and is no hang for that.
    monkeypatch.setattr("telemetry.sources.dcgm.liveness._HUNG_US", 2_500_000)
    with watching() as watch:
        watch.look(0.5)
        double.set(quiet_from_us=now_us())
        assert watch.until(lambda: bool(watch.said("dcgm_silent")), 15)
        double.set(quiet_from_us=None)
        assert watch.until(lambda: bool(watch.said("dcgm_speaks")), 10)
        watch.end()
    reasons = [reading.reason for reading in watch.of("power_average_w", A) if reading.reason]
    assert reasons == ["nv-hostengine answers, but gives no new readings"]


def test_counter_that_starts_again_is_on_record(double: DoubleEngine, watching: Watching) -> None:
    with watching(uuids=[A]) as watch:
        watch.look(0.5)
        double.set(reset_at_us=now_us())
        watch.look(0.5)
        watch.end()
    (reset,) = watch.said("counter_reset")
    assert reset.details["device"] == A
    assert reset.details["after_j"] < reset.details["before_j"]
    (null,) = [reading for reading in watch.of("energy_j", A) if reading.value is None]
    assert "the counter began anew, from " in str(null.reason)


def test_board_in_mig_mode_is_null_with_that_reason_and_costs_no_other(
    double: DoubleEngine, seen: Seen
) -> None:
    boards = [
        {"uuid": A, "name": "NVIDIA H200", "pci_bus_id": "00:1B", "mig": True},
        {"uuid": B, "name": "NVIDIA H200", "pci_bus_id": "00:0A", "mig": False},
    ]
    double.set(gpus=boards)
    watch = seen(0.3)
    (null,) = watch.of("energy_j", A)
    assert (null.value, null.reason) == (
        None,
        "MIG is on: the sensors are the whole board's, not its instances'",
    )
    assert watch.values("energy_j", B)


def test_gpu_that_is_gone_when_the_engine_is_back_is_null_and_costs_no_other(
    double: DoubleEngine, watching: Watching
) -> None:
    board = {"uuid": B, "name": "NVIDIA H200", "pci_bus_id": "00:0A", "mig": False}
    with watching(uuids=[A, B]) as watch:
        watch.look(0.4)
        double.set(epoch=1, gpus=[board])
        assert watch.until(lambda: bool(watch.said("dcgm_back")), 5)
        watch.look(0.5)
        watch.end()
    (back,) = watch.said("dcgm_back")
    after = [
        r for r in watch.readings if r.t_us > back.details["gap_until_us"] and r.field == "energy_j"
    ]
    assert {(r.device, r.reason) for r in after} == {
        (A, "the engine does not know this GPU any more"),
        (B, None),
    }


def test_configured_engine_that_is_not_there_is_a_clear_error(
    double: DoubleEngine, tmp_path: Path, spec: RunSpec
) -> None:
    path = str(tmp_path / "nobody.sock")
    with (
        pytest.raises(RuntimeError, match=r"`dcgm_address` must be an nv-hostengine, but .*nobody"),
        watched(tmp_path, spec, address=path),
    ):
        pass


def test_engine_that_this_user_may_not_reach_is_a_clear_error(double: DoubleEngine) -> None:
    Path(double.address).chmod(0)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        # Root may open everything: somebody else must try.
        if os.geteuid() == 0:
            os.setuid(65_534)
        os.write(write, str(probe(double.address)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read().endswith("Permission denied")


def test_listener_that_is_no_engine_is_a_clear_error_and_no_second_engine_is_started(
    double: DoubleEngine, watching: Watching
) -> None:
    double.set(down=True)
    with (
        pytest.raises(
            RuntimeError, match=r"listens at .* but is no engine that libdcgm 4\.4\.2 can"
        ),
        watching(),
    ):
        pass
    assert "embed" not in double.engine.calls


def test_without_an_engine_one_is_started_inside_and_the_record_says_why(
    double: DoubleEngine, tmp_path: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "telemetry.sources.dcgm.connection.DEFAULT_ADDRESS", str(tmp_path / "nobody.sock")
    )
    with watched(tmp_path, spec, address=None) as watch:
        watch.look(0.2)
        watch.end()
    identity = watch.source.describe().identity
    assert identity["embedded"] is True
    assert "cannot be reached" in identity["embedded_because"]
    assert double.engine.calls[0] == "embed"


def test_engine_that_hangs_from_the_start_is_a_clear_error(
    double: DoubleEngine, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.sources.dcgm.drain_thread._OPEN_S", 0.3)
    double.set(hang=True)
    with (
        pytest.raises(RuntimeError, match=r"the DCGM engine must answer within 0\.3 s"),
        watching(),
    ):
        pass
    double.set(hang=False)
    end_s = time.monotonic() + 5
    while double.engine.leftovers() and time.monotonic() < end_s:
        time.sleep(0.05)
    assert double.engine.leftovers() == 0


def test_missing_library_is_a_clear_error(double: DoubleEngine, watching: Watching) -> None:
    double.set(library=False)
    with (
        pytest.raises(RuntimeError, match=r"libdcgm, which the bindings in .* is not there"),
        watching(),
    ):
        pass


def test_folder_without_bindings_is_a_clear_error(watching: Watching, tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="`dcgm_bindings` must be a folder with NVIDIA's pydcgm"),
        watching(bindings=str(tmp_path)),
    ):
        pass


def test_only_the_fields_asked_for_are_read(seen: Seen) -> None:
    asked = ["power_instant_w", "energy_j"]
    watch = seen(0.3, gpu_fields=asked)
    assert {reading.field for reading in watch.readings} == set(asked)


def test_every_field_that_is_read_is_one_of_the_table(seen: Seen) -> None:
    watch = seen(0.5)
    expected = {field.name for field in FIELDS.values() if field.dcgm_id is not None} - {"xid"}
    assert {reading.field for reading in watch.readings} == expected
    assert set(watch.source.describe().periods_us) == expected


def test_watcher_that_follows_a_dead_one_takes_what_the_engine_still_has_and_nothing_twice(
    double: DoubleEngine, seen: Seen
) -> None:
    died_us = now_us() - 3_000_000
    double.set(others_since_us=now_us() - 60_000_000)
    record = {"gpus": [], "clock_offset_us": HostClock.set_now().offset_us}
    names = [name for name, field in FIELDS.items() if field.dcgm_id is not None]
    before = PreviousWatcher(
        record=record, last={(gpu, name): (died_us, 0.0) for gpu in (A, B) for name in names}
    )
    watch = seen(0.3, before=before)
    times = [reading.t_us for reading in watch.of("power_average_w", A)]
    assert died_us < times[0] <= died_us + 110_000
    assert max(after - before for before, after in pairwise(times)) <= 110_000


def test_counter_that_began_anew_while_nobody_watched_is_on_record(seen: Seen) -> None:
    before = PreviousWatcher(record={"gpus": []}, last={(A, "energy_j"): (now_us() - 10**6, 1e12)})
    watch = seen(0.2, before=before, uuids=[A])
    (reset,) = watch.said("counter_reset")
    assert reset.details["before_j"] == 1e12


def test_gpu_that_a_dead_watcher_knew_stays_in_the_inventory_when_it_is_gone(seen: Seen) -> None:
    lost = {"uuid": "GPU-cccc", "name": "NVIDIA H200"}
    before = PreviousWatcher(record={"gpus": [lost]}, last={})
    uuids = [A, "GPU-cccc"]
    watch = seen(0.2, before=before, uuids=uuids)
    assert watch.source.describe().gpus[-1] == {
        **lost,
        "lost": "the engine does not know this GPU any more",
    }
    assert [reading.value for reading in watch.of("energy_j", "GPU-cccc")] == [None]


def ordered(folder: Path, address: str) -> tuple[RunPaths, AttemptPaths]:
    """An attempt whose watcher is to read the engine at an address."""
    known = {"telemetry": "dcgm", "period_ms": 100, "dcgm_bindings": str(DOUBLE)}
    return make_attempt(folder / "results", launch={**known, "dcgm_address": address})


def test_watcher_process_writes_what_an_engine_samples_and_its_remarks(
    double: DoubleEngine, tmp_path: Path
) -> None:
    run, attempt = ordered(tmp_path, double.address)
    with WatcherProcess(run.results, run.run_id, attempt.number, "n1") as watch:
        ready = watch.wait_ready()
        time.sleep(1.2)
        double.set(epoch=1)
        time.sleep(3.0)
    assert [gpu["uuid"] for gpu in ready["gpus"]] == [B, A]
    assert ready["source"]["dcgm"]["libdcgm"] == "4.4.2"
    (part,) = list_parts(attempt.samples_shard("n1"))
    table = pq.read_table(part.path)
    assert {"energy_j", "tensor_active", "memory_used_bytes"} <= set(table["field"].to_pylist())
    said = [event["what"] for event in read_json(attempt.watchers / "n1.json")["events"]]
    assert said == ["dcgm_lost", "dcgm_back"]
    assert read_json(attempt.watchers / "n1.exit.json")["exit_code"] == 0


def test_watcher_process_without_its_engine_ends_with_the_reason(
    double: DoubleEngine, tmp_path: Path
) -> None:
    run, attempt = ordered(tmp_path, str(tmp_path / "nobody.sock"))
    with (
        WatcherProcess(run.results, run.run_id, attempt.number, "n1") as watch,
        pytest.raises(RuntimeError, match="`dcgm_address` must be an nv-hostengine"),
    ):
        watch.wait_ready()


def test_watcher_process_lets_go_of_the_engine_when_its_folder_vanishes(
    double: DoubleEngine, tmp_path: Path
) -> None:
    run, attempt = ordered(tmp_path, double.address)
    with WatcherProcess(run.results, run.run_id, attempt.number, "n1") as watch:
        watch.wait_ready()
        shutil.rmtree(run.results)
        end_s = time.monotonic() + 5
        while watch.alive() and time.monotonic() < end_s:
            time.sleep(0.05)
        assert not watch.alive()
