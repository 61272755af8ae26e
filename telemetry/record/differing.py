"""Differing: which fields set runs apart, and how plan, status and tables say so.

Two rows of one name and two values are no comparison as long as nobody says what differs. Every
list of runs asks here which fields do, so that none can forget one.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec

SPEC_FIELDS: Final = tuple(
    # A configuration's digest is in the name of its model.
    field.name
    for field in dataclasses.fields(RunSpec)
    if field.name != "model_config"
)
"""All that decides the GPUs' work, in the spec's order."""

# What only says where things lie on the nodes, or is read into the record whatever it is.
_NO_MEASUREMENT: Final = frozenset(
    {
        *("device", "prompts_sha256", "tokenizer_path", "dcgm_bindings", "dcgm_address"),
        *("weights_path", "verify_weights", "logit_error", "signing_key"),
        *("link_s", "lodge_heads", "power_shares", "task"),
    }
)
MEASUREMENT_FIELDS: Final = tuple(
    field.name for field in dataclasses.fields(LaunchConfig) if field.name not in _NO_MEASUREMENT
)
"""What decides how work is measured, not the work: the same run may be measured otherwise."""

LABELS: Final[Mapping[str, str]] = {
    **{"model": "model", "engine": "engine", "dtype": "format", "quantization": "bits"},
    **{"weights": "weights", "tokenizer": "tokenizer", "gpu": "GPU", "gpus": "GPUs"},
    **{"gpus_per_node": "GPUs/node", "dataset": "dataset", "prompts": "prompts"},
    **{"batch_size": "batch", "max_prompt_len": "prompt len", "max_gen_len": "new"},
    **{"temperature": "temp", "top_p": "top-p", "ignore_eos": "past EOS", "seed": "seed"},
    **{"power_cap_w": "cap W", "sm_clock_mhz": "lock MHz", "repeat": "repeat"},
    **{"memory_clock_mhz": "memory MHz", "prefill_power_cap_w": "prefill cap W"},
    **{"prefill_sm_clock_mhz": "prefill MHz", "decode_power_cap_w": "decode cap W"},
    **{"decode_sm_clock_mhz": "decode MHz", "arrivals_per_s": "arrivals/s"},
    **{"arrivals_seed": "arrivals' seed", "kv_dtype": "keys"},
    **{"power": "power way", "power_lock_before_mhz": "site lock MHz"},
    **{"threads": "threads", "telemetry": "telemetry", "period_ms": "period ms"},
    **{"idle_s": "idle s", "warmup_batches": "warm-up", "max_warmup_batches": "most warm-up"},
    **{"warmup_spread": "warm-up spread", "max_warmup_s": "most warm-up s"},
    **{"min_window_s": "window s", "gpu_fields": "readings"},
}
"""Heading of each field's column where room is short; no two are the same."""

# A record of before the field was there: the value that such a run had.
_BEFORE: Final = {
    "quantization": "none",
    "min_window_s": 0.0,
    "max_warmup_batches": None,
    "gpu_fields": None,
    "power": "auto",
}


def differing(
    rows: Sequence[Mapping[str, Any]], names: Iterable[str] = SPEC_FIELDS
) -> tuple[str, ...]:
    """Those of `names` that have more than one value in `rows`, in the order of `names`.

    Args:
        rows: a mapping for each run, such as `RunSpec.to_mapping()`; one that lacks a field has
            the value of the runs of before there was such a field.
        names: which fields are looked at.
    """
    return tuple(name for name in names if len({repr(field_value(row, name)) for row in rows}) > 1)


def field_value(row: Mapping[str, Any], name: str) -> Any:
    """A field's value in one run; a whole number where JSON or a configuration wrote 1.0 for 1."""
    value = row.get(name, _BEFORE.get(name))
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def short_text(value: object) -> str:
    """A field's value as a cell has it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def told(row: Mapping[str, Any], names: Iterable[str]) -> str:
    """`name=value` of each field in one line, by the names that the command line has."""
    return ", ".join(f"{name}={short_text(field_value(row, name))}" for name in names)
