"""Checked: whether a verdict still holds: its signature, its page, both roots and its numbers."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analysis.audit.check import Finding, failed, judged, passed, skipped, unseen
from analysis.compare.axes import AXES, Axes
from analysis.compare.comparison import Comparison
from analysis.compare.sides import Side, open_sides
from analysis.compare.signers import Signers
from analysis.compare.verdict_document import PAGE, SCHEMA, VERDICT, VERSION, page
from analysis.compare.written import cells_mapping
from analysis.runs.sealed_runs import DAMAGED
from telemetry.command import CommandError
from telemetry.document import strict
from telemetry.nearest import told_count
from telemetry.record.files import read_plain
from telemetry.record.roots import Root
from telemetry.record.signature import Allowed, key_signatures, signers_of
from telemetry.record.signer import BadSignatureError, SigningError

# A campaign of a thousand runs has its seals' hashes twice and some kB a cell.
_MOST_BYTES: Final = 16 << 20
# Other releases of numpy and scipy sum in another order; a digit that one could see is more.
_TOLERANCE: Final = 1e-6
_KINDS: Final[Mapping[str, type]] = {
    **dict.fromkeys(("by_given", "mixed", "signers_asked", "simulated"), bool),
    **dict.fromkeys(("verdict", "sentence"), str),
    **{"margin": float, "written_us": int},
}
# The year 9999, beyond which there is no date to hold a key against.
_LATEST_US: Final = 253_402_300_799_000_000
# What a document that is none of ours is known to raise.
_MALFORMED: Final = (LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class WrittenVerdict:
    """A verdict as it was read, and the bytes that were signed."""

    folder: Path
    """Where it lies."""
    data: bytes
    """The bytes of verdict.json."""
    content: Mapping[str, Any]
    """What they say."""

    @classmethod
    def read(cls, path: Path) -> "WrittenVerdict":
        """The verdict of a folder, or the file itself.

        Raises:
            CommandError: there is none, or it is no verdict of this release.
        """
        file = path / VERDICT if path.is_dir() else path
        try:
            data = read_plain(file, most_bytes=_MOST_BYTES)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise CommandError(
                f"`--check` must be a verdict or its folder, but {file}: {said}"
            ) from error
        try:
            content = json.loads(data)
            found = (content["schema"], content["version"])
            if found != (SCHEMA, VERSION):
                raise ValueError(f"is {found!r}, not {(SCHEMA, VERSION)!r}")
            _require_whole(content)
        except (*_MALFORMED, RecursionError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise CommandError(
                f"`--check` must be a verdict of this release, but {file} is not: {said}"
            ) from error
        return cls(folder=file.parent, data=data, content=content)

    @property
    def sides(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What it says of the base and of the other side, in that order."""
        both = (self.content["original"], self.content["reproduction"])
        return both if both[0]["letter"] == self.content["base"] else (both[1], both[0])


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One thing that must hold of a verdict."""

    name: str
    """Its name."""
    told: str
    """What must hold."""
    finding: Finding
    """What was seen."""


def _require_whole(content: Mapping[str, Any]) -> None:
    """See that all is there that is looked at later, each of its kind.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it is not.
    """
    page(content)
    sides = (content["original"], content["reproduction"])
    letters = [side["letter"] for side in sides]
    if sorted(letters) != ["A", "B"] or content["base"] not in letters:
        raise ValueError(f"`letter` must be A and B, but is {letters!r} instead")
    for side in sides:
        Root(taken_us=0, seals=side["seals"])
        for name, held in (("path", side["path"]), ("root_sha256", side["root_sha256"])):
            if not isinstance(held, str):
                raise TypeError(f"`{name}` must be a text, but is {held!r} instead")
        if not all(isinstance(one["run_id"], str) for one in side["not_counted"]):
            raise TypeError("`not_counted` must name runs, but does not")
        if not all(isinstance(key, str) for key in side["signed_by"]["keys"]):
            raise TypeError("`signed_by` must name keys, but does not")
    for name, kind in _KINDS.items():
        if type(content[name]) is not kind:
            raise TypeError(f"`{name}` must be {kind.__name__}, but is {content[name]!r} instead")
    if not all(isinstance(name, str) and name in AXES for name in content["by"]):
        raise ValueError(f"`by` must be of {', '.join(AXES)}, but is {content['by']!r} instead")
    if not 0 < content["margin"] <= 1:
        raise ValueError(
            f"`margin` must be a share above 0 and up to 1, but is {content['margin']!r} instead"
        )
    if not 0 <= content["written_us"] < _LATEST_US:
        raise ValueError(f"`written_us` must be a time, but is {content['written_us']!r} instead")


def check_verdict(
    verdict: WrittenVerdict, paths: Sequence[str], allowed: Path | None
) -> list[Claim]:
    """Every claim of a verdict, looked at again.

    Args:
        verdict: what was read.
        paths: the base and the other folder; where none is given, those that the verdict names.
        allowed: whose signatures count, in OpenSSH's form; None tells the keys alone.

    Raises:
        CommandError: a folder that was given is none that can be compared.
    """
    found = [
        Claim(
            name="signature",
            told="the verdict is signed as it stands",
            finding=_signed(verdict, allowed),
        ),
        Claim(name="page", told="the page is the document's", finding=_page(verdict)),
    ]
    sides: tuple[Side, ...] = ()
    absent = ""
    by = ",".join(map(str, verdict.content["by"])) if verdict.content["by_given"] else None
    axes = Axes.read(by)
    try:
        sides = open_sides(paths or [str(side["path"]) for side in verdict.sides], axes)
    except CommandError as error:
        if paths:
            raise
        absent = f"{error}; name both folders"
    for index, said in enumerate(verdict.sides):
        word = "original" if said is verdict.content["original"] else "reproduction"
        finding = _root(said, sides[index]) if sides else unseen(absent)
        told = f"the {word} is what it was, to the byte"
        found.append(Claim(name=f"{word}-root", told=told, finding=finding))
        finding = _authors(said, sides[index], allowed) if sides else unseen(absent)
        told = f"the {word}'s runs are signed by whom the verdict says"
        found.append(Claim(name=f"{word}-authors", told=told, finding=finding))
    finding = _again(verdict, sides, axes, allowed) if sides else unseen(absent)
    found.append(Claim(name="numbers", told="it comes out again from both", finding=finding))
    return found


def _signed(verdict: WrittenVerdict, allowed: Path | None) -> Finding:
    path = verdict.folder / VERDICT
    if not key_signatures(path):
        if allowed is not None:
            return failed("no signature, though allowed signers were named")
        return skipped("no signature: whose verdict it is, is unknown")
    try:
        written_us = int(verdict.content["written_us"])
        signer, *_ = signers_of(path, verdict.data, Allowed(ssh_signers=allowed), written_us)
    except SigningError as error:
        return unseen(str(error))
    except (BadSignatureError, OSError, ValueError) as error:
        return failed(str(error))
    if signer.principal is None:
        return unseen(f"signed by {signer.key}; whose key it is --allowed-signers tells")
    return passed(f"signed by {signer.principal} with {signer.key}")


def _page(verdict: WrittenVerdict) -> Finding:
    path = verdict.folder / PAGE
    try:
        data = read_plain(path, most_bytes=_MOST_BYTES)
    except FileNotFoundError:
        return skipped(f"no {PAGE} beside it")
    except (OSError, ValueError) as error:
        return failed(str(error))
    if data != page(verdict.content).encode():
        return failed(f"{PAGE} says something else than {VERDICT}")
    return passed(f"{PAGE} is what {VERDICT} gives")


def _root(said: Mapping[str, Any], side: Side) -> Finding:
    root = Root(taken_us=0, seals=said["seals"])
    if root.sha256 != said["root_sha256"]:
        return failed(f"its seals give root {root.sha256}, but it names {said['root_sha256']}")
    faults = root.faults(side.results)
    before = {str(one["run_id"]) for one in said["not_counted"]}
    faults += [
        f"{one.run_id}: {one.state}: {one.reason}"
        for one in side.not_counted
        if one.state in DAMAGED and one.run_id not in before
    ]
    return judged(faults, f"root {root.sha256} of {told_count(len(root.seals), 'seal')}")


def _authors(said: Mapping[str, Any], side: Side, allowed: Path | None) -> Finding:
    now = Signers.of(side.members, allowed)
    if now.unseen is not None:
        return unseen(now.unseen)
    keys = {str(key) for key in said["signed_by"]["keys"]}
    faults = list(now.faults)
    if now.keys != keys:
        faults.append(f"signed by {', '.join(sorted(now.keys)) or 'nobody'} now")
    if faults:
        return judged(faults, "")
    if not now.runs:
        return skipped("no run is signed: author unknown")
    if allowed is None or now.unsigned:
        return unseen(f"signed by {now.told}")
    return passed(f"signed by {now.told}")


def _again(
    verdict: WrittenVerdict, sides: tuple[Side, ...], axes: Axes, allowed: Path | None
) -> Finding:
    said = verdict.content
    asked = bool(said["signers_asked"])
    comparison = Comparison.of(
        sides,
        axes,
        margin=float(said["margin"]),
        mixed=bool(said["mixed"]),
        allowed=allowed if asked else None,
    )
    (reproduction,) = comparison.reproductions
    now = {"cells": strict(cells_mapping(comparison)), "simulated": comparison.simulated}
    if "claims" in said:
        now["claims"] = strict([one.to_mapping() for one in comparison.claims])
    faults = list(_differences("", {name: said[name] for name in now}, now))
    # Who is allowed to sign decides it, too: without the file that cannot be asked again.
    if (not asked or allowed is not None) and str(reproduction.outcome) != said["verdict"]:
        because = f": {reproduction.reasons[0]}" if reproduction.reasons else ""
        faults.insert(
            0, f"it says {said['verdict']}, but {reproduction.outcome} comes out{because}"
        )
    elif not asked or allowed is not None:
        marked = "SIMULATED: " if comparison.simulated else ""
        if f"{marked}{reproduction.sentence}" != said["sentence"]:
            faults.append(f"its sentence is not what comes out: {reproduction.sentence}")
    return judged(
        faults, f"{said['verdict']}: every number of {told_count(len(comparison.cells), 'cell')}"
    )


def _differences(where: str, there: Any, here: Any) -> Iterator[str]:
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in sorted({*there, *here}):
            if (name in there) != (name in here):
                yield f"{where}{name} is not in both"
            else:
                yield from _differences(f"{where}{name} ", there[name], here[name])
        return
    if isinstance(there, list) and isinstance(here, list):
        if len(there) != len(here):
            yield f"{where}has {len(there)} entries, but {len(here)} come out"
        for one, two in zip(there, here, strict=False):
            yield from _differences(where, one, two)
        return
    numbers = all(type(each) in (int, float) for each in (there, here))
    same = (
        math.isclose(there, here, rel_tol=_TOLERANCE, abs_tol=1e-12) if numbers else there == here
    )
    if not same:
        yield f"{where}is {there}, but comes out as {here}"
