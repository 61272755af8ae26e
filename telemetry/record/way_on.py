"""Way on: what comes next for a results folder, by what was done with it already.

The way is plan, run, status, report, audit, and it ends: a command is named as the next one only
while it has something to do. Whether the report and the audit are of the runs that lie there now
is told by the hash of all seals, which both write down.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.next_line import typed
from telemetry.record.files import file_sha256, read_json
from telemetry.record.paths import find_runs, report_folder

AUDIT: Final = "audit.json"
"""File of a report's folder: what the last audit saw."""
REPORT: Final = "report.json"
"""File of a report's folder: which runs and which audit its page is of."""
PAGE: Final = "index.html"
"""File of a report's folder: the page."""
_NO_SEALS: Final = hashlib.sha256().hexdigest()


@dataclass(frozen=True, kw_only=True)
class WayOn:
    """How far a results folder is on the way from runs to an audited report."""

    results: Path
    """The results folder."""
    sealed: bool
    """Whether any of its runs is sealed: there is something to report."""
    reported: bool
    """Whether the page is of the runs that are sealed now."""
    audited: bool
    """Whether the audit is of the runs that are sealed now."""
    shown: bool
    """Whether the page shows that audit."""

    @classmethod
    def of(cls, results: Path) -> Self:
        """How far it is, from its files; what cannot be read counts as not done.

        Raises:
            OSError: the folder, or a seal in it, cannot be read.
        """
        seals = seals_digest(results)
        folder = report_folder(results)
        report, audit = _content(folder / REPORT), _content(folder / AUDIT)
        reported = report.get("seals_sha256") == seals and (folder / PAGE).is_file()
        # An audit of before told nothing of what it could not look at.
        audited = audit.get("seals_sha256") == seals and isinstance(audit.get("counts"), dict)
        return cls(
            results=results,
            sealed=seals != _NO_SEALS,
            reported=reported,
            audited=audited,
            shown=reported and audited and report.get("audit_sha256") == audit_digest(results),
        )

    @property
    def next(self) -> str | None:
        """The command that comes next, as one types it; None at the end, and before any seal."""
        if self.sealed and not self.reported:
            return typed("analysis", self.results)
        if self.sealed and not self.audited:
            return typed("analysis.audit", self.results)
        return None

    @property
    def page(self) -> Path:
        """Where the page is, once there is one."""
        return report_folder(self.results) / PAGE


def seals_digest(results: Path) -> str:
    """One hash of all seals: tells whether a report or an audit is of the runs that are there."""
    digest = hashlib.sha256()
    for run in find_runs(results):
        for attempt in run.sealed_attempts():
            name = f"{run.run_id}/{attempt.number}/{_sha256_of(attempt.seal)}\n"
            digest.update(name.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _sha256_of(seal: Path) -> str:
    """A seal's hash; of what is none in its place a word, which no page and no audit is of."""
    try:
        return file_sha256(seal)
    except ValueError:
        return "no seal"


def audit_digest(results: Path) -> str | None:
    """The hash of the audit that lies there; None where none can be read."""
    try:
        return file_sha256(report_folder(results) / AUDIT)
    except (OSError, ValueError):
        return None


def _content(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
