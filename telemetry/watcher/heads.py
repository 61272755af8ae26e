"""Heads: how far the chains of others are, read in a thread, so that no poll waits for a disk.

A node's watcher holds the heads of its own node's ranks, and of the other nodes' watchers, in its
own links: who changes a chain afterwards has to change those that saw it too.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import TABLES
from telemetry.shards.chain import chain_name
from telemetry.shards.links import Head, list_chains, read_chain, read_head

# Opening a file of a shared file system takes about a millisecond: a look at four other nodes and
# a node's own ranks stays in the hundredths of a second, and in turn all of them are seen.
MOST_NODES: Final = 4
# A shared file system answers in milliseconds; one that hangs keeps no watcher from ending.
_PATIENCE_S: Final = 5.0
_SAMPLES: Final = "samples"


class Heads:
    """Heads of others' chains as one node sees them."""

    def __init__(self, attempt: AttemptPaths, host: str) -> None:
        self._attempt = attempt
        self._host = host
        self._turn = 0
        self._told: dict[str, Head] = {}
        self._local: dict[Path, bool] = {}

    def look(self, most: int | None = None) -> tuple[dict[str, Head], bool]:
        """Heads that moved since the last look, and whether all could be read.

        `most` is how many other nodes are looked at, the next ones in turn; None looks at all.
        """
        try:
            folders = [*self._others(most), *self._ranks()]
        except (OSError, ValueError):
            return {}, False
        moved: dict[str, Head] = {}
        # All are looked at, though the first could not be read.
        unread = sum(not self._see_last(folder, moved) for folder in folders)
        return moved, not unread

    def _see_last(self, folder: Path, moved: dict[str, Head]) -> bool:
        """Read the head of a shard's last chain; whether it could be read."""
        try:
            for path in list_chains(folder)[-1:]:
                head, name = read_head(path), chain_name(path)
                before = self._told.get(name)
                # A shared file system may show an older end than it showed before.
                if head is not None and (before is None or head.number > before.number):
                    self._told[name] = moved[name] = head
        except (OSError, ValueError):
            # What is missing is seen the next time; a link says what was seen and no more.
            return False
        return True

    def _others(self, most: int | None) -> list[Path]:
        """Shards of other nodes' watchers."""
        folders = [path for path in self._shards(_SAMPLES) if path.name != self._host]
        if most is None or len(folders) <= most:
            return folders
        start = self._turn % len(folders)
        self._turn += most
        return [*folders[start:], *folders[:start]][:most]

    def _ranks(self) -> Iterator[Path]:
        """Shards of this node's ranks."""
        for kind in TABLES:
            if kind == _SAMPLES:
                continue
            for folder in self._shards(kind):
                if folder not in self._local and (told := self._is_local(folder)) is not None:
                    self._local[folder] = told
                if self._local.get(folder):
                    yield folder

    def _is_local(self, folder: Path) -> bool | None:
        """Whether a rank's chain is of this node; None while its first link is not there yet."""
        for path in list_chains(folder)[:1]:
            for link in read_chain(path).links[:1]:
                return link.said.get("host") == self._host
        return None

    def _shards(self, kind: str) -> list[Path]:
        folder = self._attempt.shards(kind)
        return sorted(folder.iterdir()) if folder.is_dir() else []


class HeadReader:
    """Looks at the heads of others' chains every `period_s`, in a thread of its own."""

    def __init__(self, attempt: AttemptPaths, host: str, period_s: float) -> None:
        self._heads = Heads(attempt, host)
        self._period_s = period_s
        self._found: dict[str, Head] = {}
        self._whole = False
        self._swapping = threading.Lock()
        self._ending = threading.Event()
        self._done = threading.Event()
        # Nobody waits for it: a file system that hangs must not keep the watcher from ending.
        threading.Thread(target=self._work, name="heads", daemon=True).start()

    def take(self) -> dict[str, Head]:
        """Heads that moved since they were last told, as the thread saw them."""
        with self._swapping:
            found, self._found = self._found, {}
        return found

    def last(self) -> tuple[dict[str, Head], bool]:
        """One more look, at all; what it saw, and whether it saw all in time."""
        self._ending.set()
        done = self._done.wait(_PATIENCE_S)
        return self.take(), done and self._whole

    def _work(self) -> None:
        while not self._ending.wait(self._period_s):
            self._keep(*self._heads.look(MOST_NODES))
        self._keep(*self._heads.look())
        self._done.set()

    def _keep(self, moved: dict[str, Head], whole: bool) -> None:
        with self._swapping:
            self._found |= moved
            self._whole = whole
