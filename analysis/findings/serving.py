"""Serving: the tables of requests, run by run and one by one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from analysis.findings.request_shares import RULE
from analysis.findings.served import Served, ServedRequest, served
from analysis.runs.series import FloatArray
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind

_SHARES: Final = ((50, 0.5), (90, 0.9), (99, 0.99))
"""Quantiles that latencies are told by."""
# 1,000 of 10,000 requests take 17 kB of the page, and their quantiles, in `serving`, are of all.
_MOST_ON_PAGE: Final = 1_000


def _run_rows(one: Measured) -> Iterator[Served]:
    if (found := served(one)) is not None:
        yield found


def _request_rows(one: Measured) -> Iterator[ServedRequest]:
    if (found := served(one)) is not None:
        yield from (ServedRequest(of=found, at=at) for at in range(len(found.requests.sent_us)))


_OF: Final = ColumnsOf[Served]()
_NAMED: Final = (
    *("model", "engine", "dataset", "gpu", "gpus", "nodes", "batch_size", "max_gen_len"),
    *("arrivals_per_s", "arrivals_seed", "seed"),
)


def _quantiles(
    name: str, label: str, meaning: str, values: Callable[[Served], FloatArray]
) -> Iterator[Column[Served]]:
    for per_cent, share in _SHARES:
        yield _OF.number(
            f"{name}_p{per_cent}_s",
            f"{label} p{per_cent}",
            "s",
            f"{meaning}; quantile {share:g} over requests.",
            partial(_quantile, values, share),
        )


def _quantile(values: Callable[[Served], FloatArray], share: float, one: Served) -> float | None:
    found = values(one)
    return float(np.quantile(found, share)) if len(found) else None


SERVING: Final = TableKind(
    name="serving",
    title="Requests as they were served",
    columns=(
        _OF.run_id(lambda one: one.of.run_id),
        *(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec) for name in _NAMED),
        _OF.simulated(lambda one: one.of.simulated),
        *label_columns(_OF, lambda one: one.of),
        _OF.count(
            "requests", "requests", "Requests answered.", lambda one: len(one.requests.sent_us)
        ),
        _OF.number(
            "answered_per_s",
            "answered",
            "1/s",
            "Requests answered over the window's length.",
            lambda one: one.answered_per_s,
        ),
        _OF.count(
            "most_in_flight",
            "at once",
            "Requests in flight at once at most.",
            lambda one: None if isinstance(one.shares, str) else one.shares.most_in_flight,
            reason="reason",
        ),
        *_quantiles(
            "latency", "latency", "From when it came to when it was done", lambda one: one.latency_s
        ),
        *_quantiles(
            "request_first_token",
            "first token",
            "From when it came to its first token, of requests that kept one",
            lambda one: one.first_s,
        ),
        *_quantiles(
            "request_inter_token",
            "next token",
            "Mean time between its tokens, of requests that kept two",
            lambda one: one.between_s,
        ),
        _OF.number(
            "handed_over_late_s",
            "handed over late",
            "s",
            "Longest time from when a request came to when the engine was handed it: a step of the "
            "engine ends in between.",
            lambda one: float(one.waited_s.max(initial=0.0)),
            shown=False,
        ),
        *_OF.uncertain(
            "energy_in_flight_j",
            "J in flight",
            "J",
            "Energy of the GPUs while requests were in flight: what is allocated to them.",
            lambda one: one.in_flight,
            reason="reason",
        ),
        *_OF.uncertain(
            "energy_nobody_j",
            "J for nobody",
            "J",
            "Energy of the GPUs in the window while no request was in flight: charged to none. "
            "Both together are energy_j of the run.",
            lambda one: one.idle,
            reason="reason",
        ),
        *_OF.uncertain(
            "energy_per_request_j",
            "J / request",
            "J",
            "energy_in_flight_j / requests: what a request is charged on average.",
            lambda one: one.mean,
            reason="reason",
        ),
        *_OF.uncertain(
            "energy_per_request_p50_j",
            "J / request p50",
            "J",
            "Median of what requests are charged.",
            lambda one: one.charged(0.5),
            reason="reason",
        ),
        *_OF.uncertain(
            "energy_per_request_p99_j",
            "J / request p99",
            "J",
            "Quantile 0.99 of what requests are charged.",
            lambda one: one.charged(0.99),
            reason="reason",
        ),
        _OF.text("rule", "how", "The convention by which energy is shared.", lambda _: RULE),
        _OF.reason(lambda one: one.shares if isinstance(one.shares, str) else None),
    ),
    of_run=_run_rows,
    section="findings",
    heading="What requests waited for and were charged",
    text="Of engines that take prompts one by one. Joules of a request are allocated, not "
    "measured: half by time in flight, half by tokens read and written, so that they sum to the "
    "energy of the GPUs while any was in flight.",
)
"""One row a run of requests."""

_ONE: Final = ColumnsOf[ServedRequest]()

REQUESTS: Final = TableKind(
    name="requests",
    title="Requests one by one",
    columns=(
        _ONE.run_id(lambda one: one.of.of.run_id),
        *(
            replace(_ONE.told(POINT_BY_NAME[name], lambda one: one.of.of.spec), shown=False)
            for name in ("model", "engine", "gpu", "arrivals_per_s")
        ),
        _ONE.simulated(lambda one: one.of.of.simulated),
        *label_columns(_ONE, lambda one: one.of.of),
        _ONE.count(
            "batch",
            "batch",
            "Batch, which is a pass of a served load.",
            lambda one: one.response("batch"),
        ),
        _ONE.count(
            "row",
            "row",
            "Place in the batch, in the order of arrival.",
            lambda one: one.response("row"),
        ),
        _ONE.count(
            "prompt_tokens",
            "prompt",
            "Tokens of its prompt.",
            lambda one: one.response("prompt_tokens"),
        ),
        _ONE.count(
            "generated_tokens",
            "tokens",
            "Tokens kept of its answer.",
            lambda one: one.response("generated_tokens"),
        ),
        _ONE.number(
            "handed_over_s",
            "handed over",
            "s",
            "From when it came to when the engine was handed it.",
            lambda one: one.since("sent_us"),
        ),
        _ONE.number(
            "request_first_token_s",
            "first token",
            "s",
            "From when it came to its first token; empty: it kept none.",
            lambda one: one.since("first_us"),
        ),
        _ONE.number(
            "latency_s",
            "done",
            "s",
            "From when it came to when the engine was done with it.",
            lambda one: one.since("finished_us"),
        ),
        *_ONE.uncertain(
            "energy_charged_j",
            "J",
            "J",
            "What it is charged: half of energy_by_time_j and half of energy_by_tokens_j. "
            "Allocated, not measured.",
            lambda one: one.charged,
            reason="reason",
        ),
        *_ONE.uncertain(
            "energy_by_time_j",
            "J by time",
            "J",
            "Its share where energy is shared among those in flight alike.",
            lambda one: one.by_time,
            reason="reason",
            shown=False,
        ),
        *_ONE.uncertain(
            "energy_by_tokens_j",
            "J by tokens",
            "J",
            "Its share where energy is shared among those in flight by tokens: "
            "the prompt evenly until its first token, the further ones evenly until its last.",
            lambda one: one.by_tokens,
            reason="reason",
            shown=False,
        ),
        _ONE.reason(lambda one: one.of.shares if isinstance(one.of.shares, str) else None),
    ),
    of_run=_request_rows,
    section="findings",
    heading="Each request",
    page_rows_a_run=_MOST_ON_PAGE,
    text="Joules are allocated by the convention above: those of a run and what was taken "
    "for nobody sum to its energy.",
)
"""One row a request."""
