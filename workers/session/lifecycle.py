"""Lifecycle: all that one rank does in an attempt, phase by phase, from startup to shutdown."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from telemetry.clock import US_PER_S
from telemetry.power.phase_channel import PhaseClient
from telemetry.power.wish import switches
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import RESPONSES, STEPS, Phase
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import ShardWriter
from telemetry.sources.nvml.energy_counter import EnergyCounter
from workers.distributed.clock_sync import ClockSync
from workers.distributed.process_group import Mesh, open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import ExitBarrier, open_rendezvous
from workers.engines.base.context import EngineContext
from workers.session.agreement import loaded_fault
from workers.session.loaded_engine import LoadedEngine
from workers.session.measurement import AnswerShards, Measurement
from workers.session.memory_usage import shortages_told
from workers.session.model_record import ModelRecord
from workers.session.phase_switching import PhaseSwitching
from workers.session.progress import Progress, RankProgress
from workers.session.readiness import Session, make_ready
from workers.session.spans import SpanRecorder


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
        session = make_ready(spec, launch, results, attempt, rendezvous)
        clock_sync = ClockSync(rendezvous, session.placement.clock, attempt)
        clock_sync.measure_start()
        # The rank that leads a node takes its watcher along, so none goes before all are done.
        stack.enter_context(ExitBarrier(rendezvous))
        spans = stack.enter_context(_open_spans(session, stack, read_energy_j))
        mesh = stack.enter_context(
            open_mesh(rendezvous, degree=spec.gpus, device=session.placement.device)
        )
        mesh.barrier()
        progress = stack.enter_context(_open_progress(session))
        stack.enter_context(shortages_told(spec, rank, mesh.device, lambda: spans.phase))
        if launch.idle_s > 0.0:
            spans.enter(Phase.IDLE)
            progress.enter(Phase.IDLE)
            time.sleep(launch.idle_s)
            mesh.barrier()
        spans.enter(Phase.LOAD)
        progress.enter(Phase.LOAD)
        loaded = LoadedEngine.load(_context(session), session.prompts.ids)
        mesh.barrier()
        stack.callback(loaded.engine.close)
        if other := loaded_fault(spec, session.weights.describe(), loaded.engine):
            raise RuntimeError(other)
        measurement = Measurement(
            spec=spec,
            launch=launch,
            prompts=session.prompts,
            mesh=mesh,
            engine=loaded.engine,
            spans=spans,
            progress=progress,
            phases=_open_phases(session, mesh, stack),
        )
        record = ModelRecord(
            path=attempt.model,
            spec=spec,
            rendezvous=rendezvous,
            weights=session.weights,
            engine=loaded.engine,
            device=mesh.device,
            logit_error=loaded.logit_error,
            longest_prompt=max(len(ids) for ids in session.prompts.ids),
        )
        warmup = measurement.warm_up()
        measurement.prove_phases()
        record.write("when warm", warmup=warmup, window=None)
        with contextlib.ExitStack() as opened:
            shards = None
            if rank.rank == 0:
                steps = loaded.engine.clock is not None
                shards = _open_shards(session, opened, steps=steps)
            window = measurement.answer(shards)
            spans.enter(Phase.SHUTDOWN)
            progress.enter(Phase.SHUTDOWN)
        record.write("at the end", warmup=warmup, window=window)
        clock_sync.measure_end()


def _open_spans(
    session: Session, stack: contextlib.ExitStack, read_energy_j: Callable[[str], float] | None
) -> SpanRecorder:
    """The rank's spans, with its own GPU's counter at their edges where there is one."""
    placement = session.placement
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
        session.attempt.rank_shard("spans", session.rank.rank),
        session.metadata("spans"),
        clock=placement.clock,
        host=session.rank.host,
        rank=session.rank.rank,
        gpu_uuid=uuid,
        synchronize=torch.cuda.synchronize if on_gpu else _done_already,
        read_energy_j=read_own_j,
        energy_reason=energy_reason,
        start_us=min(begun_us, placement.clock.now_us()),
        binding=session.binding(),
    )


def _open_shards(session: Session, stack: contextlib.ExitStack, *, steps: bool) -> AnswerShards:
    tokenizer = session.prompts.tokenizer
    metadata = session.metadata(
        "responses",
        prompts={
            "sha256": session.launch.prompts_sha256,
            "count": len(session.prompts.ids),
            "cut": session.prompts.cut,
        },
        tokenizer={
            "name": tokenizer.name,
            "vocab_size": tokenizer.vocab_size,
            "sha256": tokenizer.sha256,
        },
    )
    folder = functools.partial(session.attempt.rank_shard, rank=session.rank.rank)
    binding = session.binding()
    responses = stack.enter_context(
        ShardWriter(folder("responses"), RESPONSES, metadata, binding=binding)
    )
    if not steps:
        return AnswerShards(responses=responses, steps=None)
    told = ShardWriter(folder("steps"), STEPS, session.metadata("steps"), binding=binding)
    return AnswerShards(responses=responses, steps=stack.enter_context(told))


def _open_phases(
    session: Session, mesh: Mesh, stack: contextlib.ExitStack
) -> PhaseSwitching | None:
    """Who has settings changed as phases begin; the first rank of a node asks its watcher."""
    if not switches(session.spec):
        return None
    client = None
    if session.rank.local_rank == 0:
        client = PhaseClient(session.attempt.folder, session.rank.host)
        stack.callback(client.close)
    return PhaseSwitching(mesh, client)


def _open_progress(session: Session) -> Progress:
    if session.rank.rank != 0:
        return Progress()
    return RankProgress(
        session.attempt.progress,
        session.placement.clock,
        session.spec.prompts,
        session.launch.min_window_s,
    )


def _context(session: Session) -> EngineContext:
    return EngineContext(
        spec=session.spec,
        launch=session.launch,
        rank=session.rank,
        device=session.placement.device,
        weights=session.weights,
        eos_id=session.prompts.tokenizer.eos_id,
        now_us=session.placement.clock.now_us,
    )


def _done_already() -> None:
    """The CPU has done its work when a call returns."""
