"""Point status: where each point of a results folder stands, from its record and Slurm's queue."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analysis.runs.labels import Label, in_order, labels_of_state, labels_on_record
from launcher.campaign.time_left import began_us, took_s, work_of
from launcher.forecast.left import foreseen_of, job_left_s
from launcher.forecast.totals import spanned_time, time_text
from launcher.slurm.view import SlurmView
from telemetry.clock import US_PER_S
from telemetry.damage import DamagedError, damage_told
from telemetry.record.attempt_state import QUEUED, RUNNING
from telemetry.record.differing import MEASUREMENT_FIELDS, SPEC_FIELDS, differing, told
from telemetry.record.files import read_json
from telemetry.record.paths import (
    AttemptPaths,
    ClosedRun,
    RunPaths,
    campaigns_folder,
    closed_runs,
    list_runs,
)
from telemetry.record.plain_file import NotPlainError, plain_file, require_plain
from telemetry.record.schema import EndState
from telemetry.record.seal import SEALED
from telemetry.waiting import counted
from workers.planning.engine_facts import DEFAULT_ENGINE

MERGING: Final = "merging"
"""It completed; its tables and seal are still to come."""
UNSEALED: Final = "unsealed"
"""It completed, and nothing is going to merge and seal it."""
UNKNOWN: Final = "unknown"
"""Its job is not in Slurm's queue, and nobody can say how it ended."""
UNREADABLE: Final = "unreadable"
"""Its record cannot be read."""
GOING: Final = (QUEUED, RUNNING, MERGING, UNKNOWN)
# The run's name has these, or a word of its own has (the engine and its bits).
_IN_NAME: Final = frozenset(
    {
        *("model", "dataset", "gpu", "gpus", "batch_size", "max_gen_len", "repeat"),
        *("engine", "quantization"),
    }
)
_UNEXPLAINED: Final = (EndState.FAILED, EndState.LOST)
# The last lines of a log say why; a traceback's last one says most.
_TAIL_BYTES: Final = 4096


@dataclass(frozen=True, kw_only=True)
class PointStatus:
    """Where one point stands."""

    run_id: str
    """The run's name in the results folder."""
    engine: str
    """The engine, and the quantization where there is one: a run's name holds neither."""
    attempt: int
    """Number of the attempt meant: the sealed one, else the last."""
    state: str
    """`sealed`, `merging`, `unsealed`, `queued`, `running`, `unknown`, or how it ended."""
    detail: str
    """Slurm's reason, the progress, or why it failed."""
    log: Path | None
    """The job's log; None before there is one."""
    left_s: float | None = None
    """Seconds until its job ends, by what was foreseen and its ranks' own pace, without the queue;
    None where it has ended or nothing says."""
    differs: str = ""
    """What sets it apart from the others and stands in no name, such as `temperature=0.8`."""
    work: str = ""
    """What runs of equal length agree in (`work_of`); empty where its record cannot be read."""
    began_us: int | None = None
    """When it started, in microseconds of the wall clock; None before, and where nothing says."""
    took_s: float | None = None
    """From its start to its end; None before that, and where a stamp is not on record."""
    labels: tuple[Label, ...] = ()
    """What a reader of its numbers has to know first, as far as files say it without readings."""
    foreseen_s: float | None = None
    """What it was expected to take; None where nobody foresaw it."""

    @property
    def failed(self) -> bool:
        """True when it ended without a seal and nothing goes on."""
        return self.state != SEALED and self.state not in GOING


def point_statuses(
    results: Path, known: SlurmView, campaign: str | None = None
) -> list[PointStatus]:
    """Where the points of a results folder, or of one campaign, stand, by name.

    One whose record cannot be read is `unreadable`; it hides no other.
    """
    wanted = None if campaign is None else set(campaign_points(results, campaign))
    found: list[PointStatus] = []
    fields: list[dict[str, Any]] = []
    for run in counted(list(list_runs(results)), "point"):
        if wanted is not None and run.run_id not in wanted:
            continue
        try:
            with damage_told(run.folder, f"the record of {run.run_id}"):
                if not (attempts := run.attempts()):
                    continue
                status = _standing(run, attempts, known)
                # The spec's is the last word where both have a field.
                content = {**_launch_of(run, status.attempt), **read_json(run.spec)}
        except (OSError, DamagedError) as error:
            status, content = _unreadable(run, error), {}
        found.append(status)
        fields.append(content)
    for closed in closed_runs(results):
        if wanted is None or closed.run_id in wanted:
            found.append(_closed(closed))
            fields.append({})
    order = sorted(range(len(found)), key=lambda index: found[index].run_id)
    found, fields = [found[index] for index in order], [fields[index] for index in order]
    whole = [content for content in fields if content]
    names = [
        name
        for name in differing(whole, (*SPEC_FIELDS, *MEASUREMENT_FIELDS))
        if name not in _IN_NAME
    ]
    return [
        dataclasses.replace(
            status,
            differs=told(content, names) if content else "",
            work=work_of(content, content) if content else "",
        )
        for status, content in zip(found, fields, strict=True)
    ]


def campaign_points(results: Path, campaign: str) -> list[str]:
    """Run ids of a campaign's points.

    Raises:
        FileNotFoundError: there is no such campaign.
        DamagedError: its record is damaged.
    """
    path = campaigns_folder(results) / campaign / "campaign.json"
    with damage_told(path, "the record of a campaign"):
        return [str(point["run_id"]) for point in read_json(path)["points"]]


def campaigns(results: Path) -> list[str]:
    """The campaigns of a results folder, oldest first."""
    found = campaigns_folder(results).glob("*/campaign.json")
    return sorted(path.parent.name for path in found)


def last_line(path: Path) -> str:
    """The last line of a log that is not empty; empty where there is none."""
    try:
        with plain_file(path) as number, open(number, "rb", closefd=False) as source:
            source.seek(max(0, os.fstat(number).st_size - _TAIL_BYTES))
            lines = source.read().decode(errors="replace").splitlines()
    except (OSError, NotPlainError):
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _standing(run: RunPaths, attempts: Sequence[AttemptPaths], known: SlurmView) -> PointStatus:
    sealed = next((attempt for attempt in attempts if os.path.lexists(attempt.seal)), None)
    if sealed is not None:
        require_plain(sealed.seal)
    attempt = sealed or attempts[-1]
    state, detail = SEALED, _took(attempt)
    log = None
    if sealed is None:
        submitted = read_json(attempt.submitted) if attempt.submitted.is_file() else {}
        state, detail = _open_state(attempt, submitted, known)
        if "log" in submitted and _is_own(run, path := Path(submitted["log"])):
            log = path
            if state in _UNEXPLAINED and (line := last_line(path)) and not _told(line, detail):
                detail = f"{detail}; the log ends: {line}"
    spec = read_json(run.spec)
    # A spec of before quantization lacks the key.
    bits = spec.get("quantization", "none")
    seen = foreseen_of(attempt)
    return PointStatus(
        run_id=run.run_id,
        engine=spec["engine"] if bits == "none" else f"{spec['engine']} {bits}",
        attempt=attempt.number,
        state=state,
        detail=detail,
        log=log,
        left_s=job_left_s(attempt) if state in (QUEUED, RUNNING) else None,
        began_us=began_us(attempt),
        took_s=took_s(attempt),
        foreseen_s=None if seen is None else seen.time_s.value,
        labels=_labels(spec, attempt, state),
    )


def _labels(spec: Mapping[str, Any], attempt: AttemptPaths, state: str) -> tuple[Label, ...]:
    """What its files say, and how far it came; one that still goes on is not called unsealed.

    One that has not begun has no number yet, and so no label.
    """
    if state == QUEUED:
        return ()
    told = labels_on_record(spec, _told_by(attempt.provenance), _told_by(attempt.manifest))
    return in_order([*told, *(() if state in GOING else labels_of_state(state))])


def _told_by(path: Path) -> dict[str, Any]:
    """A file of an attempt; empty where there is none yet, or it cannot be read."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}


def _is_own(run: RunPaths, log: Path) -> bool:
    """Whether a log lies in the results folder: its path is its record's word, and may be any."""
    inside = Path(os.path.realpath(log)).is_relative_to(os.path.realpath(run.results))
    return inside and log.is_file()


def _took(attempt: AttemptPaths) -> str:
    """What a sealed job took beside what was foreseen; empty where nothing was."""
    seen = foreseen_of(attempt)
    if seen is None:
        return ""
    try:
        born_us, end_us = read_json(attempt.started)["pid_created_us"], read_json(attempt.ended)
        took_s = (end_us["t_us"] - born_us) / US_PER_S
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"took {time_text(took_s)}, foreseen {spanned_time(seen.time_s)}"


def _launch_of(run: RunPaths, number: int) -> dict[str, Any]:
    """How an attempt is measured; empty where that cannot be read: the seal tells of it."""
    try:
        return read_json(run.attempt(number).launch)
    except (OSError, ValueError):
        return {}


def _unreadable(run: RunPaths, error: Exception) -> PointStatus:
    return PointStatus(
        run_id=run.run_id,
        engine=DEFAULT_ENGINE,
        attempt=0,
        state=UNREADABLE,
        detail=f"its record cannot be read: {error}",
        log=None,
    )


def _closed(run: ClosedRun) -> PointStatus:
    return PointStatus(
        run_id=run.run_id,
        engine=DEFAULT_ENGINE,
        attempt=0,
        state=UNREADABLE,
        detail=f"its folder cannot be read: {run.reason}",
        log=None,
    )


def _told(line: str, detail: str) -> bool:
    """True when a log's last line, an exception's name before its text, says nothing more."""
    _, _, text = line.rpartition("Error: ")
    return text in detail


def _open_state(
    attempt: AttemptPaths, submitted: Mapping[str, Any], known: SlurmView
) -> tuple[str, str]:
    state = known.state(attempt)
    if state.state == EndState.COMPLETED:
        if attempt.folder in known.closing or attempt.folder in known.jobs:
            return MERGING, "a job of its own seals it"
        return UNSEALED, "done, but nothing is at its seal: the same command again seals it"
    if state.ended:
        later = "; Slurm's own word is still to come" if attempt.folder in known.unsettled else ""
        return state.state, f"{state.reason or ''}{later}"
    if attempt.folder in known.unknown:
        return UNKNOWN, known.unknown[attempt.folder]
    job = known.jobs.get(attempt.folder)
    where = f"job {submitted['job_id']}" if "job_id" in submitted else "not submitted yet"
    if state.state == QUEUED:
        if job is None:
            return QUEUED, where
        reason = f" ({job.reason})" if job.reason not in ("", "None") else ""
        return QUEUED, f"{where}: {job.state}{reason}"
    return RUNNING, f"{where}: {progress_line(attempt)}"


def progress_line(attempt: AttemptPaths) -> str:
    """How far a running attempt is, in one line."""
    phase, _, rate = read_progress(attempt)
    # What its ranks foresee of their batches stands in the rate already.
    left_s = None if foreseen_of(attempt) is None else job_left_s(attempt)
    left = "" if left_s is None else f"; ends in {time_text(left_s)}"
    return f"{phase} {rate}".strip() + left


def read_progress(attempt: AttemptPaths) -> tuple[str, float, str]:
    """Phase, share of prompts done, and a rate with the time left."""
    if attempt.progress.is_file():
        content = read_json(attempt.progress)
        done, total = content["prompts_done"], content["prompts_total"]
        again = f" of pass {content['pass']}" if content.get("pass", 1) > 1 else ""
        parts = [f"{done}/{total} prompts{again}"]
        if content.get("step"):
            parts.append(f"step {content['step']}/{content['most_steps']}")
        # What it does now says more of a run that throttles than what it did on the whole.
        if rate := content.get("recent_tokens_per_s") or content.get("tokens_per_s"):
            parts.append(f"{rate:.0f} tokens/s")
        if content.get("eta_s") is not None:
            parts.append(f"{content['eta_s']:.0f} s left")
        return str(content["phase"]), done / total if total else 0.0, ", ".join(parts)
    return ("starting" if attempt.started.is_file() else "queued"), 0.0, ""
