"""Verdict page: what an audit came to on one page, to be printed, signed by hand and filed.

It asks nothing of any network, runs nothing, and says in words and marks what colour only repeats.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from analysis.audit.check import Outcome, Severity
from analysis.audit.run import Audit, CheckLine
from telemetry.nearest import told_count
from telemetry.record.way_on import seals_digest
from telemetry.terminal import printable

# A page has room for so many checks with their evidence, of some two lines each, beside the list
# of all; audit.json has the rest.
_MOST_TOLD: Final = 10
_MOST_CHARS: Final = 150
_ORDER: Final = (Severity.WRONG, Severity.WEAK, Severity.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class _Told:
    """One check as the page shows it."""

    name: str
    """Its short name."""
    claim: str
    """What must hold."""
    mark: str
    """The check box of the audit's list."""
    outcome: str
    """What came of it, in words."""
    severity: str
    """What it means that it does not hold."""
    evidence: str
    """What was seen, as far as there is room."""
    style: str
    """Class of its colours."""


def verdict_page(audit: Audit) -> str:
    """The page as HTML; the same audit gives the same page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        files("analysis.audit").joinpath("verdict.html").read_text(encoding="utf-8")
    )
    open_lines = sorted(
        (line for line in audit.lines if line.outcome in (Outcome.FAILED, Outcome.UNSEEN)),
        key=lambda line: (line.outcome is not Outcome.FAILED, _ORDER.index(line.severity)),
    )
    counts = audit.counts()
    return template.render(
        results=printable(str(audit.results)),
        seals=seals_digest(audit.results),
        verdict=printable(audit.verdict),
        evidence=printable(audit.standing.paragraph),
        heading=_heading(counts),
        good=not counts[Outcome.FAILED] and not counts[Outcome.UNSEEN],
        told=[_told(line) for line in open_lines[:_MOST_TOLD]],
        left=max(0, len(open_lines) - _MOST_TOLD),
        every=[_told(line) for line in audit.lines],
        severities=[{"name": one.value, "meaning": one.meaning} for one in _ORDER],
        outcomes=[{"mark": one.mark, "name": one.value} for one in Outcome],
    )


def _heading(counts: dict[Outcome, int]) -> str:
    if failed := counts[Outcome.FAILED]:
        return f"Failed: {told_count(failed, 'check')} of the record or of what is made of it"
    if unseen := counts[Outcome.UNSEEN]:
        return f"Nothing failed, but {told_count(unseen, 'check')} could not be looked at"
    return "Nothing failed, and all that applies was looked at"


def _told(line: CheckLine) -> _Told:
    evidence = printable(line.evidence)
    if len(evidence) > _MOST_CHARS:
        evidence = evidence[: _MOST_CHARS - 1] + "…"
    styles: dict[Outcome, str] = {
        Outcome.PASSED: "good",
        Outcome.FAILED: "bad",
        Outcome.UNSEEN: "doubt",
        Outcome.SKIPPED: "none",
    }
    plain: dict[str, Any] = {"name": line.name, "claim": line.claim}
    return _Told(
        **{name: printable(str(value)) for name, value in plain.items()},
        mark=line.outcome.mark,
        outcome=line.outcome.value,
        severity=line.severity.value,
        evidence=evidence,
        style=styles[line.outcome],
    )
