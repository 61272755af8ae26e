"""Run: every check over every sealed run, from files alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Outcome, Question, Severity, failed
from analysis.audit.evidence import Evidence
from analysis.audit.processes import audit_runs
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.audit.trust import Trust
from analysis.runs.processes import jobs_for
from analysis.runs.unreadable import UNREADABLE, shortened
from telemetry.nearest import told_count
from telemetry.record.paths import ClosedRun, RunPaths, closed_runs, find_runs, report_folder
from telemetry.record.schema import SCHEMA_VERSION
from telemetry.record.way_on import seals_digest
from telemetry.terminal import printable
from telemetry.waiting import at

# One run that failed or could not be looked at is not made good by others that passed.
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.UNSEEN, Outcome.PASSED)
_NO_TRUST: Final = Trust()


@dataclass(frozen=True, kw_only=True)
class CheckLine:
    """What one check saw over all runs."""

    question: Question
    """What was asked, and what the answer is worth."""
    findings: tuple[tuple[str, Finding], ...]
    """By run id; the results folder's own check has the empty one."""

    @property
    def name(self) -> str:
        """The check's short name, stable: it stands in audit.json."""
        return self.question.name

    @property
    def claim(self) -> str:
        """What the check says must hold, in one sentence."""
        return self.question.claim

    @property
    def severity(self) -> Severity:
        """What it means that it does not hold."""
        return self.question.severity

    @property
    def outcome(self) -> Outcome:
        """The worst that came of any run; not applicable when it is so to all."""
        outcomes = {finding.outcome for _, finding in self.findings}
        return next((one for one in _WORST_FIRST if one in outcomes), Outcome.SKIPPED)

    @property
    def worst(self) -> tuple[str, Finding]:
        """The run that came nearest to failing, or failed most, of those that decided."""
        return max(self._deciding, key=lambda one: one[1].strain)

    @property
    def _deciding(self) -> list[tuple[str, Finding]]:
        return [one for one in self.findings if one[1].outcome is self.outcome]

    @property
    def evidence(self) -> str:
        """One line: what the worst run says, and how many runs say something of its kind."""
        run_id, finding = self.worst
        if len(self.findings) == 1:
            return finding.evidence
        counts = self.counts()
        if self.outcome is Outcome.SKIPPED:
            return f"{told_count(counts[Outcome.SKIPPED], 'run')}: {finding.evidence}"
        said = [f"{counts[self.outcome]} of {len(self.findings)} runs"]
        if self.outcome is Outcome.PASSED and counts[Outcome.SKIPPED]:
            said.append(f"{Outcome.SKIPPED.value} to {counts[Outcome.SKIPPED]}")
        # Where no run came nearer to failing than another, none is the worst.
        alike = len({one.strain for _, one in self._deciding}) == 1
        which = "such as" if alike and len(self._deciding) > 1 else "worst"
        return f"{', '.join(said)}; {which} {printable(run_id)}: {finding.evidence}"

    def counts(self) -> dict[Outcome, int]:
        """Of how many runs each outcome came."""
        found = [finding.outcome for _, finding in self.findings]
        return {outcome: found.count(outcome) for outcome in Outcome}


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All that an audit saw."""

    results: Path
    """The results folder whose runs were looked at."""
    lines: tuple[CheckLine, ...]
    """A line a check; none when there is no sealed run."""
    runs: int
    """Sealed runs that were looked at."""
    changed_trees: int
    """Of them those whose record says that the code had changes that no commit holds."""
    closed: tuple[ClosedRun, ...] = ()
    """Runs beside them whose folders cannot be read, by name."""

    @property
    def standing(self) -> Evidence:
        """What the record stands on, and what that rules out."""
        return Evidence.of(self.lines)

    def counts(self) -> dict[Outcome, int]:
        """How many checks came to each outcome."""
        found = [line.outcome for line in self.lines]
        return {outcome: found.count(outcome) for outcome in Outcome}

    def severities(self, outcome: Outcome) -> dict[Severity, int]:
        """How many checks of one outcome there are of each severity."""
        found = [line.severity for line in self.lines if line.outcome is outcome]
        return {severity: found.count(severity) for severity in Severity}

    @property
    def verdict(self) -> str:
        """One line that says what was not looked at, too."""
        counts = self.counts()
        plural = "" if self.runs == 1 else "s"
        severities = self.severities(Outcome.FAILED)
        kinds = ", ".join(f"{count} {one}" for one, count in severities.items() if count)
        said = [
            f"{counts[Outcome.FAILED]} failed ({kinds})" if kinds else "none failed",
            f"{counts[Outcome.UNSEEN] or 'none'} could not be looked at",
            f"{counts[Outcome.SKIPPED] or 'none'} not applicable",
        ]
        text = f"{len(self.lines)} checks of {self.runs} sealed run{plural}: {', '.join(said)}"
        if self.changed_trees:
            text += f"; {self.changed_trees} of {self.runs} run{plural} from a tree with changes"
        if self.closed:
            text += f"; {told_count(len(self.closed), 'run')} could not be read"
        return text


def audit_results(results: Path) -> list[CheckLine]:
    """Every check over every sealed run of a results folder; damaged input fails, never raises."""
    return list(audit_folder(results).lines)


def audit_folder(results: Path, trust: Trust = _NO_TRUST, jobs: int | None = 1) -> Audit:
    """The audit of a results folder; damaged input fails a check and never raises.

    Args:
        results: the results folder.
        trust: what the auditor brought along.
        jobs: processes that look at runs; 1 is this one alone, None as many as are worth it, which
            a program may ask for whose main module can be imported. The audit is the same.
    """
    runs = [run for run in find_runs(results) if is_sealed(run)]
    return _audit(results, runs, trust, jobs, whole=True)


def audit_run(run: RunPaths, trust: Trust = _NO_TRUST) -> Audit:
    """The audit of one sealed run; what takes a whole results folder is left out."""
    return _audit(run.results, [run] if is_sealed(run) else [], trust, 1, whole=False)


def _audit(
    results: Path, runs: Sequence[RunPaths], trust: Trust, jobs: int | None, *, whole: bool
) -> Audit:
    reported = whole and (report_folder(results) / "tables").is_dir()
    audits = audit_runs(runs, trust, jobs_for(runs, jobs), rows=reported)
    found = [dict(audit.findings) for audit in audits]
    lines = [
        CheckLine(
            question=check,
            findings=tuple(
                (audit.run_id, each[check.name]) for audit, each in zip(audits, found, strict=True)
            ),
        )
        for check in CHECKS
        if runs
    ]
    campaign = Campaign(
        results=results,
        trust=trust,
        runs=tuple(audit.facts for audit in audits),
        rows={audit.run_id: audit.rows for audit in audits if audit.rows is not None},
    )
    for folder_check in FOLDER_CHECKS:
        if runs and (whole or folder_check.alone):
            at(folder_check.claim)
            lines.append(
                CheckLine(
                    question=folder_check,
                    findings=_look_at_all(folder_check, campaign),
                )
            )
    changed = sum(audit.changed_tree for audit in audits)
    return Audit(
        results=results,
        lines=tuple(lines),
        runs=len(runs),
        changed_trees=changed,
        closed=tuple(closed_runs(results)) if whole else (),
    )


def is_sealed(run: RunPaths) -> bool:
    """True when any attempt of the run carries a seal, intact or not."""
    return bool(run.sealed_attempts())


def to_mapping(audit: Audit) -> dict[str, Any]:
    """The audit's JSON form; the same record gives the same bytes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "seals_sha256": seals_digest(audit.results),
        "passed": not audit.counts()[Outcome.FAILED],
        "runs": audit.runs,
        "verdict": audit.verdict,
        "counts": {outcome.value: count for outcome, count in audit.counts().items()},
        "failed_by_severity": {
            severity.value: count for severity, count in audit.severities(Outcome.FAILED).items()
        },
        "runs_with_changes": audit.changed_trees,
        "runs_not_read": [
            {"run_id": printable(run.run_id), "reason": printable(run.reason)}
            for run in audit.closed
        ],
        "evidence": audit.standing.to_mapping(),
        "checks": [
            {
                "name": line.name,
                "claim": line.claim,
                "severity": line.severity.value,
                "rule": line.question.rule,
                "tolerance": line.question.tolerance,
                "outcome": line.outcome.value,
                "evidence": line.evidence,
                "counts": {outcome.value: count for outcome, count in line.counts().items()},
                "findings": [
                    {
                        "run_id": printable(run_id) or None,
                        "outcome": finding.outcome.value,
                        "evidence": finding.evidence,
                    }
                    for run_id, finding in line.findings
                ],
            }
            for line in audit.lines
        ],
    }


def _look_at_all(check: FolderCheck, campaign: Campaign) -> tuple[tuple[str, Finding], ...]:
    try:
        found = check.look(campaign)
    except (*UNREADABLE, AssertionError, StopIteration) as error:
        found = failed(f"could not be checked: {shortened(error)}")
    return (("", found),) if isinstance(found, Finding) else tuple(found.items())
