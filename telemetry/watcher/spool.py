"""Spool: readings on their way to disk, kept while the disk is full."""

import contextlib
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from telemetry.shards.writer import ShardWriter
from telemetry.sources.base import Reading
from telemetry.watcher.log import WatchLog

# At 20 fields x 8 GPUs and 10 Hz two minutes of a full disk, about 60 MB of memory.
MAX_ROWS: Final = 200_000
# One write of this size takes 10 ms, so that trying a full disk twice a second costs little.
_WRITE_ROWS: Final = 5_000


class Spool:
    """Rows between a source and its shard; the oldest fall out when there is no room for them."""

    def __init__(
        self, writer: ShardWriter, host: str, log: WatchLog, *, max_rows: int = MAX_ROWS
    ) -> None:
        self._writer = writer
        self._host = host
        self._log = log
        self._max_rows = max_rows
        self._rows: deque[Reading] = deque()
        self._dropped = 0
        self._dropped_from_us = 0
        self._dropped_until_us = 0

    def add(self, readings: Sequence[Reading]) -> None:
        """Take readings; drops the oldest beyond the bound and counts them."""
        self._rows.extend(readings)
        while len(self._rows) > self._max_rows:
            oldest = self._rows.popleft()
            if not self._dropped:
                self._dropped_from_us = oldest.t_us
            self._dropped += 1
            self._dropped_until_us = oldest.t_us

    def flush(self) -> bool:
        """Write all rows; False when the disk has no room, and they are kept for the next try.

        Raises:
            FileNotFoundError: the shard's folder vanished.
        """
        while self._rows:
            rows = list(itertools.islice(self._rows, _WRITE_ROWS))
            columns: dict[str, Sequence[Any]] = {
                "t_us": [row.t_us for row in rows],
                "host": [self._host] * len(rows),
                "device": [row.device for row in rows],
                "field": [row.field for row in rows],
                "value": [row.value for row in rows],
                "reason": [row.reason for row in rows],
            }
            try:
                self._writer.write(columns)
            except FileNotFoundError:
                raise
            except OSError as error:
                self._log.disk_trouble(str(error))
                return False
            self._log.count_rows(len(rows))
            for _ in rows:
                self._rows.popleft()
        if self._dropped:
            self._log.event(
                "rows_dropped",
                rows=self._dropped,
                from_us=self._dropped_from_us,
                until_us=self._dropped_until_us,
            )
            self._dropped = 0
        return True

    def close(self) -> None:
        """Close the part; on a full disk its rows stay in the stream, which is a part as well."""
        with contextlib.suppress(OSError):
            self._writer.close()
        if self._rows:
            self._log.event("rows_dropped", rows=len(self._rows) + self._dropped)
