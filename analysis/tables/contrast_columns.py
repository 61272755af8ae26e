"""Contrast columns: engines, GPUs, formats of numbers."""

from typing import Final

from analysis.tables.column import SIMULATED, Column, count, number, share, text
from analysis.tables.columns import POINT

_NAMED: Final = {column.name: column for column in POINT}
_HALF: Final = (
    "Half of its 95 % interval where there are repeats, else the sensors' expanded uncertainty "
    "(k = 2)."
)


def _side(engine: str) -> tuple[Column, ...]:
    """What one engine had."""
    return (
        count(f"{engine}_n", f"{engine} repeats", f"Runs under `{engine}`.", shown=False),
        number(
            f"{engine}_energy_per_token_j",
            f"{engine} J / token",
            "J",
            f"Energy per generated token under `{engine}`: mean over repeats.",
            plus_minus=f"{engine}_energy_per_token_uncertainty_j",
        ),
        number(f"{engine}_energy_per_token_uncertainty_j", "±", "J", _HALF, shown=False),
        number(f"{engine}_power_w", f"{engine} W", "W", "Mean power of all working GPUs."),
        number(f"{engine}_tokens_per_s", f"{engine} tokens/s", "1/s", "Of the whole window."),
        number(
            f"{engine}_decode_tokens_per_s",
            f"{engine} decode tokens/s",
            "1/s",
            "Of DECODE alone.",
            shown=False,
        ),
        share(
            f"{engine}_bound_share",
            f"{engine} of bound",
            "tokens_per_s over the roofline bound by the stated peaks.",
            shown_with=f"{engine}_bound_share",
        ),
        share(
            f"{engine}_bound_share_measured",
            f"{engine} of bound (measured)",
            "The same by the measured peaks.",
            shown=False,
        ),
    )


ENGINES: Final = (
    *(column for column in POINT if column.name != "engine"),
    SIMULATED,
    *_side("reference"),
    *_side("fast"),
    number(
        "energy_fast_over_reference",
        "J, fast / reference",
        "1",
        "fast_energy_per_token_j / reference_energy_per_token_j.",
    ),
    number(
        "rate_fast_over_reference",
        "tokens/s, fast / reference",
        "1",
        "fast_tokens_per_s / reference_tokens_per_s.",
    ),
)
"""One row a grid point that both engines ran: all else is the same."""

_OWN: Final = (
    number("power_w", "power", "W", "Mean power of all working GPUs together."),
    number(
        "energy_per_token_j",
        "J / token",
        "J",
        "Energy per generated token: mean over repeats.",
        plus_minus="energy_per_token_uncertainty_j",
    ),
    number("energy_per_token_uncertainty_j", "±", "J", _HALF, shown=False),
    number("tokens_per_s", "tokens/s", "1/s", "Generated tokens over the whole window."),
    number("decode_tokens_per_s", "decode tokens/s", "1/s", "Of DECODE alone."),
    share(
        "bound_share",
        "of bound",
        "tokens_per_s over the roofline bound by the stated peaks.",
        shown_with="bound_share",
    ),
    share(
        "bound_share_measured",
        "of bound (measured)",
        "The same by the peaks measured on such a board.",
        shown_with="bound_share_measured",
    ),
)

SHARDING: Final = (
    _NAMED["model"],
    _NAMED["engine"],
    _NAMED["gpus"],
    *(
        _NAMED[name]
        for name in (
            *("nodes", "gpu", "dataset", "batch_size", "max_gen_len"),
            *("dtype", "quantization", "power_cap_w"),
        )
    ),
    SIMULATED,
    count("n", "repeats", "Sealed runs of the point."),
    *_OWN,
    number(
        "energy_over_fewest",
        "J vs fewest GPUs",
        "1",
        "energy_per_token_j over that of the same engine on the fewest GPUs that ran.",
    ),
)
"""One row a model, number of GPUs and engine, where several numbers of GPUs did the same work."""

FORMATS: Final = (
    _NAMED["model"],
    _NAMED["dtype"],
    _NAMED["quantization"],
    *(
        _NAMED[name]
        for name in (
            *("engine", "gpus", "nodes", "gpu", "dataset", "batch_size"),
            *("max_gen_len", "power_cap_w"),
        )
    ),
    SIMULATED,
    count("n", "repeats", "Sealed runs of the point."),
    *_OWN,
    share(
        "logit_relative_rms",
        "logit error",
        "Root mean square of the logits' difference from fp32 over that of fp32's logits, same "
        "weights, over the probe's tokens.",
        reason="logit_reason",
    ),
    number(
        "logit_max_abs",
        "largest",
        "1",
        "Largest difference of a logit from fp32's.",
        reason="logit_reason",
    ),
    share(
        "logit_argmax_agreement",
        "same choice",
        "Share of the probe's tokens after which the likeliest token is fp32's.",
        reason="logit_reason",
    ),
    count("logit_probe_tokens", "probed", "Tokens compared.", shown=False),
    number(
        "weight_bytes_per_step",
        "weights read",
        "B",
        "Weights that a step reads, over all ranks.",
        shown_with="weight_bytes_per_step",
    ),
    text("logit_reason", "logit error: why not", "Why it is missing.", shown=False),
)
"""One row a grid point that was run in several formats of numbers and weights."""
