"""Merging shards at scale: time and peak memory beside polars, DuckDB and pyarrow.

    python tests/benchmarks/merge.py [--rows 20000000] [--parts 1] [--rounds 3] [--methods a,b]
    python tests/benchmarks/merge.py --check

Writes the shards of 32 nodes x 8 GPUs x 20 fields at 10 Hz, 1 % of the samples twice, then runs
every method in a process of its own, round by round, on the same files. Ratios are to
`copy_polars`, which reads and writes the rows and does nothing else: the floor. Only `joulegrid`
applies clock offsets, counts coverage and writes a manifest; the others do less work. A peer that
cannot be imported is left out by name. `--check` compares what every method writes, row by row.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.schema import METADATA_KEY, SAMPLES, SCHEMA_VERSION
from telemetry.record.spec import RunSpec

HOSTS: Final = 32
GPUS: Final = 8
# Read in an order of their own, which is not the alphabet's.
FIELDS: Final = tuple(f"field_{7 * number % 20:02d}" for number in range(20))
# 10 Hz with a jitter of 2 ms, as a polling watcher has it.
TICK_US: Final = 100_000
JITTER_US: Final = 2_000
START_US: Final = 1_790_000_000_000_000
DOUBLED: Final = 0.01
# Twice what `telemetry.shards.writer` writes: the harder case for memory.
ROW_GROUP_ROWS: Final = 131_072
SPEC: Final = {
    **{"model": "nano", "engine": "reference", "dtype": "fp32", "quantization": "none"},
    **{"weights": "random", "tokenizer": "bundled", "gpu": "cpu", "gpus": 1, "gpus_per_node": 1},
    **{"dataset": "gsm8k", "prompts": 1, "batch_size": 1, "max_prompt_len": 1, "max_gen_len": 1},
    **{"temperature": 0.0, "top_p": 1.0, "ignore_eos": True, "seed": 0, "power_cap_w": None},
    **{"sm_clock_mhz": None, "repeat": 0},
}
LAUNCH: Final = {
    **{"device": "cpu", "threads": 1, "prompts_sha256": "0" * 64, "tokenizer_path": None},
    **{"telemetry": "host", "period_ms": 100, "idle_s": 0.0, "warmup_batches": 0},
}
KEYS: Final = "t_us, host, device, field"


def generate(results: Path, rows: int, parts: int, *, clocks: bool = True) -> RunPaths:
    """An ended attempt with about `rows` samples, `parts` files to a node, and clock offsets.

    Without `clocks` all nodes agree, as the peers take it.
    """
    spec = RunSpec.from_mapping(SPEC)
    run = RunPaths(results=results, run_id=spec.run_id)
    attempt = run.attempt(1)
    attempt.folder.mkdir(parents=True)
    write_json(run.spec, spec.to_mapping())
    write_json(attempt.launch, LAUNCH)
    end = {"state": "failed", "reason": "a benchmark", "t_us": 0, "by": "benchmark"}
    write_json(attempt.ended, end)
    ticks = max(parts, round(rows / (HOSTS * GPUS * len(FIELDS) * (1 + DOUBLED))))
    (attempt.folder / "clocks").mkdir()
    for number in range(HOSTS):
        host = f"node{number:03d}"
        _write_shard(attempt.samples_shard(host), host, number, ticks, parts)
        if clocks:
            _write_clock(attempt.folder / "clocks" / f"{host}.json", host, number, ticks)
    return run


def _write_shard(folder: Path, host: str, number: int, ticks: int, parts: int) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(number)
    uuids = [f"GPU-{number:08x}-{gpu:04x}-4a5b-8c9d-0123456789ab" for gpu in range(GPUS)]
    metadata = {
        **{"schema_version": SCHEMA_VERSION, "kind": "samples", "host": host, "simulated": False},
        **{"periods_us": dict.fromkeys(FIELDS, TICK_US), "gpus": [], "source": {"name": "host"}},
    }
    schema = SAMPLES.with_metadata({METADATA_KEY: json.dumps(metadata)})
    edges = np.linspace(0, ticks, parts + 1).astype(int)
    for part in range(parts):
        count = int(edges[part + 1] - edges[part])
        tick = np.arange(edges[part], edges[part + 1], dtype=np.int64)
        t_us = START_US + tick[:, None] * TICK_US + np.arange(GPUS) * 150
        t_us += np.sort(random.integers(0, JITTER_US, (count, GPUS)), axis=1)
        # Sensors round; this gives the 3 bytes a row that real traces have.
        value = np.round(random.normal(300, 40, (count, GPUS, len(FIELDS))), 2)
        twice = 1 + (random.random((count, GPUS)) < DOUBLED)
        sample = np.repeat(np.arange(count * GPUS), twice.ravel())
        columns = [
            pa.array(np.repeat(t_us.ravel()[sample], len(FIELDS))),
            _words([host], np.zeros(len(sample) * len(FIELDS), dtype=np.int32)),
            _words(uuids, np.repeat((sample % GPUS).astype(np.int32), len(FIELDS))),
            _words(FIELDS, np.tile(np.arange(len(FIELDS), dtype=np.int32), len(sample))),
            pa.array(value.reshape(-1, len(FIELDS))[sample].ravel()),
            pa.nulls(len(sample) * len(FIELDS), pa.string()),
        ]
        table = pa.Table.from_arrays(columns, names=SAMPLES.names).cast(schema)
        path = folder / f"part-{part:05d}.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP_ROWS)


def _words(words: Sequence[str], codes: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(words)))


def _write_clock(path: Path, host: str, number: int, ticks: int) -> None:
    """A clock some milliseconds off, drifting by 5 parts in a million."""
    length_us = ticks * TICK_US
    edges = {}
    for name, t_us in (("start", 0), ("end", length_us)):
        offset_us = (number - HOSTS // 2) * 731 + round(t_us * 5e-6)
        edges[name] = {
            **{"t_us": START_US + t_us, "offset_us": offset_us},
            **{"error_us": 20, "round_trip_us": 40},
        }
    write_json(path, {"host": host, "reference_host": "node016", **edges})


def _joulegrid(results: Path) -> int:
    (run,) = list_runs(results)
    rows = merge_attempt(run, run.attempt(1))["tables"]["samples"]["rows"]
    return int(rows)


def _files(results: Path) -> list[str]:
    return sorted(str(path) for path in results.rglob("part-*.parquet"))


def _target(results: Path) -> Path:
    return results / "peer.parquet"


def _rows_out(results: Path) -> int:
    return int(pq.read_metadata(_target(results)).num_rows)


def _copy_polars(results: Path) -> int:
    pl = importlib.import_module("polars")

    pl.scan_parquet(_files(results)).sink_parquet(_target(results), compression="zstd")
    return _rows_out(results)


def _copy_pyarrow(results: Path) -> int:
    with pq.ParquetWriter(_target(results), SAMPLES, compression="zstd") as writer:
        for path in _files(results):
            with pq.ParquetFile(path) as source:
                for index in range(source.num_row_groups):
                    writer.write_table(source.read_row_group(index).cast(SAMPLES))
    return _rows_out(results)


def _merge_polars(results: Path) -> int:
    pl = importlib.import_module("polars")

    keys = KEYS.split(", ")
    shards: dict[str, list[str]] = {}
    for path in _files(results):
        shards.setdefault(str(Path(path).parent), []).append(path)
    tree = [pl.scan_parquet(files).sort(keys) for files in shards.values()]
    while len(tree) > 1:
        pairs = [
            left.merge_sorted(right, key=keys)
            for left, right in zip(tree[::2], tree[1::2], strict=False)
        ]
        tree = pairs + (tree[-1:] if len(tree) % 2 else [])
    repeats = pl.all_horizontal([pl.col(key).eq_missing(pl.col(key).shift(1)) for key in keys])
    tree[0].filter(~repeats).sink_parquet(_target(results), compression="zstd")
    return _rows_out(results)


def _merge_duckdb(results: Path) -> int:
    duckdb = importlib.import_module("duckdb")

    with tempfile.TemporaryDirectory(dir=results) as spill, duckdb.connect() as base:
        base.execute(f"SET temp_directory = '{spill}'")
        base.execute("SET memory_limit = '1GB'")
        # Its own advice where memory is short; the result is ordered anyway.
        base.execute("SET preserve_insertion_order = false")
        base.execute(
            f"COPY (SELECT {KEYS}, min(value) AS value, min(reason) AS reason "  # noqa: S608
            f"FROM read_parquet({_files(results)!r}) GROUP BY {KEYS} "
            f"ORDER BY {KEYS}) TO '{_target(results)}' (FORMAT parquet, COMPRESSION zstd)"
        )
    return _rows_out(results)


def _merge_pyarrow(results: Path) -> int:
    keys = KEYS.split(", ")
    words = ds.ParquetReadOptions(dictionary_columns=keys[1:])
    form = ds.ParquetFileFormat(read_options=words)
    table = ds.dataset(_files(results), format=form).to_table().unify_dictionaries()
    for name in keys[1:]:
        column = table[name].combine_chunks()
        ranks = pc.rank(column.dictionary, tiebreaker="dense").cast(pa.int32())
        table = table.append_column(f"{name}_rank", ranks.take(column.indices))
    order = ["t_us", *(f"{name}_rank" for name in keys[1:])]
    table = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in order]))
    same = np.ones(table.num_rows - 1, dtype=bool)
    for name in order:
        column = table[name].to_numpy()
        same &= column[1:] == column[:-1]
    table = table.filter(pa.array(np.append(True, ~same))).select(SAMPLES.names)
    pq.write_table(table, _target(results), compression="zstd")
    return _rows_out(results)


METHODS: Final[dict[str, tuple[Callable[[Path], int], str | None]]] = {
    "copy_polars": (_copy_polars, "polars"),
    "copy_pyarrow": (_copy_pyarrow, None),
    "joulegrid": (_joulegrid, None),
    "merge_duckdb_1gb": (_merge_duckdb, "duckdb"),
    "merge_polars": (_merge_polars, "polars"),
    "merge_pyarrow": (_merge_pyarrow, None),
}


def measure(method: str, results: Path) -> dict[str, float]:
    """Run one method in this process: seconds, CPU seconds, peak memory, rows out."""
    work, peer = METHODS[method]
    if peer is not None:
        importlib.import_module(peer)
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    rows = work(results)
    return {
        "wall_s": time.perf_counter() - start_s,
        "cpu_s": time.process_time() - start_cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rows": rows,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Generate, run, compare; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--parts", type=int, default=1, help="files of each node")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--folder", type=Path, help="where the shards are, or are to be kept")
    parser.add_argument("--check", action="store_true", help="compare the results, not the speed")
    parser.add_argument("--measure", choices=sorted(METHODS), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.measure:
        sys.stdout.write(json.dumps(measure(given.measure, given.folder)) + "\n")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        if given.check:
            return _check(Path(scratch) / "results", given.rows, given.parts)
        folder: Path = given.folder or Path(scratch) / "results"
        if not list(list_runs(folder)):
            generate(folder, given.rows, given.parts)
        _compare(folder, given.methods.split(","), given.rounds)
    return 0


def _check(folder: Path, rows: int, parts: int) -> int:
    """Hold every peer's table to ours; the exit code is 1 where one differs."""
    run = generate(folder, rows, parts, clocks=False)
    _joulegrid(folder)
    ours = pq.read_table(run.attempt(1).table("samples")).replace_schema_metadata()
    differ = 0
    for method in ("merge_duckdb_1gb", "merge_polars", "merge_pyarrow"):
        work, peer = METHODS[method]
        if peer is not None and importlib.util.find_spec(peer) is None:
            sys.stdout.write(f"{method}: left out, {peer} cannot be imported\n")
            continue
        work(folder)
        same = ours.equals(pq.read_table(_target(folder)).cast(SAMPLES))
        differ += not same
        sys.stdout.write(f"{method}: {ours.num_rows} rows {'the same' if same else 'DIFFER'}\n")
    return min(differ, 1)


def _compare(folder: Path, methods: Sequence[str], rounds: int) -> None:
    files = [Path(path) for path in _files(folder)]
    rows = sum(pq.read_metadata(path).num_rows for path in files)
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    sys.stdout.write(f"{rows} rows in {len(files)} files, {size_mb:.0f} MB\n")
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for method in methods:
            peer = METHODS[method][1]
            if peer is not None and importlib.util.find_spec(peer) is None:
                if method not in found:
                    sys.stdout.write(f"{method}: left out, {peer} cannot be imported\n")
                found[method] = []
                continue
            command = [sys.executable, __file__, "--measure", method, "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.stdout.write(f"{method}: failed: {done.stderr[-300:]}\n")
                continue
            found.setdefault(method, []).append(json.loads(done.stdout))
    floor = [one["wall_s"] for one in found.get("copy_polars", [])]
    sys.stdout.write("method | wall s: median (min-max) | cpu s | peak MB | x floor | rows out\n")
    for method, runs in found.items():
        if not runs:
            continue
        wall_s = [one["wall_s"] for one in runs]
        # Round by round, so that a slow minute of the machine counts for both.
        ratios = [mine / its for mine, its in zip(wall_s, floor, strict=False)]
        sys.stdout.write(
            f"{method} | {statistics.median(wall_s):.2f} ({min(wall_s):.2f}-{max(wall_s):.2f})"
            f" | {statistics.median(one['cpu_s'] for one in runs):.1f}"
            f" | {max(one['peak_mb'] for one in runs):.0f}"
            f" | {statistics.median(ratios) if ratios else float('nan'):.2f}"
            f" | {runs[-1]['rows']:.0f}\n"
        )


if __name__ == "__main__":
    sys.exit(main())
