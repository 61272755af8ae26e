"""Sealed runs with energies known in closed form, written with the record's own writers.

Each rank rests at 50 W and works at 200 W + 100 W x rank; the fifth begins at 200 W again, as no
board draws more than some hundred watts. Every span begins and ends on a reading,
so counter energies are exact: what a test expects can be worked out by hand.
"""

import contextlib
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from telemetry.clock import US_PER_S
from telemetry.merge.attempt import merge_attempt
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.record.files import write_bytes, write_json
from telemetry.record.paths import AttemptPaths, RunPaths, prompts_folder
from telemetry.record.planned import KEY, Planned
from telemetry.record.schema import RESPONSES, SAMPLES, SPANS, STEPS
from telemetry.record.seal import seal_attempt
from telemetry.record.spec import RunSpec
from telemetry.shards.chain import Binding
from telemetry.shards.writer import ShardWriter
from tests.conftest import SPEC
from tests.support.chains import built_binding
from tests.support.record_answers import (
    BEFORE_STEPS,
    T0_US,
    batches_of,
    model_record,
    responses_of,
    steps_of,
    us,
)

PERIOD_US = 100_000
IDLE_W = 50.0
CAPPED_FROM_S = 5.0
STARTUP_S, IDLE_S, LOAD_S, WARMUP_S, SHUTDOWN_S = 0.5, 1.0, 0.5, 0.5, 0.5
WORK_FROM_S = STARTUP_S + IDLE_S


def work_w(rank: int) -> float:
    """Power of a rank's GPU from loading on."""
    return 200.0 + 100.0 * (rank % 4)


def power_w(rank: int, t_s: float) -> float:
    return IDLE_W if t_s < WORK_FROM_S else work_w(rank)


STATE_FIELDS = ("gpu_temperature_c", "sm_clock_mhz", "throttle_reasons")


def state_at(t_s: float) -> dict[str, float]:
    """A die that warms by 2 degrees a second; its clock falls at 5 s, when it meets its cap."""
    capped = t_s >= CAPPED_FROM_S
    return {
        "gpu_temperature_c": 40.0 + 2.0 * t_s,
        "sm_clock_mhz": 1200.0 if capped else 1400.0,
        # Bit 4 of NVML's clocks event reasons: software power cap.
        "throttle_reasons": 4.0 if capped else 0.0,
    }


def energy_j(rank: int, t_s: float) -> float:
    """Exact integral of `power_w` from 0 s on; negative before."""
    return IDLE_W * min(t_s, WORK_FROM_S) + work_w(rank) * max(0.0, t_s - WORK_FROM_S)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a built run is like; the defaults give a record without a fault."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    """Changes to `tests.conftest.SPEC`."""
    encode_s: float = 0.0
    """Of an encoder's pass before each prefill; 0 for none."""
    prefill_s: float = 0.5
    decode_s: float = 1.5
    overhead_s: float = 0.3
    idle: bool = True
    counter: bool = True
    rank_counter: bool = False
    """True: the ranks read their GPUs' counters at the edges of their spans."""
    idle_gpus: int = 0
    """GPUs of each node that the job holds and no rank works on; they rest at `IDLE_W`."""
    gpu: Mapping[str, Any] = field(default_factory=dict)
    """Changes to every GPU's entry in the inventory."""
    power_field: str = "power_instant_w"
    period_us: int = PERIOD_US
    counter_period_us: int | None = None
    """Time between two polls of the energy counters, a multiple of `period_us`; None: as power."""
    words: str = "two words"
    passes: int = 1
    """How often the whole prompt set is answered."""
    steps: bool = True
    """False: a record from before steps and model.json were written."""
    step: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row
    """Changes each row of the steps."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parts of model.json."""
    without: Sequence[str] = ()
    """Parts of model.json that a record from before lacks."""
    launch: Mapping[str, Any] = field(default_factory=dict)
    """Changes to launch.json."""
    response: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row
    """Changes each row of the responses."""
    span: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row
    """Changes each row of the spans."""
    state: bool = False
    """True: the GPUs' temperature, clock and what holds it down are read."""
    state_period_us: int = PERIOD_US
    """Time between two of those readings, as the record states it."""
    sample: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda row: row
    """Changes or drops (None) each row of the samples."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, Any] = field(default_factory=dict)
    """Changes to every ready record."""
    chains: bool = True
    """False: a record from before the writers kept chains of digests."""
    part_rows: int = 1_000_000
    """Rows of each part of the samples."""
    end: str = "completed"
    merged: bool = True

    @property
    def run_spec(self) -> RunSpec:
        return RunSpec.from_mapping({**SPEC, **self.spec})


def build_run(results: Path, plan: Plan | None = None, attempt: int = 1) -> RunPaths:
    """One run with one attempt, sealed when it completed."""
    plan = plan or Plan()
    spec = plan.run_spec
    run = RunPaths(results=results, run_id=spec.run_id)
    tried = run.attempt(attempt)
    tried.folder.mkdir(parents=True)
    write_json(run.spec, spec.to_mapping())
    sha256 = _write_prompts(results, spec.prompts)
    _write_intent(tried, plan, sha256)
    # A watcher is there before its ranks and outlives them: its last link holds their heads.
    with contextlib.ExitStack() as watching:
        for node in range(spec.nodes):
            _write_host(run, tried, plan, node, watching)
        for rank in range(spec.gpus):
            _write_rank(run, tried, plan, rank)
    if plan.steps:
        model = model_record(spec, plan.passes, window_s(plan), plan.decode_s)
        parts = {**model, **plan.model}
        write_json(tried.model, {name: parts[name] for name in parts if name not in plan.without})
    end_us = T0_US + us(timeline(plan)[-1][2])
    write_json(
        tried.ended,
        {"state": plan.end, "reason": None, "t_us": end_us + 200_000, "by": "rank 0"},
    )
    if plan.end == "completed" and plan.merged:
        merge_attempt(run, tried)
        seal_attempt(run, tried)
    return run


def reseal(run: RunPaths) -> None:
    """Seal the run again as it lies there now: as whoever owns the folder can."""
    attempt = run.attempt(1)
    attempt.seal.unlink()
    seal_attempt(run, attempt)


def timeline(plan: Plan) -> list[tuple[str, float, float, int | None]]:
    """(phase, start, end, batch) of every span in seconds since T0; the same for every rank."""
    spec = plan.run_spec
    steps: list[tuple[str, float, int | None]] = [("startup", STARTUP_S, None)]
    steps.append(("idle" if plan.idle else "load", IDLE_S, None))
    steps += [("load", LOAD_S, None), ("warmup", WARMUP_S, -1)]
    for batch in range(plan.passes * batches_of(spec)):
        steps += [("encode", plan.encode_s, batch)] if plan.encode_s else []
        steps += [
            ("prefill", plan.prefill_s, batch),
            ("decode", plan.decode_s, batch),
            ("overhead", plan.overhead_s, None),
        ]
    steps.append(("shutdown", SHUTDOWN_S, None))
    spans: list[tuple[str, float, float, int | None]] = []
    now = 0.0
    for phase, length, number in steps:
        spans.append((phase, now, now + length, number))
        now += length
    return spans


def window_s(plan: Plan) -> float:
    """Length of the measured window."""
    batches = plan.passes * batches_of(plan.run_spec)
    a_batch = plan.encode_s + plan.prefill_s + plan.decode_s
    return batches * a_batch + (batches - 1) * plan.overhead_s


def gpu_uuid(plan: Plan, rank: int) -> str:
    spec = plan.run_spec
    host, index = divmod(rank, spec.gpus_per_node)
    if spec.simulated:
        return f"SIM-{spec.gpu_kind}-{host_name(host)}-{index}"
    # No two runs hold one GPU at one time, and all built ones begin at once.
    return f"GPU-{spec.run_id[-8:]}-{host}-{index}"


def idle_uuids(plan: Plan, node: int) -> list[str]:
    """GPUs of a node that no rank works on."""
    return [f"{gpu_uuid(plan, 0)}-idle-{node}-{index}" for index in range(plan.idle_gpus)]


def host_name(node: int) -> str:
    return f"node{node}"


def _write_prompts(results: Path, count: int) -> str:
    lines = [json.dumps({"id": str(index), "text": f"prompt {index}"}) for index in range(count)]
    data = ("\n".join(lines) + "\n").encode()
    sha256 = hashlib.sha256(data).hexdigest()
    prompts_folder(results).mkdir(exist_ok=True)
    write_bytes(prompts_folder(results) / f"{sha256}.jsonl", data)
    return sha256


def _write_intent(attempt: AttemptPaths, plan: Plan, sha256: str) -> None:
    write_json(
        attempt.launch,
        {
            "device": "cpu" if plan.run_spec.simulated else "cuda",
            "threads": 1,
            "prompts_sha256": sha256,
            "tokenizer_path": None,
            "telemetry": "simulated" if plan.run_spec.simulated else "host",
            "period_ms": PERIOD_US // 1000,
            "idle_s": IDLE_S,
            "warmup_batches": 1,
            **_later_keys(plan),
            **plan.launch,
        },
    )
    write_json(
        attempt.provenance,
        {
            "user": "somebody",
            "submit_host": "login1",
            "t_us": T0_US - 5_000_000,
            "command": ["python", "-m", "launcher", f"model={plan.run_spec.model}"],
            "overrides": [f"model={plan.run_spec.model}"],
            "config": _composed(plan.run_spec),
            "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
            "allow_dirty": False,
            "packages": {"torch": "2.13.0", "numpy": "2.4.0"},
            "python": "3.11.7",
            **_planned(plan, attempt.number),
            **plan.provenance,
        },
    )
    # No two attempts are of one process.
    pid = 10 + zlib.crc32(f"{plan.run_spec.run_id} {attempt.number}".encode())
    write_json(
        attempt.started, {"t_us": T0_US, "host": "node0", "pid": pid, "pid_created_us": T0_US}
    )


def _planned(plan: Plan, attempt: int) -> dict[str, Any]:
    """The place in its plan, which made it alone; a record from before names none."""
    name = f"built-{plan.run_spec.run_id}-{attempt}"
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    place = Planned(campaign=name, plan_sha256=sha256, number=0, count=1)
    return {KEY: place.to_mapping()} if plan.steps and plan.chains else {}


def _later_keys(plan: Plan) -> dict[str, Any]:
    """Keys of launch.json that came with parts of the record; a record from before has neither."""
    keys: dict[str, Any] = {"link_s": 10.0} if plan.chains else {}
    if not plan.steps:
        return keys
    keys["logit_error"] = None
    if "window" not in plan.without:
        keys["min_window_s"] = 0.0
    if "warmup" not in plan.without:
        keys["max_warmup_batches"] = None
    return keys


def _composed(spec: RunSpec) -> dict[str, Any]:
    """What the launcher composed, as far as it decides the spec."""
    plain = spec.to_mapping()
    same = (
        *("dtype", "quantization", "gpu", "gpus", "prompts", "batch_size", "max_prompt_len"),
        *("max_gen_len", "temperature", "top_p", "ignore_eos", "seed", "power_cap_w"),
        "sm_clock_mhz",
    )
    return {
        **{name: plain[name] for name in same},
        "model": {"name": spec.model},
        "engine": {"name": spec.engine},
        "dataset": {"name": spec.dataset},
        "weights": spec.weights,
        "repeats": spec.repeat + 1,
    }


def _metadata(run: RunPaths, kind: str, host: str, rank: int | None, plan: Plan) -> dict[str, Any]:
    spec = plan.run_spec
    counter_us = plan.counter_period_us or plan.period_us
    periods = {plan.power_field: plan.period_us, "energy_j": counter_us}
    periods |= dict.fromkeys(STATE_FIELDS, plan.state_period_us) if plan.state else {}
    return {
        "kind": kind,
        "run_id": run.run_id,
        "attempt": 1,
        "host": host,
        "rank": rank,
        "simulated": spec.simulated,
        "source": {"name": "simulated" if spec.simulated else "host"},
        "periods_us": periods if kind == "samples" else {},
        "clock": {"wall_us": T0_US, "monotonic_us": 1_000_000, "offset_us": T0_US - 1_000_000},
        "gpus": _inventory(plan, int(host.removeprefix("node"))) if kind == "samples" else [],
        **({"tokenizer": tokenizer_of(spec)} if kind == "responses" else {}),
    }


def _inventory(plan: Plan, node: int) -> list[dict[str, Any]]:
    spec = plan.run_spec
    first = node * spec.gpus_per_node
    working = [gpu_uuid(plan, first + index) for index in range(spec.gpus_per_node)]
    return [
        {
            "uuid": uuid,
            "name": "SIMULATED A100 80 GB" if spec.simulated else "NVIDIA A100 80GB PCIe",
            "index": index,
            "kind": spec.gpu_kind,
            "simulated": spec.simulated,
            "power_limit_w": spec.power_cap_w or 300.0,
            **({} if spec.simulated or not plan.steps else {"compute_processes": 0}),
            **plan.gpu,
        }
        for index, uuid in enumerate([*working, *idle_uuids(plan, node)])
    ]


def tokenizer_of(spec: RunSpec) -> dict[str, Any]:
    """What the responses say of the tokenizer that made them; its file is not of this record."""
    return {"name": spec.tokenizer, "vocab_size": 32_000, "sha256": None}


def _binding(attempt: AttemptPaths, plan: Plan, host: str, *, watcher: bool) -> Binding | None:
    return built_binding(attempt, host, watcher=watcher) if plan.chains else None


def _write_host(
    run: RunPaths, attempt: AttemptPaths, plan: Plan, node: int, watching: contextlib.ExitStack
) -> None:
    spec = plan.run_spec
    host = host_name(node)
    binding = _binding(attempt, plan, host, watcher=True)
    key = {} if binding is None else {"link_key": binding.public_key}
    attempt.hosts.mkdir(exist_ok=True)
    write_json(
        attempt.host(host),
        {
            "host": host,
            "pid": 100 + node,
            "ready_us": T0_US - 100_000,
            "clock_offset_us": T0_US - 1_000_000,
            "source": {"name": "simulated" if spec.simulated else "host"},
            "simulated": spec.simulated,
            "period_ms": PERIOD_US // 1000,
            "platform": {
                "cpu_model": "A CPU",
                "logical_cpus": 2,
                "memory_bytes": 1 << 33,
                "kernel": "6.1",
            },
            "gpus": _inventory(plan, node),
            **key,
            **plan.hosts,
        },
    )
    end_s = timeline(plan)[-1][2] + 0.2
    rows: list[dict[str, Any]] = []
    ticks_s = round(US_PER_S / plan.period_us)
    for tick in range(-ticks_s // 5, round(end_s * ticks_s) + 1):
        t_s = tick / ticks_s
        ranks = [node * spec.gpus_per_node + local for local in range(spec.gpus_per_node)]
        states = [(gpu_uuid(plan, rank), power_w(rank, t_s), energy_j(rank, t_s)) for rank in ranks]
        states += [(uuid, IDLE_W, IDLE_W * t_s) for uuid in idle_uuids(plan, node)]
        for uuid, watts, joules in states:
            readings = {plan.power_field: watts}
            if plan.state:
                readings |= state_at(t_s)
            counter_us = plan.counter_period_us or plan.period_us
            if plan.counter and tick * plan.period_us % counter_us == 0:
                readings["energy_j"] = 1000.0 + joules
            for name, value in readings.items():
                row: dict[str, Any] | None = {
                    "t_us": T0_US + tick * plan.period_us,
                    "host": host,
                    "device": uuid,
                    "field": name,
                    "value": value,
                    "reason": None,
                }
                row = plan.sample(row) if row is not None else None
                if row is not None:
                    rows.append(row)
    metadata = _metadata(run, "samples", host, None, plan)
    shard = attempt.samples_shard(host)
    writer = watching.enter_context(
        ShardWriter(shard, SAMPLES, metadata, binding=binding, part_rows=plan.part_rows)
    )
    for first in range(0, len(rows), plan.part_rows):
        writer.write(_columns(SAMPLES.names, rows[first : first + plan.part_rows]))
    attempt.watchers.mkdir(exist_ok=True)
    write_json(
        attempt.watchers / f"{host}.json",
        {
            "host": host,
            "started_us": T0_US - 100_000,
            "ended_us": T0_US + us(end_s),
            "end_reason": "the owner let go",
            "ticks": len(range(-ticks_s // 5, round(end_s * ticks_s) + 1)),
            "ticks_missed": 0,
            "rows": len(rows),
            "clock_drift_us": 0,
            "events": [],
        },
    )
    if spec.nodes > 1:
        # All of a built run's nodes keep the reference's time.
        reading = OffsetReading(t_us=T0_US, offset_us=0, error_us=10, round_trip_us=20)
        later = replace(reading, t_us=T0_US + us(end_s))
        offset = HostOffset(host=host, reference_host=host_name(0), start=reading, end=later)
        offset.write(attempt)


def _write_rank(run: RunPaths, attempt: AttemptPaths, plan: Plan, rank: int) -> None:
    spec = plan.run_spec
    node, local = divmod(rank, spec.gpus_per_node)
    host = host_name(node)
    uuid = gpu_uuid(plan, rank)
    attempt.ranks.mkdir(exist_ok=True)
    write_json(
        attempt.rank(rank),
        {
            "rank": rank,
            "local_rank": local,
            "host": host,
            "pid": 200 + rank,
            "threads": 1,
            "gpu_uuid": uuid,
            "started_us": T0_US,
        },
    )
    responses = [
        plan.response(row) for row in responses_of(spec, timeline(plan), plan.passes, plan.words)
    ]
    reads = "encode" if plan.encode_s else "prefill"
    rows = []
    for phase, start_s, end_s, batch in timeline(plan):
        answered = [row for row in responses if row["batch"] == batch]
        rows.append(
            {
                "t_start_us": T0_US + us(start_s),
                "t_end_us": T0_US + us(end_s),
                "host": host,
                "rank": rank,
                "gpu_uuid": uuid,
                "phase": phase,
                "batch": batch,
                "prompts": len(answered),
                "prompt_tokens": (
                    sum(row["prompt_tokens"] for row in answered) if phase == reads else 0
                ),
                # The first token of each response is sampled at the end of the prefill.
                "generated_tokens": {
                    "encode": 0,
                    "prefill": len(answered),
                }.get(phase, sum(max(0, row["generated_tokens"] - 1) for row in answered)),
                "words": sum(row["words"] for row in answered) if phase == "decode" else 0,
                "energy_start_j": 1000.0 + energy_j(rank, start_s) if plan.rank_counter else None,
                "energy_end_j": 1000.0 + energy_j(rank, end_s) if plan.rank_counter else None,
                "energy_reason": None if plan.rank_counter else "not read in this record",
                "energy_start_late_us": 0 if plan.rank_counter else None,
                "energy_end_late_us": 0 if plan.rank_counter else None,
            }
        )
    binding = _binding(attempt, plan, host, watcher=False)
    with ShardWriter(
        attempt.rank_shard("spans", rank),
        SPANS,
        _metadata(run, "spans", host, rank, plan),
        binding=binding,
    ) as writer:
        writer.write(_columns(SPANS.names, [plan.span(row) for row in rows]))
    if rank == 0:
        schema = RESPONSES if plan.steps else BEFORE_STEPS
        with ShardWriter(
            attempt.rank_shard("responses", rank),
            schema,
            _metadata(run, "responses", host, rank, plan),
            binding=binding,
        ) as writer:
            writer.write(_columns(schema.names, responses))
        if plan.steps:
            steps = [plan.step(row) for row in steps_of(spec, timeline(plan), plan.passes)]
            metadata = _metadata(run, "steps", host, rank, plan)
            shard = attempt.rank_shard("steps", rank)
            with ShardWriter(shard, STEPS, metadata, binding=binding) as writer:
                writer.write(_columns(STEPS.names, steps))


def _columns(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}
