"""Rows of the tables of speed and of conditions."""

from collections.abc import Sequence

from analysis.energy.uncertain import Uncertain
from analysis.performance.latency import Latency
from analysis.performance.run_performance import KINDS, MEASURED, STATED, Performance
from analysis.tables.rows import Row
from telemetry.boards.peaks import Peaks
from telemetry.record.schema import Phase

_ENDINGS = {STATED: "", MEASURED: "_measured"}
_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def performance_row(performance: Performance, run_row: Row) -> Row:
    """One run's row of `performance_columns.PERFORMANCE`; `run_row` is its row of runs."""
    run_energy, spec = performance.run_energy, performance.run.spec
    latency, peaks = performance.latency, performance.peaks
    prefill_s = run_energy.phase_seconds(Phase.PREFILL)
    prefilled = performance.prefilled_tokens
    row: Row = {
        "run_id": performance.run.run_id,
        "engine": spec.engine,
        "dtype": spec.dtype,
        "quantization": spec.quantization,
        "simulated": performance.run.simulated,
        "first_token_mean_s": None,
        "prefill_tokens_per_s": None if prefilled is None else prefilled / prefill_s,
        "decode_tokens_per_s": run_row["decode_tokens_per_s"],
        "weight_bytes_per_step": _real(performance.model.weight_bytes),
        "kv_bytes_per_position": _real(performance.model.kv_bytes),
        "peak_source": None,
        "latency_reason": latency if isinstance(latency, str) else None,
        "performance_reason": performance.reason,
    }
    times = latency if isinstance(latency, Latency) else None
    if times is not None:
        row["first_token_mean_s"] = times.first_token_mean_s
    for name, share in _QUANTILES.items():
        row[f"first_token_{name}_s"] = None if times is None else times.first_token_s(share)
        row[f"inter_token_{name}_s"] = None if times is None else times.inter_token_s(share)
    if isinstance(peaks, Peaks):
        row["peak_source"] = "; ".join(filter(None, (peaks.source, peaks.measured_source)))
    for kind in KINDS:
        row |= _against(performance, kind, run_row)
    return row


def conditions_row(performance: Performance) -> Row:
    """One run's row of `performance_columns.CONDITIONS`."""
    run_energy, model = performance.run_energy, performance.model
    states = [run_energy.state(gpu) for gpu in run_energy.gpus]
    steady = model.flag("warmup", "steady")
    estimated = estimated_bytes(performance)
    allocated = model.number("memory", "peak_allocated_bytes")
    batches, passes = model.number("warmup", "batches"), model.number("window", "passes")
    return {
        "run_id": run_energy.run.run_id,
        "simulated": run_energy.run.simulated,
        "warmup_batches": None if batches is None else int(batches),
        "warmup": None if steady is None else ("steady" if steady else "not steady"),
        "passes": None if passes is None else int(passes),
        "duration_s": run_energy.duration_s,
        "min_window_s": model.number("window", "min_window_s"),
        "temperature_start_c": _mean([state.temperature_start for state in states]),
        "temperature_end_c": _mean([state.temperature_end for state in states]),
        "sm_clock_mean_mhz": _mean([state.sm_clock_mean for state in states]),
        "held_share": max(
            (state.held_share.value for state in states if state.held_share.value is not None),
            default=None,
        ),
        "memory_estimated_bytes": estimated,
        "memory_allocated_bytes": allocated,
        "memory_allocated_over_estimated": (
            allocated / estimated - 1.0 if allocated is not None and estimated else None
        ),
        "memory_device_bytes": model.number("memory", "device_used_bytes"),
        "conditions_reason": model.reason("window"),
        "memory_reason": model.reason("memory"),
    }


def estimated_bytes(performance: Performance) -> float | None:
    """What torch was to allocate at most on a GPU: the estimate without the context."""
    total = performance.model.number("memory", "estimated", "total_bytes")
    context = performance.model.number("memory", "estimated", "context_bytes")
    return None if total is None or context is None else total - context


def _against(performance: Performance, kind: str, run_row: Row) -> Row:
    """What is held against the peaks of one kind."""
    ending, limits = _ENDINGS[kind], performance.limits(kind)
    row: Row = {
        f"peak_bytes{ending}_per_s": limits.bytes_per_s,
        f"peak_flop{ending}_per_s": limits.flop_per_s,
    }
    for phase in (Phase.PREFILL, Phase.DECODE):
        bandwidth, flop = performance.utilization(phase, kind)
        row[f"{phase.value}_bandwidth_utilization{ending}"] = bandwidth
        row[f"{phase.value}_flop_utilization{ending}"] = flop
    for stem, rate, bound in (
        ("bound", run_row["tokens_per_s"], performance.bound_tokens_per_s(kind)),
        (
            "decode_bound",
            run_row["decode_tokens_per_s"],
            performance.decode_bound_tokens_per_s(kind),
        ),
    ):
        row[f"{stem}{ending}_tokens_per_s"] = bound
        reached = None if bound is None or rate is None else float(rate) / bound
        row[f"{stem}_share{ending}"] = reached
    return row


def _mean(amounts: Sequence[Uncertain]) -> float | None:
    known = [amount.value for amount in amounts if amount.value is not None]
    return sum(known) / len(known) if known and len(known) == len(amounts) else None


def _real(value: int | None) -> float | None:
    return None if value is None else float(value)
