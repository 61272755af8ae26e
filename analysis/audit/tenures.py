"""Tenures: which attempt held which GPUs of which host, from when to when, and since which boot.

They are read of every attempt of a results folder, of those that failed, too: a GPU can do one
run's work at a time, whatever became of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analysis.runs.unreadable import UNREADABLE, shortened
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, find_runs

_SIMULATED: Final = "SIM-"


@dataclass(frozen=True, kw_only=True)
class Tenure:
    """One watcher's time on one host."""

    run_id: str
    """The run's name."""
    attempt: int
    """The attempt's number."""
    host: str
    """The node's name."""
    gpus: tuple[str, ...]
    """UUIDs of the GPUs that it watched; a model's are not among them."""
    boards: tuple[tuple[str, str, str], ...]
    """UUID, name and serial number of each that tells all three."""
    start_us: int
    """When the watcher was ready."""
    end_us: int
    """When it ended; as `start_us` where it left no word."""
    boot_us: int | None
    """When the host's steady clock stood at 0, on the clock of the stamps; None where untold."""
    boot_id: str | None
    """The kernel's name of that boot; None in a record from before."""

    @property
    def name(self) -> str:
        """Run and attempt, as they are told."""
        return f"{self.run_id} attempt {self.attempt}"


def tenures_of(results: Path) -> tuple[list[Tenure], list[str]]:
    """Every tenure of a folder by its start, and what could not be read, one line each."""
    found: list[Tenure] = []
    lost: list[str] = []
    for run in find_runs(results):
        for attempt in run.attempts():
            for path in sorted(attempt.hosts.glob("*.json")):
                try:
                    found.append(_tenure(run, attempt, path))
                except UNREADABLE as error:
                    lost.append(
                        f"{run.run_id} attempt {attempt.number}: {path.name}: {shortened(error)}"
                    )
    return sorted(found, key=lambda one: (one.start_us, one.name, one.host)), lost


def processes_of(results: Path) -> Iterator[tuple[str, tuple[str, int, int] | str]]:
    """Of every attempt the process that began it: host, its number there and when it started.

    A reason in its place where it cannot be read; nothing of an attempt that nothing began.
    """
    for run in find_runs(results):
        for attempt in run.attempts():
            name = f"{run.run_id} attempt {attempt.number}"
            try:
                began = read_json(attempt.started)
                yield name, (str(began["host"]), int(began["pid"]), int(began["pid_created_us"]))
            except FileNotFoundError:
                continue
            except UNREADABLE as error:
                yield name, shortened(error)


def _tenure(run: RunPaths, attempt: AttemptPaths, path: Path) -> Tenure:
    ready = read_json(path)
    host = str(ready["host"])
    start_us = _whole(ready, "ready_us")
    log = attempt.watchers / path.name
    ended = read_json(log).get("ended_us") if log.is_file() else None
    platform = ready.get("platform")
    boot_id = platform.get("boot_id") if isinstance(platform, dict) else None
    offset_us = ready.get("clock_offset_us")
    gpus = [gpu for gpu in ready.get("gpus", []) if not str(gpu["uuid"]).startswith(_SIMULATED)]
    return Tenure(
        run_id=run.run_id,
        attempt=attempt.number,
        host=host,
        gpus=tuple(str(gpu["uuid"]) for gpu in gpus),
        boards=tuple(
            (str(gpu["uuid"]), str(gpu["name"]), str(gpu["serial"]))
            for gpu in gpus
            if gpu.get("serial") and gpu.get("name")
        ),
        start_us=start_us,
        end_us=max(ended, start_us) if type(ended) is int else start_us,
        boot_us=offset_us if type(offset_us) is int else None,
        boot_id=boot_id if isinstance(boot_id, str) else None,
    )


def _whole(content: dict[str, Any], name: str) -> int:
    value = content.get(name)
    if type(value) is not int:
        raise ValueError(f"`{name}` must be a time in microseconds, but is {value!r} instead")
    return value
