"""Which source watches a point: `auto` is settled where the GPU is, and nowhere else."""

import pytest

from launcher.door import BadInputError
from launcher.limits import telemetry_source
from telemetry.run import RunSpec
from tests.conftest import SPEC


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
