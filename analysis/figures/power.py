"""Power: the power of GPUs over time: of one run with all that is known, of many runs at a glance.

Both are drawn from the trace that is kept of each run, `analysis.energy.power_trace`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from analysis.energy.power_trace import power_trace
from analysis.energy.run_energy import RunEnergy
from analysis.figures.chart import DASHES, Chart, Line, Mark, Panel, Series, Shade, undrawn
from analysis.figures.labels import weights_note
from analysis.figures.marks import axes_among, axes_of, labels_of
from analysis.figures.phases import PHASES
from analysis.runs.sealed_runs import Loaded, Run
from analysis.tables.column import Row
from analysis.tables.table import Tables
from telemetry.clock import US_PER_MS, US_PER_S

_MS_PER_S: Final = US_PER_S / US_PER_MS
_TITLE: Final = "GPU power over time"
_KEY: Final = "power-over-time"
_TENTHS: Final = 10.0
# More lines than the GPUs of one node cannot be told apart.
_MOST_LINES: Final = 8
# Points of the lines of all runs together, and of one at least: more make a page slow.
_ALL_POINTS: Final = 6000
_LEAST_POINTS: Final = 30
# Colour of what held a clock down: none of the first boards'.
_HELD: Final = 5
_LABELS_X: Final = "time since rank 0 began [s]"


def power_over_time(loaded: Loaded, tables: Tables) -> Chart:
    """Watts over time: of the only run with all that is known, of several the mean of each."""
    runs = {run.run_id: run for run in loaded.runs}
    rows = {str(row["run_id"]): row for row in tables.runs.rows}
    read = {
        run_id: content
        for run_id, trace in tables.traces.items()
        if run_id in runs and run_id in rows and (content := trace.content())["boards"]
    }
    if not read:
        return undrawn(_KEY, _TITLE, "no run has a reading of GPU power")
    if len(read) == 1:
        ((run_id, content),) = read.items()
        return trace_chart(runs[run_id], content, labels=labels_of(rows[run_id]))
    return _overview(read, rows, tables)


def power_chart(run_energy: RunEnergy, labels: Sequence[str] = ()) -> Chart:
    """Watts over time of one run, shaded by what rank 0 was doing, with what held clocks down.

    `labels` are those of the run's row in the tables.
    """
    content = power_trace(run_energy).content()
    if not content["boards"]:
        return undrawn(_KEY, _TITLE, "no reading of GPU power")
    return trace_chart(run_energy.run, content, labels=tuple(labels))


def trace_chart(run: Run, content: Mapping[str, Any], *, labels: tuple[str, ...]) -> Chart:
    """The same of a trace that was kept: `content` is that of `PowerTrace.whole`."""
    boards = content["boards"]
    lines = [_board(board, labels) for board in boards]
    if len(boards) <= _MOST_LINES:
        said = "one line a GPU" if len(boards) > 1 else "its one GPU"
        series = [
            Series(
                name=_board_name(board),
                kind="line",
                marks=marks,
                colour=index,
                dash=DASHES[0],
            )
            for index, (board, marks) in enumerate(zip(boards, lines, strict=True))
        ]
    else:
        hosts = list(dict.fromkeys(str(board["host"]) for board in boards))
        said = f"the mean of {len(boards)} GPUs by node and the band from the least to the greatest"
        series = []
        for index, host in enumerate(hosts):
            own = [
                marks
                for board, marks in zip(boards, lines, strict=True)
                if str(board["host"]) == host
            ]
            series += _node(host, own, index, labels)
    silent = [f"{uuid}: {why}" for uuid, why in content["silent"]]
    gone = f" Not drawn: {'; '.join(silent)}." if silent else ""
    weights = weights_note([run.spec.weights])
    cap_w = run.spec.power_cap_w
    held = _held(content, lines, labels)
    return Chart(
        key=_KEY,
        title=_TITLE,
        caption=f"Run {run.run_id}: {said}, by {' and '.join(content['fields'])}, shaded by what "
        "rank 0 was doing; the least and the greatest reading of each stretch are kept, and a gap "
        f"is where readings are missing.{_held_note(content)}{gone} {weights}".strip(),
        panels=(
            Panel(
                series=(*series, *held),
                x_label=_LABELS_X,
                y_label="power of one GPU [W]",
                from_zero=True,
                shades=tuple(_shades(content["phases"])),
                lines=()
                if cap_w is None
                else (Line(at=float(cap_w), name=f"power cap of {cap_w:g} W", dash="dash"),),
            ),
        ),
    )


def _overview(
    read: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Row], tables: Tables
) -> Chart:
    """One line a run: the mean of its GPUs."""
    columns = axes_among(tables)
    points = max(_LEAST_POINTS, _ALL_POINTS // len(read))
    called = {run_id: _kind(rows[run_id]) for run_id in read}
    kinds = list(dict.fromkeys(called.values()))
    series = []
    for run_id, content in read.items():
        row = rows[run_id]
        axes = {**axes_of(row, columns), "run": run_id}
        series.append(
            Series(
                name=called[run_id],
                kind="line",
                marks=tuple(
                    Mark(x=at, y=watts, hover=run_id, axes=axes, labels=labels_of(row))
                    for at, watts in _mean(content["boards"], points)
                ),
                colour=kinds.index(called[run_id]),
                dash=DASHES[kinds.index(called[run_id]) // 8 % len(DASHES)],
            )
        )
    weights = weights_note([str(rows[run_id]["weights"]) for run_id in read])
    return Chart(
        key=_KEY,
        title=f"{_TITLE}, {len(read)} runs",
        caption="An overview: one line a run, the mean of its GPUs in even stretches of time, so "
        "that a peak of one GPU is not in it; each run's own page has every GPU, with phases and "
        f"what held clocks down. {weights}".strip(),
        panels=(
            Panel(
                series=tuple(series),
                x_label=_LABELS_X,
                y_label="mean power of a run's GPUs [W]",
                from_zero=True,
            ),
        ),
    )


def _kind(row: Row) -> str:
    return f"{row['model']}, {row['gpus']} x {row['gpu']}"


def _times_s(board: Mapping[str, Any]) -> list[float]:
    now, found = 0, []
    for step_ms in board["t"]:
        now += step_ms
        found.append(now / _MS_PER_S)
    return found


def _board_name(board: Mapping[str, Any]) -> str:
    of = "no rank" if board["rank"] is None else f"rank {board['rank']}"
    return f"{of}: {board['gpu']}"


def _board(board: Mapping[str, Any], labels: tuple[str, ...]) -> tuple[Mark, ...]:
    axes = {"GPU": str(board["gpu"]), "node": str(board["host"])}
    return tuple(
        Mark(x=at, y=None if tenths is None else tenths / _TENTHS, axes=axes, labels=labels)
        for at, tenths in zip(_times_s(board), board["w"], strict=True)
    )


def _stretches(
    boards: Sequence[Sequence[tuple[float, float]]], points: int
) -> list[tuple[float, list[float]]]:
    """Readings of all boards in even stretches of time, by the middle of each with any."""
    start = min(line[0][0] for line in boards)
    end = max(line[-1][0] for line in boards)
    step = (end - start) / points or 1.0
    found: dict[int, list[float]] = {}
    for line in boards:
        for at, watts in line:
            found.setdefault(min(points - 1, int((at - start) / step)), []).append(watts)
    return [(start + (number + 0.5) * step, found[number]) for number in sorted(found)]


def _mean(boards: Sequence[Mapping[str, Any]], points: int) -> list[tuple[float, float]]:
    lines = [
        [
            (at, tenths / _TENTHS)
            for at, tenths in zip(_times_s(board), board["w"], strict=True)
            if tenths is not None
        ]
        for board in boards
    ]
    return [
        (at, sum(own) / len(own))
        for at, own in _stretches([line for line in lines if line], points)
    ]


def _node(
    host: str, boards: Sequence[Sequence[Mark]], index: int, labels: tuple[str, ...]
) -> list[Series]:
    """A node's mean, and the band from the least to the greatest reading of its GPUs."""
    lines = [[(mark.x, mark.y) for mark in line if mark.y is not None] for line in boards]
    stretches = _stretches([line for line in lines if line], _ALL_POINTS // 60)
    axes = {"node": host}
    marks = tuple(
        Mark(
            x=at,
            y=sum(own) / len(own),
            low=min(own),
            high=max(own),
            interval="least to greatest of its GPUs",
            axes=axes,
            labels=labels,
        )
        for at, own in stretches
    )
    bare = tuple(Mark(x=one.x, y=one.y, axes=axes, labels=labels) for one in marks)
    name = f"{host}: {len(boards)} GPUs"
    return [
        Series(name=name, kind="band", marks=marks, colour=index),
        Series(name=name, kind="line", marks=bare, colour=index),
    ]


def _held(
    content: Mapping[str, Any], lines: Sequence[Sequence[Mark]], labels: tuple[str, ...]
) -> list[Series]:
    """Where something held a GPU's clock down, on the GPU's own line."""
    named: dict[str, list[Mark]] = {}
    for number, from_ms, to_ms, names in content["held"]:
        start, end = from_ms / _MS_PER_S, to_ms / _MS_PER_S
        line = [mark for mark in lines[number] if mark.y is not None]
        inside = [mark for mark in line if start <= mark.x <= end]
        near = inside or [min(line, key=lambda mark: abs(mark.x - start))] if line else []
        own = named.setdefault(names, [])
        for mark in near:
            own.append(Mark(x=mark.x, y=mark.y, hover=names, axes=mark.axes, labels=labels))
        if near:
            own.append(Mark(x=near[-1].x, y=None))
    return [
        Series(
            name=f"held down: {names}", kind="line", marks=tuple(marks), colour=_HELD, symbol="x"
        )
        for names, marks in named.items()
    ]


def _held_note(content: Mapping[str, Any]) -> str:
    return " Crosses: something held a GPU's clock down." if content["held"] else ""


def _shades(phases: Mapping[str, Sequence[int]]) -> list[Shade]:
    """Stretches of each phase, in the phases' order."""
    found = []
    for phase in sorted(phases, key=lambda one: PHASES.index(one) if one in PHASES else 99):
        end = 0
        spans = phases[phase]
        for step, length in zip(spans[::2], spans[1::2], strict=True):
            start = end + step
            end = start + length
            colour = PHASES.index(phase) if phase in PHASES else len(PHASES)
            found.append(
                Shade(low=start / _MS_PER_S, high=end / _MS_PER_S, name=phase, colour=colour)
            )
    return found
