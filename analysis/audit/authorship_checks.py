"""Authorship: who answers for the record, and what was lodged outside of it.

A seal that is whole says that the files agree, and no more: whoever owns the folder can make it
again. A signature rules out everybody but the key's holder, a lodged root whatever was done after
it was lodged.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import (
    Case,
    Check,
    Finding,
    Severity,
    failed,
    judged,
    passed,
    skipped,
    unseen,
)
from analysis.audit.trust import Trust
from telemetry.record.files import read_json, read_plain
from telemetry.record.roots import Root, list_roots
from telemetry.record.signature import (
    BadSignatureError,
    Signer,
    SigningError,
    check_signature,
    signature_of,
)

# A seal names some dozen files by their hashes.
_MOST_SEAL_BYTES: Final = 16 << 20


def signed(case: Case) -> Finding:
    """The seal is signed, by somebody whom the auditor allows."""
    seal, trust = case.attempt.seal, case.trust.allowed_signers
    signature = signature_of(seal)
    # A link that leads nowhere is a signature that somebody took away.
    if not signature.exists() and not signature.is_symlink():
        if trust is not None:
            return failed("no signature, though allowed signers were named")
        return skipped("no signature: the record is consistent, its author unknown")
    data = read_plain(seal, most_bytes=_MOST_SEAL_BYTES)
    try:
        signer = check_signature(data, signature, trust, _sealed_us(seal))
    except SigningError as error:
        return unseen(str(error))
    except BadSignatureError as error:
        return failed(str(error))
    return _told(signer)


def roots_stand(campaign: Campaign) -> Finding:
    """Every root that was taken of the folder still holds, and one is the lodged one."""
    results, trust = campaign.results, campaign.trust
    faults: list[str] = []
    said: list[str] = []
    roots: list[Root] = []
    for path in list_roots(results):
        try:
            root = Root.read(path)
            faults += root.faults(results)
            roots.append(root)
            said += _signer_of(path, root, trust)
        except SigningError:
            continue
        except (OSError, ValueError) as error:
            faults.append(str(error))
    if trust.lodged_root is not None and trust.lodged_root not in {one.sha256 for one in roots}:
        faults.append(f"root {trust.lodged_root} was lodged, but is none of the folder's")
    if not roots and not faults:
        return skipped("no root was taken")
    lodged = (
        "one is as it was lodged" if trust.lodged_root else "none was held against a lodged one"
    )
    told = [
        f"{len(roots)} roots, the largest of {_most(roots)} seals",
        lodged,
        *dict.fromkeys(said),
    ]
    return judged(list(dict.fromkeys(faults)), "; ".join(told))


def _signer_of(path: Path, root: Root, trust: Trust) -> list[str]:
    signature = signature_of(path)
    if not signature.exists():
        return ["not signed"]
    data = read_plain(path, most_bytes=_MOST_SEAL_BYTES)
    signer = check_signature(data, signature, trust.allowed_signers, root.taken_us)
    return [f"signed by {signer.principal or signer.key}"]


def _most(roots: Sequence[Root]) -> int:
    return max((len(root.seals) for root in roots), default=0)


def _told(signer: Signer) -> Finding:
    if signer.principal is None:
        return unseen(f"signed by {signer.key}; whose key it is --allowed-signers tells")
    return passed(f"signed by {signer.principal} with {signer.key}")


def _sealed_us(seal: Path) -> int:
    sealed_us = read_json(seal).get("sealed_us")
    if type(sealed_us) is not int:
        raise ValueError(f"`sealed_us` must be a time, but is {sealed_us!r} instead")
    return sealed_us


AUTHORSHIP_CHECKS: Final = (
    Check(
        name="signature",
        claim="the seal is signed",
        severity=Severity.UNKNOWN,
        rule=(
            "seal.json is signed, by a key that the allowed signers name for the time of the seal"
        ),
        tolerance="none",
        reason="a signature verifies or it does not",
        rules_out="everybody but the holder of the key as the author of the record",
        look=signed,
    ),
)
"""Checks of who answers for a run, in the audit's order."""
AUTHORSHIP_FOLDER_CHECKS: Final = (
    FolderCheck(
        name="roots",
        claim="what was sealed when a root was taken is still there",
        severity=Severity.WRONG,
        rule=(
            "every seal of which a root was taken hashes to it still, and the root "
            "that was lodged is one of them"
        ),
        tolerance="none",
        reason="a root is a digest of digests",
        rules_out="a run that was removed, or sealed again, after the root was lodged",
        look=roots_stand,
    ),
)
"""Checks of what was lodged outside of a results folder."""
