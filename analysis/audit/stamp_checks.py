"""Stamps: by which time a seal or a root was there, by the word of a time stamp authority."""

from pathlib import Path
from typing import Final

from analysis.audit.authorship_checks import seal_bytes, sealed_us
from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import (
    Case,
    Check,
    Finding,
    Outcome,
    Severity,
    failed,
    passed,
    skipped,
    unseen,
)
from analysis.audit.trust import Trust
from telemetry.clock import US_PER_S, wall_us
from telemetry.evidence.time_stamp import check_stamp, read_answer, read_stamp
from telemetry.nearest import told_count
from telemetry.record.beside import STAMP, beside
from telemetry.record.paths import RunPaths
from telemetry.record.roots import Root, list_roots
from telemetry.record.signer import SigningError

# What nodes without a common clock are apart at most, and what authorities grant themselves: a seal
# that is younger than its stamp by more has a false time.
_CLOCKS_US: Final = 60 * US_PER_S
_S_PER_HOUR: Final = 3600


def seal_stamped(case: Case) -> Finding:
    """The seal was there when an authority says, which is after it says that it was made."""
    seal = case.attempt.seal
    if not _is_there(stamp := beside(seal, STAMP)):
        return skipped("no time stamp: by when it was sealed is its sealer's word")
    return _judged(stamp, seal_bytes(seal), sealed_us(seal), case.trust)


def roots_stamped(campaign: Campaign) -> Finding:
    """Every root that has a time stamp was there when an authority says."""
    found: list[Finding] = []
    under: set[str] = set()
    for path in list_roots(campaign.results):
        if not _is_there(stamp := beside(path, STAMP)):
            continue
        try:
            root = Root.read(path)
            under |= set(root.seals)
            found.append(_judged(stamp, seal_bytes(path), root.taken_us, campaign.trust))
        except (OSError, ValueError) as error:
            found.append(failed(str(error)))
    if not found:
        return skipped("no root has a time stamp")
    worst = max(found, key=lambda one: _WORSE.index(one.outcome))
    many = "" if len(found) == 1 else f"{len(found)} time stamps, such as: "
    told = f"{many}{worst.evidence}"
    bare = _unstamped(campaign, under)
    if worst.outcome is Outcome.PASSED and bare:
        # It says nothing of what came after.
        return unseen(f"{told}; {told_count(len(bare), 'run')} under no stamp, such as {bare[0]}")
    return Finding(outcome=worst.outcome, evidence=told)


_WORSE: Final = (Outcome.PASSED, Outcome.UNSEEN, Outcome.FAILED)


def _unstamped(campaign: Campaign, under: set[str]) -> list[str]:
    """The runs whose seal has no time stamp, and is under no root that has one."""
    return [
        facts.run_id
        for facts in campaign.runs
        for attempt in RunPaths(results=campaign.results, run_id=facts.run_id).sealed_attempts()
        if attempt.seal.relative_to(campaign.results).as_posix() not in under
        and not _is_there(beside(attempt.seal, STAMP))
    ]


def _is_there(stamp: Path) -> bool:
    # A link that leads nowhere is a stamp that somebody took away.
    return stamp.exists() or stamp.is_symlink()


def _judged(path: Path, data: bytes, made_us: int, trust: Trust) -> Finding:
    answer = read_answer(path)
    try:
        if trust.tsa_certificates is None:
            stamp = read_stamp(answer, data)
        else:
            stamp = check_stamp(answer, data, trust.tsa_certificates)
    except SigningError as error:
        return unseen(str(error))
    except ValueError as error:
        return failed(f"{path.name}: {error}")
    if stamp.at_us + _CLOCKS_US < made_us:
        early_s = (made_us - stamp.at_us) / US_PER_S
        return failed(
            f"time stamp of {stamp}, {early_s:.0f} s before what it is of says that it was made"
        )
    if stamp.at_us > wall_us() + _CLOCKS_US:
        return failed(f"time stamp of {stamp}, which is yet to come by this machine's clock")
    if trust.tsa_certificates is None:
        return unseen(f"time stamp of {stamp}, whose certificate --tsa-certificate tells")
    later_h = max(0.0, (stamp.at_us - made_us) / US_PER_S / _S_PER_HOUR)
    return passed(f"time stamp of {stamp}, {later_h:.1f} h after it was made by its own word")


STAMP_CHECKS: Final = (
    Check(
        name="seal-stamp",
        claim="the seal was there by the time of its stamp",
        severity=Severity.UNKNOWN,
        rule=(
            "seal.json.tsr is an answer by RFC 3161 over seal.json's bytes, by an authority whose "
            "certificate was valid then under --tsa-certificate, no earlier than sealed_us and not "
            "yet to come"
        ),
        tolerance="60 s between sealed_us and the authority's clock",
        reason="nodes without a common clock differ by seconds, authorities promise one or less",
        rules_out="a seal made after that time, by anybody but the authority",
        look=seal_stamped,
    ),
)
"""Checks of a run's time stamp."""
STAMP_FOLDER_CHECKS: Final = (
    FolderCheck(
        name="root-stamp",
        claim="the roots were there by the time of their stamps",
        severity=Severity.UNKNOWN,
        rule=(
            "each roots/ROOT.json.tsr is an answer by RFC 3161 over ROOT.json's bytes, by an "
            "authority whose certificate was valid then under --tsa-certificate, and no earlier "
            "than taken_us; every sealed run is under one, or has its own"
        ),
        tolerance="60 s between taken_us and the authority's clock",
        reason="nodes without a common clock differ by seconds, authorities promise one or less",
        rules_out="a seal made after that time, by anybody but the authority",
        look=roots_stamped,
    ),
)
"""Checks of the roots' time stamps."""
