"""Grid: composed points become specs, each with a verdict, before anything starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import psutil

from launcher.cluster import Cluster
from launcher.door import BadInputError, group_options
from launcher.multirun import Point
from telemetry.gpus import GPU_KINDS
from telemetry.order import LaunchOrder
from telemetry.run import RunPaths, RunSpec
from telemetry.schema import EndState
from telemetry.state import attempt_state
from workers import prompts, tokenizer
from workers.memory import MemoryEstimate, estimate, flops
from workers.shapes import find_shape, parallel_fault

# The rest is fragmentation and what the driver keeps for itself.
MEMORY_SHARE: Final = 0.94
# A rank's interpreter with torch, measured 0.33 GB resident on CPU.
RANK_OVERHEAD_BYTES: Final = 350_000_000
NOT_SELECTED: Final = "0" * 64
_GB: Final = 1e9


class Verdict(StrEnum):
    """What becomes of a point."""

    RUN = "run"
    SEALED = "sealed"
    """Done before: skipped."""
    MERGE = "merge"
    """Its job completed, its seal is missing: merged and sealed, not run again."""
    RUNNING = "running"
    """Another call is at it: skipped."""
    ILLEGAL = "illegal"
    """The model cannot be split so, or the nodes cannot hold the ranks so."""
    TOO_LARGE = "too large"
    """It does not fit the memory."""
    TOO_LONG = "too long"
    """It cannot end within the time limit."""
    UNSUPPORTED = "unsupported"
    """This version would not do what the point asks."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One point of the grid and what becomes of it."""

    spec: RunSpec
    cluster: Cluster
    source: prompts.PromptSource
    order: LaunchOrder
    """How its job is carried out; `NOT_SELECTED` stands for the prompts until they are."""
    config: Mapping[str, Any]
    """The resolved configuration the point came from."""
    overrides: tuple[str, ...]
    verdict: Verdict
    reason: str | None
    """Why it does not run; None when it runs."""
    memory: MemoryEstimate


@dataclass(frozen=True, kw_only=True)
class Grid:
    """All points of one call, checked as a whole."""

    results: Path
    entries: tuple[Entry, ...]
    plan_only: bool
    allow_dirty: bool

    def having(self, *verdicts: Verdict) -> list[Entry]:
        """The entries with one of those verdicts, in order."""
        return [entry for entry in self.entries if entry.verdict in verdicts]


def check(points: Sequence[Point]) -> Grid:
    """Turn composed points into a checked grid; equal points are kept once.

    Raises:
        BadInputError: a value is not allowed at all.
    """
    first = points[0].config
    for key in ("results", "plan", "allow_dirty"):
        if any(point.config[key] != first[key] for point in points):
            raise BadInputError(f"`{key}` must be the same for all points, so cannot be swept")
    if not isinstance(first["results"], str) or not first["results"]:
        raise BadInputError(f"`results` must be a folder, but is {first['results']!r} instead")
    for key in ("plan", "allow_dirty"):
        if not isinstance(first[key], bool):
            raise BadInputError(f"`{key}` must be true or false, but is {first[key]!r} instead")
    results = Path(first["results"]).absolute()
    entries: dict[str, Entry] = {}
    for point in points:
        for repeat in range(_repeats(point.config)):
            try:
                entry = _entry(results, point, repeat)
            except (ValueError, OSError) as error:
                raise BadInputError(str(error)) from error
            entries.setdefault(entry.spec.run_id, entry)
    return Grid(
        results=results,
        entries=tuple(entries.values()),
        plan_only=first["plan"],
        allow_dirty=first["allow_dirty"],
    )


def _repeats(config: Mapping[str, Any]) -> int:
    repeats = config["repeats"]
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise BadInputError(
            f"`repeats` must be a whole number of at least 1, but is {repeats!r} instead"
        )
    return repeats


def _entry(results: Path, point: Point, repeat: int) -> Entry:
    config = point.config
    cluster = Cluster.from_mapping(config["cluster"])
    data = config["dataset"]
    source = prompts.identify(
        data["name"],
        source=data["source"],
        path=None if data["path"] is None else Path(data["path"]),
        columns=data["columns"],
        cache=prompts.cache_folder(),
        local=cluster.executor == "local",
    )
    tokenizer_path = None if config["tokenizer"] is None else Path(config["tokenizer"])
    gpus = config["gpus"]
    fault = None
    gpus_per_node = gpus
    if isinstance(gpus, int) and gpus > cluster.gpus_per_node:
        gpus_per_node = cluster.gpus_per_node
        if gpus % gpus_per_node:
            fault = (
                f"`gpus` must fill nodes of {gpus_per_node}, but is {gpus} instead: "
                f"{gpus} = {gpus // gpus_per_node} x {gpus_per_node} + {gpus % gpus_per_node}"
            )
            gpus_per_node = 1
    spec = RunSpec.from_mapping(
        {
            "model": config["model"]["name"],
            "engine": config["engine"]["name"],
            "weights": config["model"]["weights"],
            "quantization": "none",
            "tokenizer": tokenizer.identify(tokenizer_path),
            "dataset": source.dataset,
            "gpus_per_node": gpus_per_node,
            "repeat": repeat,
            **{
                key: config[key]
                for key in (
                    "dtype",
                    "gpu",
                    "gpus",
                    "prompts",
                    "batch_size",
                    "max_prompt_len",
                    "max_gen_len",
                    "temperature",
                    "top_p",
                    "ignore_eos",
                    "seed",
                    "power_cap_w",
                    "sm_clock_mhz",
                )
            },
        }
    )
    _check_gpu(spec, cluster)
    _check_work(spec)
    memory = estimate(spec)
    verdict, reason = _verdict(results, spec, cluster, memory, fault)
    return Entry(
        spec=spec,
        cluster=cluster,
        source=source,
        order=_order(spec, cluster, config, tokenizer_path),
        config=config,
        overrides=point.overrides,
        verdict=verdict,
        reason=reason,
        memory=memory,
    )


def _order(
    spec: RunSpec, cluster: Cluster, config: Mapping[str, Any], tokenizer_path: Path | None
) -> LaunchOrder:
    watch = config["telemetry"]
    idle_s = watch["idle_s"]
    return LaunchOrder(
        device=cluster.device,
        threads=cluster.threads,
        prompts_sha256=NOT_SELECTED,
        tokenizer_path=None if tokenizer_path is None else str(tokenizer_path.absolute()),
        telemetry=_telemetry(spec, watch["source"]),
        period_ms=watch["period_ms"],
        idle_s=float(idle_s) if isinstance(idle_s, int) else idle_s,
        warmup_batches=config["cluster"]["typical"]["warmup_batches"],
    )


def _check_gpu(spec: RunSpec, cluster: Cluster) -> None:
    if spec.gpu != "cpu" and spec.gpu_kind not in GPU_KINDS:
        kinds = [*GPU_KINDS, *(f"simulated-{kind}" for kind in GPU_KINDS)]
        raise BadInputError(
            f"`gpu` must be one of cpu, {', '.join(kinds)}, but is {spec.gpu!r} instead"
        )
    real = spec.gpu != "cpu" and not spec.simulated
    if real != (cluster.device == "cuda"):
        allowed = "a real kind of GPU" if cluster.device == "cuda" else "cpu or a simulated- kind"
        raise BadInputError(
            f"`gpu` must be {allowed} on cluster {cluster.name}, whose device is "
            f"{cluster.device}, but is {spec.gpu!r} instead"
        )


def _check_work(spec: RunSpec) -> None:
    for name, known in (("engine", group_options("engine")), ("weights", ["random"])):
        value = getattr(spec, name)
        if value not in known:
            raise BadInputError(
                f"`{name}` must be one of {', '.join(known)}, but is {value!r} instead"
            )


def _telemetry(spec: RunSpec, asked: object) -> str:
    if asked == "auto":
        return "simulated" if spec.simulated else "host"
    if asked not in {"host", "simulated"}:
        raise BadInputError(
            f"`telemetry.source` must be one of auto, host, simulated, but is {asked!r} instead"
        )
    if (asked == "simulated") != spec.simulated:
        raise BadInputError(
            f"`telemetry` must be simulated for a simulated GPU and only then, "
            f"but is {asked} with gpu {spec.gpu} instead"
        )
    return str(asked)


def _verdict(
    results: Path, spec: RunSpec, cluster: Cluster, memory: MemoryEstimate, fault: str | None
) -> tuple[Verdict, str | None]:
    fault = fault or parallel_fault(find_shape(spec.model), spec.gpus)
    if fault:
        return Verdict.ILLEGAL, fault
    run = RunPaths(results=results, run_id=spec.run_id)
    if run.sealed():
        return Verdict.SEALED, "done before"
    if attempts := run.attempts():
        last = attempt_state(attempts[-1])
        if last.state == EndState.COMPLETED:
            return Verdict.MERGE, "done before, not sealed yet"
        if not last.ended:
            return Verdict.RUNNING, f"attempt {attempts[-1].number} is {last.state}"
    too_large = _too_large(spec, cluster, memory)
    if too_large:
        return Verdict.TOO_LARGE, too_large
    if too_long := _too_long(spec, cluster):
        return Verdict.TOO_LONG, too_long
    if cluster.device == "cuda" and (spec.power_cap_w or spec.sm_clock_mhz):
        return Verdict.UNSUPPORTED, "caps and clock locks are only simulated in this version"
    return Verdict.RUN, None


def _too_large(spec: RunSpec, cluster: Cluster, memory: MemoryEstimate) -> str | None:
    if spec.gpu != "cpu":
        kind = GPU_KINDS[spec.gpu_kind]
        room_bytes = kind.memory_bytes * MEMORY_SHARE
        if memory.total_bytes > room_bytes:
            return (
                f"weights {memory.weights_bytes / _GB:.1f} GB, KV cache "
                f"{memory.kv_cache_bytes / _GB:.1f}, work {memory.workspace_bytes / _GB:.1f}; "
                f"{kind.product} has room for {room_bytes / _GB:.1f}"
            )
    if cluster.device == "cpu" and cluster.executor == "local":
        needed_bytes = spec.gpus * (memory.total_bytes - memory.context_bytes + RANK_OVERHEAD_BYTES)
        room_bytes = psutil.virtual_memory().total * MEMORY_SHARE
        if needed_bytes > room_bytes:
            return (
                f"its ranks need {needed_bytes / _GB:.1f} GB of this machine's memory, "
                f"which has {room_bytes / _GB:.1f}"
            )
    return None


def _too_long(spec: RunSpec, cluster: Cluster) -> str | None:
    if cluster.core_gflops is None:
        return None
    least_min = flops(spec) / (cluster.core_gflops * 1e9 * cluster.cores) / 60
    if least_min > cluster.timeout_min:
        return (
            f"needs at least {least_min:.0f} min on {cluster.cores} cores, "
            f"but cluster.timeout_min is {cluster.timeout_min}"
        )
    return None
