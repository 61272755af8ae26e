"""Kept rows: what each run gave to the tables, kept beside a report, so that a second is quick.

A run's rows are taken from there only where they were made from the very same seal, by the very
same code and libraries, beside the same books and meters, and are whole by their own digest. That
finds what is old, broken or cut off. It does not find a forger, who can write a digest too: the
report says of how many runs the rows were kept, and the audit never takes them from here.
"""

import base64
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from analysis.energy.power_trace import PowerTrace, packed, unpacked
from analysis.meter.kept import meters_folder
from analysis.runs.labels import RunLabels
from analysis.runs.sealed_runs import Run
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.table import TableKind
from analysis.workbook.build import TABLES, RunRows
from telemetry.accounting.answer import accounting_folder
from telemetry.record.files import file_sha256, read_json, write_json

FOLDER: Final = "rows"
"""Folder of a report that holds them."""
_SCHEMA: Final = "joulegrid.rows"
_PACKAGES: Final = ("analysis", "telemetry")
# What computes.
_LIBRARIES: Final = ("numpy", "pyarrow")
# Scores and readability are theirs, where they are installed.
_MAY_LACK: Final = ("rouge-score", "sacrebleu", "textstat")
_CELLS: Final = (str, int, float, bool, type(None))


class KeptRows:
    """The rows of runs in a folder, each under the run's name."""

    def __init__(self, folder: Path, results: Path) -> None:
        self._folder = folder
        self._beside = _beside(results)

    def rows_of(self, run: Run) -> RunRows | None:
        """What is kept of a run, if it is what its record gives by this code; else None."""
        try:
            kept = read_json(self._path(run))
            if kept.get("key") != self._key(run):
                return None
            if kept.get("sha256") != _digest(kept["key"], str(kept["content"])):
                return None
            return _rows(unpacked(base64.b64decode(kept["content"], validate=True)))
        except UNREADABLE:
            # What is not there, or is none of ours, is made anew.
            return None

    def keep(self, run: Run, rows: RunRows) -> None:
        """Write down what a run gave.

        Raises:
            OSError: the folder cannot be written.
        """
        self._folder.mkdir(exist_ok=True)
        content = base64.b64encode(packed(_content(rows))).decode("ascii")
        key = self._key(run)
        told = {"key": key, "sha256": _digest(key, content), "content": content}
        write_json(self._path(run), told)

    def forget_others(self, runs: Sequence[Run]) -> None:
        """Take away what is kept of runs that are not among these."""
        known = {self._path(run) for run in runs}
        for path in self._folder.glob("*.json") if self._folder.is_dir() else ():
            if path not in known:
                path.unlink(missing_ok=True)

    def _path(self, run: Run) -> Path:
        return self._folder / f"{run.run_id}.json"

    def _key(self, run: Run) -> dict[str, str]:
        """All that a run's rows depend on."""
        return {
            "schema": _SCHEMA,
            "run_id": run.run_id,
            "seal_sha256": file_sha256(run.attempt.seal),
            "code_sha256": code_digest(),
            "beside_sha256": self._beside,
        }


@cache
def code_digest() -> str:
    """One hash of the code that makes rows, and of the releases of what it computes by."""
    digest = hashlib.sha256(f"Python {sys.version}\n".encode())
    for name in _LIBRARIES:
        digest.update(f"{name} {version(name)}\n".encode())
    for name in _MAY_LACK:
        try:
            digest.update(f"{name} {version(name)}\n".encode())
        except PackageNotFoundError:
            digest.update(f"{name} -\n".encode())
    root = Path(__file__).resolve().parents[2]
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".json"):
                name = path.relative_to(root).as_posix()
                digest.update(f"{name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def _beside(results: Path) -> str:
    """One hash of what tables of single runs take from beside the sealed runs."""
    digest = hashlib.sha256()
    for folder in (meters_folder(results), accounting_folder(results)):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file():
                name = path.relative_to(results).as_posix()
                line = f"{name} {file_sha256(path)}\n"
                digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _digest(key: Mapping[str, str], content: str) -> str:
    """Binds the content to what it was made of."""
    text = json.dumps([sorted(key.items()), content])
    return hashlib.sha256(text.encode()).hexdigest()


def _content(rows: RunRows) -> dict[str, Any]:
    return {
        "rows": {name: list(own) for name, own in rows.rows.items()},
        "labels": rows.labels.to_mapping(),
        "notes": [list(note) for note in rows.notes],
        "trace": {
            name: base64.b64encode(getattr(rows.trace, name)).decode("ascii")
            for name in ("whole", "band")
        },
    }


def _rows(content: Mapping[str, Any]) -> RunRows:
    """What `_content` wrote.

    Raises:
        ValueError, TypeError, LookupError: it is something else.
    """
    kinds = {kind.name: kind for kind in TABLES if kind.of_run is not None}
    rows = content["rows"]
    if set(rows) != set(kinds):
        raise ValueError(f"`rows` must be of {sorted(kinds)}, but are of {sorted(rows)} instead")
    for fault in (fault for name, kind in kinds.items() for fault in _faults(kind, rows[name])):
        raise ValueError(fault)
    known = {field.name for field in dataclasses.fields(RunLabels)}
    if set(content["labels"]) != known:
        raise ValueError(
            f"`labels` must be {sorted(known)}, but are {sorted(content['labels'])} instead"
        )
    return RunRows(
        rows=rows,
        labels=RunLabels(**content["labels"]),
        notes=tuple((str(run_id), str(note)) for run_id, note in content["notes"]),
        trace=PowerTrace(
            **{
                name: base64.b64decode(content["trace"][name], validate=True)
                for name in ("whole", "band")
            }
        ),
    )


def _faults(kind: TableKind[Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [column.name for column in kind.columns]
    for row in rows:
        if list(row) != names or not all(isinstance(cell, _CELLS) for cell in row.values()):
            yield f"a row of {kind.name} must have its columns, but has {list(row)} instead"
            return
