"""Contradicted: one part of a real run falsified, which another part of it contradicts."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq

from analysis.audit.pieces import Pieces
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.schema import METADATA_KEY
from telemetry.record.seal import seal_attempt
from tests.analysis.audit.forging import (
    Columns,
    Forge,
    Json,
    close,
    edit,
    edit_shards,
    recompose,
    respec,
    saying,
    with_columns,
    with_gpus,
)
from workers.tokenizers.tokenizer import BUNDLED_MODEL


def one(column: str, value: Any) -> Callable[[Columns], object]:
    return lambda columns: columns[column].__setitem__(len(columns[column]) // 2, value)


def steps_at(share: Callable[[float], float]) -> Callable[[Columns], object]:
    """Every batch's steps between its first and last, at these shares of its time."""

    def change(columns: Columns) -> None:
        for batch in set(columns["batch"]):
            own = [at for at, number in enumerate(columns["batch"]) if number == batch]
            first, last = columns["t_us"][own[0]], columns["t_us"][own[-1]]
            for place, at in enumerate(own):
                columns["t_us"][at] = first + int((last - first) * share(place / (len(own) - 1)))

    return change


def idle_end_lowered(columns: Columns) -> None:
    at = columns["phase"].index("idle")
    columns["energy_end_j"][at] = round(columns["energy_end_j"][at] - 100.0, 3)


def half_unsaid(columns: Columns) -> None:
    """The second half of every answer is ends, the text what is left, and words recounted."""
    pieces = Pieces.parse(BUNDLED_MODEL.read_bytes())
    end = pieces.texts.index("</s>")
    for at, ids in enumerate(columns["generated_ids"]):
        kept = [*ids[: len(ids) // 2], *[end] * (len(ids) - len(ids) // 2)]
        columns["generated_ids"][at] = kept
        columns["text"][at] = pieces.text(kept)
        columns["words"][at] = len(columns["text"][at].split())


def ends_not_ignored(run: RunPaths) -> RunPaths:
    moved = respec(run, ignore_eos=False)
    recompose(moved, ignore_eos=False)
    return close(moved)


def of_13b(run: RunPaths) -> RunPaths:
    """A model twice as large in the spec, the configuration and model.json's own shape."""
    moved = respec(run, model="13b")
    recompose(moved, model={"name": "13b"})
    shape = {
        "name": "13b",
        **{"dim": 5120, "ffn": 13824, "heads": 40, "layers": 40, "params": 13_015_864_320},
        "kv_bytes_per_position": 819_200,
        "weight_bytes_per_step": 25_703_792_640,
    }
    edit(moved.attempt(1).model, lambda model: model["shape"].update(shape))
    return close(moved)


def prompts_not_sealed(run: RunPaths) -> RunPaths:
    seal = read_json(run.attempt(1).seal)
    seal["files"] = {name: one for name, one in seal["files"].items() if "prompts/" not in name}
    write_json(run.attempt(1).seal, seal)
    return run


def other_words_of_a_table(run: RunPaths) -> RunPaths:
    attempt = run.attempt(1)
    table = pq.read_table(attempt.table("responses"), partitioning=None)
    said = json.loads(table.schema.metadata[METADATA_KEY])
    for shard in said["shards"].values():
        shard["tokenizer"] = {"name": "another"}
    path = attempt.table("responses")
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(said)}), path)
    attempt.seal.unlink()
    seal_attempt(run, attempt)
    return run


def written_by_rank_0(run: RunPaths) -> RunPaths:
    edit_shards(run, "spans", metadata=lambda said: said.update(rank=0))
    return close(run)


def late_clock(run: RunPaths) -> RunPaths:
    def later(said: Json) -> None:
        said["clock"]["offset_us"] += 200_000

    edit_shards(run, "samples", metadata=later)
    return close(run)


CONTRADICTED: dict[str, tuple[Forge, str]] = {
    "the end of a rank's rest 100 J lower": (with_columns("spans", idle_end_lowered), "tiling"),
    "one span on another host": (with_columns("spans", one("host", "another")), "gpus"),
    "negative prompts in a span": (with_columns("spans", one("prompts", -7)), "tokens"),
    "prompts of a span beyond the responses": (
        with_columns("spans", one("prompts", 2**31 - 1)),
        "tokens",
    ),
    "steps at one pace": (with_columns("steps", steps_at(lambda share: share)), "steps"),
    "steps of one moment": (
        with_columns("steps", steps_at(lambda share: float(share > 0))),
        "steps",
    ),
    "half of all tokens without a text": (with_columns("responses", half_unsaid), "recount"),
    "ends not ignored, in step": (ends_not_ignored, "model"),
    "model 13b throughout": (of_13b, "model"),
    "an error of the logits that was not measured": (
        saying("model.json", lambda model: model["logit_error"].update(rms=0.001)),
        "model",
    ),
    "ranks that began an hour before": (
        saying(
            "ranks/*.json",
            lambda rank: rank.update(started_us=rank["started_us"] - 3_600_000_000),
        ),
        "lifetime",
    ),
    "shards of one rank under all ranks' names": (written_by_rank_0, "presence"),
    "another driver on all": (with_gpus(lambda gpu: gpu.update(driver="1.0")), "inventory"),
    "another limit than was read": (
        with_gpus(lambda gpu: gpu.update(power_limit_w=400.0)),
        "inventory",
    ),
    "a limit below the least": (
        with_gpus(lambda gpu: gpu.update(power_limit_w=50.0)),
        "inventory",
    ),
    "a highest limit that no board has": (
        with_gpus(lambda gpu: gpu.update(power_limit_max_w=2_000.0)),
        "board",
    ),
    "a peak of memory below what was kept": (
        saying("model.json", lambda model: model["memory"].update(peak_allocated_bytes=1)),
        "memory",
    ),
    "half the memory of rank 0": (
        saying(
            "model.json",
            lambda model: model["memory"].update(
                allocated_bytes=model["memory"]["allocated_bytes"] // 2
            ),
        ),
        "memory",
    ),
    "progress of other prompts": (
        saying("progress.json", lambda one: one.update(prompts_total=12)),
        "durations",
    ),
    "progress of fewer passes": (
        saying("progress.json", lambda one: one.update({"pass": 3})),
        "durations",
    ),
    "a watcher that failed": (
        saying("watchers/vm.exit.json", lambda one: one.update(exit_code=1)),
        "watchers",
    ),
    "a watcher of another process": (
        saying("watchers/vm.exit.json", lambda one: one.update(pid=1)),
        "watchers",
    ),
    "a watcher that hardly polled": (
        saying("watchers/vm.json", lambda one: one.update(ticks=5)),
        "watchers",
    ),
    "a period of 10 ms, in step": (
        lambda run: saying("launch.json", lambda one: one.update(period_ms=10))(
            saying("hosts/*.json", lambda one: one.update(period_ms=10))(run)
        ),
        "watchers",
    ),
    "a watcher that began before it was ready": (
        saying(
            "watchers/vm.json",
            lambda one: one.update(started_us=one["started_us"] - 100_000_000),
        ),
        "watchers",
    ),
    "a reason why a whole attempt ended": (
        saying("ended.json", lambda one: one.update(reason="out of memory")),
        "lifetime",
    ),
    "a clock 0.2 s off its node's": (
        late_clock,
        "lifetime",
    ),
    "readings of a model asked for": (
        saying("launch.json", lambda one: one.update(telemetry="simulated")),
        "launch",
    ),
    "other threads": (saying("launch.json", lambda one: one.update(threads=4)), "launch"),
    "prompts that the seal leaves out": (prompts_not_sealed, "seal"),
    "other words of a table's shards": (other_words_of_a_table, "merge"),
}
"""Each by what it claims, with the check that knows better."""
