"""Energies: watts and joules of a real run falsified, rounded as its driver rounds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.record.paths import AttemptPaths, RunPaths
from tests.analysis.audit.forging import Forge
from tests.support.forgeries import (
    dropped,
    edit_json,
    edit_shards,
    rank_counters,
    reseal,
    scaled,
    sealed_attempt,
    values_changed,
)

POWER = ("power_sample_w", "power_instant_w", "power_average_w")
COUNTER = ("energy_j",)
DIGITS = 3

Step = Callable[[AttemptPaths], None]
"""One falsification among those of a record."""


def samples(edit: Callable[[pa.Table], pa.Table]) -> Step:
    return lambda attempt: edit_shards(attempt, "samples", edit)


def spans(edit: Callable[[pa.Table], pa.Table]) -> Step:
    return lambda attempt: edit_shards(attempt, "spans", edit)


def rounded(change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda value, *_: np.round(change(value), DIGITS)


def times(factor: float, *fields: str) -> Step:
    return samples(values_changed(rounded(lambda value: value * factor), *fields))


def ranks_times(factor: float) -> Step:
    return spans(rank_counters(rounded(lambda value: value * factor)))


def all_times(factor: float) -> tuple[Step, Step]:
    return times(factor, *POWER, *COUNTER), ranks_times(factor)


def less_60_w(attempt: AttemptPaths) -> None:
    """60 W less on every reader, at all times."""
    first: list[int] = []

    def of_counter(value: Any, rows: pa.Table) -> Any:
        t_us = rows["t_us"].to_numpy()
        first.append(int(t_us.min()))
        return np.round(value - 60.0 * (t_us - first[0]) / 1e6, DIGITS)

    def of_spans(table: pa.Table) -> pa.Table:
        for name, edge in (("energy_start_j", "t_start_us"), ("energy_end_j", "t_end_us")):
            own = pc.fill_null(table[name], np.nan).to_numpy()
            own = np.round(own - 60.0 * (table[edge].to_numpy() - first[0]) / 1e6, DIGITS)
            at = table.schema.get_field_index(name)
            column = pa.array(own, mask=np.isnan(own))
            table = table.set_column(at, table.schema.field(at), column)
        return table

    edit_shards(attempt, "samples", values_changed(lambda value, _: value - 60.0, *POWER))
    edit_shards(attempt, "samples", values_changed(of_counter, *COUNTER))
    edit_shards(attempt, "spans", of_spans)


def without_limit(attempt: AttemptPaths) -> None:
    for host in attempt.hosts.glob("*.json"):
        edit_json(
            host,
            lambda record: {
                **record,
                "gpus": [
                    {name: None if "limit" in name else value for name, value in gpu.items()}
                    for gpu in record["gpus"]
                ],
            },
        )


def decode_to(phase: str, *, share: float = 0.3, by_power: bool, by_rank: bool) -> Step:
    """A share of the energy in DECODE told to have been drawn in another phase."""

    def forge(attempt: AttemptPaths) -> None:
        marks: dict[str, list[tuple[int, int]]] = {"decode": [], phase: []}

        def of_spans(table: pa.Table) -> pa.Table:
            rows = table.to_pylist()
            marks["decode"], marks[phase] = [], []
            moved_j = 0.0
            for row in rows:
                if row["phase"] in marks:
                    marks[row["phase"]].append((row["t_start_us"], row["t_end_us"]))
                if row["energy_start_j"] is None or row["energy_end_j"] is None or not by_rank:
                    continue
                taken_j = row["energy_end_j"] - row["energy_start_j"]
                row["energy_start_j"] = round(row["energy_start_j"] - moved_j, DIGITS)
                if row["phase"] == "decode":
                    moved_j += share * taken_j
                elif row["phase"] == phase:
                    moved_j = 0.0
                row["energy_end_j"] = round(row["energy_end_j"] - moved_j, DIGITS)
            return pa.Table.from_pylist(rows, schema=table.schema)

        def of_power(value: Any, rows: pa.Table) -> Any:
            t_us = rows["t_us"].to_numpy()
            inside = {name: np.zeros(len(t_us), dtype=bool) for name in marks}
            for name, edges in marks.items():
                for start_us, end_us in edges:
                    inside[name] |= (t_us > start_us) & (t_us <= end_us)
            moved = share * value[inside["decode"]].sum() / max(1, inside[phase].sum())
            value = np.where(inside["decode"], (1.0 - share) * value, value)
            return np.round(np.where(inside[phase], value + moved, value), DIGITS)

        edit_shards(attempt, "spans", of_spans)
        if by_power:
            edit_shards(attempt, "samples", values_changed(of_power, "power_sample_w"))

    return forge


def stepped_back(value: Any, rows: pa.Table) -> Any:
    """The last poll of each counter shows 1000 J less than the first."""
    device = np.array(rows["device"].to_pylist())
    for one in np.unique(device):
        mine = np.flatnonzero(device == one)
        value[mine[-1]] = value[mine[0]] - 1000.0
    return value


def rank_stepped_back(value: Any) -> Any:
    value = value.copy()
    value[len(value) // 2] -= 1000.0
    return value


def falsified(*steps: Step) -> Forge:
    """The record with each of these done to it."""

    def forge(run: RunPaths) -> RunPaths:
        for step in steps:
            step(sealed_attempt(run))
        reseal(run)
        return run

    return forge


ENERGIES: dict[str, tuple[Forge, str]] = {
    "power and the ranks' counters x 0.8, the watcher's own left": (
        falsified(times(0.8, *POWER), ranks_times(0.8)),
        "polls",
    ),
    "the watcher's counter x 0.8 alone": (falsified(times(0.8, *COUNTER)), "rank-counter"),
    "all x 0.8, not rounded": (
        falsified(
            samples(scaled(0.8, *POWER, *COUNTER)),
            spans(rank_counters(lambda value: value * 0.8)),
        ),
        "digits",
    ),
    "60 W less everywhere": (falsified(less_60_w), "rest"),
    "all x 0.3": (falsified(*all_times(0.3)), "rest"),
    "the watcher's counter dropped and the rest x 0.7": (
        falsified(samples(dropped(*COUNTER)), times(0.7, *POWER), ranks_times(0.7)),
        "polls",
    ),
    "power dropped": (falsified(samples(dropped(*POWER))), "polls"),
    "the finest power dropped": (falsified(samples(dropped("power_sample_w"))), "polls"),
    "no limit and all x 2": (falsified(without_limit, *all_times(2.0)), "power"),
    "decode's energy moved to overhead in the ranks' counters": (
        falsified(decode_to("overhead", by_power=False, by_rank=True)),
        "phase-shares",
    ),
    "decode's energy moved to prefill in power": (
        falsified(decode_to("prefill", by_power=True, by_rank=False)),
        # Prefill is then above what any reading can be.
        "polls",
    ),
    "less of it moved in both": (
        falsified(decode_to("prefill", share=0.2, by_power=True, by_rank=True)),
        "power",
    ),
    "polls that step back": (
        falsified(samples(values_changed(stepped_back, *COUNTER))),
        "counters",
    ),
    "a rank's counter that steps back": (
        falsified(spans(rank_counters(rank_stepped_back))),
        "counters",
    ),
}
"""Each by what it claims, with the check that knows better."""
