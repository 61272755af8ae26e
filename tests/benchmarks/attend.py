"""Attention of one decoding step by itself: microseconds and bytes, by format and how it is cut.

    python -m tests.benchmarks.attend [--rows 64] [--positions 192] [--heads 32] [--kept 32]
        [--formats fp16,fp8] [--tilings 16x3x2,32x3x4]

A tiling is positions of a block x blocks in flight x warps. Each time is the median of graphs of 32
launches, each on caches of its own, as a step's layers have; beside it what those bytes take at the
bandwidth of a copy. Needs a GPU.
"""

import argparse
import functools
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Final

import torch

from telemetry.record.spec import KV_ITEM_BYTES
from workers.engines.fast.cached_numbers import KINDS
from workers.engines.fast.ops_triton import AttendTiling, attend_into

_HEAD_DIM: Final = 128
_MAX_LEN: Final = 512
_LAYERS: Final = 32
_ROUNDS: Final = 15
_COPY_BYTES: Final = 1 << 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each format and tiling."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--positions", type=int, default=192)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--kept", type=int, default=32, help="heads of keys and values")
    parser.add_argument("--formats", default="fp16,fp8")
    parser.add_argument("--tilings", default="16x3x2")
    given = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        parser.error("a GPU must be there to be timed, but CUDA sees none")
    source = torch.empty(_COPY_BYTES // 2, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    bytes_per_s = _COPY_BYTES / _seconds(functools.partial(target.copy_, source))
    for name in given.formats.split(","):
        for tiling in given.tilings.split(","):
            block, stages, warps = map(int, tiling.split("x"))
            cut = AttendTiling(block=block, stages=stages, warps=warps)
            seconds = _attend_s(given, name, cut)
            moved = 2 * given.rows * given.kept * given.positions * _HEAD_DIM * KV_ITEM_BYTES[name]
            sys.stdout.write(
                f"{name} {tiling}: {seconds * 1e6:.1f} us, {moved / 1e6:.1f} MB, bound "
                f"{moved / bytes_per_s * 1e6:.1f} us, share {moved / bytes_per_s / seconds:.1%}\n"
            )
            sys.stdout.flush()
    return 0


def _attend_s(given: argparse.Namespace, name: str, tiling: AttendTiling) -> float:
    """Seconds of one layer's attention over keys and values of that format."""
    rows, heads = given.rows, given.heads
    room = (rows, given.kept, _MAX_LEN, _HEAD_DIM)
    draws = torch.Generator("cuda").manual_seed(1)
    caches = []
    for _ in range(_LAYERS):
        drawn = [
            torch.empty(room, dtype=torch.float16, device="cuda").normal_(generator=draws)
            for _ in range(2)
        ]
        caches.append((drawn[0].to(KINDS[name]), drawn[1].to(KINDS[name])))
    queries = torch.randn(rows, heads, _HEAD_DIM, dtype=torch.float16, device="cuda")
    out = torch.empty_like(queries)
    at = torch.full((rows,), given.positions - 1, dtype=torch.int32, device="cuda")

    def step() -> None:
        for keys, values in caches:
            attend_into(
                out, queries, (keys, values), at, window=None, workspace=None, early=False,
                tiling=tiling,
            )  # fmt: skip

    step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return _seconds(graph.replay) / _LAYERS


def _seconds(work: Callable[[], object]) -> float:
    """Median seconds of a call, by the device's own clock."""
    times: list[float] = []
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    for _ in range(_ROUNDS):
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
