"""Authorship: who answers for the record.

A seal that is whole says that the files agree, and no more: whoever owns the folder can make it
again. A signature rules out everybody but the key's holder.
"""

from pathlib import Path
from typing import Final

from analysis.audit.check import Case, Check, Finding, Severity, skipped
from analysis.audit.signers import SealSigners
from telemetry.record.files import read_json, read_plain
from telemetry.record.limits import JSON_BYTES


def signed(case: Case) -> Finding:
    """The seal is signed, by somebody whom the auditor allows."""
    seal = case.attempt.seal
    signers = SealSigners.of(seal, seal_bytes(seal), sealed_us(seal), case.trust)
    told = signers.judged(case.trust)
    return told or skipped("no signature: the record is consistent, its author unknown")


def seal_bytes(seal: Path) -> bytes:
    """What a seal or a root holds, which is what is signed and stamped."""
    return read_plain(seal, most_bytes=JSON_BYTES.most)


def sealed_us(seal: Path) -> int:
    """When a seal says that it was made.

    Raises:
        ValueError: it does not.
    """
    told = read_json(seal).get("sealed_us")
    if type(told) is not int:
        raise ValueError(f"`sealed_us` must be a time, but is {told!r} instead")
    return told


AUTHORSHIP_CHECKS: Final = (
    Check(
        name="signature",
        claim="the seal is signed",
        severity=Severity.UNKNOWN,
        rule=(
            "each signature beside seal.json (OpenSSH under the namespace joulegrid, minisign, "
            "sigstore's bundle) is of seal.json's bytes, and one at least is by whom the auditor "
            "names; an OpenSSH key counts where it is allowed at the seal's own time"
        ),
        tolerance="none",
        reason="a signature holds for the very bytes or not at all",
        rules_out="everybody but the key's holder",
        look=signed,
    ),
)
"""Checks of who answers for a run, in the audit's order."""
