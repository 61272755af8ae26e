"""Promise: what a launch would refuse before it writes anything, so that a plan refuses it too."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from launcher.campaign.provenance import source_state
from launcher.config.errors import BadInputError
from launcher.config.listing import project_folder
from launcher.jobs.own_gpus import own_gpus
from launcher.jobs.submit import require_slurm_path
from launcher.plan.grid import Grid, Verdict
from telemetry.command import lacks
from workers.prompts.availability import prompts_fault

# What a rank imports and a login node need not have: the extra `work`.
_RANKS_NEED: Final = ("torch", "fairscale", "sentencepiece")


def require_launch(grid: Grid) -> None:
    """Refuse a results folder or prompts that the launch could not use. Nothing is written.

    Raises:
        BadInputError: ranks are to run here and lack a package or GPUs; the folder cannot be made
            or written, or Slurm would read more out of its name; a source's prompts are too few or
            malformed, as far as that can be seen here.
    """
    points = grid.having(Verdict.RUN)
    if any(point.cluster.executor == "local" for point in points):
        for package in _RANKS_NEED:
            if find_spec(package) is None:
                raise BadInputError(lacks(package, "work"))
    for point in points:
        if point.cluster.executor == "local" and point.cluster.device == "cuda":
            try:
                own_gpus(os.environ, point.spec.gpus_per_node)
            except ValueError as error:
                raise BadInputError(str(error)) from error
    require_slurm_path(grid.results, points)
    for source, prompts in dict.fromkeys((point.source, point.spec.prompts) for point in points):
        if fault := prompts_fault(source, prompts):
            raise BadInputError(fault)
    there = grid.results
    while not os.path.lexists(there):
        there = there.parent
    fault = _fault(there)
    if fault is not None:
        raise BadInputError(
            f"`results` must be a folder that can be written, but {grid.results} is not: {fault}"
        )


def uncommitted(grid: Grid) -> str | None:
    """The first change that keeps the launch from starting; None when nothing does."""
    if grid.allow_dirty or not grid.having(Verdict.RUN):
        return None
    source = source_state(project_folder())
    return str(source["changes"][0]).strip() if source.get("dirty") else None


def _fault(there: Path) -> str | None:
    try:
        if not there.is_dir():
            return f"{there} is no folder"
    except OSError as error:
        return str(error.strerror)
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} may not be written"
    try:
        # A nameless file is gone when it is closed. Of /proc root may do all, and can do nothing.
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return f"{there} takes no file: {error.strerror}"
    return None
