"""Progress bar: how far a merge is, for whoever waits at a terminal."""

import time
from typing import Final, Self

from rich.console import Console
from rich.progress import Progress

# People wait two seconds without wondering.
_BAR_AFTER_S: Final = 2.0


class ProgressBar:
    """A bar for people who wait, on a terminal alone; lines for everyone."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, markup=False)
        self._progress = Progress(console=self._console, transient=True)
        self._task = self._progress.add_task("merging", total=None)
        self._start_s = time.monotonic()
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown:
            self._progress.stop()

    def show(self, done: int, total: int) -> None:
        """Rows of the attempt at hand."""
        waited_s = time.monotonic() - self._start_s
        if not self._shown and self._console.is_terminal and waited_s > _BAR_AFTER_S:
            self._progress.start()
            self._shown = True
        self._progress.update(self._task, completed=done, total=total)

    def line(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text)
