"""Contenders: engines that decode the same shapes, each in processes of its own.

A contender's ranks hold their model and wait; told to, they answer so many batches and say when
each step ended. So contenders can take turns on one GPU without loading again, and none sees what
another did to torch's defaults or to FairScale's groups.
"""

import contextlib
import gc
import multiprocessing
import os
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Protocol

from tests.benchmarks.cases import Case, prompts_of
from tests.benchmarks.peers import LlamaV1, Transformers
from workers.planning.engine_facts import ENGINE_FACTS

_CONTEXT: Final = multiprocessing.get_context("spawn")
# Compiling a step and capturing it takes transformers a minute or two; 65B is drawn in seconds.
_READY_S: Final = 900.0
_TURN_S: Final = 600.0
# Leaving takes a barrier; a rank that waits longer waits for one that is gone.
_LEAVE_S: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class _Seat:
    """Who a rank's process is."""

    name: str
    """The contender's."""
    case: Case
    rank: int
    folder: Path
    """Where ranks of this project meet."""
    port: int
    """Where those of LLaMA v1 do."""
    llama_v1: Path | None


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One batch, as its rank 0 saw it."""

    start_us: int
    """On the host's monotonic clock."""
    step_us: list[int]
    """When each step's tokens were there, after `start_us`; step 0 is prefill's."""


class Runner(Protocol):
    """A loaded contender on one rank."""

    def answer(self) -> list[int]:
        """Answer one batch from its prompts on; microseconds from begin to each step's end."""

    def describe(self) -> str:
        """How it works, on one line."""


class Contender:
    """A contender's processes, seen from outside."""

    def __init__(self, name: str, case: Case, llama_v1: Path | None) -> None:
        self.name = name
        self._folder = tempfile.TemporaryDirectory()
        port = _free_port()
        self._ranks = []
        for rank in range(case.gpus):
            mine, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(
                target=_serve,
                args=(
                    theirs,
                    _Seat(
                        name=name,
                        case=case,
                        rank=rank,
                        folder=Path(self._folder.name),
                        port=port,
                        llama_v1=llama_v1,
                    ),
                ),
                daemon=True,
            )
            process.start()
            theirs.close()
            self._ranks.append((process, mine))
        try:
            said = self._hear(_READY_S)
        except RuntimeError:
            # Ranks that wait for one that failed would keep the GPU's memory.
            self.close()
            raise
        self.about: str = said[0]["about"]
        self.uuids: list[str] = [one["uuid"] for one in said]

    def answer(self, batches: int) -> list[Answered]:
        """Answer so many batches, all ranks together; rank 0's times."""
        for _, pipe in self._ranks:
            pipe.send(batches)
        answered: list[Answered] = self._hear(_TURN_S)[0]
        return answered

    def memory_bytes(self) -> dict[str, int]:
        """The most that any rank's torch allocated, reserved, and the driver says is taken."""
        for _, pipe in self._ranks:
            pipe.send(0)
        said = self._hear(_TURN_S)
        return {key: max(one[key] for one in said) for key in said[0]}

    def close(self) -> None:
        """End its processes, and give back what they held."""
        # All are told before one is waited for: they leave together.
        for _, pipe in self._ranks:
            with contextlib.suppress(BrokenPipeError):
                pipe.send(None)
        patience_s = time.monotonic() + _LEAVE_S
        for process, _ in self._ranks:
            process.join(max(0.0, patience_s - time.monotonic()))
            process.kill()
            process.join()
        self._folder.cleanup()

    def _hear(self, patience_s: float) -> list[Any]:
        heard = []
        for rank, (_, pipe) in enumerate(self._ranks):
            if not pipe.poll(patience_s):
                raise RuntimeError(f"{self.name}: rank {rank} said nothing for {patience_s:g} s")
            try:
                error, value = pipe.recv()
            except EOFError:
                error, value = "it died without a word", None
            if error is not None:
                raise RuntimeError(f"{self.name}: rank {rank}: {error}")
            heard.append(value)
        return heard


def _serve(pipe: Connection, seat: _Seat) -> None:
    """One rank of a contender: load, then answer until told to go."""
    case = seat.case
    # FairScale and LLaMA v1 print; the table stands on standard output alone.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        import torch  # noqa: PLC0415 (the parent stays free of it)

        torch.set_num_threads(1)
        with _open(seat) as runner:
            # Compiles, captures and warms up: none of it is measured, and only then is known how.
            for _ in range(2):
                runner.answer()
            about = {"about": runner.describe(), "uuid": _uuid(case)}
            pipe.send((None, about))
            while (batches := pipe.recv()) is not None:
                if batches == 0:
                    pipe.send((None, _memory(case)))
                    continue
                answered = []
                for _ in range(batches):
                    if case.device == "cuda":
                        torch.cuda.synchronize()
                    start_us = time.monotonic_ns() // 1000
                    step_us = runner.answer()
                    if len(step_us) != case.new:
                        raise RuntimeError(f"took {len(step_us)} steps, not {case.new}")
                    answered.append(Answered(start_us=start_us, step_us=step_us))
                pipe.send((None, answered))
    except (Exception, SystemExit):  # noqa: BLE001 (whatever it was, the parent reports it)
        pipe.send((traceback.format_exc(), None))
    # Groups of ranks may wait for one another at exit; nothing is left to do here.
    os._exit(0)


@contextlib.contextmanager
def _open(seat: _Seat) -> Iterator[Runner]:
    import torch  # noqa: PLC0415

    if seat.name == "transformers":
        with torch.inference_mode():
            yield Transformers(seat.case)
    elif seat.llama_v1 is not None and seat.name == "llama-v1":
        yield LlamaV1(seat.case, rank=seat.rank, port=seat.port, clone=seat.llama_v1)
    else:
        with _our_engine(seat) as runner, torch.inference_mode():
            yield runner


@contextlib.contextmanager
def _our_engine(seat: _Seat) -> Iterator[Runner]:
    from tests.support.engines import open_for  # noqa: PLC0415
    from tests.support.ranks import make_rank  # noqa: PLC0415
    from workers.distributed.process_group import open_mesh  # noqa: PLC0415
    from workers.distributed.rendezvous import open_rendezvous  # noqa: PLC0415
    from workers.session.placement import take_device  # noqa: PLC0415

    case = seat.case
    spec = case.spec(*engine_of(seat.name))
    place = make_rank(seat.rank, case.gpus)
    device = take_device(place, case.device)
    with (
        open_rendezvous(place, seat.folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=case.gpus, device=device),
    ):
        yield _Ours(open_for(spec, device, rank=seat.rank), prompts_of(case))


def engine_of(name: str) -> tuple[str, str, str | None]:
    """The engine, quantization and format of keys that a contender of this project's stands for."""
    if name == "transformers-eager":
        return "transformers", "none", None
    if name in ENGINE_FACTS:
        return name, "none", None
    engine, *parts = name.split("-")
    kv_dtype = "fp8" if "kv8" in parts else None
    return engine, next((part for part in parts if part != "kv8"), "none"), kv_dtype


class _Ours:
    """An engine of this project, as its workers drive it."""

    def __init__(self, engine: Any, prompts: list[list[int]]) -> None:
        self._engine = engine
        self._prompts = prompts
        self._seed = 0

    def answer(self) -> list[int]:
        self._seed += 1
        self._engine.prefill(self._prompts, self._seed)
        return list(self._engine.decode().step_us)

    def describe(self) -> str:
        return str(self._engine.describe())


def _uuid(case: Case) -> str | None:
    import torch  # noqa: PLC0415

    if case.device != "cuda":
        return None
    return f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"


def _memory(case: Case) -> dict[str, int]:
    import torch  # noqa: PLC0415

    if case.device != "cuda":
        return {}
    gc.collect()
    free, total = torch.cuda.mem_get_info()
    return {
        "allocated": torch.cuda.max_memory_allocated(),
        "reserved": torch.cuda.max_memory_reserved(),
        "device_used": total - free,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
