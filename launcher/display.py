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

from launcher.grid import Entry, Grid, Verdict
from launcher.standing import read_progress
from launcher.submit import Trial

_GB: Final = 1e9
_STYLES: Final = {
    Verdict.RUN: "green",
    Verdict.MERGE: "green",
    Verdict.SEALED: "dim",
    Verdict.QUEUED: "cyan",
    Verdict.RUNNING: "cyan",
    Verdict.FAILED: "bold red",
    Verdict.ILLEGAL: "yellow",
    Verdict.TOO_LARGE: "yellow",
    Verdict.TOO_LONG: "yellow",
    Verdict.UNSUPPORTED: "yellow",
}
_BAR_CELLS: Final = 24


def plan_table(grid: Grid) -> Group:
    """Every point of the grid, what it needs and what becomes of it, with reasons below."""
    table = Table(
        title=f"{len(grid.entries)} points for {grid.results}", title_justify="left", box=SIMPLE
    )
    for heading in ("model", "prompts", "GPUs"):
        table.add_column(heading, no_wrap=heading == "GPUs")
    for heading in ("batch", "new", "GB/GPU"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    reasons: dict[str, int] = {}
    for entry in grid.entries:
        spec = entry.spec
        verdict = Text(str(entry.verdict), style=_STYLES[entry.verdict])
        if entry.reason:
            verdict.append(f" ({reasons.setdefault(entry.reason, len(reasons) + 1)})")
        nodes = f" on {spec.nodes} nodes" if spec.nodes > 1 else ""
        table.add_row(
            spec.model,
            Text(f"{spec.prompts} {spec.dataset}"),
            Text(f"{spec.gpus} {spec.gpu}{nodes}"),
            str(spec.batch_size),
            str(spec.max_gen_len),
            f"{entry.memory.total_bytes / _GB:.1f}",
            verdict,
        )
    notes = [Text(f" ({number}) {reason}") for reason, number in reasons.items()]
    return Group(table, *notes)


def plan_summary(entries: Sequence[Entry]) -> str:
    """How many points have which verdict, in one line."""
    counts = Counter(entry.verdict for entry in entries)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])


class Progress:
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
        name = trial.entry.spec.run_id
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
        line = Text(f"[{self._done}/{self._total}] {trial.entry.spec.run_id} ")
        line.append(state, style="green" if good else "bold red")
        if reason:
            line.append(f": {reason}")
        self._console.print(line, soft_wrap=True)
