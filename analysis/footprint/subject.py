"""Subject: what a footprint is of: a run, a grid point, or all runs together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.energy.run_energy import RunEnergy
from analysis.footprint.amount import FootprintAmount, total
from analysis.footprint.operations import operations_per_token
from analysis.runs.labels import Label, in_order, of_words
from analysis.runs.sealed_runs import Loaded, Run
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.column import Row
from analysis.tables.labels import WORDS
from analysis.tables.measured import Measured
from analysis.tables.table import Tables
from telemetry.record.when import told_us

RUN, POINT, CAMPAIGN = "run", "point", "campaign"
_S_PER_H: Final = 3600.0
_POINT: Final = ("model", "dataset", "gpu", "gpus", "engine", "batch_size", "max_gen_len")


@dataclass(frozen=True, kw_only=True)
class FootprintOf:
    """What is measured, before any factor."""

    kind: str
    """`run`, `point` or `campaign`."""
    name: str
    """The run's name, the point in words, or `measured` and `simulated` of a campaign."""
    runs: tuple[str, ...]
    """The runs in it."""
    simulated: bool
    """True where a run in it is simulated."""
    labels: tuple[Label, ...]
    """What has to stand beside its numbers."""
    energy_j: FootprintAmount
    """Energy of all working GPUs in the window; of a point the mean of a repeat."""
    gain_j: float | None
    """What the boards' own errors of gain may come to in it, beside the interval; None: none."""
    energy_per_token_j: FootprintAmount
    """The same over generated tokens; of a campaign the sum over the sum."""
    interval: str
    """By what the intervals are made."""
    tokens: int
    """Generated tokens of all its runs."""
    gpu_hours: float
    """GPUs times the window, over all its runs."""
    operations_per_token: float | str
    """Floating-point operations over generated tokens, or why they are not known."""
    hardware: str
    """Number and product name of the GPUs that worked."""
    period: tuple[str, str] | None
    """UTC, begin of the first window and end of the last; None where it is not known."""


@dataclass(frozen=True, kw_only=True)
class _RunFacts:
    operations: float | str
    """A token, or why not."""
    hardware: str
    """Of the GPUs that its ranks had."""
    window_us: tuple[int, int] | None
    """The measured window."""


def subjects_of(loaded: Loaded, tables: Tables) -> tuple[FootprintOf, ...]:
    """Every run, every grid point, and all that is measured and all that is simulated together."""
    runs = {run.run_id: run for run in loaded.runs}
    rows = [row for row in tables.runs.rows if row["run_id"] in runs]
    products = _products(tables)
    facts = {str(row["run_id"]): _facts(runs[str(row["run_id"])], row, products) for row in rows}
    of_runs = [_run(row, facts[str(row["run_id"])]) for row in rows]
    by_name = {one.name: one for one in of_runs}
    points = [_point(row, by_name, facts) for row in tables.groups.rows]
    return (*of_runs, *points, *_campaigns(of_runs, facts))


def _facts(run: Run, row: Row, products: Mapping[str, str]) -> _RunFacts:
    hardware = products.get(run.run_id, "not recorded")
    try:
        measured = Measured(RunEnergy(run))
        operations = operations_per_token(measured.performance, int(row["generated_tokens"] or 0))
        window_us = measured.run_energy.window_us
    except UNREADABLE as error:
        return _RunFacts(operations=shortened(error), hardware=hardware, window_us=None)
    finally:
        run.let_go()
    return _RunFacts(operations=operations, hardware=hardware, window_us=window_us)


def _products(tables: Tables) -> dict[str, str]:
    """By run what its ranks worked on: `1 x NVIDIA H200`."""
    found: dict[str, dict[str, int]] = {}
    for row in tables.gpus.rows:
        if row["rank"] is not None:
            own = found.setdefault(str(row["run_id"]), {})
            name = str(row["product"] or "GPU of no name on record")
            own[name] = own.get(name, 0) + 1
    return {
        run_id: ", ".join(f"{count} x {name}" for name, count in sorted(own.items()))
        for run_id, own in found.items()
    }


def _run(row: Row, facts: _RunFacts) -> FootprintOf:
    energy, width = row["energy_j"], row["energy_uncertainty_j"]
    tokens = int(row["generated_tokens"] or 0)
    why = str(row["energy_reason"] or "it has no energy")
    half = None if width is None else float(width)
    amount = (
        FootprintAmount.none(why) if energy is None else FootprintAmount.around(float(energy), half)
    )
    return FootprintOf(
        kind=RUN,
        name=str(row["run_id"]),
        runs=(str(row["run_id"]),),
        simulated=bool(row["simulated"]),
        labels=_labels([row]),
        energy_j=amount,
        gain_j=_gain(row),
        energy_per_token_j=amount.times(1 / tokens) if tokens else FootprintAmount.none("no token"),
        interval="the sensors' timing (k = 2)" if half is not None else "none",
        tokens=tokens,
        gpu_hours=float(row["duration_s"] or 0.0) * int(row["gpus"] or 0) / _S_PER_H,
        operations_per_token=facts.operations,
        hardware=facts.hardware,
        period=_period([facts]),
    )


def _point(
    row: Row, runs: Mapping[str, FootprintOf], facts: Mapping[str, _RunFacts]
) -> FootprintOf:
    own = [runs[name] for name in str(row["runs"]).split() if name in runs]
    told = [facts[one.name] for one in own]
    return FootprintOf(
        kind=POINT,
        name=", ".join(f"{name}={row[name]}" for name in _POINT),
        runs=tuple(one.name for one in own),
        simulated=bool(row["simulated"]),
        labels=_labels([row]),
        energy_j=_of_group(row, "energy_j"),
        gain_j=max((one.gain_j for one in own if one.gain_j is not None), default=None),
        energy_per_token_j=_of_group(row, "energy_per_token_j"),
        interval=_interval(row),
        tokens=sum(one.tokens for one in own),
        gpu_hours=sum(one.gpu_hours for one in own),
        operations_per_token=_mean_operations(own),
        hardware="; ".join(dict.fromkeys(one.hardware for one in told)),
        period=_period(told),
    )


def _gain(row: Row) -> float | None:
    gain = row["energy_gain_uncertainty_j"]
    return None if gain is None else float(gain)


def _of_group(row: Row, name: str) -> FootprintAmount:
    mean = row[f"{name}_mean"]
    if mean is None:
        return FootprintAmount.none(str(row["interval_reason"] or f"a repeat lacks {name}"))
    low, high, sensor = row[f"{name}_low"], row[f"{name}_high"], row.get(f"{name}_sensor")
    if low is not None and high is not None:
        return FootprintAmount(value=float(mean), low=float(low), high=float(high))
    return FootprintAmount.around(float(mean), None if sensor is None else float(sensor))


def _interval(row: Row) -> str:
    if row["energy_per_token_j_low"] is not None:
        return "95 % over the repeats, with the sensors' timing"
    known = row.get("energy_per_token_j_sensor") is not None
    return "the sensors' timing (k = 2) alone: one repeat" if known else "none"


def _campaigns(
    runs: Sequence[FootprintOf], facts: Mapping[str, _RunFacts]
) -> Iterator[FootprintOf]:
    for simulated, name in ((False, "measured"), (True, "simulated")):
        own = [one for one in runs if one.simulated is simulated]
        if not own:
            continue
        energy = total(one.energy_j for one in own)
        tokens = sum(one.tokens for one in own)
        told = [facts[one.name] for one in own]
        yield FootprintOf(
            kind=CAMPAIGN,
            name=f"all {name} runs",
            runs=tuple(one.name for one in own),
            simulated=simulated,
            labels=in_order(label for one in own for label in one.labels),
            energy_j=energy,
            # Boards of one kind err alike: it is summed as it is.
            gain_j=sum(one.gain_j or 0.0 for one in own) or None,
            energy_per_token_j=energy.times(1 / tokens)
            if tokens
            else FootprintAmount.none("no token"),
            interval="root sum of squares of the runs' own",
            tokens=tokens,
            gpu_hours=sum(one.gpu_hours for one in own),
            operations_per_token=_mean_operations(own),
            hardware="; ".join(dict.fromkeys(one.hardware for one in told)),
            period=_period(told),
        )


def _mean_operations(own: Sequence[FootprintOf]) -> float | str:
    """Over all tokens of several runs; the first reason where one has none."""
    whole, tokens = 0.0, 0
    for one in own:
        if isinstance(one.operations_per_token, str):
            return one.operations_per_token
        whole += one.operations_per_token * one.tokens
        tokens += one.tokens
    return whole / tokens if tokens else "no token was generated"


def _period(facts: Sequence[_RunFacts]) -> tuple[str, str] | None:
    windows = [one.window_us for one in facts if one.window_us is not None]
    if not windows or len(windows) < len(facts):
        return None
    try:
        return told_us(min(a for a, _ in windows)), told_us(max(b for _, b in windows))
    except ValueError:
        return None


def _labels(rows: Sequence[Mapping[str, Any]]) -> tuple[Label, ...]:
    return of_words(*(row[WORDS] for row in rows))
