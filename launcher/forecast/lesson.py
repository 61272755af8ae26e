"""Lesson: what one sealed run took, measured as the tables measure it."""

from typing import Final

from analysis.energy.run_energy import RunEnergy
from analysis.energy.spent import spent
from analysis.performance.run_performance import Performance
from analysis.runs.sealed_runs import Run
from launcher.forecast.learning import Lesson
from launcher.forecast.place import machine_place, measured_place
from launcher.forecast.quantity import LEAST_S
from launcher.forecast.work import Host, batch_work, expected_work
from launcher.forecast.workload import Workload
from telemetry.record.launch import LaunchConfig
from telemetry.record.schema import Phase

_WORKING: Final = (Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER, Phase.WARMUP)


def lesson(run: Run, host: Host) -> Lesson:
    """What a sealed run teaches; `host` stands in for peaks where its ranks computed on CPU.

    Raises:
        ValueError, OSError: the record cannot be read, or lacks what a lesson needs.
    """
    run_energy = RunEnergy(run)
    took = spent(run_energy)
    spec = run.spec
    launch = LaunchConfig(**run.launch)
    performance = Performance(run_energy)
    rank = run_energy.ranks[0]
    batches = len({batch for batch in rank.batch if batch is not None and batch >= 0})
    encode, prefill, decode = (
        performance.work(phase) for phase in (Phase.ENCODE, Phase.PREFILL, Phase.DECODE)
    )
    if encode is None or prefill is None or decode is None:
        work = expected_work(spec, min(spec.prompts, spec.batch_size), host)
    else:
        work = batch_work(spec, encode.plus(prefill), decode, batches=batches, host=host)
    # What computes on CPU teaches on the host of that name alone, whatever board is simulated.
    place = machine_place(rank.host, None)
    if not (spec.simulated or spec.gpu == "cpu"):
        place = measured_place(run.provenance, rank.host, rank.gpu_uuid)
    job = Workload.of(spec, launch, work, host=place)
    seconds = {phase: run_energy.phase_seconds(phase) for phase in (Phase.PREFILL, Phase.DECODE)}
    # An encoder's pass is forecast with the prefill: both read the prompts.
    seconds[Phase.PREFILL] += run_energy.phase_seconds(Phase.ENCODE)
    batch_s = took.window_s / batches
    # What a served load takes is when its prompts come, and no batch's time nor watts.
    served = spec.arrivals_per_s is not None
    steps = 0.0 if served else work.steps
    amounts = {}
    if steps >= 1 and seconds[Phase.DECODE] > 0:
        amounts["prefill_s"] = seconds[Phase.PREFILL] / batches
        amounts["step_s"] = seconds[Phase.DECODE] / batches / steps
    elif steps >= 1:
        # An engine that answers as a whole tells no prefill: each step has its part of it.
        amounts["step_s"] = batch_s / steps
    of = {phase: float(rank.seconds(rank.of(phase)).sum()) for phase in set(rank.phase)}
    warmup = run.model.get("warmup") or {}
    if (batches_before := warmup.get("batches")) and not served:
        beyond_s = of.get(Phase.WARMUP, 0.0) - batches_before * batch_s
        amounts["warmup_s"] = max(LEAST_S, beyond_s)
    amounts["load_s"] = of.get(Phase.LOAD, 0.0)
    if took.time_s is not None:
        known = (Phase.IDLE, Phase.LOAD, Phase.WARMUP)
        amounts["start_s"] = took.time_s - took.window_s - sum(of.get(one, 0.0) for one in known)
    if took.window_energy.value is not None and not served:
        amounts["window_w"] = took.window_energy.value / took.window_s / spec.gpus
    if (rest_w := _rest_w(run_energy)) is not None:
        amounts["rest_w"] = rest_w
    return Lesson(
        run_id=run.run_id,
        job=job.near(work.least_s / batch_s),
        amounts={name: amount for name, amount in amounts.items() if amount > 0},
    )


def _rest_w(run_energy: RunEnergy) -> float | None:
    """Mean power of a GPU outside the warm-up and the batches; None where phases have none."""
    joules, seconds = 0.0, 0.0
    for row in run_energy.phases:
        if row.rank is None or row.phase in _WORKING or row.energy.value is None:
            continue
        joules += row.energy.value
        seconds += row.seconds
    return joules / seconds if seconds > 0 else None
