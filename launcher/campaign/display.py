"""Display: the plan as a table, and a campaign's progress while one waits."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from launcher.campaign.point_status import read_progress
from launcher.forecast.totals import energy_cell, time_cell
from launcher.jobs.shapes import Trial
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from telemetry.record.differing import (
    LABELS,
    MEASUREMENT_FIELDS,
    SPEC_FIELDS,
    differing,
    field_value,
    short_text,
)
from telemetry.terminal import printable
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
    # What is the same in every row stands in the title, or nowhere for the default engine.
    tell_engines = {_engine(point) for point in grid.points} != {DEFAULT_ENGINE}
    datasets = sorted({point.spec.dataset for point in grid.points})
    kinds = sorted({point.spec.gpu for point in grid.points})
    prompts = {point.spec.prompts for point in grid.points}
    alike = [f"{min(prompts)}"] if len(prompts) == 1 else []
    alike += datasets if len(datasets) == 1 else []
    title = f"{len(grid.points)} point{'s' if len(grid.points) > 1 else ''}"
    title += f" of {' '.join(alike)} prompts" if alike else ""
    title += f" on {kinds[0]}" if len(kinds) == 1 else ""
    # The box has a blank of its own: two between columns let most grids into 80.
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    # Where a row needs two lines it breaks between words; a number is never cut.
    table.add_column("model", no_wrap=True)
    if tell_engines:
        table.add_column("engine", min_width=len(DEFAULT_ENGINE))
    if len(prompts) > 1:
        table.add_column("prompts", justify="right", no_wrap=True)
    if len(datasets) > 1:
        table.add_column("dataset", min_width=max(map(len, datasets)))
    table.add_column("GPUs", min_width=len("nodes") if len(kinds) == 1 else max(map(len, kinds)))
    told = _Told(grid.points)
    for name in told.names:
        numbers = name in told.numbers
        table.add_column(LABELS[name], justify="right" if numbers else "left", overflow="fold")
    for heading in ("batch", "new", "GB/GPU", "time", "kWh"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=len("too large"))
    rows = [[point] for point in grid.points]
    if len(rows) > _MOST_ROWS:
        shared: dict[tuple[object, ...], list[PlannedPoint]] = {}
        for point in grid.points:
            spec = point.spec
            key: tuple[object, ...]
            key = (spec.model, _engine(point), spec.dataset, spec.gpu, spec.gpus, spec.nodes)
            key = (*key, *told.words(point), point.verdict)
            shared.setdefault(key, []).append(point)
        rows = list(shared.values())
    reasons: dict[str, int] = {}
    for points in rows[:_MOST_ROWS]:
        spec, kind = points[0].spec, points[0].verdict
        verdict = Text(f"{len(points)} " if len(points) > 1 else "", style=_STYLES[kind])
        verdict.append(str(kind))
        if reason := points[0].reason:
            verdict.append(f" ({reasons.setdefault(reason, len(reasons) + 1)})")
        nodes = f" on {spec.nodes} nodes" if spec.nodes > 1 else ""
        memory = [round(point.memory.total_bytes / _GB, 1) for point in points]
        table.add_row(
            spec.model,
            *((_engine(points[0]),) if tell_engines else ()),
            *((_span([point.spec.prompts for point in points]),) if len(prompts) > 1 else ()),
            *((Text(spec.dataset),) if len(datasets) > 1 else ()),
            Text(f"{spec.gpus}{f' {spec.gpu}' if len(kinds) > 1 else ''}{nodes}"),
            *told.cells(points),
            _span([point.spec.batch_size for point in points]),
            _span([point.spec.max_gen_len for point in points]),
            _span(memory),
            time_cell(points),
            energy_cell(points),
            verdict,
        )
    notes = [Text(f" ({number}) {printable(reason)}") for reason, number in reasons.items()]
    checkpoints = {point.weights: point.spec.model for point in grid.points if point.weights.folder}
    for weights, model in checkpoints.items():
        notes.append(
            Text(
                f" weights of {model}: {weights.digest} in {printable(str(weights.folder))} "
                f"({weights.about})"
            )
        )
    if (more := len(rows) - _MOST_ROWS) > 0:
        notes.append(Text(f" and {more} rows more"))
    # A table's own title would wrap at the table's width.
    return Group(Text(f"{title} for {printable(str(grid.results))}", style="italic"), table, *notes)


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
            if all(_is_number(value) for row in rows if (value := row[name]) is not None)
        }

    def words(self, point: PlannedPoint) -> tuple[str, ...]:
        """What is no number: a row of its own for each."""
        row = self._rows[point.spec.run_id]
        return tuple(
            short_text(field_value(row, name)) for name in self.names if name not in self.numbers
        )

    def cells(self, points: Sequence[PlannedPoint]) -> Iterator[Text]:
        """The cells of a row of points."""
        for name in self.names:
            found = [field_value(self._rows[point.spec.run_id], name) for point in points]
            if name not in self.numbers:
                yield Text(short_text(found[0]))
                continue
            numbers = sorted({value for value in found if value is not None})
            texts = [short_text(None)] if None in found else []
            if len(numbers) > 1:
                texts.append(f"{short_text(numbers[0])}-{short_text(numbers[-1])}")
            else:
                texts += map(short_text, numbers)
            yield Text(", ".join(texts))


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
    """Where the points of a campaign stand, live on a terminal, line by line elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._live: Live | None = None
        self._last_phase = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the display on while jobs run."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            self._live = live
            yield
        self._live = None

    def update(self, trial: Trial) -> None:
        """Show how far a running attempt is."""
        phase, share, rate = read_progress(trial.attempt)
        number = self._done + 1
        name = trial.point.spec.run_id
        if self._live is not None:
            filled = int(share * _BAR_CELLS)
            bar = "━" * filled + "╌" * (_BAR_CELLS - filled)
            self._live.update(Text(f"[{number}/{self._total}] {name} {phase:<9} {bar} {rate}"))
        elif phase != self._last_phase:
            self._console.print(f"[{number}/{self._total}] {name} {phase}", markup=False)
        self._last_phase = phase

    def finish(self, trial: Trial, state: str, reason: str | None) -> None:
        """Say how an attempt ended."""
        self._done += 1
        self._last_phase = ""
        good = state == "sealed"
        line = Text(f"[{self._done}/{self._total}] {trial.point.spec.run_id} ")
        line.append(state, style="green" if good else "bold red")
        if reason:
            line.append(f": {printable(reason)}")
        self._console.print(line, soft_wrap=True)
