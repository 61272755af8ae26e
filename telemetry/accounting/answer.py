"""Answer: what accounting said, kept beside the runs, whole, with its digest and where it is from.

    results/accounting/DIGEST.txt    what sacct printed, as it printed it
    results/accounting/DIGEST.json   who was asked, how and when, in which zone its times are

It is no part of any seal: a center answers for it.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from telemetry.accounting.row import AccountedRow, read_rows
from telemetry.clock import wall_us
from telemetry.record.files import create_json, read_json, read_plain, write_bytes

_SCHEMA: Final = "joulegrid.accounting"
_VERSION: Final = 1
_NAME: Final = re.compile(r"[0-9a-f]{16}")
# A million rows of some hundred bytes.
MOST_BYTES: Final = 256 << 20
"""An answer that is larger is a database's dump."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of sacct."""

    text: bytes
    """What it printed."""
    source: str
    """`sacct`, or the name of the file that a center gave."""
    command: tuple[str, ...]
    """What was asked; empty for a file."""
    zone: str | None
    """Zone of its written times; None where they are seconds since 1970."""
    asked_us: int
    """When it was asked or taken in, by the wall clock."""

    @property
    def sha256(self) -> str:
        """Its SHA-256."""
        return hashlib.sha256(self.text).hexdigest()

    def rows(self) -> list[AccountedRow]:
        """Its rows.

        Raises:
            ValueError: it is no answer of sacct.
        """
        return list(_rows(self.text, self.zone))

    def keep(self, results: Path) -> Path:
        """Write it down beside the runs; the JSON's path. The same answer again is the same file.

        Raises:
            OSError: it cannot be written.
        """
        folder = accounting_folder(results)
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.sha256[:16]}.json"
        write_bytes(path.with_suffix(".txt"), self.text)
        create_json(
            path,
            {
                "schema": _SCHEMA,
                "version": _VERSION,
                "sha256": self.sha256,
                "source": self.source,
                "command": list(self.command),
                "zone": self.zone,
                "asked_us": self.asked_us,
            },
        )
        return path

    @classmethod
    def taken(
        cls, text: bytes, *, source: str, command: tuple[str, ...] = (), zone: str | None = None
    ) -> Self:
        """An answer of now."""
        return cls(text=text, source=source, command=command, zone=zone, asked_us=wall_us())

    @classmethod
    def read(cls, path: Path) -> Self:
        """An answer that was kept.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not as it was kept.
        """
        content = read_json(path)
        if content.get("schema") != _SCHEMA or content.get("version") != _VERSION:
            raise ValueError(f"{path} must be an answer of version {_VERSION}, but is not")
        text = path.with_suffix(".txt")
        data = read_plain(text, most_bytes=MOST_BYTES)
        if hashlib.sha256(data).hexdigest() != content.get("sha256"):
            raise ValueError(f"{text} must be as it was taken in, but was changed since")
        zone, asked_us = content.get("zone"), content.get("asked_us")
        command = content.get("command")
        return cls(
            text=data,
            source=str(content.get("source")),
            command=tuple(map(str, command)) if isinstance(command, list) else (),
            zone=None if zone is None else str(zone),
            asked_us=asked_us if isinstance(asked_us, int) else 0,
        )


def accounting_folder(results: Path) -> Path:
    """Where a results folder keeps what accounting said."""
    return results / "accounting"


def list_answers(results: Path) -> Iterator[Path]:
    """Every answer that is kept, by name."""
    folder = accounting_folder(results)
    yield from sorted(path for path in folder.glob("*.json") if _NAME.fullmatch(path.stem))


@lru_cache(maxsize=4)
def _rows(text: bytes, zone: str | None) -> tuple[AccountedRow, ...]:
    # All runs of a folder ask the same answer.
    return tuple(read_rows(text.decode(errors="replace"), zone))


def latest_first(results: Path) -> list[Answer]:
    """Every answer, the latest first.

    Raises:
        OSError, ValueError: one cannot be read, or is not as it was kept.
    """
    answers = [Answer.read(path) for path in list_answers(results)]
    return sorted(answers, key=lambda one: (-one.asked_us, one.sha256))
