"""Products of quantized weights in a lab: each tiling of `widening` for the four matrices of 7B.

    python -m tests.benchmarks.widening [--rows 64,16,1,256] [--bits 4,8] [--seconds-most 140]
        [--seconds-each 2] [--out widening.json]

By hand, on a GPU. All is compiled first, in processes beside one another. Then each tiling runs as
a CUDA graph over so many copies of a matrix that L2 holds none of them, after half a second of work
that brings the card to its power limit, and its outputs are held to fp32. Last, a layer's four
products by the quickest tilings take turns of two seconds with the 16-bit kernel's, with cuBLAS'
and with what torch has for quantized weights. Bound: bytes at `--tb-s`, an H200's copy bandwidth.
Where there is no GPU, `TRITON_INTERPRET=1` runs the kernels once, on a small matrix, untimed.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from triton.errors import TritonError

from tests.benchmarks.widening_work import (
    GROUP,
    LIBRARY_BITS,
    MATRICES,
    SMALL,
    SMALL_GROUP,
    Candidate,
    Matrix,
    Work,
    candidates,
    library,
    make_matrix,
)
from workers.engines.fast.tiling import Tiling

_LAYERS: Final = 6
_WARM_S: Final = 0.5
_LEAST_S: Final = 0.006
_PROCESSES: Final = 14


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and tell; exit status 1 where outputs were wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=_numbers, default=[64, 16, 1, 256])
    parser.add_argument("--bits", type=_numbers, default=[4, 8])
    parser.add_argument("--seconds-most", type=float, default=140.0)
    parser.add_argument("--seconds-each", type=float, default=2.0)
    parser.add_argument("--tb-s", type=float, default=4.27)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    begun = time.monotonic()
    on_gpu = torch.cuda.is_available()
    if not on_gpu and os.environ.get("TRITON_INTERPRET") != "1":
        parser.error("there must be a GPU, or TRITON_INTERPRET=1, but there is neither")
    shapes = MATRICES if on_gpu else SMALL
    rows_bits = [(rows, bits) for rows in given.rows for bits in [16, *given.bits]]
    wanted = [
        candidate
        for rows, bits in rows_bits
        for name in shapes
        for candidate in candidates(name, shapes, rows, bits, all_of_them=on_gpu)
    ]
    if on_gpu:
        _compile(wanted)
    _say(f"{len(wanted)} tilings compiled in {time.monotonic() - begun:.0f} s")
    lab = Lab(shapes, on_gpu=on_gpu, bytes_per_s=given.tb_s * 1e12)
    ends = begun + given.seconds_most
    # 16 bits, and cuBLAS, twice, and three of torch's for half as long.
    chains_s = len(given.rows) * (len(given.bits) + 3.5) * given.seconds_each if on_gpu else 0.0
    for candidate in _in_families(wanted):
        if time.monotonic() > ends - chains_s:
            lab.left_out += 1
            continue
        lab.try_one(candidate)
    lab.tell()
    if on_gpu:
        for rows in given.rows:
            lab.chains(rows, given.bits, seconds=given.seconds_each)
    if given.out:
        given.out.write_text(json.dumps(lab.found, indent=1))
    return 1 if lab.wrong else 0


class Lab:
    """Matrices, and what was found of each candidate."""

    def __init__(
        self, shapes: dict[str, tuple[int, int]], *, on_gpu: bool, bytes_per_s: float
    ) -> None:
        self._shapes, self._on_gpu, self._bytes_per_s = shapes, on_gpu, bytes_per_s
        self._device = torch.device("cuda" if on_gpu else "cpu")
        self._kept: dict[tuple[str, int], Matrix] = {}
        self._family: tuple[int, int, str] | None = None
        # What a captured graph reads has to outlive it.
        self._read_by_graphs: list[Any] = []
        self.found: list[dict[str, Any]] = []
        self.left_out = 0
        self.wrong = 0

    def matrix(self, name: str, bits: int) -> Matrix:
        """A matrix, made once."""
        if (name, bits) not in self._kept:
            group = GROUP if self._on_gpu else SMALL_GROUP
            self._kept[name, bits] = make_matrix(
                self._shapes[name], bits, group, self._device, rotated=self._on_gpu
            )
        return self._kept[name, bits]

    def try_one(self, candidate: Candidate) -> None:
        """Hold one candidate to fp32, and time it."""
        matrix = self.matrix(candidate.name, candidate.bits)
        work = Work(candidate, matrix, self._shapes, self._device, early=self._on_gpu)
        told: dict[str, Any] = {**asdict(candidate), "us": None, "error": None, "reason": None}
        self.found.append(told)
        try:
            work.launch(0)
            told["error"] = _error(work.out, work.expected())
            if not told["error"] < 0.02:
                self.wrong += 1
            if self._on_gpu:
                family = (candidate.rows, candidate.bits, candidate.name)
                graph = _graph([partial(work.launch, at) for at in range(len(matrix.packed))])
                if family != self._family:
                    _replay(graph, _WARM_S)
                    self._family = family
                told["us"] = _replay(graph, _LEAST_S) / len(matrix.packed) * 1e6
                told["tb_s"] = matrix.read_bytes / told["us"] / 1e6
                told["share"] = told["tb_s"] * 1e12 / self._bytes_per_s
        # A tiling that asks for more shared memory or registers than there are is one finding more.
        except (RuntimeError, TritonError) as error:
            told["reason"] = str(error).splitlines()[0][:120]

    def best(self, name: str, rows: int, bits: int) -> dict[str, Any] | None:
        """The quickest right candidate of a family that was timed."""
        able = [
            told
            for told in self.found
            if "chain" not in told
            and (told["name"], told["rows"], told["bits"]) == (name, rows, bits)
            and told["us"] is not None
            and told["error"] < 0.02
        ]
        return min(able, key=lambda told: told["us"], default=None)

    def tell(self) -> None:
        """Print each family's quickest five, and what failed."""
        families = dict.fromkeys((told["rows"], told["bits"], told["name"]) for told in self.found)
        for rows, bits, name in families:
            every = [
                told
                for told in self.found
                if (told["rows"], told["bits"], told["name"]) == (rows, bits, name)
            ]
            timed = sorted((t for t in every if t["us"] is not None), key=lambda told: told["us"])
            for told in timed[:5] if self._on_gpu else every:
                tile = told["tile"]
                speed = (
                    f"{told['us']:7.2f} us {told['tb_s']:.2f} TB/s {told['share']:6.1%}"
                    if told["us"] is not None
                    else "not timed"
                )
                _say(
                    f"{rows:4} rows {bits:2} bits {name:8} {speed} error {_figure(told['error'])} "
                    f"block {tile['rows']}x{tile['outputs']} warps {tile['warps']} "
                    f"splits {tile['splits']} stages {tile['stages']} {told['reason'] or ''}"
                )
        failed = [told for told in self.found if told["reason"]]
        _say(
            f"{len(self.found)} tried, {len(failed)} could not run, {self.wrong} were wrong, "
            f"{self.left_out} left out for want of time"
        )
        for told in failed[:5]:
            _say(f"could not run: {told['bits']} bits {told['tile']}: {told['reason']}")

    def chains(self, rows: int, bits: Sequence[int], *, seconds: float) -> None:
        """Six layers' four products by each kernel, in turns under the power limit."""
        self._read_by_graphs.clear()
        chained = {}
        for each in [16, *bits]:
            graph = self._chain(rows, each)
            if graph is not None:
                chained[f"{each} bits"] = graph
        x = torch.randn(rows, 11_008, device=self._device)
        for name, make in library(rows).items():
            try:
                chained[name] = self._library_chain(rows, x, make)
            except (RuntimeError, AttributeError, TypeError, ValueError) as error:
                _say(f"{rows} rows, {name} could not run: {str(error).splitlines()[0][:160]}")
        for name, graph in chained.items():
            seen = seconds if "bits" in name else seconds / 2
            took = _replay(graph, seen) / _LAYERS * 1e6
            bits_read = LIBRARY_BITS.get(name) or int(name.split()[0])
            read = sum(math.prod(shape) for shape in MATRICES.values()) * bits_read / 8
            self.found.append({"chain": name, "rows": rows, "us_a_layer": took})
            _say(
                f"{rows:4} rows, a layer by {name}: {took:.1f} us, {read / took / 1e6:.2f} TB/s, "
                f"{read / took * 1e6 / self._bytes_per_s:.1%} of its bound"
            )

    def _chain(self, rows: int, bits: int) -> Any:
        works = []
        for name in MATRICES:
            told = self.best(name, rows, bits)
            if told is None:
                return None
            candidate = Candidate(name=name, rows=rows, bits=bits, tile=Tiling(**told["tile"]))
            matrix = self.matrix(name, bits)
            works.append(Work(candidate, matrix, self._shapes, self._device, early=True))
        self._read_by_graphs.append(works)
        return _graph([partial(work.launch, layer) for layer in range(_LAYERS) for work in works])

    def _library_chain(self, rows: int, x: Tensor, make: Callable[..., Any]) -> Any:
        calls = []
        for name, (outputs, inputs) in MATRICES.items():
            truth = self.matrix(name, 16).truth
            assert truth.shape == (outputs, inputs)
            calls.append([make(x[:rows, :inputs].contiguous(), truth) for _ in range(_LAYERS)])
        self._read_by_graphs.append(calls)
        return _graph([call[layer] for layer in range(_LAYERS) for call in calls])


def _in_families(wanted: Sequence[Candidate]) -> list[Candidate]:
    """Each family's first tilings before any family's later ones, so that time cuts all alike."""
    return sorted(
        wanted,
        key=lambda one: (
            [other for other in wanted if _family(other) == _family(one)].index(one) // 4
        ),
    )


def _family(candidate: Candidate) -> tuple[int, int, str]:
    return candidate.rows, candidate.bits, candidate.name


def _compile(wanted: Sequence[Candidate]) -> None:
    processes = min(_PROCESSES, max(1, (os.cpu_count() or 1) - 1))
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(_compile_one, wanted, chunksize=1)


def _compile_one(candidate: Candidate) -> None:
    device = torch.device("cuda")
    outputs, inputs = MATRICES[candidate.name]
    columns = {16: inputs, 8: inputs, 4: inputs}[candidate.bits]
    quantized = candidate.bits < 16
    # No launch reads them: empty memory of the right kind will do.
    matrix = Matrix(
        packed=[
            torch.empty(
                outputs,
                columns,
                dtype=torch.int16 if quantized else torch.float16,
                device=device,
            )
        ],
        scale=torch.empty(
            1,
            dtype=torch.int32 if candidate.bits == 4 else torch.float32,
            device=device,
        ),
        truth=torch.empty(0),
        bits=candidate.bits,
        group=GROUP if candidate.bits == 4 else inputs,
    )
    try:
        Work(candidate, matrix, MATRICES, device, early=True).warm_up()
    except (RuntimeError, TritonError) as error:
        # Told again, by its own process, when its turn comes.
        sys.stderr.write(f"{candidate}: {str(error).splitlines()[0]}\n")


def _graph(calls: Sequence[Callable[[], Any]]) -> torch.cuda.CUDAGraph:
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for call in calls:
            call()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    return graph


def _replay(graph: torch.cuda.CUDAGraph, seconds: float) -> float:
    """Seconds of one replay, the mean over at least so many seconds."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    graph.replay()
    start.record()
    graph.replay()
    end.record()
    torch.cuda.synchronize()
    count = max(3, math.ceil(seconds / float(start.elapsed_time(end)) * 1e3))
    start.record()
    for _ in range(count):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1e3 / count


def _error(found: Tensor, expected: Tensor) -> float:
    """The largest error over the root mean square of what is expected."""
    return float((found.float() - expected).abs().max() / expected.square().mean().sqrt())


def _figure(number: float | None) -> str:
    return "not known" if number is None else f"{number:.1e}"


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
