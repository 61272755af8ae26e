"""Rows: one run's numbers under the columns of its tables."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import pyarrow.compute as pc

from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.methods import POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.run_energy import RunEnergy, idle_gpu_energy
from analysis.energy.uncertain import Uncertain, gap_share
from analysis.performance.run_performance import Performance
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

Cell = str | int | float | bool | None
Row = dict[str, Cell]

_NAMES: Final = (POLLED_COUNTER, POWER_INTEGRAL)


def run_row(run_energy: RunEnergy) -> Row:
    """One run's row of `columns.RUNS`."""
    run = run_energy.run
    spec = run.spec
    responses = run.responses
    answered = responses.num_rows
    tokens = int(pc.sum(responses["generated_tokens"]).as_py() or 0)
    words = int(pc.sum(responses["words"]).as_py() or 0)
    duration_s = run_energy.duration_s
    energy, net = run_energy.energy, run_energy.net
    charged, idle_gpus = run_energy.charged, run_energy.idle_energy
    per_token = energy.over(tokens)
    prefill, decode = (run_energy.phase_energy(phase) for phase in (Phase.PREFILL, Phase.DECODE))
    decode_s = run_energy.phase_seconds(Phase.DECODE)
    gap, idle = run_energy.gap, run_energy.idle_power
    zone, node = run_energy.zone_energy, run_energy.node_energy
    counter, witness = run_energy.energy_by(POLLED_COUNTER), run_energy.energy_by(RANK_COUNTER)
    covered = list(run_energy.coverage())
    return {
        "run_id": run.run_id,
        "model": spec.model,
        "dataset": spec.dataset,
        "gpu": spec.gpu,
        "engine": spec.engine,
        "dtype": spec.dtype,
        "quantization": spec.quantization,
        "gpus": spec.gpus,
        "nodes": spec.nodes,
        "batch_size": spec.batch_size,
        "max_gen_len": spec.max_gen_len,
        "power_cap_w": spec.power_cap_w,
        "repeat": spec.repeat,
        "simulated": run.simulated,
        "duration_s": duration_s,
        "energy_method": run_energy.method_text,
        **_pair("energy", energy),
        "energy_gain_uncertainty_j": run_energy.gain_j,
        "power_w": energy.over(duration_s).value,
        **_pair("energy_per_token", per_token),
        "energy_per_response_j": energy.over(answered).value,
        "idle_gpus": len(run_energy.idle_gpus),
        "idle_gpus_energy_j": idle_gpus.value,
        **_pair("charged_energy", charged),
        "charged_energy_per_token_j": charged.over(tokens).value,
        "tokens_per_s": tokens / duration_s,
        "words_per_s": words / duration_s,
        "responses_per_s": answered / duration_s,
        "responses": answered,
        "generated_tokens": tokens,
        "words": words,
        "prompt_tokens": int(pc.sum(responses["prompt_tokens"]).as_py() or 0),
        "prefill_s": run_energy.phase_seconds(Phase.PREFILL),
        "decode_s": decode_s,
        "decode_tokens_per_s": (
            Performance(run_energy).decoded_tokens / decode_s if decode_s > 0 else None
        ),
        "phase_energy_method": run_energy.phase_method_text,
        **_pair("prefill_energy", prefill),
        **_pair("decode_energy", decode),
        **_pair("idle_power", idle, unit="w"),
        **_pair("net_energy", net),
        "net_energy_per_token_j": net.over(tokens).value,
        "counter_energy_j": counter.value,
        "integral_energy_j": run_energy.energy_by(POWER_INTEGRAL).value,
        "integral_over_counter": gap.value,
        "integral_over_counter_uncertainty": gap.plus_minus,
        "witness_energy_j": witness.value,
        "witness_over_counter": run_energy.rank_counter_gap.value,
        "zone_energy_j": zone.value,
        "node_energy_j": node.value,
        "coverage_worst": min((one.share for one in covered), default=None),
        "largest_gap_s": max((one.gap_us / US_PER_S for one in covered), default=None),
        "gpu_utilization": run_energy.utilization.value,
        "attempt": run.attempt.number,
        "energy_reason": energy.reason,
        "prefill_reason": prefill.reason,
        "decode_reason": decode.reason,
        "idle_gpus_reason": idle_gpus.reason or charged.reason,
        "net_reason": net.reason or idle.reason,
        "gap_reason": gap.reason,
        "witness_reason": witness.reason,
        "node_reason": node.reason,
        "zone_reason": zone.reason,
    }


def phase_rows(run_energy: RunEnergy) -> list[Row]:
    """One run's rows of `gpu_columns.PHASES`."""
    return [
        {
            "run_id": run_energy.run.run_id,
            "rank": phase.rank,
            "host": phase.host,
            "gpu_uuid": phase.gpu_uuid,
            "phase": phase.phase,
            "simulated": run_energy.run.simulated,
            "spans": phase.spans,
            "seconds": phase.seconds,
            **_pair("energy", phase.energy),
            "power_w": phase.energy.over(phase.seconds).value,
            **_pair("net_energy", phase.net),
            "energy_method": (
                POLLED_COUNTER if phase.rank is None else run_energy.phase_method_text
            ),
            "reason": phase.energy.reason or phase.net.reason,
        }
        for phase in run_energy.phases
    ]


def gpu_rows(run_energy: RunEnergy) -> list[Row]:
    """One run's rows of `gpu_columns.GPUS`."""
    return [_gpu_row(run_energy, gpu) for gpu in (*run_energy.gpus, *run_energy.idle_gpus)]


def sensor_rows(run_energy: RunEnergy) -> list[Row]:
    """One run's rows of `gpu_columns.SENSORS`: its GPUs that behave alike share one."""
    alike = Counter(
        (gpu.name, gpu.driver, gpu.sensor.architecture, gpu.sensor.source, behaviour)
        for gpu in (*run_energy.gpus, *run_energy.idle_gpus)
        for behaviour in gpu.behaviours
    )
    return [
        {
            "product": product,
            "driver": driver,
            "architecture": architecture,
            "simulated": run_energy.run.simulated,
            "field": behaviour.field,
            "gpus": gpus,
            "tabulated_period_s": behaviour.tabulated.update_us / US_PER_S,
            "measured_period_s": (
                None if behaviour.measured_us is None else behaviour.measured_us / US_PER_S
            ),
            "sampling_s": behaviour.sampling_us / US_PER_S,
            "window_s": behaviour.tabulated.window_us / US_PER_S,
            "resolution_s": behaviour.resolution_us / US_PER_S,
            "source": source,
            "runs": run_energy.run.run_id,
        }
        for (product, driver, architecture, source, behaviour), gpus in alike.items()
    ]


def pooled(rows: Sequence[Row]) -> list[Row]:
    """Rows of `gpu_columns.SENSORS` over all runs: GPUs of several runs that behave alike."""
    alike: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        key = tuple(value for name, value in row.items() if name not in ("gpus", "runs"))
        alike.setdefault(key, []).append(row)
    return [
        {
            **members[0],
            "gpus": max(int(member["gpus"] or 0) for member in members),
            "runs": " ".join(str(member["runs"]) for member in members),
        }
        for members in alike.values()
    ]


def _gpu_row(run_energy: RunEnergy, gpu: Gpu) -> Row:
    window_us = run_energy.window_us
    counter, integral, witness = (
        gpu.energy(method, window_us) for method in (POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER)
    )
    if gpu.rank is None:
        energy = idle_gpu_energy(gpu, window_us)
    else:
        energy = gpu.energy(run_energy.method or POWER_INTEGRAL, window_us)
    curve = gpu.power_integral
    field = curve.method.removeprefix(f"{POWER_INTEGRAL} of ") if isinstance(curve, Curve) else None
    return {
        "run_id": run_energy.run.run_id,
        "host": gpu.host,
        "gpu_uuid": gpu.uuid,
        "product": gpu.name,
        "rank": gpu.rank,
        "simulated": run_energy.run.simulated,
        **_pair("energy", energy),
        **_pair("counter_energy", counter),
        **_pair("integral_energy", integral),
        "integral_field": field,
        **_pair("witness_energy", witness),
        "integral_over_counter": gap_share(
            gpu.best_counter(window_us), integral, names=_NAMES
        ).value,
        "witness_over_counter": gap_share(
            counter, witness, names=(POLLED_COUNTER, RANK_COUNTER)
        ).value,
        **_pair("idle_power", gpu.idle_power, unit="w"),
        **_state_cells(run_energy, gpu),
        "reason": energy.reason,
        "counter_reason": counter.reason,
        "integral_reason": integral.reason,
        "witness_reason": witness.reason,
    }


def _state_cells(run_energy: RunEnergy, gpu: Gpu) -> Row:
    state = run_energy.state(gpu)
    return {
        "temperature_start_c": state.temperature_start.value,
        "temperature_end_c": state.temperature_end.value,
        "sm_clock_start_mhz": state.sm_clock_start.value,
        "sm_clock_end_mhz": state.sm_clock_end.value,
        "sm_clock_mean_mhz": state.sm_clock_mean.value,
        "held_share": state.held_share.value,
        "held_by": state.held_by,
        "state_reason": state.reason,
    }


def _pair(stem: str, amount: Uncertain, *, unit: str = "j") -> Row:
    """An amount's cell and that of its uncertainty."""
    return {f"{stem}_{unit}": amount.value, f"{stem}_uncertainty_{unit}": amount.plus_minus}
