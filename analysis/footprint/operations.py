"""Operations: floating-point operations of a run's generated tokens, by the model's arithmetic."""

from typing import Final

from analysis.performance.run_performance import Performance
from telemetry.record.schema import Phase

METHOD: Final = (
    "counted from the recorded lengths of prompts and answers: 2 operations a parameter of the "
    "layers' matrices and token, attention over the positions met, and the output head, prefill of "
    "the prompts included; a multiply-add is two; padding and what a finished row computes on are "
    "not counted"
)
"""How they are had, for a form that asks."""


def operations_per_token(performance: Performance, tokens: int) -> float | str:
    """Operations over generated tokens, or why there are none."""
    if tokens <= 0:
        return "no token was generated"
    arithmetic = performance.model.arithmetic
    if isinstance(arithmetic, str):
        return arithmetic
    works = [performance.work(phase) for phase in (Phase.ENCODE, Phase.PREFILL, Phase.DECODE)]
    known = [work for work in works if work is not None]
    if len(known) < len(works):
        latency = performance.latency
        return latency if isinstance(latency, str) else "its work is not on record"
    return sum(work.flops(arithmetic) for work in known) / tokens
