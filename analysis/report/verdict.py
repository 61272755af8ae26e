"""Verdict: what the last audit said, and whether it was of the files that lie here now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from analysis.runs.sealed_runs import NOT_AS_SEALED, Loaded
from analysis.runs.unreadable import UNREADABLE
from telemetry.nearest import told_count
from telemetry.record.files import read_json
from telemetry.record.paths import report_folder
from telemetry.record.way_on import AUDIT, seals_digest
from telemetry.terminal import printable

# The audit's check that every file is as it was sealed.
_SEAL_CHECK: Final = "seal"
# The outcomes of a check, in the words of audit.json, and their boxes in the audit's list.
_FAILED, _SKIPPED, _UNSEEN = "failed", "not applicable", "could not be looked at"
_MARKS: Final = {"passed": "[x]", _FAILED: "[ ]", _SKIPPED: "[-]", _UNSEEN: "[?]"}
_STYLES: Final = {"passed": "good", _FAILED: "bad", _SKIPPED: "none", _UNSEEN: "doubt"}
_THIN: Final = "\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True, kw_only=True)
class CheckText:
    """One check of an audit, as the page shows it."""

    claim: str
    """What must hold."""
    outcome: str
    """What came of it, in the audit's words."""
    evidence: str
    """What was seen."""
    findings: tuple[tuple[str | None, str, str], ...] = ()
    """(run, outcome, evidence) of each run that was looked at; None is the folder as a whole."""

    @property
    def mark(self) -> str:
        """The check box of the audit's list."""
        return _MARKS.get(self.outcome, _MARKS[_UNSEEN])

    @property
    def style(self) -> str:
        """`good`, `bad`, `doubt`, or `none` where it does not apply."""
        return _STYLES.get(self.outcome, "doubt")


@dataclass(frozen=True, kw_only=True)
class AuditVerdict:
    """What the page and the terminal say of the audit."""

    text: str
    """One line."""
    good: bool
    """True only for an audit of these very files in which nothing failed or went unseen."""
    of_these: bool
    """Whether the audit was of these very files; False without one."""
    counted: bool = False
    """Whether it counted what it could not look at: one of an older version did not."""
    checks: tuple[CheckText, ...] = ()
    """What each check saw, whatever the files are now."""

    @classmethod
    def none(cls) -> Self:
        """Where nobody has audited."""
        return cls(text="Not audited yet.", good=False, of_these=False)

    @classmethod
    def of(cls, loaded: Loaded) -> Self:
        """The verdict of the audit that lies in the results folder."""
        path = report_folder(loaded.results) / AUDIT
        if not path.is_file():
            return cls.none()
        try:
            return cls._read(read_json(path), loaded)
        except UNREADABLE:
            text = "Not audited: audit.json cannot be read. Audit again."
            return cls(text=text, good=False, of_these=False)

    def by_run(self) -> dict[str, Any]:
        """What each check saw in each run, as the pages of runs show it."""
        seen: dict[str, list[tuple[int, str, str]]] = {}
        for number, check in enumerate(self.checks):
            for run_id, outcome, evidence in check.findings:
                if run_id is not None:
                    seen.setdefault(run_id, []).append((number, outcome, evidence))
        return {
            "verdict": self.text,
            "of_these": self.of_these,
            "claims": [check.claim for check in self.checks],
            "marks": dict(_MARKS),
            "styles": dict(_STYLES),
            "runs": seen,
        }

    @classmethod
    def _read(cls, audit: Mapping[str, Any], loaded: Loaded) -> Self:
        checks = tuple(
            CheckText(
                **{key: _shown(check[key]) for key in ("claim", "outcome", "evidence")},
                findings=tuple(_findings(check.get("findings", []))),
            )
            for check in audit["checks"]
        )
        changed = sum(other.state == NOT_AS_SEALED for other in loaded.not_counted)
        # Where the seal's own check failed, the audit was of files that were not as sealed.
        intact = any(
            check.get("name") == _SEAL_CHECK and check["outcome"] == "passed"
            for check in audit["checks"]
        )
        of_these = bool(
            not changed and intact and audit["seals_sha256"] == seals_digest(loaded.results)
        )
        # An audit from before told what it could not look at from what does not apply.
        counted = isinstance(audit.get("counts"), dict)
        text, good = _judged(audit, checks, counted=counted)
        if not of_these:
            text, good = "Not audited: the last audit was of other files. Audit again.", False
            if changed:
                text = (
                    f"Not audited: {changed} run{'s are' if changed > 1 else ' is'} not as sealed."
                )
        return cls(text=text, good=good, of_these=of_these, counted=counted, checks=checks)


def _judged(
    audit: Mapping[str, Any], checks: tuple[CheckText, ...], *, counted: bool
) -> tuple[str, bool]:
    """What an audit of these files says, and whether it leaves no doubt."""
    failed, skipped, unseen = (
        sum(check.outcome == outcome for check in checks)
        for outcome in (_FAILED, _SKIPPED, _UNSEEN)
    )
    parts = [
        f"{failed} failed" if failed else "none failed",
        f"{skipped} not applicable",
        f"{unseen} could not be looked at",
    ]
    changes = audit.get("runs_with_changes")
    if isinstance(changes, int) and changes:
        parts.append(f"{changes} of {_runs(audit.get('runs'))} from code with uncommitted changes")
    text = f"Audit of {len(checks)} checks: {', '.join(parts)}."
    if not counted:
        text += " It is an older version's, which did not count what it could not look at."
    return text, counted and audit["passed"] is True and not (failed or unseen)


def _findings(told: object) -> Iterator[tuple[str | None, str, str]]:
    """What an audit.json that anybody may have written says of each run."""
    for each in told if isinstance(told, list) else ():
        run_id = each["run_id"]
        outcome, evidence = (_shown(each[key]) for key in ("outcome", "evidence"))
        yield None if run_id is None else _shown(run_id), outcome, evidence


def _runs(count: object) -> str:
    # Of an audit.json that somebody wrote.
    return told_count(count, "run") if isinstance(count, int) else f"{_shown(count)} runs"


def _shown(text: object) -> str:
    return _THIN.join(printable(part) for part in str(text).split(_THIN))
