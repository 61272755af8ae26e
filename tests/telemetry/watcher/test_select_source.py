"""What `auto` is on a node, and that an engine that sees all GPUs is asked for the job's alone."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pynvml import NVML_ERROR_NOT_SUPPORTED

from telemetry.shards.writer import list_parts
from telemetry.watcher.process import WatcherProcess
from tests.doubles.dcgm.station import DOUBLE, DoubleEngine
from tests.doubles.nvml.library import World, build, uuid_of
from tests.support.watched_attempts import make_attempt

ZERO, ONE = uuid_of(0), uuid_of(1)


@dataclass(frozen=True, kw_only=True)
class Node:
    """Two simulated boards, known to a simulated driver and to an engine."""

    folder: Path
    engine: DoubleEngine
    world: World

    def watch(self, seconds: float, **launch: Any) -> tuple[dict[str, Any], pa.Table]:
        """A watcher process of this node: its ready record and what it read."""
        known = {
            "period_ms": 100,
            "dcgm_bindings": str(DOUBLE),
            "dcgm_address": self.engine.address,
        }
        run, attempt = make_attempt(self.folder / "results", launch={**known, **launch})
        with WatcherProcess(run.results, run.run_id, attempt.number, "n1") as watch:
            ready = watch.wait_ready()
            time.sleep(seconds)
        tables = [pq.read_table(part.path) for part in list_parts(attempt.samples_shard("n1"))]
        return ready, pa.concat_tables(tables)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml")).parent


@pytest.fixture
def node(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    world = World(tmp_path / "world", gpus=2)
    engine = DoubleEngine(tmp_path)
    boards = [
        {"uuid": uuid, "name": "NVIDIA H200", "pci_bus_id": f"00:0{index}", "mig": False}
        for index, uuid in enumerate((ZERO, ONE))
    ]
    engine.set(gpus=boards)
    for name, value in (
        ("FAKE_NVML", str(world.path)),
        ("LD_LIBRARY_PATH", str(library)),
        ("DCGM_DOUBLE_STATE", engine.state_path),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with engine.listening():
        yield Node(folder=tmp_path, engine=engine, world=world)


def rows(table: pa.Table, device: str, field: str) -> list[float]:
    columns = (table[name].to_pylist() for name in ("device", "field", "value"))
    return [
        value
        for one, name, value in zip(*columns, strict=True)
        if (one, name) == (device, field) and value is not None
    ]


def test_auto_takes_an_engine_s_fields_and_the_driver_s_power_samples(node: Node) -> None:
    ready, table = node.watch(2.0, telemetry="auto")
    assert ready["source"]["chosen"] == "dcgm, nvml power samples"
    assert ready["source"]["allotment"] == "all GPUs of the node"
    assert [gpu["uuid"] for gpu in ready["gpus"]] == [ZERO, ONE]
    assert len(rows(table, ZERO, "power_sample_w")) > 70
    # The double's own levels: NVML's boards would tell other ones.
    assert set(rows(table, ZERO, "tensor_active")) == {0.25}
    assert set(rows(table, ZERO, "power_average_w")) == {200.0}
    assert rows(table, ZERO, "memory_used_bytes") == []
    assert rows(table, "host", "memory_used_bytes")


def test_engine_is_asked_no_more_than_once_a_second_beside_power_samples(node: Node) -> None:
    ready, table = node.watch(2.0, telemetry="auto")
    assert ready["source"]["dcgm"]["sampled"] is True
    assert len(rows(table, ZERO, "power_average_w")) <= 5
    assert len(rows(table, ZERO, "power_sample_w")) > 70


def test_engine_carries_the_energy_where_the_driver_keeps_no_power_samples(node: Node) -> None:
    node.world.fail("samples_0", NVML_ERROR_NOT_SUPPORTED)
    ready, table = node.watch(2.0, telemetry="auto")
    assert ready["source"]["chosen"] == "dcgm"
    assert ready["source"]["no_power_samples"] == "the driver's own buffer is empty"
    assert len(rows(table, ZERO, "power_average_w")) >= 15


def test_auto_takes_nvml_alone_where_no_engine_runs_and_says_why(node: Node) -> None:
    ready, table = node.watch(
        0.5, telemetry="auto", dcgm_address=None, gpu_fields=["energy_j", "power_sample_w"]
    )
    assert ready["source"]["chosen"] == "nvml"
    assert "no nv-hostengine runs here: 127.0.0.1:5555" in ready["source"]["not_dcgm"]
    assert rows(table, ONE, "energy_j")


@pytest.mark.parametrize(
    ("launch", "reason"),
    [
        ({"dcgm_bindings": "/nowhere"}, "`dcgm_bindings` must be a folder"),
        ({"gpu_fields": ["power_sample_w"]}, "`gpu_fields` must hold a reading that DCGM has"),
    ],
)
def test_auto_takes_nvml_alone_where_dcgm_cannot_serve(
    node: Node, launch: dict[str, Any], reason: str
) -> None:
    ready, _ = node.watch(0.2, telemetry="auto", **launch)
    assert ready["source"]["chosen"] == "nvml"
    assert reason in ready["source"]["not_dcgm"]


def test_auto_opens_no_more_than_what_is_asked_for(node: Node) -> None:
    ready, table = node.watch(0.3, telemetry="auto", gpu_fields=["sm_clock_mhz"])
    assert ready["source"]["chosen"] == "dcgm"
    assert set(rows(table, ZERO, "sm_clock_mhz")) == {1400.0}
    assert rows(table, ZERO, "power_sample_w") == []


@pytest.mark.parametrize("visible", ["1", ONE, ONE[:12]])
def test_engine_is_asked_for_the_job_s_gpus_alone(
    node: Node, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    ready, table = node.watch(0.3, telemetry="dcgm", gpu_fields=["energy_j"])
    assert [gpu["uuid"] for gpu in ready["gpus"]] == [ONE]
    assert ready["source"]["allotment"] == f"CUDA_VISIBLE_DEVICES={visible}"
    assert rows(table, ZERO, "energy_j") == []
    assert rows(table, ONE, "energy_j")


def test_without_nvml_numbers_of_gpus_are_refused(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(RuntimeError, match="must name UUIDs where there is no NVML, but is '1'"):
        node.watch(0.1, telemetry="dcgm")


def test_what_dcgm_and_nvml_wrote_merges_without_a_duplicate(node: Node) -> None:
    _, table = node.watch(1.2, telemetry="auto")
    keys = set(zip(*(table[name].to_pylist() for name in ("t_us", "device", "field")), strict=True))
    assert len(keys) == table.num_rows
