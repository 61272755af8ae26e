"""Memory that really runs out, in ranks whose address space has a limit."""

import errno
import json
import resource
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from launcher.jobs.job import RecordedEnd
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.support.attempts import make_attempt, make_spec
from tests.support.ranks import run_gang
from workers.distributed.out_of_memory import (
    RankOutOfMemoryError,
    asked_bytes,
    is_of_host,
    is_shortage,
)
from workers.distributed.rank import Rank
from workers.run import run_rank

# Keys and values of this batch take 2 GB on each of two ranks; a rank gets half of that.
LARGE = {"batch_size": 512, "max_gen_len": 448, "max_prompt_len": 64}
ROOM_BYTES = 1_000_000_000


def limit_memory(room_bytes: int = ROOM_BYTES) -> None:
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + room_bytes, resource.RLIM_INFINITY))


def work_in_little_memory(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    """What a job does around its rank's work; rank 1 alone has too little memory."""
    if rank.rank == 1:
        limit_memory()
    with RecordedEnd(attempt, rank.rank):
        run_rank(spec, launch, results, attempt, rank)


def run_out_while_answering(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    """The last rank's Python fails to allocate in the middle of the second batch."""
    import workers.session.measurement  # noqa: PLC0415

    seed_of = workers.session.measurement.batch_seed

    def greedy(seed: int, batch: int) -> int:
        if batch == 1 and rank.rank == rank.world - 1:
            limit_memory()
            return len(bytearray(2 * ROOM_BYTES))
        return seed_of(seed, batch)

    setattr(workers.session.measurement, "batch_seed", greedy)  # noqa: B010
    with RecordedEnd(attempt, rank.rank):
        run_rank(spec, launch, results, attempt, rank)


def test_a_rank_that_cannot_load_ends_the_attempt_with_the_figures_that_explain_it(
    spec: RunSpec, tmp_path: Path
) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2, **LARGE)
    attempt, launch = make_attempt(tmp_path, pair, idle_s=0.0, warmup_batches=0)
    outcomes = run_gang(2, work_in_little_memory, pair, launch, tmp_path, attempt, timeout_s=60.0)
    ended = read_json(attempt.ended)
    assert ended["state"] == "failed"
    assert ended["reason"].startswith("out of memory: ")
    memory = ended["memory"]
    assert (memory["rank"], memory["phase"], memory["where"]) == (1, "load", "host")
    # 512 rows of 512 positions, 4 heads' worth of fp32 keys, or values, of one layer.
    assert memory["asked_bytes"] == 512 * 512 * 128 * 4
    assert memory["estimated"]["kv_cache_bytes"] == 8 * memory["asked_bytes"]
    assert memory["free_bytes"] > 0
    assert "RankOutOfMemoryError" in (outcomes[1].error or "")
    assert outcomes[0].error is not None
    assert abs(outcomes[0].seconds - outcomes[1].seconds) < 5.0


def test_memory_that_runs_out_while_answering_is_told_with_the_phase(
    spec: RunSpec, tmp_path: Path
) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair, idle_s=0.0, warmup_batches=0)
    run_gang(2, run_out_while_answering, pair, launch, tmp_path, attempt, timeout_s=60.0)
    ended = read_json(attempt.ended)
    assert ended["reason"].startswith("out of memory: ")
    assert ended["memory"]["phase"] == "prefill"
    assert ended["memory"]["asked_bytes"] is None
    assert ended["memory"]["estimated"]["total_bytes"] > 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has …"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be …"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("NCCL error: unhandled cuda error\nLast error:\nFailed to CUDA calloc async"),
    ],
)
def test_want_of_memory_is_known_whoever_tells_it(error: BaseException) -> None:
    assert is_shortage(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("out of memory"),
        RankOutOfMemoryError("another rank failed first: out of memory", {}),
    ],
)
def test_other_faults_are_no_want_of_memory(error: BaseException) -> None:
    assert not is_shortage(error)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0", 20 << 20),
        ("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0", 3 << 29),
        ("[enforce fail] can't allocate memory: you tried to allocate 134217728 bytes.", 1 << 27),
        ("CUDA error: out of memory", None),
    ],
)
def test_what_was_asked_for_is_read_off_the_message(text: str, asked: int | None) -> None:
    assert asked_bytes(RuntimeError(text)) == asked


@pytest.mark.parametrize(
    ("error", "of_host"),
    [
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."), False),
    ],
)
def test_whose_memory_ran_out_is_told_apart(error: BaseException, of_host: bool) -> None:
    assert is_shortage(error)
    assert is_of_host(error) == of_host


def test_the_figures_of_a_shortage_are_json() -> None:
    facts: dict[str, Any] = {"rank": 1, "asked_bytes": None}
    assert json.loads(json.dumps(RankOutOfMemoryError("x", facts).facts)) == facts
