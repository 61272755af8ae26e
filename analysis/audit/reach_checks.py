"""Reach checks: could everything that lies there be looked at at all?"""

from typing import Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Severity, passed, unseen
from telemetry.record.paths import closed_runs


def runs_open(campaign: Campaign) -> dict[str, Finding]:
    """Every run's folder can be read by who audits; of one that cannot nothing is known."""
    found = {facts.run_id: passed("its folder can be read") for facts in campaign.runs}
    found |= {
        closed.run_id: unseen(f"its folder cannot be read: {closed.reason}")
        for closed in closed_runs(campaign.results)
    }
    return dict(sorted(found.items()))


REACH_CHECKS: Final = (
    FolderCheck(
        name="readable",
        claim="every run can be read",
        severity=Severity.UNKNOWN,
        rule="every folder that is named as a run is can be listed and entered, and its attempts'",
        tolerance="none",
        reason="the system lets one read it, or does not",
        rules_out="a run that was kept from the auditor by its mode, and no check speaks of",
        look=runs_open,
    ),
)
"""Checks of what an auditor can reach."""
