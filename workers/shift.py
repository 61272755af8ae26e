"""Shift: all that one rank does in an attempt, phase by phase, from startup to shutdown."""

import contextlib
import functools
import hashlib
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

from telemetry.clock import monotonic_us, wall_us
from telemetry.order import LaunchOrder
from telemetry.run import AttemptPaths, RunSpec
from telemetry.schema import RESPONSES, STEPS, Phase
from telemetry.shards import ShardWriter
from telemetry.witness import Witness
from workers.engines import ENGINES, Engine, engine_fault, make_engine
from workers.load import load_model, open_weights
from workers.meeting import Meeting, SharedLeave, open_meeting
from workers.memory import estimate
from workers.mesh import BACKENDS, Mesh, open_mesh
from workers.metronome import Metronome
from workers.progress import Progress
from workers.questions import Questions, read_questions
from workers.rank import Rank
from workers.responses import Responses
from workers.shapes import find_shape, parallel_fault
from workers.spans import NO_COUNTS, WARMUP_BATCH, Counts, SpanRecorder
from workers.station import Station, gpu_fault, take_station
from workers.weights import WeightSource

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Shift:
    """What one rank holds while it works."""

    spec: RunSpec
    order: LaunchOrder
    attempt: AttemptPaths
    rank: Rank
    station: Station
    questions: Questions
    weights: WeightSource

    def metadata(self, kind: str, **more: Any) -> dict[str, Any]:
        """What stands in the metadata of this rank's shards."""
        gpu = self.station.gpu
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
                "backend": BACKENDS[self.order.device],
                "threads": self.station.threads,
            },
            "periods_us": {},
            "clock": {
                "wall_us": wall_us(),
                "monotonic_us": monotonic_us(),
                "offset_us": self.station.clock.offset_us,
            },
            "gpus": [] if gpu is None else [dict(gpu)],
            **more,
        }


def work_shift(
    spec: RunSpec,
    order: LaunchOrder,
    results: Path,
    attempt: AttemptPaths,
    rank: Rank,
    *,
    read_energy_j: Callable[[str], float] | None = None,
) -> None:
    """Do everything that one rank does in an attempt; see `workers.rank.run_rank`."""
    # The process is this rank's alone; where its owner has set up logging, the first does nothing.
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger(__package__).setLevel(logging.INFO)
    with contextlib.ExitStack() as stack:
        meeting = stack.enter_context(open_meeting(rank, attempt.rendezvous))
        shift = _prepare(spec, order, results, attempt, meeting)
        metronome = Metronome(meeting, shift.station.clock, attempt)
        metronome.measure_start()
        # The rank that leads a node takes its watcher along, so none goes before all are done.
        stack.enter_context(SharedLeave(meeting))
        spans = stack.enter_context(_open_spans(shift, stack, read_energy_j))
        mesh = stack.enter_context(
            open_mesh(meeting, degree=spec.gpus, device=shift.station.device)
        )
        mesh.barrier()
        progress = None
        if rank.rank == 0:
            progress = Progress(attempt.progress, shift.station.clock, spec.prompts)
        _rest(shift, spans, mesh, progress)
        engine = _load(shift, spans, mesh, progress)
        _warm_up(shift, spans, engine, progress)
        with contextlib.ExitStack() as shards:
            writer = None
            if rank.rank == 0:
                writer = (
                    shards.enter_context(_open_responses(shift)),
                    shards.enter_context(_open_steps(shift)),
                )
            _answer_all(
                shift, spans=spans, mesh=mesh, engine=engine, writer=writer, progress=progress
            )
            spans.enter(Phase.SHUTDOWN)
        metronome.measure_end()
        if rank.rank == 0 and mesh.device.type == "cuda":
            _LOG.info(
                "GPU memory: at most %.2f GB allocated, %.2f GB estimated",
                torch.cuda.max_memory_allocated() / 1e9,
                estimate(spec).total_bytes / 1e9,
            )


def _prepare(
    spec: RunSpec, order: LaunchOrder, results: Path, attempt: AttemptPaths, meeting: Meeting
) -> _Shift:
    """Gather what the rank needs; what one rank lacks, all ranks hear and none begins."""
    rank = meeting.rank
    station, questions, weights, fault = None, None, None, None
    try:
        shape_fault = parallel_fault(find_shape(spec.model), spec.gpus)
        if spec_fault := shape_fault or engine_fault(spec):
            raise ValueError(spec_fault)
        station = take_station(spec, order, attempt, rank)
        questions = read_questions(spec, order, results)
        weights = open_weights(spec, order, results, rank)
    except (RuntimeError, ValueError, OSError) as error:
        fault = f"rank {rank.rank} on {rank.host}: {error}"
    mine = {"fault": fault, "gpu_uuid": station.gpu_uuid if station else None}
    said = [json.loads(text) for text in meeting.exchange("readiness", json.dumps(mine))]
    faults = [str(one["fault"]) for one in said if one["fault"] is not None]
    if one_gpu := gpu_fault([one["gpu_uuid"] for one in said]):
        faults.append(one_gpu)
    if station is None or questions is None or weights is None or faults:
        raise RuntimeError(f"all ranks must be ready, but: {'; '.join(faults)}")
    return _Shift(
        spec=spec,
        order=order,
        attempt=attempt,
        rank=rank,
        station=station,
        questions=questions,
        weights=weights,
    )


def _open_spans(
    shift: _Shift, stack: contextlib.ExitStack, read_energy_j: Callable[[str], float] | None
) -> SpanRecorder:
    """The rank's spans, with its own GPU's counter at their edges where there is one."""
    station = shift.station
    uuid = station.gpu_uuid
    on_gpu = station.device.type == "cuda"
    read_own_j: Callable[[], float] | None = None
    energy_reason = "the work was done on CPU"
    if on_gpu and uuid is not None:
        if read_energy_j is not None:
            read_own_j = functools.partial(read_energy_j, uuid)
        else:
            try:
                read_own_j = stack.enter_context(Witness(uuid)).energy_j
            except RuntimeError as error:
                energy_reason = str(error)
    # A process that began before its host was watched has no energy to tell of until then.
    process_us = station.clock.from_wall_us(int(psutil.Process().create_time() * 1e6))
    begun_us = max(process_us, station.ready_us)
    return SpanRecorder(
        shift.attempt.rank_shard("spans", shift.rank.rank),
        shift.metadata("spans"),
        clock=station.clock,
        host=shift.rank.host,
        rank=shift.rank.rank,
        gpu_uuid=uuid,
        synchronize=torch.cuda.synchronize if on_gpu else _done_already,
        read_energy_j=read_own_j,
        energy_reason=energy_reason,
        start_us=min(begun_us, station.clock.now_us()),
    )


def _open_responses(shift: _Shift) -> ShardWriter:
    tokenizer = shift.questions.tokenizer
    metadata = shift.metadata(
        "responses",
        prompts={
            "sha256": shift.order.prompts_sha256,
            "count": len(shift.questions.ids),
            "cut": shift.questions.cut,
        },
        tokenizer={
            "name": tokenizer.name,
            "vocab_size": tokenizer.vocab_size,
            "sha256": tokenizer.sha256,
        },
    )
    folder = shift.attempt.rank_shard("responses", shift.rank.rank)
    return ShardWriter(folder, RESPONSES, metadata)


def _open_steps(shift: _Shift) -> ShardWriter:
    folder = shift.attempt.rank_shard("steps", shift.rank.rank)
    return ShardWriter(folder, STEPS, shift.metadata("steps"))


def _rest(shift: _Shift, spans: SpanRecorder, mesh: Mesh, progress: Progress | None) -> None:
    if shift.order.idle_s == 0.0:
        return
    _enter(Phase.IDLE, spans, progress)
    time.sleep(shift.order.idle_s)
    mesh.barrier()


def _load(shift: _Shift, spans: SpanRecorder, mesh: Mesh, progress: Progress | None) -> Engine:
    _enter(Phase.LOAD, spans, progress)
    spec = shift.spec
    model = load_model(
        find_shape(spec.model),
        shift.weights,
        dtype=spec.dtype,
        device=mesh.device,
        max_batch=spec.batch_size,
        max_len=spec.max_prompt_len + spec.max_gen_len,
        prepare=ENGINES[spec.engine].prepare(spec),
    )
    engine = make_engine(spec, model, shift.questions.tokenizer.eos_id, mesh.device)
    mesh.barrier()
    return engine


def _warm_up(shift: _Shift, spans: SpanRecorder, engine: Engine, progress: Progress | None) -> None:
    if shift.order.warmup_batches == 0:
        return
    _enter(Phase.WARMUP, spans, progress, batch=WARMUP_BATCH)
    prompts = shift.questions.ids[: shift.spec.batch_size]
    with torch.inference_mode():
        for _ in range(shift.order.warmup_batches):
            engine.prefill(prompts, _batch_seed(shift.spec.seed, WARMUP_BATCH))
            engine.decode()


def _answer_all(
    shift: _Shift,
    *,
    spans: SpanRecorder,
    mesh: Mesh,
    engine: Engine,
    writer: tuple[ShardWriter, ShardWriter] | None,
    progress: Progress | None,
) -> None:
    ids, size = shift.questions.ids, shift.spec.batch_size
    if progress is not None:
        progress.begin_batches()
    for batch, first in enumerate(range(0, len(ids), size)):
        prompts = ids[first : first + size]
        # Rank 0 writes longer than the others: all wait here, so that no one's PREFILL does.
        mesh.barrier()
        spans.enter(Phase.PREFILL, batch=batch)
        with torch.inference_mode():
            # Not the span's edge: the GPU's counter is read after it, which takes milliseconds.
            begun_us = shift.station.clock.now_us()
            engine.prefill(prompts, _batch_seed(shift.spec.seed, batch))
            asked = Counts(prompts=len(prompts), prompt_tokens=sum(map(len, prompts)))
            spans.enter(Phase.DECODE, batch=batch, counts=NO_COUNTS if writer is None else asked)
            answers = engine.decode()
        decoded = spans.edge()
        answered = NO_COUNTS
        if writer is not None:
            responses = Responses.decode(
                shift.questions.tokenizer,
                batch=batch,
                first_prompt=first,
                prompts=prompts,
                answers=answers,
                begun_us=begun_us,
            )
            answered = Counts(
                generated_tokens=sum(responses.generated_tokens), words=sum(responses.words)
            )
            responses.write(*writer)
        spans.enter(Phase.OVERHEAD, batch=batch, counts=answered, at=decoded)
        if not mesh.agree(_digest(answers.ids)):
            raise RuntimeError(
                f"all ranks must choose the same tokens, but differ in batch {batch}"
            )
        if progress is not None:
            progress.count_batch(len(prompts), answered.generated_tokens)


def _enter(
    phase: Phase, spans: SpanRecorder, progress: Progress | None, *, batch: int | None = None
) -> None:
    spans.enter(phase, batch=batch)
    if progress is not None:
        progress.enter(phase)


def _batch_seed(seed: int, batch: int) -> int:
    """A seed of each batch's own, so that answers do not hang on the batches before."""
    digest = hashlib.sha256(f"{seed}/batch/{batch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _digest(generated_ids: list[list[int]]) -> int:
    digest = hashlib.sha256(json.dumps(generated_ids).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _done_already() -> None:
    """The CPU has done its work when a call returns."""
