"""Explained: one check in words, as an auditor asks for it: what holds against what, and why."""

import inspect
from typing import Any

from analysis.audit.campaign import FolderCheck
from analysis.audit.check import Check
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from telemetry.nearest import one_of


def every_check() -> list[Check | FolderCheck]:
    """All checks, in the order in which they are told."""
    return [*CHECKS, *FOLDER_CHECKS]


def named_check(name: str) -> Check | FolderCheck:
    """The check of that name.

    Raises:
        ValueError: there is none, with the nearest that there are.
    """
    known = {check.name: check for check in every_check()}
    if name not in known:
        raise ValueError(one_of("--explain", known, name, things="checks", ask="docs/audit.md"))
    return known[name]


def place_of(check: Check | FolderCheck) -> str:
    """The file that looks, from the root of the project."""
    return check.look.__module__.replace(".", "/") + ".py"


def explained(check: Check | FolderCheck) -> dict[str, Any]:
    """All that there is to say of a check, by the words that it is told under."""
    about = inspect.getdoc(check.look) or ""
    return {
        "name": check.name,
        "claim": check.claim,
        "severity": check.severity.value,
        "means": f"where it fails, {check.severity.meaning}",
        "asked_of": "all runs together" if isinstance(check, FolderCheck) else "each run",
        "rule": check.rule,
        "tolerance": check.tolerance,
        "reason": check.reason,
        "rules_out": check.rules_out,
        "code": f"{place_of(check)}, {check.look.__name__}",
        "about": " ".join(about.split()),
    }
