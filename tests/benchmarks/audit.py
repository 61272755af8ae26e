"""What it takes to audit a campaign of large runs: seconds and memory of all processes together.

    python -m tests.benchmarks.audit --runs 10 [--folder FOLDER] [--jobs 2] [--report]

Makes runs of 32 GPUs on 4 nodes and 10 minutes each in FOLDER where they are not there yet: ten
readings of every GPU at 10 Hz, two million rows a run, each run's power with a noise of its own
and its GPUs with names of their own. Then audits them as a user does, in a process whose memory
and that of all below it is added up once a second (proportional set size, so that what
processes share counts once). `--report` writes the report before, so that its tables are made
again too. Bound and prediction stand in NOTES.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.schema import METADATA_KEY, SAMPLES
from telemetry.record.seal import seal_attempt
from telemetry.record.spec import RunSpec
from tests.support.records import PERIOD_US, Plan, build_run

# A batch of 64 answers of 128 tokens takes 2 s and a bit: 261 batches are ten minutes.
PASSES: Final = 261
SPEC: Final[dict[str, Any]] = {
    **{"model": "7b", "engine": "fast", "dtype": "fp16", "gpu": "h200"},
    **{"gpus": 32, "gpus_per_node": 8, "prompts": 64, "batch_size": 64, "max_gen_len": 128},
}
# Beside power, its counter, clock, temperature and what holds the clock down.
MORE_FIELDS: Final = {
    **{"memory_clock_mhz": 3201.0, "gpu_utilization": 0.97, "memory_temperature_c": 61.0},
    **{"gpu_memory_used_bytes": 5.1e10, "power_limit_w": 700.0},
}
# Of a die at work, and of one that nothing holds down.
LEVELS: Final = {"gpu_temperature_c": 61.0, "throttle_reasons": 0.0}
WORDS: Final = 80
VOCABULARY: Final = 32_000
STEP_JITTER_US: Final = 40
UUID: Final = "GPU-0000-"
POWER: Final = "power_instant_w"
NOISE_W: Final = 3.0
POLL_S: Final = 1.0


def generate(results: Path, runs: int) -> None:
    """As many sealed runs in `results`, of which those that are there are kept."""
    results.mkdir(parents=True, exist_ok=True)
    missing = range(len(list(list_runs(results))), runs)
    if not missing:
        return
    with tempfile.TemporaryDirectory(dir=results.parent) as scratch:
        board = {"name": "NVIDIA H200", "kind": "h200", "power_limit_w": 700.0}
        plan = Plan(spec=SPEC, gpu=board, rank_counter=True, state=True, passes=PASSES)
        plan = replace(plan, words=" ".join(["word"] * WORDS))
        template = build_run(Path(scratch), plan)
        (results / "prompts").mkdir(exist_ok=True)
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            made = [pool.submit(_derive, template, results, number) for number in missing]
            for number, one in enumerate(as_completed(made), 1):
                one.result()
                sys.stderr.write(f"\rmade run {number} of {len(missing)}")
    sys.stderr.write("\n")


def _derive(template: RunPaths, results: Path, number: int) -> None:
    """The template under a seed of its own, on GPUs of its own, with noise of its own."""
    spec = RunSpec.from_mapping({**read_json(template.spec), "seed": number})
    run = RunPaths(results=results, run_id=spec.run_id)
    attempt = run.attempt(1)
    shutil.copytree(
        template.attempt(1).folder,
        attempt.folder,
        ignore=lambda _, names: [
            name for name in names if name in ("seal.json", "manifest.json") or _is_made(name)
        ],
    )
    write_json(run.spec, spec.to_mapping())
    (prompts,) = (template.results / "prompts").iterdir()
    shutil.copy2(prompts, results / "prompts")
    own = UUID.replace("0000", f"{number:04d}")
    for path in attempt.folder.rglob("*.json"):
        text = path.read_text().replace(UUID, own).replace(template.run_id, run.run_id)
        path.write_text(text)
    provenance = read_json(attempt.provenance)
    provenance["config"]["seed"] = number
    write_json(attempt.provenance, provenance)
    random = np.random.default_rng(number)
    for path in sorted(attempt.folder.rglob("part-*.parquet")):
        _rewrite(path, own, template.run_id, run.run_id, random)
    for path in attempt.watchers.glob("*.json"):
        rows = sum(
            pq.read_metadata(part).num_rows
            for part in attempt.samples_shard(path.stem).glob("*.parquet")
        )
        write_json(path, {**read_json(path), "rows": rows})
    merge_attempt(run, attempt)
    seal_attempt(run, attempt)


def _is_made(name: str) -> bool:
    """Whether a file is made of the shards, or chains those of the template."""
    table = name.endswith(".parquet") and not name.startswith("part-")
    return table or name.startswith("chain-")


def _rewrite(path: Path, own: str, before: str, run_id: str, random: np.random.Generator) -> None:
    table = pq.read_table(path, partitioning=None)
    text = table.schema.metadata[METADATA_KEY].decode()
    metadata = json.loads(text.replace(UUID, own).replace(before, run_id))
    for name in ("device", "gpu_uuid"):
        if name in table.column_names:
            at = table.column_names.index(name)
            column = pc.replace_substring(table[name], UUID, own)
            table = table.set_column(at, table.schema.field(at), column)
    if metadata["kind"] == "samples":
        table = _with_noise(table, random)
        metadata["periods_us"] |= dict.fromkeys(MORE_FIELDS, PERIOD_US)
    if metadata["kind"] == "responses":
        table = _with_answers(table, random)
    if metadata["kind"] == "steps":
        table = _with_jitter(table, random)
    schema = table.schema.with_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    pq.write_table(table.cast(schema), path, compression="zstd")


def _with_noise(table: pa.Table, random: np.random.Generator) -> pa.Table:
    """Power that no other run has, in whole mW, and the readings that a template lacks."""
    is_power = pc.equal(table["field"], POWER).to_numpy()
    value = table["value"].to_numpy().copy()
    for name, level in LEVELS.items():
        value[pc.equal(table["field"], name).to_numpy()] = level
    value[is_power] = np.round(value[is_power] + random.normal(0, NOISE_W, is_power.sum()), 3)
    at = table.column_names.index("value")
    table = table.set_column(at, table.schema.field(at), pa.array(value))
    base = table.filter(is_power)
    more = []
    for name, level in MORE_FIELDS.items():
        columns = dict(zip(base.column_names, base.columns, strict=True))
        columns["field"] = pa.array([name] * base.num_rows)
        columns["value"] = pa.array(np.full(base.num_rows, level))
        more.append(pa.table(columns).cast(SAMPLES))
    whole = pa.concat_tables([table.cast(SAMPLES), *more])
    return whole.take(pc.sort_indices(whole, sort_keys=[("t_us", "ascending")]))


def _with_answers(table: pa.Table, random: np.random.Generator) -> pa.Table:
    """Answers that no other run gave: as long as before, of other ids and other words."""
    ids = random.integers(3, VOCABULARY, (table.num_rows, SPEC["max_gen_len"]))
    known = [f"word{number}" for number in range(4096)]
    words = random.integers(0, len(known), (table.num_rows, WORDS))
    text = [" ".join(known[word] for word in row) for row in words.tolist()]
    for name, column in (("generated_ids", pa.array(ids.tolist())), ("text", pa.array(text))):
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, column.cast(field.type))
    return table


def _with_jitter(table: pa.Table, random: np.random.Generator) -> pa.Table:
    """Steps that no clock could have beaten, but the first and the last of each batch."""
    step = table["step"].to_numpy()
    inner = (step > 0) & (step < SPEC["max_gen_len"] - 1)
    t_us = table["t_us"].to_numpy() + inner * random.integers(
        -STEP_JITTER_US, STEP_JITTER_US, len(step)
    )
    at = table.column_names.index("t_us")
    return table.set_column(at, table.schema.field(at), pa.array(t_us))


def measure(results: Path, jobs: int) -> dict[str, Any]:
    """One audit in a process of its own: seconds, CPU seconds, peak memory of all, the verdict."""
    command = [sys.executable, "-m", "analysis.audit", str(results), "--jobs", str(jobs)]
    load = os.getloadavg()[0]
    begin_s, before = time.perf_counter(), os.times()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        peak_bytes = 0
        while child.poll() is None:
            peak_bytes = max(peak_bytes, _together_bytes(child.pid))
            time.sleep(POLL_S)
        out.seek(0)
        verdict = next((line for line in out if " checks of " in line), "no verdict").strip()
    after = os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])
    return {
        "wall_s": round(time.perf_counter() - begin_s, 1),
        "cpu_s": round(cpu_s, 1),
        "peak_mib": round(peak_bytes / 2**20),
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "exit": child.returncode,
        "verdict": verdict,
    }


def _together_bytes(pid: int) -> int:
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def main(argv: Sequence[str] | None = None) -> int:
    """Make the campaign, audit it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where the runs are, or are to be kept")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="with a report beside the runs")
    parser.add_argument("--only-make", action="store_true")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = given.folder or Path(scratch) / "results"
        generate(folder, given.runs)
        if given.only_make:
            return 0
        if given.report:
            subprocess.run([sys.executable, "-m", "analysis", str(folder)], check=True)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        said = {"runs": given.runs, "mb": round(size / 1e6), "jobs": given.jobs}
        sys.stdout.write(json.dumps({**said, **measure(folder, given.jobs)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
