"""Forms: the line of SCI for AI, and that of the EU's model documentation form."""

from typing import Any, Final

from analysis.footprint.amount import FootprintAmount
from analysis.footprint.factors import NOT_STATED
from analysis.footprint.footprint import SIMULATED, Footprint, Footprints
from analysis.footprint.operations import METHOD

# What the form's own example of a task generates.
_FORM_TOKENS: Final = 100_000
_SCI: Final = "SCI for AI (Green Software Foundation), on ISO/IEC 21031:2024"
_EU: Final = (
    "EU General-Purpose AI Code of Practice, Model Documentation Form (2025-07-10): benchmarked "
    "amount of computation used for inference"
)
# What a consumer's boundary has to include by SCI for AI, and GPUs alone do not.
_LEFT_OUT: Final = (
    *("API and inference service beside the GPUs", "orchestration", "scaling", "observability"),
    *("storage", "user interface", "tool connectors"),
)
_NO_EMBODIED: Final = f"{NOT_STATED}: embodied_g_per_gpu_hour, the emissions of making the hardware"


def sci(one: Footprint, whole: Footprints) -> dict[str, Any]:
    """The line of SCI for AI: (operational + embodied) / R over a period, R generated tokens.

    Without both parts there is no score; the operational part a token stands by itself.
    """
    subject = one.subject
    refused = SIMULATED if subject.simulated else None
    tokens = subject.tokens / (len(subject.runs) if subject.kind == "point" else 1)
    operational = _refused(one.carbon_g, refused)
    embodied = one.embodied_g
    if embodied.value is None:
        embodied = FootprintAmount.none(_NO_EMBODIED)
    embodied = _refused(embodied, refused)
    per_token = _refused(one.carbon_per_token_g, refused)
    return {
        "specification": _SCI,
        "of": subject.name,
        "energy_j": subject.energy_j.to_mapping(),
        "operational_g": operational.to_mapping(),
        "operational_g_per_r": per_token.to_mapping(),
        "embodied_g": embodied.to_mapping(),
        "sci_g_per_r": _score(per_token, embodied, tokens).to_mapping(),
        "functional_unit": "generated token",
        "r": tokens,
        "period": None if subject.period is None else "/".join(subject.period),
        "boundary": "GPUs",
        "boundary_in_full": whole.boundary,
        "not_in_the_boundary": list(_LEFT_OUT),
        "labels": list(one.marks),
    }


def eu_form(one: Footprint) -> dict[str, Any]:
    """The form's line: operations for 100,000 generated tokens, with the hardware; joules beside.

    Two significant figures are what the form asks for at least; the number stands in full beside.
    """
    subject = one.subject
    operations = subject.operations_per_token
    reason = SIMULATED if subject.simulated else operations if isinstance(operations, str) else None
    value = None
    if reason is None:
        assert not isinstance(operations, str)
        value = operations * _FORM_TOKENS
    joules = _refused(
        subject.energy_per_token_j.times(_FORM_TOKENS), SIMULATED if subject.simulated else None
    )
    return {
        "form": _EU,
        "of": subject.name,
        "operations_flop": value,
        "operations_two_figures": None if value is None else two_figures(value),
        "reason": reason,
        "task": f"generating {_FORM_TOKENS} tokens",
        "method": METHOD,
        "hardware": f"simulated: {subject.hardware}" if subject.simulated else subject.hardware,
        "energy_j": joules.to_mapping(),
        "energy_boundary": "GPUs",
        "labels": list(one.marks),
    }


def two_figures(value: float) -> str:
    """A number to two significant figures: `1.4e+15`."""
    return f"{value:.1e}"


def _refused(amount: FootprintAmount, reason: str | None) -> FootprintAmount:
    return amount if reason is None else FootprintAmount.none(reason)


def _score(per_token: FootprintAmount, embodied: FootprintAmount, tokens: float) -> FootprintAmount:
    if embodied.value is None or per_token.value is None or tokens <= 0:
        lacking = per_token.reason or embodied.reason or "no token was generated"
        return FootprintAmount.none(lacking)
    more = embodied.value / tokens
    low, high = (None if end is None else end + more for end in (per_token.low, per_token.high))
    return FootprintAmount(value=per_token.value + more, low=low, high=high)
