"""Plan record: what a campaign was to run, written before any of it, and what never began.

campaigns/<name>/campaign.json    the plan: every point with its verdict, and the attempt it makes
campaigns/<name>/taken_back.json  attempts that were taken back before they began, and why
"""

import hashlib
import itertools
import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from launcher.campaign.attempt import FOLDER_MODE, remove_attempt
from launcher.campaign.display import plan_summary
from launcher.jobs.job import process_identity
from launcher.jobs.shapes import Trial
from launcher.plan.auto_repeats import KEY as REPEATS
from launcher.plan.grid import Grid, Verdict
from telemetry.record.bulk_files import json_text, replace_text
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder
from telemetry.record.planned import BEFORE, PLAN, TAKEN_BACK, Planned, plans_before
from telemetry.record.reproduces import KEY, Reproduces


@dataclass(frozen=True, kw_only=True)
class WrittenPlan:
    """A campaign's plan as it lies on the disk."""

    folder: Path
    """The campaign's folder."""
    sha256: str
    """SHA-256 of the plan."""

    def place(self, number: int, count: int) -> Planned:
        """The place in it of one of the attempts that it makes."""
        return Planned(
            campaign=self.folder.name, plan_sha256=self.sha256, number=number, count=count
        )

    @classmethod
    def write(cls, grid: Grid, call: Mapping[str, Any], order: Mapping[str, Any]) -> Self:
        """Make a campaign's folder with its plan.

        Raises:
            OSError: it cannot be written.
        """
        before = plans_before(grid.results)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        # Two login nodes may have the same pid in the same second.
        host = re.sub(r"[^a-z0-9]", "", socket.gethostname().partition(".")[0].lower())
        name = f"{stamp}-{host}-{os.getpid()}"
        campaigns_folder(grid.results).mkdir(mode=FOLDER_MODE, exist_ok=True)
        folder = _make(campaigns_folder(grid.results), name)
        (folder / "jobs").mkdir(mode=FOLDER_MODE)
        content = {
            "command": call["command"],
            "t_us": call["t_us"],
            "user": call["user"],
            "launcher": process_identity(),
            "summary": plan_summary(grid.points),
            "order": order,
            REPEATS: None if grid.auto is None else grid.auto.to_mapping(),
            BEFORE: before,
            KEY: Reproduces.of_all(
                [
                    Reproduces.from_mapping(point.config[KEY])
                    for point in grid.points
                    if KEY in point.config
                ]
            ),
            "points": [
                {
                    "run_id": point.spec.run_id,
                    "verdict": str(point.verdict),
                    "reason": point.reason,
                    "overrides": list(point.overrides),
                    # Which attempt it makes; null for a point that is not run.
                    "attempt": point.attempts + 1 if point.verdict is Verdict.RUN else None,
                }
                for point in grid.points
            ],
        }
        text = json_text(content)
        replace_text(folder / PLAN, text)
        return cls(folder=folder, sha256=hashlib.sha256(text.encode()).hexdigest())


def _make(campaigns: Path, name: str) -> Path:
    """A new folder of that name; two short rounds of one call may begin in one second."""
    for number in itertools.count(1):
        folder = campaigns / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(mode=FOLDER_MODE)
            return folder
    raise AssertionError(name)


def take_back(campaign: Path, trials: Sequence[Trial], reason: str) -> None:
    """Take back attempts that never began, and say so beside the plan that names them."""
    for trial in trials:
        remove_attempt(trial.attempt)
    made = [(trial.point.spec.run_id, trial.attempt.number) for trial in trials]
    note_taken_back(campaign, made, reason)


def note_taken_back(campaign: Path, attempts: Sequence[tuple[str, int]], reason: str) -> None:
    """Say beside a campaign's plan which of its attempts never began, and why.

    A disk that takes no more leaves a gap without its reason.
    """
    path = campaign / TAKEN_BACK
    with suppress(OSError):
        known = read_json(path)["attempts"] if path.is_file() else []
        known += [
            {"run_id": run_id, "attempt": number, "reason": reason} for run_id, number in attempts
        ]
        replace_text(path, json_text({"attempts": known}))


def is_named(results: Path, folder: Path) -> bool:
    """True when a later call's plan names that of this campaign's folder."""
    others = campaigns_folder(results).glob(f"*/{PLAN}")
    return any(folder.name in read_json(plan).get(BEFORE, {}) for plan in others)
