"""An attempt's folder as the launcher leaves it for the ranks, for tests of what comes after."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import TABLES
from telemetry.record.spec import RunSpec
from telemetry.shards.chain import Binding
from telemetry.shards.writer import ShardWriter
from tests.conftest import SPEC

LAUNCH: dict[str, Any] = {
    "device": "cpu",
    "threads": 1,
    "prompts_sha256": "0" * 64,
    "tokenizer_path": None,
    "telemetry": "simulated",
    "period_ms": 50,
    "idle_s": 0.0,
    "warmup_batches": 0,
}


def make_attempt(
    results: Path, *, spec: Mapping[str, Any] | None = None, launch: Mapping[str, Any] | None = None
) -> tuple[RunPaths, AttemptPaths]:
    """A run with one attempt: spec, launch, prompts, and empty folders for the ranks."""
    point = RunSpec.from_mapping({**SPEC, **(spec or {})})
    run = RunPaths(results=results, run_id=point.run_id)
    attempt = run.attempt(1)
    attempt.folder.mkdir(parents=True)
    attempt.ranks.mkdir()
    write_json(run.spec, point.to_mapping())
    write_json(attempt.launch, {**LAUNCH, **(launch or {})})
    run.prompts("0" * 64).parent.mkdir(exist_ok=True)
    run.prompts("0" * 64).write_text('{"prompt": "How many?"}\n')
    return run, attempt


def end_attempt(attempt: AttemptPaths, state: str = "completed") -> None:
    """Write that the attempt ended."""
    write_json(attempt.ended, {"state": state, "reason": None, "t_us": 5, "by": "rank 0"})


def register_rank(attempt: AttemptPaths, rank: int, *, pid: int, host: str = "n1") -> None:
    """What a rank of one thread writes before it loads its model."""
    started_us = time.time_ns() // 1_000
    attempt.ranks.mkdir(exist_ok=True)
    write_json(
        attempt.rank(rank),
        {
            "rank": rank,
            "local_rank": rank,
            "host": host,
            "pid": pid,
            "threads": 1,
            "gpu_uuid": None,
            "started_us": started_us,
        },
    )


def shard_writer(
    attempt: AttemptPaths,
    kind: str,
    folder: Path,
    binding: Binding | None = None,
    **metadata: Any,
) -> ShardWriter:
    """A writer with the metadata that all parts of the record agree on."""
    common = {
        "kind": kind,
        "run_id": "r",
        "attempt": attempt.number,
        "host": folder.name,
        "rank": None,
        "simulated": False,
        "source": {"name": "host"},
        "periods_us": {"power_instant_w": 10},
        "clock": {"wall_us": 0, "monotonic_us": 0, "offset_us": 0},
        "gpus": [],
    }
    return ShardWriter(folder, TABLES[kind], {**common, **metadata}, binding=binding)


Row = tuple[int, str, str, str, float | None, str | None]
"""A row of the samples table."""


def sample_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Samples as columns."""
    names = TABLES["samples"].names
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}
