"""Metrics: what a claim may be about: a column of the table of runs, or made of several."""

from collections.abc import Callable, Mapping
from typing import Final

from analysis.tables.column import Row


def _over(above: str, below: str) -> Callable[[Row], float | None]:
    def ratio(row: Row) -> float | None:
        one, two = _number(row, above), _number(row, below)
        return None if one is None or not two else one / two

    return ratio


def _power_identity(row: Row) -> float | None:
    power, per_token, rate = (
        _number(row, name) for name in ("power_w", "energy_per_token_j", "tokens_per_s")
    )
    if power is None or not per_token or not rate:
        return None
    return power / (per_token * rate)


def _response_identity(row: Row) -> float | None:
    per_response, per_token, tokens, responses = (
        _number(row, name)
        for name in (
            "energy_per_response_j",
            "energy_per_token_j",
            "generated_tokens",
            "responses",
        )
    )
    if per_response is None or not per_token or not tokens or not responses:
        return None
    return per_response / (per_token * tokens / responses)


def _answer_share(row: Row) -> float | None:
    per_response = _over("generated_tokens", "responses")(row)
    longest = _number(row, "max_gen_len")
    return None if per_response is None or not longest else per_response / longest


def _of_pass(name: str) -> Callable[[Row], float | None]:
    """Of one pass through the prompts, as the paper has it: short ones are answered again."""

    def one(row: Row) -> float | None:
        whole, passes = _number(row, name), _number(row, "passes")
        return whole if whole is None or not passes else whole / passes

    return one


def _power_over_cap(row: Row) -> float | None:
    power, cap = DERIVED["power_per_gpu_w"](row), _number(row, "power_cap_w")
    return None if power is None or not cap else power / cap


def _first_node_share(row: Row) -> float | None:
    apart = _number(row, "rank0_nodes_over_all_nodes_less_1")
    return None if apart is None else 1.0 + apart


DERIVED: Final[Mapping[str, Callable[[Row], float | None]]] = {
    "duration_s": _of_pass("duration_s"),
    "energy_j": _of_pass("energy_j"),
    "power_over_cap": _power_over_cap,
    "first_node_share": _first_node_share,
    "power_per_gpu_w": _over("power_w", "gpus"),
    "tokens_per_response": _over("generated_tokens", "responses"),
    "answer_share": _answer_share,
    "memory_share": _over("memory_allocated_bytes", "memory_device_bytes"),
    "power_identity": _power_identity,
    "response_identity": _response_identity,
}
"""Numbers that no column has: time and energy of one pass; power of a GPU, and that over its cap;
the first node's energy times the nodes, over that of all; generated ids of an answer, and their
share of the most that were asked for; share of a board's memory that a rank's tensors took; and
what must be 1 by the paper's own definitions."""
# Rank 0's node times the nodes, and tokens of the text that the public code returns.
_AS_THE_PAPER: Final[Mapping[str, str]] = {
    "power_w": "rank0_nodes_power_w",
    "energy_per_token_j": "rank0_nodes_energy_per_string_token_j",
    "energy_per_response_j": "rank0_nodes_energy_per_response_j",
    "tokens_per_s": "string_tokens_per_s",
}
EXACT: Final = ("power_identity", "response_identity", "answer_share")
"""Counts, and what is so by definition: one run shows it as well as many."""
_LIKE_ENERGY: Final = (
    *("energy_j", "energy_per_token_j", "energy_per_response_j", "power_w", "power_per_gpu_w"),
    *("power_over_cap", "first_node_share", *_AS_THE_PAPER.values()),
)


def metric_of(row: Row, metric: str) -> float | None:
    """One number of a run; None where it has none."""
    made = DERIVED.get(metric)
    return made(row) if made is not None else _number(row, metric)


def as_the_paper(metric: str, row: Row) -> str:
    """The column that a quantity is as the paper counts it, where the table has that."""
    column = _AS_THE_PAPER.get(metric, metric)
    return column if column in row else metric


def like_energy(metric: str) -> bool:
    """True of an energy over something exact, so that energy's sensors and gain are its own."""
    return metric in _LIKE_ENERGY


def _number(row: Row, name: str) -> float | None:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
