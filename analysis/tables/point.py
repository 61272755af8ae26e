"""Point: what tells points of a grid apart, and how every table sorts them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from analysis.runs.sealed_runs import Run
from analysis.tables.column import Column, ColumnsOf
from telemetry.record.spec import DTYPES, RunSpec

_OF: Final = ColumnsOf[RunSpec]()

POINT: Final = (
    _OF.text("model", "model", "Name of the model's shape.", lambda spec: spec.model),
    _OF.text(
        "weights",
        "weights",
        "`random`, or the digest of the checkpoint.",
        lambda spec: spec.weights,
        setting=True,
    ),
    _OF.text("dataset", "dataset", "Where the prompts come from.", lambda spec: spec.dataset),
    _OF.text("gpu", "GPU", "Kind of GPU asked for.", lambda spec: spec.gpu),
    _OF.text("engine", "engine", "How tokens are generated.", lambda spec: spec.engine),
    _OF.text(
        "dtype",
        "numbers",
        "Format of weights and activations.",
        lambda spec: spec.dtype,
        setting=True,
    ),
    _OF.text(
        "quantization",
        "quantized",
        "How the layers' matrices are rounded; fp8 rounds what they multiply by too.",
        lambda spec: spec.quantization,
    ),
    _OF.text(
        "kv_dtype",
        "keys",
        "Format of cached keys and values; empty: that of weights and activations.",
        lambda spec: spec.kv_dtype,
        setting=True,
    ),
    _OF.count("gpus", "GPUs", "Model-parallel ranks, one GPU each.", lambda spec: spec.gpus),
    _OF.count(
        "gpus_per_node",
        "GPUs a node",
        "GPUs used on each node.",
        lambda spec: spec.gpus_per_node,
        setting=True,
        follows=("gpus", "nodes"),
    ),
    _OF.count(
        "nodes",
        "nodes",
        "Nodes the ranks are spread over.",
        lambda spec: spec.nodes,
        setting=True,
    ),
    _OF.count("batch_size", "batch", "Prompts answered together.", lambda spec: spec.batch_size),
    _OF.number(
        "arrivals_per_s",
        "arrivals",
        "1/s",
        "Rate at which prompts come by themselves, as a Poisson process, at most `batch_size` of "
        "them worked on at once; empty: they come as batches.",
        lambda spec: spec.arrivals_per_s,
        setting=True,
    ),
    _OF.count(
        "arrivals_seed",
        "arrivals' seed",
        "Seed of when they come; empty: `seed`.",
        lambda spec: spec.arrivals_seed,
        setting=True,
    ),
    _OF.count(
        "prompts",
        "prompts",
        "Prompts of a pass: the first of the dataset after a shuffle with the seed.",
        lambda spec: spec.prompts,
        setting=True,
    ),
    _OF.count(
        "max_prompt_len",
        "max prompt",
        "Tokens a prompt may have; longer ones are cut.",
        lambda spec: spec.max_prompt_len,
        setting=True,
    ),
    _OF.count(
        "max_gen_len",
        "max tokens",
        "Tokens generated for each prompt at most.",
        lambda spec: spec.max_gen_len,
    ),
    _OF.number(
        "temperature",
        "temperature",
        "1",
        "Softmax temperature of sampling; 0 takes the likeliest token.",
        lambda spec: spec.temperature,
        setting=True,
    ),
    _OF.number(
        "top_p",
        "top p",
        "1",
        "Probability mass kept by nucleus sampling.",
        lambda spec: spec.top_p,
        setting=True,
    ),
    _OF.flag(
        "ignore_eos",
        "ignore eos",
        "Whether tokens after an end-of-sequence id are generated and counted.",
        lambda spec: spec.ignore_eos,
        setting=True,
    ),
    _OF.count(
        "seed",
        "seed",
        "Seed of prompt order, random weights and sampling.",
        lambda spec: spec.seed,
        setting=True,
    ),
    _OF.text(
        "tokenizer",
        "tokenizer",
        "Name and digest of the tokenizer.",
        lambda spec: spec.tokenizer,
        setting=True,
    ),
    _OF.number(
        "power_cap_w",
        "cap",
        "W",
        "Power limit asked for each GPU; empty: the GPU's own.",
        lambda spec: spec.power_cap_w,
        setting=True,
    ),
    _OF.number(
        "sm_clock_mhz",
        "clock lock",
        "MHz",
        "Lock asked for the multiprocessors' clock of each GPU; empty: none.",
        lambda spec: spec.sm_clock_mhz,
        setting=True,
    ),
    _OF.number(
        "memory_clock_mhz",
        "memory lock",
        "MHz",
        "Lock asked for the memory clock of each GPU; empty: none.",
        lambda spec: spec.memory_clock_mhz,
        setting=True,
    ),
    _OF.number(
        "prefill_power_cap_w",
        "prefill cap",
        "W",
        "Power limit asked for while prompts are read; empty: that of the whole run.",
        lambda spec: spec.prefill_power_cap_w,
        setting=True,
    ),
    _OF.number(
        "prefill_sm_clock_mhz",
        "prefill lock",
        "MHz",
        "Clock lock asked for while prompts are read; empty: that of the whole run.",
        lambda spec: spec.prefill_sm_clock_mhz,
        setting=True,
    ),
    _OF.number(
        "decode_power_cap_w",
        "decode cap",
        "W",
        "Power limit asked for while tokens are chosen; empty: that of the whole run.",
        lambda spec: spec.decode_power_cap_w,
        setting=True,
    ),
    _OF.number(
        "decode_sm_clock_mhz",
        "decode lock",
        "MHz",
        "Clock lock asked for while tokens are chosen; empty: that of the whole run.",
        lambda spec: spec.decode_sm_clock_mhz,
        setting=True,
    ),
)
"""What tells points of a grid apart: every field of a spec but `repeat`, and the nodes."""
POINT_BY_NAME: Final[dict[str, Column[RunSpec]]] = {column.name: column for column in POINT}

SETTING_WORDS: Final = {
    "power_cap_w": "cap {:g} W",
    "sm_clock_mhz": "{:g} MHz",
    "memory_clock_mhz": "memory {:g} MHz",
    "prefill_power_cap_w": "prefill cap {:g} W",
    "prefill_sm_clock_mhz": "prefill {:g} MHz",
    "decode_power_cap_w": "decode cap {:g} W",
    "decode_sm_clock_mhz": "decode {:g} MHz",
}
"""How a cap or a clock lock that was asked for is told, by column."""
LOCKS: Final = tuple(name for name in SETTING_WORDS if name != "power_cap_w")
"""What may be asked of GPUs beside a power cap of the whole run."""

PAPER_ENGINE: Final = "reference"
"""The engine that works as the software of arXiv 2310.03003 did: its numbers are held to this."""
RANDOM: Final = "random"
"""The weights of a model that nobody trained."""
UNQUANTIZED: Final = "none"
"""What quantization is called where weights are as the format of numbers has them."""
QUANTIZATIONS: Final = (UNQUANTIZED, "int8", "fp8", "int4")
"""Quantizations in the order of every table: those that err less first."""
# Which rounds what weights multiply by too.
_FP8: Final = "fp8"
# Made-up models have no number of parameters in their names; the smaller stands first.
_MADE_UP: Final = ("nano", "micro")


def setting_words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Each cap and clock lock that was asked for, in a word or two; a row may lack columns."""
    return tuple(
        words.format(float(row[name]))
        for name, words in SETTING_WORDS.items()
        if row.get(name) is not None
    )


def rounded_part(quantization: Any) -> str:
    """What a quantization rounds: `weights`; of fp8 `products`, as what they multiply by is too."""
    return "products" if quantization == _FP8 else "weights"


def kept_words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The format of cached keys and values where it is one of its own; a row may lack columns."""
    return () if row.get("kv_dtype") is None else (f"keys in {row['kv_dtype']}",)


def model_order(model: str) -> tuple[float, str]:
    """Sorts models by size: those made up for CPUs, then by billions of parameters."""
    if model in _MADE_UP:
        return float(_MADE_UP.index(model) - len(_MADE_UP)), model
    size = model.removesuffix("b")
    return (float(size) if size.replace(".", "", 1).isdigit() else 0.0), model


def engine_order(engine: str) -> tuple[bool, str]:
    """Sorts engines as every table has them: the paper's first, the others by name."""
    return engine != PAPER_ENGINE, engine


def engines_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Engines that are on record, each once, in the order of every table."""
    return tuple(sorted(set(names), key=engine_order))


def format_order(quantization: str, dtype: str) -> tuple[Any, ...]:
    """Sorts formats of numbers: those that err less first."""
    return *_place(quantization, QUANTIZATIONS), *_place(dtype, DTYPES)


def point_key(run: Run, but: Iterable[str] = ()) -> str:
    """Equal for runs whose specs are the same but for `but` and the repeat."""
    left_out = {*but, "repeat"}
    spec = run.spec.to_mapping()
    return json.dumps({name: spec[name] for name in sorted(spec) if name not in left_out})


def run_order(run: Run) -> tuple[Any, ...]:
    """Sorts runs as every table has them: the smaller model first."""
    spec = run.spec
    work = (spec.dataset, spec.gpu, spec.gpus, spec.batch_size, spec.max_gen_len)
    formats = format_order(spec.quantization, spec.dtype)
    return (*model_order(spec.model), *work, *engine_order(spec.engine), *formats, run.run_id)


def _place(name: str, known: Sequence[str]) -> tuple[int, str]:
    return (known.index(name) if name in known else len(known)), name
