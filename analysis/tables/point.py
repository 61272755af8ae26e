"""Point: what tells points of a grid apart, and how every table sorts them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from analysis.runs.sealed_runs import Run
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.published import PAPER_ENGINE
from telemetry.record.spec import DTYPES, RunSpec

_OF: Final = ColumnsOf[RunSpec]()

POINT: Final = (
    _OF.text("model", "model", "Name of the model's shape.", lambda spec: spec.model),
    _OF.text("dataset", "dataset", "Where the prompts come from.", lambda spec: spec.dataset),
    _OF.text("gpu", "GPU", "Kind of GPU asked for.", lambda spec: spec.gpu),
    _OF.text("engine", "engine", "How tokens are generated.", lambda spec: spec.engine),
    _OF.text("dtype", "numbers", "Format of weights and activations.", lambda spec: spec.dtype),
    _OF.text(
        "quantization",
        "quantized",
        "Weight-only quantization of the layers' matrices.",
        lambda spec: spec.quantization,
    ),
    _OF.count("gpus", "GPUs", "Model-parallel ranks, one GPU each.", lambda spec: spec.gpus),
    _OF.count("nodes", "nodes", "Nodes the ranks are spread over.", lambda spec: spec.nodes),
    _OF.count("batch_size", "batch", "Prompts answered together.", lambda spec: spec.batch_size),
    _OF.count(
        "max_gen_len",
        "max tokens",
        "Tokens generated for each prompt at most.",
        lambda spec: spec.max_gen_len,
    ),
    _OF.number(
        "power_cap_w",
        "cap",
        "W",
        "Power limit asked for each GPU; empty: the GPU's own.",
        lambda spec: spec.power_cap_w,
        shown_with="power_cap_w",
    ),
)
"""What tells points of a grid apart at a glance."""
POINT_BY_NAME: Final[dict[str, Column[RunSpec]]] = {column.name: column for column in POINT}

QUANTIZATIONS: Final = ("none", "int8", "int4")
"""Quantizations in the order of every table: the more bits first."""
# Made-up models have no number of parameters in their names; the smaller stands first.
_MADE_UP: Final = ("nano", "micro")


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
    """Sorts formats of numbers: the more bits first."""
    return *_place(quantization, QUANTIZATIONS), *_place(dtype, DTYPES)


def run_order(run: Run) -> tuple[Any, ...]:
    """Sorts runs as every table has them: the smaller model first."""
    spec = run.spec
    work = (spec.dataset, spec.gpu, spec.gpus, spec.batch_size, spec.max_gen_len)
    formats = format_order(spec.quantization, spec.dtype)
    return (*model_order(spec.model), *work, *engine_order(spec.engine), *formats, run.run_id)


def _place(name: str, known: Sequence[str]) -> tuple[int, str]:
    return (known.index(name) if name in known else len(known)), name
