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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from triton.errors import TritonError

from workers.engines.fast.kernels import linear as kernels_linear
from workers.engines.fast.kernels import widening as kernels_widening
from workers.engines.fast.kernels.arguments import (
    Cache,
    Operand,
    Problem,
    Residual,
    Shares,
    Tile,
)
from workers.engines.fast.tiling import PLAIN, SWIGLU, Product, Tiling, launch, tiling
from workers.models.packing import block_inputs, pack, pair_scales

MATRICES: Final = {
    "qkv": (12_288, 4096),
    "wo": (4096, 4096),
    "gate_up": (22_016, 4096),
    "down": (4096, 11_008),
}
SMALL: Final = {"wo": (64, 320), "gate_up": (128, 320)}
GROUP: Final = 128
SMALL_GROUP: Final = 64
# An H200's L2 is 60 MB: none of a matrix is left when its turn comes again.
_ROTATED_BYTES: Final = 200_000_000
_LEAST_COPIES: Final = 6
_LAYERS: Final = 6
_WARM_S: Final = 0.5
_LEAST_S: Final = 0.006
# Beyond so many rows gates and ups are a product as any other: `fast` multiplies them apart.
_FUSED_ROWS: Final = 256
_MULTIPROCESSORS: Final = 132
_SHARED_BYTES: Final = 227_000
_PROCESSES: Final = 14
# Outputs, warps.
_BLOCKS: Final = {16: ((64, 4), (128, 4), (128, 8), (256, 8)), 64: ((64, 4), (128, 4), (128, 8))}
_WIDE_BLOCKS: Final = ((64, 4), (128, 8))
_SWIGLU_BLOCKS: Final = ((64, 4), (128, 8))
_LEAST_STAGES: Final = 2
_MOST_STAGES: Final = 6
_MOST_SPLITS: Final = 8
_MOST_BESIDE: Final = 4


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to multiply one matrix."""

    name: str
    """Which matrix."""
    rows: int
    """Rows of inputs."""
    bits: int
    """16, 8 or 4."""
    tile: Tiling
    """How it is cut."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """Random weights as kernels want them, and what they stand for."""

    packed: list[Tensor]
    """Copies of the same words, or of the weights."""
    scale: Tensor
    """Scales as the kernels read them."""
    truth: Tensor
    """fp32 [outputs, inputs]."""
    bits: int
    """16, 8 or 4."""
    group: int
    """Inputs that share a scale, of 4 bits."""

    @property
    def read_bytes(self) -> int:
        """Bytes of one copy and its scales."""
        return self.packed[0].nbytes + (0 if self.bits == 16 else self.scale.nbytes)


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
    # 16 bits, cuBLAS and three of torch's for half as long.
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


def candidates(
    name: str, shapes: dict[str, tuple[int, int]], rows: int, bits: int, *, all_of_them: bool
) -> Iterator[Candidate]:
    """The tilings to try for one matrix; of 16 bits the engine's own."""
    outputs, inputs = shapes[name]
    matrices = _matrices(name, rows)
    if bits == 16:
        if rows <= 64:
            tile = tiling(_product(name, shapes, rows, bits))
            yield Candidate(name=name, rows=rows, bits=bits, tile=tile)
        return
    heights = [16] if rows <= 16 else [64] if rows <= 64 else [64, 128, 256]
    for height in heights:
        blocks = _WIDE_BLOCKS if height > 64 else _BLOCKS[height]
        for wide, warps in _SWIGLU_BLOCKS if matrices == 2 else blocks:
            if matrices * wide * height > 32_768 * warps // 4 and height > 64:
                continue
            tiles = math.ceil(outputs / matrices / wide) * math.ceil(rows / height)
            stage = 128 * matrices * wide + 2 * height * block_inputs(bits)
            for split in _splits(tiles, inputs // block_inputs(bits)):
                # As deep as so many programs of a multiprocessor leave room for.
                beside = min(_MOST_BESIDE, math.ceil(tiles * split / _MULTIPROCESSORS))
                stages = min(_MOST_STAGES, _SHARED_BYTES // (beside * stage))
                if stages < _LEAST_STAGES:
                    continue
                tile = Tiling(
                    rows=height, outputs=wide, inputs=block_inputs(bits), splits=split,
                    stages=stages, warps=warps, left=True,
                )  # fmt: skip
                yield Candidate(name=name, rows=rows, bits=bits, tile=tile)
                if not all_of_them:
                    return


class Lab:
    """Matrices, and what was found of each candidate."""

    def __init__(
        self, shapes: dict[str, tuple[int, int]], *, on_gpu: bool, bytes_per_s: float
    ) -> None:
        self._shapes, self._on_gpu, self._bytes_per_s = shapes, on_gpu, bytes_per_s
        self._device = torch.device("cuda" if on_gpu else "cpu")
        self._kept: dict[tuple[str, int], Matrix] = {}
        self._family: tuple[int, int, str] | None = None
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
            if (told["name"], told["rows"], told["bits"]) == (name, rows, bits)
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
            seen = seconds / 2 if "torch" in name else seconds
            took = _replay(graph, seen) / _LAYERS * 1e6
            bits_read = _LIBRARY_BITS.get(name) or int(name.split()[0])
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
        return _graph([partial(work.launch, layer) for layer in range(_LAYERS) for work in works])

    def _library_chain(self, rows: int, x: Tensor, make: Callable[..., Any]) -> Any:
        calls = []
        for name, (outputs, inputs) in MATRICES.items():
            truth = self.matrix(name, 16).truth
            assert truth.shape == (outputs, inputs)
            calls.append([make(x[:rows, :inputs].contiguous(), truth) for _ in range(_LAYERS)])
        return _graph([call[layer] for layer in range(_LAYERS) for call in calls])


class Work:
    """One candidate's tensors and its launch."""

    def __init__(
        self,
        candidate: Candidate,
        matrix: Matrix,
        shapes: dict[str, tuple[int, int]],
        device: torch.device,
        *,
        early: bool,
    ) -> None:
        self._candidate, self._matrix, self._early = candidate, matrix, early
        rows, tile = candidate.rows, candidate.tile
        product = _product(candidate.name, shapes, rows, candidate.bits)
        self._product = product
        generator = torch.Generator(device=device).manual_seed(1)
        kind = torch.float16
        self._x = torch.randn(rows, product.inputs, device=device, generator=generator).to(kind)
        # As the norm before it would have it: a root mean square of one.
        self._sums = self._x.float().square().sum(1)[None]
        self.out = torch.empty(rows, product.outputs, device=device, dtype=kind)
        tiles, above = tile.programs(product)
        quantized = candidate.bits < 16
        programs = tiles * tile.splits
        self._grid = (above, programs) if quantized else (programs, above)
        ways = 2 if product.epilogue == SWIGLU else 1
        room = tiles * above * tile.splits * ways * tile.rows * tile.outputs
        self._shares = Shares(
            torch.empty(room if tile.splits > 1 else 1, device=device),
            torch.zeros(tiles * above, dtype=torch.int32, device=device),
        )

    def arguments(self, at: int) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """The kernel, what it is told for the copy `at`, and its launch options."""
        candidate, product, tile = self._candidate, self._product, self._candidate.tile
        packed = self._matrix.packed[at]
        weights = Operand(packed, self._matrix.scale)
        problem = Problem(
            outputs=product.outputs, inputs=product.inputs, epilogue=product.epilogue,
            bits=candidate.bits, group=self._matrix.group, parts=1, parts_room=1, queries=0,
            head_dim=128, max_len=1,
        )  # fmt: skip
        cut = Tile(
            rows=tile.rows, outputs=tile.outputs, inputs=tile.inputs, splits=tile.splits,
            stages=tile.stages, left=tile.left, tma=self._early,
        )  # fmt: skip
        residual = Residual(self._x, self._sums, self._sums)
        cache = Cache(self.out, self.out, self._shares.arrived, self._sums, self._sums)
        options = {"num_warps": tile.warps, "num_stages": tile.stages, **launch(early=self._early)}
        quantized = candidate.bits < 16
        told: tuple[Any, ...]
        if candidate.rows == 1 and not quantized:
            told = (self._x, weights, self.out, residual, cache, 0.0, problem, cut, self._early)
            return kernels_linear.vector, told, options
        x_at, w_at = self._x, packed
        if self._early:
            columns = 64 if quantized else tile.inputs
            x_at = _descriptor(self._x, [tile.rows, columns])
            w_at = _descriptor(packed, [tile.outputs, columns])
        told = (
            x_at, w_at, weights, self.out, residual, cache, self._shares, 0.0, candidate.rows,
            problem, cut, self._early,
        )  # fmt: skip
        if quantized:
            return kernels_widening.widening, (*told, self._early), options
        return kernels_linear.linear, told, options

    def launch(self, at: int) -> None:
        """Multiply by one copy."""
        kernel, told, options = self.arguments(at)
        kernel[self._grid](*told, **options)

    def warm_up(self) -> None:
        """Compile, and launch nothing."""
        kernel, told, options = self.arguments(0)
        kernel.warmup(*told, grid=self._grid, **options)

    def expected(self) -> Tensor:
        """What is right, in fp32."""
        product = self._x.float() @ self._matrix.truth.T
        if self._product.epilogue != SWIGLU:
            return product
        scale = torch.rsqrt(self._sums[0] / self._product.inputs)[:, None]
        gates, ups = (product * scale).chunk(2, dim=1)
        return torch.nn.functional.silu(gates) * ups


def make_matrix(
    shape: tuple[int, int], bits: int, group: int, device: torch.device, *, rotated: bool
) -> Matrix:
    """Random steps and scales as a quantized matrix of normal weights has them."""
    outputs, inputs = shape
    generator = torch.Generator(device=device).manual_seed(outputs + inputs)
    kind = torch.float16
    if bits == 16:
        weights = torch.randn(shape, device=device, generator=generator).mul_(0.02).to(kind)
        packed, scale, truth = weights, torch.ones(1, device=device), weights.float()
    else:
        least, most = (-8, 8) if bits == 4 else (-127, 128)
        steps = torch.randint(least, most, shape, device=device, generator=generator)
        packed = pack(steps, bits)
        groups = inputs // group if bits == 4 else 1
        scales = torch.rand(outputs, groups, device=device, generator=generator) + 0.5
        scales *= 0.005 if bits == 4 else 0.0003
        if bits == 4:
            scales = scales.to(kind)
            scale = pair_scales(scales, inputs).view(torch.int32).squeeze(-1)
        else:
            scale = scales[:, 0].contiguous()
        steps = steps.view(outputs, groups, -1).float()
        truth = (steps * scales.float()[..., None]).view(shape)
    copies = max(_LEAST_COPIES, -(-_ROTATED_BYTES // packed.nbytes)) if rotated else 1
    return Matrix(
        packed=[packed, *(packed.clone() for _ in range(copies - 1))],
        scale=scale,
        truth=truth,
        bits=bits,
        group=group if bits == 4 else inputs,
    )


# A weight's bits of what torch has.
_LIBRARY_BITS: Final = {
    "cuBLAS, fp16": 16,
    "torch._weight_int4pack_mm, bf16": 4,
    "torch._int_mm, int8 inputs": 8,
    "torch._scaled_mm, fp8 inputs": 8,
}


def library(rows: int) -> dict[str, Callable[[Tensor, Tensor], Callable[[], Any]]]:
    """What torch has: each makes of inputs and fp32 weights a call that multiplies them."""
    private: Any = torch

    def cublas(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        return partial(torch.nn.functional.linear, x.half(), weights.half())

    def int4(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        outputs, inputs = weights.shape
        random = torch.randint(0, 256, (outputs, inputs // 2), device=x.device)
        packed = private._convert_weight_to_int4pack(random.to(torch.uint8), 8)
        scales = torch.ones(inputs // GROUP, outputs, 2, dtype=torch.bfloat16, device=x.device)
        return partial(private._weight_int4pack_mm, x.bfloat16(), packed, GROUP, scales)

    def int8(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        steps = (weights * 1000).clamp(-127, 127).to(torch.int8)
        return partial(private._int_mm, (x * 20).to(torch.int8), steps.T)

    def fp8(x: Tensor, weights: Tensor) -> Callable[[], Any]:
        narrow = torch.float8_e4m3fn
        one = torch.ones((), device=x.device)
        return partial(
            private._scaled_mm,
            x.to(narrow),
            weights.to(narrow).T,
            scale_a=one,
            scale_b=one,
            out_dtype=torch.float16,
        )

    made = {
        "cuBLAS, fp16": cublas,
        "torch._weight_int4pack_mm, bf16": int4,
        "torch._scaled_mm, fp8 inputs": fp8,
    }
    # It takes more than 16 rows only.
    return made | ({"torch._int_mm, int8 inputs": int8} if rows > 16 else {})


def _matrices(name: str, rows: int) -> int:
    return 2 if name == "gate_up" and rows <= _FUSED_ROWS else 1


def _product(name: str, shapes: dict[str, tuple[int, int]], rows: int, bits: int) -> Product:
    outputs, inputs = shapes[name]
    matrices = _matrices(name, rows)
    return Product(
        rows=rows,
        outputs=outputs // matrices,
        inputs=inputs,
        epilogue=SWIGLU if matrices == 2 else PLAIN,
        bits=bits,
        group=GROUP,
    )


def _splits(tiles: int, blocks: int) -> list[int]:
    """Programs that share a tile, so that a multiprocessor has one, two or four of them."""
    wanted = (beside * _MULTIPROCESSORS // tiles for beside in (1, 2, 4))
    return sorted({max(1, min(_MOST_SPLITS, blocks // 2, splits)) for splits in wanted})


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


def _descriptor(tensor: Tensor, block: list[int]) -> Any:
    # Triton comes with torch's CUDA builds alone, and this part of it with later ones.
    from triton.tools.tensor_descriptor import TensorDescriptor  # noqa: PLC0415

    return TensorDescriptor.from_tensor(tensor, block)


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
