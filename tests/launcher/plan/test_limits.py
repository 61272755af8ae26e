"""Which source watches a point, and what does not fit a GPU, are settled before anything starts."""

import pytest

from launcher.config.errors import BadInputError
from launcher.plan.cluster import Cluster
from launcher.plan.limits import MEMORY_SHARE, telemetry_source, too_large
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.planning.memory import estimate


def make_spec(gpu: str) -> RunSpec:
    return RunSpec.from_mapping({**SPEC, "gpu": gpu})


@pytest.mark.parametrize(
    ("gpu", "asked", "source"),
    [
        ("simulated-h200", "auto", "simulated"),
        ("cpu", "auto", "host"),
        ("h200", "auto", "auto"),
        ("h200", "nvml", "nvml"),
        ("h200", "dcgm", "dcgm"),
        ("h200", "host", "host"),
    ],
)
def test_source_follows_the_gpu(gpu: str, asked: str, source: str) -> None:
    assert telemetry_source(make_spec(gpu), asked) == source


@pytest.mark.parametrize(
    ("gpu", "asked"),
    [("cpu", "nvml"), ("cpu", "dcgm"), ("simulated-h200", "nvml"), ("h200", "simulated")],
)
def test_source_that_the_gpu_does_not_have_is_refused(gpu: str, asked: str) -> None:
    with pytest.raises(BadInputError, match="`telemetry` must be"):
        telemetry_source(make_spec(gpu), asked)


def test_unknown_source_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match="must be one of auto, dcgm, host, nvml, simulated"):
        telemetry_source(make_spec("h200"), "rocm")


def test_a_point_that_does_not_fit_is_told_by_how_much() -> None:
    cluster = Cluster.from_mapping(
        {
            "name": "here",
            "executor": "local",
            "device": "cuda",
            "gpus_per_node": 8,
            "timeout_min": 60,
            "threads": None,
            "core_gflops": None,
            "slurm": {},
        }
    )
    spec = RunSpec.from_mapping(
        {**SPEC, "model": "65b", "dtype": "fp16", "gpu": "h200", "batch_size": 64}
    )
    memory = estimate(spec)
    reason = too_large(spec, cluster, memory)
    room_gb = 143_771 * (1 << 20) * MEMORY_SHARE / 1e9
    assert reason is not None
    assert f"{memory.total_bytes / 1e9 - room_gb:.1f} GB more than the {room_gb:.1f}" in reason
    quarter = RunSpec.from_mapping({**spec.to_mapping(), "gpus": 4, "gpus_per_node": 4})
    assert too_large(quarter, cluster, estimate(quarter)) is None
