"""Log: the readings of an outside meter, as its CSV has them, in SI units and UTC.

A row is taken or refused, never bent: a time that falls, a number that is none and a row that lacks
a column end the reading with the line's number. An empty cell is a reading that the meter did not
have; how many there were is told.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

import numpy as np

from analysis.meter.statement import ENERGY_UNITS, ISO, POWER_UNITS, TIME_UNITS, Statement
from analysis.runs.series import FloatArray, IntArray
from telemetry.clock import US_PER_S
from telemetry.zones import zone_of

# A day at 50 Hz.
_MOST_ROWS: Final = 5_000_000
# Two readings are no trace: nothing could be aligned.
_LEAST_ROWS: Final = 10
_MICRO: Final = 6
# 1970 to 2100: an epoch in the wrong unit lies far outside, or far inside the first days of 1970.
_FIRST_US: Final = 946_684_800_000_000
_LAST_US: Final = 4_102_444_800_000_000
# Steps of this many medians are gaps.
GAP_STEPS: Final = 3.0
_SHOWN: Final = 60
_LATER_US: Final = 3_600 * US_PER_S


@dataclass(frozen=True, kw_only=True, eq=False)
class MeterLog:
    """A meter's readings by its own clock, before its calibration is applied."""

    t_us: IntArray
    """Shape (n,), rising: microseconds since 1970 in UTC, by the meter's clock."""
    power_w: FloatArray | None
    """Shape (n,): NaN where it has none; None when the log has no power."""
    energy_j: FloatArray | None
    """Shape (n,): the running total, NaN where it has none; None when the log has no energy."""
    repeated: int = 0
    """Rows left out that have the time of the row before."""

    @property
    def step_us(self) -> int:
        """Median time between two readings."""
        return max(1, int(np.median(np.diff(self.t_us))))

    @property
    def gaps(self) -> int:
        """How often the meter was silent for three of its steps."""
        return int((np.diff(self.t_us) > GAP_STEPS * self.step_us).sum())

    @property
    def largest_gap_us(self) -> int:
        """The longest time between two readings."""
        return int(np.diff(self.t_us).max())

    @property
    def nulls(self) -> int:
        """Readings that it had not."""
        return sum(
            int(np.isnan(values).sum())
            for values in (self.power_w, self.energy_j)
            if values is not None
        )

    @property
    def resets(self) -> int:
        """How often its running total fell."""
        if self.energy_j is None:
            return 0
        known = self.energy_j[np.isfinite(self.energy_j)]
        return int((np.diff(known) < 0).sum())

    def resolution(self, values: FloatArray) -> float | None:
        """The least step between two of its values that differ; None where none do."""
        known = np.unique(values[np.isfinite(values)])
        steps = np.diff(known)
        # Below a millionth of the largest value lies the arithmetic of its own printing.
        steps = steps[steps > 1e-9 * max(1.0, float(np.abs(known).max(initial=0.0)))]
        return float(steps.min()) if len(steps) else None


def read_log(
    data: bytes, statement: Statement, *, separator: str = ",", decimal: str = ".", skip: int = 0
) -> MeterLog:
    """The readings of a log.

    Args:
        data: the file.
        statement: which columns, in which units and zone.
        separator: what stands between two cells.
        decimal: what stands before a fraction.
        skip: lines before the header.

    Raises:
        ValueError: a line is not what it must be; the message has its number.
    """
    rows = csv.reader(
        io.StringIO(data.decode("utf-8-sig", errors="replace"), newline=""), delimiter=separator
    )
    try:
        for _ in range(skip):
            next(rows)
        header = [cell.strip() for cell in next(rows)]
    except StopIteration:
        raise ValueError("the log must have a header, but ends before it") from None
    except csv.Error as error:
        raise ValueError(f"the log must be CSV, but is not: {error}") from error
    columns = [statement.time_column, statement.power_column, statement.energy_column]
    at = [None if name is None else _column(header, name) for name in columns]
    read_time = _time_reader(statement)
    numbers: list[list[float]] = [[], []]
    times: list[int] = []
    repeated = 0
    for line, row in _lines(rows):
        cells = ["" if one is None else _cell(row, one, header, line) for one in at]
        t_us = read_time(cells[0], times[-1] if times else None, line)
        if times and t_us == times[-1]:
            repeated += 1
            continue
        if times and t_us < times[-1]:
            raise ValueError(
                f"line {line}: a time must not lie before the one above, but {cells[0]!r} lies "
                f"{(times[-1] - t_us) / US_PER_S:g} s before it"
            )
        if len(times) >= _MOST_ROWS:
            raise ValueError(f"the log must have at most {_MOST_ROWS} rows, but has more")
        times.append(t_us)
        for values, cell in zip(numbers, cells[1:], strict=True):
            values.append(_number(cell, decimal, line))
    if len(times) < _LEAST_ROWS:
        raise ValueError(f"the log must have {_LEAST_ROWS} rows, but has {len(times)}")
    power = None if at[1] is None else np.array(numbers[0]) * POWER_UNITS[statement.power_unit]
    energy = None if at[2] is None else np.array(numbers[1]) * ENERGY_UNITS[statement.energy_unit]
    for name, told in (("power", power), ("energy", energy)):
        if told is not None and np.isfinite(told).sum() < _LEAST_ROWS:
            raise ValueError(
                f"`{name}` must have {_LEAST_ROWS} readings, but has {int(np.isfinite(told).sum())}"
            )
    return MeterLog(
        t_us=np.array(times, dtype=np.int64), power_w=power, energy_j=energy, repeated=repeated
    )


def _lines(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"the log must be CSV, but is not: {error}") from error
        if row:
            # csv.reader has it; its protocol is not in the type.
            yield int(getattr(rows, "line_num", 0)), row


def _column(header: Sequence[str], name: str) -> int:
    if header.count(name) != 1:
        shown = ", ".join(header)[: 4 * _SHOWN]
        raise ValueError(
            f"the header must have the column {name!r} once, but has it {header.count(name)} "
            f"times: {shown}"
        )
    return header.index(name)


def _cell(row: Sequence[str], at: int, header: Sequence[str], line: int) -> str:
    if at >= len(row):
        raise ValueError(
            f"line {line}: a row must have {len(header)} cells, but has {len(row)} instead"
        )
    return row[at].strip()


def _number(cell: str, decimal: str, line: int) -> float:
    if not cell:
        return float("nan")
    try:
        value = float(cell.replace(decimal, ".") if decimal != "." else cell)
    except ValueError:
        value = float("nan")
    # What float takes and no meter writes: nan, inf, 1_000.
    if not np.isfinite(value) or "_" in cell:
        raise ValueError(f"line {line}: a reading must be a number, but is {cell[:_SHOWN]!r}")
    return value


def _time_reader(statement: Statement) -> Callable[[str, int | None, int], int]:
    if statement.time_unit != ISO:
        places = TIME_UNITS[statement.time_unit]
        return lambda cell, _, line: _counted(cell, places, line)
    zone = None if statement.zone is None else zone_of(statement.zone)
    form = statement.time_format

    def written(cell: str, before: int | None, line: int) -> int:
        try:
            when = datetime.strptime(cell, form) if form else datetime.fromisoformat(cell)
        except ValueError as error:
            raise ValueError(
                f"line {line}: a time must be as `time_format` says, but is {cell[:_SHOWN]!r}"
            ) from error
        if when.tzinfo is None and zone is None:
            raise ValueError(
                f"line {line}: a time must name its zone, or `zone` must, "
                f"but {cell[:_SHOWN]!r} names none"
            )
        if when.tzinfo is not None and zone is not None:
            raise ValueError(
                f"line {line}: `zone` must be left out where times name their own, "
                f"but is {statement.zone} beside {cell[:_SHOWN]!r}"
            )
        when = when if when.tzinfo is not None else when.replace(tzinfo=zone)
        t_us = _in_range(_micros(when), cell, line)
        if before is not None and t_us < before:
            # The hour that a zone has twice a year: what would fall is of the second.
            later = _micros(when.replace(fold=1))
            if before <= later <= t_us + _LATER_US:
                return later
        return t_us

    return written


def _micros(when: datetime) -> int:
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def _counted(cell: str, places: int, line: int) -> int:
    try:
        t_us = int(Decimal(cell).scaleb(_MICRO - places).to_integral_value())
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ValueError(
            f"line {line}: a time must be a number since 1970, but is {cell[:_SHOWN]!r}"
        ) from error
    return _in_range(t_us, cell, line)


def _in_range(t_us: int, cell: str, line: int) -> int:
    if not _FIRST_US <= t_us <= _LAST_US:
        raise ValueError(
            f"line {line}: a time must lie between 2000 and 2100, but {cell[:_SHOWN]!r} does not: "
            "is `time_unit` another one?"
        )
    return t_us
