"""Provenance: who starts what from where with which code, written before a job is submitted."""

import getpass
import hashlib
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from launcher.config.errors import BadInputError
from launcher.config.listing import project_folder
from telemetry.clock import wall_us


def collect(command: Sequence[str], *, allow_dirty: bool) -> dict[str, Any]:
    """What is the same for all runs of one call of the launcher.

    Raises:
        BadInputError: the source tree has uncommitted changes and they are not allowed.
    """
    source = source_state(project_folder())
    if source.get("dirty") and not allow_dirty:
        raise BadInputError(
            "`allow_dirty` must be true to start from a source tree with uncommitted changes "
            f"({source['changes'][0].strip()}), but is false; commit them, or say allow_dirty=true"
        )
    return {
        "user": _user(),
        "submit_host": socket.gethostname(),
        "t_us": wall_us(),
        "command": list(command),
        "git": source,
        "allow_dirty": allow_dirty,
        "packages": packages(),
        "python": platform.python_version(),
        "python_path": sys.executable,
    }


def source_state(folder: Path) -> dict[str, Any]:
    """The commit that `folder` (the project's) stands at and what differs from it.

    `commit` is None, with a `reason`, where the project is installed rather than checked out.
    """
    # A virtual environment may lie inside somebody else's repository.
    tracked = _git(folder, "ls-files", "--error-unmatch", "conf/config.yaml")
    if tracked is None:
        return {"commit": None, "reason": "the project's folder is no git checkout"}
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain")
    if commit is None or status is None:
        return {"commit": None, "reason": "git does not answer for the project's folder"}
    difference = _git(folder, "diff", "HEAD", "--binary") or ""
    return {
        "commit": commit.strip(),
        "dirty": bool(status.strip()),
        "changes": status.splitlines(),
        "diff_sha256": hashlib.sha256(difference.encode()).hexdigest(),
    }


def packages() -> dict[str, str]:
    """Every installed distribution and its version."""
    # Each is parsed once: a hundred of them, with all that they tell of themselves, take a while.
    told = [distribution.metadata for distribution in distributions()]
    found = {one["Name"]: one["Version"] for one in told}
    return {name: found[name] for name in sorted(found, key=str.lower)}


def _git(folder: Path, *arguments: str) -> str | None:
    # A hook or pager of the user's has no say here.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            env=environment,
            timeout=30,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
