"""Copied: whether a run of one side is a run of the other under another name."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from analysis.audit.copies import is_copy
from analysis.audit.near_copies import alike
from analysis.audit.noise import noise_of_run
from analysis.audit.traces import marks_of_run
from analysis.compare.sides import Member
from telemetry.record.files import read_json

# What two measurements cannot have in common to the byte: stamps of microseconds are in both.
_TABLES: Final = ("samples.parquet", "spans.parquet")


def copied(base: Sequence[Member], other: Sequence[Member]) -> str | None:
    """Which run of `other` has the readings of which of `base`; None where each has its own.

    A table that is the same to the byte is a copy's, whatever lies beside it and whoever sealed it
    again; so is a trace that goes up and down as another does, shifted or multiplied, or one that
    has another's noise, though noise was added to it.
    """
    tables = {sha256: member for member in base for sha256 in _tables(member)}
    for member in other:
        for sha256 in _tables(member):
            if sha256 in tables:
                return _told(member, tables[sha256])
    marks = [(member, marks_of_run(member.run)) for member in base]
    if any(found for _, found in marks):
        for member in other:
            for (_, _, field), own in marks_of_run(member.run).items():
                for original, found in marks:
                    theirs = [
                        mark for name, each in found.items() if name[2] == field for mark in each
                    ]
                    if is_copy(own, theirs):
                        return _told(member, original)
    return _with_noise(base, other)


def _with_noise(base: Sequence[Member], other: Sequence[Member]) -> str | None:
    """The same by what noise leaves of another's noise."""
    ones, others = (
        [(member, trace.values) for member in side for trace in noise_of_run(member.run)]
        for side in (base, other)
    )
    found = alike([values for _, values in ones], [values for _, values in others])
    if found is None:
        return None
    original, copy = found
    return _told(others[copy][0], ones[original][0])


def _tables(member: Member) -> list[str]:
    attempt = member.run.attempt
    files: Mapping[str, Any] = read_json(attempt.seal)["files"]
    names = {name: sha256 for name, sha256 in files.items() if name.endswith(_TABLES)}
    return [str(sha256) for _, sha256 in sorted(names.items())]


def _told(copy: Member, original: Member) -> str:
    return f"{copy.run.run_id} has the readings of {original.run.run_id}: a copy is no measurement"
