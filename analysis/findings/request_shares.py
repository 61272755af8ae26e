"""Request shares: what each request of a run is charged of the energy, by a stated convention.

No sensor tells requests apart that a GPU works on at once, so this is an allocation and no
measurement. The run's energy, by its one method, is cut wherever a request is handed over, gets its
first or its last token, or leaves. Between two cuts the same requests are in flight, and the energy
there is shared among them twice: by time, each alike; and by tokens, each by what it had read and
written for it, its prompt evenly until its first token, its further tokens evenly until its last.
A request is charged the mean of both. Where nobody in flight has a token coming, time alone shares.
What was taken while nobody was in flight is charged to nobody.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy.curves import Curve
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import int_array
from analysis.tables.measured import Measured

RULE: Final = (
    "allocated, not measured: of the GPUs' energy between two moments at which requests come, get "
    "a first or last token or leave, half by time in flight and half by tokens read and written"
)
"""The convention, for a table's cell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Requests:
    """When each request of a run came and went; arrays of shape (requests,), in microseconds."""

    arrived_us: IntArray
    """When it came: its own time, or its batch's begin."""
    sent_us: IntArray
    """When the engine was handed it."""
    first_us: IntArray
    """When its first token was chosen; -1 where it kept none."""
    last_us: IntArray
    """When its last one was."""
    finished_us: IntArray
    """When the engine was done with it."""
    prompt: IntArray
    """Tokens of its prompt."""
    generated: IntArray
    """Tokens kept of its answer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestShares:
    """What a run's energy comes to by request; in joules."""

    by_time_j: FloatArray
    """Shared by time in flight alone; shape (requests,)."""
    by_tokens_j: FloatArray
    """Shared by tokens alone."""
    idle_j: float
    """Taken while nobody was in flight, charged to nobody."""
    total_j: float
    """The run's energy: all shares of one kind and the idle energy."""
    most_in_flight: int
    """Requests in flight at once at most."""

    @property
    def charged_j(self) -> FloatArray:
        """What each is charged: the mean of both ways."""
        return np.asarray((self.by_time_j + self.by_tokens_j) / 2.0)


def requests_of(run: Run, begun_us: dict[int, int], ended_us: dict[int, int]) -> Requests:
    """The requests of a run, in the order of its responses.

    `begun_us` and `ended_us` are begin and end of each batch on rank 0: where a prompt came or went
    with its batch.
    """
    responses = run.responses
    batch = responses["batch"].to_numpy()
    begin = np.array([begun_us[int(number)] for number in batch], dtype=np.int64)
    end = np.array([ended_us[int(number)] for number in batch], dtype=np.int64)

    def times(name: str, otherwise: IntArray) -> IntArray:
        if name not in responses.column_names:
            return otherwise
        told = int_array(responses, name, otherwise=-1)
        return np.where(told < 0, otherwise, told)

    nothing = np.full(len(batch), -1, dtype=np.int64)
    return Requests(
        arrived_us=times("arrived_us", begin),
        sent_us=times("sent_us", begin),
        first_us=times("first_token_us", nothing),
        last_us=times("last_token_us", nothing),
        finished_us=times("finished_us", end),
        prompt=int_array(responses, "prompt_tokens"),
        generated=int_array(responses, "generated_tokens"),
    )


def requests_and_shares(one: Measured) -> tuple[Requests, RequestShares | str] | str:
    """A run's requests, and its energy by request or why there is none; why there are no requests.

    Only an engine that takes prompts one by one has requests.
    """
    responses = one.run.responses
    if "sent_us" not in responses.column_names or responses["sent_us"].null_count:
        return "its engine answers batches"
    edges = one.run_energy.ranks[0].batch_edges()
    if not edges.keys() >= set(responses["batch"].to_pylist()):
        return "a batch has answers and no span of its own"
    requests = requests_of(
        one.run,
        {number: start_us for number, (start_us, _) in edges.items()},
        {number: end_us for number, (_, end_us) in edges.items()},
    )
    method = one.run_energy.method
    if one.energy.value is None or method is None:
        return requests, one.energy.reason or "no method"
    curves = [gpu.curve(method) for gpu in one.run_energy.gpus]
    if reason := next((curve for curve in curves if isinstance(curve, str)), None):
        return requests, reason
    known = [curve for curve in curves if isinstance(curve, Curve)]
    return requests, shares_of(requests, known, one.run_energy.window_us)


def shares_of(requests: Requests, curves: list[Curve], window_us: tuple[int, int]) -> RequestShares:
    """The energy of a window by request; what curves tell is summed over them."""
    sent, left = (np.clip(times, *window_us) for times in (requests.sent_us, requests.finished_us))
    kept = requests.first_us >= 0
    first = np.where(kept, np.clip(requests.first_us, sent, left), left)
    last = np.where(kept, np.clip(requests.last_us, first, left), left)
    cuts = np.unique(np.concatenate((sent, first, last, left, np.array(window_us))))
    at_j = np.sum([curve.at(cuts) for curve in curves], axis=0)
    piece_j = np.diff(at_j)

    def within(begins: IntArray, ends: IntArray, weights: FloatArray) -> FloatArray:
        """The sum of weights of all that are in each piece."""
        change = np.zeros(len(cuts))
        np.add.at(change, np.searchsorted(cuts, begins), weights)
        np.add.at(change, np.searchsorted(cuts, ends), -weights)
        return np.asarray(np.cumsum(change)[:-1])

    def between(per_weight: FloatArray, begins: IntArray, ends: IntArray) -> FloatArray:
        """What one of weight 1 has of all pieces from its begin to its end."""
        risen = np.concatenate(([0.0], np.cumsum(per_weight)))
        return np.asarray(risen[np.searchsorted(cuts, ends)] - risen[np.searchsorted(cuts, begins)])

    in_flight = np.rint(within(sent, left, np.ones(len(sent))))
    busy = in_flight > 0
    each_j = np.where(busy, piece_j / np.maximum(in_flight, 1.0), 0.0)
    by_time_j = between(each_j, sent, left)

    # Tokens a microsecond: of what is read until the first, and of what is written until the last.
    reads = np.where(first > sent, requests.prompt / np.maximum(first - sent, 1), 0.0)
    further = np.maximum(requests.generated - 1, 0)
    writes = np.where(last > first, further / np.maximum(last - first, 1), 0.0)
    # Who is in none of its pieces has no rate there; sums of rates that cancel leave a rounding.
    coming = np.rint(within(sent, first, (reads > 0).astype(np.float64)))
    coming += np.rint(within(first, last, (writes > 0).astype(np.float64)))
    rate = within(sent, first, reads) + within(first, last, writes)
    shared = busy & (coming > 0) & (rate > 0)
    per_rate_j = np.where(shared, piece_j / np.where(shared, rate, 1.0), 0.0)
    by_tokens_j = reads * between(per_rate_j, sent, first) + writes * between(
        per_rate_j, first, last
    )
    by_tokens_j += between(np.where(shared, 0.0, each_j), sent, left)
    return RequestShares(
        by_time_j=by_time_j,
        by_tokens_j=by_tokens_j,
        idle_j=float(piece_j[~busy].sum()),
        total_j=float(at_j[-1] - at_j[0]),
        most_in_flight=int(in_flight.max(initial=0)),
    )
