"""Definitions: the columns that count tokens and energy as others do, beside ours.

arXiv 2310.03003 takes the energy of rank 0's node times the number of nodes, and tokens of the
text that its code decodes, which has the prompts in it. Ours are the energy of all nodes and ids
generated and kept. All stand in every row: what a joule per token is depends on both.
"""

from collections.abc import Callable
from typing import Final

from analysis.energy.uncertain import Uncertain
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.measured import Measured

_OF: Final = ColumnsOf[Measured]()
_ENERGY: Final = "energy_j"
_RANK0: Final = "rank0_nodes_energy_j"


def _over(energy: Uncertain, count: int | None, reason: str | None) -> Uncertain:
    return Uncertain.unknown(str(reason)) if count is None else energy.over(count)


def _per_string(energy: Callable[[Measured], Uncertain]) -> Callable[[Measured], Uncertain]:
    return lambda one: _over(energy(one), one.string_tokens.value, one.string_tokens.reason)


def _per_uncut(energy: Callable[[Measured], Uncertain]) -> Callable[[Measured], Uncertain]:
    return lambda one: _over(energy(one), one.uncut_tokens.value, one.uncut_tokens.reason)


def _all_nodes(one: Measured) -> Uncertain:
    return one.energy


def _rank0(one: Measured) -> Uncertain:
    return one.rank0_nodes


def _per_s(count: int | None, one: Measured) -> float | None:
    return None if count is None else count / one.duration_s


def _joules(
    name: str, label: str, meaning: str, amount: Callable[[Measured], Uncertain], reason: str
) -> tuple[Column[Measured], ...]:
    return _OF.uncertain(name, label, "J", meaning, amount, told=False, shown=False, reason=reason)


DEFINED: Final[tuple[Column[Measured], ...]] = (
    *_OF.uncertain(
        _RANK0,
        "rank 0 x nodes",
        "J",
        "Energy of the working GPUs of rank 0's node times the number of nodes: the paper's "
        "energy. On one node it is energy_j.",
        _rank0,
        told=False,
        reason="rank0_nodes_reason",
        shown=False,
    ),
    _OF.share(
        "rank0_nodes_over_all_nodes_less_1",
        "rank 0 x nodes vs all",
        f"{_RANK0} / {_ENERGY} - 1: 0 on one node; elsewhere how far the paper's energy lies from "
        "that of all nodes.",
        lambda one: one.rank0_nodes_apart.value,
        reason="rank0_nodes_reason",
        shown=False,
    ),
    _OF.count(
        "string_tokens",
        "tokens of the text",
        "Ids of the texts as the public code returns them: prompt_tokens + generated_tokens.",
        lambda one: one.string_tokens.value,
        reason="string_tokens_reason",
        shown=False,
    ),
    _OF.count(
        "uncut_tokens",
        "tokens, uncut",
        "The same with what was generated behind the end of the sequence: prompt_tokens + "
        "max_gen_len of each response.",
        lambda one: one.uncut_tokens.value,
        reason="uncut_tokens_reason",
        shown=False,
    ),
    *_joules(
        "energy_per_string_token_j",
        "J / token of the text",
        "energy_j / string_tokens.",
        _per_string(_all_nodes),
        "string_tokens_reason",
    ),
    *_joules(
        "energy_per_uncut_token_j",
        "J / token, uncut",
        "energy_j / uncut_tokens.",
        _per_uncut(_all_nodes),
        "uncut_tokens_reason",
    ),
    *_joules(
        "energy_per_word_j",
        "J / word",
        "energy_j / words.",
        lambda one: one.energy.over(one.words),
        "words_reason",
    ),
    *_OF.uncertain(
        "rank0_nodes_power_w",
        "power, rank 0 x nodes",
        "W",
        f"{_RANK0} / duration_s.",
        lambda one: one.rank0_nodes.over(one.duration_s),
        told=False,
        shown=False,
        reason="rank0_nodes_reason",
    ),
    *_joules(
        "rank0_nodes_energy_per_token_j",
        "J / token, rank 0 x nodes",
        f"{_RANK0} / generated_tokens.",
        lambda one: one.rank0_nodes.over(one.tokens),
        "rank0_nodes_reason",
    ),
    *_joules(
        "rank0_nodes_energy_per_string_token_j",
        "J / token of the text, rank 0 x nodes",
        f"{_RANK0} / string_tokens.",
        _per_string(_rank0),
        "string_tokens_reason",
    ),
    *_joules(
        "rank0_nodes_energy_per_uncut_token_j",
        "J / token, uncut, rank 0 x nodes",
        f"{_RANK0} / uncut_tokens.",
        _per_uncut(_rank0),
        "uncut_tokens_reason",
    ),
    *_joules(
        "rank0_nodes_energy_per_word_j",
        "J / word, rank 0 x nodes",
        f"{_RANK0} / words.",
        lambda one: one.rank0_nodes.over(one.words),
        "words_reason",
    ),
    *_joules(
        "rank0_nodes_energy_per_response_j",
        "J / response, rank 0 x nodes",
        f"{_RANK0} / responses.",
        lambda one: one.rank0_nodes.over(one.responses),
        "rank0_nodes_reason",
    ),
    _OF.number(
        "string_tokens_per_s",
        "tokens of the text/s",
        "1/s",
        "string_tokens / duration_s.",
        lambda one: _per_s(one.string_tokens.value, one),
        reason="string_tokens_reason",
        shown=False,
    ),
    _OF.number(
        "uncut_tokens_per_s",
        "tokens, uncut/s",
        "1/s",
        "uncut_tokens / duration_s.",
        lambda one: _per_s(one.uncut_tokens.value, one),
        reason="uncut_tokens_reason",
        shown=False,
    ),
)
"""Energy of all nodes and of rank 0's times their number, over each count of tokens, words and
responses."""

DEFINED_METRICS: Final = tuple(
    column.name
    for column in DEFINED
    if column.type == "number" and "_uncertainty" not in column.name
)
"""Those of them that have a mean and an interval over repeats."""

DEFINED_WHY_NOT: Final = (
    _OF.why(
        "rank0_nodes_reason",
        "rank 0 x nodes",
        "Why rank0_nodes_energy_j, what a token took of it, or how far it lies from energy_j, is "
        "missing.",
        lambda one: one.rank0_nodes.over(one.tokens).reason or one.rank0_nodes_apart.reason,
    ),
    _OF.why(
        "string_tokens_reason",
        "tokens of the text",
        "Why string_tokens, or what is told of them, is missing.",
        lambda one: one.string_tokens.reason or one.rank0_nodes.reason,
    ),
    _OF.why(
        "uncut_tokens_reason",
        "tokens, uncut",
        "Why uncut_tokens, or what is told of them, is missing.",
        lambda one: one.uncut_tokens.reason or one.rank0_nodes.reason,
    ),
    _OF.why(
        "words_reason",
        "words",
        "Why there are no joules per word.",
        lambda one: one.rank0_nodes.over(one.words).reason,
    ),
)
"""Why each of them is missing."""
