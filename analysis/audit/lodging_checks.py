"""Lodging: what was put elsewhere than in the folder, and whether the folder is still as it says.

A root is one hash of all seals. Kept in the folder alone it is its owner's, like all else there;
lodged elsewhere it rules out whatever was done after, by anybody.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from analysis.audit.authorship_checks import seal_bytes, sealed_us
from analysis.audit.campaign import Campaign, FolderCheck
from analysis.audit.check import Finding, Outcome, Severity, failed, judged, passed, skipped, unseen
from analysis.audit.signers import SealSigners
from telemetry.evidence import accounting, git_notes
from telemetry.evidence.lodged import read_lodgings
from telemetry.evidence.lodging_place import LodgingPlace
from telemetry.evidence.program import NoAnswerError
from telemetry.nearest import told_count
from telemetry.record.beside import BUNDLE, MINISIGN, SSH
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths, closed_runs
from telemetry.record.roots import Root, list_roots, roots_folder, seals_of

# A line of evidence names some, and counts the others.
_MOST_TOLD: Final = 3
# ssh-keygen is called up to three times for each, some 10 ms a call: half a minute. Two signers of
# a root each day for more than a year.
_MOST_SIGNATURES: Final = 1000
_SIGNATURES: Final = (f".{SSH}", f".{MINISIGN}", f".{BUNDLE}")
# Of a place that the record's owner can write again.
_OWN: Final = ", which its user can write"


def roots_stand(campaign: Campaign) -> Finding:
    """Every root that was taken of the folder still holds, and one is the lodged one."""
    results, trust = campaign.results, campaign.trust
    faults: list[str] = []
    said: list[str] = []
    roots: list[Root] = []
    now = seals_of(results)
    paths = list_roots(results)
    beside = [child.name for child in roots_folder(results).iterdir()] if paths else []
    # Before any root's own are looked for, which goes through all that lies there.
    if (signed := sum(name.endswith(_SIGNATURES) for name in beside)) > _MOST_SIGNATURES:
        raise ValueError(
            f"the roots must have at most {_MOST_SIGNATURES} signatures in all, "
            f"but have {signed} instead"
        )
    for path in paths:
        try:
            root = Root.read(path)
            faults += root.faults_of(now)
            roots.append(root)
            signers = SealSigners.of(path, seal_bytes(path), root.taken_us, trust)
        except (OSError, ValueError) as error:
            faults.append(str(error))
            continue
        faults += signers.faults
        if not signers.count and signers.strangers:
            faults += signers.strangers
        said.append(signers.told or "not signed")
    if trust.lodged_root is not None and trust.lodged_root not in {one.sha256 for one in roots}:
        faults.append(f"root {trust.lodged_root} was lodged, but is none of the folder's")
    if not roots and not faults:
        return skipped("no root was taken")
    most = max((len(root.seals) for root in roots), default=0)
    lodged = (
        "one is as it was lodged" if trust.lodged_root else "none was held against a lodged one"
    )
    told = [f"{len(roots)} roots, the largest of {most} seals", lodged, *dict.fromkeys(said)]
    return _judged(campaign, faults, "; ".join(told))


def lodged_stand(campaign: Campaign) -> Finding:
    """A root that the auditor found elsewhere is one of the folder's, which is as it says."""
    trust, results = campaign.trust, campaign.results
    by_hash = {path.stem: path for path in list_roots(results)}
    found: dict[str, list[str]] = {}
    unlooked: list[str] = []
    others: list[str] = []
    if trust.lodged_root is not None:
        found.setdefault(trust.lodged_root, []).append("as the auditor says")
    for place in trust.lodged_in:
        try:
            there = _lodged_in(place, campaign)
            gone = _taken_away(place, by_hash)
        except (NoAnswerError, OSError, ValueError) as error:
            unlooked.append(f"{place} could not be looked at: {error}")
            continue
        ours = [root for root in there if root in by_hash]
        if not ours:
            also = f", which holds {told_count(len(there), 'other')}" if there else ""
            return failed(f"none of the folder's roots is lodged in {place}{also}")
        if gone is not None:
            return failed(gone)
        others += [_others_in(place, len(there) - len(ours))] if len(there) > len(ours) else []
        for root in ours:
            found.setdefault(root, []).append(there[root])
    if unlooked:
        return unseen("; ".join(unlooked))
    if not found:
        return _by_its_own_word(campaign)
    if strange := [root for root in found if root not in by_hash]:
        return failed(f"root {strange[0]} was lodged, but is none of the folder's")
    roots = [Root.read(by_hash[root]) for root in found]
    now = seals_of(results)
    if faults := [fault for root in roots for fault in root.faults_of(now)]:
        return _judged(
            campaign,
            faults,
            f"lodged {', '.join(place for places in found.values() for place in places)}",
        )
    places = [place for places in found.values() for place in places]
    told = _covered(campaign, roots, places)
    # Where the one whom it is to bind can write, it binds nobody. A repository keeps roots of many
    # folders; of a job of this folder's each root was of its runs.
    doubt = all(place.endswith(_OWN) for place in places) or (
        others and not all(place.repository for place in trust.lodged_in)
    )
    evidence = "; ".join([told.evidence, *others])
    return passed(evidence) if told.outcome is Outcome.PASSED and not doubt else unseen(evidence)


def _taken_away(place: LodgingPlace, by_hash: Container[str]) -> str | None:
    """Which later root of this folder lies in a repository and not here; None where none does."""
    if place.repository is None:
        return None
    for later, earlier in sorted(git_notes.followed(place.repository).items()):
        if earlier in by_hash and later not in by_hash:
            return (
                f"root {later} was lodged in {place} as taken of this folder after {earlier}, "
                "but is not here: what came since was taken away"
            )
    return None


def _others_in(place: LodgingPlace, count: int) -> str:
    return f"{place} holds {told_count(count, 'other root')}, not of what lies here"


def _judged(campaign: Campaign, faults: Sequence[str], told: str) -> Finding:
    """By the faults; a seal that lies where the auditor may not look is no missing one."""
    closed = {run.run_id for run in closed_runs(campaign.results)}
    out_of_reach = {fault.partition("/")[0] for fault in faults} & closed
    sure = [fault for fault in faults if fault.partition("/")[0] not in closed]
    if out_of_reach and not sure:
        return unseen(f"{told}; but {_some(sorted(out_of_reach))} cannot be read")
    return judged(list(dict.fromkeys(sure)), told)


def _covered(campaign: Campaign, roots: Sequence[Root], places: Sequence[str]) -> Finding:
    """What stands under the roots, and which runs do not."""
    under = {name for root in roots for name in root.seals}
    newest = max(root.taken_us for root in roots)
    bare: list[str] = []
    back: list[str] = []
    for facts in campaign.runs:
        for attempt in RunPaths(results=campaign.results, run_id=facts.run_id).sealed_attempts():
            if attempt.seal.relative_to(campaign.results).as_posix() in under:
                continue
            bare.append(facts.run_id)
            if sealed_us(attempt.seal) < newest:
                back.append(facts.run_id)
    where = ", ".join(dict.fromkeys(places))
    if not bare:
        return passed(f"lodged {where}: {told_count(len(under), 'seal')}, all that are there")
    told = f"lodged {where}, but {told_count(len(bare), 'run')} not under it: {_some(bare)}"
    if back:
        told += f"; of before by its own word, so added or dated back: {_some(back)}"
    return unseen(told)


def _by_its_own_word(campaign: Campaign) -> Finding:
    """What the folder says of itself, which nobody looked at."""
    said: list[str] = []
    for path in list_roots(campaign.results):
        said += [one.where for one in read_lodgings(path) if one.kept]
    said = [where for where in dict.fromkeys(said) if not where.startswith("tsa")]
    if said:
        return unseen(f"lodged in {_some(said)}, says the folder; whether it is --lodged tells")
    return skipped("no root is known to be lodged elsewhere")


def _lodged_in(place: LodgingPlace, campaign: Campaign) -> Mapping[str, str]:
    """Each root that lies in a place, and where there."""
    if place.repository is not None:
        found = git_notes.lodged(place.repository)
        return {root: f"in {place}, on commit {commit[:12]}" for root, commit in found.items()}
    return _in_the_books(campaign)


def _in_the_books(campaign: Campaign) -> dict[str, str]:
    jobs = set()
    for facts in campaign.runs:
        run = RunPaths(results=campaign.results, run_id=facts.run_id)
        for attempt in run.sealed_attempts():
            if attempt.started.is_file():
                jobs.add(accounting.BookedJob.of(read_json(attempt.started)))
    if not (booked := sorted(job for job in jobs if job is not None)):
        raise ValueError("no run is a job of Slurm's")
    found: dict[str, str] = {}
    unknown: list[NoAnswerError] = []
    for job in booked:
        try:
            there = accounting.comments(job)
        except NoAnswerError as error:
            unknown.append(error)
            continue
        for root, name in there.roots():
            whose = "" if name == accounting.FIELDS[0] else _OWN
            found.setdefault(root, f"in the {name} of {job}{whose}")
    if unknown and not found:
        raise unknown[0]
    return found


def _some(names: Sequence[str]) -> str:
    left = len(names) - _MOST_TOLD
    return ", ".join(names[:_MOST_TOLD]) + (f" and {left} more" if left > 0 else "")


LODGING_CHECKS: Final = (
    FolderCheck(
        name="roots",
        claim="what was sealed when a root was taken is still there",
        severity=Severity.WRONG,
        rule=(
            "every roots/ROOT.json is named by Merkle's root (RFC 6962) over its seals, each of "
            "which lies there with that SHA-256, and --root is one of them"
        ),
        tolerance="none",
        reason="a hash is the same or is not; runs that were added since are under no root",
        rules_out="a slip since the root was taken; its owner can take another",
        look=roots_stand,
    ),
    FolderCheck(
        name="lodged",
        claim="a root that was lodged elsewhere is of this folder",
        severity=Severity.UNKNOWN,
        rule=(
            "a root found where the auditor looks (--root, --lodged) is one of the folder's, its "
            "seals lie there unchanged, every sealed run is under one, and no root that was lodged "
            "as taken after one of them is gone"
        ),
        tolerance="none",
        reason="a hash is the same or is not; what is under no lodged root is ruled out by none",
        rules_out="a run changed or taken away since the root was lodged, by anybody",
        look=lodged_stand,
    ),
)
"""Checks of what was lodged outside of a results folder."""
