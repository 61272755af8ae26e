"""Making: a crate of a results folder, or of one run of it: looked through, described, written."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from analysis.crate.description import CrateStatement, describe
from analysis.crate.packing import write_folder, write_in_place, write_zip
from analysis.crate.payload import TABLES, Payload, PayloadFile, collect
from analysis.runs.sealed_runs import DAMAGED, Loaded, NotCounted, load
from analysis.workbook.build import build_tables, unreadable_runs
from analysis.workbook.write import write_tables
from telemetry.command import CommandError, ExitCode
from telemetry.next_line import typed
from telemetry.record.files import file_sha256
from telemetry.record.place import RecordPlace, shown

ZIP: Final = ".zip"
"""Ending of what is written as one file."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """A crate that is about to be written."""

    payload: Payload
    """Files of the record."""
    made: tuple[PayloadFile, ...]
    """Files of tables that analysis made of it; none of a crate in place."""
    loaded: Loaded
    """The runs."""
    metadata: bytes
    """The metadata file."""


class TablesOf(Enum):
    """Which tables a crate holds beside the record."""

    NONE = "none"
    """None: the results folder itself is the crate."""
    MADE = "made"
    """Those that analysis makes of its runs now."""
    THERE = "there"
    """Those that lie in the folder already."""


@contextmanager
def described(
    place: RecordPlace, statement: CrateStatement, tables: TablesOf
) -> Iterator[Described]:
    """Within it a crate's content lies there to be written or compared.

    Args:
        place: what is to be a crate.
        statement: what its maker says of it.
        tables: which tables it holds.

    Raises:
        CommandError: there is no sealed run, or one is not as it was sealed.
        OSError: a file cannot be read.
        ValueError: a name is no UTF-8.
    """
    loaded = load(place.results, only=place.run)
    _require_whole(loaded, place)
    payload = collect(place)
    # What is sealed so may still be nothing that can be read.
    _require_undamaged(unreadable_runs(loaded))
    all_tables = build_tables(loaded)
    with tempfile.TemporaryDirectory(prefix="joulegrid-crate-") as scratch:
        base = place.results if tables is TablesOf.THERE else Path(scratch)
        if tables is TablesOf.MADE:
            write_tables(all_tables, base / TABLES)
        made = tuple(_tables(base))
        metadata = describe(payload, loaded, all_tables, made, statement)
        yield Described(payload=payload, made=made, loaded=loaded, metadata=metadata)


def make(place: RecordPlace, statement: CrateStatement, out: Path | None) -> tuple[Path, Described]:
    """Write a crate: where it is, and what it is.

    Args:
        place: what is to be a crate.
        statement: what its maker says of it.
        out: a folder or a zip file; None makes the results folder itself one.

    Raises:
        CommandError: it cannot be made of this.
        OSError: the machine refuses.
    """
    try:
        tables = TablesOf.NONE if out is None else TablesOf.MADE
        with described(place, statement, tables) as crate:
            files = [*crate.payload.files, *crate.made]
            if out is None:
                return write_in_place(place.results, crate.metadata), crate
            if out.suffix.lower() == ZIP:
                write_zip(out, crate.metadata, files)
            else:
                write_folder(out, crate.metadata, files)
            return out, crate
    except ValueError as error:
        if isinstance(error, CommandError):
            raise
        raise CommandError(str(error), ExitCode.FAILED) from error


def _tables(base: Path) -> Iterator[PayloadFile]:
    for path in sorted((base / TABLES).glob("*")):
        yield PayloadFile(
            name=path.relative_to(base).as_posix(),
            source=path,
            size_bytes=path.stat().st_size,
            sha256=file_sha256(path),
        )


def _require_whole(loaded: Loaded, place: RecordPlace) -> None:
    _require_undamaged(loaded.not_counted)
    if not loaded.runs:
        why = typed("launcher.status", shown(place.results))
        raise CommandError(
            f"{shown(place.folder)} holds no sealed run; {why} says why", ExitCode.NOTHING_DONE
        )


def _require_undamaged(others: Sequence[NotCounted]) -> None:
    for first in others:
        if first.state in DAMAGED:
            raise CommandError(
                "every sealed run must be as it was sealed to be in a crate, which vouches for "
                f"it, but {first.run_id} is {first.state}: {first.reason}",
                ExitCode.FAILED,
            )
