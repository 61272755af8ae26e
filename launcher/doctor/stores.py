"""Stores: where prompts, caches and the source lie: staged data sets, the hub, room, git."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, elsewhere, missing, there, unseen
from launcher.doctor.results_disk import mount_of, nearest
from launcher.doctor.situation import Situation
from launcher.plan.hub_reach import HubReach
from telemetry.next_line import typed
from workers.prompts.corpus import CORPORA
from workers.prompts.source import PromptSource, cache_folder, identify

_PROMPTS: Final = "Points of a data set that is neither staged nor reachable are not run."
_DIRTY: Final = "The launcher refuses to start, or with allow_dirty=true the record says so."
# The two data sets of arXiv 2310.03003 take 20 MB; Triton's compiled kernels some hundred.
_LEAST_BYTES: Final = 1 << 30
_ROOT: Final = Path(__file__).resolve().parents[2]
# git over a large tree on a cold file server takes seconds.
_GIT_S: Final = 15.0


def probes(situation: Situation) -> list[Probe]:
    """Data sets, the hub, caches and the source tree."""
    return [
        Probe(name="data-sets", look=lambda: data_sets(situation), costs=_PROMPTS),
        Probe(name="space", look=space, costs="Kernels and prompts cannot be kept."),
        Probe(name="source", look=source, costs=_DIRTY),
    ]


def data_sets(situation: Situation, hub: HubReach | None = None) -> Sequence[Observation]:
    """Which data sets are staged here, and whether the hub answers for the others."""
    hub = hub or HubReach()
    cache = cache_folder()
    names = [name for name, corpus in CORPORA.items() if corpus.columns]
    absent, faults = [], []
    for name in names:
        if (cache / name).is_dir():
            # A copy that is damaged, or of another release, is refused here as by the launcher.
            _source(name, "staged", cache)
            continue
        # What the hub does not have comes from a file of the user's.
        if CORPORA[name].hub is None:
            continue
        absent.append(name)
        if fault := hub.fault(_source(name, "hub", cache)):
            faults.append(fault)
    staged = [name for name in names if (cache / name).is_dir()]
    told = f"staged in {cache}: {', '.join(staged) or 'none'}"
    if not absent:
        return [there("data-sets", told)]
    told += f"; not staged: {', '.join(absent)}"
    remedy = f"where there is internet: {typed('launcher.stage', *absent)}"
    if faults and not staged:
        return [
            missing(
                "data-sets",
                f"{told}; the hub cannot be reached",
                costs=f"{_PROMPTS} dataset=fixed needs none.",
                remedy=remedy,
            )
        ]
    if faults:
        return [missing("data-sets", told, costs=_PROMPTS, remedy=remedy)]
    where = "a login node stages them" if situation.job else "the hub answers"
    return [there("data-sets", f"{told}; {where}")]


def _source(name: str, source: str, cache: Path) -> PromptSource:
    return identify(name, source=source, path=None, columns=None, cache=cache, local=False)


def space() -> Sequence[Observation]:
    """Room where prompts, kernels and temporary files are kept."""
    folders = {
        "prompts": str(cache_folder()),
        "kernels": os.environ.get("TRITON_CACHE_DIR") or str(Path("~/.triton").expanduser()),
        "temporary files": tempfile.gettempdir(),
    }
    told, faults = [], []
    for what, name in folders.items():
        folder = nearest(name)
        room = os.statvfs(folder)
        free = room.f_bavail * room.f_frsize
        told.append(f"{what} {free / 2**30:.1f} GiB ({mount_of(folder).kind}, {name})")
        if not os.access(folder, os.W_OK | os.X_OK):
            faults.append(f"{folder} cannot be written to")
        elif free < _LEAST_BYTES:
            faults.append(f"less than 1 GiB for {what}")
    if faults:
        costs = "Engine fast may not compile its kernels, or a data set may not be staged."
        remedy = "JOULEGRID_CACHE, TRITON_CACHE_DIR and TMPDIR name other folders"
        text = f"{'; '.join(faults)} ({'; '.join(told)})"
        return [missing("space", text, costs=costs, remedy=remedy)]
    return [there("space", "; ".join(told))]


def source(folder: Path = _ROOT) -> Sequence[Observation]:
    """Whether the source tree is as it was committed."""
    if not (folder / ".git").exists():
        return [elsewhere("source", "the project is installed, not checked out")]
    words = ["git", "-C", str(folder), "status", "--porcelain"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_S,
        )
    except FileNotFoundError:
        return [unseen("source", "git is not on PATH", costs="The commit is null on record.")]
    except subprocess.TimeoutExpired:
        return [unseen("source", f"git took more than {_GIT_S:g} s", costs=_DIRTY)]
    if done.returncode:
        why = done.stderr.decode(errors="replace").splitlines() or [f"exit code {done.returncode}"]
        # git refuses a tree of another user's (safe.directory).
        return [unseen("source", why[0], costs="The commit is null on record.")]
    changes = done.stdout.decode(errors="replace").splitlines()
    if changes:
        found = f"{len(changes)} uncommitted changes, {changes[0].strip()} first"
        remedy = "git commit them, or a cluster's file of yours too"
        return [missing("source", found, costs=_DIRTY, remedy=remedy)]
    return [there("source", "no uncommitted change")]
