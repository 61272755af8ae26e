"""Fp8 products of 7B's matrices: decoding's kernel in several tilings, and cuBLAS's for prefill.

    python -m tests.benchmarks.fp8 [--rows 16,64] [--layers 6] [--rounds 5] [--out FILE]
    python -m tests.benchmarks.fp8 --device cpu --shape small

Each product is timed in one CUDA graph over the matrices of so many layers in turn, which do not
stay in the second-level cache together, with the rounding of its inputs as a kernel before it and
what follows it folded in; the rounding stands alone beside. The bound is the matrix read once at
the bandwidth of a copy. Prefill's products are cuBLAS's by scale a row, with sums in fp32 and with
the unit's own, beside fp16's. Kernels are compiled beforehand by processes side by side. On a CPU
all of it is interpreted (`TRITON_INTERPRET=1`): that says that it runs, and no time.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

import torch
from torch import Tensor

from workers.models.llama.shape import SHAPES, LlamaShape
from workers.models.quantization import E4M3, Quantized, quantize

_SMALL: Final = LlamaShape(name="small", dim=128, layers=1, heads=2, norm_eps=1e-6, vocab=128)
_SHARDS: Final = 8
_PREFILL_ROWS: Final = (384, 8192)
_MAX_LEN: Final = 256
_WORDS: Final = 160


def main(arguments: Sequence[str] | None = None) -> int:
    """Time all of it and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--shape", choices=("7b", "small"), default="7b")
    parser.add_argument("--rows", default="16,64", help="of decoding, separated by commas")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    parser.add_argument("--shard", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    shape = SHAPES["7b"] if given.shape == "7b" else _SMALL
    rows = [int(count) for count in given.rows.split(",")]
    device = torch.device(given.device)
    lab = _Lab(shape, device, given.layers if given.shard is None else 1, given.rounds)
    cases = [(count, *case) for count in rows for case in lab.cases(count)]
    if given.shard is not None:
        for count, name, plan in cases[given.shard :: _SHARDS]:
            lab.compile(count, name, plan)
        return 0
    if device.type == "cuda":
        _compile_beforehand(sys.argv[1:] if arguments is None else arguments)
    found: list[dict[str, Any]] = []
    with torch.inference_mode():
        for figures in (*lab.decoding(cases), *lab.prefill()):
            found.append(figures)
            print(json.dumps(figures), flush=True)  # noqa: T201
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def _compile_beforehand(words: Sequence[str]) -> None:
    def compile_shard(shard: int) -> None:
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.fp8", *words, "--shard", str(shard)],
            # A tiling that does not compile is told of where it is timed.
            check=False,
            capture_output=True,
        )

    with concurrent.futures.ThreadPoolExecutor(_SHARDS) as threads:
        list(threads.map(compile_shard, range(_SHARDS)))


class _Lab:
    """7B's matrices in fp8, and decoders that multiply by them."""

    def __init__(self, shape: LlamaShape, device: torch.device, layers: int, rounds: int) -> None:
        from workers.engines.fast.fused_weights import FusedLayer, FusedWeights  # noqa: PLC0415

        self._shape, self._device, self._rounds = shape, device, rounds
        generator = torch.Generator(device).manual_seed(1)

        def matrix(outputs: int, inputs: int) -> Quantized:
            drawn = torch.randn(outputs, inputs, generator=generator, device=device)
            return quantize(drawn.div_(inputs**0.5).half(), "fp8")

        dim, ffn = shape.dim, shape.ffn
        self._weights = FusedWeights(
            table=torch.randn(shape.vocab, dim, generator=generator, device=device).half(),
            layers=[
                FusedLayer(
                    qkv=matrix(3 * dim, dim),
                    wo=matrix(dim, dim),
                    gate_up=matrix(2 * ffn, dim),
                    down=matrix(dim, ffn),
                )
                for _ in range(layers)
            ],
            head=torch.randn(shape.vocab, dim, generator=generator, device=device).half(),
        )
        self._bytes_per_s = self._copy_bytes_per_s()

    def cases(self, rows: int) -> Iterator[tuple[str, Any]]:
        """Each matrix's name with the rule's own tiling, and with others beside it."""
        from workers.engines.fast.tiling import SWIGLU  # noqa: PLC0415

        decoder = self._decoder(rows)
        for name, epilogue in self._epilogues().items():
            _, plan = decoder._planned(getattr(self._weights.layers[0], name), epilogue)
            yield name, plan
            if rows == 1 or self._device.type == "cpu":
                continue
            yield name, dataclasses.replace(plan, warps=12 - plan.warps)
            if epilogue != SWIGLU:
                outputs = 64 if plan.outputs != 64 else 128
                yield name, dataclasses.replace(plan, outputs=outputs, left=True, stages=4)

    def compile(self, rows: int, name: str, plan: Any) -> None:
        """Have a kernel compiled into Triton's cache."""
        with torch.inference_mode(), self._planned(name, plan):
            self._launch(self._decoder(rows), name, 0)
            self._wait()

    def decoding(self, cases: Sequence[tuple[int, str, Any]]) -> Iterator[dict[str, Any]]:
        """Times of decoding's products, by rows, matrix and tiling."""
        for rows, name, plan in cases:
            with self._planned(name, plan):
                yield {"rows": rows, "matrix": name, **_told(plan), **self._timed(rows, name)}

    def _timed(self, rows: int, name: str) -> dict[str, Any]:
        from triton.errors import TritonError  # noqa: PLC0415

        decoder, layers = self._decoder(rows), range(len(self._weights.layers))

        def multiply() -> None:
            for layer in layers:
                self._launch(decoder, name, layer)

        def round_inputs() -> None:
            for _ in layers:
                self._round(decoder, name)

        try:
            both_s = self._seconds(multiply) / len(layers)
        except (RuntimeError, TritonError) as error:
            # A tiling that asks for more than there is ends no other's turn.
            return {"failed": str(error)[:_WORDS]}
        alone_s = self._seconds(round_inputs) / len(layers)
        bound_s = getattr(self._weights.layers[0], name).nbytes / self._bytes_per_s
        return {
            "us": round(both_s * 1e6, 2),
            "rounding_us": round(alone_s * 1e6, 2),
            "bound_us": round(bound_s * 1e6, 2),
            "share": round(bound_s / both_s, 3),
        }

    def prefill(self) -> Iterator[dict[str, Any]]:
        """Times of cuBLAS's products: fp8 with its roundings, and fp16."""
        if self._device.type == "cpu":
            return
        for rows in _PREFILL_ROWS:
            for name in self._epilogues():
                ways = self._ways(rows, getattr(self._weights.layers[0], name))
                figures: dict[str, Any] = {"rows": rows, "matrix": name}
                for way, work in ways.items():
                    try:
                        figures[f"{way}, us"] = round(self._seconds(work) * 1e6, 1)
                    except RuntimeError as error:
                        figures[f"{way}, failed"] = str(error)[:_WORDS]
                yield figures

    def _ways(self, rows: int, matrix: Quantized) -> dict[str, Callable[[], Any]]:
        from workers.engines.fast import ops_triton  # noqa: PLC0415

        outputs, inputs = matrix.shape
        x = torch.randn(rows, inputs, device=self._device).half()
        whole = torch.randn(outputs, inputs, device=self._device).half()
        rounded = torch.empty_like(x, dtype=E4M3)
        scale = torch.empty(rows, 1, device=self._device)
        ops_triton.round_rows_into(rounded, scale, x, early=False)

        def scaled(kind: torch.dtype, *, fast: bool) -> Tensor:
            product: Tensor = torch._scaled_mm(
                rounded,
                matrix.packed.t(),
                scale_a=scale,
                scale_b=matrix.scale[None, :],
                out_dtype=kind,
                use_fast_accum=fast,
            )
            return product

        return {
            "fp16": lambda: torch.nn.functional.linear(x, whole),
            "fp8 with rounding": lambda: ops_triton.product(x, matrix),
            "rounding": lambda: ops_triton.round_rows_into(rounded, scale, x, early=False),
            "to fp16": partial(scaled, torch.float16, fast=False),
            "to fp16, the unit's sums": partial(scaled, torch.float16, fast=True),
            "to bf16": partial(scaled, torch.bfloat16, fast=False),
            "to bf16, the unit's sums": partial(scaled, torch.bfloat16, fast=True),
        }

    def _epilogues(self) -> dict[str, int]:
        from workers.engines.fast.tiling import QKV, RESIDUAL, SWIGLU  # noqa: PLC0415

        return {"qkv": QKV, "wo": RESIDUAL, "gate_up": SWIGLU, "down": RESIDUAL}

    def _planned(self, name: str, plan: Any) -> Any:
        """The rule gives `plan` for a matrix meanwhile."""
        from workers.engines.fast.tiling import tiling  # noqa: PLC0415

        matrix = getattr(self._weights.layers[0], name)
        epilogue = self._epilogues()[name]

        def planned(product: Any) -> Any:
            same = product.epilogue == epilogue and product.inputs == matrix.shape[1]
            return plan if same else tiling(product)

        return mock.patch("workers.engines.fast.fused_decoder.tiling", planned)

    def _decoder(self, rows: int) -> Any:
        from workers.engines.fast.all_reduce import LibrarySum  # noqa: PLC0415
        from workers.engines.fast.fused_decoder import FusedDecoder  # noqa: PLC0415

        shape, device = self._shape, self._device
        room = (rows, shape.kv_heads, _MAX_LEN, shape.head_dim)
        angles = torch.zeros(_MAX_LEN, shape.head_dim // 2, device=device)
        with mock.patch(
            "workers.engines.fast.all_reduce.get_model_parallel_world_size", return_value=1
        ):
            rank_sum = LibrarySum(rows, shape.dim, torch.float16, device)
        decoder = FusedDecoder(
            shape,
            self._weights,
            caches=[(torch.zeros(room, device=device).half(),) * 2],
            turn=(angles.cos(), angles.sin()),
            rank_sum=rank_sum,
            rows=rows,
        )
        for inputs in (decoder._x, decoder._mixed, decoder._inner):
            inputs.normal_()
        decoder._sums.fill_(1.0)
        return decoder

    def _launch(self, decoder: Any, name: str, layer: int) -> None:
        matrix = getattr(self._weights.layers[layer], name)
        rows = len(decoder._x)
        positions = torch.zeros(rows, dtype=torch.int32, device=self._device)
        out = {"qkv": decoder._queries, "gate_up": decoder._inner}.get(name)
        # The residual stream would grow with every product that is added to it.
        out = torch.empty_like(decoder._x) if out is None else out
        decoder._product(
            self._inputs(decoder, name),
            matrix,
            self._epilogues()[name],
            out,
            (*decoder._caches[0], positions) if name == "qkv" else None,
        )

    def _inputs(self, decoder: Any, name: str) -> Tensor:
        found: Tensor = {"wo": decoder._mixed, "down": decoder._inner}.get(name, decoder._x)
        return found

    def _round(self, decoder: Any, name: str) -> None:
        from workers.engines.fast import ops_triton  # noqa: PLC0415

        inputs = self._inputs(decoder, name)
        ops_triton.round_rows_into(
            decoder._rounded[inputs.shape[1]], decoder._input_scale, inputs, early=decoder._early
        )

    def _copy_bytes_per_s(self) -> float:
        size = 1 << (31 if self._device.type == "cuda" else 20)
        source = torch.zeros(size, dtype=torch.uint8, device=self._device)
        target = torch.empty_like(source)
        return 2 * size / self._seconds(lambda: target.copy_(source))

    def _seconds(self, work: Callable[[], Any]) -> float:
        """The median of some replays of a graph of it; on a CPU of one call."""
        if self._device.type == "cpu":
            begun = time.perf_counter()
            work()
            return time.perf_counter() - begun
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(aside):
            for _ in range(2):
                work()
        aside.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        graph.replay()
        times = []
        for _ in range(self._rounds):
            marks = [
                torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
                for _ in range(2)
            ]
            marks[0].record()
            for _ in range(10):
                graph.replay()
            marks[1].record()
            marks[1].synchronize()
            times.append(marks[0].elapsed_time(marks[1]) / 10e3)
        return float(sorted(times)[len(times) // 2])

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def _told(plan: Any) -> dict[str, Any]:
    side = "left" if plan.left else "right"
    return {
        "tiling": f"{plan.rows} x {plan.outputs} x {plan.inputs}, {plan.splits} splits, "
        f"{plan.stages} stages, {plan.warps} warps, {side}"
    }


if __name__ == "__main__":
    sys.exit(main())
