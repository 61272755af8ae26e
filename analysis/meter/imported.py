"""Imported: a log that was read and looked at, kept beside the runs, with what it says of each.

A log that cannot be of these runs is not kept: one of another day or zone, in another unit, or of
another load. What is doubtful is kept and told; the audit judges it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.energy.run_energy import RunEnergy
from analysis.meter.kept import KeptMeter
from analysis.meter.log import MeterLog, read_log
from analysis.meter.meter_curve import meter_curves
from analysis.meter.statement import Statement
from analysis.meter.witness import MeterWitness, overlaps
from analysis.runs.sealed_runs import load
from analysis.runs.unreadable import UNREADABLE
from telemetry.clock import US_PER_S
from telemetry.command import ExitCode, complain
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.files import read_plain
from telemetry.record.place import shown
from telemetry.waiting import waiting

_WHO: Final = "meter"
# What one of these is taken for another: W for kW or mW, J for Wh and kWh, and all of them back.
_UNIT_FACTORS: Final = (1e-6, 1e-3, 1e3, 1e6, 3600.0, 1 / 3600.0, 3.6e6, 1 / 3.6e6)
# No meter and no board errs as much, and no two units lie as near.
_UNIT_TOLERANCE: Final = 0.2
# Zones differ from UTC by multiples of a quarter of an hour, up to 14 hours.
_QUARTER_US: Final = 900 * US_PER_S
_MOST_ZONE_US: Final = 14 * 3600 * US_PER_S
# A rack draws less than a thousand times what one of its GPUs does, and no board tells twenty times
# what it draws.
_LEAST_RATIO: Final = 1e-3
_MOST_RATIO: Final = 20.0
# Power and running total of one meter, beyond what both lose between readings.
_OWN_TOLERANCE: Final = 0.2
# A PDU's own printing of zero at rest is no fault; of a board at rest some watts are.
_NEGATIVE_W: Final = -1.0


def keep_log(
    results: Path,
    source: Path,
    statement: Statement,
    *,
    most_bytes: int,
    separator: str,
    decimal: str,
    skip: int,
) -> ExitCode:
    """Read a log, hold it against the sealed runs, keep it and tell.

    Raises:
        OSError: it cannot be read or kept.
        ValueError: it is no log of these runs.
    """
    with waiting("reading the log"):
        data = read_plain(source, most_bytes=most_bytes)
        log = read_log(data, statement, separator=separator, decimal=decimal, skip=skip)
    _require_possible(log, statement)
    _require_agreeing(log, statement)
    meter = KeptMeter.of(statement, log, source, data)
    with waiting("reading sealed runs", aside=False):
        witnesses = [
            MeterWitness(meter=meter, run_energy=RunEnergy(run)) for run in load(results).runs
        ]
    if not witnesses:
        complain(_WHO, f"{results} holds no sealed run that is whole")
        return ExitCode.NOTHING_DONE
    own = [one for one in witnesses if _covers(one)]
    if not own:
        raise ValueError(
            f"`covers` must name a host or a GPU of a run, but {', '.join(statement.covers)} "
            f"is none of {', '.join(_names(witnesses))}"
        )
    of_these = [one for one in own if overlaps(one)]
    if not of_these:
        raise ValueError(_elsewhere(log, own))
    with waiting("bringing the clocks together", aside=False):
        _require_fitting(statement, of_these)
    path = meter.keep(results)
    _tell(results, path, meter, of_these, len(witnesses))
    return ExitCode.DONE


def _require_possible(log: MeterLog, statement: Statement) -> None:
    if log.power_w is not None and (log.power_w < _NEGATIVE_W).any():
        raise ValueError(
            f"`{statement.power_column}` must be no less than 0 W, "
            f"but falls to {log.power_w[log.power_w < _NEGATIVE_W].min():g} W"
        )


def _require_agreeing(log: MeterLog, statement: Statement) -> None:
    """Refuse a log whose power is not what its own running total rose by."""
    made = {one.reading: one.curve for one in meter_curves(statement, log, 0)}
    if not ("energy" in made and "power" in made):
        return
    total, power = made["energy"], made["power"]
    first_us = max(int(total.t_us[0]), int(power.t_us[0]))
    last_us = min(int(total.t_us[-1]), int(power.t_us[-1]))
    if total.breaks or log.gaps or first_us >= last_us:
        return
    rise_j, sum_j = total.between(first_us, last_us).value, power.between(first_us, last_us).value
    if not rise_j or not sum_j:
        return
    if abs(sum_j / rise_j - 1.0) > _OWN_TOLERANCE:
        raise ValueError(
            f"`{statement.power_column}` must tell what `{statement.energy_column}` rose by, but "
            f"tells {sum_j / rise_j:g} times as much: is a unit another one?"
        )


def _covers(witness: MeterWitness) -> bool:
    try:
        return bool(witness.covered)
    except UNREADABLE:
        return False


def _names(witnesses: Sequence[MeterWitness]) -> list[str]:
    found: dict[str, None] = {}
    for witness in witnesses:
        for gpu in (*witness.run_energy.gpus, *witness.run_energy.idle_gpus):
            found |= {gpu.host: None, gpu.uuid: None}
    return list(found)[:16]


def _elsewhere(log: MeterLog, witnesses: Sequence[MeterWitness]) -> str:
    """Why a log is of no run's time, and which zone would bring it there."""
    first_us, last_us = int(log.t_us[0]), int(log.t_us[-1])
    windows = [one.run_energy.window_us for one in witnesses]
    # How far the log would have to be moved: on if it lies before.
    moves = [
        start - last_us if start > last_us else end - first_us
        for start, end in windows
        if start > last_us or end < first_us
    ]
    nearest = min(moves, key=abs, default=0)
    apart_s = abs(nearest) / US_PER_S
    text = f"`log` must have readings in a run's window, but lies {apart_s:g} s from the nearest"
    for quarters in range(1, _MOST_ZONE_US // _QUARTER_US + 1):
        for move_us in (quarters * _QUARTER_US, -quarters * _QUARTER_US):
            moved = first_us + move_us, last_us + move_us
            if any(moved[0] < end and moved[1] > start for start, end in windows):
                hours = move_us / 3600 / US_PER_S
                return f"{text}; moved by {hours:+g} h it would: is `zone` right?"
    days = nearest / (86_400 * US_PER_S)
    return f"{text}: it is of another time by {days:+.2f} days"


def _require_fitting(statement: Statement, witnesses: Sequence[MeterWitness]) -> None:
    """Refuse a log in another unit, or, of GPUs alone, one that follows none of its runs."""
    for witness in witnesses:
        apart = witness.window.apart.value
        if apart is None:
            continue
        ratio = 1.0 + apart
        for factor in _UNIT_FACTORS:
            if abs(ratio / factor - 1.0) <= _UNIT_TOLERANCE:
                reading = witness.reading or "power"
                raise ValueError(
                    f"`{reading}_unit` must be the log's, but ours is {ratio:g} times the meter's "
                    f"in {witness.run_energy.run.run_id}: a factor of {factor:g} between two units"
                )
        if not _LEAST_RATIO <= ratio <= _MOST_RATIO:
            raise ValueError(
                f"`{witness.reading or 'power'}_unit` must be the log's, but ours is {ratio:g} "
                f"times the meter's in {witness.run_energy.run.run_id}: no meter or board errs so"
            )
    reasons = [one.fit.reason for one in witnesses]
    if statement.whole and all(reasons):
        raise ValueError(f"`log` must follow the power of a run that it covers, but: {reasons[0]}")


def _tell(
    results: Path, path: Path, meter: KeptMeter, witnesses: Sequence[MeterWitness], runs: int
) -> None:
    out = Output()
    log = meter.log
    out.say(
        f"{len(log.t_us)} readings every {log.step_us / US_PER_S:g} s, {log.gaps} gaps, the "
        f"longest {log.largest_gap_us / US_PER_S:.3g} s; {log.nulls} empty, {log.resets} resets, "
        f"{log.repeated} repeated; of {len(witnesses)} of {runs} runs"
    )
    for witness in witnesses:
        out.say(_sentence(witness))
    if meter.statement.accuracy_share is None:
        out.note("no accuracy was stated: the meter's own error is in no uncertainty above")
    out.exact(f"wrote {path}")
    out.next(typed("analysis", shown(results)))


def _sentence(witness: MeterWitness) -> str:
    run_id = witness.run_energy.run.run_id
    window = witness.window
    if window.meter.value is None:
        return f"{run_id}: {window.meter.reason}"
    fit = witness.fit
    text = (
        f"{run_id}: {window.meter.value:.1f} +- {window.meter.plus_minus or 0.0:.1f} J by the "
        f"meter over the window"
    )
    if window.ours.value is not None and window.apart.value is not None:
        text += (
            f", ours {window.ours.value:.1f} J: {1 + window.apart.value:.4f} +- "
            f"{window.apart.plus_minus or 0.0:.4f} of it"
        )
    text += (
        f"; its clock {fit.offset_us / US_PER_S:+.3f} +- {fit.plus_minus_us / US_PER_S:.3f} s "
        f"ahead, {fit.how}"
    )
    if witness.like is not None and (copied := witness.like.copied):
        text += f"; no reading of its own: {copied}"
    return text
