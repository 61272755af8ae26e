"""Run: a checked grid is written down, submitted, waited for, merged and sealed."""

import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from launcher.campaign import provenance
from launcher.campaign.attempt import (
    FOLDER_MODE,
    create_attempt,
    open_results,
    remove_attempt,
)
from launcher.campaign.display import CampaignProgress
from launcher.campaign.finalize import close_attempt
from launcher.campaign.plan_record import WrittenPlan, is_named, note_taken_back, take_back
from launcher.campaign.point_status import last_line
from launcher.campaign.promise import require_launch
from launcher.config.errors import BadInputError
from launcher.jobs.job import process_identity
from launcher.jobs.permissions import close_to_others
from launcher.jobs.shapes import JobShape, Trial, by_shape
from launcher.jobs.submit import (
    RefusedError,
    arrays_of,
    submit_array,
    submit_each,
)
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from launcher.plan.running_order import RunningOrder
from launcher.slurm.job_arrays import JobArray
from launcher.slurm.reconcile import closing_command
from launcher.slurm.record import record_accounting
from telemetry.clock import wall_us
from telemetry.nearest import told_count
from telemetry.output import Output
from telemetry.record.attempt_state import record_end
from telemetry.record.bulk_files import SharedJson, flush, json_text
from telemetry.record.files import create_json, read_json
from telemetry.record.paths import RunPaths, campaigns_folder, prompts_folder
from telemetry.record.planned import KEY
from telemetry.record.schema import EndState
from telemetry.waiting import waiting
from workers.prompts import selection as prompts
from workers.prompts.source import PromptOrigin, PromptSource

_POLL_S: Final = 0.2
# submitit gives its ranks one second between SIGINT and SIGKILL.
_CANCEL_S: Final = 10.0

_HUB: Final = PromptOrigin.HUB

SelectionKey = tuple[PromptSource, int, int]


@dataclass(frozen=True, kw_only=True)
class CampaignOutcome:
    """What came of a campaign."""

    sealed: int
    """Points run on this machine that ended sealed."""
    failed: tuple[str, ...]
    """Run ids of the points that did not end sealed."""
    queued: int
    """Points left to a batch system."""
    elsewhere: int = 0
    """Points that another call started meanwhile."""
    refused: tuple[str, ...] = ()
    """What the batch system said of each array that it did not take."""
    unclosed: tuple[str, ...] = ()
    """Of each array that is queued without a job that merges and seals it: why, and what does."""
    campaign: str | None = None
    """The campaign's name; None when there was nothing to start."""

    @property
    def summary(self) -> str:
        """One line of what ran here; empty where nothing did."""
        ran = self.sealed + len(self.failed)
        if not ran:
            return ""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"{told_count(ran, 'point')} ran here: {self.sealed} sealed{failed}"


def run_campaign(grid: Grid, command: Sequence[str], out: Output) -> CampaignOutcome:
    """Run every point of `grid` that is to run; on a batch system, queue it.

    Raises:
        BadInputError: the results folder, the prompts or the source tree will not do; nothing
            was started.
        OSError: the disk is full or gone; what was sealed is whole.
        KeyboardInterrupt: somebody stopped it; running jobs are cancelled and labelled.
    """
    order = RunningOrder(seed=grid.points[0].spec.seed)
    points = sorted(grid.having(Verdict.RUN), key=lambda point: order.key(point.spec))
    require_launch(grid)
    close_to_others()
    call = provenance.collect(command, allow_dirty=grid.allow_dirty)
    for corpus in sorted({p.source.corpus for p in points if p.source.source == _HUB}):
        # A hub that does not answer is asked again and again for half a minute.
        out.say(f"reading {corpus} from the hub, as it is not staged: launcher.stage keeps it")
    selections = _select_prompts(points)
    open_results(grid.results)
    hashes = _write_prompts(grid.results, selections)
    plan = WrittenPlan.write(grid, call, order.to_mapping([point.spec for point in points]))
    folder = plan.folder
    for point in grid.having(Verdict.MERGE):
        _settle(grid.results, point)
    with _interrupted_by_sigterm():
        trials = _create_attempts(grid, points, hashes, call, plan)
        if beaten := len(points) - len(trials):
            out.say(f"{told_count(beaten, 'point')} started by another call meanwhile: skipped")
        shapes = by_shape(trials)
        batch = {shape: members for shape, members in shapes.items() if shape.cluster.slurm}
        queued, refused, unclosed = _queue(grid.results, folder.name, batch)
        # Not shape by shape: the number of ranks is an axis that drift must not follow either.
        here = [trial for trial in trials if trial.point.cluster.slurm is None]
        sealed, failed = 0, []
        for trial, reason in _run_each(folder, here, CampaignProgress(out, grid.results, here)):
            if reason is None:
                sealed += 1
            else:
                failed.append(trial.point.spec.run_id)
    if refused and not queued and not sealed + len(failed) and not is_named(grid.results, folder):
        shutil.rmtree(folder, ignore_errors=True)
    return CampaignOutcome(
        sealed=sealed,
        failed=tuple(failed),
        queued=queued,
        elsewhere=beaten,
        refused=tuple(dict.fromkeys(refused)),
        unclosed=tuple(unclosed),
        campaign=folder.name,
    )


@waiting("writing the attempts down", aside=False)
def _create_attempts(
    grid: Grid,
    points: Sequence[PlannedPoint],
    hashes: Mapping[SelectionKey, str],
    call: Mapping[str, Any],
    plan: WrittenPlan,
) -> list[Trial]:
    """An attempt for each entry that no other call was faster at, all on the disk."""
    of_run = SharedJson(call)
    # Until the jobs are submitted, the attempts live as long as this process.
    submitted = json_text({"t_us": wall_us(), "executor": None, **process_identity()})
    trials = []
    try:
        for number, point in enumerate(points):
            attempt = create_attempt(
                grid.results,
                point,
                hashes[_selection(point)],
                of_run.text(
                    {
                        "overrides": point.overrides,
                        "config": point.config,
                        "chosen": point.chosen,
                        KEY: plan.place(number, len(points)).to_mapping(),
                    }
                ),
                submitted,
            )
            if attempt is not None:
                trials.append(Trial(point=point, attempt=attempt))
        flush(grid.results)
    except (OSError, KeyboardInterrupt) as error:
        for trial in trials:
            remove_attempt(trial.attempt)
        made = [(point.spec.run_id, point.attempts + 1) for point in points]
        note_taken_back(plan.folder, made, f"not all could be written: {error!r}")
        raise
    return trials


@waiting("queueing the jobs", aside=False)
def _queue(
    results: Path, campaign: str, shapes: dict[JobShape, list[Trial]]
) -> tuple[int, list[str], list[str]]:
    """Queue all arrays; how many points are, and what Slurm said of jobs that it did not take.

    First of arrays, whose attempts are taken back as if they had never been; then of the jobs that
    were to merge and seal those that it took.
    """
    queued, refused, unclosed = 0, [], []
    before: tuple[JobShape, str] | None = None
    arrays = arrays_of(results, campaign, shapes)
    for array, _, _ in arrays:
        create_json(array.path, array.to_mapping())
    if arrays:
        flush(results)
    try:
        while arrays:
            array, shape, trials = arrays[0]
            # Arrays of one shape share its throttle: the next starts when the one before has ended.
            after = before[1] if before is not None and before[0] == shape else None
            try:
                submission = submit_array(array, shape, trials, after)
                before = shape, submission.job_id
                queued += len(trials)
                if said := submission.closing_refused:
                    unclosed.append(
                        f"no job will merge and seal {told_count(len(trials), 'point')}, as Slurm "
                        "refuses it: "
                        f"{said}; when they have ended, the same command does, or "
                        f"{closing_command(array)}"
                    )
            except RefusedError as error:
                refused.append(str(error))
                array.path.unlink()
                take_back(array.folder, trials, f"refused: {error}")
            arrays.pop(0)
    except (OSError, KeyboardInterrupt):
        # The first may be half submitted: the next call finds out by its name.
        for array, _, trials in arrays[1:]:
            array.path.unlink()
            take_back(array.folder, trials, "the launcher was stopped before")
        raise
    if queued:
        flush(results)
    return queued, refused, unclosed


def _run_each(
    folder: Path, trials: Sequence[Trial], progress: CampaignProgress
) -> list[tuple[Trial, str | None]]:
    """Run trials one after the other; each with the reason why it is not sealed, or None."""
    ended: list[tuple[Trial, str | None]] = []
    waiting = list(trials)
    job: Any = None
    try:
        with progress.shown():
            for trial, job in submit_each(folder / "jobs", trials):
                while not job.done():
                    progress.update(trial)
                    time.sleep(_POLL_S)
                _label_silent_end(trial, last_line(Path(str(job.paths.stderr))))
                with progress.sealing(trial):
                    state, reason = _settle(Path(trial.attempt.folder.parent.parent), trial.point)
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


def _settle(results: Path, point: PlannedPoint) -> tuple[str, str | None]:
    """Merge and, when it completed, seal the last attempt of a run."""
    run = RunPaths(results=results, run_id=point.spec.run_id)
    attempt = run.attempts()[-1]
    submitted = read_json(attempt.submitted) if attempt.submitted.is_file() else {}
    if "array" in submitted:
        # Its own closing job did not come to it: Slurm's books are asked for here.
        intent = campaigns_folder(results) / submitted["campaign"] / submitted["array"]
        record_accounting(JobArray.read(results, intent))
    return close_attempt(run, attempt)


def _label_silent_end(trial: Trial, last: str) -> None:
    if not trial.attempt.ended.is_file():
        reason = f"the job ended without a word; its log ends: {last or '(no log)'}"
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


def _selection(point: PlannedPoint) -> SelectionKey:
    return point.source, point.spec.prompts, point.spec.seed


@waiting("choosing the prompts", aside=False)
def _select_prompts(points: Sequence[PlannedPoint]) -> dict[SelectionKey, prompts.Selection]:
    """The prompts of all entries, each distinct selection once, before anything is written."""
    choices: dict[PromptSource, list[tuple[int, int]]] = {}
    for source, count, seed in sorted({_selection(point) for point in points}, key=repr):
        choices.setdefault(source, []).append((count, seed))
    try:
        return {
            (source, *choice): kept
            for source, wanted in choices.items()
            for choice, kept in zip(wanted, prompts.select_each(source, wanted), strict=True)
        }
    except (ValueError, RuntimeError) as error:
        raise BadInputError(str(error)) from error


def _write_prompts(
    results: Path, selections: Mapping[SelectionKey, prompts.Selection]
) -> dict[SelectionKey, str]:
    """The content hashes of the selections' files, which are written if they are not there."""
    folder = prompts_folder(results)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    return {key: prompts.write_prompts(kept, folder)[0] for key, kept in selections.items()}


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Within it SIGTERM stops a campaign as Ctrl-C does: jobs cancelled, attempts labelled."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
