"""Sealed files: the bytes of a run's files, hashed against its seal as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from telemetry.record.files import read_json
from telemetry.record.json_text import parse_json
from telemetry.record.parquet_file import Source
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.seal import read_sealed


@dataclass(frozen=True, kw_only=True)
class SealedFiles:
    """Where a run's bytes come from."""

    results: Path | None = None
    """The results folder that the seal's names start from; None: files are read as they lie."""
    sha256: Mapping[str, str] | None = None
    """What each file must hash to, by its name in the seal; None with `results`."""

    def __post_init__(self) -> None:
        if (self.results is None) != (self.sha256 is None):
            raise ValueError(
                "`results` and `sha256` must be given together, "
                f"but are {self.results!r} and {self.sha256!r} instead"
            )

    @classmethod
    def of(cls, run: RunPaths, attempt: AttemptPaths) -> Self:
        """The files of a sealed attempt, each to be as its seal says."""
        return cls(results=run.results, sha256=read_json(attempt.seal)["files"])

    def source(self, path: Path) -> Source:
        """A file to parse: the very bytes that were hashed.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not as it was sealed, or the seal does not name it.
        """
        return path if self.results is None else pa.py_buffer(self._bytes(path))

    def json(self, path: Path) -> dict[str, Any]:
        """A JSON object of the record; raises what `source` does.

        Raises:
            ValueError: it is no JSON object.
        """
        if self.results is None:
            return read_json(path)
        return parse_json(self._bytes(path), path.name)

    def _bytes(self, path: Path) -> bytes:
        assert self.results is not None
        assert self.sha256 is not None
        return read_sealed(path, self.sha256.get(path.relative_to(self.results).as_posix()))
