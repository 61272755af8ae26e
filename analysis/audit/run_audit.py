"""Run audit: every check over one sealed run, and what is left of it once its arrays are let go."""

from dataclasses import dataclass

from analysis.audit.campaign import RunFacts
from analysis.audit.check import Case, Check, Finding, failed
from analysis.audit.registry import CHECKS
from analysis.audit.trust import Trust
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.workbook.build import RunRows, run_rows
from telemetry.record.limits import CHECK_SECONDS
from telemetry.record.paths import RunPaths
from telemetry.record.time_limit import within
from telemetry.waiting import at

# What is impossible in a record of ours is possible in anybody's.
_DAMAGED = (*UNREADABLE, AssertionError, StopIteration)


@dataclass(frozen=True, kw_only=True)
class RunAudit:
    """All that is kept of a run that was looked at: small, and it can be pickled."""

    run_id: str
    """The run's name in its results folder."""
    findings: tuple[tuple[str, Finding], ...]
    """What each check saw, by its name, in the order of `CHECKS`."""
    facts: RunFacts
    """What checks of all runs together need of it."""
    changed_tree: bool
    """Whether its record says that the code had changes that no commit holds."""
    rows: RunRows | None = None
    """Its rows of the report's tables; None where nobody asked, or they cannot be made."""

    @classmethod
    def lost(cls, run: RunPaths, why: str) -> "RunAudit":
        """Of a run that nobody lived to tell of: every check of it failed, by `why`."""
        finding = failed(f"could not be checked: {why}")
        return cls(
            run_id=run.run_id,
            findings=tuple((check.name, finding) for check in CHECKS),
            facts=RunFacts.lost(run.run_id, why),
            changed_tree=False,
        )


def audit_one(run: RunPaths, trust: Trust, place: str = "", *, rows: bool = False) -> RunAudit:
    """Every check over one run; damaged input fails a check and never raises.

    Args:
        run: the run.
        trust: what the auditor brought along.
        place: which of how many it is, for whoever waits.
        rows: whether its rows of the report's tables are wanted.
    """
    case = Case(run, trust)
    findings = []
    for check in CHECKS:
        at(f"{place}: {check.claim}" if place else check.claim)
        findings.append((check.name, _look(check, case)))
    return RunAudit(
        run_id=run.run_id,
        findings=tuple(findings),
        facts=RunFacts.of(case),
        changed_tree=_from_changed_tree(case),
        rows=_rows(case) if rows else None,
    )


def _look(check: Check, case: Case) -> Finding:
    try:
        with within(CHECK_SECONDS, f"the check {check.name}"):
            return check.look(case)
    except _DAMAGED as error:
        return failed(f"could not be checked: {shortened(error)}")


def _rows(case: Case) -> RunRows | None:
    try:
        return run_rows(case.run_energy)
    except _DAMAGED:
        # Whoever builds the tables reads the run again, and says what is wrong with it.
        return None


def _from_changed_tree(case: Case) -> bool:
    try:
        git = case.run.provenance.get("git")
    except UNREADABLE:
        return False
    return isinstance(git, dict) and bool(git.get("dirty") or git.get("changes"))
