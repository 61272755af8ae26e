"""Display: the plan as a table, and a campaign's progress while one waits."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live

from launcher.campaign.point_status import read_progress
from launcher.campaign.time_left import Durations, TimeLeft, whole_time, work_of
from launcher.forecast.totals import energy_cell, time_cell
from launcher.jobs.shapes import Trial
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from telemetry.document import due
from telemetry.listing import ListedColumn, Listing
from telemetry.nearest import told_count
from telemetry.output import Output
from telemetry.paragraph import Paragraph
from telemetry.record.differing import (
    LABELS,
    MEASUREMENT_FIELDS,
    SPEC_FIELDS,
    differing,
    field_value,
    short_text,
)
from telemetry.waiting import line_pause_s, waiting
from workers.planning.engine_facts import DEFAULT_ENGINE

_GB: Final = 1e9
_STYLES: Final = {
    Verdict.RUN: "green",
    Verdict.MERGE: "green",
    Verdict.SEALED: "dim",
    Verdict.OTHERWISE: "yellow",
    Verdict.QUEUED: "cyan",
    Verdict.RUNNING: "cyan",
    Verdict.FAILED: "bold red",
    Verdict.ILLEGAL: "yellow",
    Verdict.TOO_LARGE: "yellow",
    Verdict.TOO_LONG: "yellow",
    Verdict.NOT_STAGED: "yellow",
    Verdict.UNSUPPORTED: "yellow",
}
# These have columns of their own, or stand beside another's value.
_SHOWN: Final = frozenset(
    {
        *("model", "engine", "quantization", "prompts", "dataset", "gpu", "gpus", "gpus_per_node"),
        *("batch_size", "max_gen_len"),
    }
)
_BAR_CELLS: Final = 24
# Twice a screen: nobody reads more, and drawing them takes longer than queueing them.
_MOST_ROWS: Final = 60


def plan_table(grid: Grid) -> Group:
    """The points of the grid, what they need and what becomes of them, with reasons below.

    Every field in which points differ has a column. Points that differ in numbers of work alone
    (batch, lengths, temperature …) share a row where there are many.
    """
    told = _Told(grid.points)
    rows = _rows(grid.points, told)
    reasons: dict[str, int] = {}
    parts: list[RenderableType] = [
        Paragraph(text=_title(grid)),
        Listing(columns=tuple(_columns(grid.points, rows[:_MOST_ROWS], told, reasons))),
    ]
    parts += [
        Paragraph(text=f"({number}) {reason}", indent=1, hang=4)
        for reason, number in reasons.items()
    ]
    checkpoints = {point.weights: point.spec.model for point in grid.points if point.weights.folder}
    parts += [
        Paragraph(
            text=f"weights of {model}: {weights.digest} in {weights.folder} ({weights.about})",
            indent=1,
            hang=4,
        )
        for weights, model in checkpoints.items()
    ]
    if (more := len(rows) - _MOST_ROWS) > 0:
        parts.append(Paragraph(text=f"and {told_count(more, 'more row')}", indent=1))
    return Group(*parts)


def _title(grid: Grid) -> str:
    """What is the same in every row, and where it goes."""
    datasets = sorted({point.spec.dataset for point in grid.points})
    kinds = sorted({point.spec.gpu for point in grid.points})
    prompts = {point.spec.prompts for point in grid.points}
    alike = [f"{min(prompts)}"] if len(prompts) == 1 else []
    alike += datasets if len(datasets) == 1 else []
    title = told_count(len(grid.points), "point")
    title += f" of {' '.join(alike)} prompts" if alike else ""
    title += f" on {kinds[0]}" if len(kinds) == 1 else ""
    return f"{title} for {grid.results}"


def _rows(points: Sequence[PlannedPoint], told: "_Told") -> list[list[PlannedPoint]]:
    """The points of each row."""
    if len(points) <= _MOST_ROWS:
        return [[point] for point in points]
    shared: dict[tuple[object, ...], list[PlannedPoint]] = {}
    for point in points:
        spec = point.spec
        key: tuple[object, ...]
        key = (spec.model, _engine(point), spec.dataset, spec.gpu, spec.gpus, spec.nodes)
        shared.setdefault((*key, *told.words(point), point.verdict), []).append(point)
    return list(shared.values())


def _columns(
    points: Sequence[PlannedPoint],
    rows: Sequence[Sequence[PlannedPoint]],
    told: "_Told",
    reasons: dict[str, int],
) -> Iterator[ListedColumn]:
    """The columns of the plan; each reason that a row has gets its number in `reasons`."""
    firsts = [row[0] for row in rows]

    def spans(value: Callable[[PlannedPoint], float]) -> tuple[str, ...]:
        return tuple(_span([value(point) for point in row]) for row in rows)

    def column(
        heading: str,
        cells: Iterable[str],
        *,
        right: bool = False,
        whole: bool = False,
        bare: bool = False,
    ) -> ListedColumn:
        return ListedColumn(
            heading=heading, cells=tuple(cells), right=right, whole=whole, bare=bare
        )

    # What is the same in every row stands in the title, or nowhere for the default engine.
    yield column("model", (point.spec.model for point in firsts), whole=True, bare=True)
    if {_engine(point) for point in points} != {DEFAULT_ENGINE}:
        yield column("engine", map(_engine, firsts), bare=True)
    if len({point.spec.prompts for point in points}) > 1:
        yield column("prompts", spans(lambda point: point.spec.prompts), right=True, whole=True)
    if len({point.spec.dataset for point in points}) > 1:
        yield column("dataset", (point.spec.dataset for point in firsts), bare=True)
    several = len({point.spec.gpu for point in points}) > 1
    yield column("GPUs", (_gpus(point, name=several) for point in firsts))
    cells = [list(told.cells(row)) for row in rows]
    for place, name in enumerate(told.names):
        numbers = name in told.numbers
        yield column(LABELS[name], (row[place] for row in cells), right=numbers)
    yield column("batch", spans(lambda point: point.spec.batch_size), right=True, whole=True)
    yield column("new", spans(lambda point: point.spec.max_gen_len), right=True, whole=True)
    yield column(
        "GB/GPU",
        spans(lambda point: round(point.memory.total_bytes / _GB, 1)),
        right=True,
        whole=True,
    )
    yield column("time", map(time_cell, rows), right=True, whole=True)
    yield column("kWh", map(energy_cell, rows), right=True, whole=True)
    verdicts = []
    for row in rows:
        verdict = f"{len(row)} {row[0].verdict}" if len(row) > 1 else str(row[0].verdict)
        if reason := row[0].reason:
            verdict += f" ({reasons.setdefault(reason, len(reasons) + 1)})"
        verdicts.append(verdict)
    yield ListedColumn(
        heading="verdict",
        cells=tuple(verdicts),
        bare=True,
        styles=tuple(_STYLES[point.verdict] for point in firsts),
    )


def _gpus(point: PlannedPoint, *, name: bool) -> str:
    spec = point.spec
    nodes = f" on {spec.nodes} nodes" if spec.nodes > 1 else ""
    return f"{spec.gpus}{f' {spec.gpu}' if name else ''}{nodes}"


class _Told:
    """The fields that set points apart and have no column of their own, and their cells."""

    def __init__(self, points: Sequence[PlannedPoint]) -> None:
        self._rows = {
            point.spec.run_id: {**point.launch.to_mapping(), **point.spec.to_mapping()}
            for point in points
        }
        rows = list(self._rows.values())
        found = differing(rows, (*SPEC_FIELDS, *MEASUREMENT_FIELDS))
        self.names = [name for name in found if name not in _SHOWN]
        self.numbers = {
            name
            for name in self.names
            if all(_is_number(value) for row in rows if (value := row.get(name)) is not None)
        }

    def words(self, point: PlannedPoint) -> tuple[str, ...]:
        """What is no number: a row of its own for each."""
        row = self._rows[point.spec.run_id]
        return tuple(
            short_text(field_value(row, name)) for name in self.names if name not in self.numbers
        )

    def cells(self, points: Sequence[PlannedPoint]) -> Iterator[str]:
        """The cells of a row of points."""
        for name in self.names:
            found = [field_value(self._rows[point.spec.run_id], name) for point in points]
            if name not in self.numbers:
                yield short_text(found[0])
                continue
            numbers = sorted({value for value in found if value is not None})
            texts = [short_text(None)] if None in found else []
            if len(numbers) > 1:
                texts.append(f"{short_text(numbers[0])}-{short_text(numbers[-1])}")
            else:
                texts += map(short_text, numbers)
            yield ", ".join(texts)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _engine(point: PlannedPoint) -> str:
    spec = point.spec
    return spec.engine if spec.quantization == "none" else f"{spec.engine} {spec.quantization}"


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low}-{high}"


def plan_summary(points: Sequence[PlannedPoint]) -> str:
    """How many points have which verdict, in one line."""
    counts = Counter(point.verdict for point in points)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])


class CampaignProgress:
    """Where the points of a campaign stand, live on a terminal, line by line elsewhere.

    Args:
        out: where to.
        results: the results folder, whose sealed runs tell how long their like takes.
        trials: all that will run, in their order.
    """

    def __init__(self, out: Output, results: Path, trials: Sequence[Trial]) -> None:
        # A document has standard output to itself; who waits for it is told beside it.
        self._out = out if due() is None else Output(sys.stderr, always=True)
        self._waiting = list(trials)
        self._total = len(trials)
        self._durations = Durations.of(results) if trials else Durations()
        self._start_s = self._point_s = time.monotonic()
        self._live: Live | None = None
        self._line = ""
        self._phase = ""
        self._next_line_s = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the display on while jobs run."""
        if not self._out.is_terminal or not self._total:
            yield
            return
        with Live(self, console=self._out, refresh_per_second=4, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Paragraph]:
        del console, options
        yield Paragraph(text=self.campaign())
        if self._line:
            yield Paragraph(text=self._line)

    def campaign(self) -> str:
        """How far the campaign is as a whole, and how long it will take."""
        done = self._total - len(self._waiting)
        so_far = whole_time(time.monotonic() - self._start_s)
        return f"{done} of {told_count(self._total, 'point')} in {so_far}, {self._left().words}"

    def _left(self) -> TimeLeft:
        running_s = time.monotonic() - self._point_s
        return self._durations.left(
            [
                (_work(trial), _foreseen_s(trial), running_s if number == 0 else 0.0)
                for number, trial in enumerate(self._waiting)
            ]
        )

    def update(self, trial: Trial) -> None:
        """Show how far a running attempt is."""
        phase, share, rate = read_progress(trial.attempt)
        filled = int(share * _BAR_CELLS)
        bar = "━" * filled + "╌" * (_BAR_CELLS - filled)
        head = self._head(trial)
        self._line = f"{head} {phase} {bar} {rate}".rstrip()
        if self._live is None:
            self._log(phase, f"{head} {phase} {rate}".rstrip())

    def _log(self, phase: str, line: str) -> None:
        """A line where the phase is another one, or nothing was said for a while."""
        now_s = time.monotonic()
        if phase != self._phase or now_s >= self._next_line_s:
            self._out.say(f"{line}; {self.campaign()}")
            self._phase = phase
            self._next_line_s = now_s + line_pause_s(now_s - self._point_s)

    @contextmanager
    def sealing(self, trial: Trial) -> Iterator[None]:
        """Within it the attempt is merged and sealed."""
        self._line = f"{self._head(trial)} merging and sealing"
        if self._live is not None:
            yield
            return
        with waiting(self._line, aside=False):
            yield

    def finish(self, trial: Trial, state: str, reason: str | None) -> None:
        """Say how an attempt ended."""
        head = self._head(trial)
        good = state == "sealed"
        now_s = time.monotonic()
        if good:
            self._durations.add(_work(trial), now_s - self._point_s)
        self._waiting.remove(trial)
        self._point_s = now_s
        self._line = self._phase = ""
        text = f"{head} {state}" + (f": {reason}" if reason else "")
        self._out.print(
            Paragraph(text=text, style="" if good else "bold red", styled=len(f"{head} {state}"))
        )

    def _head(self, trial: Trial) -> str:
        number = self._total - len(self._waiting) + 1
        return f"[{number}/{self._total}] {trial.point.spec.run_id}"


def _foreseen_s(trial: Trial) -> float | None:
    seen = trial.point.foreseen
    return None if seen is None else seen.time_s.value


def _work(trial: Trial) -> str:
    return work_of(trial.point.spec.to_mapping(), trial.point.launch.to_mapping())
