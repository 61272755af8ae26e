"""Attempt: a results folder with one run's attempt, made by hand as the launcher and watcher do."""

import hashlib
import json
from pathlib import Path
from typing import Any

from telemetry.boards.table import BOARDS
from telemetry.clock import HostClock
from telemetry.record.files import write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths, prompts_folder
from telemetry.record.spec import RunSpec
from workers.tokenizers.tokenizer import identify

TEXTS = (
    "How many apples are left when Ann eats two of five?",
    "Name a river.",
    "A train needs three hours for 240 km. How fast is it?",
    "Say hello.",
    "What is the sum of one and two?",
)


def make_spec(base: RunSpec, **changes: Any) -> RunSpec:
    """`base` with the bundled tokenizer, a question for each text, and `changes`."""
    fitting = {"tokenizer": identify(None), "prompts": len(TEXTS)}
    return RunSpec.from_mapping({**base.to_mapping(), **fitting, **changes})


def make_attempt(
    results: Path, spec: RunSpec, *, gpu_uuids: list[str] | None = None, **changes: Any
) -> tuple[AttemptPaths, LaunchConfig]:
    """The attempt's folder with a ready host `here`, and its launch with `changes`."""
    lines = [json.dumps({"prompt": text}, ensure_ascii=False) for text in TEXTS]
    content = ("\n".join(lines) + "\n").encode()
    sha256 = hashlib.sha256(content).hexdigest()
    run = RunPaths(results=results, run_id=spec.run_id)
    attempt = run.attempt(1)
    attempt.hosts.mkdir(parents=True)
    prompts_folder(results).mkdir()
    run.prompts(sha256).write_bytes(content)
    clock = HostClock.set_now()
    uuids = [f"SIM-a100-here-{index}" for index in range(spec.gpus_per_node)]
    if gpu_uuids is not None:
        uuids = gpu_uuids
    write_json(
        attempt.host("here"),
        {
            "host": "here",
            "pid": 1,
            "ready_us": clock.now_us(),
            "clock_offset_us": clock.offset_us,
            "source": {"name": "simulated"},
            "simulated": spec.simulated,
            "period_ms": 100,
            "platform": {},
            "gpus": [
                {"uuid": uuid, "index": index, **_board(spec)} for index, uuid in enumerate(uuids)
            ],
        },
    )
    launch = {
        "device": "cpu",
        "threads": 1,
        "prompts_sha256": sha256,
        "tokenizer_path": None,
        "telemetry": "simulated",
        "period_ms": 100,
        "idle_s": 0.2,
        "warmup_batches": 1,
    }
    return attempt, LaunchConfig(**{**launch, **changes})


def _board(spec: RunSpec) -> dict[str, Any]:
    """What a watcher tells of the board that the spec asks for."""
    board = BOARDS[spec.gpu_kind]
    name = f"SIMULATED {board.product}" if spec.simulated else board.driver_names[0]
    told = {"name": name, "kind": board.name, "memory_bytes": board.memory_bytes}
    asked = {
        "power_limit_requested_w": spec.power_cap_w,
        "sm_clock_requested_mhz": spec.sm_clock_mhz,
    }
    return {**told, **asked, "simulated": spec.simulated}
