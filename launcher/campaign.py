"""Campaign: a checked grid is written down, submitted, waited for, merged and sealed."""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console

from launcher import provenance
from launcher.attempt import create_attempt, open_results
from launcher.display import Progress, plan_summary
from launcher.door import BadInputError
from launcher.grid import Entry, Grid, Verdict
from launcher.submit import Shape, Trial, by_shape, submit_array, submit_each
from telemetry.merge import merge_attempt
from telemetry.record import write_json
from telemetry.run import RunPaths, campaigns_folder, prompts_folder
from telemetry.schema import EndState
from telemetry.seal import seal_attempt
from telemetry.state import attempt_state, record_end
from workers import prompts

_POLL_S: Final = 0.2
# submitit gives its ranks one second between SIGINT and SIGKILL.
_CANCEL_S: Final = 10.0

SelectionKey = tuple[prompts.PromptSource, int, int]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a campaign."""

    sealed: int
    failed: tuple[str, ...]
    """Run ids of the points that did not end sealed."""
    queued: int
    """Points left to a batch system."""


def run_campaign(grid: Grid, command: Sequence[str], console: Console) -> Outcome:
    """Run every point of `grid` that is to run; on a batch system, queue it.

    Raises:
        BadInputError: the results folder, the prompts or the source tree will not do; nothing
            was started.
        OSError: the disk is full or gone; what was sealed is whole.
        KeyboardInterrupt: somebody stopped it; running jobs are cancelled and labelled.
    """
    entries = grid.having(Verdict.RUN)
    call = provenance.collect(command, allow_dirty=grid.allow_dirty)
    selections = _select_prompts(entries)
    open_results(grid.results)
    hashes = _write_prompts(grid.results, selections)
    folder = _campaign_folder(grid, call)
    for entry in grid.having(Verdict.MERGE):
        _settle(grid.results, entry)
    trials = []
    for entry in entries:
        of_run = provenance.of_run(call, entry.overrides, entry.config)
        sha256 = hashes[_selection(entry)]
        attempt = create_attempt(grid.results, entry, sha256, of_run)
        if attempt is None:
            console.print(f"{entry.spec.run_id} was started by another call meanwhile: skipped")
        else:
            trials.append(Trial(entry=entry, attempt=attempt))
    sealed, failed, queued = 0, [], 0
    with _interrupted_by_sigterm():
        progress = Progress(console, len(trials))
        for shape, members in by_shape(trials).items():
            if shape.cluster.executor == "slurm":
                submit_array(folder / "jobs", shape, members)
                queued += len(members)
                continue
            for trial, reason in _run_each(folder, shape, members, progress):
                if reason is None:
                    sealed += 1
                else:
                    failed.append(trial.entry.spec.run_id)
    return Outcome(sealed=sealed, failed=tuple(failed), queued=queued)


def _run_each(
    folder: Path, shape: Shape, trials: Sequence[Trial], progress: Progress
) -> list[tuple[Trial, str | None]]:
    """Run trials one after the other; each with the reason why it is not sealed, or None."""
    ended: list[tuple[Trial, str | None]] = []
    waiting = list(trials)
    job: Any = None
    try:
        with progress.shown():
            for trial, job in submit_each(folder / "jobs", shape, trials):
                while not job.done():
                    progress.update(trial)
                    time.sleep(_POLL_S)
                _label_silent_end(trial, _last_line(Path(str(job.paths.stderr))))
                state, reason = _settle(Path(trial.attempt.folder.parent.parent), trial.entry)
                progress.finish(trial, state, reason)
                ended.append((trial, None if state == "sealed" else reason or state))
                waiting.remove(trial)
    except KeyboardInterrupt:
        if job is not None:
            _cancel(job)
        for trial in waiting:
            record_end(trial.attempt, EndState.CANCELLED, "stopped at the launcher", "launcher")
        raise
    return ended


def _settle(results: Path, entry: Entry) -> tuple[str, str | None]:
    """Merge and, when it completed, seal the last attempt of a run."""
    run = RunPaths(results=results, run_id=entry.spec.run_id)
    attempt = run.attempts()[-1]
    state = attempt_state(attempt)
    try:
        merge_attempt(run, attempt)
        if state.state == EndState.COMPLETED:
            seal_attempt(run, attempt)
            return "sealed", None
    except ValueError as error:
        return "not sealed", str(error)
    return state.state, state.reason


def _label_silent_end(trial: Trial, last_line: str) -> None:
    if not trial.attempt.ended.is_file():
        reason = f"the job ended without a word; its log ends: {last_line}"
        record_end(trial.attempt, EndState.LOST, reason, "launcher")


def _cancel(job: Any) -> None:
    """Stop a local job and whatever it started, softly first."""
    try:
        processes = [psutil.Process(int(job.job_id))]
        processes += processes[0].children(recursive=True)
    except psutil.NoSuchProcess:
        return
    job.cancel()
    _, alive = psutil.wait_procs(processes, timeout=_CANCEL_S)
    for process in alive:
        process.kill()


def _selection(entry: Entry) -> SelectionKey:
    return entry.source, entry.spec.prompts, entry.spec.seed


def _select_prompts(entries: Sequence[Entry]) -> dict[SelectionKey, prompts.Selection]:
    """The prompts of all entries, each distinct selection once, before anything is written."""
    try:
        return {
            key: prompts.select(key[0], prompts=key[1], seed=key[2])
            for key in sorted({_selection(entry) for entry in entries}, key=repr)
        }
    except (ValueError, RuntimeError) as error:
        raise BadInputError(str(error)) from error


def _write_prompts(
    results: Path, selections: Mapping[SelectionKey, prompts.Selection]
) -> dict[SelectionKey, str]:
    """The content hashes of the selections' files, which are written if they are not there."""
    folder = prompts_folder(results)
    folder.mkdir(exist_ok=True)
    return {key: prompts.write_prompts(kept, folder)[0] for key, kept in selections.items()}


def _campaign_folder(grid: Grid, call: Mapping[str, Any]) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = campaigns_folder(grid.results) / f"{stamp}-{os.getpid()}"
    folder.mkdir(parents=True)
    write_json(
        folder / "campaign.json",
        {
            "command": call["command"],
            "summary": plan_summary(grid.entries),
            "points": [
                {
                    "run_id": entry.spec.run_id,
                    "verdict": str(entry.verdict),
                    "reason": entry.reason,
                    "overrides": list(entry.overrides),
                }
                for entry in grid.entries
            ],
        },
    )
    return folder


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "(no log)"
    return lines[-1].strip() if lines else "(empty log)"


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Within it SIGTERM stops a campaign as Ctrl-C does: jobs cancelled, attempts labelled."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
