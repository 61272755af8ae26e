"""LaunchOrder: what a job needs beside its RunSpec, written by the launcher before submission."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telemetry.record import read_json

SOURCES = ("host", "simulated")
DEVICES = ("cpu", "cuda")
# Below this a Python process polling a few sensors takes a visible share of a core.
MIN_PERIOD_MS = 10
# An hour of rest says nothing that a minute does not: more is a slip of the keyboard.
MAX_IDLE_S = 3600.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class LaunchOrder:
    """How the job of one attempt is carried out; nothing here changes the GPUs' work."""

    device: str
    """Where the ranks compute, one of `DEVICES`."""
    threads: int | None
    """CPU threads of each rank; None shares the node's cores among its ranks."""
    prompts_sha256: str
    """Names the prompts file of `RunPaths.prompts`."""
    tokenizer_path: str | None
    """A user's SentencePiece model; None takes the bundled one."""
    telemetry: str
    """Which source watches, one of `SOURCES`."""
    period_ms: int
    """Time between two readings of a polled sensor."""
    idle_s: float
    """Rest before the model loads: the idle baseline."""
    warmup_batches: int
    """Batches answered and thrown away before the first measured one."""

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(
                f"`device` must be one of {', '.join(DEVICES)}, but is {self.device!r} instead"
            )
        if self.telemetry not in SOURCES:
            raise ValueError(
                f"`telemetry` must be one of {', '.join(SOURCES)}, "
                f"but is {self.telemetry!r} instead"
            )
        if not _SHA256.fullmatch(self.prompts_sha256):
            raise ValueError(
                f"`prompts_sha256` must be 64 hex digits, but is {self.prompts_sha256!r} instead"
            )
        for name, least in (("period_ms", MIN_PERIOD_MS), ("warmup_batches", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"`{name}` must be a whole number of at least {least}, but is {value!r} instead"
                )
        if self.threads is not None and (not isinstance(self.threads, int) or self.threads < 1):
            raise ValueError(
                f"`threads` must be a whole number of at least 1 or null, "
                f"but is {self.threads!r} instead"
            )
        if not isinstance(self.idle_s, float) or not 0.0 <= self.idle_s <= MAX_IDLE_S:
            raise ValueError(
                f"`idle_s` must be a number of seconds from 0 to {MAX_IDLE_S:g}, "
                f"but is {self.idle_s!r} instead"
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The order that `path` (a launch.json) holds."""
        return cls(**read_json(path))

    def to_mapping(self) -> Mapping[str, Any]:
        """The order's JSON form."""
        return dataclasses.asdict(self)
