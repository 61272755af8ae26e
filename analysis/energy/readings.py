"""Readings: all power and energy readings of a run, and the GPUs that they tell of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.energy.board_power import board_limit_w
from analysis.energy.counter_curve import counter_curve
from analysis.energy.curves import (
    ATTRIBUTABLE_PERIODS,
    EDGE_PERIODS,
    MOST_EXTENSION_US,
    Curve,
)
from analysis.energy.gpu_energy import Behaviour, Gpu
from analysis.energy.methods import RANK_COUNTER
from analysis.energy.power_curve import power_integral_curve
from analysis.energy.uncertain import Uncertain, total
from analysis.runs.rank_spans import RankSpans
from analysis.runs.sealed_runs import Run
from analysis.runs.series import Series
from telemetry.boards.lookup import sensor_of
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.boards.sensor_timing import POWER_FIELDS, Sensor
from telemetry.clock import US_PER_S
from telemetry.record.fields import FIELDS, Kind
from telemetry.record.reading_bounds import bounds_of
from telemetry.record.schema import Phase


@dataclass(frozen=True)
class Readings:
    """All power and energy readings of a run, by GPU."""

    run: Run
    """The run whose samples these are."""
    series: Mapping[tuple[str, str, str], Series]
    """By host, device and field."""

    def of(self, host: str, device: str, field: str) -> Series:
        """The readings of one device and field; empty when there are none."""
        empty = Series(t_us=np.empty(0, dtype=np.int64), value=np.empty(0))
        return self.series.get((host, device, field), empty)

    def sampling_us(self, host: str, device: str, field: str) -> int:
        """Time between two readings: as the record states it, else as it shows."""
        if stated := self.run.period_us(host, device, field):
            return stated
        steps = np.diff(self.of(host, device, field).t_us)
        return max(1, int(np.median(steps))) if len(steps) else 1

    def edge_us(self, host: str, device: str, field: str) -> int:
        """How far a window may reach past the first and the last reading."""
        return int(EDGE_PERIODS * self.sampling_us(host, device, field))

    def gpu(
        self,
        host: str,
        entry: Mapping[str, Any],
        rank: RankSpans | None,
        window_us: tuple[int, int],
    ) -> Gpu:
        """One GPU of the inventory; `rank` is None when no rank works on it."""
        uuid = str(entry["uuid"])
        source = self.run.hosts.get(host, {}).get("source")
        known = source if isinstance(source, dict) else {}
        sensor = sensor_of({"driver": known.get("driver"), **entry})
        behaviours = {
            field: self._behaviour(host, uuid, field, sensor)
            for field in (*POWER_FIELDS, COUNTER_FIELD)
            if len(self.of(host, uuid, field))
        }
        most_w = board_limit_w(entry)
        power_integral = self._power_integral(host, uuid, sensor, window_us, most_w or 0.0)
        polled_counter = self._polled_counter(host, uuid, sensor, power_integral, most_w)
        limit_w = float(entry.get("power_limit_w") or most_w or 0.0)
        update_us = self._behaviour(host, uuid, COUNTER_FIELD, sensor).update_us
        power = self._power(host, uuid, most_us=update_us)
        rank_counter = _rank_counter(rank, update_us, limit_w, power, entry)
        driver = entry.get("driver") or known.get("driver")
        return Gpu(
            uuid=uuid,
            host=host,
            name=str(entry.get("name") or "not on record"),
            driver=None if driver is None else str(driver),
            shared=bool(entry.get("mig")),
            rank=None if rank is None else rank.rank,
            sensor=sensor,
            behaviours=tuple(behaviours.values()),
            polled_counter=polled_counter,
            rank_counter=rank_counter,
            power_integral=power_integral,
            # The rank counter is read at edges alone: it is the last to know about half a phase.
            idle_power=_idle_power(rank, (polled_counter, power_integral, rank_counter)),
        )

    def host_energy(self, name: str, window_us: tuple[int, int], *, nothing: str) -> Uncertain:
        """Energy in a window by all hosts' readings of one field, a counter or a power.

        `nothing` is why there is none when no host has the field at all.
        """
        amounts: list[Uncertain] = []
        for (host, device, field), series in sorted(self.series.items()):
            if field != name:
                continue
            sampling_us = self.sampling_us(host, device, field)
            edge_us = self.edge_us(host, device, field)
            curve = (
                counter_curve(
                    series, edge_us=edge_us, resolution_us=sampling_us, lag_us=sampling_us
                )
                if FIELDS[name].kind is Kind.COUNTER
                else power_integral_curve(
                    series, field=name, edge_us=edge_us, window_us=0, resolution_us=sampling_us
                )
            )
            amount = (
                Uncertain.unknown(curve) if isinstance(curve, str) else curve.between(*window_us)
            )
            if amount.value is None:
                amount = Uncertain.unknown(f"{host}, {device}: {amount.reason}")
            amounts.append(amount)
        return total(amounts, nothing=nothing)

    def _behaviour(self, host: str, uuid: str, field: str, sensor: Sensor) -> Behaviour:
        tabulated = sensor.timings[field]
        return Behaviour(
            field=field,
            tabulated=tabulated,
            measured_us=self.run.measured_period_us(host, field),
            sampling_us=(
                self.sampling_us(host, uuid, field)
                if len(self.of(host, uuid, field))
                else tabulated.update_us
            ),
        )

    def _power(self, host: str, uuid: str, most_us: int | None = None) -> Series | None:
        """The finest readings of a board's power; None when none is as often as every `most_us`."""
        for field in POWER_FIELDS:
            series = self.of(host, uuid, field)
            if len(series) and (most_us is None or self.sampling_us(host, uuid, field) <= most_us):
                return series
        return None

    def _polled_counter(
        self,
        host: str,
        uuid: str,
        sensor: Sensor,
        power_integral: Curve | str,
        most_w: float | None,
    ) -> Curve | str:
        behaviour = self._behaviour(host, uuid, COUNTER_FIELD, sensor)
        seldom = behaviour.sampling_us > EDGE_PERIODS * behaviour.update_us
        return counter_curve(
            self.of(host, uuid, COUNTER_FIELD),
            edge_us=min(self.edge_us(host, uuid, COUNTER_FIELD), MOST_EXTENSION_US),
            resolution_us=behaviour.resolution_us,
            lag_us=behaviour.update_us,
            power=self._power(host, uuid) if seldom else None,
            carrier=power_integral if seldom and isinstance(power_integral, Curve) else None,
            most_w=most_w,
        )

    def _power_integral(
        self, host: str, uuid: str, sensor: Sensor, window_us: tuple[int, int], most_w: float
    ) -> Curve | str:
        """The curve under the finest power field that reaches over the window; else the best."""
        found: list[Curve | str] = []
        for field in POWER_FIELDS:
            series = self.of(host, uuid, field)
            behaviour = self._behaviour(host, uuid, field, sensor)
            curve = power_integral_curve(
                series,
                field=field,
                edge_us=self.edge_us(host, uuid, field),
                window_us=behaviour.tabulated.window_us,
                resolution_us=behaviour.resolution_us,
                most_w=most_w,
            )
            if isinstance(curve, Curve) and curve.between(*window_us).value is not None:
                return curve
            # A reading that exists says more about what went wrong than one that never was.
            if len(series) or series.nulls:
                found.append(curve)
        curves = [curve for curve in found if isinstance(curve, Curve)]
        return (curves or found or ["0 readings"])[0]


def _rank_counter(
    rank: RankSpans | None,
    update_us: int,
    limit_w: float,
    power: Series | None,
    entry: Mapping[str, Any],
) -> Curve | str:
    """The counter as the rank read it at its spans' edges, or a little later.

    A reading stands for the middle of the time that it was made in, from its edge to when it was
    there; what was drawn meanwhile is uncertain. It knows of no power between them: what an edge
    may be late by is told by the board's power around it, where that was read as often as the
    counter changes, else by the board's limit.
    """
    if rank is None:
        return "no rank works on it"
    edge_us = np.concatenate((rank.start_us, rank.end_us))
    late_us = np.concatenate((rank.start_late_us, rank.end_late_us))
    t_us = edge_us + late_us // 2
    value = np.concatenate((rank.energy_start_j, rank.energy_end_j))
    known = np.isfinite(value)
    if not known.any():
        return rank.energy_reason or "the rank read no counter"
    bounds = bounds_of(COUNTER_FIELD, entry)
    if (wild := known & bounds.faults(value)).any():
        return bounds.fault(float(value[np.argmax(wild)])) or "not a number"
    order = np.argsort(t_us[known], kind="stable")
    first = np.flatnonzero(known)[order[0]]
    return counter_curve(
        Series(t_us=t_us[known][order], value=value[known][order], width_us=late_us[known][order]),
        # A window may begin at the first edge, of which the reading tells, and no sooner.
        edge_us=min(int(t_us[first] - edge_us[first]), MOST_EXTENSION_US),
        resolution_us=update_us,
        lag_us=update_us,
        edge_power_w=limit_w,
        method=RANK_COUNTER,
        power=power,
        most_w=board_limit_w(entry),
    )


def _idle_power(rank: RankSpans | None, curves: tuple[Curve | str, ...]) -> Uncertain:
    """Mean power in the settled part of the rank's IDLE phase, by the first curve that knows it.

    The first half is left to the sensor's lag and to what still settles after start-up; two of the
    sensor's periods at the end, in which the load that follows may show already. A rank counter
    has readings at the phase's edges alone and takes the whole of it.
    """
    if rank is None:
        return Uncertain.unknown("no rank works on it")
    idle = rank.of(Phase.IDLE)
    if not len(idle):
        return Uncertain.unknown("the run has no idle phase")
    begun_us, ended_us = int(rank.start_us[idle[0]]), int(rank.end_us[idle[0]])
    shortest: Uncertain | None = None
    for curve in curves:
        if not isinstance(curve, Curve):
            continue
        least_us = int(ATTRIBUTABLE_PERIODS * curve.resolution_us)
        start_us, end_us = begun_us, ended_us
        if curve.method != RANK_COUNTER:
            start_us, end_us = (begun_us + ended_us) // 2, ended_us - least_us
        seconds = (end_us - start_us) / US_PER_S
        if end_us - start_us < least_us:
            shortest = shortest or Uncertain.unknown(
                f"the settled part of the idle phase is {max(0.0, seconds):.3f} s, "
                "under two sensor periods"
            )
            continue
        amount = curve.between(start_us, end_us)
        if amount.value is not None:
            return amount.over(seconds)
    return shortest or Uncertain.unknown("no reading in the idle phase")
