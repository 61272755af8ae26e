"""Work: a real run told as of another board, model, engine or length, or without a part."""

import hashlib
from collections.abc import Callable
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import (
    Columns,
    Forge,
    Json,
    close,
    drop,
    edit,
    edit_inventory,
    edit_shards,
    recompose,
    respec,
    saying,
    set_all,
    under,
    under_all,
    with_columns,
    with_gpus,
    without,
)


def rename_phase(old: str, new: str) -> Forge:
    def change(columns: Columns) -> None:
        columns["phase"] = [new if phase == old else phase for phase in columns["phase"]]

    return with_columns("spans", change)


def shorten(run: RunPaths) -> RunPaths:
    """All that ranks wrote is drawn together about the first batch, to seven tenths."""

    def spans(columns: Columns) -> None:
        start = min(
            at
            for at, phase in zip(columns["t_start_us"], columns["phase"], strict=True)
            if phase == "prefill"
        )
        for name in ("t_start_us", "t_end_us"):
            columns[name] = [drawn(at, start) for at in columns[name]]

    start_us = _first_prefill_us(run)

    def answers(columns: Columns) -> None:
        for name in ("first_token_us", "last_token_us", "t_us"):
            if name in columns:
                columns[name] = [drawn(at, start_us) for at in columns[name]]

    edit_shards(run, "spans", spans)
    edit_shards(run, "responses", answers)
    edit_shards(run, "steps", answers)
    return close(run)


def _first_prefill_us(run: RunPaths) -> int:
    spans = pq.read_table(run.attempt(1).table("spans"), partitioning=None)
    return int(pc.min(spans.filter(pc.equal(spans["phase"], "prefill"))["t_start_us"]).as_py())


def drawn(at: int, start: int) -> int:
    return at if at < start else start + round(0.7 * (at - start))


def one_trace(columns: Columns) -> None:
    """Every GPU has the first one's power."""
    devices = sorted({one for one in columns["device"] if one.startswith("GPU-")})
    rows = list(zip(*columns.values(), strict=True))
    place = {name: at for at, name in enumerate(columns)}

    def is_power(row: tuple[Any, ...]) -> bool:
        return bool(row[place["field"]] == "power_sample_w")

    first = [row for row in rows if is_power(row) and row[place["device"]] == devices[0]]
    kept = [row for row in rows if not (is_power(row) and row[place["device"]] in devices)]
    for device in devices:
        kept += [(*row[: place["device"]], device, *row[place["device"] + 1 :]) for row in first]
    kept.sort(key=lambda row: row[place["t_us"]])
    for name, at in place.items():
        columns[name] = [row[at] for row in kept]


def touched(columns: Columns) -> None:
    """One trace under all UUIDs, scaled, one reading in twenty another, the stamps shifted."""
    one_trace(columns)
    devices = sorted({one for one in columns["device"] if one.startswith("GPU-")})
    for at, (device, name) in enumerate(zip(columns["device"], columns["field"], strict=True)):
        if name == "power_sample_w" and device in devices[1:]:
            columns["value"][at] *= 1.01 + 0.01 * devices.index(device)
            columns["value"][at] += 3.0 * (at % 20 == 0)


def lose_prompts(run: RunPaths) -> RunPaths:
    """Three lines for 64 prompts, named by their own hash wherever one stands."""
    old = read_json(run.attempt(1).launch)["prompts_sha256"]
    lines = run.prompts(old).read_bytes().splitlines(keepends=True)[:3]
    new = hashlib.sha256(b"".join(lines)).hexdigest()
    run.prompts(new).write_bytes(b"".join(lines))
    edit(run.attempt(1).launch, lambda launch: launch.update(prompts_sha256=new))
    return close(run)


def _other_prompts(run: RunPaths) -> RunPaths:
    said = {"prompts": {"sha256": "0" * 64, "count": 64, "cut": 64}}
    edit_shards(run, "responses", metadata=lambda own: own.update(said))
    return close(run)


def _other_run(run: RunPaths) -> RunPaths:
    edit_shards(run, "spans", metadata=lambda said: said.update(run_id="another"))
    return close(run)


def all_equal(columns: Columns) -> None:
    for name in ("generated_ids", "text", "words", "generated_tokens"):
        columns[name] = [columns[name][0]] * len(columns[name])


def clean_git(provenance: Json) -> None:
    provenance["git"].update(dirty=False)


def other_packages(provenance: Json) -> None:
    provenance["packages"].update(torch="1.13.1")


def first_gpu(key: str, value: Any) -> Callable[[Json], object]:
    return lambda gpu: gpu.update({key: value}) if gpu["index"] == 0 else None


def as_a100(run: RunPaths) -> RunPaths:
    """A100 in the spec, the configuration, the inventory and what torch saw."""
    moved = respec(run, gpu="a100")
    recompose(moved, gpu="a100")
    name, memory = "NVIDIA A100-SXM4-80GB", 85_899_345_920
    edit_inventory(
        moved,
        lambda gpu: gpu.update(
            name=name, kind="a100", memory_bytes=memory, compute_capability="8.0"
        ),
    )
    edit(
        moved.attempt(1).model,
        lambda model: model["memory"].update(device_total_bytes=memory),
    )
    return close(moved)


def engine_in_step(run: RunPaths) -> RunPaths:
    """Engine reference in the spec, the configuration and model.json."""
    moved = respec(run, engine="reference")
    recompose(moved, engine={"name": "reference"})
    edit(moved.attempt(1).model, lambda model: model["engine"].update(name="reference"))
    return close(moved)


def shorten_in_step(run: RunPaths) -> RunPaths:
    """All in seven tenths of the time, and model.json's own lengths with it."""

    def model(content: Json) -> None:
        content["window"]["seconds"] *= 0.7

    edit(run.attempt(1).model, model)
    return shorten(run)


def as_of_before(run: RunPaths) -> RunPaths:
    """No model.json, and no key that came with it."""
    keys = ("logit_error", "max_warmup_batches", "min_window_s")
    edit(run.attempt(1).launch, drop(*keys))
    edit(run.attempt(1).provenance, lambda provenance: drop(*keys)(provenance["config"]))
    return without("model.json")(run)


WORK: dict[str, tuple[Forge, str]] = {
    "gpu a100 in the spec": (under(gpu="a100"), "board"),
    "gpu a100 in spec and configuration": (under_all(gpu="a100"), "board"),
    "gpu h100 in spec and configuration": (under_all(gpu="h100"), "board"),
    "model 13b": (under(model="13b"), "model"),
    "model 65b, in step": (under_all(model="65b"), "model"),
    "engine reference": (under(engine="reference"), "model"),
    "engine reference, in step": (under_all(engine="reference"), "model"),
    "dtype bf16": (under(dtype="bf16"), "model"),
    "quantization int4": (under(quantization="int4"), "model"),
    "weights of a checkpoint": (under(weights="llama-7b-0123abcd"), "model"),
    "weights of a checkpoint, in step": (under_all(weights="llama-7b-0123abcd"), "model"),
    "data set gsm8k": (under(dataset="gsm8k"), "launch"),
    "tokenizer": (under(tokenizer="llama-0123abcd"), "tokenizer"),
    "seed": (under(seed=2), "launch"),
    "seed, in step": (under_all(seed=2), "model"),
    "temperature": (under(temperature=0.0), "launch"),
    "temperature, in step": (under_all(temperature=0.0), "answers"),
    "top_p": (under(top_p=0.5), "launch"),
    "batch size": (under(batch_size=32), "batches"),
    "batch size, in step": (under_all(batch_size=32), "batches"),
    "prompts": (under_all(prompts=32), "prompts"),
    "length of prompts": (under_all(max_prompt_len=256), "lengths"),
    "length of answers": (under_all(max_gen_len=256), "lengths"),
    "ends not ignored": (under(ignore_eos=False), "launch"),
    "ranks a node": (under(gpus_per_node=2), "presence"),
    "repeat 3 of 1": (under(repeat=3), "launch"),
    "clock 600 asked for": (under_all(sm_clock_mhz=600), "sm-clock"),
    "gpu a100 throughout": (as_a100, "board"),
    "engine reference throughout": (engine_in_step, "model"),
    "seven tenths of the time, in step": (shorten_in_step, "durations"),
    "progress of another run": (
        saying("progress.json", lambda one: one.update(generated_tokens=7)),
        "durations",
    ),
    "work on CPU": (saying("launch.json", lambda one: one.update(device="cpu")), "launch"),
    "answers to other prompts": (_other_prompts, "prompts"),
    "shards of another run": (_other_run, "run-id"),
    "board named GT 710": (with_gpus(lambda gpu: gpu.update(name="GT 710")), "board"),
    "another driver on one GPU": (with_gpus(first_gpu("driver", "470.1")), "inventory"),
    "MIG on": (with_gpus(lambda gpu: gpu.update(mig=True)), "inventory"),
    "one UUID twice": (with_gpus(lambda gpu: gpu.update(serial="1")), "inventory"),
    "another memory": (with_gpus(lambda gpu: gpu.update(memory_bytes=80 << 30)), "board"),
    "an inventory unlike its shards": (
        saying("hosts/*.json", lambda host: host["gpus"][0].update(vbios="1.0")),
        "inventory",
    ),
    "a power model as the source": (
        saying("hosts/*.json", lambda host: host["source"].update(model="a line")),
        "inventory",
    ),
    "one trace under all UUIDs": (with_columns("samples", one_trace), "copies"),
    "one trace, touched": (with_columns("samples", touched), "copies"),
    "all in seven tenths of the time": (shorten, "durations"),
    "phase coffee": (rename_phase("overhead", "coffee"), "phases"),
    "idle as startup": (rename_phase("idle", "startup"), "phases"),
    "warm-up as load": (rename_phase("warmup", "load"), "phases"),
    "decode as overhead": (rename_phase("decode", "overhead"), "phases"),
    "all answers equal": (with_columns("responses", all_equal), "answers"),
    "negative ids": (
        with_columns("responses", set_all("generated_ids", [-1] * 128)),
        "answers",
    ),
    "ids of 10^9": (with_columns("responses", set_all("generated_ids", [10**9] * 128)), "answers"),
    "one text for all ids": (
        with_columns(
            "responses",
            lambda columns: columns.update(
                generated_ids=[columns["generated_ids"][0]] * len(columns["text"])
            ),
        ),
        "answers",
    ),
    "prompts file of 3 lines": (lose_prompts, "prompts"),
    "commit of forty f": (
        saying("provenance.json", lambda one: one["git"].update(commit="f" * 40)),
        "provenance",
    ),
    "dirty tree hidden": (saying("provenance.json", clean_git), "provenance"),
    "packages replaced": (saying("provenance.json", other_packages), "provenance"),
    "command replaced": (
        saying("provenance.json", lambda one: one.update(command=["python", "evil.py"])),
        "launch",
    ),
    "configuration removed": (saying("provenance.json", drop("config")), "launch"),
    "submit host replaced": (
        saying("provenance.json", lambda one: one.update(submit_host="elsewhere")),
        "provenance",
    ),
    "watcher's rows": (
        saying("watchers/vm.json", lambda one: one.update(rows=1)),
        "watchers",
    ),
    "watcher that ended early": (
        saying("watchers/vm.json", lambda one: one.update(ended_us=one["started_us"] + 1)),
        "watchers",
    ),
    "another rule of warm-up": (
        saying("model.json", lambda one: one["warmup"].update(spread=0.5)),
        "warm-up",
    ),
    "a batch of warm-up without a rate": (
        saying("model.json", lambda one: one["warmup"].update(batches=9)),
        "warm-up",
    ),
    "started elsewhere": (
        saying("started.json", lambda one: one.update(host="elsewhere")),
        "presence",
    ),
    "another executor": (
        saying("submitted.json", lambda one: one.update(executor="slurm")),
        "launch",
    ),
    "model.json removed": (without("model.json"), "model"),
    "model.json removed as if from before": (as_of_before, "model"),
    "warm-up removed": (saying("model.json", drop("warmup")), "warm-up"),
    "window removed": (saying("model.json", drop("window")), "window"),
    "memory removed": (saying("model.json", drop("memory")), "memory"),
    "steps removed": (without("shards/steps/*/*"), "steps"),
    "period": (saying("hosts/*.json", lambda host: host.update(period_ms=10)), "inventory"),
}
"""Each by what it claims, with the check that knows better."""
