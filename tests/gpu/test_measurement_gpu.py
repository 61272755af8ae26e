"""On real GPUs: warm-up, steps, memory and its shortage in the record of a real rank."""

from pathlib import Path
from typing import Any

import pytest
import torch

from launcher.jobs.job import RecordedEnd
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.attempts import make_attempt, make_spec
from tests.support.ranks import Outcome, run_gang, values_of
from tests.workers.distributed.test_rank import read_shard, work
from workers.distributed.rank import Rank
from workers.run import run_rank

pytestmark = pytest.mark.gpu

WINDOW_S = 2.0
# The device's clock counts in half microseconds; the host's may run faster by parts in 10,000.
SLACK_US = 1_000


def gpu_uuids(count: int) -> list[str]:
    if torch.cuda.device_count() < count:
        pytest.skip(f"needs {count} GPUs, CUDA sees {torch.cuda.device_count()}")
    found = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    return [f"GPU-{uuid.removeprefix('GPU-')}" for uuid in found]


def make(
    folder: Path, gpus: int, launch: dict[str, Any], **spec: Any
) -> tuple[RunSpec, AttemptPaths, LaunchConfig]:
    uuids = gpu_uuids(gpus)
    of_gpu = {"gpu": "h200", "gpus": gpus, "gpus_per_node": gpus, "dtype": "fp16"}
    made = make_spec(RunSpec.from_mapping(SPEC), **{**of_gpu, **spec})
    base = {"device": "cuda", "telemetry": "nvml", "idle_s": 0.0}
    attempt, ordered = make_attempt(folder, made, gpu_uuids=uuids, **{**base, **launch})
    return made, attempt, ordered


def run(
    folder: Path, gpus: int, function: Any, launch: dict[str, Any], **spec: Any
) -> tuple[AttemptPaths, list[Outcome]]:
    made, attempt, ordered = make(folder, gpus, launch, **spec)
    return attempt, run_gang(gpus, function, made, ordered, folder, attempt, timeout_s=240)


def work_on_a_full_gpu(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    """The last rank's GPU has 1 GB left for a model that takes more."""
    held: list[torch.Tensor] = []
    if rank.rank == rank.world - 1:
        device = torch.device("cuda", rank.local_rank)
        free, _ = torch.cuda.mem_get_info(device)
        held.append(torch.empty(free - 1_000_000_000, dtype=torch.uint8, device=device))
    with RecordedEnd(attempt, rank.rank):
        run_rank(spec, launch, results, attempt, rank)


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("gpus", [1, 2])
def test_a_rank_s_record_tells_steps_memory_warmth_and_joules(
    tmp_path: Path, engine: str, gpus: int
) -> None:
    launch = {"max_warmup_batches": 20, "min_window_s": WINDOW_S}
    more = {"model": "micro", "engine": engine, "max_gen_len": 64, "ignore_eos": True}
    attempt, outcomes = run(tmp_path, gpus, work, launch, **more)
    values_of(outcomes)
    record = read_json(attempt.model)
    spans = read_shard(attempt.rank_shard("spans", 0)).to_pylist()
    steps = read_shard(attempt.rank_shard("steps", 0)).to_pylist()
    late_us = []
    for name in ("prefill", "decode"):
        for span in (span for span in spans if span["phase"] == name):
            inside = [
                step["t_us"]
                for step in steps
                if step["batch"] == span["batch"] and (step["step"] == 0) == (name == "prefill")
            ]
            assert span["t_start_us"] - SLACK_US <= min(inside)
            assert max(inside) <= span["t_end_us"] + SLACK_US
            late_us.append(span["t_end_us"] - max(inside))
    memory, warmup = record["memory"], record["warmup"]
    print(  # noqa: T201
        f"{engine} over {gpus}: the last step is before its phase's end by {min(late_us)} to "
        f"{max(late_us)} us; warm-up {warmup['batches']} batches, steady {warmup['steady']}, "
        f"spread {warmup['reached_spread']}, {warmup['rates_tokens_per_s'][-1]:.0f} tokens/s; "
        f"memory {memory}; logit error {record['logit_error']}; passes {record['window']}"
    )
    assert memory["reason"] is None
    assert 0 < memory["allocated_bytes"] <= memory["peak_allocated_bytes"]
    assert memory["peak_allocated_bytes"] <= memory["peak_reserved_bytes"]
    assert memory["reserved_bytes"] < memory["device_used_bytes"] < memory["device_total_bytes"]
    assert [rank["rank"] for rank in memory["ranks"]] == list(range(gpus))
    assert record["window"]["seconds"] >= WINDOW_S
    assert record["shape"]["weight_bytes_per_step"] > 0
    edges = [span["energy_end_j"] for span in spans]
    assert edges == sorted(edges)
    assert edges[-1] > edges[0]


@pytest.mark.parametrize("gpus", [1, 2])
def test_a_gpu_without_room_ends_the_attempt_with_its_figures_and_all_ranks_soon(
    tmp_path: Path, gpus: int
) -> None:
    launch = {"warmup_batches": 0, "logit_error": False}
    attempt, outcomes = run(tmp_path, gpus, work_on_a_full_gpu, launch, model="7b")
    ended = read_json(attempt.ended)
    print(ended, [outcome.seconds for outcome in outcomes])  # noqa: T201
    assert ended["reason"].startswith("out of memory: ")
    memory = ended["memory"]
    assert (memory["where"], memory["phase"], memory["rank"]) == ("gpu", "load", gpus - 1)
    assert memory["asked_bytes"] > 0
    assert memory["free_bytes"] < 1_000_000_000
    assert memory["estimated"]["total_bytes"] > 1_000_000_000
    ends_s = [outcome.seconds for outcome in outcomes]
    # The guard's grace and a few seconds, not the collective's two minutes.
    assert max(ends_s) - min(ends_s) < 30.0
