"""What ranks stand on and have loaded is what their spec says, or nothing is measured."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from launcher.jobs.job import RecordedEnd
from telemetry.boards.table import BOARDS
from telemetry.record.files import read_json, write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.doubles.nvml.library import World, build
from tests.support.attempts import make_attempt, make_spec
from tests.support.engines import open_context
from tests.support.fake_group import pretended_peers
from tests.support.ranks import make_rank, run_gang
from workers.distributed.rank import Rank
from workers.engines.registry import open_engine
from workers.planning.arithmetic import arithmetic_of
from workers.run import run_rank
from workers.session.agreement import gpus_fault, loaded_fault, ranks_fault

# What the driver of this environment tells of each of its GPUs, and of what was asked.
ASK = """
import os, sys
from telemetry.record.spec import RunSpec
from telemetry.sources.nvml.inventory import describe_gpu
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.visible_gpus import read_visible_gpus
from tests.conftest import SPEC
from workers.session.agreement import gpus_fault
asked, gpus = sys.argv[1], int(sys.argv[2])
spec = RunSpec.from_mapping({**SPEC, "gpu": asked, "gpus": gpus, "gpus_per_node": gpus})
with Driver() as driver:
    found = [describe_gpu(driver, gpu) for gpu in read_visible_gpus(driver, os.environ).gpus]
print(gpus_fault(spec, found))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


def told_by_driver(library: Path, world: World, asked: str) -> str:
    """What the ranks of a node with two such boards say."""
    environment = {**os.environ, **world.environment, "LD_LIBRARY_PATH": str(library.parent)}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    words = [sys.executable, "-c", ASK, asked, "2"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("asked", ["h200", "a100"])
def test_a_driver_that_names_another_board_than_the_spec_is_refused(
    tmp_path: Path, library: Path, asked: str
) -> None:
    world = World(tmp_path / "world", gpus=2, product="NVIDIA H100 PCIe")
    assert told_by_driver(library, world, asked).startswith(
        f"`gpu` must be the board that the driver names, but is {asked} (asked) and "
        "NVIDIA H100 PCIe (driver) instead; that board is gpu=h100-pcie"
    )


def test_a_split_board_is_refused(tmp_path: Path, library: Path) -> None:
    world = World(tmp_path / "world", gpus=2, product="NVIDIA H200", mig=1)
    assert told_by_driver(library, world, "h200").startswith("`mig` of a GPU must be off")


def work_recorded(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    with RecordedEnd(attempt, rank.rank):
        run_rank(spec, launch, results, attempt, rank)


@pytest.mark.parametrize(
    ("asked", "second", "says"),
    [
        ("h100", {}, "h100 (asked) and SIMULATED A100 80 GB (simulated)"),
        ("a100", {"kind": "h100", "name": "SIMULATED H100 SXM 80 GB"}, "that board is gpu=sim"),
        ("a100", {"simulated": False, "name": "NVIDIA H100 NVL"}, "NVIDIA H100 NVL (driver)"),
        ("a100", {"driver": "550.1"}, "`driver` must be the same of all GPUs of a run"),
    ],
)
@pytest.mark.ranks
def test_another_board_on_one_node_stops_every_rank_in_one_line_and_nothing_is_loaded(
    spec: RunSpec, tmp_path: Path, asked: str, second: dict[str, Any], says: str
) -> None:
    pair = make_spec(spec, gpu=f"simulated-{asked}", gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair)
    host, board = read_json(attempt.host("here")), BOARDS["a100"]
    seen = {"name": f"SIMULATED {board.product}", "kind": "a100", "driver": "580.1"}
    gpus = [{**gpu, **seen, "memory_bytes": board.memory_bytes} for gpu in host["gpus"]]
    gpus[1] |= second
    write_json(attempt.host("here"), {**host, "gpus": gpus})
    outcomes = run_gang(2, work_recorded, pair, launch, tmp_path, attempt, timeout_s=30.0)
    for outcome in outcomes:
        last = str(outcome.error).strip().splitlines()[-1]
        assert last.startswith("RuntimeError: all ranks must be ready, but: `")
        assert says in last
    end = read_json(attempt.ended)
    assert end["state"] == "failed"
    assert says in end["reason"]
    assert not attempt.shards("spans").exists()
    assert not attempt.model.exists()


@pytest.mark.parametrize(
    ("changes", "rank", "says"),
    [
        ({"gpus": 2, "gpus_per_node": 2}, make_rank(0, 1), "`gpus` must be 2 ranks as in the spec"),
        ({"gpus": 2, "gpus_per_node": 1}, make_rank(0, 2), "`gpus_per_node` must be 1 ranks"),
        ({"gpu": "h100"}, make_rank(0, 1), "`device` must be cuda where `gpu` is h100"),
    ],
)
def test_other_ranks_or_another_device_than_the_spec_s_are_refused(
    spec: RunSpec, tmp_path: Path, changes: dict[str, Any], rank: Rank, says: str
) -> None:
    other = make_spec(spec, **changes)
    _, launch = make_attempt(tmp_path, other)
    assert says in str(ranks_fault(other, launch, rank))


def test_ranks_without_gpus_may_share_that_on_cpu_alone(spec: RunSpec) -> None:
    assert gpus_fault(make_spec(spec, gpu="cpu"), [None, None]) is None
    assert gpus_fault(spec, [None, None]) == (
        "`gpu` must be simulated-a100, but rank 0 has none instead"
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"power_cap_w": 200.0}, "power_limit_requested_w"),
        ({"sm_clock_mhz": 900}, "sm_clock_requested_mhz"),
    ],
)
def test_a_cap_or_clock_that_was_not_set_is_refused(
    spec: RunSpec, changes: dict[str, Any], key: str
) -> None:
    capped, board = make_spec(spec, **changes), BOARDS["a100"]
    gpu = {"uuid": "SIM-1", "name": f"SIMULATED {board.product}", "kind": "a100", "simulated": True}
    (name,), (asked,) = changes, changes.values()
    assert gpus_fault(capped, [{**gpu, key: asked}]) is None
    for found in ({}, {key: None}, {key: 150.0}):
        assert f"`{name}` must be set on the GPU" in str(gpus_fault(capped, [{**gpu, **found}]))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("engine", "quantization"),
    [("reference", "none"), ("fast", "none"), ("fast", "int8"), ("fast", "fp8"), ("fast", "int4")],
)
def test_every_engine_loads_the_bytes_that_its_spec_promises(
    spec: RunSpec, engine: str, quantization: str, dtype: str
) -> None:
    changes = {"engine": engine, "quantization": quantization, "dtype": dtype}
    made = make_spec(spec, **changes)
    context = open_context(made, torch.device("cpu"))
    with pretended_peers(1):
        opened = open_engine(context)
        assert loaded_fault(made, context.weights.describe(), opened) is None
        other = make_spec(made, quantization="none" if quantization == "int8" else "int8")
        assert loaded_fault(other, context.weights.describe(), opened) is not None
        opened.close()


@pytest.mark.parametrize(
    ("model", "gpus", "quantization", "counted"),
    [
        ("7b", 1, "none", 13_214_154_752),
        ("7b", 1, "int8", 6_743_588_864),
        ("7b", 1, "int4", 3_601_334_272),
        ("65b", 4, "none", 130_044_395_520),
    ],
)
def test_what_real_runs_of_engine_fast_loaded_is_what_their_specs_promise(
    spec: RunSpec, model: str, gpus: int, quantization: str, counted: int
) -> None:
    """`weight_bytes_per_step` of model.json in tests/recorded, over all ranks."""
    of = {"model": model, "gpus": gpus, "gpus_per_node": gpus, "quantization": quantization}
    real = make_spec(spec, engine="fast", dtype="fp16", **of)
    engine: Any = SimpleNamespace(weight_bytes=counted // gpus, describe=lambda: {"name": "fast"})
    assert loaded_fault(real, {"kind": "random", "filled_as": ["fp16"]}, engine) is None


def test_what_was_loaded_is_held_to_engine_weights_format_and_bytes(spec: RunSpec) -> None:
    weight_bytes = arithmetic_of(spec).weight_bytes_per_step
    assert weight_bytes is not None

    def fault(**more: Any) -> str | None:
        weights = {"kind": "random", "filled_as": [spec.dtype]} | more.pop("weights", {})
        engine = {"name": spec.engine, "bytes": weight_bytes} | more
        made: Any = SimpleNamespace(
            weight_bytes=engine["bytes"], describe=lambda: {"name": engine["name"]}
        )
        return loaded_fault(spec, weights, made)

    assert fault() is None
    assert "`engine` must be" in str(fault(name="fast"))
    assert "`weights` must be random" in str(fault(weights={"digest": "sha256-0"}))
    assert "`dtype` must be fp32" in str(fault(weights={"filled_as": ["bf16"]}))
    assert f"must read {weight_bytes} bytes" in str(fault(bytes=weight_bytes // 2))
    assert fault(bytes=None) is None
