"""Export checks: is it the record as it was sealed first, or a copy without names?"""

from typing import Final

from analysis.audit.check import Case, Check, Finding, Severity, skipped, unseen
from telemetry.record.exported import Exported


def is_no_export(case: Case) -> Finding:
    """The record is the one that was sealed first, and no copy of another."""
    exported = Exported.of(case.attempt)
    if exported is None:
        return skipped("the record is no export")
    left_out = f"; {len(exported.left_out)} files were left out" if exported.left_out else ""
    return unseen(
        f"pseudonymised export of a seal that is not here, SHA-256 "
        f"{exported.original_seal_sha256}: who holds that can show it{left_out}"
    )


EXPORT_CHECKS: Final = (
    Check(
        name="export",
        claim="the record is the one that was sealed first",
        look=is_no_export,
        severity=Severity.UNKNOWN,
        rule="a run that was exported without names says of which seal it is; that seal is with "
        "its owner, whom `joulegrid export RESULTS --prove EXPORT` serves",
        tolerance="none",
        reason="names decide the bytes of a record, so an export has a seal of its own",
        rules_out="nothing by itself: that the export is of the original its owner must show",
    ),
)
"""The check of whether a run is an export."""
