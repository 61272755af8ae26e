"""`python -m launcher -m model=7b,13b,65b gpus=1,8,32`: check the grid, run it, seal it."""

import shlex
import sys
from collections.abc import Sequence

from rich.console import Console

from launcher.campaign.display import plan_summary, plan_table
from launcher.campaign.run import CampaignOutcome, run_campaign
from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.plan.check import check, results_folder
from launcher.plan.grid import Grid, Verdict
from launcher.slurm.reconcile import reconcile
from launcher.status import watch

_GOING = (Verdict.SEALED, Verdict.QUEUED, Verdict.RUNNING, Verdict.FAILED)
BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the process' exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    console = Console(soft_wrap=False)
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    try:
        grid = _read_grid(arguments, console)
        if grid is None:
            return 0
        console.print(plan_table(grid))
        console.print(plan_summary(grid.points), markup=False)
        to_do = grid.having(Verdict.RUN, Verdict.MERGE)
        if grid.plan_only:
            command = shlex.join(["python", "-m", "launcher", *_without_plan(arguments)])
            _next(console, command)
            return 0
        if not to_do and not grid.having(*_GOING):
            errors.print("joulegrid: no point of this grid can run here; the table says why")
            _next(console, "python -m launcher -m model=nano,micro gpus=1,2")
            return BAD_INPUT
        if to_do:
            outcome = run_campaign(grid, ["python", "-m", "launcher", *arguments], console)
        else:
            outcome = CampaignOutcome(sealed=0, failed=(), queued=0)
    except BadInputError as error:
        errors.print(f"joulegrid: {error}")
        return BAD_INPUT
    except OSError as error:
        # Whoever read the output, `head` for one, may close it before its end.
        piped = isinstance(error, BrokenPipeError)
        where = error.filename or ("standard output" if piped else "the results folder")
        errors.print(
            f"joulegrid: cannot write {where}: {error.strerror}; what was sealed is whole, "
            "the same command goes on from there"
        )
        return 1
    except KeyboardInterrupt:
        errors.print("joulegrid: stopped; attempts are labelled, the same command goes on")
        return INTERRUPTED
    return _close(console, errors, grid, outcome)


def _read_grid(arguments: Sequence[str], console: Console) -> Grid | None:
    """The checked grid; None when one of Hydra's own flags was all there was to do."""
    with console.status("reading the grid") as status:
        points = read_points(arguments)
        if not points:
            return None
        # What Slurm ended since is known before anything is tried again.
        known = reconcile(results_folder(points[0].config))
        for doubt in known.doubts:
            console.print(f"note: {doubt}", markup=False)
        # A spinner is for terminals alone; a log wants lines.
        return check(points, known, status.update if console.is_terminal else console.print)


def _close(console: Console, errors: Console, grid: Grid, outcome: CampaignOutcome) -> int:
    folder = shlex.quote(str(grid.results))
    for said in outcome.refused:
        errors.print(f"joulegrid: Slurm refuses: {said}")
    if outcome.refused and not outcome.queued and not outcome.sealed:
        return BAD_INPUT
    failed = bool(outcome.failed or outcome.refused)
    for run_id in outcome.failed:
        errors.print(f"joulegrid: {run_id} is not sealed; its attempt says why in ended.json")
    if before := len(grid.having(Verdict.FAILED)):
        errors.print(f"joulegrid: {before} points failed before; retry=failed tries them again")
        failed = True
    if outcome.queued:
        console.print(f"{outcome.queued} points queued; they are merged and sealed as they end")
        if grid.wait:
            failed |= bool(watch(grid.results, outcome.campaign, console))
    elsewhere = outcome.elsewhere or grid.having(Verdict.QUEUED, Verdict.RUNNING)
    if elsewhere or (outcome.queued and not grid.wait):
        _next(console, f"python -m launcher.status {folder}")
    else:
        _next(console, f"python -m analysis {folder}")
    return int(failed)


def _next(console: Console, command: str) -> None:
    console.print(f"next: {command}", markup=False, highlight=False, soft_wrap=True)


def _without_plan(arguments: Sequence[str]) -> list[str]:
    return [word for word in arguments if not word.startswith("plan=")]


if __name__ == "__main__":
    sys.exit(main())
