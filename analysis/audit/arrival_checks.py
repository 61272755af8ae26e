"""Arrival checks: did a served load come as its spec says, and was it served when it came?"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import Case, Check, Finding, Severity, failed, judged, skipped
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import int_array
from telemetry.clock import US_PER_S
from telemetry.record.arrivals import arrivals_us

_TIMES: Final = ("arrived_us", "sent_us", "finished_us")
# What is drawn is rounded to a microsecond on every machine, after a logarithm of its own.
_DRAWN_SLACK_US: Final = 2
# An engine's begin and its span's are some lines apart, as with steps.
SPAN_SLACK_US: Final = 20_000
# One load of a hundred thousand that are drawn as they should be comes below it by chance.
LEAST_CHANCE: Final = 1e-5


def arrivals_as_drawn(case: Case) -> Finding:
    """Requests come when the spec's process says, are handed over then, and leave in the window."""
    spec, responses = case.run.spec, case.run.responses
    told = [name for name in _TIMES if name in responses.column_names]
    known = [name for name in told if responses[name].null_count < responses.num_rows]
    if spec.arrivals_per_s is None:
        if "arrived_us" in known:
            return failed("responses came at times of their own, the spec asks for batches")
        if not known:
            return skipped("prompts came as batches, to an engine of batches")
    wanted = _TIMES if spec.arrivals_per_s is not None else _TIMES[1:]
    for name in wanted:
        if name not in known or responses[name].null_count:
            return failed(f"`{name}` is missing of requests")
    edges = case.rank_0.batch_edges()
    faults: list[str] = []
    between_s: list[FloatArray] = []
    for number in sorted(set(responses["batch"].to_pylist())):
        own = responses.filter(pc.equal(responses["batch"], number)).sort_by("row")
        begun_us, ended_us = edges.get(number, (0, 0))
        if spec.arrivals_per_s is not None:
            came_us = int_array(own, "arrived_us") - begun_us
            drawn = arrivals_us(spec.arrivals_per_s, spec.arrivals_drawn_by, number, len(came_us))
            off_us = np.abs(came_us - np.array(drawn, dtype=np.int64))
            if off_us.max(initial=0) > _DRAWN_SLACK_US:
                faults.append(
                    f"batch {number}: request {int(off_us.argmax())} came "
                    f"{off_us.max() / US_PER_S:.6f} s from when seed {spec.arrivals_drawn_by} "
                    f"at {spec.arrivals_per_s:g}/s has it come"
                )
            between_s.append(np.diff(came_us, prepend=0) / US_PER_S)
        faults += [f"batch {number}: {fault}" for fault in _order_faults(own, begun_us, ended_us)]
    if (most := _most_in_flight(responses)) > spec.batch_size:
        faults.append(f"{most} requests were in flight at once, asked for were {spec.batch_size}")
    if spec.arrivals_per_s is None:
        return judged(faults, f"{responses.num_rows} requests were handed over with their batches")
    every = np.concatenate(between_s)
    chance = _chance(every, spec.arrivals_per_s)
    if chance < LEAST_CHANCE:
        faults.append(
            f"the times between {len(every)} arrivals are no Poisson process of "
            f"{spec.arrivals_per_s:g}/s: Kolmogorov-Smirnov p = {chance:.1e}"
        )
    return judged(
        faults,
        f"{len(every)} requests came as drawn at {spec.arrivals_per_s:g}/s "
        f"(Kolmogorov-Smirnov p = {chance:.2g})",
    )


def _order_faults(own: pa.Table, begun_us: int, ended_us: int) -> Iterator[str]:
    """Moments of a batch's requests that do not follow one another within its span."""
    sent, finished = int_array(own, "sent_us"), int_array(own, "finished_us")
    came = int_array(own, "arrived_us", otherwise=begun_us)
    first = int_array(own, "first_token_us", otherwise=-1)
    last = int_array(own, "last_token_us", otherwise=-1)
    kept = first >= 0
    for what, early, late in (
        ("was handed over before it came", came, sent),
        ("had its first token before it was handed over", sent[kept], first[kept]),
        ("had its last token before its first", first[kept], last[kept]),
        ("left before its last token", last[kept], finished[kept]),
        ("left before it was handed over", sent, finished),
    ):
        if (wrong := np.flatnonzero(late < early)).size:
            yield f"request {wrong[0]} {what}"
    outside_us = _outside_us(came, finished, begun_us, ended_us)
    if outside_us > SPAN_SLACK_US:
        yield f"a request came or left {outside_us / US_PER_S:.3f} s outside its batch's span"


def _most_in_flight(requests: pa.Table) -> int:
    """Requests that were handed over and not done, at once at most."""
    sent, left = (np.sort(int_array(requests, name)) for name in ("sent_us", "finished_us"))
    # Who leaves makes room for who is handed over at that moment.
    return int((np.arange(1, len(sent) + 1) - np.searchsorted(left, sent, side="right")).max())


def _outside_us(came: IntArray, left: IntArray, begun_us: int, ended_us: int) -> int:
    return int(max((begun_us - came).max(initial=0), (left - ended_us).max(initial=0)))


def _chance(between_s: FloatArray, rate_per_s: float) -> float:
    """How likely exponential intervals of that rate lie so far from their distribution."""
    # SciPy's tests load in a second, which runs of batches need not wait for.
    from scipy import stats  # noqa: PLC0415

    return float(stats.kstest(between_s, stats.expon(scale=1.0 / rate_per_s).cdf).pvalue)


ARRIVAL_CHECKS: Final = (
    Check(
        name="arrivals",
        claim="requests came as the spec's process has them come",
        severity=Severity.WRONG,
        rule=(
            "each request of a served load comes when the spec's rate and seed have it come, the "
            "times between arrivals are those of a Poisson process, and it is handed over, "
            "answered and left in that order within its batch's span; at most `batch_size` are in "
            "flight at once"
        ),
        tolerance=(
            f"{_DRAWN_SLACK_US} us of what is drawn, {SPAN_SLACK_US // 1000} ms between a request "
            f"and its span, p of at least {LEAST_CHANCE:g} by Kolmogorov-Smirnov"
        ),
        reason="a draw is a function of the spec alone, rounded to a microsecond",
        rules_out="a load that came otherwise than stated, and latencies counted from elsewhere",
        look=arrivals_as_drawn,
    ),
)
"""Checks of served loads, in the audit's order."""
