"""Observed: what the clocks and temperatures that came by themselves went with.

No setting was changed: a board's own power limit, heat and rest moved its clock. A slope here is no
effect of a setting: work that draws more both lowers the clock and takes longer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.settled import settled
from analysis.power.clock_readings import CLOCK_READINGS
from analysis.power.regression import (
    CLOCK,
    TEMPERATURE,
    Observed,
    ObservedCurve,
    ObservedSlope,
    curve_of,
)
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.labels import pooled_label_columns
from analysis.tables.point import engine_order
from analysis.tables.table import Results, TableKind

OUTCOMES: Final[Mapping[str, str]] = {
    "step_s": "time of a step",
    "energy_per_token_j": "energy of a token",
    "power_w": "power",
}
"""Columns of `CLOCK_READINGS` that are explained, and their names for people."""
ALL: Final = "all"
"""Scope of what all grid points of a board and engine say together."""
LEAST_READINGS: Final = 6
"""Of a point by itself: a mean, a slope along the answer, one by the clock and three to spare."""
_PERCENT: Final = 100.0
_READ: Final = "sm_clock_read_mhz"
_WARM: Final = "gpu_temperature_c"
_RULE: Final = (
    "Student's t with as many degrees of freedom as the readings are worth, less what was fitted."
)


@dataclass(frozen=True, kw_only=True)
class ObservedRow:
    """One amount, explained on one board and engine."""

    board: str
    """Product of the GPUs."""
    engine: str
    """How tokens were generated."""
    scope: str
    """`ALL`, or the one grid point that is meant."""
    outcome: str
    """One of `OUTCOMES`."""
    rows: tuple[Row, ...]
    """Readings of the scope."""

    @cached_property
    def curve(self) -> ObservedCurve:
        """The regression."""
        return curve_of(observed(self.rows, self.outcome))

    def of_curve(self, name: str) -> float | None:
        """A number of the regression."""
        found: float | None = getattr(self.curve, name)
        return found

    def of_slope(self, name: str, part: str) -> float | None:
        """A number of a slope; of temperature per cent a degree, of the clock per cent by one."""
        slope = self.curve.slopes.get(name)
        if slope is None:
            return None
        value: float = getattr(slope, part)
        return value if name == CLOCK else settled(_PERCENT * value)

    def slope(self, name: str) -> ObservedSlope | None:
        """Of the clock or the temperature; None with a reason."""
        return self.curve.slopes.get(name)

    def ends(self, name: str) -> tuple[float, float] | None:
        """Least and most that was read."""
        values = [float(value) for row in self.rows if isinstance(value := row[name], int | float)]
        return (min(values), max(values)) if values else None

    @property
    def held_share(self) -> float | None:
        """Share of readings at which a power limit held a clock; None where none says."""
        known = [row["held_by_power"] for row in self.rows if row["held_by_power"] is not None]
        return sum(map(bool, known)) / len(known) if known else None

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        what = OUTCOMES[self.outcome]
        slope = self.slope(CLOCK)
        if slope is None:
            return f"Observed, not set. {what} by clock: {self.curve.reasons[CLOCK]}."
        told = f"{slope.value:+.2g} % ({slope.low:+.2g} to {slope.high:+.2g})"
        if slope.low <= 0 <= slope.high:
            return (
                f"Observed, not set. No change of {what} with the clock is shown: 1 % more clock "
                f"went with {told}."
            )
        return f"Observed, not set. 1 % more clock went with {told} of {what}."


def observed(rows: Sequence[Row], outcome: str) -> list[Observed]:
    """The readings that have an amount, as the regression wants them."""
    return [
        Observed(
            run=str(row["run_id"]),
            point=str(row["point"]),
            position=_number(row, "position"),
            clock_mhz=_number(row, "sm_clock_read_mhz"),
            temperature_c=None
            if row["gpu_temperature_c"] is None
            else _number(row, "gpu_temperature_c"),
            value=_number(row, outcome),
        )
        for row in rows
        if (_real(row[outcome]) or 0.0) > 0
    ]


def _rows(results: Results) -> Iterator[ObservedRow]:
    places: dict[tuple[str, str, bool], list[Row]] = {}
    for row in results.rows(CLOCK_READINGS):
        place = (str(row["board"]), str(row["engine"]), bool(row["simulated"]))
        places.setdefault(place, []).append(row)
    for (board, engine, _), own in sorted(
        places.items(), key=lambda pair: (pair[0][0], engine_order(pair[0][1]), pair[0][2])
    ):
        points: dict[str, list[Row]] = {}
        for row in own:
            points.setdefault(str(row["point"]), []).append(row)
        scopes = [(ALL, own)]
        if len(points) > 1:
            scopes += [
                (_scope(mine[0]), mine) for mine in points.values() if len(mine) >= LEAST_READINGS
            ]
        for scope, mine in scopes:
            for outcome in OUTCOMES:
                yield ObservedRow(
                    board=board,
                    engine=engine,
                    scope=scope,
                    outcome=outcome,
                    rows=tuple(mine),
                )


def _scope(row: Row) -> str:
    cap, clock = _real(row["power_cap_w"]), _real(row["sm_clock_mhz"])
    asked = [*([f"{cap:g} W"] if cap else []), *([f"{clock:g} MHz"] if clock else [])]
    parts = (
        *(
            str(row["model"]),
            str(row["dataset"]),
            f"{row['gpus']} GPUs",
            f"batch {row['batch_size']}",
        ),
        *(f"{row['max_gen_len']} tokens", *asked),
    )
    return ", ".join(parts)


def _real(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _number(row: Row, name: str) -> float:
    value = _real(row[name])
    assert value is not None
    return value


_OF: Final = ColumnsOf[ObservedRow]()


def _slope_columns(
    name: str, stem: str, unit: str, label: str, meaning: str
) -> tuple[Column[ObservedRow], ...]:
    def part(which: str) -> Callable[[ObservedRow], float | None]:
        return lambda one: one.of_slope(name, which)

    return (
        _OF.number(
            stem,
            label,
            unit,
            meaning,
            part("value"),
            interval=(f"{stem}_low", f"{stem}_high"),
            reason=f"{name}_reason",
        ),
        _OF.number(
            f"{stem}_low",
            f"{label} from",
            unit,
            f"Lower end of its 95 % interval: {_RULE}",
            part("low"),
        ),
        _OF.number(f"{stem}_high", f"{label} to", unit, "Upper end of it.", part("high")),
    )


def _end(name: str, place: int) -> Callable[[ObservedRow], float | None]:
    def found(one: ObservedRow) -> float | None:
        ends = one.ends(name)
        return None if ends is None else ends[place]

    return found


_COLUMNS: Final = (
    _OF.text("board", "board", "Product of the working GPUs.", lambda one: one.board),
    _OF.text("engine", "engine", "How tokens are generated.", lambda one: one.engine),
    _OF.text(
        "scope",
        "of",
        "`all` grid points of the board and engine together, each with a mean and a slope along "
        "its answers of its own; or one of them. Runs of other code are another point.",
        lambda one: one.scope,
    ),
    _OF.simulated(lambda one: one.rows[0]["simulated"]),
    *pooled_label_columns(_OF, lambda one, label: [row[label.name] for row in one.rows]),
    _OF.text(
        "outcome",
        "explained",
        "What is explained: a column of clock_readings.",
        lambda one: one.outcome,
    ),
    *_slope_columns(
        CLOCK,
        "change_over_clock",
        "1",
        "% by % clock",
        "Per cent by which it changed where the clock was one per cent higher, temperature and "
        "place in the answer held. Of time, -1 is a step that the clock alone paces, 0 one that "
        "it does not. Observed, not set: no effect of a setting.",
    ),
    *_slope_columns(
        TEMPERATURE,
        "change_per_c",
        "%/C",
        "% a degree",
        "Per cent by which it changed where the die was one degree warmer, clock and place held.",
    ),
    _OF.number("clock_mhz_least", "clock from", "MHz", "Least clock read.", _end(_READ, 0)),
    _OF.number("clock_mhz_most", "clock to", "MHz", "Most.", _end(_READ, 1)),
    _OF.number(
        "temperature_c_least", "from", "C", "Least temperature read.", _end(_WARM, 0), shown=False
    ),
    _OF.number("temperature_c_most", "to", "C", "Most.", _end(_WARM, 1), shown=False),
    _OF.share(
        "held_share",
        "held by power",
        "Share of readings at which a power limit held a clock down.",
        lambda one: one.held_share,
    ),
    _OF.count("n", "readings", "Readings that it rests on.", lambda one: one.curve.n),
    _OF.count("runs", "runs", "Runs that they are of.", lambda one: one.curve.runs),
    _OF.number(
        "n_effective",
        "worth",
        "1",
        "As many independent readings they are worth: n (1 - rho) / (1 + rho).",
        lambda one: one.of_curve("effective"),
        reason="clock_reason",
    ),
    _OF.number(
        "autocorrelation",
        "rho",
        "1",
        "Correlation of residuals that follow one another in a run; below 0 it is taken for 0.",
        lambda one: one.of_curve("correlation"),
        reason="clock_reason",
    ),
    _OF.number(
        "residual_share",
        "left",
        "1",
        "Standard deviation of what is left, over the mean.",
        lambda one: one.of_curve("residual"),
        reason="clock_reason",
        shown=False,
    ),
    _OF.number(
        "r_squared",
        "R2",
        "1",
        "Share of the scatter beside point and place that clock and temperature explain.",
        lambda one: one.of_curve("r_squared"),
        reason="clock_reason",
    ),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.why(
        "clock_reason",
        "clock",
        "Why there is no slope by clock, or no regression.",
        lambda one: one.curve.reasons.get(CLOCK),
    ),
    _OF.why(
        "temperature_reason",
        "temperature",
        "Why there is no slope by temperature.",
        lambda one: one.curve.reasons.get(TEMPERATURE),
    ),
)

OBSERVED_CLOCK: Final = TableKind(
    name="observed_clock",
    title="Speed, energy and power against the clock, observed, not set",
    columns=_COLUMNS,
    of_results=_rows,
    section="observed",
    heading="What clocks that nobody set went with",
    text="Boards move their clocks by themselves. What went with it, by regression over one "
    "reading a second at most: observed, not set, and no effect of a setting. `cannot tell` where "
    "a clock or a temperature hardly moved. A point of fewer than "
    f"{LEAST_READINGS} readings stands in `all` alone.",
)
"""One row a board, engine, scope and amount."""
