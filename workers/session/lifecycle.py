"""Lifecycle: all that one rank does in an attempt, phase by phase, from startup to shutdown."""

import contextlib
import functools
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fairscale
import psutil
import torch

from telemetry.clock import US_PER_S, monotonic_us, wall_us
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import RESPONSES, STEPS, Phase
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import ShardWriter
from telemetry.sources.nvml.energy_counter import EnergyCounter
from workers.distributed.clock_sync import ClockSync
from workers.distributed.process_group import BACKENDS, Mesh, open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import ExitBarrier, Rendezvous, open_rendezvous
from workers.engines.base.engine import Engine
from workers.engines.registry import ENGINES, engine_fault, make_engine
from workers.models.loading import load_model, open_weights
from workers.models.logit_error import take_probe
from workers.models.random_weights import WeightSource
from workers.planning.families import find_shape
from workers.prompts.tokenized import TokenizedPrompts, read_questions
from workers.session.measurement import AnswerShards, Measurement
from workers.session.memory_usage import shortages_told
from workers.session.model_record import ModelRecord
from workers.session.placement import Placement, gpu_fault, take_placement
from workers.session.progress import RankProgress
from workers.session.spans import SpanRecorder

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Session:
    """What one rank holds while it works."""

    spec: RunSpec
    """The work."""
    launch: LaunchConfig
    """How the job carries it out."""
    attempt: AttemptPaths
    """Where the record of it lies."""
    rank: Rank
    """Which rank this is and where it stands."""
    placement: Placement
    """Its device, its host's clock and its GPU."""
    questions: TokenizedPrompts
    """The run's prompts as token ids."""
    weights: WeightSource
    """Where its slices of the parameters come from."""

    def metadata(self, kind: str, **more: Any) -> dict[str, Any]:
        """What stands in the metadata of this rank's shards."""
        gpu = self.placement.gpu
        return {
            "kind": kind,
            "run_id": self.spec.run_id,
            "attempt": self.attempt.number,
            "host": self.rank.host,
            "rank": self.rank.rank,
            "simulated": self.spec.simulated,
            "source": {
                "name": "rank",
                "torch": torch.__version__,
                "fairscale": fairscale.__version__,
                "backend": BACKENDS[self.launch.device],
                "threads": self.placement.threads,
            },
            "periods_us": {},
            "clock": {
                "wall_us": wall_us(),
                "monotonic_us": monotonic_us(),
                "offset_us": self.placement.clock.offset_us,
            },
            "gpus": [] if gpu is None else [dict(gpu)],
            **more,
        }


def run_session(
    spec: RunSpec,
    launch: LaunchConfig,
    results: Path,
    attempt: AttemptPaths,
    rank: Rank,
    *,
    read_energy_j: Callable[[str], float] | None = None,
) -> None:
    """Do everything that one rank does in an attempt; see `workers.run.run_rank`."""
    # The process is this rank's alone; where its owner has set up logging, the first does nothing.
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("workers").setLevel(logging.INFO)
    with contextlib.ExitStack() as stack:
        rendezvous = stack.enter_context(open_rendezvous(rank, attempt.rendezvous))
        shift = _prepare(spec, launch, results, attempt, rendezvous)
        clock_sync = ClockSync(rendezvous, shift.placement.clock, attempt)
        clock_sync.measure_start()
        # The rank that leads a node takes its watcher along, so none goes before all are done.
        stack.enter_context(ExitBarrier(rendezvous))
        spans = stack.enter_context(_open_spans(shift, stack, read_energy_j))
        mesh = stack.enter_context(
            open_mesh(rendezvous, degree=spec.gpus, device=shift.placement.device)
        )
        mesh.barrier()
        progress = None
        if rank.rank == 0:
            told = RankProgress(
                attempt.progress, shift.placement.clock, spec.prompts, launch.min_window_s
            )
            progress = stack.enter_context(told)
        stack.enter_context(shortages_told(spec, rank, mesh.device, lambda: spans.phase))
        _rest(shift, spans, mesh, progress)
        engine, logit_error = _load(shift, spans, mesh, progress)
        stack.callback(engine.close)
        measurement = Measurement(
            spec=spec,
            launch=launch,
            questions=shift.questions,
            mesh=mesh,
            engine=engine,
            spans=spans,
            progress=progress,
        )
        record = ModelRecord(
            path=attempt.model,
            spec=spec,
            rendezvous=rendezvous,
            weights=shift.weights,
            engine=engine,
            device=mesh.device,
            logit_error=logit_error,
        )
        warmup = measurement.warm_up()
        record.write("when warm", warmup=warmup, window=None)
        with contextlib.ExitStack() as shards:
            window = measurement.answer(_open_book(shift, shards) if rank.rank == 0 else None)
            _enter(Phase.SHUTDOWN, spans, progress)
        record.write("at the end", warmup=warmup, window=window)
        clock_sync.measure_end()


def _prepare(
    spec: RunSpec,
    launch: LaunchConfig,
    results: Path,
    attempt: AttemptPaths,
    rendezvous: Rendezvous,
) -> _Session:
    """Gather what the rank needs; what one rank lacks, all ranks hear and none begins."""
    rank = rendezvous.rank
    placement, questions, weights, fault = None, None, None, None
    try:
        shape_fault = find_shape(spec.model).parallel_fault(spec.gpus)
        if spec_fault := shape_fault or engine_fault(spec):
            raise ValueError(spec_fault)
        questions = read_questions(spec, launch, results)
        weights = open_weights(spec, launch, results, rank)
        # The last: it makes the GPU's context, and a fault in files is to cost no GPU memory.
        placement = take_placement(spec, launch, attempt, rank)
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        fault = f"rank {rank.rank} on {rank.host}: {error}"
    mine = {"fault": fault, "gpu_uuid": placement.gpu_uuid if placement else None}
    said = [json.loads(text) for text in rendezvous.exchange("readiness", json.dumps(mine))]
    faults = [str(one["fault"]) for one in said if one["fault"] is not None]
    if one_gpu := gpu_fault([one["gpu_uuid"] for one in said]):
        faults.append(one_gpu)
    if placement is None or questions is None or weights is None or faults:
        raise RuntimeError(f"all ranks must be ready, but: {'; '.join(faults)}")
    return _Session(
        spec=spec,
        launch=launch,
        attempt=attempt,
        rank=rank,
        placement=placement,
        questions=questions,
        weights=weights,
    )


def _open_spans(
    shift: _Session, stack: contextlib.ExitStack, read_energy_j: Callable[[str], float] | None
) -> SpanRecorder:
    """The rank's spans, with its own GPU's counter at their edges where there is one."""
    placement = shift.placement
    uuid = placement.gpu_uuid
    on_gpu = placement.device.type == "cuda"
    read_own_j: Callable[[], float] | None = None
    energy_reason = "the work was done on CPU"
    if on_gpu and uuid is not None:
        if read_energy_j is not None:
            read_own_j = functools.partial(read_energy_j, uuid)
        else:
            try:
                read_own_j = stack.enter_context(EnergyCounter(uuid)).energy_j
            except RuntimeError as error:
                energy_reason = str(error)
    # A process that began before its host was watched has no energy to tell of until then.
    process_us = placement.clock.from_wall_us(int(psutil.Process().create_time() * US_PER_S))
    begun_us = max(process_us, placement.ready_us)
    return SpanRecorder(
        shift.attempt.rank_shard("spans", shift.rank.rank),
        shift.metadata("spans"),
        clock=placement.clock,
        host=shift.rank.host,
        rank=shift.rank.rank,
        gpu_uuid=uuid,
        synchronize=torch.cuda.synchronize if on_gpu else _done_already,
        read_energy_j=read_own_j,
        energy_reason=energy_reason,
        start_us=min(begun_us, placement.clock.now_us()),
    )


def _open_book(shift: _Session, stack: contextlib.ExitStack) -> AnswerShards:
    tokenizer = shift.questions.tokenizer
    metadata = shift.metadata(
        "responses",
        prompts={
            "sha256": shift.launch.prompts_sha256,
            "count": len(shift.questions.ids),
            "cut": shift.questions.cut,
        },
        tokenizer={
            "name": tokenizer.name,
            "vocab_size": tokenizer.vocab_size,
            "sha256": tokenizer.sha256,
        },
    )
    responses = shift.attempt.rank_shard("responses", shift.rank.rank)
    steps = shift.attempt.rank_shard("steps", shift.rank.rank)
    return AnswerShards(
        responses=stack.enter_context(ShardWriter(responses, RESPONSES, metadata)),
        steps=stack.enter_context(ShardWriter(steps, STEPS, shift.metadata("steps"))),
    )


def _rest(shift: _Session, spans: SpanRecorder, mesh: Mesh, progress: RankProgress | None) -> None:
    if shift.launch.idle_s == 0.0:
        return
    _enter(Phase.IDLE, spans, progress)
    time.sleep(shift.launch.idle_s)
    mesh.barrier()


def _load(
    shift: _Session, spans: SpanRecorder, mesh: Mesh, progress: RankProgress | None
) -> tuple[Engine, dict[str, Any]]:
    """The engine with its model, and how far its logits are from fp32's."""
    _enter(Phase.LOAD, spans, progress)
    spec, questions = shift.spec, shift.questions
    probe = take_probe(
        spec, shift.launch, source=shift.weights, prompts=questions.ids, device=mesh.device
    )
    kind = ENGINES[spec.engine]
    model = load_model(
        find_shape(spec.model),
        shift.weights,
        dtype=spec.dtype,
        device=mesh.device,
        max_batch=spec.batch_size if kind.model_cache else 0,
        max_len=spec.max_prompt_len + spec.max_gen_len,
        prepare=kind.prepare(spec),
    )
    engine = make_engine(spec, model, questions.tokenizer.eos_id, mesh.device)
    logit_error = probe.compare(engine.model)
    mesh.barrier()
    return engine, logit_error


def _enter(phase: Phase, spans: SpanRecorder, progress: RankProgress | None) -> None:
    spans.enter(phase)
    if progress is not None:
        progress.enter(phase)


def _done_already() -> None:
    """The CPU has done its work when a call returns."""
