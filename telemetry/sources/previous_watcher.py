"""Previous watcher: what a watcher that died left behind for the one that follows it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.writer import Part, list_parts

# At two to three writes a second some fifteen seconds: who comes more seldom has no gap to tell.
_LAST_BATCHES: Final = 40


@dataclass(frozen=True, kw_only=True)
class PreviousWatcher:
    """The last words of a dead watcher of this attempt and host."""

    record: Mapping[str, Any]
    """Its ready record, with the clock that all stamps of this host are on."""
    last: Mapping[tuple[str, str], tuple[int, float]]
    """By device and field the last value on disk, after its time."""

    @classmethod
    def find(cls, attempt: AttemptPaths, host: str) -> Self | None:
        """What there is of an earlier watcher; None when none was ever ready.

        Raises:
            ValueError: its ready record is not JSON.
        """
        path = attempt.host(host)
        if not path.is_file():
            return None
        parts = list_parts(attempt.samples_shard(host))
        return cls(record=read_json(path), last=_read_last(parts[-1]) if parts else {})

    @property
    def silent_from_us(self) -> int:
        """When its last value was read; 0 when it left none."""
        return max((t_us for t_us, _ in self.last.values()), default=0)

    def by_field(self, device: str) -> dict[str, int]:
        """The last times of one device."""
        return {name: t_us for (owner, name), (t_us, _) in self.last.items() if owner == device}


def _read_last(part: Part) -> dict[tuple[str, str], tuple[int, float]]:
    """By device and field the latest value in the end of a part, damage or not."""
    batches = _last_group(part) if part.closed else _last_batches(part)
    last: dict[tuple[str, str], tuple[int, float]] = {}
    for batch in batches:
        rows = zip(
            batch["device"].to_pylist(),
            batch["field"].to_pylist(),
            batch["t_us"].to_pylist(),
            batch["value"].to_pylist(),
            strict=True,
        )
        for device, name, t_us, value in rows:
            if value is not None:
                last[device, name] = max((t_us, value), last.get((device, name), (t_us, value)))
    return last


def _last_group(part: Part) -> list[pa.Table]:
    """The end of a closed part; nothing of one that is damaged, which the merge will name."""
    try:
        with pq.ParquetFile(part.path) as source:
            last = source.num_row_groups - 1
            return [source.read_row_group(last)] if last >= 0 else []
    except (pa.ArrowException, OSError):
        return []


def _last_batches(part: Part) -> list[pa.RecordBatch]:
    """The end of a stream, whose whole content is passed over without being read."""
    batches: deque[pa.RecordBatch] = deque(maxlen=_LAST_BATCHES)
    try:
        with pa.memory_map(str(part.path)) as source, pa.ipc.open_stream(source) as reader:
            # A kill in the middle of a write leaves half a batch at the end.
            for batch in reader:
                batches.append(batch)
            return list(batches)
    except (pa.ArrowInvalid, OSError):
        return list(batches)
